"""The command line: ``python -m planning …``."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shutil
import sys
import textwrap
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from data.errors import InputError, PhuSongError, Problem, ValidationError
from planning import (
    data_commands,
    explain_commands,
    fibre_commands,
    indicator_commands,
    network_commands,
    network_plan_commands,
    proposal_commands,
    records_commands,
    report_commands,
    scenario_commands,
    share_commands,
    siting_commands,
)

if TYPE_CHECKING:
    from coverage.results import CoverageResult
    from coverage.run import CoverageRequest
    from data.geometry import CoordinateColumns
    from data.importers import ColumnUse, Preview
    from data.plan import BuildPlan
    from data.sources.source import Place
    from data.store import Workspace

#: Exit code of input that cannot be used.
BAD_INPUT = 2

#: Exit code of a command that was stopped by Ctrl+C, as shells have it.
STOPPED = 130


class _Progress:
    """How far the work is, on standard error.

    A terminal has one line that is written over and over. A log file gets a line
    for every tenth of work that takes longer than a moment, so that the message
    about bad input, which comes at once, stands alone.
    """

    QUIET_S = 1.5

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = 0
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, share: float) -> None:
        percent = int(100.0 * share)
        step = 1 if self._live else 10
        if percent // step == self._shown:
            return
        if not self._live and time.monotonic() - self._start < self.QUIET_S:
            return
        self._shown = percent // step
        start = "\r" if self._live else ""
        end = "" if self._live else "\n"
        print(f"{start}{self._label}: {percent} %", end=end, file=sys.stderr, flush=True)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._shown:
            print(file=sys.stderr)


def _workspace_folder(arguments: argparse.Namespace, area: str = "demo") -> Path:
    from data.store import default_workspace

    return arguments.workspace or default_workspace(area)


def _open(arguments: argparse.Namespace) -> Workspace:
    """Open the workspace asked for; the embedded default area is built where it is missing."""
    from data import build
    from data.store import Workspace

    folder = _workspace_folder(arguments)
    if arguments.workspace is None and not Workspace.exists(folder):
        print(f"Building the default study area in {folder}", file=sys.stderr)
        with _Progress("build demo") as progress:
            return build.build("demo", folder, on_progress=progress)
    return Workspace.open(folder)


def _data_build(arguments: argparse.Namespace) -> None:
    from data import build
    from data.sources import download

    area = arguments.area or ("" if arguments.bbox or arguments.boundary else "demo")
    if area == "demo":
        _build_demo(arguments)
        return
    with download.offline(arguments.offline):
        with _Progress("plan") as progress:
            plan = _plan(arguments, area, progress)
        print(plan)
        if arguments.dry_run:
            return
        _agree(plan, arguments)
        options = {} if arguments.seed is None else {"seed": arguments.seed}
        with _Progress(f"build {plan.area.name}") as progress:
            report = build.build_from(
                plan,
                _workspace_folder(arguments, plan.area.name),
                population_total=arguments.population_total,
                crs=arguments.crs,
                generate_masts=arguments.generate_masts,
                sea_terrain=arguments.sea,
                skip_unavailable=arguments.skip_unavailable,
                keep=arguments.keep,
                on_progress=progress,
                **options,
            )
    for said in report.skipped:
        print(said)
    if report.kept:
        print(f"Kept of the workspace that was there: {', '.join(report.kept)}")
    _print_contents(report.workspace)
    _print_check(report.workspace)


def _build_demo(arguments: argparse.Namespace) -> None:
    """Build the area that is generated."""
    from data import build

    for name in ("source", "file", "bbox", "boundary"):
        if getattr(arguments, name):
            raise InputError(
                "The area {area} is generated and takes no --{option}; give another area",
                area="demo",
                option=name,
            )
    options = {} if arguments.seed is None else {"seed": arguments.seed}
    if arguments.dry_run:
        print("The area demo is generated: nothing has to be carried")
        return
    with _Progress("build demo") as progress:
        workspace = build.build(
            "demo",
            _workspace_folder(arguments, "demo"),
            source_folder=arguments.folder,
            population_total=arguments.population_total,
            crs=arguments.crs,
            keep=arguments.keep,
            on_progress=progress,
            **options,
        )
    _print_contents(workspace)
    _print_check(workspace)


def _plan(
    arguments: argparse.Namespace, area: str, on_progress: Callable[[float], None]
) -> BuildPlan:
    """Find the place asked for and what can be had for it."""
    from data import build, plan

    sources = dict(arguments.source or ())
    files = {part: Path(path) for part, path in arguments.file or ()}
    if arguments.folder is not None:
        if area != "hanam" or arguments.bbox or arguments.boundary:
            raise InputError(
                "--from is for the files of the area hanam; for {area} give single files with "
                "--file, such as --file terrain=PATH",
                area=area or "another area",
            )
        return build.plan_hanam(
            arguments.folder,
            sources=sources,
            files=files,
            generate_masts=arguments.generate_masts,
            on_progress=on_progress,
        )
    place = _place(arguments, area)
    known = build.AREAS.get(area)
    if known is not None and not arguments.bbox and not arguments.boundary:
        named = plan.AreaName(known.name, known.title_vi, known.title_en)
    else:
        title = arguments.title or place.name
        named = plan.AreaName(plan.short_name(area or place.name), title, title)
    return plan.make_plan(
        place,
        area=named,
        sources=sources,
        own_files=files,
        generate_masts=arguments.generate_masts,
        on_progress=on_progress,
    )


def _place(arguments: argparse.Namespace, area: str) -> Place:
    from dataclasses import replace

    from data import build
    from data.sources import own_files, place_search

    if arguments.bbox and arguments.boundary:
        raise InputError("Give either --bbox or --boundary, not both")
    if arguments.bbox:
        place = own_files.place_of_bounds(arguments.bbox, area)
    elif arguments.boundary:
        place = own_files.place_of_boundary(arguments.boundary, area)
    else:
        known = build.AREAS.get(area)
        place = place_search.find(known.search if known is not None else area)
    if arguments.country:
        place = replace(place, country=arguments.country.upper())
    return place


#: More than this is carried without a terminal only if --yes agrees to it. [bytes]
_UNASKED_BYTES = 100_000_000


def _agree(plan: BuildPlan, arguments: argparse.Namespace) -> None:
    """Ask whether to carry what the plan says, where somebody can answer."""
    from data.plan import size_text

    if arguments.yes or not any(supply.to_carry for supply in plan.supplies):
        return
    size = size_text(plan.bytes_to_carry)
    if sys.stdin.isatty() and sys.stdout.isatty():
        unknown = f" and {plan.unknown_sizes} of unknown size" if plan.unknown_sizes else ""
        if input(f"Carry {size}{unknown}? [y/N] ").strip().lower() not in ("y", "yes", "c", "có"):
            raise KeyboardInterrupt
        return
    if plan.bytes_to_carry > _UNASKED_BYTES:
        raise InputError(
            "The build carries {size}, more than {limit} without being asked; agree to it with "
            "--yes",
            size=size,
            limit=size_text(_UNASKED_BYTES),
        )


def _data_import(arguments: argparse.Namespace) -> None:
    from data import importers, schema

    workspace = _open(arguments)
    if arguments.layer in schema.RASTERS:
        problems = importers.import_raster(
            workspace,
            arguments.layer,
            arguments.file,
            source_name=arguments.source_name,
            licence=arguments.licence,
            vintage=arguments.vintage,
        )
        _print_problems(problems)
        print(f"{arguments.layer}: imported")
        return
    reading = {
        "sheet": arguments.sheet,
        "table": arguments.table,
        "coordinates": arguments.coordinates,
        "mapping": {k: v for each in arguments.mapping or () for k, v in each.items()},
        "units": {k: v for each in arguments.unit or () for k, v in each.items()},
        "crs": arguments.crs,
        "encoding": arguments.encoding,
        "use_remembered": not arguments.forget_mapping,
        "replace": not arguments.add,
    }
    if arguments.forget_mapping and importers.forget(
        workspace,
        arguments.layer,
        arguments.file,
        sheet=arguments.sheet,
        table=arguments.table,
    ):
        print("What was decided for files with these columns is forgotten")
    if arguments.preview:
        _print_preview(
            importers.preview(workspace, arguments.layer, arguments.file, **reading),
            arguments.problems,
        )
        return
    try:
        with _Progress(f"import {arguments.layer}") as progress:
            report = importers.import_layer(
                workspace,
                arguments.layer,
                arguments.file,
                **reading,
                accept_rows=arguments.accept_rows,
                drop_orphans=arguments.drop_orphans,
                source_name=arguments.source_name,
                licence=arguments.licence,
                vintage=arguments.vintage,
                on_progress=progress,
            )
    except ValidationError as error:
        # All of them for the one who mends the file; the error itself is one line.
        if len(error.problems) > 1 or arguments.problems:
            _print_import_problems(error.problems, arguments.problems)
        raise
    _print_columns(report.columns)
    _print_import_problems(report.problems, arguments.problems)
    print(f"{arguments.layer}: {report.rows_written} of {report.rows_read} rows imported")


#: Problems that are printed one by one; more of them are counted.
_PROBLEMS_SHOWN = 20

#: Rows of a file that a preview shows.
_ROWS_SHOWN = 5


def _print_import_problems(problems: Sequence[Problem], file: Path | None) -> None:
    """Print problems, many of them as the first ones and a count for each kind."""
    if file is not None:
        _save_problems(problems, file)
    _print_problems(problems[:_PROBLEMS_SHOWN])
    if len(problems) <= _PROBLEMS_SHOWN:
        return
    counts = Counter((each.severity, each.column, str(each.expected)) for each in problems)
    print(f"… {len(problems)} problems in all:")
    for (severity, column, expected), count in counts.most_common(_PROBLEMS_SHOWN):
        place = f"column {column}: " if column else ""
        print(f"  {count} × {severity}: {place}{expected}")
    if len(counts) > _PROBLEMS_SHOWN:
        print(f"  and {len(counts) - _PROBLEMS_SHOWN} more kinds")
    if file is None:
        print("`--problems FILE.csv` saves all of them")


def _save_problems(problems: Sequence[Problem], file: Path) -> None:
    import pandas as pd

    from data import csv_file

    columns = ["severity", "file", "row", "column", "value", "expected"]
    rows = [[getattr(each, name) for name in columns] for each in problems]
    csv_file.write(pd.DataFrame(rows, columns=columns, dtype=object), file)
    print(f"{len(problems)} problems saved in {file}")


def _print_columns(columns: Iterable[ColumnUse]) -> None:
    """Print which columns of a file were taken for which, where it is not plain."""
    for each in columns:
        if each.ours is not None and (each.ours != each.theirs or each.converted):
            why = {"given": "given", "remembered": "as before"}.get(each.origin or "", "")
            units = f"from {', '.join(each.units)}" if each.converted else ""
            facts = ", ".join(fact for fact in (why, units) if fact)
            print(f"{each.ours} = {each.theirs}{f' ({facts})' if facts else ''}")


def _print_preview(preview: Preview, file: Path | None) -> None:
    from data.importers import vn2000

    _print_columns(preview.columns)
    own = [each.theirs for each in preview.columns if each.ours is None]
    if own:
        print(f"Kept under their own names: {', '.join(own)}")
    if preview.crs:
        print(f"Places in {vn2000.named(preview.crs)}")
    _print_import_problems(preview.problems, file)
    print(f"{len(preview.frame)} of {preview.rows_read} rows can be imported, the first of them:")
    head = preview.frame.head(_ROWS_SHOWN)
    print(head.to_string(index=False, max_colwidth=30, na_rep=""))
    print("Nothing was changed")


def _data_undo(arguments: argparse.Namespace) -> None:
    from data import importers
    from data.store import Workspace

    workspace = Workspace.open(_workspace_folder(arguments))
    if arguments.list:
        steps = importers.history(workspace)
        for step in steps:
            print(f"{step.when}  {step.what}  {step.file}  ({', '.join(step.names)})")
        if not steps:
            print("There is no import to undo")
        return
    step = importers.undo(workspace)
    print(f"Undone: {step.what} from {step.file} of {step.when}")
    print(f"As before: {', '.join(step.names)}")


def _data_pattern(arguments: argparse.Namespace) -> None:
    from coverage import own_numbers
    from data.importers import antenna_pattern

    workspace = _open(arguments)
    patterns = antenna_pattern.add_to_folder(
        arguments.file, workspace.folder / own_numbers.PATTERNS
    )
    for pattern in patterns:
        print(
            f"{pattern.name}: {pattern.gain_dbi:.1f} dBi, main lobe "
            f"{pattern.main_lobe_deg:g}° below the horizon"
        )
        for note in pattern.notes:
            print(f"  {note}")


def _data_check(arguments: argparse.Namespace) -> None:
    workspace = _open(arguments)
    errors = _print_check(workspace)
    if errors:
        raise InputError(
            "{folder}: the check found {count} errors", folder=workspace.folder, count=errors
        )


def _data_list(arguments: argparse.Namespace) -> None:
    _print_contents(_open(arguments))


def _print_contents(workspace: Workspace) -> None:
    from data import check

    width = max(80, min(shutil.get_terminal_size((100, 24)).columns, 120))
    print(f"{workspace.area.title_en} ({workspace.area.name}): {workspace.folder}")
    for info in check.describe(workspace):
        about = info.provenance
        size = info.size if info.kind == "raster" else f"{info.size} rows"
        facts = [size, info.crs, "illustrative" if about.illustrative else ""]
        print(f"{info.name:10s}  {', '.join(fact for fact in facts if fact)}")
        origin = "; ".join(fact for fact in (about.source, about.vintage, about.licence) if fact)
        for text in (origin, about.method):
            for line in textwrap.wrap(
                text, width - 12, break_long_words=False, break_on_hyphens=False
            ):
                print(f"{'':12s}{line}")


def _print_check(workspace: Workspace) -> int:
    """Print what is wrong with a workspace and its quality, and return the number of errors."""
    from data import check, quality

    with _Progress("check") as progress:
        problems = check.check(workspace, on_progress=lambda share: progress(0.5 * share))
        report = quality.load(workspace)
        if report is None:
            report = quality.assess(
                workspace, on_progress=lambda share: progress(0.5 + 0.5 * share)
            )
            # A workspace that cannot be written to can be looked at all the same.
            with contextlib.suppress(OSError):
                quality.save(workspace, report)
    doubtful = [*problems, *report.problems()]
    _print_problems(doubtful)
    if not doubtful:
        print("No problem was found")
    print("Data quality:")
    for line in report.lines():
        print(f"  {line}")
    return sum(problem.severity == "error" for problem in problems)


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(f"{problem.severity}: {problem}")


def _open_for_coverage(arguments: argparse.Namespace) -> Workspace:
    """Open the workspace and, where no technologies were asked for, take those it has."""
    from coverage import request

    workspace = _open(arguments)
    if arguments.technology is None:
        arguments.technology = request.default_technologies(workspace)
    return workspace


def _request(arguments: argparse.Namespace, operators: tuple[str, ...] | None) -> CoverageRequest:
    from coverage import run

    return run.CoverageRequest(
        technologies=_technologies(arguments.technology),
        operators=operators,
        model=arguments.model,
        calibration=arguments.calibration,
        resolution_m=arguments.resolution,
        threshold_profile=arguments.thresholds,
        probability=arguments.probability,
        radius_m=1000.0 * arguments.radius_km,
    )


def _technologies(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.upper() for name in names))


def _computed(
    arguments: argparse.Namespace, workspace: Workspace, request: CoverageRequest
) -> CoverageResult:
    """Compute a coverage for a command that writes into a folder, and print its notes."""
    from coverage import run
    from coverage.propagation.ranges import ModelRangeWarning

    # A folder that cannot be written to should not be found out after a minute's work.
    if arguments.out.exists() and not arguments.out.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=arguments.out)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with _Progress("coverage") as progress, warnings.catch_warnings():
        # The result's notes say it once, for all cells.
        warnings.simplefilter("ignore", ModelRangeWarning)
        result = run.compute(
            workspace,
            request,
            threads=arguments.threads,
            scheduler=arguments.scheduler,
            on_progress=progress,
        )
    for note in result.summary["provenance"]["notes"]:
        print(note["text"])
    return result


def _coverage(arguments: argparse.Namespace) -> None:
    from coverage import results

    workspace = _open_for_coverage(arguments)
    result = _computed(arguments, workspace, _request(arguments, arguments.operator))
    results.save(result, arguments.out)
    _print_figures(result.summary)
    print(f"Written to {arguments.out}")


def _explain(arguments: argparse.Namespace) -> None:
    from coverage.propagation.ranges import ModelRangeWarning

    workspace = _open_for_coverage(arguments)
    request = _request(arguments, arguments.operator)
    with _Progress("coverage") as progress, warnings.catch_warnings():
        # The result's notes say it once, for all cells.
        warnings.simplefilter("ignore", ModelRangeWarning)
        explain_commands.explain(workspace, arguments, request, progress)


def _products(arguments: argparse.Namespace) -> None:
    from coverage import products, results

    workspace = _open_for_coverage(arguments)
    technologies = _technologies(arguments.technology)
    for name in _technologies((*(arguments.going or ()), *(arguments.staying or ()))):
        if name not in technologies:
            raise InputError(
                "The switch-off check is about {name}, which is not among the technologies asked "
                "for ({technologies})",
                name=name,
                technologies=", ".join(technologies),
            )
    going = _technologies(arguments.going or ({"2G"} & set(technologies)))
    staying = _technologies(
        arguments.staying or [name for name in technologies if name not in going]
    )
    result = _computed(arguments, workspace, _request(arguments, None))
    made = products.make(
        workspace,
        result,
        operator=arguments.operator or results.ANY_OPERATOR,
        going=going,
        staying=staying,
        minimum_area_km2=arguments.minimum_area,
        tolerance_m=arguments.simplify,
    )
    products.save(made, arguments.out)
    _print_products(made.summary)
    print(f"Written to {arguments.out}")


def _print_products(summary: dict[str, Any]) -> None:
    for zone in summary["service_zones"]:
        print(
            f"{zone['technology']}, class {zone['service_class']} (at least {zone['minimum']:g} "
            f"{zone['unit']}): {zone['area_km2']:.1f} km², {zone['people']:.0f} people"
        )
    for name, total in summary["holes"].items():
        what = "any technology" if name == "any" else name
        print(f"Without {what}: {_total(total)}")
    check = summary["switch_off"]
    if check is not None:
        going, staying = " and ".join(check["going"]), " or ".join(check["staying"])
        print(f"Lost if {going} is switched off and {staying} stays: {_total(check)}")


def _total(total: dict[str, Any]) -> str:
    return (
        f"{total['count']} areas, {total['area_km2']:.1f} km², {total['people']:.0f} people, "
        f"{total['villages']} villages"
    )


def _with_progress(
    run: Callable[[Workspace, argparse.Namespace, Callable[[float], None]], None],
    label: str,
    arguments: argparse.Namespace,
) -> None:
    workspace = _open(arguments)
    _check_out(arguments.out)
    with _Progress(label) as progress:
        run(workspace, arguments, progress)


def _fibre_design(arguments: argparse.Namespace) -> None:
    import numpy as np

    from planning import fibre

    workspace = _open(arguments)
    _check_out(arguments.out)
    own = None
    kind = arguments.sites
    if kind not in fibre.SITE_KINDS:
        path = Path(kind)
        if not path.exists():
            raise InputError(
                "There are no sites called {value} and no such file (expected one of {expected} "
                "or a file of points)",
                value=kind,
                expected=", ".join(fibre.SITE_KINDS),
            )
        own, kind = fibre.sites_from_file(workspace, path), "communes"
    request = fibre.DesignRequest(
        sites=kind,
        zones=None if arguments.zone is None else tuple(dict.fromkeys(arguments.zone)),
        owner=arguments.owner,
        cores_per_site=arguments.cores,
        budget=arguments.budget,
        road_items=arguments.allow,
        reach_m=arguments.reach_m,
        time_limit_s=arguments.time_limit,
    )
    share = 0.6 if arguments.curve else 1.0
    with _Progress("fibre design") as progress:
        task = fibre.prepare(
            workspace, request, sites=own, on_progress=lambda done: progress(0.2 * done)
        )
        if arguments.curve:
            task.live_root()
        design = fibre.design(
            workspace,
            request,
            task=task,
            on_progress=lambda done: progress(max(0.2, share * done)),
        )
        budgets = None
        if arguments.curve:
            most = design.route_cost if arguments.budget is None else arguments.budget
            budgets = fibre.curve(
                workspace,
                request,
                np.linspace(most / arguments.curve, most, arguments.curve).tolist(),
                task=task,
                on_progress=lambda done: progress(share + (1.0 - share) * done),
            )
    fibre.save(design, arguments.out, budgets=budgets)
    _print_design(design.summary)
    if budgets is not None:
        print(f"What budgets bring ({design.summary['cost']['currency']}):")
        for row in budgets.to_dict("records"):
            print(
                f"  {row['budget']:,.0f}: {row['sites']} sites worth {row['value']:,.0f}, at most "
                f"{row['bound']:,.0f} possible"
            )
    print(f"Written to {arguments.out}")


def _print_design(summary: dict[str, Any]) -> None:
    """Print a design of fibre routes in plain words."""
    cost, currency = summary["cost"], summary["cost"]["currency"]
    if summary["illustrative"]:
        print("Illustrative data: the figures say nothing about a real network")
    print(
        f"Connected: {summary['connected']} of {summary['sites']} sites, worth "
        f"{summary['value']:,.0f}"
    )
    print(
        f"Routes: {summary['length_m'] / 1000.0:.1f} km, of which {summary['new_m'] / 1000.0:.1f} "
        f"km new and {summary['existing_m'] / 1000.0:.1f} km in or on what is there"
    )
    print(f"Cost: {cost['typical']:,.0f} {currency} ({cost['low']:,.0f} to {cost['high']:,.0f})")
    gap = float("inf") if summary["gap"] is None else 100.0 * summary["gap"]
    if summary["objective"] == "cost":
        print(
            f"Routes without the addition for large cables: {summary['route_cost']:,.0f} "
            f"{currency}; no design for these sites costs less than {summary['bound']:,.0f} "
            f"(proven), so this one is at most {gap:.2f} % above the cheapest"
        )
    else:
        print(
            f"Of the budget of {summary['budget']:,.0f} {currency} the routes take "
            f"{summary['route_cost']:,.0f}; no choice within it is worth more than "
            f"{summary['bound']:,.0f} (proven), so this one misses at most {gap:.2f} % of that"
        )
    for note in summary["notes"]:
        print(note)
    if summary["unreachable"]:
        print(f"Not reached: {len(summary['unreachable'])} sites")
    for row in summary["unreachable"][:_MOST_LINES]:
        print(f"  {row['reason']}")
    problems = summary["problems"]
    if problems["count"]:
        print(f"Doubtful in the lines: {problems['count']} places")
    for text in problems["first"][:5]:
        print(f"  {text}")


#: Sites without connection that are printed; the files have them all.
_MOST_LINES = 20


def _check_out(folder: Path) -> None:
    """Refuse a folder for results that is a file, before a minute's work."""
    if folder.exists() and not folder.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=folder)
    folder.mkdir(parents=True, exist_ok=True)


