"""Commands about indicators."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError
from planning.accounts import COMMAND_LINE

if TYPE_CHECKING:
    import pandas as pd

    from coverage.request import CoverageRequest
    from data.records.engine import Records
    from data.store import Workspace
    from planning.audit import Audit

    Bar = AbstractContextManager[Callable[[float], None]]

_MARKS = {True: "✓", False: "✗", None: " "}


def add_list_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators list` takes."""
    command.add_argument("--group", metavar="NAME", help="one group (default: all)")
    command.add_argument("--on", metavar="DATE", help="values up to a day, as YYYY-MM-DD")
    command.add_argument("--history", metavar="INDICATOR", help="who changed an indicator, and how")
    command.add_argument("--out", type=Path, metavar="DIR", help="write indicators.json, too")


def add_set_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators set` takes."""
    command.add_argument("indicator", metavar="INDICATOR", help="code, as in `indicators list`")
    command.add_argument("--value", metavar="N")
    command.add_argument("--count", metavar="N", help="the count behind a share")
    command.add_argument("--of", metavar="N", help="what it is a share of")
    command.add_argument("--as-of", metavar="DATE", help="day that it describes, as YYYY-MM-DD")
    command.add_argument("--zone", metavar="CODE", help="a zone (default: the whole area)")
    command.add_argument(
        "--denominator",
        metavar="TEXT",
        help='what the source says it is of (default: as defined; "" if it does not say)',
    )
    command.add_argument("--method", metavar="TEXT")
    command.add_argument("--source", metavar="TEXT")
    command.add_argument("--note", metavar="TEXT")
    command.add_argument("--target", metavar="N", help="value to be reached")
    command.add_argument("--target-year", metavar="YYYY")
    command.add_argument("--remove", action="store_true", help="remove the value of that day")


def add_file_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators import` takes."""
    command.add_argument("file", type=Path, help="CSV or Excel file as `indicators export` has it")


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators export` takes."""
    command.add_argument("file", type=Path, help="file to write: .csv or .xlsx")


