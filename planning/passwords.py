"""Passwords: what they must be like, and their hashes (argon2id, by argon2-cffi)."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data.errors import InputError
from planning.account_rules import AccountRules

#: A hash takes 64 MiB for its duration, so few are made at once.
_AT_ONCE = threading.BoundedSemaphore(4)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def hashed(password: str) -> str:
    """Return the hash to be kept of a password.

    Parameters
    ----------
    password
        The password.

    Returns
    -------
    str
        With its salt and parameters.
    """
    with _AT_ONCE:
        return _hasher().hash(_normal(password))


def fits(password: str, kept: str | None) -> bool:
    """Return whether a password is the one of a hash.

    Takes as long where there is no hash, so that the time does not tell whether an
    account exists.

    Parameters
    ----------
    password
        What was typed.
    kept
        The hash; None where there is none.

    Returns
    -------
    bool
        Whether they belong together.
    """
    with _AT_ONCE:
        try:
            return _hasher().verify(kept or _stand_in(), _normal(password)) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _stand_in() -> str:
    return _hasher().hash("")


def outdated(kept: str) -> bool:
    """Return whether a hash was made with weaker parameters than are usual by now."""
    return _hasher().check_needs_rehash(kept)


def check(password: str, rules: AccountRules, *names: str | None) -> None:
    """Raise unless a password may be used.

    Parameters
    ----------
    password
        What the user wants.
    rules
        Its length.
    *names
        Names of the account, which it must not be made of.

    Raises
    ------
    InputError
        If it is too short or long, or little more than a name.
    """
    length = len(_normal(password))
    if not rules.password_least <= length <= rules.password_most:
        raise InputError(
            "The password has {count} characters; expected {least} to {most}",
            count=length,
            least=rules.password_least,
            most=rules.password_most,
        )
    plain = _normal(password).casefold()
    if len(set(plain)) < _LEAST_DIFFERENT:
        raise InputError("The password consists of few different characters; choose another one")
    for name in names:
        folded = _normal(name or "").casefold()
        # What is left beside the name would be all that has to be guessed.
        if len(folded) >= _LEAST_NAME and len(plain.replace(folded, "")) < rules.password_least / 2:
            raise InputError("The password is made of the name; choose another one")


_LEAST_DIFFERENT = 5
_LEAST_NAME = 3


def _normal(password: str) -> str:
    """Return one spelling of what keyboards type differently (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
