"""Commands about scenarios."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError
from planning.accounts import COMMAND_LINE

if TYPE_CHECKING:
    from coverage.request import CoverageRequest
    from data.records.engine import Records
    from data.store import Workspace
    from planning.scenarios import Change, Scenario

    Progress = Callable[[float], None]


def add_create_options(command: argparse.ArgumentParser) -> None:
    """Declare what `scenario create` takes."""
    command.add_argument("--title", required=True, metavar="TEXT")
    command.add_argument("--note", default="", metavar="TEXT")
    command.add_argument(
        "--changes", type=Path, metavar="FILE", help="JSON: a list of changes (see scenario add)"
    )
    command.add_argument("--copy-of", type=int, metavar="ID", help="begin with the changes of ID")


def add_change_options(command: argparse.ArgumentParser) -> None:
    """Declare what `scenario add` takes."""
    command.add_argument("scenario", type=int, metavar="ID")
    command.add_argument(
        "--changes",
        type=Path,
        required=True,
        metavar="FILE",
        help='JSON: [{"kind": "add|move|remove|edit|share", "mast": {…}, "cells": [{…}]}, …]',
    )


def add_number(command: argparse.ArgumentParser) -> None:
    """Declare what commands about one scenario take."""
    command.add_argument("scenario", type=int, metavar="ID")


def add_compare_options(command: argparse.ArgumentParser) -> None:
    """Declare what `scenario compare` takes beside the options of `coverage`."""
    command.add_argument(
        "scenarios", type=int, nargs="+", metavar="ID", help="compared with the present network"
    )


def create(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Make a scenario."""
    from planning import scenarios

    records, area = _records(workspace)
    changes: tuple[Change, ...] = ()
    if arguments.copy_of is not None:
        changes = scenarios.get(records, COMMAND_LINE, arguments.copy_of).changes
    if arguments.changes is not None:
        changes = (*changes, *read_changes(arguments.changes))
    made = scenarios.create(
        records, COMMAND_LINE, area, arguments.title, changes, note=arguments.note
    )
    _print(made)


def show_list(workspace: Workspace, _arguments: argparse.Namespace) -> None:
    """List the scenarios of the area."""
    from planning import scenarios

    records, area = _records(workspace)
    found = scenarios.list_of(records, COMMAND_LINE, area)
    for item in found:
        _print(item)
    if not found:
        print("There is no scenario yet")


def add(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Add changes to a scenario."""
    from planning import scenarios

    records, _ = _records(workspace)
    changes = read_changes(arguments.changes)
    _print(scenarios.add_changes(records, COMMAND_LINE, arguments.scenario, changes))


def delete(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Delete a scenario."""
    from planning import scenarios

    records, _ = _records(workspace)
    scenarios.delete(records, COMMAND_LINE, arguments.scenario)
    print(f"Scenario {arguments.scenario} is deleted")


def compare(
    workspace: Workspace,
    arguments: argparse.Namespace,
    request: CoverageRequest,
    on_progress: Progress,
) -> None:
    """Compare scenarios with the present network."""
    from planning import scenario_compare, scenarios

    records, _ = _records(workspace)
    chosen = [scenarios.get(records, COMMAND_LINE, number) for number in arguments.scenarios]
    found = scenario_compare.compare(
        workspace,
        chosen,
        request,
        threads=arguments.threads,
        scheduler=arguments.scheduler,
        on_progress=on_progress,
    )
    scenario_compare.save(found, arguments.out)
    for row in found.summary.to_dict("records"):
        _print_row(row, found.currency)
    for note in found.notes:
        print(note)
    print(f"Written to {arguments.out}")


def read_changes(path: Path) -> list[Change]:
    """Read changes from a JSON file.

    Parameters
    ----------
    path
        A list of objects with kind, mast and cells.

    Returns
    -------
    list of Change
        In the file's order.

    Raises
    ------
    InputError
        If the file cannot be read or holds something else.
    """
    from planning.scenarios import Change

    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            "{file} cannot be read: {reason}", file=path, reason=error.strerror or str(error)
        ) from error
    except ValueError as error:
        raise InputError("{file} is not JSON: {reason}", file=path.name, reason=error) from error
    if not isinstance(found, list):
        raise InputError("{file}: expected a list of changes", file=path.name)
    return [Change.from_dict(item) for item in found]


def _records(workspace: Workspace) -> tuple[Records, str]:
    from data.records.engine import Records
    from planning import scenarios

    area = scenarios.area_name(workspace)
    return Records.open(workspace.folder.absolute().parent), area


def _print(item: Scenario) -> None:
    whose = f", {item.organisation}" if item.organisation else ""
    published = ", published" if item.published else ""
    print(f"{item.id}: {item.title} ({len(item.changes)} changes{whose}{published})")


def _print_row(row: Mapping[Hashable, Any], currency: str) -> None:
    name = row["title"] or "Present network"
    line = (
        f"{name}, {row['service']}: {row['area_percent']:.2f} % of the area, "
        f"{row['population_percent']:.2f} % of the people"
    )
    if row["scenario"]:
        line += (
            f" ({row['people_more']:+,.0f}); cost {row['cost_typical']:,.0f} {currency} "
            f"({row['cost_low']:,.0f} to {row['cost_high']:,.0f})"
        )
    print(line)
