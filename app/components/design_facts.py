"""What designs of routes and networks were computed from, as facts for `how.show`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from app import formats, labels, money
from app.components import figure_facts
from app.components.fibre_jobs import Made, Plan
from app.components.figure_facts import Facts
from app.i18n import _
from planning import fibre
from planning.fibre import RouteDesign
from planning.network_design import NetworkDesign

#: Units of the price list -> how a price is said in it.
_PER = {"m": "{price}/m", "each": "{price}"}


def routes(plan: Plan, made: Made) -> Facts:
    """Return how a route design was computed.

    Parameters
    ----------
    plan
        Sites and rules.
    made
        Its design, or that for a budget.
    """
    design = made.design
    origin = design.summary["provenance"]
    request = origin["request"]
    seconds = request["time_limit_s"] or fibre.time_for(len(plan.task.edges.tail))
    return [
        (_("Sites to connect"), _sites(plan)),
        *rules(design),
        (_("Fibre and ducts of"), request["owner"] or _("all owners")),
        (_("Farthest from a route"), formats.distance(request["reach_m"])),
        *_budget(request["budget"], design.summary["cost"]["currency"]),
        figure_facts.time_limit(seconds),
        *_proof(design.summary, design.bound, design.gap),
        *prices(design.bill),
        *figure_facts.data(origin["inputs"]),
        figure_facts.function("planning.fibre.design"),
    ]


def rules(design: RouteDesign) -> Facts:
    """Return what a route design looks for, and along what.

    Parameters
    ----------
    design
        The design.
    """
    request = design.summary["provenance"]["request"]
    return [
        (
            _("Rule"),
            _("least typical cost that connects all sites with an exchange")
            if design.summary["objective"] == "cost"
            else _("most sites by their weight that the budget can connect"),
        ),
        (_("Ways"), _ways(request["road_items"])),
        (
            _("Fibres"),
            _(
                "{count} per site to the exchange; where free fibres do not suffice, a new "
                "cable is laid",
                count=formats.number(request["cores_per_site"]),
            ),
        ),
    ]


def network(design: NetworkDesign) -> Facts:
    """Return how the design of a dedicated network was computed.

    Parameters
    ----------
    design
        The design.
    """
    summary = design.summary
    origin = summary["provenance"]
    request = origin["request"]
    kinds = [labels.norm_sites(name) for name in request["protect"]]
    return [
        figure_facts.state(summary["day"]),
        (_("Protect from any single cut"), ", ".join(kinds) or _("nobody: only connect")),
        (
            _("Rule"),
            _("most criticality that the budget can connect")
            if summary["objective"] == "value"
            else _("least typical cost of the routes that connect and protect the sites"),
        ),
        (_("Ways"), _ways(request["road_items"])),
        (
            _("Fibres"),
            _(
                "{count} for each new link all along its way; where free fibres do not suffice, a "
                "new cable is laid",
                count=formats.number(request["cores_per_site"]),
            ),
        ),
        (_("Farthest from a route"), formats.distance(request["reach_m"])),
        *_budget(request["budget"], summary["cost"]["currency"]),
        figure_facts.time_limit(design.designer.limit_s),
        *_proof(summary, design.bound, design.gap),
        (
            _("Availability"),
            _(
                "as on the part Failures, from {count} assumptions",
                count=formats.number(len(origin["assumptions"])),
            ),
        ),
        *prices(design.bill),
        *figure_facts.data(origin["inputs"]),
        figure_facts.function("planning.network_design.design"),
    ]


def prices(bill: pd.DataFrame) -> Facts:
    """Return the unit prices that a bill of quantities rests on, and which are checked.

    Parameters
    ----------
    bill
        From `planning.cost.bill_of_quantities`.
    """
    found = []
    for row in bill.to_dict("records"):
        price = money.written(row["unit_typical"], row["currency"])
        known = _("from a price list") if row["verified"] else _("planning assumption, not checked")
        found.append(
            (
                _("Price: {item}", item=labels.cost_item(row["item"]).lower()),
                f"{_PER[row['unit']].format(price=price)} ({known})",
            )
        )
    return found


def _sites(plan: Plan) -> str:
    kind = labels.site_kind(plan.asked.request.sites)
    out = plan.asked.left_out
    return _("{kind}, {count} left out", kind=kind, count=formats.number(len(out))) if out else kind


def _ways(items: Sequence[str]) -> str:
    # The names have commas of their own.
    named = "; ".join(labels.cost_item(name).lower() for name in items)
    return _("cables, ducts and poles that are there; else: {ways}", ways=named)


def _budget(budget: float | None, currency: str) -> Facts:
    return [] if budget is None else [(_("Budget"), money.written(budget, currency))]


def _proof(summary: dict[str, Any], bound: float, gap: float) -> Facts:
    """Return the proven bound and how far the design is from it."""
    if not math.isfinite(gap):
        return [(_("Proven bound"), _("none was found"))]
    if summary["objective"] == "value":
        said = _("at most {value} by weight", value=formats.number(bound, 1))
    else:
        said = _(
            "routes of at least {cost}", cost=money.written(bound, summary["cost"]["currency"])
        )
    return [(_("Proven bound"), said), (_("Gap to the bound"), formats.percent(gap, 2))]