def _ways(text: str) -> tuple[str, ...]:
    """Return the cost items of the ways to lay cable that are allowed."""
    from planning import route_graph

    short = {"aerial": ("aerial_new_poles",), "trench": ("trench_unpaved", "trench_paved")}
    items: list[str] = []
    for word in _words(text):
        if word not in short and word not in route_graph.ROAD_ITEMS:
            known = ", ".join((*short, *route_graph.ROAD_ITEMS))
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {known}")
        items += short.get(word, (word,))
    if not items:
        raise argparse.ArgumentTypeError("no way to lay cable is named")
    return tuple(dict.fromkeys(items))


def _calibrate(arguments: argparse.Namespace) -> None:
    from coverage import drive_test
    from coverage.propagation.ranges import ModelRangeWarning

    workspace = _open(arguments)
    with _Progress("calibrate") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelRangeWarning)
        done = drive_test.calibrate_workspace(
            workspace,
            arguments.measurements,
            name=arguments.name,
            model=arguments.model,
            replace=arguments.replace,
            floor_dbm=arguments.floor,
            on_progress=progress,
        )
    _print_problems(done.problems)
    for note in done.notes:
        print(note)
    model = done.model
    print(
        f"{done.rows_used} of {done.rows_read} rows used: {model.bins} places of {model.cells} "
        f"cells in {model.blocks} blocks"
    )
    for why, count in model.left_out.items():
        print(f"  left out: {count} {why}")
    print(f"Corrections: {', '.join(model.terms) or 'none that the measurements support'}")
    for label, error in (("before", model.held_out_before), ("after", model.held_out_after)):
        print(
            f"Error {label}, on blocks held out: mean {error.mean_db:+.1f} dB, median "
            f"{error.median_db:+.1f} dB, standard deviation {error.std_db:.1f} dB, "
            f"RMS {error.rmse_db:.1f} dB"
        )
    print(f"Saved as {model.name} in {done.path}")


