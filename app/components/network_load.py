"""How full the links are: in the busy hour, later, in a conference, and after a cut."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import formats
from app.components import style
from app.i18n import _
from planning.network_failures import FailureReport

#: Links that are listed by their load.
_BUSIEST = 10

#: Cuts that are listed by what they overload.
_CUTS = 5


def show(report: FailureReport, called: Mapping[str, str]) -> None:
    """Show the busiest links, bottlenecks now and later, and what a conference does.

    Parameters
    ----------
    report
        What was computed.
    called
        What people call each link.
    """
    tight = report.summary["bottlenecks"]
    years = formats.number(tight["years"])
    st.write(
        _(
            "Above {limit} in the busy hour: {now} links now, {later} in {years} years, if traffic "
            "grows by {growth} a year.",
            limit=formats.percent(tight["limit"], 0),
            now=formats.number(len(tight["now"])),
            later=formats.number(len(tight["later"])),
            years=years,
            growth=formats.percent(tight["growth"], 0),
        )
    )
    links = report.links[report.links["utilisation"].notna()]
    busy = links.sort_values(["utilisation", "link_id"], ascending=[False, True]).head(_BUSIEST)
    until = [
        _("now") if value <= 0 else formats.number(value, 1) for value in busy["years_until_limit"]
    ]
    shown = pd.DataFrame(
        {
            _("Link"): [f"{called[name]} ({name})" for name in busy["link_id"]],
            _("Capacity, Mbit/s"): [formats.number(x) for x in busy["capacity_mbps"]],
            _("Utilisation in the busy hour"): [formats.percent(x) for x in busy["utilisation"]],
            _("In {years} years", years=years): [
                formats.percent(x) for x in busy["utilisation_later"]
            ],
            _("With a conference of all"): [
                formats.percent(x) for x in busy["conference_utilisation"]
            ],
            _("Years to a bottleneck"): until,
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        column_config={_("Link"): st.column_config.Column(width=365)},
    )
    _conference(report, called)
    _cuts(report, called)


def _conference(report: FailureReport, called: Mapping[str, str]) -> None:
    found = report.conference
    if found is None:
        return
    new = len(found["newly_overloaded"])
    said = [
        _(
            "A conference of all {count} endpoints at {rate} each over the bridge at {site} "
            "overloads {links} links, besides {others} that are overloaded anyway, and disturbs "
            "{sites} sites.",
            count=formats.number(found["endpoints"]),
            rate=formats.quantity(found["rate_mbps"], "Mbit/s", 1),
            site=called[found["bridge"]],
            links=formats.number(new),
            others=formats.number(len(found["overloaded"]) - new),
            sites=formats.number(len(found["disturbed"])),
        )
    ]
    if found["unreached"]:
        names = ", ".join(called[name] for name in found["unreached"])
        said.append(_("Endpoints without a way to the bridge: {sites}.", sites=names))
    if found["greatest_mbps"] == 0.0:
        said.append(_("A link on its way is overloaded anyway, so there is no rate that fits."))
    elif found["greatest_mbps"] is not None:
        rate = formats.quantity(found["greatest_mbps"], "Mbit/s", 1)
        said.append(_("Up to {rate} an endpoint overloads no link.", rate=rate))
    st.write(" ".join(said))


def _cuts(report: FailureReport, called: Mapping[str, str]) -> None:
    """List the links whose failure overloads others."""
    if report.reroutes is None or report.reroutes.empty:
        return
    st.write(
        _(
            "When one of these links is cut, traffic with the data centre takes another way and "
            "overloads it:"
        )
    )
    style.facts(
        [
            (
                # With the identifier: links side by side are called the same.
                f"{called[row['link_id']]} ({row['link_id']})",
                _(
                    "{link} at {share}",
                    link=f"{called[row['busiest']]} ({row['busiest']})",
                    share=formats.percent(row["utilisation"], 0),
                ),
            )
            for row in report.reroutes.head(_CUTS).to_dict("records")
        ]
    )
