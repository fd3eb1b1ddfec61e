"""What failures, availability and loads were computed from, as facts for `how.show`."""

from __future__ import annotations

from collections.abc import Iterable

from app import formats
from app.components import figure_facts
from app.components.figure_facts import Facts
from app.i18n import _, mark
from data.store import Workspace
from planning.dedicated_network import LINKS, SITES
from planning.network_failures import FailureReport

#: What is assumed, and how it is written: share of 100, share of 1, or a unit.
ASSUMED = {
    "link_fibre": (mark("Availability of a fibre link without a figure"), "percent"),
    "link_microwave": (mark("Availability of a microwave link without a figure"), "percent"),
    "link_copper": (mark("Availability of a copper link without a figure"), "percent"),
    "link_satellite": (mark("Availability of a satellite link without a figure"), "percent"),
    "link_mobile": (mark("Availability of a mobile link without a figure"), "percent"),
    "site_hub": (mark("Availability of power and equipment of a data centre"), "percent"),
    "site_aggregation": (
        mark("Availability of power and equipment of a gathering node"),
        "percent",
    ),
    "site_access": (mark("Availability of power and equipment of an end"), "percent"),
    "cuts_per_100_km": (mark("Cuts of 100 km of cable in a year"), ""),
    "repair_time": (mark("Hours from a cut to its repair"), ""),
    "trench_share": (mark("Share of cuts that take cables beside along"), "share"),
    "busy_share_down": (
        mark("Received in the busy hour, share of the bandwidth needed"),
        "share",
    ),
    "busy_share_up": (mark("Sent in the busy hour, share of the bandwidth needed"), "share"),
    "busy_share_between": (
        mark("Sent to other sites in the busy hour, share of the bandwidth needed"),
        "share",
    ),
    "growth_years": (mark("Years ahead for which the load is shown"), ""),
    "growth": (mark("Growth of traffic in a year"), "share"),
    "busy_limit": (mark("Utilisation from which a link is a bottleneck"), "share"),
    "conference_rate": (mark("Mbit/s of a conference endpoint"), ""),
}

#: Those of them that the load of links rests on.
_LOAD = (
    "busy_share_down", "busy_share_up", "busy_share_between", "busy_limit", "growth",
    "growth_years", "conference_rate",
)  # fmt: skip


def failures(area: Workspace, report: FailureReport) -> Facts:
    """Return which state was looked at, what was assumed, and from which layers.

    Parameters
    ----------
    area
        The workspace.
    report
        What was computed.
    """
    methods = report.sites["method"].value_counts()
    return [
        figure_facts.state(report.network.day),
        (
            _("Availability"),
            _(
                "exact for {exact} sites, by random samples for {sampled}",
                exact=formats.number(methods.get("exact", 0)),
                sampled=formats.number(methods.get("monte carlo", 0)),
            ),
        ),
        *assumed(report),
        *figure_facts.data(area.provenance(), (SITES, LINKS, "fibre_segments")),
        figure_facts.function("planning.network_failures.analyse"),
    ]


def load(area: Workspace, report: FailureReport) -> Facts:
    """Return from which traffic the load was computed, and from which layers.

    Parameters
    ----------
    area
        The workspace.
    report
        What was computed.
    """
    return [
        figure_facts.state(report.network.day),
        *assumed(report, _LOAD),
        *figure_facts.data(area.provenance(), (SITES, LINKS)),
        figure_facts.function("planning.network_load.loads"),
    ]


def assumed(report: FailureReport, names: Iterable[str] | None = None) -> Facts:
    """Return what was assumed.

    Parameters
    ----------
    report
        What was computed.
    names
        Keys of `ASSUMED`; all if None.
    """
    wanted = report.assumed if names is None else names
    return [(_(ASSUMED[name][0]), _written(name, report.assumed[name])) for name in wanted]


def _written(name: str, value: float) -> str:
    how = ASSUMED[name][1]
    if how == "percent":
        return formats.percent(value / 100.0, 2)
    if how == "share":
        return formats.percent(value, 0)
    return formats.number(value, 0 if value % 1 == 0 else 1)