def _print_figures(summary: dict[str, Any]) -> None:
    """Print the figures of the widest zones."""
    from coverage import technology

    widest = summary["zones"][0]["level"]
    for zone in summary["zones"]:
        if zone["level"] == widest:
            for name in (*technology.TECHNOLOGIES, *technology.COMBINATIONS):
                if name in zone:
                    print(f"{zone['name']}, {name.replace('_', ' ')}: {_figure(zone[name])}")


def _figure(figure: dict[str, Any]) -> str:
    parts = []
    for measure, noun in (("area", "area"), ("population", "population"), ("village", "villages")):
        value = figure.get(f"{measure}_percent")
        if value is not None:
            low, high = figure[f"{measure}_interval"]
            parts.append(f"{value:.1f} % of {noun} ({low:.1f} to {high:.1f})")
    return ", ".join(parts)


def _broadband(arguments: argparse.Namespace) -> None:
    from coverage.propagation.ranges import ModelRangeWarning
    from planning import broadband, homes

    request = broadband.checked(
        broadband.BroadbandRequest(
            drop_m=arguments.drop_m,
            access_reach_m=arguments.access_reach_m,
            ports=arguments.ports,
            homes=arguments.homes,
            household_size=arguments.household_size,
            rate_mbps=arguments.rate_mbps,
        )
    )
    given = None if arguments.homes_file is None else homes.read_file(arguments.homes_file)
    if arguments.out.exists() and not arguments.out.is_dir():
        raise InputError("{folder} is a file; expected a folder for results", folder=arguments.out)
    arguments.out.mkdir(parents=True, exist_ok=True)
    workspace = _open(arguments)
    with _Progress("broadband") as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelRangeWarning)
        result = broadband.coverage(
            workspace,
            request,
            homes=given,
            compute_mobile=arguments.mobile,
            threads=arguments.threads,
            on_progress=progress,
        )
    for note in result.summary["provenance"]["notes"]:
        print(note["text"])
    broadband.save(result, arguments.out)
    _print_broadband(result.summary)
    print(f"Written to {arguments.out}")


