"""The help page's sections on planning: failures, sharing, white spots, sites, scenarios."""

from __future__ import annotations

import streamlit as st

from app import formats
from app.components.help_text import limits, paragraph
from app.i18n import _
from data.store import Workspace
from planning import (
    network_failures,
    proposal_evaluation,
    site_rules,
    white_spot_remedies,
)


def network(area: Workspace) -> None:
    """Show how the dedicated network is counted."""
    del area
    paragraph(
        _(
            "A site counts as connected from the day of its connection on, a planned one from its "
            "planned day on; a link from the day it is taken into operation to the day it is taken "
            "out. Without a day, what the inventory calls connected and in operation counts."
        ),
        _(
            "Connected and planned sites, local networks and conference endpoints are shares of "
            "all sites; sites that reach a data centre are a share of the connected ones; "
            "sufficient bandwidth is a share of the connected sites whose need and link are known, "
            "and means that the largest link carries the need."
        ),
        _(
            "A site is protected if no single line or node cuts it off from the data centre. Lines "
            "that share a duct or a trench fail together, so two paths never count as independent "
            "where they do."
        ),
    )
    limits(
        _("The figures are as good as the inventory: a link that is missing in it is missing here.")
    )


def failures(area: Workspace) -> None:
    """Show how failures, availability and losses are computed."""
    assumed = network_failures.assumptions(area.folder)
    paragraph(
        _(
            "Every link, site, section of cable, common trench and provider is taken out, one at a "
            "time; cut off is who was served before and then reaches no data centre any more. A "
            "section of cable of length ℓ is whole for this share of the time:"
        )
    )
    st.latex(r"A = 1 - c\,\frac{\ell}{100\,\mathrm{km}}\,\frac{t}{8760\,\mathrm{h}}")
    paragraph(
        _(
            "with c = {cuts} cuts of 100 km a year and t = {hours} hours to a repair; where "
            "sections run side by side, {share} of their cuts take the whole trench, the others "
            "one section. Links have the availability of their contract, or that of their medium; "
            "sites that of their place in the network.",
            cuts=formats.number(assumed["cuts_per_100_km"], 1),
            hours=formats.number(assumed["repair_time"], 1),
            share=formats.percent(assumed["trench_share"], 0),
        ),
        _(
            "A site's availability is the chance that some way of links and sites that are up "
            "leads to a data centre that is up. It is exact: the network is split at its cut "
            "nodes, reduced in series and parallel, and what is left is taken as up and as down,"
        ),
    )
    st.latex(
        r"A_{\mathrm{series}} = \prod_i A_i, \qquad A_{\mathrm{parallel}} = 1 - \prod_i (1-A_i),"
    )
    st.latex(
        r"P = A_e\,P(\text{e}{=}1) + (1-A_e)\,P(\text{e}{=}0), \qquad"
        r" h = 8760\,\mathrm{h}\,(1-P)"
    )
    paragraph(
        _(
            "Where that is too much work, 20,000 random states are drawn, and the 95% interval of "
            "Clopper and Pearson is given. What to protect first is ranked by hours down a year "
            "times the criticality of the sites cut off."
        )
    )
    limits(
        _(
            "Availabilities and cuts are planning assumptions until a file {file} with records of "
            "real cuts replaces them.",
            file=network_failures.OWN_FILE,
        ),
        _(
            "Besides common cables and trenches, failures are taken as independent: a storm or a "
            "power cut that hits several sites is not in the model."
        ),
    )


