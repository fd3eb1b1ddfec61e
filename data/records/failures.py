"""What can go wrong with the records database."""

from __future__ import annotations

from data.errors import PhuSongError


class StaleError(PhuSongError):
    """A row was changed by somebody else since it was read."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody else has changed this in the meantime; look at it again and then repeat "
            "your change"
        )


class RecordsError(PhuSongError):
    """The records database cannot be used."""
