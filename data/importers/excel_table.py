"""Read workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods.

The reader (calamine) takes room for every cell up to the last one, so a small
file that names a cell far away could fill the memory. What a workbook says
about its cells is therefore measured first, on the very bytes that the reader
then gets.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat

from data.errors import InputError, Problem, message
from data.importers import rows as tables
from data.importers import workbook_process
from data.importers.archive import Archive
from data.importers.header import SEARCHED_ROWS, Wanted
from data.importers.numbers import objects, read_numbers
from data.importers.source_file import MAX_COLUMNS, MAX_ROWS, SourceFile

MAX_CELLS = 15_000_000
"""Most cells of a sheet, empty ones between others included."""

TIME_LIMIT_S = 120.0
"""Longest that the process for old and binary workbooks may take."""

_BLOCK = 4 << 20
_QUOTED = rb"""[^<>"']*(?:"[^"<]*"[^<>"']*|'[^'<]*'[^<>"']*)*"""
_EMPTY_CELL = re.compile(rb"<(?:\w+:)?c\s" + _QUOTED + rb"(?:/>|(?<!/)>\s*</(?:\w+:)?c\s*>)")
_EMPTY_ROW = re.compile(rb"<(?:\w+:)?row\s" + _QUOTED + rb"(?:/>|(?<!/)>\s*</(?:\w+:)?row\s*>)")
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]*)(\d*)""")
_ODD_PLACE = re.compile(rb"""\sr\s*=\s*["'][^"']*&""")
_ERROR_CELL = re.compile(
    rb"""<(?:\w+:)?c\s(?=[^<>]*\st=["']e["'])[^<>]*?\br=["']([A-Z]+)(\d+)["'][^<>]*>"""
    rb"""(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v[^<>]*>([^<>]{1,20})</""",
    re.DOTALL,
)
_ERROR_MARK = re.compile(rb"""\st=["']e["']""")
_REPEATED = re.compile(
    rb"""<table:(table-row|table-cell|covered-table-cell|table)\b(""" + _QUOTED + rb""")>"""
)
_REPEAT = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']([^"']*)["']""")

Span = tuple[tuple[int, int], tuple[int, int]]


@dataclass(eq=False)
class _Measured:
    """What was found on the way through a workbook.

    Parameters
    ----------
    path
        The file that the reader gets.
    errors
        Name of a part to its cells with errors: row and column from 0, and text.
    parts
        Title of a sheet to its part.
    """

    path: Path
    errors: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


def is_workbook(archive: Archive) -> bool:
    """Return whether an archive is a workbook.

    Parameters
    ----------
    archive
        The archive.

    Returns
    -------
    bool
        Whether it is.
    """
    if {"xl/workbook.xml", "xl/workbook.bin"} & set(archive.members):
        return True
    return "content.xml" in archive.members and "META-INF/manifest.xml" in archive.members


def read(
    source: SourceFile, archive: Archive | None, wanted: Wanted, sheet: str | None
) -> tables.Rows:
    """Read a sheet of a workbook.

    Parameters
    ----------
    source
        The file.
    archive
        The same as an archive; None for an old workbook (.xls).
    wanted
        What it is for.
    sheet
        Title of the sheet; by default the one with the layer's columns.

    Returns
    -------
    Rows
        The table; merged cells all have the value of the first.

    Raises
    ------
    InputError
        If it is damaged, has a password, or several sheets would do.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workbook"
        if archive is None:
            content = source.bytes()
            if "EncryptedPackage".encode("utf-16-le") in content:
                raise InputError("{file} has a password; save it without", file=wanted.name)
            path.write_bytes(content)
            measured = _Measured(path)
        else:
            measured = _measure(archive, path)
        binary = archive is None or "xl/workbook.bin" in archive.members
        opened = _workbook_aside if binary else _workbook
        with opened(path, wanted.name) as sheets:
            title, chosen = _chosen(sheets, wanted, sheet)
            errors = measured.errors.get(measured.parts.get(title, ""), {})
            found = _read_sheet(chosen, wanted, errors)
    found.problems += read_numbers(found.frame, wanted)
    return found


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A sheet, from whatever reader.

    Parameters
    ----------
    visible
        Whether the user sees it.
    start, end
        Row and column of the first and the last cell, from 0.
    spans
        Merged cells.
    rows
        The rows from the top, with the cells from the first column on.
    """

    visible: bool
    start: tuple[int, int]
    end: tuple[int, int]
    spans: list[Span]
    rows: Callable[[], Iterator[list[Any]]]


