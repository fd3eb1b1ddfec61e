"""The help page's sections on designs: routes, networks, their years and load; the audit."""

from __future__ import annotations

import streamlit as st

from app import formats
from app.components.help_text import limits, paragraph
from app.i18n import _
from data.store import Workspace
from planning import audit_variants, fibre, network_failures, network_problem


def routes(area: Workspace) -> None:
    """Show how fibre routes are designed, and what their bound and gap mean."""
    del area
    paragraph(
        _(
            "Cable can follow roads, ducts, poles and cables that are there. Lines are joined "
            "where they join in reality: at a common point, or where one ends on the other; a "
            "bridge over a road is no junction. A stretch costs its length times the typical price "
            "of the cheapest allowed way to lay cable, and each crossing of a railway or of water. "
            "Sites are led to the nearest road and the nearest cable or duct within reach."
        ),
        _(
            "To connect all sites with an exchange at least cost is the problem of the Steiner "
            "tree; without an exchange the sites are connected with each other:"
        ),
    )
    st.latex(
        r"\min \sum_e c_e x_e \quad \text{s.t.} \quad \sum_{e \in \delta(S)} x_e \ge 1,"
        r"\ \ x_e \in \{0, 1\}"
    )
    paragraph(
        _(
            "x: stretch e is used, c: its typical cost; S: any part of the network with a site and "
            "without the exchange, δ(S): the stretches over its border. With a budget B the sites "
            "are part of the choice:"
        )
    )
    st.latex(r"\max \sum_i w_i y_i \quad \text{s.t.} \quad \sum_e c_e x_e \le B")
    paragraph(
        _(
            "y: site i is connected, w: its people, or 1. Designs come from shortest paths, local "
            "search and the recombination of several trees; proven bounds come from a dual ascent, "
            "which weighs borders δ(S) so that no design can be cheaper, and for a budget from its "
            "Lagrangian relaxation. The gap is what is left between them:"
        )
    )
    st.latex(r"g = \frac{C - L}{L}, \qquad g_B = \frac{U - V}{U}")
    paragraph(
        _(
            "C: cost of the routes, L: lower bound, which no design that connects these sites "
            "undercuts; V: people or sites connected, U: upper bound for the budget. A gap of 0 "
            "proves that nothing better exists; a larger one says how much better another design "
            "could be at most, not that there is one."
        )
    )
    paragraph(
        _(
            "Every site has fibres of its own to the exchange. Where a cable has too few free "
            "ones, other ways are tried or a new cable is laid beside it; the bound holds for such "
            "designs, too. A cable of more than {cores} fibres costs extra "
            "for each fibre beyond; this is on the bill, but not in what is minimised.",
            cores=formats.number(fibre.INCLUDED_CORES),
        ),
    )
    limits(
        _("The range of a cost adds up all low and all high prices, as if all were wrong alike."),
        _(
            "Prices are planning assumptions until the workspace has its own table; the button "
            "beside a figure says which were checked."
        ),
        _(
            "Whether a duct is passable, a pole bears another cable or a permit is given is not in "
            "the model."
        ),
    )


def network(area: Workspace) -> None:
    """Show how the dedicated network is extended and protected."""
    del area
    paragraph(
        _(
            "Sites that are not connected are led to the data centres and gathering nodes of the "
            "live network, along the same routes and at the same prices as in route design. A site "
            "to protect gets a second way (a ring, or two nodes), so that no single link, section "
            "of duct or common trench cuts it off:"
        )
    )
    st.latex(
        r"\min \sum_e c_e x_e \quad \text{s.t.} \quad \sum_{e \in \delta(S)} x_e \ge 1,"
        r"\qquad \sum_{e \in \delta(S) \setminus g} x_e \ge 1"
    )
    paragraph(
        _(
            "S: any part of the network with a site and without a data centre; the second "
            "condition holds where a site in S is to be protected, for every g: a single link, or "
            "all that runs through one section or trench. Live links cost nothing. Lead-ins up to "
            "{distance} are built twice, apart from each other. Where only one way exists the site "
            "is listed with what cuts it off.",
            distance=formats.distance(network_problem.LEAD_M),
        )
    )
    paragraph(
        _(
            "Designs come from pairs of ways, local search and rerouting; the lower bound comes "
            "from a relaxation of these conditions. The gap is what the routes cost above the "
            "proven bound, as a share of it:"
        ),
    )
    st.latex(r"g = \frac{C - L}{L}")
    paragraph(
        _(
            "Every new link has fibres of its own all along its way; where too few are free, a new "
            "cable is priced. Equipment comes on top: a router at each new site, a module at both "
            "ends of each new link."
        )
    )
    paragraph(
        _(
            "A budget without protection connects what has most criticality; sites that are worth "
            "least for their money are left out until it pays for new and large cables, too. The "
            "bound does not count these cables, so it holds for every choice. With protection a "
            "budget first connects all sites, and then protects those with most to lose: "
            "criticality times hours without service."
        )
    )
    paragraph(
        _(
            "The trade-off repeats this for smaller budgets and for fewer protected sites. For "
            "each, failures and availability A are computed anew; sites that are not connected "
            "have A = 0. Hours lost in a year, weighed by criticality k:"
        ),
    )
    st.latex(r"H = 8760\,\mathrm{h}\,\sum_i k_i\,(1 - A_i)")
    limits(
        _(
            "A design protects from single failures only: not from two at once, nor from the loss "
            "of a data centre, a provider or the power of a region."
        ),
        _("Bandwidth is not designed: whether links are full is on the part Failures."),
        _("Prices and availabilities are planning assumptions until your own replace them."),
    )