def sharing(area: Workspace) -> None:
    """Show how shared masts are found and consolidation is optimised."""
    del area
    paragraph(
        _(
            "For two masts of different owners near each other, each is tried as the one that "
            "stays: is it offered for sharing, has it a place and a free height, and what do the "
            "other one's cells cover from there, with their directions, tilts and powers? Coverage "
            "before and after is that of all masts together. Which masts can go is a covering "
            "problem, solved exactly or with a proven bound:"
        )
    )
    st.latex(
        r"\min \sum_j c_j x_j \quad \text{s.t.} \quad \sum_{j \in N(i)} x_j \ge y_i,"
        r"\ \ \sum_i w_i y_i \ge \beta \sum_i w_i"
    )
    paragraph(
        _(
            "x: mast j stands, or an operator moves; y: pixel i stays covered, for every operator "
            "and technology by itself; N(i): masts that reach it with the threshold and "
            "probability of the coverage map; c: 1 for each mast, or its cost; w: people or area; "
            "β: share to keep. The gap says how far the answer may be from the best one; the "
            "result is computed anew by the coverage engine. What it saves is worth today"
        )
    )
    st.latex(r"S = \frac{1-(1+r)^{-n}}{r}\sum C_{\mathrm{year}} - \sum C_{\mathrm{once}}")
    paragraph(
        _(
            "with the yearly cost of the masts that go (rent of the place and upkeep), and once "
            "the cost to take them down, move equipment and strengthen masts; r: rate of discount, "
            "n: years of the plan."
        )
    )
    limits(
        _("Whether an owner agrees or a contract can be ended is not in the model."),
        _("Costs are ranges of planning practice; each has its source and can be replaced."),
    )


def white_spots(area: Workspace) -> None:
    """Show how white spots, their reasons and remedies are found."""
    del area
    paragraph(
        _(
            "A white spot is a set of neighbouring pixels of one commune that the technology does "
            "not cover. At up to five of its places, the one with most people among them, this "
            "much is missing from the best server:"
        )
    )
    st.latex(r"\Delta = T + \Phi^{-1}(p_{\min})\,\sigma_L - P_r")
    paragraph(
        _(
            "The engine is asked again for the same path: with flat ground, without buildings and "
            "trees, with the antenna pointing at the place, with the greatest power of the "
            "technology in the area. The reason is what alone gains at least Δ, the greatest if "
            "several do; else terrain and clutter if both together do; else the greatest if all "
            "together do; if all together do not suffice, the place is too far."
        ),
        _(
            "Remedies are tried at each spot: antennas higher, a sector turned or lifted, a "
            "technology or operator added on a mast near it, a new mast, a repeater. The coverage "
            "engine predicts each; shown is only what brings the spot something and gains more "
            "than it loses. The best one is the cheapest that covers at least {share} of the "
            "spot's people (or area), else the one that covers most. A new mast too near another "
            "one, or where only masts of other classes may stand, is marked and is the best only "
            "if nothing else helps.",
            share=formats.percent(white_spot_remedies.CLOSES, 0),
        ),
    )
    limits(
        _("Costs are what has to be invested, without yearly costs and the link to the network."),
        _("Gains of remedies for different spots may overlap and do not add up."),
    )


def sites(area: Workspace) -> None:
    """Show how new sites are chosen."""
    del area
    paragraph(
        _(
            "Candidates are masts with a free place, public land with power (offices, sites of "
            "the data network), high roofs, and high points with a road and people near; they keep "
            "the distances and stay out of the areas for camouflaged masts that the local rules "
            "name. Each gets the antennas that the operator has most often here, with median "
            "power, gain and tilt; operators that are new on a site hang below each other, by "
            "alphabetical order from the top, where there is room. What each covers comes from "
            "the propagation engine; chosen is what covers most for the money:"
        )
    )
    st.latex(
        r"\max \sum_i w_i y_i \quad \text{s.t.} \quad y_i \le \sum_{j \in N(i)} x_j,"
        r"\ \ \sum_j c_j x_j \le B"
    )
    paragraph(
        _(
            "x: candidate j is built; y: pixel i, not covered so far, is covered; N(i): candidates "
            "that reach it with threshold and probability; w: people or area; c: typical cost of "
            "mast, equipment and fibre; B: budget. For a target the least budget that reaches it "
            "is sought. The gap says how far another choice could be better (proven). Then the "
            "coverage is computed anew with the sites in place."
        ),
        _(
            "Years: the money is spread evenly and may be saved up; the order is the one that "
            "brings the gains earliest, summed over the years."
        ),
    )
    limits(
        _(
            "Fibre is led to each new site by itself, along the cheapest way: what several would "
            "share is counted for each, so the sum is never too low."
        ),
        _("Whether a plot can be bought or neighbours object is not in the model."),
        _("Costs are ranges of planning practice; each has its source and can be replaced."),
    )


