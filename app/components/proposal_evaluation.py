"""What a proposed site brings: gain, communes, rules, masts to share instead, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import formats, labels, money
from app import proposal_labels as words
from app.components import figure_facts, how, proposal_map, scenario_compare, style
from app.i18n import _, translate
from app.markdown import plain
from coverage.request import CoverageRequest
from data.store import Workspace
from planning import names
from planning.proposal_figures import Evaluation, sentence

_ICONS = {
    "met": ":material/check_circle:",
    "cannot be checked": ":material/help:",
    "note": ":material/info:",
}


def show(area: Workspace, evaluation: Evaluation, title: str, *, key: str) -> None:
    """Show an evaluation.

    Parameters
    ----------
    area
        The study area.
    evaluation
        The evaluation.
    title
        What the site is called.
    key
        Start of the keys of widgets.
    """
    result = evaluation.result
    _sums(result)
    how.show(_("How was this computed?"), _facts(area, evaluation), section="proposals")
    service, operator = _choice(result, key)
    place = result["place"]
    groups, entries = proposal_map.layers(
        area, (place["lon"], place["lat"]), title, result, service, operator
    )
    style.legend(entries, _("Proposed site"))
    proposal_map.show(
        area, groups, key=f"{key}-map", bounds=proposal_map.around(place["lon"], place["lat"])
    )
    gain, rules, sharing = st.tabs(
        [_("Gain by commune"), _("Rules"), _("Sharing and cost")], key=f"{key}-tabs"
    )
    with gain:
        _communes(result, service)
    with rules:
        _findings(result, new_mast=evaluation.inputs["site"]["kind"] == "new")
    with sharing:
        _sharing(result, new_mast=evaluation.inputs["site"]["kind"] == "new")


def _facts(area: Workspace, evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return with which antennas, coverage and data a site was judged."""
    antennas = Counter(
        f"{cell['operator']} {cell['technology']} "
        f"{formats.quantity(float(cell['frequency_mhz']), 'MHz')}"
        for cell in evaluation.result["cells"]
    )
    kept = evaluation.inputs["coverage"]
    request = CoverageRequest(**{**kept, "technologies": tuple(kept["technologies"])})
    return [
        (
            _("Antennas"),
            " · ".join(f"{formats.number(count)} × {name}" for name, count in antennas.items()),
        ),
        *figure_facts.asked(area, request),
        *figure_facts.coverage_data(area.provenance()),
        (_("Result"), evaluation.inputs["coverage_key"]),
        figure_facts.function("planning.proposal_evaluation.Evaluator.evaluate"),
    ]


def _choice(result: Mapping[str, Any], key: str) -> tuple[str, str]:
    brought = [row["service"] for row in result["totals"] if row["area_km2"] > 0.0]
    services = names.ordered(brought or [row["service"] for row in result["totals"]])
    first = next((name for name in ("5G", "4G", "3G", "2G") if name in brought), services[0])
    left, right = st.columns([3, 2])
    service = left.segmented_control(
        _("Technology"),
        services,
        format_func=labels.service,
        default=first,
        key=f"{key}-service-{first}",
        required=True,
        wrap=True,
    )
    operators = [*result["operators"], "any"]
    operator = right.selectbox(
        _("Covered for"), operators, format_func=labels.operator, key=f"{key}-operator"
    )
    return str(service or first), str(operator)


def _sums(result: Mapping[str, Any]) -> None:
    """Show what is gained in all, technology by technology."""
    own = [row for row in result["totals"] if row["operator"] in result["operators"]]
    rows = []
    for service in ("2G", "3G", "4G", "5G"):
        mine = [row for row in own if row["service"] == service]
        everybody = [
            row
            for row in result["totals"]
            if row["service"] == service and row["operator"] == "any"
        ]
        if not any(row["area_km2"] or row["people"] for row in (*mine, *everybody)):
            continue
        rows += [
            {
                _("Technology"): labels.service(service),
                _("Covered for"): labels.operator(row["operator"]),
                _("Area gained"): formats.quantity(row["area_km2"], "km²", 2),
                _("People newly served"): formats.number(row["people"]),
            }
            for row in (*mine, *everybody)
        ]
    if not rows:
        st.info(_("The site covers nothing that is not covered already."), icon=":material/info:")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _communes(result: Mapping[str, Any], service: str) -> None:
    rows = [row for row in result["gains"] if row["service"] == service]
    if not rows:
        st.caption(_("No commune gains anything with this technology."))
        return
    rows.sort(key=lambda row: -row["people"])
    area, people = _("Area gained, km²"), _("People newly served")
    table = pd.DataFrame(
        {
            _("Unit"): [row["name"] for row in rows],
            _("Covered for"): [labels.operator(row["operator"]) for row in rows],
            area: [row["area_km2"] for row in rows],
            people: [row["people"] for row in rows],
        }
    )
    written = {area: lambda value: formats.number(value, 2), people: formats.number}
    st.dataframe(
        table.style.format(written),
        hide_index=True,
        width="stretch",
    )


