"""Who may do what: roles, and the actor that every function with others' records takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from data.errors import PhuSongError


class Role(StrEnum):
    """What an account may do."""

    VIEWER = "viewer"
    CARRIER = "carrier"
    PLANNER = "planner"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class Actor:
    """Who acts.

    Parameters
    ----------
    account_id
        Number of the account; None for the local user, the command line and visitors.
    name
        Name shown to others.
    role
        Role at this moment.
    organisation
        Organisation; of a carrier its name as owner or operator in the layers.
    """

    account_id: int | None
    name: str
    role: Role
    organisation: str = ""


#: Somebody who has not signed in.
VISITOR = Actor(None, "visitor", Role.VIEWER)

#: The only user of a machine, as long as there are no accounts.
LOCAL = Actor(None, "local", Role.ADMINISTRATOR)

#: Whoever may run commands may read the files anyway.
COMMAND_LINE = Actor(None, "command line", Role.ADMINISTRATOR)


class ForbiddenError(PhuSongError, PermissionError):
    """The actor's role does not allow this."""


def require(actor: Actor, *roles: Role) -> None:
    """Raise unless the actor has one of some roles.

    Parameters
    ----------
    actor
        Who acts.
    *roles
        The roles that may.

    Raises
    ------
    ForbiddenError
        If the actor has none of them.
    """
    if actor.role not in roles:
        raise ForbiddenError(
            "This needs the role {needed}; yours is {role}",
            needed=" or ".join(roles),
            role=actor.role.value,
        )