def phases(area: Workspace) -> None:
    """Show how the building of a design is spread over years."""
    del area
    paragraph(
        _(
            "The design is fixed; what is planned is its order. A site is connected in the year in "
            "which its equipment and all stretches on its way are paid, and protected once its "
            "other ways are; what several sites share is paid once. Wanted are most years of "
            "service:"
        )
    )
    st.latex(
        r"\max \sum_i \sum_y w_i x_{iy} \quad \text{s.t.} \quad x_{iy} \le z_{py},"
        r"\ \ x_{iy} \le x_{i,y+1},"
    )
    st.latex(
        r"z_{py} \le z_{p,y+1},"
        r" \quad \sum_i c_i x_{iy} + \sum_p c_p z_{py} \ \le\ \sum_{t \le y} B_t"
    )
    paragraph(
        _(
            "x: site i is served in year y, w: its criticality; z: piece p of its way is built by "
            "then; c: typical costs; B: budgets, of which what is left may be spent later. "
            "Priorities are strict: first the most critical sites (or those of the highest level) "
            "as early as possible, then the next ones without any loss to those before; protection "
            "comes after all connections. The gap says how many more years of service, as a share, "
            "another order could bring at most to any class (proven)."
        )
    )
    paragraph(
        _(
            "For the end of each year the network as it is then is examined for failures, so each "
            "year has its availability."
        ),
    )
    limits(
        _("Prices are the same in all years, without inflation and interest."),
        _(
            "What is paid in a year counts as built in it: permits and the time to build are not "
            "in the model."
        ),
        _("If the design is not the cheapest, its years are not either."),
    )


def load(area: Workspace) -> None:
    """Show how the load of links is computed."""
    assumed = network_failures.assumptions(area.folder)
    paragraph(
        _(
            "Traffic is not measured but assumed: in the busy hour a site receives {down} and "
            "sends {up} of the bandwidth that it needs, with its nearest data centre, and sends "
            "{between} of it to other sites. It takes the shortest way, where a link counts the "
            "longer the smaller its capacity, and divides equally where several are as short. With "
            "the load T of its busier direction, capacity C and growth r a year a link has",
            down=formats.percent(assumed["busy_share_down"], 0),
            up=formats.percent(assumed["busy_share_up"], 0),
            between=formats.percent(assumed["busy_share_between"], 0),
        )
    )
    st.latex(
        r"u = \frac{T}{C}, \qquad u_n = u\,(1+r)^n, \qquad"
        r" n^* = \frac{\ln(u_{\max}/u)}{\ln(1+r)}"
    )
    paragraph(
        _(
            "u: utilisation, after n years, and years until the limit of {limit}. A conference of "
            "all endpoints adds {rate} in both directions between each of them and the bridge, "
            "which is where the equipment of a site names one (MCU), otherwise in the data centre "
            "that most endpoints reach. For each link that fails, the traffic with the data "
            "centres is routed anew.",
            limit=formats.percent(assumed["busy_limit"], 0),
            rate=formats.quantity(assumed["conference_rate"], "Mbit/s", 1),
        )
    )
    limits(
        _(
            "All shares are planning assumptions until a file {file} replaces them.",
            file=network_failures.OWN_FILE,
        ),
        _("Sites that do not say which bandwidth they need count without traffic."),
        _("Routers may be set up to take other ways."),
    )


def audit(area: Workspace) -> None:
    """Show how a reported share is audited."""
    del area
    paragraph(
        _(
            "The audit turns the question round: what would make a reported share true? Levels P "
            "and their variability σ are kept with the coverage, so the share follows for every "
            "threshold T and probability p without predicting anything anew:"
        )
    )
    st.latex(
        r"s(T, p) = \frac{\sum_i w_i\,[\,P_i - z_p\,\sigma_i \ge T\,]}{\sum_i w_i},"
        r" \qquad z_p = \Phi^{-1}(p)"
    )
    paragraph(
        _(
            "w: area or people of pixel i. A figure about several technologies is read as any of "
            "them, as each alone and as all at once; their thresholds shift together. For each "
            "reading the page gives the share with the profile's thresholds and probability, the "
            "threshold at which the figure is true with that probability, and the probability at "
            "which it is true with those thresholds. A reading agrees if it is within the rounding "
            "of the figure."
        )
    )
    paragraph(
        _(
            "What else decides is predicted by the coverage engine: other models; parts of the "
            "masts, drawn at random from {least} of them on, as the mean of ten draws; antennas "
            "10 m lower and higher, and a receiver at 10 m.",
            least=formats.percent(min(audit_variants.FRACTIONS), 0),
        ),
    )
    limits(
        _("That a threshold makes a figure true does not prove that it was used."),
        _(
            "All other settings are those of the coverage on the page, and its errors are in the "
            "answer."
        ),
        _("Figures that do not say of what they are a share cannot be audited."),
    )
