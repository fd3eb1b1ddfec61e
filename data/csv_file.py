"""CSV files that spreadsheets open safely: in UTF-8 that they notice, without formulas."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pandas as pd

from data.errors import Message
from data.interchange import guarded, unguarded


def text(table: pd.DataFrame) -> str:
    """Return a table as CSV; a quote stands before text that starts like a formula.

    Parameters
    ----------
    table
        Its names and values may be anybody's: of a carrier's file, a proposal, a map.

    Returns
    -------
    str
        With a line of column names, without the index.
    """
    safe = table.copy()
    for name in table.select_dtypes(include=["object", "string", "category"]).columns:
        values = [_guarded(value) for value in table[name]]
        safe[name] = pd.Series(values, index=table.index, dtype=object)
    safe.columns = pd.Index([guarded(str(name)) for name in table.columns])
    # Both signs at the end of a line make text with either of them be quoted.
    return safe.to_csv(index=False, lineterminator="\r\n")


def _guarded(value: object) -> object:
    return guarded(str(value)) if isinstance(value, (str, Message)) else value


def content(table: pd.DataFrame) -> bytes:
    """Return what `write` writes."""
    return text(table).encode("utf-8-sig")


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in one step, in UTF-8 with the mark by which spreadsheets know it.

    Parameters
    ----------
    table
        See `text`.
    path
        File to make; its folder is there.

    Raises
    ------
    OSError
        If it cannot be written; a file of that name stays as it was.
    """
    part = path.with_name(f".tmp-{path.name}")
    try:
        part.write_bytes(content(table))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path | IO[bytes], **options: Any) -> pd.DataFrame:
    """Read what `write` wrote.

    Parameters
    ----------
    path
        The file.
    **options
        Of `pandas.read_csv`.

    Returns
    -------
    pandas.DataFrame
        The table with the texts as they were.
    """
    table = pd.read_csv(path, encoding="utf-8-sig", **options)
    for name in table.select_dtypes(include=["object", "string"]).columns:
        table[name] = [
            unguarded(value) if isinstance(value, str) else value for value in table[name]
        ]
    return table.rename(columns=unguarded)
