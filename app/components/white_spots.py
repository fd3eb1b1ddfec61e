"""White spots on a map: why they are there and what helps."""

from __future__ import annotations

from typing import Any

import folium
import geopandas as gpd
import pandas as pd
import streamlit as st

from app import formats, labels, study
from app.components import fibre_map, how, map_layers, sharing_jobs, style, web_map
from app.components.kept import keep
from app.i18n import _, language, mark, translate
from app.legend import Entry
from coverage.request import CoverageRequest
from coverage.results import ANY_OPERATOR
from data.store import Workspace
from data.study_area import finest_zones
from planning import white_spot_remedies
from planning.white_spot_remedies import WhiteSpots
from planning.white_spots import WhiteSpotRequest

#: How many spots are looked into, as offered.
MOST = (10, 20, 40, 80, 150)

CAUSES = {
    "distance": ("#7c3aed", mark("Too far")),
    "terrain": ("#b45309", mark("Terrain in the way")),
    "clutter": ("#15803d", mark("Buildings or trees in the way")),
    "terrain and clutter": ("#7a5c12", mark("Terrain and buildings or trees in the way")),
    "direction": ("#0369a1", mark("Antenna points elsewhere")),
    "power": ("#b91c1c", mark("Too little power")),
}

KINDS = {
    "raise": mark("Hang antennas higher"),
    "re-aim": mark("Turn or lift a sector"),
    "add": mark("Add to an existing mast"),
    "new mast": mark("New mast"),
    "repeater": mark("Repeater"),
}

OBSTACLES = {"terrain": mark("terrain"), "clutter": mark("buildings or trees")}

REMEDY_COLOUR = "#12303d"
OBSTACLE_COLOUR = "#e4572e"


def show(area: Workspace, coverage: CoverageRequest) -> None:
    """Show the white spots.

    Parameters
    ----------
    area
        The workspace.
    coverage
        How coverage is computed.
    """
    request = _request(area, coverage)
    made = sharing_jobs.obtained(
        "white_spots",
        (*study.inputs(area), request),
        _("Looking into white spots"),
        sharing_jobs.work_of(
            lambda on_progress: white_spot_remedies.analyse(area, request, on_progress=on_progress),
            white_spot_remedies.save,
        ),
        _("Look into white spots"),
    )
    if made is None:
        st.caption(
            _(
                "Places without coverage, why each of them has none, and the cheapest remedy that "
                "the coverage engine confirms."
            )
        )
        return
    found: WhiteSpots = made.result
    about = found.summary["provenance"]
    how.show(
        _("How was this computed?"),
        [
            (_("Operator"), labels.operator(request.operator)),
            *sharing_jobs.facts(
                area, about, "planning.white_spot_remedies.analyse", request.technology
            ),
        ],
        section="white_spots",
    )
    if not len(found.spots):
        st.success(_("There is no white spot to look into."), icon=":material/check_circle:")
    else:
        _figures(found)
        _map(area, found)
        _spots(found)
    _communes(found)
    sharing_jobs.download(made, f"white_spots_{area.area.name}", "white_spots")
    sharing_jobs.notes(found.notes, about)


def _request(area: Workspace, coverage: CoverageRequest) -> WhiteSpotRequest:
    technologies = list(coverage.technologies)
    first, second, third, fourth = st.columns([2, 2, 3, 2], vertical_alignment="bottom")
    default = "4G" if "4G" in technologies else technologies[-1]
    technology = first.segmented_control(
        _("Technology"),
        technologies,
        format_func=labels.service,
        key=keep("white_technology", default, technologies),
        required=True,
    )
    operators = [ANY_OPERATOR, *study.operators(area)]
    operator = second.selectbox(
        _("Operator"),
        operators,
        format_func=labels.operator,
        key=keep("white_operator", ANY_OPERATOR, operators),
    )
    orders = {"people": _("Most people first"), "area": _("Largest first")}
    order = third.segmented_control(
        _("Order"),
        list(orders),
        format_func=orders.get,
        key=keep("white_order", "people", list(orders)),
        required=True,
        wrap=True,
    )
    most = fourth.select_slider(
        _("Spots looked into"), MOST, format_func=formats.number, key=keep("white_most", 40, MOST)
    )
    zones = finest_zones(study.layer(area, "zones"))
    names = dict(zip(zones["code"].astype(str), zones["name"], strict=True))
    codes = sorted(names, key=lambda code: formats.sort_key(names[code]))
    chosen = st.multiselect(
        _("Communes"),
        codes,
        placeholder=_("All communes"),
        format_func=names.get,
        key=keep("white_communes", []),
    )
    return WhiteSpotRequest(
        coverage,
        technology=str(technology),
        operator=str(operator),
        communes=tuple(code for code in chosen if code in names) or None,
        most_spots=int(most),
        order=str(order),
    )