@contextmanager
def _workbook(path: Path, name: str) -> Iterator[dict[str, _Sheet]]:
    """Open a workbook that has been measured; say in a sentence what is wrong with it."""
    import python_calamine as calamine  # few files need it

    try:
        # By its content: the path has no ending.
        with path.open("rb") as stream, calamine.CalamineWorkbook.from_filelike(stream) as book:
            sheets = {}
            for about in book.sheets_metadata:
                if about.typ == calamine.SheetTypeEnum.WorkSheet:
                    sheet = book.get_sheet_by_name(about.name)
                    sheets[about.name] = _Sheet(
                        about.visible == calamine.SheetVisibleEnum.Visible,
                        sheet.start or (0, 0),
                        sheet.end or (-1, -1),
                        list(sheet.merged_cell_ranges or []),
                        sheet.iter_rows,
                    )
            yield sheets
    except InputError:
        raise
    except (calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        raise _damaged(name) from error
    except BaseException as error:
        # What the reader cannot go on with comes as an exception that is no Exception.
        if type(error).__name__ == "PanicException":
            raise _damaged(name) from error
        raise


@contextmanager
def _workbook_aside(path: Path, name: str) -> Iterator[dict[str, _Sheet]]:
    """Open a workbook of an old or binary kind, which may end the process that reads it."""
    out = path.with_suffix(".json")
    script = Path(workbook_process.__file__)
    try:
        done = subprocess.run(  # noqa: S603 - our own script, and paths that we made
            [sys.executable, "-I", str(script), str(path), str(out)],
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _damaged(name) from error
    if done.returncode == workbook_process.PASSWORD:
        raise InputError("{file} has a password; save it without", file=name)
    if done.returncode != 0:
        raise _damaged(name)
    sheets = {}
    for found in json.loads(out.read_text(encoding="utf-8")):
        sheets[found["name"]] = _Sheet(
            found["visible"],
            tuple(found["start"] or (0, 0)),
            tuple(found["end"] or (-1, -1)),
            [(tuple(first), tuple(last)) for first, last in found["merged"]],
            functools.partial(_revived_rows, found["rows"]),
        )
    yield sheets


def _revived_rows(rows: list[list[Any]]) -> Iterator[list[Any]]:
    return ([_revived(cell) for cell in row] for row in rows)


def _revived(cell: Any) -> Any:
    if isinstance(cell, dict):
        kind, text = next(iter(cell.items()))
        return {"date": dt.date, "datetime": dt.datetime}[kind].fromisoformat(text)
    return cell


def _damaged(name: str) -> InputError:
    return InputError("{file} is a damaged Excel workbook", file=name)


# Measuring


def _measure(archive: Archive, path: Path) -> _Measured:
    """Copy the parts of a workbook that hold cells, and look at all of them on the way."""
    measured = _Measured(path)
    filled = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as copy:
        for name in archive.members:
            suffix = PurePosixPath(name).suffix.lower()
            if not name.lower().endswith((".xml", ".rels", ".bin")) and name != "mimetype":
                continue
            if name.startswith(("xl/media/", "xl/drawings/", "Pictures/", "xl/printerSettings/")):
                continue
            look: _XlsxExtent | _XlsbExtent | _OdsExtent | None = None
            if name == "content.xml":
                look = _OdsExtent(archive.name)
            elif suffix == ".bin" and name.startswith("xl/worksheets/"):
                look = _XlsbExtent(archive.name)
            elif suffix == ".xml" and name != "xl/sharedStrings.xml":
                look = _XlsxExtent(archive.name, measured.errors.setdefault(name, {}))
            with copy.open(name, "w", force_zip64=True) as part:
                blocks = archive.blocks(name)
                if not name.lower().endswith(".bin") and name != "mimetype":
                    blocks = _well_formed(blocks, archive.name)
                for block in blocks if look is None else look(blocks):
                    part.write(block)
            filled += look.cells if look is not None else 0
            if filled > 2 * MAX_CELLS:
                raise _too_far(archive.name)
    measured.parts = _parts(archive)
    return measured


def _well_formed(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Pass on an XML part; refuse one that is not whole, on which the reader would not end.

    A document type is refused, too: no workbook has one, and entities can be endless.
    """

    def refuse(*_: object) -> None:
        raise _damaged(name)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        for block in blocks:
            parser.Parse(block, False)
            yield block
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise _damaged(name) from error


def _too_far(name: str) -> InputError:
    return InputError(
        "{file} has a cell so far right or down that the sheet would have more than {limit} "
        "million cells; delete it and what is empty before it",
        file=name,
        limit=MAX_CELLS // 1_000_000,
    )


class _XlsxExtent:
    """Check how far the cells of an XML sheet reach, and find those with errors."""

    def __init__(self, name: str, errors: dict[tuple[int, int], str]) -> None:
        self._name = name
        self._errors = errors
        self._rows = 0
        self._letters: set[bytes] = set()
        self.cells = 0

    def __call__(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        rest = b""
        first = True
        for block in blocks:
            if first and (block[:4].count(b"\0") or block.startswith((b"\xff\xfe", b"\xfe\xff"))):
                # Another form of Unicode than everybody writes would not be understood here.
                raise _damaged(self._name)
            first = False
            text = rest + block
            cut = max(text.rfind(b"<row"), text.rfind(b":row"))
            cut = cut if cut > 0 else text.rfind(b"<")
            if len(text) > 20 * _BLOCK:
                raise _damaged(self._name)  # no sheet has so much between two cells
            self._look(text[: max(cut, 0)])
            rest = text[max(cut, 0) :]
            yield block
        self._look(rest)

    def _look(self, text: bytes) -> None:
        rows, letters = self._extent(text)
        if self._far(rows, letters):
            # Only cells with a value count; styles often reach to the edge of the sheet.
            rows, letters = self._extent(_EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", text)))
        self._rows = max(self._rows, rows)
        self._letters |= letters
        self.cells = self._rows * self._width(self._letters)
        if rows > MAX_ROWS:
            raise InputError("{file} has more than {limit} rows", file=self._name, limit=MAX_ROWS)
        if self._far(self._rows, self._letters) or _ODD_PLACE.search(text):
            raise _too_far(self._name)
        if _ERROR_MARK.search(text):
            for column, row, said in _ERROR_CELL.findall(text):
                self._errors[int(row) - 1, _column(column)] = said.decode("ascii", "replace")

    @staticmethod
    def _extent(text: bytes) -> tuple[int, set[bytes]]:
        places = _PLACE.findall(text)
        rows = max((int(row[:12]) for _, row in places if row), default=0)
        return rows, {letters for letters, _ in places}

    @staticmethod
    def _width(letters: set[bytes]) -> int:
        return max((_column(text) + 1 for text in letters if text), default=0)

    @classmethod
    def _far(cls, rows: int, letters: set[bytes]) -> bool:
        width = cls._width(letters)
        return rows > MAX_ROWS or rows * width > MAX_CELLS or width > 20_000


class _XlsbExtent:
    """Check how far the cells of a binary sheet reach."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.cells = 0

    def __call__(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        content = b"".join(blocks)
        position, rows, width = 0, 0, 0
        end = len(content)
        while position + 2 <= end:
            kind = content[position]
            position += 1
            if kind & 0x80:
                kind = (kind & 0x7F) | ((content[position] & 0x7F) << 7)
                position += 1
            size, shift = 0, 0
            while position < end:
                byte = content[position]
                position += 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80 or shift >= 28:
                    break
            if kind == 0:
                rows = max(rows, int.from_bytes(content[position : position + 4], "little") + 1)
            # Record 1 is an empty cell; 2 to 11 have a value.
            elif 2 <= kind <= 11:
                column = int.from_bytes(content[position : position + 4], "little")
                width = max(width, column + 1)
            position += size
        if rows > MAX_ROWS and width:
            raise InputError("{file} has more than {limit} rows", file=self._name, limit=MAX_ROWS)
        self.cells = rows * width
        if self.cells > MAX_CELLS:
            raise _too_far(self._name)
        for start in range(0, end, _BLOCK):
            yield content[start : start + _BLOCK]


class _OdsExtent:
    """Check how many cells the repetitions of an OpenDocument sheet make."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.cells = 0

    def __call__(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        content = b"".join(blocks)
        rows = width = 0
        row_repeat, column, filled = 1, 0, 0
        waiting = 0
        for kind, attributes in _REPEATED.findall(content):
            found = _REPEAT.search(attributes)
            if found is not None and not re.fullmatch(rb"\d{1,9}", found[1]):
                raise _too_far(self._name)
            repeat = int(found[1]) if found is not None else 1
            if kind == b"table":
                self.cells += (rows + row_repeat) * width
                rows = width = waiting = column = filled = 0
                row_repeat = 1
            elif kind == b"table-row":
                rows, waiting = self._row(rows, waiting, row_repeat, filled)
                row_repeat, column, filled = repeat, 0, 0
            else:
                column += repeat
                if b"value-type" in attributes or not attributes.rstrip().endswith(b"/"):
                    filled = column
                    width = max(width, filled)
            if (rows + waiting + row_repeat) * width > MAX_CELLS and filled:
                raise _too_far(self._name)
        self.cells += (rows + row_repeat) * width
        for start in range(0, len(content), _BLOCK):
            yield content[start : start + _BLOCK]

    def _row(self, rows: int, waiting: int, repeat: int, filled: int) -> tuple[int, int]:
        """Return rows up to the last filled one, and empty ones since."""
        if not filled:
            return rows, waiting + repeat
        rows += waiting + repeat
        if rows > MAX_ROWS:
            raise InputError("{file} has more than {limit} rows", file=self._name, limit=MAX_ROWS)
        return rows, 0


def _parts(archive: Archive) -> dict[str, str]:
    """Return which part of an .xlsx file holds the sheet of a title."""
    import defusedxml.ElementTree as ET  # noqa: N817
    from defusedxml.common import DefusedXmlException

    name, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    if not {name, links} <= set(archive.members):
        return {}
    try:
        targets = {
            str(link.get("Id")): str(link.get("Target"))
            for link in ET.fromstring(archive.read(links), forbid_dtd=True)
        }
        book = ET.fromstring(archive.read(name), forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException) as error:
        raise _damaged(archive.name) from error
    parts = {}
    for element in book.iter():
        if not str(element.tag).endswith("}sheet"):
            continue
        key = next((value for key, value in element.items() if key.endswith("}id")), "")
        target = targets.get(key, "")
        parts[str(element.get("name"))] = (
            target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        )
    return parts


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number - 1


# Choosing a sheet


def _chosen(sheets: dict[str, _Sheet], wanted: Wanted, title: str | None) -> tuple[str, _Sheet]:
    """Return the sheet asked for, or the one that fits the layer."""
    if title is not None:
        if title not in sheets:
            raise InputError(
                "{file} has no sheet {sheet}; it has {sheets}",
                file=wanted.name,
                sheet=title,
                sheets=", ".join(sheets),
            )
        return title, sheets[title]
    filled = {name: sheet for name, sheet in sheets.items() if sheet.end[0] >= 0}
    visible = {name: sheet for name, sheet in filled.items() if sheet.visible}
    likely = visible or filled
    if not likely:
        raise InputError("{file} has no sheet with rows", file=wanted.name)
    if len(likely) == 1:
        return next(iter(likely.items()))
    for name, sheet in likely.items():
        if name.strip().lower() == wanted.layer.name:
            return name, sheet
    scores = {name: _score(sheet, wanted) for name, sheet in likely.items()}
    best = max(scores.values())
    fitting = [name for name, score in scores.items() if score == best]
    if best[1] > 0 and len(fitting) == 1:
        return fitting[0], likely[fitting[0]]
    raise InputError(
        "{file} has several sheets: {sheets}; say which one holds {layer}",
        file=wanted.name,
        sheets=", ".join(likely),
        layer=wanted.layer.name,
    )


def _score(sheet: _Sheet, wanted: Wanted) -> tuple[bool, int]:
    """Return whether a sheet has the key of the layer, and how many of its columns."""
    rows = list(itertools.islice(sheet.rows(), SEARCHED_ROWS))
    best = max(rows, key=wanted.score)
    names = {str(cell).strip().lower() for cell in best}
    names |= {ours for theirs, ours in wanted.mapping.items() if theirs.strip().lower() in names}
    return wanted.layer.key in names, wanted.score(best)


# Reading a sheet


def _read_sheet(sheet: _Sheet, wanted: Wanted, errors: dict[tuple[int, int], str]) -> tables.Rows:
    headings: list[int] = []
    cells = _merged(sheet, errors, headings, wanted.name)
    first = list(itertools.islice(cells, SEARCHED_ROWS))
    header_row, above = _header(first, sheet.spans, wanted)
    found = tables.build(itertools.chain(first, cells), wanted, above, header_row)
    if found.header_row is not None:
        _heading_note(found, headings, wanted)
        _error_cells(found, errors, wanted)
    return found


def _merged(
    sheet: _Sheet, errors: dict[tuple[int, int], str], headings: list[int], name: str
) -> Iterator[tables.Row]:
    """Yield the rows with the value of merged cells in each of them, from column A on."""
    left = sheet.start[1]
    height, width = sheet.end[0] + 1, sheet.end[1] + 1
    clipped = [
        ((r0, c0), (min(r1, height - 1), min(c1, width - 1)))
        for (r0, c0), (r1, c1) in sheet.spans
        if r0 < height and c0 < width
    ]
    covered = sum((b[0] - a[0] + 1) * (b[1] - a[1] + 1) for a, b in clipped)
    if covered > MAX_CELLS:
        raise _damaged(name)
    starting: dict[int, list[Span]] = defaultdict(list)
    for span in clipped:
        starting[span[0][0]].append(span)
    wrong: dict[int, dict[int, str]] = defaultdict(dict)
    for (place, column), said in errors.items():
        wrong[place][column] = said
    active: list[tuple[Span, Any]] = []
    pad = [None] * left
    for number, cells in enumerate(sheet.rows()):
        row = [*pad, *(None if cell == "" else _plain(cell) for cell in cells)]
        for column, said in wrong.get(number, {}).items():
            if column < len(row):
                row[column] = said
        active += [
            (span, row[span[0][1]] if span[0][1] < len(row) else None)
            for span in starting.get(number, ())
        ]
        if active:
            if _is_heading(row, number, active, width - left):
                headings.append(number + 1)
                active = [(span, value) for span, value in active if span[1][0] > number]
                # Before the header this is a title; below it, it heads a part of the table.
                yield number + 1, [cell for cell in row if cell is not None][:1]
                continue
            for ((_, c0), (_, c1)), value in active:
                row[c0 : c1 + 1] = [value] * (min(c1 + 1, len(row)) - c0)
            active = [(span, value) for span, value in active if span[1][0] > number]
        yield number + 1, row


def _is_heading(row: list[Any], number: int, active: list[tuple[Span, Any]], width: int) -> bool:
    """Return whether a row is one merged cell over most of the table."""
    if sum(cell is not None for cell in row) != 1:
        return False
    return any(
        span[0][0] == span[1][0] == number
        and value is not None
        and span[1][1] - span[0][1] + 1 > max(width / 2, 1)
        for span, value in active
    )


def _header(
    first: list[tables.Row], spans: list[Span], wanted: Wanted
) -> tuple[int | None, dict[int, str]]:
    """Return the last row of the header, and what stands above it, by column.

    Names that are merged down to a second row make both rows the header; those
    merged over several columns in the first of them go before the names below.
    """
    filled = [(number, row) for number, row in first if any(cell is not None for cell in row)]
    if not filled:
        return None, {}
    start, _ = filled[wanted.position([row for _, row in filled])]
    last = start
    while down := [r1 + 1 for (r0, c0), (r1, c1) in spans if c0 == c1 and r0 < last <= r1]:
        last = max(down)
        if last > start + 5:
            return None, {}
    rows = dict(first)
    header = rows.get(last, [])
    above: dict[int, str] = {}
    for number in range(min(start, last - 1), last):
        over = rows.get(number, [])
        wide = {
            column
            for (r0, c0), (r1, c1) in spans
            if r0 <= number - 1 <= r1 and c1 > c0
            for column in range(c0, min(c1, MAX_COLUMNS) + 1)
        }
        for column, cell in enumerate(over):
            bare = number >= start and (column >= len(header) or header[column] is None)
            if cell is not None and (column in wide or bare):
                above[column] = str(cell)
    return last, above


def _heading_note(found: tables.Rows, headings: list[int], wanted: Wanted) -> None:
    """Leave out rows that head a part of the table, and say which."""
    header_row = found.header_row or 0
    inside = [number for number in headings if number > header_row]
    if not inside:
        return
    found.frame = found.frame.loc[~found.frame.index.isin(inside)]
    found.problems.append(
        tables.note(
            wanted,
            message(
                "rows that are one merged cell are left out: {rows}",
                rows=", ".join(map(str, inside[:10])) + (" ..." if len(inside) > 10 else ""),
            ),
            message("they head parts of the table"),
        )
    )


def _error_cells(found: tables.Rows, errors: dict[tuple[int, int], str], wanted: Wanted) -> None:
    """Report formulas without a result; numbers and choices are reported by the schema."""
    if not errors:
        return
    texts = {
        name
        for name, column in wanted.layer.table.columns.items()
        if (column.metadata or {})["kind"] == "text" and not column.checks
    }
    said = set(errors.values())
    for position, name in enumerate(found.frame.columns):
        column = found.frame.iloc[:, position]
        known = str(name).lower() in wanted.layer.columns
        if known and str(name).lower() not in texts:
            continue
        rows: dict[Any, str] = {
            row: value for row, value in column.items() if isinstance(value, str) and value in said
        }
        if not rows:
            continue
        expected = message("the formula has no result; expected text")
        if known:
            found.problems += [
                Problem(wanted.layer.name, int(row), str(name), text, expected, wanted.name)
                for row, text in rows.items()
            ]
        else:
            found.frame.isetitem(
                position, objects([None if row in rows else value for row, value in column.items()])
            )
            found.problems.append(
                tables.note(
                    wanted,
                    message("{count} formulas have no result", count=len(rows)),
                    message("left empty"),
                    str(name),
                )
            )


def _plain(cell: Any) -> Any:
    """Return a cell as schemas read it."""
    if isinstance(cell, dt.timedelta):
        return str(cell)
    if isinstance(cell, dt.time):
        return cell.isoformat()
    return cell
