"""Why a place gets the level it gets: the path to its server, drawn and summed up."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app import formats, labels, places
from app.components import how
from app.components.kept import keep
from app.errors import readable_errors
from app.i18n import _, language, mark
from coverage import path_explanation
from coverage.path_explanation import CellExplanation, Part, PathExplanation
from coverage.request import CoverageRequest, make_plan
from coverage.results import CoverageResult
from data.store import Workspace

PARTS = {
    Part.FREE_SPACE: mark("Free space"),
    Part.FOCUSING: mark("Multipath focusing"),
    Part.TERRAIN: mark("Diffraction over the ground"),
    Part.CLUTTER: mark("Buildings and trees on the way"),
    Part.ANOMALOUS: mark("Ducting and scatter"),
    Part.LOCATION: mark("Share of locations"),
    Part.MODEL: mark("Added by the model"),
    Part.CALIBRATION: mark("Calibration"),
}

#: Share of the first Fresnel zone that must be clear for diffraction not to matter
#: (ITU-R P.530, section 2.2.2).
CLEAR_SHARE = 0.6

#: Parts smaller than this are written as nothing. [dB]
_LEAST_DB = 0.05

_GROUND, _CLUTTER, _SIGHT, _ZONE = "#8a6d4b", "#7fa86b", "#0b6280", "#7fc4dd"


def show(
    area: Workspace, request: CoverageRequest, result: CoverageResult, place: places.Place
) -> None:
    """Show the path from the best server of a technology and an operator.

    Parameters
    ----------
    area
        The workspace.
    request
        What was computed.
    result
        Its coverage.
    place
        What is received where.
    """
    heard = [item for item in place.by_operator if item.server >= 0]
    if not heard:
        return
    st.subheader(_("Why this level? The path from the mast"))
    strongest = max(heard, key=lambda item: item.level_dbm or -999.0)
    technologies = list(dict.fromkeys(item.technology for item in heard))
    first, second = st.columns([2, 3])
    technology = first.segmented_control(
        _("Technology"),
        technologies,
        key=keep("why_technology", strongest.technology, technologies),
        required=True,
    )
    of_technology = {item.asked: item for item in heard if item.technology == technology}
    operators = list(of_technology)
    best = max(operators, key=lambda name: of_technology[name].level_dbm or -999.0)
    operator = second.segmented_control(
        _("Operator"),
        operators,
        # Of each place and technology its own, so that the best is shown first.
        key=f"why-{technology}-{place.pixel[0]}-{place.pixel[1]}",
        default=best,
        required=True,
    )
    with readable_errors():
        _explain(area, request, result, place, of_technology[operator])


def _explain(
    area: Workspace,
    request: CoverageRequest,
    result: CoverageResult,
    place: places.Place,
    reception: places.Reception,
) -> None:
    found = _explained(
        str(area.folder),
        str(result.summary["provenance"]["key"]),
        request,
        reception.server,
        place.pixel,
    )
    left, right = st.columns([8, 5], gap="medium")
    with left:
        st.markdown(_verdict(found.path))
        st.altair_chart(_chart(found.path), width="stretch")
        st.caption(
            _(
                "The ground is drawn with the Earth's curvature for an effective radius of "
                "{radius}. At {frequency} the first Fresnel zone is the light band.",
                radius=formats.quantity(found.path.effective_radius_km, "km"),
                frequency=formats.quantity(found.path.frequency_mhz, "MHz", 1),
            )
        )
    with right:
        st.html(_budget(found, reception))
        how.show(
            _("How was this level computed?"),
            [
                (_("Propagation model"), result.summary["provenance"]["model_reference"]),
                (_("Cell"), str(found.cell["cell_id"])),
                (_("Antenna"), _antenna(found)),
                (_("Function"), "coverage.path_explanation.explain_cell"),
            ],
            section="level",
            note=_(
                "The path ends at the middle of the pixel. On the map a pixel gets its level from "
                "the radials of its mast that pass by, so the two may differ by some dB next to "
                "obstacles."
            ),
        )


@st.cache_resource(max_entries=200, show_spinner=False)
def _explained(
    place: str, key: str, request: CoverageRequest, server: int, pixel: tuple[int, int]
) -> CellExplanation:
    del key  # only part of the cache's key: the result, and so everything it depends on
    plan = make_plan(Workspace.open(place), request)
    x_m = plan.grid.x_min + (pixel[1] + 0.5) * plan.grid.resolution_m
    y_m = plan.grid.y_max - (pixel[0] + 0.5) * plan.grid.resolution_m
    return path_explanation.explain_cell(plan, server, x_m, y_m)


def _verdict(path: PathExplanation) -> str:
    """Say in a sentence what stands in the way, and where."""
    worst = path.worst
    clearance = float(path.clearance[worst])
    distance = formats.distance(1000.0 * float(path.distance_km[worst]))
    if clearance >= CLEAR_SHARE:
        return _("**The line of sight is free**, and so is the first Fresnel zone.")
    if clearance >= 0.0:
        return _(
            "**The line of sight is free, the Fresnel zone is not:** {distance} from the mast only "
            "{share} of its radius is clear.",
            distance=distance,
            share=formats.percent(clearance, 0),
        )
    ground_m = float(path.height_m[worst] + path.bulge_m[worst])
    depth = formats.quantity(float(path.obstacle_m[worst] - path.sight_m[worst]), "m")
    if ground_m > float(path.sight_m[worst]):
        return _(
            "**The ground blocks the line of sight** {distance} from the mast, where it rises "
            "{depth} above it.",
            distance=distance,
            depth=depth,
        )
    return _(
        "**Buildings or trees block the line of sight** {distance} from the mast, where they rise "
        "{depth} above it.",
        distance=distance,
        depth=depth,
    )


def _chart(path: PathExplanation) -> alt.LayerChart:
    ground = path.height_m + path.bulge_m
    table = pd.DataFrame(
        {
            "distance": path.distance_km,
            "ground": ground,
            "top": ground + path.clutter_height_m,
            "sight": path.sight_m,
            "low": path.sight_m - path.fresnel_m,
            "high": path.sight_m + path.fresnel_m,
        }
    )
    shown = [float(ground.min()), float(max(table["top"].max(), table["high"].max()))]
    room = 0.06 * (shown[1] - shown[0])
    floor = shown[0] - room
    comma = "replace(datum.label, '.', ',')" if language() == "vi" else "datum.label"
    x = alt.X(
        "distance:Q",
        title=_("Distance from the mast, km"),
        scale=alt.Scale(nice=False),
        axis=alt.Axis(labelExpr=comma, grid=False),
    )
    scale = alt.Scale(domain=[floor, shown[1] + room], nice=False, zero=False)
    y_title = _("Height above the sea, m")
    names = {
        "ground": _("Ground"),
        "clutter": _("Buildings and trees"),
        "zone": _("First Fresnel zone"),
        "sight": _("Line of sight"),
    }
    colour = alt.Scale(domain=list(names.values()), range=[_GROUND, _CLUTTER, _ZONE, _SIGHT])
    legend = alt.Legend(
        orient="top", title=None, labelLimit=220, symbolType="square", symbolOpacity=1, columns=2
    )

    shown_as = alt.Color("part:N", scale=colour, legend=legend)
    base = alt.Chart(table).encode(x=x)
    tips = [
        alt.Tooltip("distance:Q", title=_("Distance from the mast, km"), format=".2f"),
        alt.Tooltip("ground:Q", title=_("Ground"), format=".0f"),
        alt.Tooltip("top:Q", title=_("Buildings and trees"), format=".0f"),
        alt.Tooltip("sight:Q", title=_("Line of sight"), format=".0f"),
    ]
    zone = (
        base.transform_calculate(part=f"'{names['zone']}'")
        .mark_area(opacity=0.35)
        .encode(y=alt.Y("low:Q", scale=scale, title=y_title), y2="high:Q", color=shown_as)
    )
    clutter = (
        base.transform_calculate(part=f"'{names['clutter']}'")
        .mark_area(interpolate="step", opacity=0.9)
        .encode(y=alt.Y("ground:Q", scale=scale), y2="top:Q", color=shown_as, tooltip=tips)
    )
    soil = (
        base.transform_calculate(part=f"'{names['ground']}'", floor=f"{floor}")
        .mark_area()
        .encode(y=alt.Y("floor:Q", scale=scale), y2="ground:Q", color=shown_as, tooltip=tips)
    )
    sight = (
        base.transform_calculate(part=f"'{names['sight']}'")
        .mark_line(strokeWidth=2)
        .encode(y=alt.Y("sight:Q", scale=scale), color=shown_as, tooltip=tips)
    )
    worst = path.worst
    mark_at = pd.DataFrame(
        {
            "distance": [path.distance_km[worst]],
            "low": [path.obstacle_m[worst]],
            "high": [path.sight_m[worst]],
        }
    )
    rule = (
        alt.Chart(mark_at)
        .mark_rule(color="#b3261e", strokeWidth=2, strokeDash=[4, 3])
        .encode(x="distance:Q", y=alt.Y("low:Q", scale=scale), y2="high:Q")
    )
    ends = pd.DataFrame(
        {
            "distance": path.distance_km[[0, 0]],
            "low": [ground[0], path.sight_m[0]],
        }
    )
    tower = (
        alt.Chart(ends)
        .mark_line(color="#12303d", strokeWidth=3)
        .encode(x="distance:Q", y=alt.Y("low:Q", scale=scale))
    )
    return alt.layer(zone, soil, clutter, sight, rule, tower).properties(height=300)


def _antenna(found: CellExplanation) -> str:
    return _(
        "{height} above ground, {distance} away",
        height=formats.quantity(found.path.antenna_height_m, "m"),
        distance=formats.distance(1000.0 * float(found.path.distance_km[-1])),
    )


def _budget(found: CellExplanation, reception: places.Reception) -> str:
    """Return the sum from radiated power to level as a table."""
    rows = [
        (_("Radiated power of the reference signal"), formats.quantity(found.eirp_dbm, "dBm", 1)),
        (_("Antenna pattern towards the place"), _minus(found.attenuation_db)),
    ]
    rows += [
        (_(PARTS[part]), _minus(value))
        for part, value in found.path.parts.items()
        if abs(value) >= _LEAST_DB or part in (Part.TERRAIN, Part.CLUTTER)
    ]
    below = [
        (
            _("{metric} at the middle of the pixel", metric=reception.metric),
            formats.quantity(found.level_dbm, "dBm", 1),
        ),
        (_("On the map"), formats.quantity(reception.level_dbm, "dBm", 1)),
        (_("Threshold"), formats.quantity(reception.threshold_dbm, "dBm", 1)),
    ]
    caption = _(
        "Loss by part: {cell}, {operator}",
        cell=reception.cell_id,
        operator=labels.operator(reception.operator),
    )
    return (
        f'<table class="ps-table"><caption>{escape(caption)}</caption><tbody>'
        f"{_rows(rows)}</tbody><tbody>{_rows(below)}</tbody></table>"
    )


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<tr><th scope="row" style="font-weight:400;white-space:normal">{escape(name)}</th>'
        f"<td>{escape(value)}</td></tr>"
        for name, value in rows
    )


def _minus(loss_db: float) -> str:
    """Write what a loss does to the level."""
    value = 0.0 if abs(loss_db) < _LEAST_DB else -loss_db
    return formats.quantity(float(np.round(value, 1)) + 0.0, "dB", 1)