def _print_broadband(summary: dict[str, Any]) -> None:
    """Print the figures of the widest zones."""
    widest = summary["zones"][0]["level"]
    for zone in summary["zones"]:
        if zone["level"] != widest:
            continue
        for name, text in summary["services"].items():
            figure = zone.get(name)
            if figure is None or figure["household_percent"] is None:
                continue
            low, high = figure["household_interval"]
            print(
                f"{zone['name']}, {text}: {figure['household_percent']:.1f} % of households "
                f"({low:.1f} to {high:.1f}), {figure['population_percent']:.1f} % of population"
            )


def _publish(arguments: argparse.Namespace) -> None:
    workspace = _open(arguments)
    with _Progress("publish") as progress:
        records_commands.publish(workspace, arguments, progress)


#: What pages import that takes long.
_NEEDED_BY_PAGES = ("data.build", "planning.indicators", "folium.plugins", "altair")


def _app(arguments: argparse.Namespace) -> None:
    from data.store import Workspace

    if arguments.workspace is not None:
        Workspace.open(arguments.workspace)
        os.environ["PHUSONG_WORKSPACE"] = str(arguments.workspace)
    if "PHUSONG_WORKSPACE" in os.environ:
        os.environ["PHUSONG_WORKSPACE"] = str(Path(os.environ["PHUSONG_WORKSPACE"]).resolve())
    root = Path(__file__).resolve().parent.parent
    # Streamlit looks for its settings in the folder that it is started in.
    os.chdir(root)
    # What every page needs, before the server answers: nobody waits for it on a page.
    for name in _NEEDED_BY_PAGES:
        importlib.import_module(name)
    # In this process, so that whatever stops the command stops the server.
    from streamlit.web import cli

    command = ["run", str(root / "streamlit_app.py")]
    if arguments.port is not None:
        command += ["--server.port", str(arguments.port)]
    if arguments.address is not None:
        command += ["--server.address", arguments.address]
        if arguments.address not in ("localhost", "127.0.0.1", "::1"):
            print(
                f"Warning: the app listens on {arguments.address}, so others can reach it. Make "
                "the first administrator before they do, and put a server with TLS in front: "
                "without it passwords travel in the clear.",
                file=sys.stderr,
                flush=True,
            )
    if not arguments.headless and _has_browser():
        command += ["--server.headless", "false", "--server.showEmailPrompt", "false"]
    cli.main(command, prog_name="streamlit", standalone_mode=False)


