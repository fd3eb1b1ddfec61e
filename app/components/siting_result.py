"""What siting found: chosen sites on a map, their gains and costs, curve, years."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import altair as alt
import folium
import geopandas as gpd
import pandas as pd
import streamlit as st

from app import formats, identity, labels, legend, money
from app.components import fibre_map, figure_facts, how, map_layers, siting_request, style, web_map
from app.i18n import _, language, mark, translate
from data.store import Workspace
from planning import scenarios, siting
from planning.accounts import Role
from planning.siting import SitingPlan

#: Colours of chosen sites and of candidates, by kind.
_CHOSEN = "#c2410c"
#: What a place without a name is called.
_ONE = {
    "land": mark("public land"),
    "roof": mark("roof"),
    "high_point": mark("high point"),
}
_CANDIDATES = {"mast": "#12303d", "land": "#6d4a91", "roof": "#0f766e", "high_point": "#8a6d1a"}


def show(area: Workspace, found: SitingPlan) -> None:
    """Show a plan.

    Parameters
    ----------
    area
        The study area's own workspace.
    found
        The plan.
    """
    _figures(found)
    how.show(_("How was this computed?"), _facts(area, found), section="sites")
    if not len(found.chosen):
        st.info(_("No candidate adds coverage for this money."), icon=":material/search_off:")
    _map(area, found)
    _sites(found)
    left, right = st.columns(2, gap="large")
    with left:
        _curve(found)
    with right:
        _years(found)
    _notes(found)
    _keep(area, found)


def _facts(area: Workspace, found: SitingPlan) -> list[tuple[str, str]]:
    """Return what was chosen from, by what coverage, and from which data."""
    about = found.provenance
    candidates = [
        f"{_(siting_request.KINDS[kind]).lower()}: {formats.number(count)}"
        for kind, count in about["candidates"].items()
    ]
    equipment = [
        f"{item['operator']} {item['technology']} "
        f"{formats.quantity(item['values']['frequency_mhz'], 'MHz')}"
        for item in about["equipment"]
    ]
    return [
        (_("Candidates"), " · ".join(candidates)),
        (_("New antennas"), " · ".join(equipment)),
        *figure_facts.asked(area, found.request.coverage),
        (_("Tables of numbers"), ", ".join(about["numbers"])),
        *figure_facts.coverage_data(about["inputs"]),
        (_("Coverage before"), about["coverage_before"]),
        (_("Coverage with the sites"), about["coverage_after"]),
        figure_facts.function("planning.siting.plan"),
    ]


def amount(found: SitingPlan, value: float, *, signed: bool = False) -> str:
    """Write people or area.

    Parameters
    ----------
    found
        The plan, which says what counts.
    value
        People or km².
    signed
        Whether a gain has a plus.

    Returns
    -------
    str
        With its unit.
    """
    if found.request.measure == "population":
        return formats.number(value, signed=signed)
    return f"{formats.number(value, 2, signed=signed)} km²"


def _figures(found: SitingPlan) -> None:
    first, second, third, fourth = st.columns(4)
    first.metric(_("Sites"), formats.number(len(found.chosen)))
    gained = _("People gained") if found.request.measure == "population" else _("Area gained")
    second.metric(gained, amount(found, found.gain, signed=True))
    third.metric(
        _("Cost"),
        money.written(found.cost.typical, found.currency),
        help=money.written_range(found.cost.low, found.cost.high, found.currency),
    )
    fourth.metric(
        _("From the best possible"),
        _("at most {gap}", gap=formats.percent(found.choice.gap, 2)),
        help=_("Proven: no other choice among these candidates is better by more than this."),
    )
    table = pd.DataFrame(
        {
            _("Technology"): [labels.service(name) for name in found.services["technology"]],
            _("Operator"): [labels.operator(name) for name in found.services["operator"]],
            _("Today"): _shares(found.services["before_percent"]),
            _("With the plan"): _shares(found.services["claimed_percent"]),
            _("Computed anew with the sites"): _shares(found.services["recomputed_percent"]),
            _("Gain"): [
                amount(found, after - before, signed=True)
                for after, before in zip(
                    found.services["recomputed"], found.services["before"], strict=True
                )
            ],
        }
    )
    st.dataframe(table, hide_index=True, width="stretch")


def _shares(values: pd.Series) -> list[str]:
    return [formats.percent(value / 100.0, 2) for value in values]


def _map(area: Workspace, found: SitingPlan) -> None:
    groups: list[folium.FeatureGroup] = [fibre_map.outlines(area)]
    entries = [legend.Entry(_CHOSEN, _("chosen sites"))]
    # A chosen one would hide under the others that are at its place.
    left = found.candidates[~found.candidates["candidate_id"].isin(found.chosen["candidate_id"])]
    candidates = left.to_crs("EPSG:4326")
    for kind, colour in _CANDIDATES.items():
        part = candidates[candidates["kind"] == kind]
        if len(part):
            name = _(siting_request.KINDS[kind])
            groups.append(web_map.dots_group(name, _candidate_dots(part), colour))
            entries.append(legend.Entry(colour, name.lower()))
    groups.append(web_map.dots_group(_("Chosen sites"), _chosen_dots(found), _CHOSEN))
    style.legend(entries, _("Map of sites"))
    web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"siting-map-{language()}",
        language=language(),
        texts={
            "title": _("Map of sites"),
            "zoom_in": _("Zoom in"),
            "zoom_out": _("Zoom out"),
            "layers": _("Layers"),
        },
        background=map_layers.relief(area),
    )


def _candidate_dots(part: gpd.GeoDataFrame) -> list[web_map.Dot]:
    return [
        web_map.Dot(lat, lon, (_named(row), translate(row["reason"])))
        for row, (lat, lon) in zip(
            part.to_dict("records"), web_map.positions(part.geometry), strict=True
        )
    ]


def _named(row: dict[object, object]) -> str:
    if row["kind"] == "mast":
        return str(row["mast_id"])
    return str(row["name"] or _(_ONE[str(row["kind"])]))


def _chosen_dots(found: SitingPlan) -> list[web_map.Dot]:
    places = found.chosen.to_crs("EPSG:4326")
    dots = []
    for number, (row, (lat, lon)) in enumerate(
        zip(places.to_dict("records"), web_map.positions(places.geometry), strict=True), 1
    ):
        lines = [
            f"{number}. {_named(row)}",
            f"{row['operators']} · {row['technologies']}",
            translate(row["reason"]),
            _("Adds {gain}", gain=amount(found, row["gain"], signed=True)),
            _("Cost: {cost}", cost=money.written(row["cost_typical"], found.currency)),
        ]
        dots.append(web_map.Dot(lat, lon, tuple(lines)))
    return dots


def _sites(found: SitingPlan) -> None:
    st.subheader(_("Chosen sites, best for the money first"))
    rows = found.chosen.to_dict("records")
    table = pd.DataFrame(
        {
            _("No."): range(1, len(rows) + 1),
            _("Site"): [_named(row) for row in rows],
            _("Operators"): [row["operators"] for row in rows],
            _("Technologies"): [row["technologies"] for row in rows],
            _("Adds"): [amount(found, row["gain"], signed=True) for row in rows],
            _("By itself"): [amount(found, row["alone"]) for row in rows],
            _("Cost"): [money.written(row["cost_typical"], found.currency) for row in rows],
            _("of it fibre"): [
                money.written(row["fibre_cost"], found.currency) if row["fibre_cost"] else "–"
                for row in rows
            ],
            _("Per billion {currency}", currency=found.currency): [
                amount(found, row["per_money"]) for row in rows
            ],
            _("Year"): [formats.number(row["year"]) for row in rows],
            _("Why"): [translate(row["reason"]) for row in rows],
        }
    )
    # Widths are taken from the first rows: a longer text below would be cut.
    wide = st.column_config.Column(width=130)
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={_("Site"): wide, _("of it fibre"): wide},
    )


def _curve(found: SitingPlan) -> None:
    st.subheader(_("What other budgets bring"))
    size, unit = money.scale_of(float(found.curve["budget"].max()), found.currency)
    table = pd.DataFrame(
        {
            "budget": found.curve["budget"] / size,
            "gain": found.curve["gain"],
            "bound": found.curve["bound"],
            "written": [amount(found, value, signed=True) for value in found.curve["gain"]],
            "cost": [money.written(value, found.currency) for value in found.curve["cost"]],
            "sites": [formats.number(value) for value in found.curve["sites"]],
        }
    )
    gained = _("People gained") if found.request.measure == "population" else _("Area gained, km²")
    label = "format(datum.value, ',.6~f')"
    if language() == "vi":
        label = f"replace(replace(replace({label}, /,/g, ' '), '.', ','), / /g, '.')"
    axis = alt.Axis(labelExpr=label, tickCount=6)
    across = alt.X("budget:Q", title=_("Budget, {unit}", unit=unit), axis=axis)
    tip = [
        alt.Tooltip("written:N", title=_("Gain")),
        alt.Tooltip("cost:N", title=_("Cost")),
        alt.Tooltip("sites:N", title=_("Sites")),
    ]
    line = alt.Chart(table).mark_line(point=True, color="#0b6280")
    line = line.encode(x=across, y=alt.Y("gain:Q", title=gained, axis=axis), tooltip=tip)
    bound = alt.Chart(table).mark_line(strokeDash=[4, 4], color="#8a3d00")
    st.altair_chart(line + bound.encode(x=across, y="bound:Q"), width="stretch")
    st.caption(_("Dashed: proven, no choice within the budget brings more."))


def _years(found: SitingPlan) -> None:
    st.subheader(_("Year by year"))
    years = found.years
    built = [int((years.year == number).sum()) for number in range(len(years.spent))]
    table = pd.DataFrame(
        {
            _("Year"): range(1, len(built) + 1),
            _("Sites built"): built,
            _("Spent"): [money.written(value, found.currency) for value in years.spent],
            _("Gained by then"): [amount(found, value, signed=True) for value in years.covered],
        }
    )
    st.dataframe(table, hide_index=True, width="stretch")
    st.caption(
        _(
            "The money is spread evenly over the years and may be saved up; gains come as early as "
            "possible, at most {gap} from the best order.",
            gap=formats.percent(years.gap, 2),
        )
    )


def _notes(found: SitingPlan) -> None:
    for note in found.notes:
        st.caption(translate(note))
    st.caption(
        _(
            "Costs are ranges from tables of planning assumptions; new antennas are those that the "
            "operator has most often here."
        )
    )


def _keep(area: Workspace, found: SitingPlan) -> None:
    """Offer to make a scenario of the plan, and its files."""
    first, second = st.columns([3, 2], vertical_alignment="bottom")
    if identity.actor().role in (Role.CARRIER, Role.PLANNER, Role.ADMINISTRATOR) and found.changes:
        with first.form("siting.scenario", border=False):
            left, right = st.columns([3, 2], vertical_alignment="bottom")
            title = left.text_input(_("Name of the scenario"), _title(found))
            if right.form_submit_button(_("Make a scenario of it"), icon=":material/alt_route:"):
                made = scenarios.create(
                    identity.records(),
                    identity.actor(),
                    scenarios.area_name(area),
                    title,
                    found.changes,
                )
                st.session_state["scenario.made"] = made.id
                st.success(
                    _("The scenario {title} is made; see the page Scenarios.", title=made.title)
                )
    second.download_button(
        _("Download the plan"), lambda: _files(found), "siting.zip", "application/zip"
    )


def _title(found: SitingPlan) -> str:
    names = ", ".join(found.request.coverage.technologies)
    return _("New sites: {technologies}, {count}", technologies=names, count=len(found.chosen))


def _files(found: SitingPlan) -> bytes:
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(packed, "w") as archive:
        siting.save(found, Path(scratch))
        for path in sorted(Path(scratch).iterdir()):
            archive.write(path, path.name, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
