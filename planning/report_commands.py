"""Commands that write the provincial report and export what it shows."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError, PhuSongError

if TYPE_CHECKING:
    from coverage.request import CoverageRequest
    from data.records.engine import Records
    from data.store import Workspace
    from planning.reports.inputs import Inputs
    from planning.reports.model import Document

Progress = Callable[[float], None]


def words(text: str) -> tuple[str, ...]:
    """Read a list with commas."""
    return tuple(word for word in (part.strip().lower() for part in text.split(",")) if word)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--parts",
        type=words,
        metavar="PART,PART,…",
        help="summary, indicators, coverage, holes, broadband, network, annexes, sharing, "
        "changes, method, data (default: all but sharing)",
    )
    command.add_argument(
        "--sharing",
        action="store_true",
        help="add a plan for sharing masts to the default parts; takes minutes",
    )


def add_report_options(command: argparse.ArgumentParser) -> None:
    """Declare what `report` takes, beside the options of a coverage."""
    command.add_argument(
        "--format",
        type=words,
        default=("docx", "pdf", "xlsx"),
        metavar="docx,pdf,xlsx",
        help="default: docx,pdf,xlsx",
    )
    command.add_argument(
        "--language",
        type=words,
        default=("vi", "en"),
        metavar="vi,en",
        help="one file for each (vi,en)",
    )
    command.add_argument(
        "--previous",
        type=Path,
        metavar="FILE",
        help="report.json of the report to compare with (default: the one in the folder --out)",
    )
    _add_options(command)


def add_export_options(command: argparse.ArgumentParser) -> None:
    """Declare what `export` takes, beside the options of a coverage."""
    command.add_argument(
        "--format",
        type=words,
        default=("gpkg", "kmz", "cog", "csv"),
        metavar="gpkg,kmz,cog,csv",
        help="default: gpkg,kmz,cog,csv",
    )
    command.add_argument(
        "--language",
        type=words,
        default=("vi",),
        metavar="vi|en",
        help="of the texts in KMZ and CSV (vi)",
    )
    _add_options(command)


def report(
    workspace: Workspace,
    arguments: argparse.Namespace,
    request: CoverageRequest,
    on_progress: Progress,
) -> None:
    """Write the provincial report."""
    from planning.reports import figures, files, inputs, write
    from planning.reports.language import languages

    formats = files.checked_formats(arguments.format, write.FORMATS)
    spoken = [language.code for language in languages(arguments.language)]
    inputs.folder_of(arguments.out)
    earlier = figures.read(arguments.previous or arguments.out)
    if arguments.previous is not None and earlier is None:
        raise InputError("There is no file {file}", file=arguments.previous)
    _, document = _document(
        workspace, arguments, request, earlier, lambda share: on_progress(0.5 * share)
    )
    written = write.save(
        document,
        arguments.out,
        formats=formats,
        codes=spoken,
        on_progress=lambda share: on_progress(0.5 + 0.5 * share),
    )
    for path in written:
        print(path)


def export(
    workspace: Workspace,
    arguments: argparse.Namespace,
    request: CoverageRequest,
    on_progress: Progress,
) -> None:
    """Export what the report shows as data."""
    from planning.reports import exports, files, inputs
    from planning.reports.language import languages

    formats = files.checked_formats(arguments.format, exports.FORMATS)
    spoken = languages(arguments.language)
    if len(spoken) != 1:
        raise InputError("Exports are in one language; --language has {count}", count=len(spoken))
    inputs.folder_of(arguments.out)
    known, document = _document(
        workspace, arguments, request, None, lambda share: on_progress(0.7 * share)
    )
    written = exports.save(
        known,
        document,
        arguments.out,
        formats=formats,
        language=spoken[0],
        on_progress=lambda share: on_progress(0.7 + 0.3 * share),
    )
    for path in written:
        print(path)


def _document(
    workspace: Workspace,
    arguments: argparse.Namespace,
    request: CoverageRequest,
    earlier: dict[str, object] | None,
    on_progress: Progress,
) -> tuple[Inputs, Document]:
    """Gather and build; say what is illustrative and what is missing."""
    from planning.reports import build, inputs

    parts = arguments.parts or inputs.DEFAULT_PARTS
    if arguments.sharing:
        parts = (*parts, "sharing")
    parts = inputs.checked_parts(parts)
    known = inputs.gather(
        workspace,
        request,
        records=_records(workspace),
        parts=parts,
        previous=earlier,
        threads=arguments.threads,
        scheduler=arguments.scheduler,
        on_progress=on_progress,
    )
    document = build.build(known)
    if document.banner is not None:
        print(document.banner)
    for part, reason in known.missing.items():
        print(f"Not computed: {part}: {reason}")
    return known, document


def _records(workspace: Workspace) -> Records | None:
    """Open the records of a workspace; without them the built-in indicators are shown."""
    from data.records import engine

    try:
        return engine.Records.open(workspace.folder.parent)
    except (PhuSongError, OSError) as error:
        print(f"The records cannot be read, so only built-in indicators are shown: {error}")
        return None
