"""Files that lie on this machine already, seen as if they had been fetched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.errors import InputError
from data.sources.ingredients import sha256_of
from data.sources.source import Fetched, Item


def at_hand(item: Item, path: Path) -> Fetched:
    """Return a file of the user's own as something fetched.

    Parameters
    ----------
    item
        What it stands for.
    path
        The file.

    Returns
    -------
    Fetched
        With the time at which the file was last changed.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if not path.is_file():
        raise InputError("There is no file {file}", file=str(path))
    changed = pd.Timestamp(path.stat().st_mtime, unit="s", tz="UTC")
    return Fetched(item, path, sha256_of(path), changed.isoformat(timespec="seconds"))
