"""The indicator table as a CSV or Excel file, out and in again.

A row is one value of one indicator, with the definition beside it; an indicator without
values has one row. What is computed stands in further columns, which an import leaves
alone.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from data import schema
from data.errors import InputError, Problem, ValidationError, message
from data.exporters import text_file, workbook
from data.exporters.sheet import Sheet
from data.importers.table import read_table
from data.records.engine import Records
from data.store import Workspace
from data.values import to_number, to_text
from planning import (
    accounts,
    indicator_definitions,
    indicator_values,
    indicator_zones,
    indicators,
)
from planning.accounts import Actor
from planning.indicator_definitions import Definition
from planning.indicator_values import Entry, Value
from planning.indicator_zones import Units

#: Formats by the ending of the file.
FORMATS = {".csv": "csv", ".xlsx": "excel"}

_NUMBERS = ("target", "target_year", "value", "count", "of")
_DATES = ("issued_on", "as_of")

#: Columns of values, as they are called in files -> field of a value.
_OF_VALUE = {
    "zone_code": "zone_code",
    "as_of": "as_of",
    "value": "value",
    "count": "count",
    "of": "of",
    "stated_denominator": "denominator",
    "method": "method",
    "source": "source",
    "note": "note",
}

_COMPUTED = ("computed", "interval_low", "interval_high", "computed_as_of")


def _column(name: str) -> pa.Column:
    if name in _DATES or name == "computed_as_of":
        return schema.date(name)
    if name in _NUMBERS or name in _COMPUTED:
        return schema.number(name, "", nullable=True)
    return schema.text(name, nullable=True)


#: The table as files have it; it is no layer of a workspace.
LAYER = schema.Layer(
    "indicators",
    "Value of an indicator",
    pa.DataFrameSchema(
        {name: _column(name) for name in (*indicator_definitions.FIELDS, *_OF_VALUE, *_COMPUTED)}
    ),
    None,
    "indicator",
)


def frame(workspace: Workspace, records: Records | None) -> pd.DataFrame:
    """Return definitions and all reported values, one row a value.

    Parameters
    ----------
    workspace
        The study area.
    records
        The records database; None for what is built in.

    Returns
    -------
    DataFrame
        Columns of `LAYER`; computed values stand in the row of the newest value of the
        whole area.
    """
    known = indicator_definitions.read(workspace, records)
    values = [item for item in indicator_values.read(workspace, records) if item.kind == "reported"]
    newest = indicator_values.latest(values)
    computed = indicators.table(workspace, records).set_index("id")
    rows = []
    for code, definition in known.items():
        mine: list[Value | None] = [item for item in values if item.indicator == code]
        last = newest.get((code, ""))
        if last is None:
            mine = [None, *mine]
        for item in mine:
            row = {name: getattr(definition, name) for name in indicator_definitions.FIELDS}
            if item is not None:
                row |= {ours: _field(item, field) for ours, field in _OF_VALUE.items()}
            if item is last:
                found = computed.loc[code]
                row |= {name: found[name] for name in _COMPUTED}
            rows.append(row)
    table = pd.DataFrame(rows, columns=LAYER.columns)
    for name in (*_NUMBERS, *_COMPUTED[:-1]):
        table[name] = table[name].astype(float)
    texts = [name for name in table.columns if table[name].dtype == object]
    table[texts] = table[texts].replace("", None)
    return table


def _field(value: Value, name: str) -> Any:
    return value.note_vi if name == "note" else getattr(value, name)


def export(workspace: Workspace, records: Records | None, path: Path) -> int:
    """Write the table to a file; no text in it runs as a formula.

    Parameters
    ----------
    workspace, records
        As for `frame`.
    path
        File that ends with .csv or .xlsx; one that is there is replaced in one step.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    InputError
        If the ending is another one, or the folder is not there.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            "{file}: the ending says no format that can be written; expected one of {known}",
            file=path.name,
            known=", ".join(FORMATS),
        )
    if not path.parent.is_dir():
        raise InputError("There is no folder {folder}", folder=path.parent)
    table = frame(workspace, records)
    sheet = Sheet(LAYER, table, "")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tmp-") as folder:
        made = Path(folder) / path.name
        if kind == "csv":
            text_file.write(sheet, made, byte_order_mark=True)
        else:
            workbook.write(sheet, made)
        made.replace(path)
    return len(table)


