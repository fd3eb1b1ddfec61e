"""The help page's sections: how to go about it, methods with formulas, limits."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import formats, glossary, indicator_labels, labels
from app.components import help_commands, help_designs, help_planning, style
from app.components.help_text import limits, paragraph
from app.i18n import _, mark
from coverage import models, percentages, technology
from data.store import Workspace


def start(area: Workspace) -> None:
    """Show how to go about it."""
    del area
    steps = [
        _(
            "**Data:** load units, masts and cells, terrain, land cover and people; "
            "every file is checked row by row before anything is kept."
        ),
        _(
            "**Coverage map:** compute the coverage once, then look at it by "
            "technology and operator; a click on the map explains a place."
        ),
        _(
            "**Overview and Indicators:** compare what was reported with what was "
            "computed, with interval, trend and target."
        ),
        _(
            "**Sharing and siting:** find masts to share and places for new ones; "
            "carriers file proposals, planners decide."
        ),
        _(
            "**Scenarios:** change the network, and every page shows the changed one;"
            " choose it in the sidebar."
        ),
        _("**Reports:** write the provincial report with maps and tables in both languages."),
    ]
    st.markdown("\n".join(f"{number}. {text}" for number, text in enumerate(steps, start=1)))
    paragraph(
        _(
            "The address of a page holds what you look at: area, language, scenario, "
            "technology, operator, place and position of the map. Copy it to share "
            "the view."
        ),
        _(
            "On a map the arrow keys move, plus and minus zoom, and Enter asks about "
            "the middle; a place can also be typed as latitude and longitude."
        ),
    )


def level(area: Workspace) -> None:
    """Show how a level is predicted."""
    del area
    paragraph(
        _(
            "The level at a place is what a cell radiates, less what its antenna "
            "radiates less in that direction, less the loss of the path:"
        )
    )
    st.latex(r"P_r = \mathrm{EIRP} - A(\varphi, \theta) - L_b")
    paragraph(
        _(
            "The loss follows Recommendation ITU-R P.1812 over the terrain and land "
            "cover between mast and place. It starts from free space,"
        )
    )
    st.latex(
        r"L_{bfs} = 92.4 + 20\log_{10} f"
        r" + 10\log_{10}\!\left(d^2 + (h_{ts}-h_{rs})^2/10^6\right)"
    )
    paragraph(
        _(
            "(f in GHz, d in km, h in m) and adds diffraction by the delta-Bullington"
            " method, whose knife edge loses"
        )
    )
    st.latex(r"J(\nu) = 6.9 + 20\log_{10}\!\left(\sqrt{(\nu-0.1)^2+1} + \nu - 0.1\right)")
    paragraph(
        _(
            "where the obstacle stands in units of the first Fresnel zone. Its radius"
            " and the effective radius of the Earth are"
        )
    )
    st.latex(
        r"F_1 = \sqrt{\lambda\,\frac{d_1 d_2}{d_1+d_2}}, \qquad"
        r" a_e = 6371\,\frac{157}{157-\Delta N}\ \mathrm{km}"
    )
    paragraph(
        _(
            "Ducting and tropospheric scatter can lower the loss on long paths. Of "
            "several cells the strongest is the best server."
        )
    )
    _models()
    limits(
        _(
            "The level is the median of the places within a pixel at 1.5 m above "
            "ground, outdoors unless the threshold profile says otherwise."
        ),
        _("Land cover stands for a height per class; single houses and trees are not known."),
        _(
            "Beyond the range that a model's authors state, results are "
            "extrapolations and are marked as such."
        ),
    )


def _models() -> None:
    rows = [
        (
            model.title,
            model.reference,
            "; ".join(
                f"{_(_RANGES.get(name, name))} "
                f"{formats.number(low, indicator_labels.decimals(low))}–"
                f"{formats.quantity(high, unit, indicator_labels.decimals(high))}"
                for name, (low, high, unit) in model.valid_range.items()
            ),
        )
        for model in models.MODELS.values()
    ]
    style.table(
        _("Models that can be chosen"), (_("Model"), _("Source"), _("Range of validity")), rows
    )


_RANGES = {
    "frequency_mhz": mark("frequency"),
    "distance_km": mark("distance"),
    "antenna_height_m": mark("antenna height"),
    "rx_height_m": mark("receiver height"),
    "time_percent": mark("share of time"),
    "location_percent": mark("share of locations"),
    "n0": mark("refractivity"),
}


def covered(area: Workspace) -> None:
    """Show when a place counts as covered."""
    paragraph(
        _(
            "Levels vary within a pixel with what the data do not show. A pixel is "
            "covered where a large enough share of its places reaches the threshold:"
        )
    )
    st.latex(
        r"p = \Phi\!\left(\frac{P_r - T}{\sigma_L}\right) \ \ge\ p_{\min}, \qquad"
        r" \sigma_L = (0.024 f + 0.52)\, w^{0.28}"
    )
    paragraph(
        _(
            "with f in GHz and the pixel's side w in m (ITU-R P.1812, section 4.8). A"
            " calibration with measurements replaces σ by what it found."
        )
    )
    rows = [
        (
            labels.profile(profile),
            name,
            f"{item.metric} {formats.quantity(item.threshold_dbm, 'dBm')}",
            formats.percent(item.probability, 0),
            _(item.source)
            + ("" if item.verified else f" ({_('not checked against a regulation')})"),
        )
        for profile, entries in technology.threshold_profiles(
            area.folder / "thresholds.csv"
        ).items()
        for name, item in entries.items()
    ]
    head = (_("Profile"), _("Technology"), _("Threshold"), _("Probability"), _("Source"))
    style.table(_("Thresholds in use"), head, rows)
    limits(
        _(
            "Received is not served: load, capacity and indoor losses can deny a "
            "service where the level suffices."
        ),
        _(
            "No regulation that was checked states these thresholds; a report is "
            "comparable only with thresholds and probability beside it."
        ),
    )


def shares(area: Workspace) -> None:
    """Show how shares and their intervals come about."""
    del area
    paragraph(
        _(
            "A figure is the share of area, people or villages whose pixel is "
            "covered; pixels are split exactly on the borders of units:"
        )
    )
    st.latex(r"s = \frac{\sum_i w_i\,[\,p_i \ge p_{\min}\,]}{\sum_i w_i}")
    paragraph(
        _(
            "The 95% interval has two parts, added as independent: shadow fading, "
            "which is correlated over {distance} and averages out over a unit, and "
            "the mean error of the model, which moves all levels together and does "
            "not.",
            distance=formats.distance(percentages.DECORRELATION_DISTANCE_M),
        )
    )
    st.latex(
        r"\rho(d) = e^{-d/d_c}, \qquad"
        r" \Delta s = \sqrt{\Delta s_{\mathrm{fading}}^2 + \Delta s_{\mathrm{model}}^2}"
    )
    limits(
        _(
            "The interval does not hold errors of the data: a mast missing from the "
            "list, a wrong azimuth, people counted in the wrong place."
        ),
        _(
            "Shares of area, people and villages differ; a share without its "
            "denominator says nothing."
        ),
    )


def broadband(area: Workspace) -> None:
    """Show how broadband coverage comes about."""
    del area
    paragraph(
        _(
            "A home has fixed broadband if an access point with a free port lies "
            "within reach along roads and cables and the light suffices:"
        )
    )
    st.latex(r"P_{tx} - \alpha\,\ell - n_s L_s - n_c L_c - L_{split} - M \ \ge\ P_{rx}")
    paragraph(
        _(
            "(fibre, splices, connectors, splitter and margin; the numbers are on the"
            " page Broadband and can be replaced). Mobile broadband counts where one "
            "user alone in the best cell gets the wanted rate."
        ),
    )
    limits(_("A port that is free on paper may be broken; ducts may be full."))


def indicators(area: Workspace) -> None:
    """Show how indicators are checked."""
    del area
    paragraph(
        _(
            "Every indicator has a definition, unit, denominator, method, day and "
            "source. A reported value stands beside the computed one; the arithmetic "
            "is checked: shares that must add up, percentages against their counts, "
            "parts against wholes."
        ),
    )
    limits(
        _(
            "An agreement of two numbers proves no method; a disagreement may lie in "
            "the denominator."
        )
    )


def terms(area: Workspace) -> None:
    """Show the glossary."""
    del area
    wanted = st.text_input(
        _("Search"), key="help.term", placeholder=_("A word in Vietnamese or English")
    )
    found = glossary.search(wanted)
    if not found:
        st.info(_("No term of this kind."), icon=":material/search_off:")
        return
    head = (_("Vietnamese"), _("English"), _("Meaning"))
    style.table(
        _("Terms"),
        head,
        [(item.vietnamese, item.english, glossary.meaning(item)) for item in found],
    )


#: Sections by the name that addresses and `how.show` use.
SECTIONS: dict[str, tuple[str, Callable[[Workspace], None]]] = {
    "start": (mark("Finding your way"), start),
    "level": (mark("Signal level"), level),
    "covered": (mark("Covered or not"), covered),
    "shares": (mark("Shares and intervals"), shares),
    "broadband": (mark("Broadband"), broadband),
    "routes": (mark("Route design"), help_designs.routes),
    "network": (mark("Dedicated network"), help_planning.network),
    "failures": (mark("Failures and availability"), help_planning.failures),
    "load": (mark("Load of links"), help_designs.load),
    "network_design": (mark("Network design"), help_designs.network),
    "phases": (mark("Phases"), help_designs.phases),
    "sharing": (mark("Shared masts"), help_planning.sharing),
    "white_spots": (mark("White spots"), help_planning.white_spots),
    "sites": (mark("New sites"), help_planning.sites),
    "scenarios": (mark("Comparison of scenarios"), help_planning.scenarios),
    "proposals": (mark("Proposed sites"), help_planning.proposals),
    "indicators": (mark("Indicators"), indicators),
    "audit": (mark("Audit of a figure"), help_designs.audit),
    "commands": (mark("Commands for proposals and accounts"), help_commands.commands),
    "terms": (mark("Terms"), terms),
}
