"""Masts of different owners that could become one: map, pairs, rates."""

from __future__ import annotations

from typing import Any

import folium
import numpy as np
import pandas as pd
import streamlit as st

from app import formats, labels, money, study
from app.components import fibre_map, how, map_layers, sharing_jobs, style, web_map
from app.components.kept import keep
from app.i18n import _, language, translate
from app.legend import Entry
from coverage.request import CoverageRequest
from data.errors import message
from data.store import Workspace
from planning import sharing, sharing_costs
from planning.sharing import Analysis
from planning.sharing_moves import SharingRequest

POSSIBLE_COLOUR = "#0f8a4b"
REFUSED_COLOUR = "#b45309"
GROUP_COLOUR = "#0b6280"
MAST_COLOUR = "#8d9aa1"

#: Distances that are offered. [m]
DISTANCES_M = (100.0, 200.0, 300.0, 500.0, 700.0, 1000.0, 1500.0)


def distance(area: Workspace) -> float:
    """Ask how far apart masts may be that become one.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    float
        The distance. [m]
    """
    own = sharing_costs.prices(area.folder).typical("distance")
    options = sorted({own, *DISTANCES_M})
    return float(
        st.select_slider(
            _("Masts at most this far apart may become one"),
            options,
            format_func=formats.distance,
            key=keep("sharing_distance", own, options),
        )
    )


def show(area: Workspace, coverage: CoverageRequest) -> None:
    """Show the analysis.

    Parameters
    ----------
    area
        The workspace.
    coverage
        How coverage is computed.
    """
    request = SharingRequest(coverage, distance(area))
    made = sharing_jobs.obtained(
        "pairs",
        (*study.inputs(area), request),
        _("Looking for masts to share"),
        sharing_jobs.work_of(
            lambda on_progress: sharing.analyse(area, request, on_progress=on_progress),
            sharing.save,
        ),
        _("Find masts to share"),
    )
    if made is None:
        st.caption(
            _(
                "For every two masts of different owners near each other: could one take the other "
                "one's antennas, what would be covered from there, and what would it save?"
            )
        )
        return
    found: Analysis = made.result
    _figures(found)
    about = found.summary["provenance"]
    how.show(
        _("How was this computed?"),
        [
            (
                _("Masts looked at"),
                _("at most {distance} apart", distance=formats.distance(about["distance_m"])),
            ),
            *sharing_jobs.facts(area, about, "planning.sharing.analyse"),
        ],
        section="sharing",
    )
    _map(area, found)
    _pairs(found)
    _rates(found)
    sharing_jobs.download(made, f"sharing_{area.area.name}", "pairs")
    sharing_jobs.notes(found.notes, about)


def _figures(found: Analysis) -> None:
    about = found.summary
    first, second, third = st.columns(3)
    first.metric(
        _("Masts with several operators"),
        formats.percent(about["sharing_percent"] / 100.0),
        border=True,
    )
    first.caption(
        _(
            "{shared} of {all} masts",
            shared=formats.number(about["shared_masts"]),
            all=formats.number(about["masts"]),
        )
    )
    second.metric(
        _("Pairs that could become one"), formats.number(about["pairs_possible"]), border=True
    )
    second.caption(
        _(
            "of {all} pairs of different owners within {distance}",
            all=formats.number(about["pairs"]),
            distance=formats.distance(found.inventory.distance_m),
        )
    )
    third.metric(_("Groups of such masts"), formats.number(about["groups"]), border=True)
    third.caption(_("Masts that pairs connect with each other"))


