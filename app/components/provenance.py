"""How a coverage was computed and from what."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import formats, labels
from app.components import figure_facts, style
from app.i18n import _, translate
from data.errors import Message


def show(summary: dict[str, Any]) -> None:
    """Show model, thresholds, data, uncertainty and notes of a result.

    Parameters
    ----------
    summary
        Content of `coverage.json`.
    """
    origin = summary["provenance"]
    with st.expander(_("How were these figures computed?"), icon=":material/info:"):
        settings = origin["settings"]
        doubt = origin["uncertainty"]
        style.facts(
            [
                (_("Propagation model"), origin["model_reference"]),
                (_("Resolution"), formats.quantity(summary["resolution_m"], "m")),
                (_("Radius of a cell"), formats.distance(settings["radius_m"])),
                (_("Receiver height"), formats.quantity(settings["rx_height_m"], "m", 1)),
                (_("Threshold profile"), labels.profile(origin["threshold_profile"])),
                *(figure_facts.threshold(item) for item in origin["thresholds"].values()),
                (
                    _("Uncertainty"),
                    _(
                        "95% interval: shadow fading (correlated over {distance}) and a mean error "
                        "of the model of {error}, added as independent",
                        distance=formats.distance(doubt["decorrelation_distance_m"]),
                        error=formats.quantity(doubt["model_mean_error_db"], "dB", 1),
                    ),
                ),
                (_("Location variability"), _variability(doubt["location_sigma_db"])),
                (_("Operators"), ", ".join(origin["operators"])),
                (_("Result"), f"{origin['key']} ({_('engine')} {origin['engine_version']})"),
            ]
        )
        st.markdown(f"**{_('Data')}**")
        style.facts(
            [
                (labels.layer(name), figure_facts.origin(item))
                for name, item in origin["inputs"].items()
            ]
        )
        if origin["notes"]:
            st.markdown(f"**{_('Notes')}**")
            for note in origin["notes"]:
                st.markdown(f"- {translate(Message(note['template'], note['values']))}")


def _variability(sigma_db: dict[str, float]) -> str:
    parts = []
    for name, value in sigma_db.items():
        frequency = float(name.split()[0])
        written = formats.quantity(frequency, "MHz", 0 if frequency % 1 == 0 else 1)
        parts.append(f"{written}: {formats.quantity(value, 'dB', 2)}")
    return " · ".join(parts)