def _has_browser() -> bool:
    """Return whether a browser can show up: not on a Linux server without a screen."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or bool(screen)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"Error: {message} (see {self.prog} --help)\n")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error


def _positive(text: str) -> float:
    value = _number(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"{text} is not greater than 0")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if not value >= 0.0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error
        if value < least or (most is not None and value > most):
            limits = f"{least} or more" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {limits}")
        return value

    return read


def _mapping(text: str) -> dict[str, str]:
    """Return the file's name of each column to ours."""
    found = {}
    for pair in text.split(","):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (ours and equals and theirs):
            raise argparse.ArgumentTypeError(f"{pair.strip()!r} is not of the form OURS=THEIRS")
        found[theirs] = "" if ours == "-" else ours
    return found


def _units(text: str) -> dict[str, str]:
    """Return the unit of each column."""
    found = {}
    for pair in text.split(","):
        column, equals, unit = (part.strip() for part in pair.partition("="))
        if not (column and equals and unit):
            raise argparse.ArgumentTypeError(f"{pair.strip()!r} is not of the form COLUMN=UNIT")
        found[column] = unit
    return found


def _coordinates(text: str) -> CoordinateColumns:
    words = [word.strip() for word in text.split(",")]
    if len(words) != 3 or not all(words):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the column of x, the column of y and their CRS, such as X,Y,EPSG:9210"
        )
    return words[0], words[1], words[2]


def _add_coverage_options(
    command: argparse.ArgumentParser, *, scheduler: bool = True, needs_out: bool = True
) -> None:
    command.add_argument(
        "--technology",
        type=_words,
        metavar="2g,3g,…",
        help="default: 2g,3g,4g, and 5g where there are cells of it",
    )
    command.add_argument("--model", default="p1812", help="propagation model (default: p1812)")
    command.add_argument(
        "--calibration", metavar="NAME", help="calibrated model, as `calibrate` saved it"
    )
    command.add_argument(
        "--resolution",
        type=_positive,
        metavar="M",
        help="pixel size in metres (default: the area's)",
    )
    command.add_argument(
        "--thresholds", default="outdoor", metavar="PROFILE", help="threshold profile (outdoor)"
    )
    command.add_argument(
        "--probability",
        type=_number,
        metavar="P",
        help="share of locations that must reach the threshold (default: the profile's)",
    )
    command.add_argument(
        "--radius-km", type=_positive, default=10.0, metavar="KM", help="reach of a cell (10)"
    )
    command.add_argument("--threads", type=_whole(1), metavar="N", help="default: all processors")
    if scheduler:
        command.add_argument(
            "--scheduler",
            metavar="tcp://HOST:PORT",
            help="have the masts predicted by a Dask cluster",
        )
    command.add_argument("--out", type=Path, required=needs_out, metavar="DIR")


def _bounds(text: str) -> tuple[float, ...]:
    values = tuple(_number(word) for word in text.split(","))
    if len(values) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not W,S,E,N in degrees")
    return values


def _pair(text: str) -> tuple[str, str]:
    part, equals, what = (word.strip() for word in text.partition("="))
    if not (part and equals and what):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form PART=…")
    return part, what


def _add_build_options(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "--area",
        help="demo, hanam or the name of a place to search for, such as 'Hà Nam, Vietnam' "
        "(default: demo); with --bbox or --boundary what to call it",
    )
    build.add_argument("--bbox", type=_bounds, metavar="W,S,E,N", help="a box in degrees, WGS 84")
    build.add_argument(
        "--boundary", type=Path, metavar="FILE", help="file with the area's outline as polygons"
    )
    build.add_argument("--title", metavar="TEXT", help="title of the area (default: its name)")
    build.add_argument(
        "--country", metavar="ISO3", help="country of a box or boundary, such as VNM"
    )
    build.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="folder with the files of the area hanam",
    )
    build.add_argument(
        "--source",
        type=_pair,
        action="append",
        metavar="PART=NAME",
        help="take a part from another source, such as zones=geoboundaries or roads=none; parts: "
        "zones, terrain, clutter, population, roads, railways, villages, masts, "
        "points_of_interest, speed_tests (repeat for more)",
    )
    build.add_argument(
        "--file",
        type=_pair,
        action="append",
        metavar="PART=PATH",
        help="take a layer or raster from a file of your own, such as terrain=dem.tif (repeat)",
    )
    build.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    build.add_argument(
        "--yes", action="store_true", help="carry what the plan says without being asked"
    )
    build.add_argument(
        "--offline", action="store_true", help="use the cache and files only; ask no server"
    )
    build.add_argument(
        "--skip-unavailable",
        action="store_true",
        help="go on without a source that cannot be had, and say so",
    )
    build.add_argument(
        "--no-generated-masts",
        dest="generate_masts",
        action="store_false",
        help="leave masts and cells out rather than generate them",
    )
    build.add_argument("--sea", action="store_true", help="terrain without a height is sea, at 0 m")
    build.add_argument(
        "--keep",
        nargs="?",
        choices=("masts", "all", "none"),
        default="masts",
        const="all",
        help="what to keep of an older workspace of the area: real masts and cells (the default), "
        "everything that the build does not make (--keep), or nothing",
    )
    build.add_argument(
        "--population-total",
        type=_positive,
        metavar="N",
        help="rescale the population to this total, such as a census figure",
    )
    build.add_argument(
        "--crs", help="metric CRS of the workspace, such as EPSG:9210 (default: local UTM zone)"
    )
    build.add_argument(
        "--seed", type=_whole(0), metavar="N", help="another draw of what is generated"
    )


