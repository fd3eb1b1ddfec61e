"""Read a workbook of an old or binary kind in a process of its own.

Run as a file, not as a module, with a workbook and a file to write::

    python workbook_process.py in.xls out.json

The reader trusts what such a file says about its own sizes; a damaged one makes
it ask for more memory than there is, which ends the process that it runs in.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

MEMORY_BYTES = 4_000_000_000
"""Most memory that the process may take."""

PASSWORD, DAMAGED = 3, 4
"""What the process returns if it cannot read the file."""

MAX_CELLS = 15_000_000


def _plain(cell: Any) -> Any:
    if cell == "":
        return None
    if isinstance(cell, dt.datetime):
        return {"datetime": cell.isoformat()}
    if isinstance(cell, dt.date):
        return {"date": cell.isoformat()}
    return str(cell) if isinstance(cell, dt.time | dt.timedelta) else cell


def read_all(path: Path) -> list[dict[str, Any]]:
    """Return all sheets of a workbook.

    Parameters
    ----------
    path
        The workbook.

    Returns
    -------
    list of dict
        Title, place of the first and the last cell, merged cells and rows.

    Raises
    ------
    MemoryError
        If a sheet is too large.
    """
    import python_calamine as calamine

    sheets = []
    cells = 0
    with path.open("rb") as stream, calamine.CalamineWorkbook.from_filelike(stream) as book:
        for about in book.sheets_metadata:
            if about.typ != calamine.SheetTypeEnum.WorkSheet:
                continue
            sheet = book.get_sheet_by_name(about.name)
            cells += (sheet.end[0] + 1) * (sheet.end[1] + 1) if sheet.end else 0
            if cells > MAX_CELLS:
                raise MemoryError
            sheets.append(
                {
                    "name": about.name,
                    "visible": about.visible == calamine.SheetVisibleEnum.Visible,
                    "start": sheet.start,
                    "end": sheet.end,
                    "merged": sheet.merged_cell_ranges or [],
                    "rows": [[_plain(cell) for cell in row] for row in sheet.iter_rows()],
                }
            )
    return sheets


def main(arguments: list[str]) -> int:
    """Read one workbook."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # not on this system, or a lower limit is set already
    import python_calamine as calamine

    try:
        sheets = read_all(Path(arguments[0]))
    except calamine.PasswordError:
        return PASSWORD
    except BaseException:  # noqa: BLE001 - the reader's panics are no Exception
        return DAMAGED
    Path(arguments[1]).write_text(json.dumps(sheets), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
