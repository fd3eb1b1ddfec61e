"""Commands that plan a dedicated network: its failures, its extension and the years of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import vintages
from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from data.store import Workspace
    from planning.network_design import NetworkDesignRequest

    Bar = AbstractContextManager[Callable[[float], None]]

#: Lines of each kind that are printed; the files have them all.
_MOST_LINES = 10

_TOGETHER = {
    "aggregation": "gathering nodes",
    "critical": "sites of criticality 4 or 5",
    "endpoint": "conference endpoints",
}


def _check_out(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)


def _day(arguments: argparse.Namespace) -> str | None:
    return None if arguments.on is None else vintages.iso(arguments.on)


def _money(value: float, currency: str) -> str:
    return f"{value:,.0f} {currency}"


# Failures


def network_failures(workspace: Workspace, arguments: argparse.Namespace, bar: Bar) -> None:
    """Say what single failures do, and write it."""
    from planning import network_failures as failures

    day = _day(arguments)
    _check_out(arguments.out)
    with bar as progress:
        report = failures.analyse(workspace, day, samples=arguments.samples, on_progress=progress)
    content = failures.with_origin(report, workspace)
    failures.save(report, content, arguments.out)
    _print_failures(content)
    print(f"Written to {arguments.out}")


def _print_failures(content: Mapping[str, Any]) -> None:
    if content["provenance"]["illustrative"]:
        print("Illustrative data: the figures say nothing about a real network")
    when = "as recorded" if content["day"] is None else f"on {content['day']}"
    print(
        f"Dedicated network {when}: {content['served']} of {content['sites']} sites reach a data "
        f"centre over {content['links']} links"
    )
    for kind, entry in content["single_failures"].items():
        line = f"Single failures, {kind}: {entry['cutting']} of {entry['of']} cut off a site"
        if entry["worst"]:
            worst = entry["worst"][0]
            line += f"; the worst, {worst['title']}, cuts off {worst['count']}"
        print(line)
    for entry in content["levels"]:
        share = entry["availability_percent"]
        print(
            f"Sites of level {entry['level']}: {entry['safe_link']} of {entry['sites']} survive "
            f"every link, {entry['safe_duct']} every duct, {entry['safe_provider']} every "
            f"provider; served {share['least']:.2f} to {share['greatest']:.2f} % of the time, "
            f"{share['mean']:.2f} % on average"
        )
    print("What to protect first (criticality times hours a year):")
    for row in content["protect_first"][:_MOST_LINES]:
        if row["expected_loss"]:
            print(
                f"  {row['expected_loss']:,.0f}: {row['element']} {row['name']} ({row['title']}), "
                f"{row['count']} sites"
            )
    for row in content["served_together"]:
        often = f"{row['availability_percent']:.3f} % of the time"
        if row["method"] != "exact":
            often += f" ({row['low_percent']:.3f} to {row['high_percent']:.3f})"
        print(f"All {row['sites']} {_TOGETHER[row['choice']]} are served at once {often}")
    _print_loads(content)
    for note in content["notes"]:
        print(note)


def _print_loads(content: Mapping[str, Any]) -> None:
    tight = content["bottlenecks"]
    print(
        f"Above {100.0 * tight['limit']:.0f} % in the busy hour: "
        f"{_count(len(tight['now']), 'link')} now, {len(tight['later'])} in {tight['years']:g} "
        "years"
    )
    for row in content["busiest_links"][:3]:
        if row["utilisation"] is not None:
            print(
                f"  {row['link']}: {100.0 * row['utilisation']:.0f} % now, "
                f"{100.0 * row['utilisation_later']:.0f} % in {tight['years']:g} years"
            )
    for row in (content["overloads_after_a_cut"] or [])[:3]:
        print(
            f"A cut of {row['link_id']} takes {row['busiest']} to {100.0 * row['utilisation']:.0f} "
            "% by traffic with the data centre"
        )
    if content["conference"] is not None:
        _print_conference(content["conference"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_conference(found: Mapping[str, Any]) -> None:
    new = len(found["newly_overloaded"])
    limit = f"{100.0 * found['limit']:.0f} %"
    print(
        f"A conference of all {found['endpoints']} endpoints at {found['rate_mbps']:g} Mbit/s over "
        f"the bridge at {found['bridge']} takes {_count(new, 'link')} above {limit}, besides "
        f"{len(found['overloaded']) - new} that are above it anyway, and disturbs "
        f"{_count(len(found['disturbed']), 'endpoint')}"
    )
    if found["unreached"]:
        print(f"  no way to the bridge: {', '.join(found['unreached'])}")
    if found["greatest_mbps"] == 0.0:
        print(f"  a link on its way is above {limit} anyway, so there is no rate that fits")
    elif found["greatest_mbps"] is not None:
        print(f"  greatest rate that fits: {found['greatest_mbps']:.2f} Mbit/s an endpoint")


# Design


def _request(arguments: argparse.Namespace, **more: Any) -> NetworkDesignRequest:
    from planning.network_design import NetworkDesignRequest

    return NetworkDesignRequest(
        protect=tuple(arguments.protect),
        on=_day(arguments),
        zones=None if arguments.zone is None else tuple(dict.fromkeys(arguments.zone)),
        owner=arguments.owner,
        cores_per_site=arguments.cores,
        road_items=arguments.allow,
        reach_m=arguments.reach_m,
        time_limit_s=arguments.time_limit,
        **more,
    )


def network_design(workspace: Workspace, arguments: argparse.Namespace, bar: Bar) -> None:
    """Design the extension of a network, and write it."""
    from planning import network_design as design

    request = _request(arguments, budget=arguments.budget, points=arguments.points)
    _check_out(arguments.out)
    with bar as progress:
        result = design.design(workspace, request, on_progress=progress)
    design.save(result, arguments.out)
    _print_design(result.summary)
    _print_tradeoff(result.tradeoff, result.summary["cost"]["currency"])
    print(f"Written to {arguments.out}")


def _print_design(summary: Mapping[str, Any]) -> None:
    cost, currency = summary["cost"], summary["cost"]["currency"]
    if summary["illustrative"]:
        print("Illustrative data: the figures say nothing about a real network")
    when = "" if summary["day"] is None else f" on {summary['day']}"
    print(
        f"Connected{when}: {summary['connected_before']} of {summary['sites']} sites; with the "
        f"design {summary['connected']}, by {summary['links']} new links"
    )
    if summary["to_protect"]:
        print(
            f"No single link or duct section cuts off {summary['protected']} of "
            f"{summary['to_protect']} sites to protect; before it was {summary['protected_before']}"
        )
    print(
        f"Routes: {summary['length_m'] / 1000.0:.1f} km, of which {summary['new_m'] / 1000.0:.1f} "
        f"km new and {summary['existing_m'] / 1000.0:.1f} km in or on what is there"
    )
    print(
        f"Cost: {_money(cost['typical'], currency)} ({cost['low']:,.0f} to {cost['high']:,.0f}), "
        "equipment included"
    )
    _print_proof(summary, currency)
    names = {"all": "all sites", "to_connect": "sites to connect", "to_protect": "sites to protect"}
    for name, share in summary["availability"].items():
        print(
            f"Availability of {names[name]}: {share['before_percent']:.3f} % before, "
            f"{share['after_percent']:.3f} % after"
        )
    for title, rows in (
        ("Not connected", summary["unreachable"]),
        ("Not protected", summary["unprotected"]),
    ):
        if rows:
            print(f"{title}: {_count(len(rows), 'site')}")
        for row in rows[:_MOST_LINES]:
            print(f"  {row['site']}: {row['reason']}")
    for note in summary["notes"]:
        print(note)
    if summary["problems"]["count"]:
        print(f"Doubtful in the lines: {summary['problems']['count']} places")


def _print_proof(summary: Mapping[str, Any], currency: str) -> None:
    if summary["objective"] == "value":
        print(
            f"Within the budget of {_money(summary['budget'], currency)} sites worth "
            f"{summary['value']:g} (criticality) are connected; no choice is worth more than "
            f"{summary['bound']:g} (proven)"
        )
        return
    gap = ""
    if summary["gap"] is not None:
        gap = f", at most {100.0 * summary['gap']:.1f} % dearer than the cheapest possible"
    print(
        f"Routes alone: {_money(summary['route_cost'], currency)}{gap}; none that do the same "
        f"cost less than {summary['bound']:,.0f} (proven)"
    )


def _print_tradeoff(table: pd.DataFrame, currency: str) -> None:
    if not len(table):
        return
    print(f"What money brings ({currency}):")
    for row in table.to_dict("records"):
        print(
            f"  {row['cost']:,.0f}: {row['connected']} sites connected, {row['protected']} "
            f"protected, {row['lost_hours']:,.0f} hours a year lost (times criticality)"
        )


# Phases


def network_phase(workspace: Workspace, arguments: argparse.Namespace, bar: Bar) -> None:
    """Plan the years of an extension, and write it."""
    from planning import network_phases

    years = network_phases.PhaseRequest(
        (arguments.budget_per_year,) * arguments.years,
        priority=arguments.priority,
        first_year=arguments.first_year,
        carry_over=arguments.carry_over,
    )
    asked = _request(arguments)
    _check_out(arguments.out)
    with bar as progress:
        made = network_phases.plan(workspace, years, asked, on_progress=progress)
    network_phases.save(made, arguments.out)
    _print_phases(made.summary)
    print(f"Written to {arguments.out}")


def _class_name(row: Mapping[str, Any]) -> str:
    parts = ["Connect" if row["kind"] == "connect" else "Protect"]
    if row["criticality"] is not None:
        parts.append(f"criticality {row['criticality']}")
    if row["level"] is not None:
        parts.append(f"level {row['level']}")
    return ", ".join(parts)


def _print_phases(summary: Mapping[str, Any]) -> None:
    currency = summary["currency"]
    if summary["illustrative"]:
        print("Illustrative data: the figures say nothing about a real network")
    print(
        f"All that is asked costs {_money(summary['cost_of_all'], currency)}, the budgets are "
        f"{_money(sum(summary['budgets']), currency)}"
    )
    for row in summary["years"]:
        protected = f", {row['protected']} protected" if summary["to_protect"] else ""
        done = (
            f"{row['connected']} of {summary['sites']} sites connected{protected}, "
            f"{row['lost_hours']:,.0f} hours a year lost (times criticality)"
        )
        if row["year"] is None:
            print(f"Before: {done}")
            continue
        print(f"Year {row['year']}: {row['spent']:,.0f} spent; {done}")
        mine = [each for each in summary["projects"] if each["year"] == row["year"]]
        for kind, verb in (("connect", "connected"), ("protect", "protected")):
            names = [each["site_id"] for each in mine if each["kind"] == kind]
            if names:
                more = ", …" if len(names) > _MOST_LINES else ""
                print(f"  {verb}: {', '.join(names[:_MOST_LINES])}{more}")
    late = [each for each in summary["projects"] if each["year"] is None]
    if late:
        print(f"Not in the plan: {len(late)}")
    for each in late[:_MOST_LINES]:
        print(f"  {each['kind']} {each['site_id']}: {each['reason']}")
    for row in summary["classes"]:
        print(
            f"{_class_name(row)}: {row['served']} of {row['sites']}, {row['value']:,.0f} years of "
            "service (times criticality); no order of this design that does as well for the "
            f"classes before has more than {row['bound']:,.0f} (proven)"
        )
    print("The design that is built in these years:")
    _print_proof(summary["design"], currency)
    for note in summary["notes"]:
        print(note)
