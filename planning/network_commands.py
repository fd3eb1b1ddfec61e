"""Commands about the dedicated data network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import vintages
from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from data.records.engine import Records
    from data.store import Workspace
    from planning.compliance import Finding
    from planning.dedicated_network import NetworkStatus


def add_status_options(command: argparse.ArgumentParser) -> None:
    """Declare what `network status` takes."""
    command.add_argument(
        "--on",
        metavar="DATE",
        help="day, past or to come, as YYYY-MM-DD (default: the state as recorded)",
    )
    command.add_argument(
        "--step",
        choices=("month", "quarter", "year"),
        default="quarter",
        help="of the time line (quarter)",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def _records(workspace: Workspace) -> Records | None:
    """Return the records database, None where there is none."""
    from data.records.engine import Records

    home = (workspace.base or workspace).folder.parent
    return Records.open(home) if Records.exists(home) else None


def network_status(workspace: Workspace, arguments: argparse.Namespace) -> None:
    """Count who is connected, check the requirements and write both."""
    from planning import compliance, indicator_values, network_report
    from planning import dedicated_network as network

    if arguments.out.exists() and not arguments.out.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=arguments.out)
    day = None if arguments.on is None else vintages.iso(arguments.on)
    inventory = network.read(workspace)
    state = network.status(inventory, day)
    said = indicator_values.network_claims(workspace, _records(workspace))
    claims = network_report.compare(inventory, said, state)
    line = network.timeline(inventory, step=arguments.step)
    findings = compliance.check_workspace(workspace, state)
    table = compliance.table(findings)
    doubts = compliance.notes(state, compliance.norms(workspace.folder))
    failures = network_report.failures(state.network)
    content = network_report.summary(
        workspace,
        state,
        claims=claims,
        line=line,
        more={
            "failures": failures,
            "compliance": network_report.records(table),
            "compliance_notes": [str(note) for note in doubts],
        },
    )
    network_report.save(
        state, content, arguments.out, tables={"compliance": table, "timeline": line}
    )
    _print_state(content, state)
    _print_claims(claims, day)
    _print_failures(failures)
    _print_findings(findings)
    for note in doubts:
        print(note)
    print(f"Written to {arguments.out}")


def _print_state(content: Mapping[str, Any], state: NetworkStatus) -> None:
    made_up = ", illustrative" if content["provenance"]["illustrative"] else ""
    when = "as recorded" if state.day is None else f"on {state.day}"
    print(f"Dedicated network {when}{made_up}: {len(state.network.links)} live links")
    for entry in content["levels"]:
        parts = [f"connected {_of(entry['connected'])}"]
        if entry["planned"]["count"]:
            parts.append(f"{entry['planned']['count']} planned")
        parts.append(f"local network {_of(entry['lan'])}")
        parts.append(f"conference endpoints {entry['video_conference']['count']}")
        print(f"  {entry['level']}: {', '.join(parts)}")
    for entry in content["providers"]:
        if entry["level"] == "all":
            print(f"  provider {entry['group']}: {_of(entry)} of the connected sites")
    for entry in content["equipment"]:
        print(f"  {entry['group']}: at {_of(entry)} of the connected sites")
    _print_leases(content)
    for entry in content["zones_with_conference"]:
        print(f"  zones of level {entry['level']} with an endpoint: {_of(entry)}")
    for note in content["notes"]:
        print(note)


def _print_leases(content: Mapping[str, Any]) -> None:
    """Print what leased links cost a month; prices that are missing are counted."""
    for leased in content["leased"][:1]:
        silent = content["links"] - leased["of"]
        doubt = f"; {silent} links do not say whether they are own or leased" if silent else ""
        print(f"  leased links: {_of(leased)}{doubt}")
    for entry in content["leases"]:
        who = entry.get("group", "all providers")
        where = "" if entry["level"] == "all" else f", {entry['level']}"
        missing = entry["of"] - entry["count"]
        paid = (
            f"{entry['value']:,.0f} {content['currency']} {entry['unit']}"
            if "value" in entry
            else "price not known"
        )
        without = f", {missing} of them without a price" if missing else ""
        print(f"    {who}{where}: {paid} for {entry['of']} links{without}")


def _of(figure: Mapping[str, Any]) -> str:
    share = "" if figure["percent"] is None else f" ({figure['percent']:.1f} %)"
    return f"{figure['count']} of {figure['of']}{share}"


def _print_claims(claims: pd.DataFrame, day: str | None) -> None:
    """Print what was reported beside what the inventory says."""
    now = "as recorded" if day is None else f"on {day}"
    for claim in claims.to_dict("records"):
        parts = []
        if claim["percent"] == claim["percent"]:
            parts.append(f"{claim['percent']:g} %")
        if claim["count"] == claim["count"]:
            of = "" if claim["of"] != claim["of"] else f" of {claim['of']:.0f}"
            parts.append(f"{claim['count']:.0f}{of}")
        said = ", ".join(parts) or "no figure"
        found = [
            f"{label} {claim[f'{name}_count']} of {claim[f'{name}_of']}"
            if claim[f"{name}_of"]
            else f"{label} no such site"
            for name, label in (("then", f"on {claim['day']}"), ("now", now))
            if name == "now" or claim["day"] not in ("", day)
        ]
        print(
            f"Reported {claim['claim']}, {claim['measure']}, {claim['level']}: {said}; "
            f"in the inventory {', '.join(found)}"
        )


def _print_failures(failures: Mapping[str, Any]) -> None:
    for kind, entry in failures.items():
        line = f"Single failures, {kind}: {entry['cutting']} of {entry['of']} cut off a site"
        if entry["worst"]:
            worst = entry["worst"][0]
            line += f"; the worst, {worst['name']}, cuts off {worst['count']}"
        print(line)


def _print_findings(findings: list[Finding]) -> None:
    for each in findings:
        source = each.norm.instrument or "assumption"
        doubt = "" if each.norm.verified else ", not verified"
        print(
            f"{each.result}: {each.norm.sites}: {each.norm.requirement}: {each.evidence} "
            f"[{source}{doubt}]"
        )