def _add_design_options(design: argparse.ArgumentParser) -> None:
    design.add_argument(
        "--sites",
        default="communes",
        metavar="KIND",
        help="communes, offices, masts, villages, unserved or a file of points (communes)",
    )
    design.add_argument(
        "--zone",
        nargs="+",
        action="extend",
        metavar="CODE",
        help="only sites in these zones",
    )
    design.add_argument(
        "--budget",
        type=_not_negative,
        metavar="N",
        help="what may be spent, in the currency of the unit costs (default: connect all)",
    )
    design.add_argument(
        "--curve",
        type=_whole(1, 100),
        metavar="N",
        help="say also what N budgets up to this one, or up to the whole cost, bring",
    )
    design.add_argument(
        "--owner", metavar="NAME", help="whose fibre, ducts and exchanges are used (all)"
    )
    design.add_argument(
        "--cores", type=_whole(1, 10_000), default=2, metavar="N", help="dark fibres per site (2)"
    )
    design.add_argument(
        "--reach-m",
        type=_positive,
        default=2000.0,
        metavar="M",
        help="how far from a route a site may lie (2000)",
    )
    design.add_argument(
        "--allow",
        type=_ways,
        default="aerial,trench",
        metavar="aerial,trench",
        help="ways to lay new cable along roads, also trench_unpaved or trench_paved",
    )
    design.add_argument(
        "--time-limit",
        type=_positive,
        metavar="S",
        help="seconds for the search (8 to 60 by the size of the network)",
    )
    design.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add_network_design_options(design: argparse.ArgumentParser) -> None:
    design.add_argument(
        "--protect",
        type=_words,
        default=(),
        metavar="district,…",
        help="sites that no single link or duct section shall cut off: central, province, "
        "district, commune, aggregation, access, critical, endpoint or all (default: none)",
    )
    design.add_argument(
        "--on",
        metavar="DATE",
        help="day of the network that is extended, as YYYY-MM-DD (default: the state as recorded)",
    )
    design.add_argument(
        "--zone",
        nargs="+",
        action="extend",
        metavar="CODE",
        help="connect and protect only sites in these",
    )
    design.add_argument("--owner", metavar="NAME", help="whose fibre and ducts are one's own (all)")
    design.add_argument(
        "--cores", type=_whole(1, 10_000), default=2, metavar="N", help="fibres of a link (2)"
    )
    design.add_argument(
        "--reach-m",
        type=_positive,
        default=2000.0,
        metavar="M",
        help="how far from a route a site may lie (2000)",
    )
    design.add_argument(
        "--allow",
        type=_ways,
        default="aerial,trench",
        metavar="aerial,trench",
        help="ways to lay new cable along roads, also trench_unpaved or trench_paved",
    )
    design.add_argument(
        "--time-limit", type=_positive, metavar="S", help="seconds for the search (12)"
    )
    design.add_argument("--out", type=Path, required=True, metavar="DIR")


def _add_indicator_commands(
    commands: argparse._SubParsersAction[_Parser],
    add: Callable[..., argparse.ArgumentParser],
) -> None:
    group = commands.add_parser("indicators", help="figures of a provincial report")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    simple: tuple[tuple[str, Any, Any, str], ...] = (
        (
            "list",
            indicator_commands.show_list,
            indicator_commands.add_list_options,
            "Show reported figures beside computed ones.",
        ),
        (
            "set",
            indicator_commands.change,
            indicator_commands.add_set_options,
            "Enter, change or remove a value, or set a target.",
        ),
        ("keep", indicator_commands.keep, None, "Keep today's computed values as a series."),
        (
            "import",
            indicator_commands.load,
            indicator_commands.add_file_options,
            "Read definitions and values from a table.",
        ),
        (
            "export",
            indicator_commands.export,
            indicator_commands.add_export_options,
            "Write definitions and values to a table.",
        ),
        (
            "check",
            indicator_commands.check,
            indicator_commands.add_check_options,
            "Check the arithmetic of reported values.",
        ),
    )
    for name, run, declare, text in simple:
        command = add(actions, name, lambda chosen, run=run: run(_open(chosen), chosen), text)
        if declare is not None:
            declare(command)
    audit = add(
        actions,
        "audit",
        _indicator_audit,
        "Say which threshold, probability, model and masts make a reported share true.",
    )
    indicator_commands.add_audit_options(audit)
    _add_coverage_options(audit)


def _indicator_audit(arguments: argparse.Namespace) -> None:
    workspace = _open_for_coverage(arguments)
    request = _request(arguments, None)
    indicator_commands.audit(workspace, arguments, request, _Progress("indicators audit"))


def _add_report_commands(
    commands: argparse._SubParsersAction[_Parser],
    add: Callable[..., argparse.ArgumentParser],
) -> None:
    for name, run, declare, text in (
        (
            "report",
            report_commands.report,
            report_commands.add_report_options,
            "Write the provincial report: computed figures beside reported ones, maps, annexes.",
        ),
        (
            "export",
            report_commands.export,
            report_commands.add_export_options,
            "Export what the report shows: GeoPackage, KMZ, COG and CSV.",
        ),
    ):
        command = add(
            commands,
            name,
            lambda chosen, name=name, run=run: _with_coverage(run, name, chosen),
            text,
        )
        declare(command)
        _add_coverage_options(command)


def _with_coverage(
    run: Callable[[Workspace, argparse.Namespace, CoverageRequest, Callable[[float], None]], None],
    label: str,
    arguments: argparse.Namespace,
) -> None:
    """Run a command that shows the coverage that is asked for."""
    from coverage.propagation.ranges import ModelRangeWarning

    workspace = _open_for_coverage(arguments)
    request = _request(arguments, None)
    with _Progress(label) as progress, warnings.catch_warnings():
        # The result's notes say it once, for all cells.
        warnings.simplefilter("ignore", ModelRangeWarning)
        run(workspace, arguments, request, progress)