def _permit(result: Mapping[str, Any], *, new_mast: bool) -> str:
    """Return what the rules say of a building permit; what an exemption asks for is not known."""
    if not new_mast:
        return _("none: no mast is built")
    if result["permit_required"]:
        return _("required")
    return _("exempt where the site fits an approved plan")


def _findings(result: Mapping[str, Any], *, new_mast: bool) -> None:
    place = result["place"]
    style.facts(
        [
            (_("Administrative unit"), place["name"]),
            (_("Kind of zone"), words.said(words.ZONES, place["zone"])),
            (_("Building permit"), _permit(result, new_mast=new_mast)),
        ]
    )
    for finding in result["findings"]:
        text = translate(sentence(finding["text"]))
        if finding["result"] == "not met":
            show_it = st.error if finding["severity"] == "error" else st.warning
            show_it(plain(text), icon=":material/gavel:")
        else:
            st.markdown(f"{_ICONS[finding['result']]} {plain(text)}")
    with st.expander(_("Sources of the rules"), icon=":material/menu_book:"):
        st.dataframe(
            pd.DataFrame(
                {
                    _("Rule"): [words.said(words.RULES, f["rule"]) for f in result["findings"]],
                    _("Result"): [
                        words.said(words.RESULTS, f["result"]) for f in result["findings"]
                    ],
                    _("Source"): [_(f["source"]) for f in result["findings"]],
                    _("Text compared"): [
                        _("yes") if f["verified"] else _("no") for f in result["findings"]
                    ],
                }
            ),
            hide_index=True,
            width="stretch",
        )
    st.caption(
        _(
            "The rules are a table that can be edited for every province; those whose text was "
            "not compared with the regulation are planning assumptions."
        )
    )


def _sharing(result: Mapping[str, Any], *, new_mast: bool) -> None:
    cost = result["cost"]
    currency = cost["currency"]
    # Appraisals of earlier versions have no items.
    items = cost.get("items", {})
    yearly = _range(cost.get("yearly"), currency)
    style.facts(
        [
            *(
                (_(name), _range(items[item], currency))
                for item, name in scenario_compare.ITEMS.items()
                if item in items
            ),
            (_("In all"), _range(cost["total"], currency)),
            *([(_("Rent and upkeep of the mast, a year"), yearly)] if new_mast else []),
        ]
    )
    for note in cost.get("notes", ()):
        st.caption(plain(translate(sentence(note))))
    if not cost["verified"]:
        st.caption(_("Unit costs are planning assumptions until they are replaced by your own."))
    if not new_mast:
        return
    st.markdown(f"**{_('Masts that could be shared instead')}**")
    others = result["alternatives"]
    if not others:
        st.caption(_("No mast that may be shared is near."))
        return
    st.dataframe(
        pd.DataFrame(
            {
                _("Mast"): [f"{o['mast_id']} – {o['name'] or ''}" for o in others],
                _("Owner"): [o["owner"] or formats.NOTHING for o in others],
                _("Distance"): [formats.distance(o["distance_m"]) for o in others],
                _("Height"): [formats.quantity(o["height_m"], "m") for o in others],
                _("Operators"): [f"{o['tenants']} / {o['max_tenants']}" for o in others],
                _("Room"): [_("yes") if o["has_room"] else _("no") for o in others],
                _("Share of people"): [formats.percent(o["share_of_people"], 0) for o in others],
                _("Share of area"): [formats.percent(o["share_of_area"], 0) for o in others],
                _("Saving"): [_range(o["saving"], currency) for o in others],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    st.caption(
        _(
            "Shares compare what the same antennas gain on that mast with what they gain on the "
            "proposed site, summed over technologies. On a mast that others use they hang at a "
            "free height; a mast without a free place or height has no room. The saving is what "
            "the site costs in all less what the equipment and the strengthening of that mast "
            "cost; rent and upkeep of a mast of its own are saved each year besides."
        )
    )


def _range(given: Mapping[str, float] | None, currency: str) -> str:
    if given is None or not given["high"]:
        return formats.NOTHING
    if given["low"] == given["high"]:
        return money.written(given["high"], currency)
    return money.written_range(given["low"], given["high"], currency)
