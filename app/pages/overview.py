"""The area's figures at a glance, beside those that were reported."""

from __future__ import annotations

import streamlit as st

from app import areas, formats, labels, study
from app.components import (
    banner,
    charts,
    computation,
    download,
    figure_facts,
    figures,
    glance,
    how,
    provenance,
    reported,
    settings,
    tour,
    vintage,
    whole_area,
)
from app.components.kept import keep
from app.errors import readable_errors
from app.i18n import _
from coverage.results import ANY_OPERATOR, CoverageResult
from data.store import Workspace
from planning import names


def _zone_tables(area: Workspace, result: CoverageResult, operator: str) -> None:
    table = result.figures
    levels = [name for name in labels.LEVELS if name in set(table["level"])]
    st.subheader(_("By administrative unit"))
    first, second, third = st.columns(3)
    level = first.selectbox(
        _("Level"),
        levels,
        format_func=labels.level,
        key=keep("level", levels[-1], levels),
    )
    rows = vintage.choose(study.layer(area, "zones"), level, first)
    of_level = table[table["zone"].isin(rows)]
    measures = figures.measures_of(table)
    measure = second.selectbox(
        _("Share of"),
        measures,
        format_func=labels.measure,
        key=keep("measure", measures[0], measures),
    )
    services = names.ordered(table["service"])
    service = third.selectbox(
        _("Chart of"),
        services,
        format_func=labels.service,
        key=keep("chart_service", "4G" if "4G" in services else services[0], services),
    )
    wide = figures.by_zone(of_level, measure, operator)
    titles = {
        "code": _("Code"),
        "name": _("Name"),
        "weight": {
            "area": _("Area, km²"),
            "population": _("Population"),
            "village": _("Villages"),
        }[measure],
        **{name: labels.service(name) for name in wide.columns[3:]},
        "any": _("Any"),
    }
    shown = wide.rename(columns=titles)
    digits = 1 if measure == "area" else 0
    styled = shown.style.format(
        {
            titles["weight"]: lambda value: formats.number(value, digits),
            **{titles[name]: formats.percent for name in wide.columns[3:]},
        }
    )
    left, right = st.columns([9, 5])
    left.dataframe(
        styled,
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(shown), 640),
        column_config={
            titles["code"]: st.column_config.Column(width=65),
            titles["name"]: st.column_config.Column(width=165),
        },
    )
    with left:
        name = f"coverage_{result.summary['area']}_{level}.csv"
        download.table(_("Download all figures (CSV)"), of_level, name)
    with right:
        charts.show_zones(of_level, service, measure, operator)


def _page(area: Workspace) -> None:
    st.title(_("Overview · {area}", area=areas.title(area.area)))
    banner.show(area)
    tour.show()
    request = settings.show(area)
    result = computation.show(area, request)
    with readable_errors():
        glance.show(area, request, area.base)
    if result is None:
        return
    st.subheader(_("Coverage by technology and operator"))
    operators = [ANY_OPERATOR, *result.summary["provenance"]["operators"]]
    operator = st.selectbox(
        _("Operator"),
        operators,
        format_func=labels.operator,
        key=keep("operator", ANY_OPERATOR, operators),
        width=300,
    )
    whole = whole_area.figures(area, result.figures)
    figures.show_services(whole, operator)
    how.show(_("How was this computed?"), figure_facts.coverage(result.summary), section="shares")
    st.subheader(_("Reported beside computed"))
    reported.show(area, whole)
    _zone_tables(area, result, operator)
    provenance.show(result.summary)


_page(study.workspace())