def _add_scenario_commands(
    commands: argparse._SubParsersAction[_Parser],
    add: Callable[..., argparse.ArgumentParser],
) -> None:
    group = commands.add_parser("scenario", help="networks with changes, and what they bring")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    simple: tuple[tuple[str, Any, Any, str], ...] = (
        (
            "create",
            scenario_commands.create,
            scenario_commands.add_create_options,
            "Make a scenario.",
        ),
        ("list", scenario_commands.show_list, None, "List the scenarios of the area."),
        (
            "add",
            scenario_commands.add,
            scenario_commands.add_change_options,
            "Add changes to a scenario.",
        ),
        ("delete", scenario_commands.delete, scenario_commands.add_number, "Delete a scenario."),
    )
    for name, run, declare, text in simple:
        command = add(actions, name, lambda chosen, run=run: run(_open(chosen), chosen), text)
        if declare is not None:
            declare(command)
    compare = add(
        actions,
        "compare",
        _scenario_compare,
        "Compare scenarios with the present network: coverage by commune, cost, people.",
    )
    scenario_commands.add_compare_options(compare)
    _add_coverage_options(compare)


def _share_optimise(arguments: argparse.Namespace) -> None:
    workspace = _open_for_coverage(arguments)
    _check_out(arguments.out)
    operators = tuple(arguments.operator) if arguments.operator else None
    with _Progress("share optimise") as progress:
        siting_commands.optimise(workspace, arguments, _request(arguments, operators), progress)


