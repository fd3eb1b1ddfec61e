"""Reported figures that computed ones are set beside; kept in the workspace as JSON.

A reported percentage means little without its denominator (share of what?) and
its method (which model, level and probability?), so both are fields, and a
figure that lacks one is shown as such.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from app.i18n import mark
from data.errors import InputError

FILE = "reported_figures.json"

#: What a figure may be about; those that are computed carry the name of the service.
SUBJECTS = {
    "2G": mark("2G coverage"),
    "3G": mark("3G coverage"),
    "4G": mark("4G coverage"),
    "5G": mark("5G coverage"),
    "3G_or_4G": mark("3G or 4G coverage"),
    "any": mark("Coverage of any technology"),
    "broadband": mark("Fixed broadband coverage"),
}

#: What a share may be of; the empty one is "not stated".
DENOMINATORS = {
    "": mark("not stated"),
    "area": mark("area"),
    "population": mark("population"),
    "village": mark("villages"),
    "household": mark("households"),
}


@dataclass(frozen=True)
class ReportedFigure:
    """A percentage that somebody reported.

    Parameters
    ----------
    subject
        Key of `SUBJECTS`.
    denominator
        Key of `DENOMINATORS`; empty where the source does not say.
    percent
        The figure, 0 to 100. [%]
    method
        How it was found; empty where the source does not say.
    source
        Who reported it, and where.
    date
        State of the figure, ISO date text; empty where unknown.
    """

    subject: str
    denominator: str
    percent: float
    method: str = ""
    source: str = ""
    date: str = ""


_REPORT_2020 = "Báo cáo của Sở Thông tin và Truyền thông tỉnh Hà Nam"
_NEWSPAPER = "Báo Hà Nam (baohanam.com.vn), bài về quản lý trạm thu phát sóng điện thoại di động"

#: What was reported about Hà Nam; other areas start without figures.
HA_NAM = (
    ReportedFigure("2G", "area", 99.0, source=_REPORT_2020, date="2020-11-16"),
    ReportedFigure("3G_or_4G", "area", 93.0, source=_REPORT_2020, date="2020-11-16"),
    ReportedFigure("broadband", "", 80.0, source=_REPORT_2020, date="2020-11-16"),
    ReportedFigure("2G", "population", 100.0, source=_NEWSPAPER),
    ReportedFigure("3G_or_4G", "population", 95.0, source=_NEWSPAPER),
)

_AREAS_OF_HA_NAM = ("demo", "hanam")


def checked(fields: dict[str, Any], row: int) -> ReportedFigure:
    """Build a figure from what a person or a file gives.

    Parameters
    ----------
    fields
        The fields of `ReportedFigure`.
    row
        Its number, for the message.

    Returns
    -------
    ReportedFigure
        The figure.

    Raises
    ------
    InputError
        If the subject is missing or unknown, or the value is no percentage.
    """
    subject = str(fields.get("subject") or "")
    if subject not in SUBJECTS:
        raise InputError(
            "Reported figure {row}: choose what the figure is about (found {value})",
            row=row,
            value=subject or "–",
        )
    denominator = str(fields.get("denominator") or "")
    if denominator not in DENOMINATORS:
        raise InputError(
            "Reported figure {row}: {value} is not a denominator (expected one of {expected})",
            row=row,
            value=denominator,
            expected=", ".join(key for key in DENOMINATORS if key),
        )
    value = fields.get("percent")
    try:
        percent = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        percent = math.nan
    if not 0.0 <= percent <= 100.0:
        raise InputError(
            "Reported figure {row}: the value is {value} (expected a number from 0 to 100)",
            row=row,
            value="–" if value is None else value,
        )
    texts = {
        name: "" if fields.get(name) is None else str(fields[name]).strip()
        for name in ("method", "source", "date")
    }
    return ReportedFigure(subject, denominator, percent, **texts)


def read(folder: Path, area: str) -> list[ReportedFigure]:
    """Read the figures of a workspace.

    Parameters
    ----------
    folder
        The workspace's folder.
    area
        Name of its study area; Hà Nam starts with what was reported about it.

    Returns
    -------
    list of ReportedFigure
        The figures.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return list(HA_NAM) if area in _AREAS_OF_HA_NAM else []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return [checked(dict(entry), row) for row, entry in enumerate(entries, start=1)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "{file} cannot be read (expected a list of reported figures in JSON)", file=FILE
        ) from error


def write(folder: Path, figures: list[ReportedFigure]) -> None:
    """Keep the figures in the workspace; the old file stays until the new one is whole.

    Parameters
    ----------
    folder
        The workspace's folder.
    figures
        All figures.
    """
    text = json.dumps(
        {"figures": [dataclasses.asdict(figure) for figure in figures]},
        ensure_ascii=False,
        indent=1,
    )
    with filelock.FileLock(folder / f".{FILE}.lock"):
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{FILE}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(folder / FILE)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
