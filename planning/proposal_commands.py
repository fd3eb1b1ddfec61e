"""Commands about carriers' proposals."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError
from planning.accounts import COMMAND_LINE
from planning.proposal_workflow import Action, Document, Status

if TYPE_CHECKING:
    from data.records.engine import Records
    from data.store import Workspace
    from planning.proposals import Proposal

_FORMATS = ("csv", "xlsx", "kml", "gpkg", "geojson")
_RECORDED = (Action.PERMIT, Action.EMF_CERTIFICATE, Action.RENEW, Action.ON_AIR)
_DECISIONS = ("approve", "refuse", "request-changes")
_PERMIT = {"required": True, "exempt": False}

Open = Callable[[argparse.Namespace], "Workspace"]
Progress = Callable[[str], AbstractContextManager[Callable[[float], None]]]


def add_commands(commands: Any, add: Callable[..., Any], opened: Open, progress: Progress) -> None:
    """Declare the commands.

    Parameters
    ----------
    commands
        The program's commands.
    add
        Adds a command to a group: (group, name, run, text).
    opened
        Opens the workspace that the arguments name.
    progress
        Shows how far work with a name is.
    """
    group = commands.add_parser("proposals", help="sites that carriers ask for")
    actions = group.add_subparsers(required=True, metavar="ACTION")

    def command(name: str, run: Callable[..., None], text: str) -> Any:
        return add(actions, name, lambda chosen: run(opened(chosen), chosen), text)

    _add_selection(command("list", show_list, "List proposals."))
    _add_import(command("import", import_file, "Make proposals of a file, all or none."))
    evaluate_ = add(
        actions,
        "evaluate",
        lambda chosen: evaluate(opened(chosen), chosen, progress("proposals")),
        "Work out what proposals bring, and keep it.",
    )
    evaluate_.add_argument(
        "proposals", type=int, nargs="*", metavar="ID", help="default: those not decided yet"
    )
    evaluate_.add_argument(
        "--out", type=Path, metavar="DIR", help="also write the figures as JSON and CSV"
    )
    _add_decide(command("decide", decide, "Consent to a proposal, refuse it or give it back."))
    _add_record(command("record", record, "Record a permit, a certificate or going on air."))
    export_ = command("export", export, "Write proposals to files.")
    _add_selection(export_)
    export_.add_argument("--format", nargs="+", choices=_FORMATS, default=["csv", "xlsx"])
    export_.add_argument("--out", type=Path, required=True, metavar="DIR")
    rules = command("rules", write_rules, "Write local rules into the workspace, to be edited.")
    rules.add_argument("province", metavar="NAME", help="default, hai-duong, quang-nam, ha-noi")


def _add_selection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--status", nargs="+", choices=[each.value for each in Status])
    command.add_argument("--organisation", metavar="NAME", help="of one carrier")


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, help="CSV, Excel, KML, KMZ, GeoPackage or GeoJSON")
    command.add_argument("--organisation", required=True, metavar="NAME", help="carrier")
    command.add_argument("--submit", action="store_true", help="not only as drafts")
    command.add_argument(
        "--mapping",
        type=_mapping,
        default={},
        metavar="OURS=THEIRS,…",
        help="columns whose name in the file is not recognised",
    )
    command.add_argument("--crs", help="of the places: EPSG:9210, vn2000:hanam")
    command.add_argument("--sheet", help="sheet of an Excel workbook that has several")
    command.add_argument("--encoding", help="tcvn3, vni, viscii, cp1258, utf-16")


def _add_decide(command: argparse.ArgumentParser) -> None:
    command.add_argument("proposal", type=int, metavar="ID")
    command.add_argument("decision", choices=_DECISIONS)
    command.add_argument("--reason", default="", help="why it is refused or given back")
    command.add_argument("--scenario", type=int, metavar="ID", help="in which it is planned")
    command.add_argument("--note", default="", help="conditions of a consent")
    command.add_argument(
        "--permit",
        choices=_PERMIT,
        help="whether the site needs a building permit; default: what the rules say of a site "
        "that is part of a plan or shares a mast, otherwise required",
    )
    _add_document(command, required=False)


def _add_record(command: argparse.ArgumentParser) -> None:
    command.add_argument("proposal", type=int, metavar="ID")
    command.add_argument("step", choices=[action.value for action in _RECORDED])
    _add_document(command, required=True)


def _add_document(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--number", required=required, default="", help="of the document")
    command.add_argument("--day", required=required, default="", metavar="YYYY-MM-DD")
    command.add_argument("--issuer", default="", metavar="NAME")
    command.add_argument("--valid-to", metavar="YYYY-MM-DD")


def _mapping(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(ours and theirs for ours, _, theirs in pairs):
        raise argparse.ArgumentTypeError(f"{text}: expected OURS=THEIRS,…")
    return {theirs.strip(): ours.strip() for ours, _, theirs in pairs}


def _records(workspace: Workspace) -> tuple[Records, str]:
    from data.records.engine import Records
    from planning.scenario_workspace import area_name

    return Records.open(workspace.folder.absolute().parent), area_name(workspace)


def _chosen(workspace: Workspace, arguments: argparse.Namespace) -> tuple[Records, list[Proposal]]:
    from planning import proposals

    records, area = _records(workspace)
    return records, proposals.list_of(
        records,
        COMMAND_LINE,
        area,
        statuses=[Status(value) for value in arguments.status or ()],
        organisation=arguments.organisation,
    )


def show_list(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """List proposals."""
    _, found = _chosen(workspace, arguments)
    for item in found:
        _print(item)
    if not found:
        print("No proposals")


def _print(item: Proposal) -> None:
    wish = item.request
    what = f"on mast {wish.mast_id}" if wish.kind == "share" else f"new, {wish.height_m:g} m"
    print(
        f"{item.id}: {item.organisation}, {wish.reference}, {what}, "
        f"{'+'.join(wish.technologies) or 'own cells'} at {wish.lat:.5f}, {wish.lon:.5f}: "
        f"{item.status.value}"
    )


def import_file(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Make proposals of a file."""
    from planning import proposal_transfer

    records, _ = _records(workspace)
    made = proposal_transfer.import_file(
        records,
        COMMAND_LINE,
        workspace,
        arguments.file,
        organisation=arguments.organisation,
        submit=arguments.submit,
        mapping=arguments.mapping,
        crs=arguments.crs,
        sheet=arguments.sheet,
        encoding=arguments.encoding,
    )
    for item in made:
        _print(item)


