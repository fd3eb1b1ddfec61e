"""The numbers that accounts go by: passwords, lock-out, how long a session lasts.

`planning/tables/account_rules.csv` holds them with their sources; a file
``account_rules.csv`` of the same columns in the folder that holds the workspaces
replaces single rows.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from coverage.own_table import read_own_table
from data.errors import InputError

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "account_rules.csv"

#: Name of the table beside the workspaces.
OWN_FILE = "account_rules.csv"

_COLUMNS = ("name", "value", "unit", "verified", "source")


@dataclass(frozen=True)
class AccountRules:
    """What accounts go by.

    Parameters
    ----------
    password_least, password_most
        Length of a password. [characters]
    failures_before_lock
        Failed attempts in a row after which an account is locked.
    lock
        For how long.
    idle
        How long a session lasts without a sign of its user.
    session
        How long it lasts at all.
    """

    password_least: int
    password_most: int
    failures_before_lock: int
    lock: dt.timedelta
    idle: dt.timedelta
    session: dt.timedelta


def rules(home: Path | None = None) -> AccountRules:
    """Return the rules, those of a folder in place of the built-in ones.

    Parameters
    ----------
    home
        Folder that may hold `OWN_FILE`.

    Returns
    -------
    AccountRules
        The rules.

    Raises
    ------
    InputError
        If the folder's table cannot be read, names an unknown rule or has a value
        that is no positive number, or passwords could have no length.
    """
    own = None if home is None else home / OWN_FILE
    try:
        status = None if own is None else own.stat()
    except OSError:
        return _rules(None, None)
    return _rules(own, None if status is None else (status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=16)
def _rules(own: Path | None, _state: tuple[int, int] | None) -> AccountRules:
    values = _read(TABLE)
    if own is not None:
        values |= _read(own, known=tuple(values))
    least, most = int(values["password_least"]), int(values["password_most"])
    if least > most:
        raise InputError(
            "{file}: passwords have at least {least} and at most {most} characters; expected the "
            "first not to be greater",
            file=OWN_FILE,
            least=least,
            most=most,
        )
    return AccountRules(
        password_least=least,
        password_most=most,
        failures_before_lock=int(values["failures_before_lock"]),
        lock=dt.timedelta(minutes=values["lock"]),
        idle=dt.timedelta(minutes=values["idle"]),
        session=dt.timedelta(hours=values["session"]),
    )


def _read(path: Path, known: tuple[str, ...] | None = None) -> dict[str, float]:
    values = {}
    for row, line in read_own_table(path, _COLUMNS).iterrows():
        name, text = str(line["name"]), str(line["value"])
        if known is not None and name not in known:
            raise InputError(
                "{file}, row {row}: there is no rule {value} (expected one of {expected})",
                file=path.name,
                row=row,
                value=name,
                expected=", ".join(known),
            )
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 1.0 <= value <= 1e6:
            raise InputError(
                "{file}, row {row}, column {column}: {value} (expected a number from 1 to 1000000)",
                file=path.name,
                row=row,
                column="value",
                value=text,
            )
        values[name] = value
    return values
