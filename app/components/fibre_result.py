"""What a route design found: figures with their proof, sites, bill of quantities, files."""

from __future__ import annotations

import math
from html import escape

import altair as alt
import geopandas as gpd
import pandas as pd
import streamlit as st

from app import formats, labels, money
from app.components import broadband_provenance, design_facts, findings, style
from app.components.fibre_jobs import Made, Plan
from app.i18n import _, language, translate
from data.store import Workspace
from planning.fibre import DesignRequest, RouteDesign

#: Kinds of sites whose weight is people.
_OF_PEOPLE = ("communes", "villages", "unserved")


def counts_people(request: DesignRequest, sites: gpd.GeoDataFrame) -> bool:
    """Return whether the sites' weights are people rather than 1 each.

    Parameters
    ----------
    request
        What was asked.
    sites
        The sites.

    Returns
    -------
    bool
        False where nobody knows how many people the sites stand for.
    """
    return request.sites in _OF_PEOPLE and bool((sites["weight"] != 1.0).any())


def show_figures(made: Made, *, people: bool) -> None:
    """Show sites, length, cost and how near the best the design is.

    Parameters
    ----------
    made
        The design.
    people
        Whether weights are people.
    """
    design = made.design
    summary = design.summary
    currency = summary["cost"]["currency"]
    first, second, third = st.columns(3)
    first.metric(
        _("Sites connected"),
        _(
            "{connected} of {all}",
            connected=formats.number(summary["connected"]),
            all=formats.number(summary["sites"]),
        ),
        border=True,
    )
    if people:
        first.caption(_("{count} people", count=formats.number(design.value)))
    second.metric(_("Length of the routes"), formats.distance(summary["length_m"]), border=True)
    second.caption(
        _(
            "{new} new, {there} in or on what is there",
            new=formats.distance(summary["new_m"]),
            there=formats.distance(summary["existing_m"]),
        )
    )
    third.metric(_("Cost"), money.written(design.cost.typical, currency), border=True)
    third.caption(
        _("range {range}", range=money.written_range(design.cost.low, design.cost.high, currency))
    )
    st.markdown(f"**{_('How good is it?')}** {proof(design, people=people)}")
    for note in design.notes:
        st.info(translate(note), icon=":material/info:")


def proof(design: RouteDesign, *, people: bool) -> str:
    """Say in words how near the best possible a design is proven to be.

    Parameters
    ----------
    design
        The design.
    people
        Whether weights are people.

    Returns
    -------
    str
        One sentence or several.
    """
    summary = design.summary
    currency = summary["cost"]["currency"]
    gap = design.gap
    said = []
    if summary["objective"] == "value":
        most = formats.number(design.bound)
        if gap < 5e-5:
            said.append(_("No choice of sites within this budget brings more (proven)."))
        elif people:
            said.append(
                _(
                    "At most {gap} short of the most people that this budget can reach: more than "
                    "{most} are impossible (proven).",
                    gap=formats.percent(gap),
                    most=most,
                )
            )
        else:
            said.append(
                _(
                    "At most {gap} short of the most sites that this budget can reach: more than "
                    "{most} are impossible (proven).",
                    gap=formats.percent(gap),
                    most=formats.number(math.floor(design.bound + 1e-6)),
                )
            )
    elif gap < 5e-5:
        said.append(_("No design that connects these sites is cheaper (proven)."))
    elif math.isfinite(gap):
        said.append(
            _(
                "At most {gap} dearer than the cheapest possible: no design that connects these "
                "sites costs less than {bound} (proven).",
                gap=formats.percent(gap, 1 if gap >= 0.001 else 2),
                bound=money.written(design.bound, currency),
            )
        )
    else:
        said.append(_("How near the cheapest it is could not be proven."))
    return " ".join(said)