def _scenario_compare(arguments: argparse.Namespace) -> None:
    workspace = _open_for_coverage(arguments)
    _check_out(arguments.out)
    with _Progress("scenario compare") as progress:
        scenario_commands.compare(workspace, arguments, _request(arguments, None), progress)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m planning", description="Telecom infrastructure planning.")
    workspace = _Parser(add_help=False)
    workspace.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder of the study area (default: $PHUSONG_WORKSPACE, else the user's data folder)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        group: argparse._SubParsersAction[_Parser],
        name: str,
        run: Callable[[argparse.Namespace], None],
        text: str,
    ) -> argparse.ArgumentParser:
        command = group.add_parser(name, parents=[workspace], help=text, description=text)
        command.set_defaults(run=run)
        return command

    data = commands.add_parser("data", help="build, import, check and list the data of an area")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    build = add(actions, "build", _data_build, "Build a study area.")
    _add_build_options(build)
    load = add(actions, "import", _data_import, "Check a file and put it into a layer.")
    load.add_argument(
        "layer", help="masts, cells, … or a raster: terrain, clutter, population, building_height"
    )
    load.add_argument("file", type=Path)
    load.add_argument("--sheet", help="sheet of an Excel workbook that has several")
    load.add_argument("--table", help="layer of a GeoPackage that has several")
    load.add_argument(
        "--mapping",
        type=_mapping,
        action="append",
        metavar="OURS=THEIRS,…",
        help="columns whose name in the file is not recognised, e.g. height_m=H1,owner=Firm, or "
        "shall not be (-=Note); kept for files with the same columns",
    )
    load.add_argument(
        "--forget-mapping",
        action="store_true",
        help="forget what was decided for files with these columns",
    )
    load.add_argument(
        "--unit",
        type=_units,
        action="append",
        metavar="COLUMN=UNIT,…",
        help="units that the file does not say, e.g. power=W,height=ft",
    )
    load.add_argument(
        "--crs",
        help="CRS of the places, where the file does not say it: EPSG:9210, vn2000:hanam, "
        "vn2000:105-30",
    )
    load.add_argument(
        "--encoding",
        help="encoding of the text where it is not recognised: utf-16, tcvn3, vni, viscii, cp1258",
    )
    load.add_argument(
        "--preview",
        action="store_true",
        help="say how the file is read and what is wrong with it, and change nothing",
    )
    load.add_argument(
        "--problems", type=Path, metavar="FILE.csv", help="save every problem with its row"
    )
    load.add_argument(
        "--coordinates",
        type=_coordinates,
        metavar="X,Y,CRS",
        help="columns of the coordinates and their CRS (default: lon and lat in WGS 84)",
    )
    load.add_argument(
        "--add", action="store_true", help="add the rows to the layer instead of replacing it"
    )
    load.add_argument(
        "--accept-rows",
        action="store_true",
        help="import the good rows of a file that has bad ones",
    )
    load.add_argument(
        "--drop-orphans",
        action="store_true",
        help="remove the cells whose mast, and the links whose site, is not among the new ones",
    )
    load.add_argument(
        "--source", dest="source_name", default="", help="who made the data (default: the file)"
    )
    load.add_argument("--licence", default="", help="terms of use of the data")
    load.add_argument("--vintage", default="", help="time that the data describe")
    undo = add(actions, "undo", _data_undo, "Take the last import back.")
    undo.add_argument(
        "--list", action="store_true", help="say what can be taken back, the last import first"
    )
    export = add(
        actions,
        "export",
        lambda arguments: data_commands.export(_open(arguments), arguments),
        "Write a layer to a file that other programs open.",
    )
    data_commands.add_export_options(export)
    transfer = add(
        actions,
        "transfer",
        lambda arguments: data_commands.transfer(_open(arguments), arguments),
        "Bring figures by zone to the zones of another day.",
    )
    data_commands.add_transfer_options(transfer)
    pattern = add(
        actions, "pattern", _data_pattern, "Check antenna pattern files and keep them for cells."
    )
    pattern.add_argument("file", type=Path, nargs="+", help="Planet format (.msi, .pln)")
    add(actions, "check", _data_check, "Say what is wrong with the data, row by row.")
    add(actions, "list", _data_list, "Say what is there and where it comes from.")

    coverage = add(commands, "coverage", _coverage, "Compute radio coverage.")
    coverage.add_argument("--operator", type=_words, metavar="NAME,…", help="default: all")
    _add_coverage_options(coverage)

    explain = add(
        commands,
        "explain",
        _explain,
        "Say what is received at a place, from where, and what is lost on the way.",
    )
    explain_commands.add_options(explain)
    explain.add_argument("--operator", type=_words, metavar="NAME,…", help="default: all")
    _add_coverage_options(explain, needs_out=False)

    products = add(
        commands,
        "products",
        _products,
        "Draw service zones, coverage holes and the switch-off check.",
    )
    products.add_argument("--operator", metavar="NAME", help="one operator (default: any of them)")
    products.add_argument(
        "--going",
        type=_words,
        metavar="2g,…",
        help="technologies that are switched off (2g)",
    )
    products.add_argument(
        "--staying",
        type=_words,
        metavar="3g,4g,…",
        help="technologies that stay (all others)",
    )
    products.add_argument(
        "--minimum-area",
        type=_not_negative,
        default=0.0,
        metavar="KM2",
        help="leave smaller areas out (0)",
    )
    products.add_argument(
        "--simplify",
        type=_not_negative,
        default=0.0,
        metavar="M",
        help="how far an outline may leave the pixels' edges (0)",
    )
    _add_coverage_options(products)

    calibrate = add(
        commands, "calibrate", _calibrate, "Calibrate a propagation model with a drive test."
    )
    calibrate.add_argument(
        "measurements", type=Path, help="CSV file with lat, lon, level_dbm and cell_id"
    )
    calibrate.add_argument("--name", required=True, help="name of the calibrated model")
    calibrate.add_argument("--model", default="p1812", help="propagation model (default: p1812)")
    calibrate.add_argument(
        "--floor", type=_number, metavar="DBM", help="least level that the receiver reports"
    )
    calibrate.add_argument(
        "--replace", action="store_true", help="replace the calibrated model of this name"
    )

    broadband = add(
        commands,
        "broadband",
        _broadband,
        "Compute which homes the fibre network can serve, and mobile broadband beside it.",
    )
    broadband.add_argument(
        "--drop-m",
        type=_positive,
        default=300.0,
        metavar="M",
        help="longest drop from a home along the routes to an access point (300)",
    )
    broadband.add_argument(
        "--access-reach-m",
        type=_positive,
        default=300.0,
        metavar="M",
        help="how far homes and access points may stand off a route (300)",
    )
    broadband.add_argument(
        "--rate-mbps",
        type=_positive,
        default=10.0,
        metavar="R",
        help="least rate that counts as mobile broadband (10)",
    )
    broadband.add_argument(
        "--ports",
        choices=("all", "free"),
        default="all",
        help="count ports in use as serving a home (all, the default), or only free ports",
    )
    broadband.add_argument(
        "--homes",
        choices=("auto", "population", "villages"),
        default="auto",
        help="what homes are made of (default: the population raster, else villages)",
    )
    broadband.add_argument(
        "--homes-file",
        type=Path,
        metavar="FILE",
        help="points or outlines of homes, with households or population where known",
    )
    broadband.add_argument(
        "--household-size",
        type=_positive,
        default=3.6,
        metavar="N",
        help="people of one household where the zones do not say (3.6)",
    )
    broadband.add_argument(
        "--no-mobile",
        dest="mobile",
        action="store_false",
        help="do not compute mobile coverage; use it if it was computed before",
    )
    broadband.add_argument("--threads", type=_whole(1), metavar="N", help="default: all processors")
    broadband.add_argument("--out", type=Path, required=True, metavar="DIR")

    fibre = commands.add_parser("fibre", help="design fibre routes")
    fibre_actions = fibre.add_subparsers(required=True, metavar="ACTION")
    design = add(
        fibre_actions,
        "design",
        _fibre_design,
        "Connect sites at least cost, or most people for a budget.",
    )
    _add_design_options(design)

    fibre_commands.add_access_options(
        add(
            fibre_actions,
            "access",
            lambda arguments: _with_progress(fibre_commands.access, "fibre access", arguments),
            "Place cabinets and splitters for homes without fixed broadband.",
        )
    )
    fibre_commands.add_share_options(
        add(
            fibre_actions,
            "share",
            lambda arguments: _with_progress(fibre_commands.share, "fibre share", arguments),
            "Compare routes to the masts of several owners, built apart and together.",
        )
    )

    network = commands.add_parser("network", help="the dedicated data network of government")
    network_actions = network.add_subparsers(required=True, metavar="ACTION")
    network_commands.add_status_options(
        add(
            network_actions,
            "status",
            lambda arguments: network_commands.network_status(_open(arguments), arguments),
            "Count who is connected on a day, what single failures cut off, and check the rules.",
        )
    )
    failures = add(
        network_actions,
        "failures",
        lambda arguments: network_plan_commands.network_failures(
            _open(arguments), arguments, _Progress("network failures")
        ),
        "Say what single failures cut off, how often sites are served, and where it is tight.",
    )
    failures.add_argument(
        "--on", metavar="DATE", help="day, as YYYY-MM-DD (default: the state as recorded)"
    )
    failures.add_argument(
        "--samples",
        type=_whole(1, 10_000_000),
        default=20_000,
        metavar="N",
        help="of availabilities that are too much work to compute (20000)",
    )
    failures.add_argument("--out", type=Path, required=True, metavar="DIR")
    extend = add(
        network_actions,
        "design",
        lambda arguments: network_plan_commands.network_design(
            _open(arguments), arguments, _Progress("network design")
        ),
        "Connect the other sites at least cost, and protect chosen ones by rings.",
    )
    extend.add_argument(
        "--budget",
        type=_not_negative,
        metavar="N",
        help="what may be spent, in the currency of the unit costs (default: all that is asked)",
    )
    extend.add_argument(
        "--points",
        type=_whole(0, 20),
        default=4,
        metavar="N",
        help="steps of the trade-off between cost and availability (4)",
    )
    _add_network_design_options(extend)
    phase = add(
        network_actions,
        "phase",
        lambda arguments: network_plan_commands.network_phase(
            _open(arguments), arguments, _Progress("network phase")
        ),
        "Plan which sites are connected in which year.",
    )
    phase.add_argument(
        "--years", type=_whole(1, 30), required=True, metavar="N", help="length of the plan"
    )
    phase.add_argument(
        "--budget-per-year",
        type=_not_negative,
        required=True,
        metavar="N",
        help="in the currency of the unit costs",
    )
    phase.add_argument(
        "--priority",
        default="criticality",
        metavar="WHAT",
        help="who comes first: criticality (the default), level, or none",
    )
    phase.add_argument(
        "--first-year", type=_whole(1900, 2200), metavar="YYYY", help="default: years from 1 on"
    )
    phase.add_argument(
        "--no-carry-over",
        dest="carry_over",
        action="store_false",
        help="money that is left in a year is lost",
    )
    _add_network_design_options(phase)

    share_actions = share_commands.add_commands(commands, add, _open, _Progress)
    optimise = add(
        share_actions,
        "optimise",
        _share_optimise,
        "Choose sites that bring most coverage for the money, and plan the years.",
    )
    siting_commands.add_options(optimise, _not_negative, _whole(1))
    _add_coverage_options(optimise, scheduler=False)

    _add_scenario_commands(commands, add)
    records_commands.declare(commands, add, _publish)
    proposal_commands.add_commands(commands, add, _open, _Progress)
    _add_indicator_commands(commands, add)
    _add_report_commands(commands, add)

    app = add(commands, "app", _app, "Start the app in the browser.")
    app.add_argument("--port", type=_whole(1, 65535), metavar="N", help="default: 8501")
    app.add_argument("--headless", action="store_true", help="do not open a browser")
    app.add_argument(
        "--address",
        metavar="ADDRESS",
        help="address to listen on, e.g. 0.0.0.0 for the network (default: this machine only)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        The words after the program's name; those of the process if None.

    Returns
    -------
    int
        0, or 2 after one readable line on standard error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for name in ("--bbox", "--at"):
        if name in words[:-1]:
            # A place west of Greenwich begins like an option.
            at = words.index(name)
            words[at : at + 2] = [f"{name}={words[at + 1]}"]
    chosen = _parser().parse_args(words)
    try:
        chosen.run(chosen)
        sys.stdout.flush()
    except PhuSongError as error:
        print(f"Error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # The reader of the output, such as `head`, has seen enough. What is left
        # must go nowhere, or the interpreter complains when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"Error: {place}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("Stopped; nothing was changed", file=sys.stderr)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
