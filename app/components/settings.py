"""Choose how coverage is computed; the choice is the same on every page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from app import formats, labels, study
from app.components.kept import PREFIX, keep
from app.i18n import _
from coverage import models, technology
from coverage.run import CoverageRequest
from data.store import Workspace

T = TypeVar("T")

#: Pixel sizes offered besides the study area's own. [m]
RESOLUTIONS_M = (25.0, 50.0, 100.0, 200.0, 500.0)

#: Stands for the probability that the profile itself asks for.
OF_PROFILE = 0.0

#: Coverage probabilities offered besides the profile's own.
PROBABILITIES = (0.50, 0.70, 0.75, 0.80, 0.90, 0.95, 0.98)


def show(area: Workspace) -> CoverageRequest:
    """Show the settings of the computation in the sidebar.

    Parameters
    ----------
    area
        The workspace.

    Returns
    -------
    CoverageRequest
        All technologies and operators, with the chosen settings.
    """
    profiles = technology.threshold_profiles(area.folder / "thresholds.csv")
    wanted = study.technologies(area)
    # A profile is offered if it has a threshold for what is to be computed.
    usable = [name for name, entries in profiles.items() if all(item in entries for item in wanted)]
    own_m = area.area.resolution_m
    resolutions = sorted({own_m, *(size for size in RESOLUTIONS_M if size >= own_m)})
    with st.sidebar:
        st.subheader(_("Computation"))
        model = _choice(
            _("Propagation model"),
            "model",
            list(models.MODELS),
            "p1812",
            models.title_of,
        )
        resolution_m = _choice(
            _("Resolution"),
            "resolution",
            resolutions,
            own_m,
            lambda size: formats.quantity(size, "m"),
        )
        profile = _choice(_("Threshold profile"), "profile", usable, "outdoor", labels.profile)
        probability = _choice(
            _("Coverage probability"),
            "probability",
            [OF_PROFILE, *PROBABILITIES],
            OF_PROFILE,
            lambda share: (
                _("as the profile says") if share == OF_PROFILE else formats.percent(share, 0)
            ),
        )
        if profile is not None:
            _explain(profiles[profile], wanted)
    return CoverageRequest(
        technologies=wanted,
        model=model,
        resolution_m=resolution_m,
        threshold_profile=profile,
        probability=None if probability == OF_PROFILE else probability,
    )


def _choice(
    label: str,
    name: str,
    options: Sequence[T],
    default: T,
    written: Callable[[T], str],
) -> T:
    """Show a select box whose choice survives a change of page and of the options."""
    first = default if default in options else next(iter(options), default)
    keep(name, first, options)
    return st.selectbox(label, options, key=PREFIX + name, format_func=written)


def _explain(profile: dict[str, technology.Threshold], wanted: tuple[str, ...]) -> None:
    parts = []
    for name in wanted:
        threshold = profile[name]
        parts.append(
            _(
                "{technology}: {metric} {level} at {probability}",
                technology=name,
                metric=threshold.metric,
                level=formats.quantity(threshold.threshold_dbm, "dBm"),
                probability=formats.percent(threshold.probability, 0),
            )
        )
    text = "  \n".join(parts)
    if not all(profile[name].verified for name in wanted):
        text += "\n\n" + _(
            "These levels are engineering practice or commonly quoted values, not checked against "
            "a regulation; edit them in the workspace's thresholds.csv."
        )
    st.caption(text)