def evaluate(
    workspace: Workspace,
    arguments: argparse.Namespace,
    progress: AbstractContextManager[Callable[[float], None]],
) -> None:
    """Work out what proposals bring."""
    from planning import proposals
    from planning.proposal_evaluation import Evaluator

    records, area = _records(workspace)
    if arguments.proposals:
        found = [proposals.get(records, COMMAND_LINE, number) for number in arguments.proposals]
    else:
        found = proposals.list_of(
            records,
            COMMAND_LINE,
            area,
            statuses=(Status.DRAFT, Status.SUBMITTED, Status.CHANGES_REQUESTED),
        )
    if not found:
        print("No proposals to evaluate")
        return
    with progress as report:
        evaluator = Evaluator(workspace, on_progress=lambda share: report(0.5 * share))
        for count, item in enumerate(found, start=1):
            made = evaluator.evaluate(item.request, item.organisation)
            proposals.keep_evaluation(records, COMMAND_LINE, item.id, made)
            _print_evaluation(item, made.result)
            if arguments.out is not None:
                _write_evaluation(arguments.out, item, made.inputs, made.result)
            report(0.5 + 0.5 * count / len(found))
    if arguments.out is not None:
        print(f"Written to {arguments.out}")


def _print_evaluation(item: Proposal, result: Mapping[str, Any]) -> None:
    from planning.proposal_figures import sentence

    _print(item)
    for row in result["totals"]:
        if row["area_km2"] > 0.0 or row["people"] > 0.0:
            print(
                f"  {row['service']}, {row['operator']}: {row['area_km2']:.2f} km² and "
                f"{row['people']:.0f} people more"
            )
    for finding in result["findings"]:
        if finding["result"] != "met":
            print(f"  {finding['result']} ({finding['severity']}): {sentence(finding['text'])}")
    for other in result["alternatives"]:
        share = other["share_of_area"]
        gives = "" if share is None else f", {100.0 * share:.0f} % of the area gained"
        print(f"  share instead: {other['mast_id']}, {other['distance_m']:.0f} m away{gives}")
    cost = result["cost"]
    low, high = cost["total"]["low"], cost["total"]["high"]
    print(f"  cost {low:,.0f} to {high:,.0f} {cost['currency']}")


def _write_evaluation(
    out: Path, item: Proposal, inputs: Mapping[str, Any], result: Mapping[str, Any]
) -> None:
    import pandas as pd

    from data import csv_file

    out.mkdir(parents=True, exist_ok=True)
    content = {"proposal": item.id, "organisation": item.organisation, "status": item.status.value}
    whole = {**content, **result, "provenance": inputs}
    _replace(
        out / f"proposal_{item.id}.json", json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    )
    columns = ["code", "name", "service", "operator", "area_km2", "people"]
    table = pd.DataFrame(result["gains"], columns=columns)
    csv_file.write(table, out / f"proposal_{item.id}_communes.csv")


def _replace(path: Path, text: str) -> None:
    """Put a file in place whole."""
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    Path(name).replace(path)


def _document(arguments: argparse.Namespace) -> Document:
    return Document(arguments.number, arguments.day, arguments.issuer, arguments.valid_to)


def decide(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Consent to a proposal, refuse it or give it back."""
    from planning import proposal_decisions, proposals

    records, _ = _records(workspace)
    number = arguments.proposal
    if arguments.decision == "approve":
        done = proposal_decisions.approve(
            records,
            COMMAND_LINE,
            number,
            _document(arguments),
            workspace=workspace,
            scenario=arguments.scenario,
            permit_required=_PERMIT.get(arguments.permit),
            note=arguments.note,
        )
    elif arguments.decision == "refuse":
        done = proposals.refuse(records, COMMAND_LINE, number, arguments.reason)
    else:
        done = proposals.request_changes(records, COMMAND_LINE, number, arguments.reason)
    _print(done)


def record(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Record a document on the way of an approved site."""
    from planning import proposals

    records, _ = _records(workspace)
    action = Action(arguments.step)
    _print(
        proposals.record(records, COMMAND_LINE, arguments.proposal, action, _document(arguments))
    )


def export(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Write proposals to files."""
    from planning import proposal_transfer

    records, found = _chosen(workspace, arguments)
    if not found:
        raise InputError("There are no such proposals")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for ending in dict.fromkeys(arguments.format):
        path = arguments.out / f"proposals.{ending}"
        report = proposal_transfer.export(records, COMMAND_LINE, found, path)
        for note in report.notes:
            print(note)
    print(f"{len(found)} proposals written to {arguments.out}")


def write_rules(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Write the rules of a province into the workspace."""
    from planning import site_rules

    path = site_rules.write_own(workspace.folder, arguments.province)
    print(f"Written to {path}")
