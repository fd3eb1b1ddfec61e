"""What a report consists of, in no language and no file format.

A report is built once: sentences are `data.errors.Message` templates, figures are
numbers with a kind. `planning.reports.language` says them in a language, the writers
put them into files. So every format and language holds the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from data.errors import Message

if TYPE_CHECKING:
    from planning.reports.language import Language


@dataclass(frozen=True)
class Bilingual:
    """A text that a table gives in both languages.

    Parameters
    ----------
    vi, en
        The text in Vietnamese and in English; one may be empty.
    """

    vi: str
    en: str

    def __str__(self) -> str:
        return self.en or self.vi


#: A sentence to be translated, one in both languages, or text that is the same in all.
Text = Message | Bilingual | str

#: ``text``, ``number``, ``share`` (0 to 1), ``estimate`` (share, low, high) or ``day`` (ISO date).
Kind = Literal["text", "number", "share", "estimate", "day"]


@dataclass(frozen=True)
class Number:
    """A number within a sentence.

    Parameters
    ----------
    value
        The number.
    digits
        Decimals.
    unit
        Unit symbol behind it.
    signed
        Whether a positive number gets a plus sign.
    """

    value: float | None
    digits: int = 0
    unit: str = ""
    signed: bool = False

    def __str__(self) -> str:
        if self.value is None or not math.isfinite(self.value):
            return "–"
        text = f"{self.value:{'+' if self.signed else ''},.{self.digits}f}"
        return f"{text} {self.unit}" if self.unit else text


#: A value of a table; a `Number` has its own decimals and unit.
Value = Text | Number | float | int | None | tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class Share:
    """A share from 0 to 1 within a sentence.

    Parameters
    ----------
    value
        The share.
    digits
        Decimals of the percentage.
    """

    value: float | None
    digits: int = 1

    def __str__(self) -> str:
        if self.value is None or not math.isfinite(self.value):
            return "–"
        return f"{100.0 * self.value:.{self.digits}f}%"


@dataclass(frozen=True)
class Day:
    """A day within a sentence.

    Parameters
    ----------
    iso
        ISO date, or text that is none and stays as it is.
    """

    iso: str

    def __str__(self) -> str:
        return self.iso


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    key
        Its name in `report.json`.
    title
        Its heading.
    kind
        What its values are.
    digits
        Decimals of numbers, and of percentages.
    width
        Its share of the width, beside those of the other columns.
    """

    key: str
    title: Text
    kind: Kind = "text"
    digits: int = 1
    width: float = 1.0


@dataclass(frozen=True, eq=False)
class Table:
    """A table.

    Parameters
    ----------
    key
        Its name in `report.json` and of its sheet.
    title
        Its caption.
    columns, rows
        Its content; a value's form is that of its column.
    note
        What a reader must know of it.
    wide
        Whether it needs a page lying down.
    totals
        Count of rows at the end that are sums, set off from the others.
    """

    key: str
    title: Message
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: Message | None = None
    wide: bool = False
    totals: int = 0


@dataclass(frozen=True, eq=False)
class Picture:
    """A map or a chart.

    Parameters
    ----------
    key
        Its name, of its file too.
    title
        Its caption.
    alternative
        What it shows, for those who do not see it.
    draw
        Makes it, with the texts of a language, as a PNG.
    """

    key: str
    title: Message
    alternative: Message
    draw: Callable[[Language], bytes]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of running text."""

    text: Text


@dataclass(frozen=True)
class Note:
    """Something that must not be overlooked: a doubt, or a part that was not computed."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Text, ...]


Block = Paragraph | Note | Bullets | Table | Picture


@dataclass(frozen=True, eq=False)
class Section:
    """A section with its heading; sections within it follow its blocks."""

    key: str
    title: Message
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def begins_wide(self) -> bool:
        """Whether what stands first below its heading needs a page lying down."""
        if self.blocks:
            return isinstance(self.blocks[0], Table) and self.blocks[0].wide
        return bool(self.sections) and self.sections[0].begins_wide

    def walk(self, number: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Section]]:
        """Yield this section and those within it with their numbers, as they are read."""
        yield number, self
        for position, part in enumerate(self.sections, start=1):
            yield from part.walk((*number, position))


@dataclass(frozen=True, eq=False)
class Document:
    """A report.

    Parameters
    ----------
    title, subtitle
        What it is about.
    area
        Short name of the study area.
    day
        State of the data: the newest day on which one of them was read. ISO date.
    banner
        What stands on its first page in a box, or None.
    sections
        Its content.
    figures
        Key of a figure -> its value and what it is about; what the next report
        compares itself with.
    origin
        What it was computed from, for JSON.
    previous
        What it is compared with, as `report.json` keeps it, or None.
    """

    title: Message
    subtitle: tuple[Text, ...]
    area: str
    day: str
    banner: Message | None
    sections: tuple[Section, ...]
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    previous: dict[str, Any] | None = None

    def walk(self) -> Iterator[tuple[tuple[int, ...], Section]]:
        """Yield all sections with their numbers, as they are read."""
        for position, section in enumerate(self.sections, start=1):
            yield from section.walk((position,))

    def blocks(self) -> Iterator[Block]:
        """Yield everything that stands in the sections."""
        for _, section in self.walk():
            yield from section.blocks

    def tables(self) -> list[Table]:
        """Return the tables as they are read."""
        return [block for block in self.blocks() if isinstance(block, Table)]

    def pictures(self) -> list[Picture]:
        """Return the maps and charts as they are read."""
        return [block for block in self.blocks() if isinstance(block, Picture)]


def plain(value: Value) -> Any:
    """Return a value of a table for JSON.

    Parameters
    ----------
    value
        The value.

    Returns
    -------
    Any
        Numbers as they are, missing and infinite ones as None, sentences in English.
    """
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, (Message, Bilingual)):
        return str(value)
    if isinstance(value, Number):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def to_json(document: Document) -> dict[str, Any]:
    """Return a report's figures and tables for JSON.

    Parameters
    ----------
    document
        The report.

    Returns
    -------
    dict
        Content of `report.json`.
    """
    return {
        "area": document.area,
        "title": str(document.title),
        "day": document.day,
        "illustrative": document.banner is not None,
        "sections": [
            {"number": ".".join(map(str, number)), "key": section.key, "title": str(section.title)}
            for number, section in document.walk()
        ],
        "tables": {
            table.key: {
                "title": str(table.title),
                "columns": [
                    {"key": column.key, "title": str(column.title), "kind": column.kind}
                    for column in table.columns
                ],
                "rows": [[plain(value) for value in row] for row in table.rows],
            }
            for table in document.tables()
        },
        "figures": document.figures,
        "provenance": document.origin,
        "previous": document.previous,
    }