def _figures(found: WhiteSpots) -> None:
    spots, remedies = found.spots, found.remedies
    best = remedies[remedies["best"].astype(bool)]
    first, second, third = st.columns(3)
    first.metric(_("White spots"), formats.number(len(spots)), border=True)
    first.caption(
        _(
            "{people} people, {area}",
            people=formats.number(spots["people"].sum()),
            area=formats.quantity(spots["area_km2"].sum(), "km²", 1),
        )
    )
    cause = spots["cause"].value_counts()
    second.metric(
        _("Spots of the most frequent reason"), formats.number(cause.iloc[0]), border=True
    )
    second.caption(_(CAUSES[str(cause.index[0])][1]))
    closed = best[(best["closes"] >= white_spot_remedies.CLOSES) & (best["against_rules"] == "")]
    third.metric(_("Closed by one remedy"), formats.number(len(closed)), border=True)
    third.caption(
        _(
            "together {range}",
            range=sharing_jobs.sum_range(
                float(closed["cost_low"].sum()),
                float(closed["cost_high"].sum()),
                found.summary["currency"],
            ),
        )
        if len(closed)
        else _("No remedy closes a spot alone.")
    )


def _map(area: Workspace, found: WhiteSpots) -> None:
    spots = found.spots.to_crs("EPSG:4326")
    groups: list[folium.FeatureGroup] = [fibre_map.outlines(area)]
    entries = []
    for cause, (colour, title) in CAUSES.items():
        part = spots[spots["cause"] == cause]
        if not len(part):
            continue
        shapes = [
            web_map.Zone(geometry, _spot_tip(row, _(title)), colour)
            for geometry, row in zip(fibre_map.geojson(part), part.itertuples(), strict=True)
        ]
        groups.append(web_map.zones_group(_(title), shapes, 0.75))
        # Small areas cannot be seen on a map of the whole: a place marks each.
        dots = [
            web_map.Dot(row.lat, row.lon, _spot_tip(row, _(title))) for row in part.itertuples()
        ]
        groups.append(web_map.dots_group(f"{_(title)} •", dots, colour, few=1000))
        entries.append(Entry(colour, f"{_(title)} ({formats.number(len(part))})"))
    _add_obstacles(found.spots, groups, entries)
    best = found.remedies[found.remedies["best"].astype(bool)]
    if len(best):
        dots = [web_map.Dot(row.lat, row.lon, _remedy_tip(row, found)) for row in best.itertuples()]
        groups.append(web_map.near_dots_group(_("Best remedies"), dots, REMEDY_COLOUR, zoom=12))
        entries.append(Entry(REMEDY_COLOUR, _("Best remedies (when zoomed in)")))
    style.legend(entries, _("White spots"))
    web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"white-spots-map-{language()}",
        language=language(),
        texts=fibre_map.texts(_("Map of white spots")),
        background=map_layers.relief(area),
    )


def _add_obstacles(
    spots: gpd.GeoDataFrame, groups: list[folium.FeatureGroup], entries: list[Entry]
) -> None:
    blocked = spots[spots["obstacle"].notna()]
    if not len(blocked):
        return
    dots = [
        web_map.Dot(
            row.obstacle_lat,
            row.obstacle_lon,
            (
                _("In the way of spot {number}", number=row.spot),
                _(OBSTACLES[row.obstacle]),
                _obstacle(row),
            ),
        )
        for row in blocked.itertuples()
    ]
    groups.append(web_map.near_dots_group(_("What is in the way"), dots, OBSTACLE_COLOUR, zoom=12))
    entries.append(Entry(OBSTACLE_COLOUR, _("What is in the way (when zoomed in)")))


def _obstacle(row: Any) -> str:
    return _(
        "{height} above the line of sight, {distance} from mast {mast}",
        height=formats.quantity(row.obstacle_above_m, "m"),
        distance=formats.distance(row.obstacle_distance_m),
        mast=row.mast_id,
    )


def _spot_tip(row: Any, cause: str) -> tuple[str, ...]:
    lines = [
        f"{row.spot}. {row.commune}",
        _(
            "{people} people, {area}",
            people=formats.number(row.people),
            area=formats.quantity(row.area_km2, "km²", 2),
        ),
        cause,
    ]
    if isinstance(row.mast_id, str):
        lines.append(
            _(
                "Best server: mast {mast}, {distance}; {short} too weak",
                mast=row.mast_id,
                distance=formats.distance(row.distance_m),
                short=formats.quantity(row.short_db, "dB", 1),
            )
        )
    if isinstance(row.obstacle, str):
        lines.append(f"{_(OBSTACLES[row.obstacle])}: {_obstacle(row)}")
    return tuple(lines)


def _remedy_tip(row: Any, found: WhiteSpots) -> tuple[str, ...]:
    return (
        _("Spot {number}", number=row.spot),
        _remedy(row.kind, row.against_rules),
        translate(found.details[row.Index]),
        *(translate(said) for said in found.against[row.Index]),
        _("covers {share} of the spot", share=formats.percent(row.closes, 0)),
        sharing_jobs.sum_range(row.cost_low, row.cost_high, found.summary["currency"]),
    )


def _remedy(kind: str, against_rules: str) -> str:
    if not against_rules:
        return _(KINDS[kind])
    return _("{remedy} (against the local rules)", remedy=_(KINDS[kind]))