def _map(area: Workspace, found: Analysis) -> None:
    masts, pairs = found.masts, sharing.pair_lines(found)
    possible = pairs["possible"].astype(bool)
    # A pair that is possible in one direction is drawn once, as that.
    names = [frozenset(pair) for pair in zip(pairs["host"], pairs["guest"], strict=True)]
    able = {name for name, yes in zip(names, possible, strict=True) if yes}
    seen: set[frozenset[str]] = set()
    once = []
    for name, yes in zip(names, possible, strict=True):
        once.append(name not in seen and (bool(yes) or name not in able))
        if once[-1]:
            seen.add(name)
    drawn = pairs[np.array(once, bool)]
    groups: list[folium.FeatureGroup] = [fibre_map.outlines(area)]
    entries = []
    for chosen, name, colour in (
        (masts["group"] == 0, _("Other masts"), MAST_COLOUR),
        (masts["group"] > 0, _("Masts of a possible pair"), GROUP_COLOUR),
    ):
        part = masts[chosen]
        if len(part):
            tips = [_mast_tip(row) for row in part.itertuples()]
            groups.append(web_map.dots_group(name, fibre_map.dots_of(part, tips), colour))
            entries.append(Entry(colour, f"{name} ({formats.number(len(part))})"))
    currency = found.summary["currency"]
    for yes, name, colour in (
        (False, _("Pair that is not possible"), REFUSED_COLOUR),
        (True, _("Pair that could become one"), POSSIBLE_COLOUR),
    ):
        part = drawn[drawn["possible"].astype(bool) == yes]
        if len(part):
            lines = fibre_map.lines_of(
                part, [_pair_tip(row, currency) for row in part.itertuples()]
            )
            groups.append(web_map.lines_group(name, lines, colour, weight=5.0, far_weight=3.5))
            entries.append(Entry(colour, f"{name} ({formats.number(len(part))})"))
    style.legend(entries, _("Masts"))
    web_map.show(
        map_layers.bounds(area),
        groups,
        key=f"sharing-map-{language()}",
        language=language(),
        texts=fibre_map.texts(_("Map of masts that could be shared")),
        background=map_layers.relief(area),
    )


def _mast_tip(row: Any) -> tuple[str, ...]:
    return (
        str(row.mast_id),
        _("Owner: {owner}", owner=row.owner),
        _(
            "Operators: {operators}; {used} of {places} places taken",
            operators=row.operators or formats.NOTHING,
            used=formats.number(row.tenants),
            places=formats.number(row.places),
        ),
        f"{row.mast_class or formats.NOTHING} · {formats.quantity(row.height_m, 'm')}",
        "" if row.shareable else _("not offered for sharing"),
    )


def _pair_tip(row: Any, currency: str) -> tuple[str, ...]:
    heading = f"{row.guest} → {row.host} · {formats.distance(row.distance_m)}"
    if not row.possible:
        return heading, translate(message(row.reason))
    return (
        heading,
        _(
            "{losing} people lose a service, {gaining} gain one",
            losing=formats.number(row.people_losing),
            gaining=formats.number(row.people_gaining),
        ),
        _("Saves {range}", range=sharing_jobs.sum_range(row.saving_low, row.saving_high, currency)),
    )


def _pairs(found: Analysis) -> None:
    st.subheader(_("Pairs"))
    possible = found.pairs[found.pairs["possible"].astype(bool)]
    refused = found.pairs[~found.pairs["possible"].astype(bool)]
    if len(possible):
        st.caption(
            _(
                "Pairs are alternatives: what one saves does not add to what another one saves. "
                "Choose a row to see what it changes for whom."
            )
        )
        _pair_table(found, possible)
    else:
        st.info(_("No two masts could become one."), icon=":material/link_off:")
    if len(refused):
        with st.expander(_("Why other pairs are not possible")):
            counts = refused["reason"].value_counts()
            for reason, count in counts.items():
                st.markdown(f"- {translate(message(str(reason)))}: {formats.number(count)}")


