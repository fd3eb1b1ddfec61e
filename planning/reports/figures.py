"""Figures that one report compares with the next, and what became of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coverage.results import ANY_OPERATOR
from data.errors import InputError, message
from planning import names
from planning.broadband_request import SERVED
from planning.reports import words
from planning.reports.inputs import Inputs

#: File with a report's figures, beside the report.
FILE = "report.json"


def of(inputs: Inputs) -> dict[str, dict[str, Any]]:
    """Return the figures of a report by key.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    dict
        Key -> kind (``share`` or ``number``), value, low and high where there is an
        interval, and what it is about (group, subject, measure, zone, name).
    """
    found: dict[str, dict[str, Any]] = {}
    wanted = {inputs.whole, *(int(zone) for zone in inputs.communes.index)}
    if inputs.coverage is not None:
        own = inputs.coverage.figures
        own = own[(own["operator"] == ANY_OPERATOR) & own["zone"].isin(wanted)]
        for row in own.to_dict("records"):
            _add(found, inputs, "coverage", row)
    if inputs.broadband is not None:
        own = inputs.broadband.figures
        own = own[(own["service"] == SERVED) & (own["measure"] == "household")]
        for row in own[own["zone"].isin(wanted)].to_dict("records"):
            _add(found, inputs, "broadband", row)
    if inputs.network is not None:
        for measure in ("connected", "lan", "video_conference", "reachable"):
            count, whole = inputs.network.figure(measure)
            found[f"network/{measure}"] = {
                "kind": "number",
                "group": "network",
                "subject": measure,
                "measure": "",
                "zone": "",
                "name": "",
                "value": count,
                "of": whole,
            }
    for layer in ("masts", "cells", "fibre_segments"):
        frame = inputs.layer(layer)
        if frame is not None:
            value = len(frame) if layer != "fibre_segments" else frame.length.sum() / 1000.0
            found[f"inventory/{layer}"] = {
                "kind": "number",
                "group": "inventory",
                "subject": layer,
                "measure": "",
                "zone": "",
                "name": "",
                "value": float(value),
            }
    return found


def _add(
    found: dict[str, dict[str, Any]], inputs: Inputs, group: str, row: Mapping[Any, Any]
) -> None:
    zone = inputs.zones.loc[int(row["zone"])]
    share = float(row["share"])
    if share != share:
        return
    since = zone["valid_from"] if isinstance(zone["valid_from"], str) else ""
    place = "" if int(row["zone"]) == inputs.whole else f"{zone['code']}@{since}"
    found["/".join((group, str(row["service"]), str(row["measure"]), place))] = {
        "kind": "share",
        "group": group,
        "subject": str(row["service"]),
        "measure": str(row["measure"]),
        "zone": place,
        "name": "" if not place else str(zone["name"]),
        "value": share,
        "low": float(row["interval_low"]),
        "high": float(row["interval_high"]),
    }


def content_key(content: Mapping[str, Any]) -> str:
    """Return what is the same for reports with the same figures and origins.

    Parameters
    ----------
    content
        Content of `report.json`.

    Returns
    -------
    str
        A hash.
    """
    own = {name: content[name] for name in ("area", "day", "figures", "provenance")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> dict[str, Any] | None:
    """Read the figures of an earlier report.

    Parameters
    ----------
    path
        A `report.json`, or the folder with one.

    Returns
    -------
    dict or None
        None where there is no such file.

    Raises
    ------
    InputError
        If it is no `report.json`.
    """
    if path.is_dir():
        path = path / FILE
    if not path.exists():
        return None
    content: Any = None
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
    needed = ("area", "day", "figures", "provenance")
    if not isinstance(content, dict) or not all(name in content for name in needed):
        raise InputError(
            "{file} is no report that can be compared with (expected the report.json of an "
            "earlier one)",
            file=path,
        )
    return dict(content)


def earlier(kept: Mapping[str, Any] | None, fresh: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a report compares itself with: the last report that differs from it.

    Parameters
    ----------
    kept
        The `report.json` that is there.
    fresh
        That of the new report.

    Returns
    -------
    dict or None
        `kept`; or, where the new report has the same figures, what that one compared
        itself with, so that writing it again changes nothing.
    """
    if kept is None:
        return None
    if kept["area"] != fresh["area"]:
        raise InputError(
            "The earlier report is about the area {earlier}, this one about {area}",
            earlier=kept["area"],
            area=fresh["area"],
        )
    if content_key(kept) == content_key(fresh):
        before = kept.get("previous")
        return None if before is None else dict(before)
    return {name: kept[name] for name in ("area", "day", "figures", "provenance")}


def subject(figure: Mapping[str, Any]) -> Any:
    """Name what a figure is about."""
    if figure["group"] == "network":
        return message(
            "Dedicated network: {measure}",
            measure=words.named(names.NETWORK_MEASURES, figure["subject"]),
        )
    if figure["group"] == "inventory":
        if figure["subject"] == "fibre_segments":
            return message("Cable routes, km")
        return words.named(names.LAYERS, figure["subject"])
    return message(
        "{service}, share of {measure}",
        service=words.named(names.SERVICES, figure["subject"]),
        measure=_OF.get(figure["measure"], figure["measure"]),
    )


_OF = {
    "area": message("area"),
    "population": message("population"),
    "village": message("villages"),
    "household": message("households"),
}
