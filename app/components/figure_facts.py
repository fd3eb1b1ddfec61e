"""What figures were computed from, as facts for `how.show`: from what results say themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from app import formats, labels
from app.i18n import _
from coverage import models
from coverage.request import CoverageRequest, make_plan
from data.area import Provenance
from data.store import Workspace

Facts = list[tuple[str, str]]

#: Layers that coverage depends on, in the order in which they are named.
_COVERAGE_LAYERS = (
    "zones", "masts", "cells", "terrain", "clutter", "building_height", "population", "villages",
)  # fmt: skip


def function(name: str) -> tuple[str, str]:
    """Return the fact which function of the program computed a figure.

    Parameters
    ----------
    name
        With its module, such as ``"coverage.run.compute"``.
    """
    return _("Computed by"), name


def state(day: str | None) -> tuple[str, str]:
    """Return the fact which state of the dedicated network was looked at.

    Parameters
    ----------
    day
        ISO date; None for what is recorded as connected.
    """
    return _("State of the network"), _("As recorded") if day is None else formats.date(day)


def time_limit(seconds: float) -> tuple[str, str]:
    """Return the fact how long a search may last.

    Parameters
    ----------
    seconds
        The limit. [s]
    """
    written = formats.quantity(seconds, _("s"))
    return _("Time for the search"), _("at most {time}", time=written)


def threshold(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return the fact from which level and probability on a technology is received.

    Parameters
    ----------
    item
        A `coverage.technology.Threshold` as JSON.
    """
    text = _(
        "{metric} of at least {level} with a probability of {probability}",
        metric=item["metric"],
        level=formats.quantity(item["threshold_dbm"], "dBm"),
        probability=formats.percent(item["probability"], 0),
    )
    if not item["verified"]:
        text += f" ({_('not checked against a regulation')})"
    return _("Threshold {technology}", technology=item["technology"]), text


def origin(item: Mapping[str, Any], *, licence: bool = True) -> str:
    """Say where a layer comes from: source, time that it describes, day of reading.

    Parameters
    ----------
    item
        A `data.area.Provenance` as JSON.
    licence
        Whether its terms of use are named.
    """
    read_on = item.get("retrieved_at")
    parts = [
        _("illustrative") if item["illustrative"] else "",
        _(item["source"]),
        _(item.get("vintage") or ""),
        _(item.get("licence") or "") if licence else "",
        _("read on {date}", date=formats.date(read_on)) if read_on else "",
    ]
    return " · ".join(part for part in parts if part)


def data(
    origins: Mapping[str, Mapping[str, Any]] | Mapping[str, Provenance],
    names: Iterable[str] | None = None,
) -> Facts:
    """Return where layers come from.

    Parameters
    ----------
    origins
        Layer -> its provenance, also as JSON.
    names
        Which layers, in this order; those without provenance are left out. All if None.
    """
    known = {
        name: dataclasses.asdict(item) if isinstance(item, Provenance) else item
        for name, item in origins.items()
    }
    wanted = known if names is None else [name for name in names if name in known]
    return [(labels.layer(name), origin(known[name], licence=False)) for name in wanted]


def coverage(summary: Mapping[str, Any], service: str | None = None) -> Facts:
    """Return how a coverage was computed.

    Parameters
    ----------
    summary
        Content of `coverage.json`.
    service
        Technology whose threshold counts; all where it is a union of several, or None.
    """
    said = summary["provenance"]
    thresholds = said["thresholds"]
    named = [thresholds[service]] if service in thresholds else list(thresholds.values())
    return [
        (_("Propagation model"), said["model_reference"]),
        *(threshold(item) for item in named),
        (_("Resolution"), formats.quantity(summary["resolution_m"], "m")),
        *data(said["inputs"], _COVERAGE_LAYERS),
        (_("Result"), f"{said['key']} ({_('engine')} {said['engine_version']})"),
        function("coverage.run.compute"),
    ]


def asked(area: Workspace, request: CoverageRequest, *technologies: str) -> Facts:
    """Return by what coverage other figures are judged.

    Parameters
    ----------
    area
        The workspace.
    request
        How coverage is computed.
    technologies
        Those that count; all of the request if none.
    """
    plan = make_plan(area, request)
    named = technologies or request.technologies
    return [
        (_("Propagation model"), models.get_model(request.model).reference),
        (_("Calibrated model"), request.calibration or ""),
        *(threshold(dataclasses.asdict(plan.thresholds[name])) for name in named),
        (_("Resolution"), formats.quantity(plan.grid.resolution_m, "m")),
    ]


def coverage_data(origins: Mapping[str, Mapping[str, Any]] | Mapping[str, Provenance]) -> Facts:
    """Return where the layers come from that coverage depends on."""
    return data(origins, _COVERAGE_LAYERS)