def add_check_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators check` takes."""
    command.add_argument("--on", metavar="DATE", help="values up to a day, as YYYY-MM-DD")
    command.add_argument("--out", type=Path, metavar="DIR", help="write findings.csv, too")


def add_audit_options(command: argparse.ArgumentParser) -> None:
    """Declare what `indicators audit` takes beside the options of `coverage`."""
    command.add_argument(
        "indicator",
        nargs="?",
        default="mobile_3g_or_4g_area",
        metavar="INDICATOR",
        help="an indicator of mobile coverage (mobile_3g_or_4g_area)",
    )
    command.add_argument("--percent", type=float, metavar="P", help="default: what was reported")
    command.add_argument("--models", metavar="NAME,…", help="also compute with these models")
    command.add_argument("--density", action="store_true", help="also with fewer masts")
    command.add_argument("--heights", action="store_true", help="also with other heights")


def _records(workspace: Workspace) -> Records:
    from data.records.engine import Records

    return Records.open((workspace.base or workspace).folder.parent)


def _out(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, text: str) -> None:
    """Write a file in one step."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def show_list(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Print the indicators, reported beside computed."""
    from planning import indicators

    records = _records(workspace)
    if arguments.history:
        _print_history(indicators.history(records, COMMAND_LINE, workspace, arguments.history))
        return
    table = indicators.table(workspace, records, on=arguments.on)
    if arguments.group is not None:
        known = list(dict.fromkeys(table["group"]))
        if arguments.group not in known:
            raise InputError(
                "There is no group {value} (expected one of {expected})",
                value=arguments.group,
                expected=", ".join(known),
            )
        table = table[table["group"] == arguments.group]
    group = None
    for row in table.to_dict("records"):
        if row["group"] != group:
            group = row["group"]
            print(f"{group}:")
        print(f"  {_line(row)}")
    if arguments.out is not None:
        folder = _out(arguments.out)
        rows = [_plain(row) for row in table.to_dict("records")]
        content = {"area": workspace.area.name, "on": arguments.on, "indicators": rows}
        _write(
            folder / "indicators.json",
            json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        )
        print(f"Written to {folder}")


def _line(row: dict[Any, Any]) -> str:
    from planning.indicator_definitions import exact

    unit = "" if row["unit"] == "%" else f" {row['unit']}"
    sign = " %" if row["unit"] == "%" else unit
    parts = []
    if row["kind"] == "document":
        parts.append(" of ".join(item for item in (row["number"], row["issued_on"]) if item))
    if row["reported"] == row["reported"]:
        day = row["as_of"] or "undated"
        parts.append(f"reported {exact(row['reported'])}{sign} ({day})")
    if row["computed"] == row["computed"]:
        digits = ".1f" if row["unit"] == "%" else ",.0f"
        span = (
            f" ({row['interval_low']:{digits}} to {row['interval_high']:{digits}})"
            if row["interval_low"] == row["interval_low"]
            else ""
        )
        parts.append(f"computed {row['computed']:{digits}}{sign}{span}")
    elif row["missing"] is not None:
        parts.append(f"not computed: {row['missing']}")
    if row["target"] == row["target"]:
        year = row["target_year"]
        by = f" in {year:.0f}" if year == year and year else ""
        parts.append(f"target {exact(row['target'])}{sign}{by}")
    parts += [str(item) for item in row["warnings"]]
    said = "; ".join(part for part in parts if part)
    return f"{row['id']}: {row['title_en']}" + (f": {said}" if said else "")


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row for JSON."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, list | tuple):
            found[str(name)] = [str(item) for item in value]
        elif isinstance(value, float) and value != value:
            found[str(name)] = None
        elif value is None or isinstance(value, str | bool | int | float):
            found[str(name)] = value
        else:
            found[str(name)] = str(value)
    return found


def _print_history(table: pd.DataFrame) -> None:
    if table.empty:
        print("Nobody has changed this indicator")
    for row in table.to_dict("records"):
        detail = row["detail"]
        old, new = ((detail.get(name) or {}).get("value") for name in ("old", "new"))
        change = f": {old} -> {new}" if "key" in detail else f": {', '.join(detail)}"
        print(f"{row['at']:%Y-%m-%d %H:%M} {row['who']} ({row['role']}) {row['action']}{change}")


def change(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Enter, change or remove a value, or set a target."""
    from planning import indicator_definitions, indicator_values

    records = _records(workspace)
    code = arguments.indicator
    if code not in indicator_definitions.read(workspace, records):
        raise indicator_definitions.unknown_indicator(code)
    target = {"target": arguments.target, "target_year": arguments.target_year}
    target = {name: value for name, value in target.items() if value is not None}
    names = ("value", "count", "of", "as_of", "denominator", "method", "source", "note")
    given = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if not target and not given and not arguments.remove:
        raise InputError("Nothing to set: give --value, --note, --target or --remove")
    if target:
        indicator_definitions.write(records, COMMAND_LINE, workspace, {"indicator": code, **target})
    day = indicator_definitions.day(given.get("as_of", ""), "as_of")
    place = (arguments.zone or "", day)
    old = [
        item
        for item in indicator_values.read(workspace, records, code)
        if item.kind == "reported" and (item.zone_code, item.as_of) == place
    ]
    if arguments.remove:
        if not old:
            raise InputError("There is no value of {indicator} on {day}", indicator=code,
                             day=day or "no day")  # fmt: skip
        indicator_values.remove(records, COMMAND_LINE, workspace, old[0].key)
    elif given:
        fields = {**given, "indicator": code, "zone_code": place[0]}
        key = old[0].key if old else None
        indicator_values.write(records, COMMAND_LINE, workspace, fields, key=key)
    print(f"{code}: kept")


def keep(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Keep what is computed today as values of today."""
    del arguments
    from planning import indicators

    count = indicators.keep_computed(_records(workspace), COMMAND_LINE, workspace)
    print(f"{count} computed values kept")


def load(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Read a table of indicators."""
    from planning import indicator_files

    if not arguments.file.is_file():
        raise InputError("There is no file {file}", file=arguments.file)
    done = indicator_files.load(_records(workspace), COMMAND_LINE, workspace, arguments.file)
    print(
        f"{done.definitions} definitions, {done.added} values added, {done.changed} changed, "
        f"{done.unchanged} unchanged"
    )


def export(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Write the table of indicators."""
    from planning import indicator_files

    rows = indicator_files.export(workspace, _records(workspace), arguments.file)
    print(f"{rows} rows written to {arguments.file}")


def check(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Say what the arithmetic of the reported values says."""
    import pandas as pd

    from data import csv_file
    from planning import indicators

    found = indicators.findings(workspace, _records(workspace), on=arguments.on)
    for item in found:
        print(f"{_MARKS[item.agrees]} {item.as_of or 'undated'} {item.check}: {item.text}")
    wrong = sum(item.agrees is False for item in found)
    verb = "does" if wrong == 1 else "do"
    print(f"{len(found)} finding{'s' * (len(found) != 1)}, {wrong} {verb} not agree")
    if arguments.out is not None:
        rows = [
            (item.check, ";".join(item.indicators), item.as_of, item.agrees, str(item.text))
            for item in found
        ]
        columns = ["check", "indicators", "as_of", "agrees", "text"]
        folder = _out(arguments.out)
        csv_file.write(pd.DataFrame(rows, columns=columns), folder / "findings.csv")
        print(f"Written to {folder}")


def audit(
    workspace: Workspace, arguments: argparse.Namespace, request: CoverageRequest, bar: Bar
) -> None:
    """Say what makes a reported share true, and write it."""
    from coverage import run
    from coverage.propagation.ranges import ModelRangeWarning
    from planning import audit as audits
    from planning import audit_variants, indicator_definitions, indicator_values

    folder = _out(arguments.out)
    records = _records(workspace)
    definition = indicator_definitions.read(workspace, records).get(arguments.indicator)
    if definition is None:
        raise indicator_definitions.unknown_indicator(arguments.indicator)
    service, measure = audits.about(definition)
    values = indicator_values.read(workspace, records, arguments.indicator)
    said = indicator_values.latest(
        item for item in values if item.kind == "reported" and item.value is not None
    ).get((arguments.indicator, ""))
    percent, rounding = arguments.percent, 0.5
    if percent is None:
        if said is None or said.value is None:
            raise InputError(
                "No share is reported for {indicator}; give --percent",
                indicator=arguments.indicator,
            )
        percent, rounding = said.value, said.rounding
    tables: dict[str, pd.DataFrame] = {}
    with bar as progress, warnings.catch_warnings():
        # What a model says of its own range stands in the coverage's own notes.
        warnings.simplefilter("ignore", ModelRangeWarning)
        result = run.compute(workspace, request, threads=arguments.threads, on_progress=progress)
        found = audits.audit(
            workspace, result, percent, service=service, measure=measure, rounding=rounding
        )
        about: dict[str, Any] = {
            "service": service,
            "measure": measure,
            "threads": arguments.threads,
            "on_progress": progress,
        }
        if arguments.models:
            names = [name.strip() for name in arguments.models.split(",") if name.strip()]
            tables["models"] = audit_variants.by_model(workspace, request, names, **about)
        if arguments.density:
            tables["density"] = audit_variants.by_density(workspace, request, **about)
        if arguments.heights:
            tables["heights"] = audit_variants.by_height(
                workspace, request, receiver_heights_m=(1.5, 10.0), **about
            )
    _write_audit(folder, found, tables)
    _print_audit(found, tables)
    print(f"Written to {folder}")


def _write_audit(folder: Path, found: Audit, tables: dict[str, pd.DataFrame]) -> None:
    from data import csv_file

    content = {
        "percent": found.percent,
        "rounding": found.rounding,
        "service": found.service,
        "measure": found.measure,
        "sentences": [str(item) for item in found.sentences],
        "readings": [_plain(row) for row in found.readings.to_dict("records")],
        "settings": dict(found.settings),
        **{
            name: [_plain(row) for row in table.to_dict("records")]
            for name, table in tables.items()
        },
    }
    _write(
        folder / "audit.json",
        json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
    )
    csv_file.write(found.grid.round(4), folder / "audit_grid.csv")


def _print_audit(found: Audit, tables: dict[str, pd.DataFrame]) -> None:
    from planning import audit_variants

    if found.settings["illustrative"]:
        print("Illustrative data: the figures say nothing about a real network")
    for sentence in found.sentences:
        print(sentence)
    for row in tables["models"].to_dict("records") if "models" in tables else []:
        print(f"Model {row['model']}: {row['percent']:.1f} % "
              f"[{row['low']:.1f}, {row['high']:.1f}]")  # fmt: skip
    if "density" in tables:
        for row in audit_variants.masts_needed(tables["density"], found.percent).to_dict("records"):
            print(
                f"{row['reading']}: the present masts do not reach {found.percent:g} %"
                if row["masts"] != row["masts"]
                else f"{row['reading']}: {found.percent:g} % with about {row['masts']:.0f} masts, "
                f"{row['per_100_km2']:.1f} per 100 km²"
            )
    for row in tables["heights"].to_dict("records") if "heights" in tables else []:
        sign = "+" if row["what"] == "antenna" else ""
        print(
            f"{row['what']} {row['height_m']:{sign}g} m, {row['reading']}: {row['percent']:.1f} %"
        )