def content(workspace: Workspace, records: Records | None, kind: str) -> bytes:
    """Return the table as the content of a file.

    Parameters
    ----------
    workspace, records
        As for `frame`.
    kind
        Ending of the file: ".csv" or ".xlsx".

    Returns
    -------
    bytes
        The file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"indicators{kind}"
        export(workspace, records, path)
        return path.read_bytes()


@dataclass(frozen=True)
class Imported:
    """What an import changed.

    Parameters
    ----------
    definitions
        Definitions added or changed.
    added, changed
        Values added and changed.
    unchanged
        Values that were there like this.
    """

    definitions: int
    added: int
    changed: int
    unchanged: int


def load(
    records: Records,
    actor: Actor,
    workspace: Workspace,
    source: Path | bytes,
    *,
    file_name: str | None = None,
) -> Imported:
    """Read a table from a file and write what differs from what is there.

    A row belongs to the value of the same indicator, zone and date; where there is none,
    one is added. Empty cells of a definition leave it as it is. All rows are checked
    before the first is written.

    Parameters
    ----------
    records
        The records database.
    actor
        Who does it: a planner or administrator.
    workspace
        The study area.
    source
        CSV or Excel file, or its content.
    file_name
        Name to show, where `source` is content.

    Returns
    -------
    Imported
        What was changed.

    Raises
    ------
    ForbiddenError
        If the actor may not.
    InputError
        If the file is no table with a column "indicator".
    ValidationError
        If rows cannot be used; then nothing is changed.
    StaleError
        If somebody else was faster; then no value is changed.
    """
    accounts.require(actor, *indicator_definitions.EDITORS)
    table = read_table(source, LAYER, file_name=file_name)
    name = file_name or (source.name if isinstance(source, Path) else "upload")
    if "indicator" not in table.columns:
        raise InputError("{file}: there is no column {column}", file=name, column="indicator")
    known = indicator_definitions.read(workspace, records)
    values = indicator_values.read(workspace, records)
    plan = _Plan(known, values, indicator_zones.read(workspace), name)
    for number, row in _rows(table, name):
        plan.add(number, row)
    if plan.problems:
        raise ValidationError(plan.problems)
    for fields in plan.definitions.values():
        indicator_definitions.write(records, actor, workspace, fields)
    indicator_values.write_all(records, actor, workspace, plan.entries)
    added = sum(entry.key is None for entry in plan.entries)
    return Imported(len(plan.definitions), added, len(plan.entries) - added, plan.unchanged)


def _rows(table: pd.DataFrame, name: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the rows as plain values: numbers as floats, texts, None for what is missing."""
    columns: dict[str, list[Any]] = {}
    numbers = table.index.to_numpy()
    problems = []
    for column in [item for item in LAYER.columns if item in table.columns]:
        number = column in _NUMBERS
        if column in _COMPUTED:
            continue
        found, wrong = (to_number if number else to_text)(table[column])
        problems += [
            Problem(LAYER.name, int(row), column, str(value), message("expected a number"), name)
            for row, value in zip(numbers[wrong], table[column][wrong], strict=True)
        ]
        columns[column] = [None if pd.isna(value) else value for value in found]
    if problems:
        raise ValidationError(problems)
    names = list(columns)
    return [
        (int(row), dict(zip(names, values, strict=True)))
        for row, values in zip(table.index, zip(*columns.values(), strict=True), strict=True)
    ]


class _Plan:
    """What an import will write, and what is wrong with it."""

    def __init__(
        self, known: dict[str, Definition], values: list[Value], units: Units, file: str
    ) -> None:
        self._known = dict(known)
        self._units = units
        self._there = {
            (item.indicator, item.zone_code, item.as_of): item
            for item in values
            if item.kind == "reported"
        }
        self._file = file
        self._seen: dict[tuple[str, str, str], int] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []
        self.unchanged = 0

    def add(self, number: int, row: dict[str, Any]) -> None:
        """Take one row up."""
        try:
            definition = self._definition(row)
            self._value(number, row, definition)
        except InputError as error:
            self.problems.append(
                Problem(
                    LAYER.name,
                    number,
                    None,
                    error.message,
                    message("expected a row that can be used"),
                    self._file,
                )
            )

    def _definition(self, row: dict[str, Any]) -> Definition:
        code = str(row["indicator"] or "")
        before = self._known.get(code)
        given = {
            name: value
            for name in indicator_definitions.FIELDS
            if (value := row.get(name)) is not None
        }
        if before is None and not {"title_vi", "title_en"} & set(given):
            raise indicator_definitions.unknown_indicator(code)
        start = {} if before is None else {
            name: getattr(before, name) for name in indicator_definitions.FIELDS
        }  # fmt: skip
        new = indicator_definitions.checked({**start, **given})
        changed = before is None or any(
            getattr(new, name) != getattr(before, name) for name in indicator_definitions.FIELDS
        )
        if changed:
            self.definitions[code] = given
            self._known[code] = new
        return new

    def _value(self, number: int, row: dict[str, Any], definition: Definition) -> None:
        given = {field: row[ours] for ours, field in _OF_VALUE.items() if row.get(ours) is not None}
        if not given:
            return
        given["indicator"] = definition.indicator
        new = indicator_values.checked(given, definition)
        place = (definition.indicator, new["zone_code"], new["as_of"])
        if place in self._seen:
            raise InputError(
                "the value of {indicator} on {day} is also in row {row}",
                indicator=definition.indicator,
                day=new["as_of"] or "–",
                row=self._seen[place],
            )
        self._seen[place] = number
        old = self._there.get(place)
        if old is None:
            if new["zone_code"]:
                self._units.require(new["zone_code"])
            # An empty cell is a source that does not say of what.
            self.entries.append(Entry({"denominator": "", **given}))
        elif any(_field(old, name) != new[name] for name in given):
            self.entries.append(Entry(given, old.key, old.version))
        else:
            self.unchanged += 1