def _pair_table(found: Analysis, possible: pd.DataFrame) -> None:
    currency = found.summary["currency"]
    size, unit = money.scale_of(float(possible["saving_typical"].abs().max()), currency)
    best = possible.sort_values(["people_losing", "saving_typical"], ascending=[True, False])
    saves = _("Saves, {unit}", unit=unit)
    table = pd.DataFrame(
        {
            _("Goes"): best["guest"],
            _("Takes its antennas"): best["host"],
            _("Owners"): best["guest_owner"] + " → " + best["host_owner"],
            _("Distance"): best["distance_m"],
            _("People losing a service"): best["people_losing"],
            _("People gaining one"): best["people_gaining"],
            _("Least kept"): best["least_kept"],
            saves: best["saving_typical"] / size,
            _("Range"): [
                sharing_jobs.sum_range(low, high, currency)
                for low, high in zip(best["saving_low"], best["saving_high"], strict=True)
            ],
        }
    ).reset_index(drop=True)
    chosen = st.dataframe(
        table.style.format(
            {
                _("Distance"): formats.distance,
                _("People losing a service"): formats.number,
                _("People gaining one"): formats.number,
                _("Least kept"): lambda share: formats.percent(share, 2),
                saves: lambda value: formats.number(value, 2),
            }
        ),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 360),
        on_select="rerun",
        selection_mode="single-row",
        key="sharing.pair",
    )
    rows = [number for number in chosen["selection"]["rows"] if number < len(best)]
    if rows:
        _detail(found, best.iloc[rows[0]])


def _detail(found: Analysis, pair: pd.Series) -> None:
    """Show what a pair changes for each operator, commune and party."""
    currency = found.summary["currency"]
    st.markdown(f"**{style.plain(pair['guest'])} → {style.plain(pair['host'])}**")

    def of_pair(table: pd.DataFrame) -> pd.DataFrame:
        return table[(table["guest"] == pair["guest"]) & (table["host"] == pair["host"])]

    left, right = st.columns([3, 2])
    services = of_pair(found.services)
    left.dataframe(
        pd.DataFrame(
            {
                _("Operator"): services["operator"],
                _("Technology"): services["technology"],
                _("Lost"): [formats.quantity(v, "km²", 2) for v in services["lost_km2"]],
                _("Gained"): [formats.quantity(v, "km²", 2) for v in services["gained_km2"]],
                _("People losing"): [formats.number(v) for v in services["people_losing"]],
                _("People gaining"): [formats.number(v) for v in services["people_gaining"]],
                _("Kept"): [formats.percent(v, 2) for v in services["kept"]],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    parties = of_pair(found.parties)
    right.dataframe(
        pd.DataFrame(
            {
                _("Saves or pays"): parties["party"],
                _("Typical"): [money.written(v, currency) for v in parties["typical"]],
                _("Range"): [
                    sharing_jobs.sum_range(low, high, currency)
                    for low, high in zip(parties["low"], parties["high"], strict=True)
                ],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    communes = of_pair(found.communes)
    if len(communes):
        sums = communes.groupby(["name", "operator", "technology"], as_index=False)[
            ["people_losing", "people_gaining", "lost_km2", "gained_km2"]
        ].sum()
        st.dataframe(
            pd.DataFrame(
                {
                    _("Commune"): sums["name"],
                    _("Operator"): sums["operator"],
                    _("Technology"): sums["technology"],
                    _("People losing"): [formats.number(v) for v in sums["people_losing"]],
                    _("People gaining"): [formats.number(v) for v in sums["people_gaining"]],
                    _("Lost"): [formats.quantity(v, "km²", 2) for v in sums["lost_km2"]],
                    _("Gained"): [formats.quantity(v, "km²", 2) for v in sums["gained_km2"]],
                }
            ),
            hide_index=True,
            width="stretch",
        )


def _rates(found: Analysis) -> None:
    st.subheader(_("How many masts are shared"))
    left, right = st.columns(2)
    for place, by, name in (
        (left, "owner", _("Owner")),
        (right, "commune", labels.level("commune")),
    ):
        rows = found.rates[found.rates["by"] == by]
        table = pd.DataFrame(
            {
                name: rows["name"],
                _("Masts"): rows["masts"],
                _("Shared"): rows["shared"],
                _("Share"): rows["share"],
            }
        )
        place.dataframe(
            table.style.format(
                {
                    _("Masts"): formats.number,
                    _("Shared"): formats.number,
                    _("Share"): formats.percent,
                }
            ),
            hide_index=True,
            width="stretch",
            height=min(38 + 35 * len(table), 300),
        )
