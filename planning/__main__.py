"""The command line: ``python -m planning …``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import PhuSongError

if TYPE_CHECKING:
    from data.store import Workspace

#: Exit code of input that cannot be used.
BAD_INPUT = 2


class _Progress:
    """A line on standard error that shows how far the work is."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = -1
        self._live = sys.stderr.isatty()

    def __call__(self, share: float) -> None:
        percent = int(100.0 * share)
        # A terminal gets every percent on one line, a log file every tenth one.
        step = 1 if self._live else 10
        if percent // step == self._shown:
            return
        self._shown = percent // step
        end = "" if self._live and percent < 100 else "\n"
        start = "\r" if self._live else ""
        print(f"{start}{self._label}: {percent} %", end=end, file=sys.stderr, flush=True)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _workspace_folder(arguments: argparse.Namespace, area: str = "demo") -> Path:
    from data.store import default_workspace

    return arguments.workspace or default_workspace(area)


def _open(arguments: argparse.Namespace) -> Workspace:
    """Open the workspace asked for; the embedded default area is built where it is missing."""
    from data import build
    from data.store import Workspace

    folder = _workspace_folder(arguments)
    if arguments.workspace is None and not folder.exists():
        print(f"Building the default study area in {folder}", file=sys.stderr)
        return build.build("demo", folder, on_progress=_Progress("demo"))
    return Workspace.open(folder)


def _data_build(arguments: argparse.Namespace) -> None:
    from data import build

    folder = _workspace_folder(arguments, arguments.area)
    workspace = build.build(
        arguments.area,
        folder,
        source_folder=arguments.source,
        on_progress=_Progress(f"build {arguments.area}"),
    )
    print(f"{workspace.area.title_en}: {folder}")
    _print_layers(workspace)
    _print_problems(workspace)


def _data_import(arguments: argparse.Namespace) -> None:
    from data import importers

    workspace = _open(arguments)
    report = importers.import_layer(
        workspace,
        arguments.layer,
        arguments.file,
        accept_rows=arguments.accept_rows,
        on_progress=_Progress(f"import {arguments.layer}"),
    )
    for problem in report.problems:
        print(problem, file=sys.stderr)
    print(f"{arguments.layer}: {report.rows_written} of {report.rows_read} rows imported")


def _data_check(arguments: argparse.Namespace) -> int:
    errors = _print_problems(_open(arguments))
    return BAD_INPUT if errors else 0


def _data_list(arguments: argparse.Namespace) -> None:
    workspace = _open(arguments)
    print(f"{workspace.area.title_en} ({workspace.area.name}): {workspace.folder}")
    _print_layers(workspace)


def _print_layers(workspace: Workspace) -> None:
    from data import check

    for line in check.describe(workspace):
        print(line)


def _print_problems(workspace: Workspace) -> int:
    from data import check

    problems = check.check(workspace)
    for problem in problems:
        print(f"{problem.severity}: {problem}")
    if not problems:
        print("No problem was found")
    return sum(problem.severity == "error" for problem in problems)


def _coverage(arguments: argparse.Namespace) -> None:
    from coverage import results, run, technology

    request = run.CoverageRequest(
        technologies=tuple(name.upper() for name in arguments.technology),
        operators=arguments.operator,
        model=arguments.model,
        resolution_m=arguments.resolution,
        threshold_profile=arguments.thresholds,
        probability=arguments.probability,
        radius_m=1000.0 * arguments.radius_km,
    )
    result = run.compute(
        _open(arguments),
        request,
        threads=arguments.threads,
        scheduler=arguments.scheduler,
        on_progress=_Progress("coverage"),
    )
    results.save(result, arguments.out)
    for note in result.summary["provenance"]["notes"]:
        print(note["text"])
    first = result.summary["zones"][0]
    for zone in result.summary["zones"]:
        if zone["level"] == first["level"]:
            for name in (*request.technologies, *technology.COMBINATIONS):
                if name in zone:
                    print(_figure(zone, name))
    print(f"Written to {arguments.out}")


def _figure(zone: dict[str, Any], name: str) -> str:
    figure = zone[name]
    parts = []
    for measure in ("area", "population", "village"):
        value = figure.get(f"{measure}_percent")
        if value is not None:
            low, high = figure[f"{measure}_interval"]
            parts.append(f"{value:.1f} % of {measure} ({low:.1f} to {high:.1f})")
    return f"{zone['name']}, {name.replace('_', ' ')}: {', '.join(parts)}"


def _app(arguments: argparse.Namespace) -> int:
    root = Path(__file__).resolve().parent.parent
    environment = dict(os.environ)
    if arguments.workspace is not None:
        environment["PHUSONG_WORKSPACE"] = str(arguments.workspace.resolve())
    command = [sys.executable, "-m", "streamlit", "run", str(root / "streamlit_app.py")]
    if arguments.port is not None:
        command += ["--server.port", str(arguments.port)]
    if arguments.headless:
        command += ["--server.headless", "true"]
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode  # noqa: S603


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"{text} is not greater than 0")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m planning", description="Telecom infrastructure planning."
    )
    workspace = argparse.ArgumentParser(add_help=False)
    workspace.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder of the study area (default: $PHUSONG_WORKSPACE, else the user's data folder)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        group: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        run: Callable[[argparse.Namespace], int | None],
        text: str,
    ) -> argparse.ArgumentParser:
        command = group.add_parser(name, parents=[workspace], help=text, description=text)
        command.set_defaults(run=run)
        return command

    data = commands.add_parser("data", help="build, import, check and list the data of an area")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    build = add(actions, "build", _data_build, "Build a study area.")
    build.add_argument("--area", default="demo", help="name of the area (default: demo)")
    build.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="folder with the area's files"
    )
    load = add(actions, "import", _data_import, "Check a file and put it into a layer.")
    load.add_argument("layer", help="masts, cells, …")
    load.add_argument("file", type=Path)
    load.add_argument(
        "--accept-rows",
        action="store_true",
        help="import the good rows of a file that has bad ones",
    )
    add(actions, "check", _data_check, "Say what is wrong with the data, row by row.")
    add(actions, "list", _data_list, "Say what is there and where it comes from.")

    coverage = add(commands, "coverage", _coverage, "Compute radio coverage.")
    coverage.add_argument("--technology", type=_words, default=("2G", "3G", "4G"), metavar="2g,3g")
    coverage.add_argument("--operator", type=_words, metavar="NAME,…", help="default: all")
    coverage.add_argument("--model", default="p1812")
    coverage.add_argument("--resolution", type=_positive, metavar="M", help="pixel size in metres")
    coverage.add_argument("--thresholds", default="outdoor", metavar="PROFILE")
    coverage.add_argument("--probability", type=float, metavar="P", help="0 to 1")
    coverage.add_argument("--radius-km", type=_positive, default=10.0)
    coverage.add_argument("--threads", type=int, metavar="N", help="default: all processors")
    coverage.add_argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="have the masts predicted by a Dask cluster"
    )
    coverage.add_argument("--out", type=Path, required=True, metavar="DIR")

    app = add(commands, "app", _app, "Start the app in the browser.")
    app.add_argument("--port", type=int)
    app.add_argument("--headless", action="store_true", help="do not open a browser")
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
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except PhuSongError as error:
        print(f"Error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("Stopped; nothing was changed", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
