"""Reported shares that computed ones are set beside on several pages.

They are values of the indicators, where they are entered and kept with their history; see
`planning.indicator_values`. A reported percentage means little without its denominator
(share of what?) and its method (which model, level and probability?), so both belong to
it, and a figure that lacks one is shown as such.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.i18n import mark
from data.records.engine import Records
from data.store import Workspace
from planning import indicator_values
from planning.indicator_values import Value

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


def read(area: Workspace, records: Records | None) -> list[ReportedFigure]:
    """Return the newest reported share of each service and denominator.

    Parameters
    ----------
    area
        The workspace.
    records
        The records database, None where there is none.

    Returns
    -------
    list of ReportedFigure
        In the order of `SUBJECTS` and `DENOMINATORS`.

    Raises
    ------
    InputError
        If a file of the workspace with reported figures cannot be read.
    """
    reported = indicator_values.latest(
        item for item in indicator_values.read(area, records) if item.kind == "reported"
    )
    return list(_figures(reported))


def _figures(reported: dict[tuple[str, str], Value]) -> Iterator[ReportedFigure]:
    for subject in SUBJECTS:
        for denominator in DENOMINATORS:
            code = indicator_values.indicator_of(subject, denominator)
            item = reported.get((code, "")) if code is not None else None
            # A mobile figure that does not say of what lies among those of the area.
            if item is None or item.value is None or item.denominator != denominator:
                continue
            yield ReportedFigure(
                subject, denominator, item.value, item.method, item.source, item.as_of
            )