def scenarios(area: Workspace) -> None:
    """Show how scenarios are compared."""
    del area
    paragraph(
        _(
            "A scenario is the network of today with changes. Its coverage is computed like that "
            "of today, with the same settings and data; sums over communes z give what it changes,"
        )
    )
    st.latex(r"\Delta = \sum_z w_z\,(s_z' - s_z), \qquad m = 10^9\,\frac{\Delta}{C}")
    paragraph(
        _(
            "w: people or area of the commune, s: share covered by any operator, m: people gained "
            "per billion, C: cost once, as a range from low to high. C adds masts that are built "
            "with shelter and power, equipment that is new or moves, masts that are strengthened "
            "or taken down, and the cheapest fibre to each mast at a new place. A mast that moves, "
            "or gets another height or class, is built anew. A year's cost is what rent and upkeep "
            "of the masts cost more than today."
        )
    )
    limits(
        _(
            "Fibre is counted for each new place by itself, also where several could share a way; "
            "the power bill is not part of the cost."
        ),
        _(
            "Intervals of two networks share most of their errors: the difference is surer than "
            "either share."
        ),
    )


def proposals(area: Workspace) -> None:
    """Show how a proposed site is judged."""
    rules = site_rules.rules(area.folder)
    checked = sum(rule.verified for rule in rules)
    paragraph(
        _(
            "The site is added to the network of today, with the antennas of the proposal or else "
            "those that are usual for its technologies, and the coverage is computed with it: the "
            "gain of a unit is"
        )
    )
    st.latex(r"g_z = w_z\,(s_z' - s_z)")
    paragraph(
        _(
            "w: people or area of the unit, s: share covered before and after. It equals what a "
            "computation of the whole network from the beginning gives."
        ),
        _(
            "Masts to share instead are the nearest that may be shared, at most {count} within "
            "{distance}: the same antennas are hung there at a free height, and what they gain is "
            "divided by what they gain on the proposed site, summed over technologies. The site "
            "costs what a scenario with it costs: mast with shelter and power, equipment of every "
            "operator and technology, fibre. Sharing saves that, less equipment and strengthening "
            "of the shared mast; a mast without a free place or height saves nothing.",
            count=formats.number(proposal_evaluation.ALTERNATIVES),
            distance=formats.distance(proposal_evaluation.ALTERNATIVES_WITHIN_M),
        ),
        _(
            "The site is checked against {count} rules of the province; the text of {checked} of "
            "them was compared with the regulation.",
            count=formats.number(len(rules)),
            checked=formats.number(checked),
        ),
    )
    paragraph(
        _(
            "The proposals of a file are evaluated one after the other beside the page. A carrier "
            "has one undecided proposal for a code of its own. What is submitted lies in the area, "
            "names a mast that is there, and a plan that is in force. Documents are of today or "
            "earlier, and none is older than the one that it follows on."
        )
    )
    limits(
        _("Gains of several proposals at the same place do not add up."),
        _(
            "The spacing is compared with the masts of the data. Consented sites near are named "
            "beside it, to a carrier its own."
        ),
        _(
            "A rule that needs what is not stated, or places that the data do not have, cannot be "
            "checked; it is not taken as met."
        ),
        _(
            "Rules whose text was not compared with the regulation are planning assumptions; the "
            "decision is the department's."
        ),
    )
