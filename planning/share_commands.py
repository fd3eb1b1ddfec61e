"""Commands about shared masts: pairs that could become one, consolidation, white spots."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from coverage.request import CoverageRequest
    from data.store import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Progress = Callable[[str], AbstractContextManager[Callable[[float], None]]]

#: Lines of each kind that are printed; the files have them all.
_MOST_LINES = 10


def add_commands(commands: Any, add: Callable[..., Any], opened: Open, progress: Progress) -> Any:
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

    Returns
    -------
    argparse._SubParsersAction
        The group `share`, for further commands.
    """
    group = commands.add_parser("share", help="share masts and choose new sites")
    actions = group.add_subparsers(required=True, metavar="ACTION")

    def command(name: str, run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = add(
            actions, name, lambda chosen: run(opened(chosen), chosen, progress), text
        )
        _add_coverage(made)
        return made

    analyse_ = command("analyse", analyse, "Find masts of different owners that could become one.")
    _add_distance(analyse_)
    fewest = command("consolidate", consolidate, "Find the fewest masts that keep the coverage.")
    _add_distance(fewest)
    fewest.add_argument(
        "--keep-percent",
        type=_percent,
        default=99.0,
        metavar="X",
        help="share of what each operator covers today that must stay covered (99)",
    )
    fewest.add_argument("--measure", choices=("area", "people"), default="area")
    fewest.add_argument(
        "--objective",
        choices=("masts", "money"),
        default="masts",
        help="fewest masts, or greatest saving (masts)",
    )
    fewest.add_argument(
        "--no-moves", action="store_true", help="masts only go; nobody moves to another one"
    )
    fewest.add_argument(
        "--time-limit", type=_positive, default=60.0, metavar="S", help="for the choice (60)"
    )
    white = command("white-spots", white_spots, "Say why places have no coverage and what helps.")
    white.add_argument("--missing", default="4G", metavar="TECHNOLOGY", help="default: 4G")
    white.add_argument("--operator", default="any", metavar="NAME", help="default: any")
    white.add_argument(
        "--commune", type=_codes, metavar="CODE,…", help="codes of communes (default: all)"
    )
    white.add_argument(
        "--least-km2", type=_number, default=0.1, metavar="A", help="smaller ones count by people"
    )
    white.add_argument("--most", type=int, default=40, metavar="N", help="how many spots (40)")
    white.add_argument(
        "--order", choices=("people", "area"), default="people", help="which come first (people)"
    )
    return actions


def _add_coverage(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--technology", type=_codes, metavar="2g,3g,…", help="default: all that have cells"
    )
    command.add_argument("--model", default="p1812", help="propagation model (default: p1812)")
    command.add_argument(
        "--resolution", type=_positive, metavar="M", help="pixel size in metres (the area's)"
    )
    command.add_argument("--thresholds", default="outdoor", metavar="PROFILE")
    command.add_argument("--probability", type=_number, metavar="P", help="0 to 1")
    command.add_argument("--radius-km", type=_positive, default=10.0, metavar="KM")
    command.add_argument("--threads", type=int, metavar="N", help="default: all processors")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add_distance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--distance-m",
        type=_positive,
        metavar="M",
        help="how far apart masts may be that become one (default: the table's)",
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value


def _percent(text: str) -> float:
    value = _number(text)
    if not 50.0 <= value <= 100.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 50 to 100")
    return value


def _codes(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _coverage(workspace: Workspace, arguments: argparse.Namespace) -> CoverageRequest:
    from coverage.request import CoverageRequest, default_technologies

    names = arguments.technology or default_technologies(workspace)
    return CoverageRequest(
        technologies=tuple(dict.fromkeys(name.upper() for name in names)),
        model=arguments.model,
        resolution_m=arguments.resolution,
        threshold_profile=arguments.thresholds,
        probability=arguments.probability,
        radius_m=1000.0 * arguments.radius_km,
    )


def _check_out(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)


def _range(low: float, high: float, currency: str) -> str:
    return f"{low / 1e9:,.2f} to {high / 1e9:,.2f} billion {currency}"


def _print_notes(notes: Iterable[object]) -> None:
    for note in notes:
        print(note)


def analyse(workspace: Workspace, arguments: argparse.Namespace, progress: Progress) -> None:
    """Find pairs of masts that could become one, and write them."""
    from planning import sharing
    from planning.sharing_moves import SharingRequest

    _check_out(arguments.out)
    request = SharingRequest(_coverage(workspace, arguments), arguments.distance_m)
    with progress("share analyse") as bar:
        found = sharing.analyse(workspace, request, threads=arguments.threads, on_progress=bar)
    sharing.save(found, arguments.out)
    _print_notes(found.notes)
    about = found.summary
    print(
        f"{about['shared_masts']} of {about['masts']} masts carry several operators "
        f"({about['sharing_percent']:.1f} %)"
    )
    print(
        f"{about['pairs']} pairs of masts of different owners within "
        f"{found.inventory.distance_m:g} m; {about['pairs_possible']} could become one"
    )
    for reason, count in about["reasons"].items():
        print(f"  not possible, {reason}: {count}")
    _print_pairs(found.pairs, about["currency"])
    print(f"Written to {arguments.out}")


def _print_pairs(pairs: pd.DataFrame, currency: str) -> None:
    possible = pairs[pairs["possible"].astype(bool)]
    best = possible.sort_values(["people_losing", "saving_typical"], ascending=[True, False])
    for row in best.head(_MOST_LINES).to_dict("records"):
        print(
            f"  {row['guest']} ({row['guest_owner']}) to {row['host']} ({row['host_owner']}), "
            f"{row['distance_m']:.0f} m: {row['people_losing']:.0f} people lose and "
            f"{row['people_gaining']:.0f} gain a service; saves "
            f"{_range(row['saving_low'], row['saving_high'], currency)}"
        )


def consolidate(workspace: Workspace, arguments: argparse.Namespace, progress: Progress) -> None:
    """Choose the masts that may go, and write what follows."""
    from planning import consolidation
    from planning.sharing_moves import SharingRequest

    _check_out(arguments.out)
    request = consolidation.ConsolidationRequest(
        SharingRequest(_coverage(workspace, arguments), arguments.distance_m),
        keep_percent=arguments.keep_percent,
        measure=arguments.measure,
        objective=arguments.objective,
        allow_moves=not arguments.no_moves,
        time_limit_s=arguments.time_limit,
    )
    with progress("share consolidate") as bar:
        found = consolidation.consolidate(
            workspace, request, threads=arguments.threads, on_progress=bar
        )
    consolidation.save(found, arguments.out)
    _print_notes(found.notes)
    about = found.summary
    print(
        f"{about['masts_after']} of {about['masts_before']} masts stay, {about['moves']} moves; "
        f"{_proof(about)}"
    )
    saved = about["saving"]
    print(
        f"Saves {_range(saved['low'], saved['high'], about['currency'])} over the years of the plan"
    )
    for row in about["operators"]:
        print(
            f"  {row['operator']} {row['technology']}: keeps {100.0 * row['km2_kept']:.2f} % of "
            f"the area and {100.0 * row['people_kept']:.2f} % of the people"
        )
    print(f"Written to {arguments.out}")


def _proof(about: Mapping[str, Any]) -> str:
    if about["gap"] is None:
        return "how near the best it is could not be proven"
    gap = f"{100.0 * about['gap']:.2f} % gap"
    if about["objective"] == "masts":
        return f"no choice leaves fewer than {about['bound']:.0f} ({gap})"
    return (
        f"what stays costs at least {about['bound']:,.0f} {about['currency']} in any choice ({gap})"
    )


def white_spots(workspace: Workspace, arguments: argparse.Namespace, progress: Progress) -> None:
    """Find white spots, their reasons and remedies, and write them."""
    from planning import white_spot_remedies
    from planning.white_spots import WhiteSpotRequest

    _check_out(arguments.out)
    request = WhiteSpotRequest(
        _coverage(workspace, arguments),
        technology=arguments.missing.upper(),
        operator=arguments.operator,
        communes=arguments.commune,
        least_km2=arguments.least_km2,
        most_spots=arguments.most,
        order=arguments.order,
    )
    with progress("share white-spots") as bar:
        found = white_spot_remedies.analyse(
            workspace, request, threads=arguments.threads, on_progress=bar
        )
    white_spot_remedies.save(found, arguments.out)
    _print_notes(found.notes)
    spots, remedies = found.spots, found.remedies
    print(
        f"{len(spots)} white spots of {request.technology}: {spots['people'].sum():.0f} people, "
        f"{spots['area_km2'].sum():.2f} km²"
    )
    best = remedies[remedies["best"].astype(bool)].set_index("spot")
    for row in spots.head(_MOST_LINES).to_dict("records"):
        line = (
            f"  {row['spot']}. {row['commune']}: {row['people']:.0f} people, "
            f"{row['area_km2']:.2f} km², {row['cause']}"
        )
        if row["spot"] in best.index:
            cure = best.loc[row["spot"]]
            line += (
                f"; {cure['kind']}: {cure['detail']} covers {100.0 * cure['closes']:.0f} % for "
                f"{_range(cure['cost_low'], cure['cost_high'], found.summary['currency'])}"
            )
            if cure["against_rules"]:
                line += f" (against the local rules: {cure['against_rules']})"
        else:
            line += "; no remedy is confirmed"
        print(line)
    print(f"Written to {arguments.out}")
