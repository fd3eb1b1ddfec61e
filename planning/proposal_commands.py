"""Commands about carriers' proposals."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError, ValidationError
from planning.accounts import COMMAND_LINE
from planning.proposal_workflow import OPEN, Action, Document, Status

if TYPE_CHECKING:
    from data.records.engine import Records
    from data.store import Workspace
    from planning.proposal_figures import Evaluation
    from planning.proposals import Proposal

_FORMATS = ("csv", "xlsx", "kml", "gpkg", "geojson")
_RECORDED = (Action.PERMIT, Action.EMF_CERTIFICATE, Action.RENEW, Action.ON_AIR)
_DECISIONS = ("approve", "refuse", "request-changes")
#: Faults of a file that are printed one by one; the error says how many there are.
_PROBLEMS_SHOWN = 50
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
    import_ = add(
        actions,
        "import",
        lambda chosen: import_file(opened(chosen), chosen, progress("proposals")),
        "Make proposals of a file, all or none, and work out what they bring.",
    )
    _add_import(import_)
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
    submit_ = command("submit", submit, "Send drafts, and what was changed, to the planners.")
    submit_.add_argument("proposals", type=int, nargs="+", metavar="ID")
    withdraw_ = command("withdraw", withdraw, "Take proposals back.")
    withdraw_.add_argument("proposals", type=int, nargs="+", metavar="ID")
    withdraw_.add_argument("--reason", default="", help="why")
    comment_ = command("comment", comment, "Say something to the carrier and the planners.")
    comment_.add_argument("proposal", type=int, metavar="ID")
    comment_.add_argument("text", metavar="TEXT")
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
        "--no-evaluation", action="store_true", help="do not work out what they bring"
    )
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


def import_file(
    workspace: Workspace,
    arguments: argparse.Namespace,
    progress: AbstractContextManager[Callable[[float], None]],
) -> None:
    """Make proposals of a file and work out what they bring."""
    from planning import proposal_batch, proposal_transfer

    records, _ = _records(workspace)
    try:
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
    except ValidationError as error:
        # All of them for the one who mends the file; the error itself is one line.
        for problem in error.problems[1:_PROBLEMS_SHOWN]:
            print(problem)
        raise
    for item in made:
        _print(item)
    if arguments.no_evaluation:
        return
    if not (workspace.has("masts") and workspace.has("cells")):
        print("Not evaluated: the area has no masts or no cells yet")
        return
    _evaluate(
        workspace, proposal_batch.outstanding(records, COMMAND_LINE, made), progress, _nothing
    )


def _nothing(item: Proposal, made: Evaluation) -> None:
    """Print nothing about what a proposal brings."""


def _evaluate(
    workspace: Workspace,
    numbers: Sequence[int],
    progress: AbstractContextManager[Callable[[float], None]],
    on_made: Callable[[Proposal, Evaluation], None],
) -> None:
    """Evaluate proposals one after the other; say at the end which could not be."""
    from planning import proposal_batch
    from planning.proposal_evaluation import Evaluator

    if not numbers:
        return
    records, _ = _records(workspace)
    with progress as report:
        evaluator = Evaluator(workspace, on_progress=lambda share: report(0.5 * share))
        failed = proposal_batch.evaluate(
            records,
            COMMAND_LINE,
            evaluator,
            numbers,
            on_progress=lambda share: report(0.5 + 0.5 * share),
            on_made=on_made,
        )
    _report("evaluated", numbers, {number: str(why) for number, why in failed.items()})


def _report(done: str, numbers: Sequence[int], failed: Mapping[int, str]) -> None:
    """Print what was done with how many proposals; raise if it could not be with some."""
    if len(numbers) > len(failed):
        print(f"{len(numbers) - len(failed)} {done}")
    for number, why in failed.items():
        print(f"{number}: not {done}: {why}")
    if failed:
        raise InputError(
            "This failed for {count} of {of} proposals: {numbers}",
            count=len(failed),
            of=len(numbers),
            numbers=", ".join(map(str, failed)),
        )


def evaluate(
    workspace: Workspace,
    arguments: argparse.Namespace,
    progress: AbstractContextManager[Callable[[float], None]],
) -> None:
    """Work out what proposals bring."""
    from planning import proposals

    records, area = _records(workspace)
    numbers: list[int] = arguments.proposals
    for number in numbers:
        _of_area(records, area, number)
    if not numbers:
        found = proposals.list_of(records, COMMAND_LINE, area, statuses=OPEN)
        numbers = [item.id for item in found]
    if not numbers:
        print("No proposals to evaluate")
        return

    def show(item: Proposal, made: Evaluation) -> None:
        _print_evaluation(item, made.result)
        if arguments.out is not None:
            _write_evaluation(arguments.out, item, made.inputs, made.result)

    _evaluate(workspace, numbers, progress, show)
    if arguments.out is not None:
        print(f"Written to {arguments.out}")


def _of_area(records: Records, area: str, number: int) -> Proposal:
    """Return a proposal of the area; another area's is none of it."""
    from planning import proposals

    found = proposals.get(records, COMMAND_LINE, number)
    if found.area != area:
        raise InputError("There is no proposal {number}", number=number)
    return found


def submit(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Send proposals to the planners."""
    from planning import proposals

    _each(
        workspace,
        arguments.proposals,
        "submitted",
        lambda records, number: proposals.submit(records, COMMAND_LINE, number),
    )


def withdraw(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Take proposals back."""
    from planning import proposals

    _each(
        workspace,
        arguments.proposals,
        "withdrawn",
        lambda records, number: proposals.withdraw(
            records, COMMAND_LINE, number, reason=arguments.reason
        ),
    )


def _each(
    workspace: Workspace,
    numbers: Sequence[int],
    done: str,
    act: Callable[[Records, int], Proposal],
) -> None:
    """Do something with proposals, one after the other; say at the end with which it failed."""
    records, area = _records(workspace)
    failed: dict[int, str] = {}
    for number in numbers:
        try:
            _of_area(records, area, number)
            _print(act(records, number))
        except InputError as error:
            failed[number] = str(error)
    _report(done, numbers, failed)


def comment(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Say something about a proposal."""
    from planning import proposals

    records, area = _records(workspace)
    item = _of_area(records, area, arguments.proposal)
    proposals.comment(records, COMMAND_LINE, item.id, arguments.text)
    _print(item)


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

    records, area = _records(workspace)
    number = _of_area(records, area, arguments.proposal).id
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

    records, area = _records(workspace)
    item = _of_area(records, area, arguments.proposal)
    action = Action(arguments.step)
    _print(proposals.record(records, COMMAND_LINE, item.id, action, _document(arguments)))


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
