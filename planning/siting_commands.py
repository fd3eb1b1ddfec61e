"""The command that chooses sites."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from planning.accounts import COMMAND_LINE

if TYPE_CHECKING:
    from coverage.request import CoverageRequest
    from data.store import Workspace
    from planning.siting import SitingPlan

    Progress = Callable[[float], None]


def add_options(
    command: argparse.ArgumentParser,
    amount: Callable[[str], float],
    count: Callable[[str], int],
) -> None:
    """Declare what `share optimise` takes beside the options of `coverage`.

    Parameters
    ----------
    command
        The command.
    amount, count
        Readers of amounts of at least 0 and of whole numbers of at least 1.
    """
    aim = command.add_mutually_exclusive_group(required=True)
    aim.add_argument("--budget", type=amount, metavar="N", help="in the currency of the unit costs")
    aim.add_argument(
        "--target-percent", type=amount, metavar="X", help="of all people or area to be covered"
    )
    command.add_argument(
        "--measure",
        choices=("population", "area"),
        default="population",
        help="what counts (population)",
    )
    command.add_argument(
        "--each-operator",
        action="store_true",
        help="count every operator's coverage by itself (default: any operator's)",
    )
    command.add_argument(
        "--operator", action="append", metavar="NAME", help="whose antennas (default: all)"
    )
    command.add_argument(
        "--years", type=count, default=1, metavar="N", help="spread the money over N years (1)"
    )
    command.add_argument(
        "--kind",
        nargs="+",
        choices=("mast", "land", "roof", "high_point"),
        metavar="KIND",
        help="candidates: mast, land, roof, high_point (default: all)",
    )
    command.add_argument(
        "--candidates", type=count, default=300, metavar="N", help="most that are looked at (300)"
    )
    command.add_argument(
        "--time-limit", type=amount, default=60.0, metavar="S", help="for the choice (60)"
    )
    command.add_argument("--scenario", metavar="TITLE", help="make a scenario of the plan")


def optimise(
    workspace: Workspace,
    arguments: argparse.Namespace,
    coverage: CoverageRequest,
    on_progress: Progress,
) -> None:
    """Choose the sites that bring most coverage for the money."""
    from planning import siting, siting_candidates

    request = siting.SitingRequest(
        coverage=coverage,
        measure=arguments.measure,
        goal="each" if arguments.each_operator else "any",
        budget=arguments.budget,
        target_percent=arguments.target_percent,
        years=arguments.years,
        kinds=tuple(arguments.kind or siting_candidates.KINDS),
        most_candidates=arguments.candidates,
        time_limit_s=arguments.time_limit,
    )
    found = siting.plan(workspace, request, threads=arguments.threads, on_progress=on_progress)
    siting.save(found, arguments.out)
    _print(found)
    if arguments.scenario is not None:
        _make_scenario(workspace, arguments.scenario, found)
    print(f"Written to {arguments.out}")


def _print(found: SitingPlan) -> None:
    by_area = found.request.measure == "area"
    for number, row in enumerate(found.chosen.to_dict("records"), 1):
        year = (
            "" if row["year"] != row["year"] or row["year"] is None else f", year {row['year']:g}"
        )
        print(
            f"{number}. {row['candidate_id']} ({row['operators']} {row['technologies']}): "
            f"{_amount(row['gain'], by_area)} for {row['cost_typical']:,.0f}{year}; {row['reason']}"
        )
    for row in found.services.to_dict("records"):
        whose = "" if row["operator"] == "any" else f" of {row['operator']}"
        print(
            f"{row['technology']}{whose}: {row['before_percent']:.2f} % before, "
            f"{row['claimed_percent']:.2f} % with the plan, {row['recomputed_percent']:.2f} % "
            "computed anew"
        )
    cost = found.cost
    print(
        f"{len(found.chosen)} sites for {cost.typical:,.0f} {found.currency} ({cost.low:,.0f} to "
        f"{cost.high:,.0f}); at most {100.0 * found.choice.gap:.2g} % from the best possible"
    )
    for note in found.notes:
        print(note)


def _amount(gain: float, by_area: bool) -> str:
    return f"{gain:+,.2f} km²" if by_area else f"{gain:+,.0f} people"


def _make_scenario(workspace: Workspace, title: str, found: SitingPlan) -> None:
    from data.records.engine import Records
    from planning import scenarios

    base = workspace.base or workspace
    records = Records.open(base.folder.absolute().parent)
    made = scenarios.create(records, COMMAND_LINE, scenarios.area_name(base), title, found.changes)
    print(f"Scenario {made.id}: {made.title} ({len(made.changes)} changes)")