def _spots(found: WhiteSpots) -> None:
    st.subheader(_("White spots and their best remedies"))
    spots, remedies = found.spots, found.remedies
    best = remedies[remedies["best"].astype(bool)].set_index("spot")
    currency = found.summary["currency"]
    rows = []
    for row in spots.itertuples():
        cure = best.loc[row.spot] if row.spot in best.index else None
        rows.append(
            {
                _("No."): row.spot,
                _("Commune"): row.commune,
                _("People"): row.people,
                _("Area"): row.area_km2,
                _("Reason"): _(CAUSES[row.cause][1]),
                _("Missing"): row.short_db,
                _("Remedy"): (
                    _("none is confirmed")
                    if cure is None
                    else _remedy(cure["kind"], cure["against_rules"])
                ),
                _("Covers"): float("nan") if cure is None else cure["closes"],
                _("Cost"): (
                    formats.NOTHING
                    if cure is None
                    else sharing_jobs.sum_range(cure["cost_low"], cure["cost_high"], currency)
                ),
            }
        )
    table = pd.DataFrame(rows)
    chosen = st.dataframe(
        table.style.format(
            {
                _("People"): formats.number,
                _("Area"): lambda value: formats.quantity(value, "km²", 2),
                _("Missing"): lambda value: formats.quantity(value, "dB", 1),
                _("Covers"): lambda value: formats.percent(value, 0),
            }
        ),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 380),
        on_select="rerun",
        selection_mode="single-row",
        key="sharing.spot",
    )
    st.caption(_("Choose a row to see the reason in figures and all confirmed remedies."))
    picked = [number for number in chosen["selection"]["rows"] if number < len(spots)]
    if picked:
        _detail(found, spots.iloc[picked[0]])


def _detail(found: WhiteSpots, spot: pd.Series) -> None:
    st.markdown(f"**{spot['spot']}. {style.plain(str(spot['commune']))}**")

    def gain(value: float) -> str:
        return formats.quantity(value, "dB", 1)

    facts = [(_("Reason"), _(CAUSES[spot["cause"]][1]))]
    if isinstance(spot["mast_id"], str):
        facts += [
            (
                _("Best server"),
                f"{spot['mast_id']} · {spot['cell_id']} · {formats.distance(spot['distance_m'])}",
            ),
            (_("Missing"), gain(spot["short_db"])),
            (_("Without hills it would gain"), gain(spot["terrain_db"])),
            (_("Without buildings and trees"), gain(spot["clutter_db"])),
            (_("With the antenna pointing here"), gain(spot["direction_db"])),
            (_("With the greatest power of the area"), gain(spot["power_db"])),
        ]
    if isinstance(spot["obstacle"], str):
        where = formats.coordinates(spot["obstacle_lat"], spot["obstacle_lon"])
        row = spot.to_frame().T.itertuples()
        facts.append((_("In the way"), f"{_obstacle_line(next(row))} · {where}"))
    style.facts(facts)
    own = found.remedies[found.remedies["spot"] == spot["spot"]]
    if not len(own):
        st.info(_("The coverage engine confirms no remedy."), icon=":material/block:")
        return
    currency = found.summary["currency"]
    st.dataframe(
        pd.DataFrame(
            {
                _("Remedy"): [
                    _remedy(kind, said)
                    for kind, said in zip(own["kind"], own["against_rules"], strict=True)
                ],
                _("How"): [translate(found.details[k]) for k in own.index],
                _("Mast"): [formats.NOTHING if pd.isna(name) else name for name in own["mast_id"]],
                _("Covers"): [formats.percent(share, 0) for share in own["closes"]],
                _("Cost"): [
                    sharing_jobs.sum_range(low, high, currency)
                    for low, high in zip(own["cost_low"], own["cost_high"], strict=True)
                ],
                _("People gained"): [formats.number(v) for v in own["people_gained"]],
                _("People lost"): [formats.number(v) for v in own["people_lost"]],
                _("Area gained"): [formats.quantity(v, "km²", 2) for v in own["km2_gained"]],
                _("People for a thousand million"): [
                    formats.number(v) for v in own["people_per_billion"]
                ],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    for k in own.index[own["against_rules"] != ""]:
        what = style.plain(translate(found.details[k]))
        why = style.plain("; ".join(translate(each) for each in found.against[k]))
        st.caption(_("Against the local rules ({how}): {why}.", how=what, why=why))


def _obstacle_line(row: Any) -> str:
    return f"{_(OBSTACLES[row.obstacle])}, {_obstacle(row)}"


def _communes(found: WhiteSpots) -> None:
    totals = found.found.totals
    if not len(totals):
        return
    st.subheader(_("All white spots by commune"))
    table = pd.DataFrame(
        {
            _("Commune"): totals["commune"],
            _("White spots"): totals["spots"],
            _("People"): totals["people"],
            _("Area"): totals["area_km2"],
        }
    )
    st.dataframe(
        table.style.format(
            {
                _("White spots"): formats.number,
                _("People"): formats.number,
                _("Area"): lambda value: formats.quantity(value, "km²", 2),
            }
        ),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 320),
    )