def show_curve(plan: Plan, budget: float | None, *, people: bool) -> None:
    """Show what each budget brings, and at most could.

    Parameters
    ----------
    plan
        With a curve.
    budget
        The one that is looked at, None for no limit.
    people
        Whether weights are people.
    """
    if plan.curve is None:
        return
    design = plan.made.design
    currency = design.summary["cost"]["currency"]
    size, unit = money.scale_of(design.route_cost, currency)
    zero = {"budget": 0.0, "value": 0.0, "bound": 0.0, "sites": 0}
    table = pd.concat([pd.DataFrame([zero]), plan.curve], ignore_index=True)
    drawn = pd.DataFrame(
        {
            "budget": table["budget"] / size,
            "value": table["value"],
            "bound": table["bound"],
            "written": [money.written(value, currency) for value in table["budget"]],
            "brings": [formats.number(value) for value in table["value"]],
            "most": [formats.number(value) for value in table["bound"]],
            "sites": [formats.number(value) for value in table["sites"]],
        }
    )
    thousands, point = (".", ",") if language() == "vi" else (",", ".")
    label = (
        "replace(replace(replace(format(datum.value, ',.6~f'), /,/g, ' '), '.', "
        f"'{point}'), / /g, '{thousands}')"
    )
    x = alt.X(
        "budget:Q",
        title=_("Budget, {unit}", unit=unit),
        axis=alt.Axis(labelExpr=label, tickCount=6),
    )
    title = _("People connected") if people else _("Sites connected")
    y_axis = alt.Axis(labelExpr=label, tickCount=5)
    tooltip = [
        alt.Tooltip("written:N", title=_("Budget")),
        alt.Tooltip("brings:N", title=title),
        alt.Tooltip("most:N", title=_("At most possible")),
        alt.Tooltip("sites:N", title=_("Sites")),
    ]
    base = alt.Chart(drawn)
    y = alt.Y("value:Q", title=title, axis=y_axis)
    shapes: list[alt.Chart] = [
        base.mark_area(opacity=0.25, color="#3f8fa8").encode(x=x, y=y, y2="bound:Q"),
        base.mark_line(color="#0b6280", strokeWidth=2).encode(x=x, y=y),
        base.mark_point(color="#0b6280", filled=True, size=60, opacity=1.0).encode(
            x=x, y=y, tooltip=tooltip
        ),
    ]
    if budget is not None:
        rule = alt.Chart(pd.DataFrame({"budget": [budget / size]}))
        shapes.append(rule.mark_rule(color="#e4572e", strokeWidth=2).encode(x="budget:Q"))
    with st.expander(_("What a budget brings"), icon=":material/show_chart:", expanded=True):
        st.altair_chart(alt.layer(*shapes).properties(height=230), width="stretch")
        st.caption(
            _("Line: found. Shaded above it: up to what no choice of sites can exceed (proven).")
        )


def show_tables(area: Workspace, made: Made) -> None:
    """Show the sites that are not connected, the bill, the files and the origin of it all.

    Parameters
    ----------
    area
        The workspace.
    made
        The design.
    """
    _not_connected(made.design)
    _bill(area, made)
    _origin(made.design)


def _not_connected(design: RouteDesign) -> None:
    rows = [
        {
            _("Site"): str(number),
            _("Name"): name if isinstance(name, str) else "",
            _("Weight"): weight,
            _("Why not"): translate(why),
        }
        for number, name, weight, why in zip(
            design.sites["site_id"],
            design.sites["name"],
            design.sites["weight"],
            design.reasons,
            strict=True,
        )
        if why is not None
    ]
    if not rows:
        return
    st.subheader(_("Sites that are not connected"))
    table = pd.DataFrame(rows)
    st.dataframe(
        table.style.format({_("Weight"): formats.number}),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), 320),
        column_config={_("Why not"): st.column_config.Column(width="large")},
    )


def _bill(area: Workspace, made: Made) -> None:
    st.subheader(_("Bill of quantities"))
    bill = made.design.bill
    currency = made.design.summary["cost"]["currency"]
    heads = (
        _("Item"),
        _("Quantity"),
        _("Price, {currency}", currency=money.scale_of(1.0, currency)[1]),
        _("Cost"),
        _("Range"),
    )
    rows = [
        (
            labels.cost_item(row.item),
            formats.quantity(row.quantity, "m")
            if row.unit == "m"
            else formats.number(row.quantity),
            formats.number(row.unit_typical),
            money.written(row.typical, currency),
            money.written_range(row.low, row.high, currency),
        )
        for row in bill.itertuples()
    ]
    total = made.design.cost
    whole = money.written_range(total.low, total.high, currency)
    rows.append((_("Total"), "", "", money.written(total.typical, currency), whole))
    table = (
        '<table class="ps-table ps-stack"><thead><tr>'
        + "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
        + "</tr></thead><tbody>"
        + "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(
                style.cell(head, escape(value))
                for head, value in zip(heads[1:], values, strict=True)
            )
            + "</tr>"
            for name, *values in rows
        )
        + "</tbody></table>"
    )
    st.html(style.region(_("Bill of quantities"), table))
    if not bill["verified"].all():
        st.caption(
            _(
                "Prices are planning assumptions, not checked against a price list; edit them in "
                "the workspace's unit_costs.csv."
            )
        )
    name = f"fibre_{area.area.name}_{made.design.summary['provenance']['request']['sites']}"
    with st.container(horizontal=True):
        st.download_button(
            _("Bill of quantities (Excel)"),
            made.workbook,
            file_name=f"{name}.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            _("Routes and sites (GeoPackage)"),
            made.package,
            file_name=f"{name}.gpkg",
            mime="application/geopackage+sqlite3",
            icon=":material/download:",
            on_click="ignore",
        )


def _origin(design: RouteDesign) -> None:
    origin = design.summary["provenance"]
    with st.expander(_("How was this design made?"), icon=":material/info:"):
        style.facts(
            [
                *design_facts.rules(design),
                (
                    _("Cost"),
                    _(
                        "of the typical prices; the range adds up all low and all high ones. The "
                        "proof counts routes without the addition for large cables."
                    ),
                ),
            ]
        )
        st.markdown(f"**{_('Data')}**")
        broadband_provenance.show_inputs(origin["inputs"])
        if design.problems:
            st.markdown(f"**{_('Doubtful places in the lines')}**")
            findings.table(design.problems, "fibre")
