"""The charts of a report: few and plain."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from coverage.results import ANY_OPERATOR
from data.errors import message
from planning import names
from planning.reports import words
from planning.reports.inputs import Inputs, present
from planning.reports.language import Language, clean
from planning.reports.map_sheet import DPI, WIDTH_INCH
from planning.reports.model import Number, Picture

_COLOURS = {"area": "#1d6f8f", "population": "#3fa39b", "village": "#e4a11b"}
_INK = "#16262e"

#: Communes that the chart of the least covered ones shows.
LEAST = 15


def technologies(inputs: Inputs) -> Picture:
    """Return the chart of the whole area by technology, with intervals.

    Parameters
    ----------
    inputs
        What is known, with a coverage.

    Returns
    -------
    Picture
        The chart.
    """
    figures = present(inputs.coverage).figures
    rows = figures[(figures["zone"] == inputs.whole) & (figures["operator"] == ANY_OPERATOR)]

    def draw(language: Language) -> bytes:
        services = names.ordered(rows["service"])
        measures = [name for name in _COLOURS if (rows["measure"] == name).any()]
        figure = Figure(figsize=(WIDTH_INCH, 0.5 * len(services) + 0.65), dpi=DPI)
        FigureCanvasAgg(figure)
        tall = figure.get_size_inches()[1]
        axes = figure.add_axes((0.2, 0.3 / tall, 0.76, 1.0 - 0.65 / tall))
        height = 0.8 / len(measures)
        for k, measure in enumerate(measures):
            own = rows[rows["measure"] == measure].set_index("service").reindex(services)
            place = np.arange(len(services)) + (k - (len(measures) - 1) / 2) * height
            share = 100.0 * own["share"].to_numpy(float)
            spread = 100.0 * np.abs(
                np.stack([own["share"] - own["interval_low"], own["interval_high"] - own["share"]])
            )
            axes.barh(
                place,
                share,
                0.92 * height,
                color=_COLOURS[measure],
                label=language.say(names.MEASURES[measure]),
            )
            axes.errorbar(
                share, place, xerr=spread, fmt="none", ecolor=_INK, elinewidth=0.8, capsize=2
            )
        axes.set_yticks(
            np.arange(len(services)),
            [language.say(words.named(names.SERVICES, name)) for name in services],
        )
        axes.invert_yaxis()
        _percent_axis(axes, language)
        figure.legend(
            loc="upper left", bbox_to_anchor=(0.19, 1.0), ncols=3, fontsize=7.5, frameon=False
        )
        return _png(figure)

    return Picture(
        "chart_technologies",
        message("Share covered by technology, with 95% intervals"),
        message("Bar chart of the figures of the table above, with their intervals."),
        draw,
    )


def least_covered(inputs: Inputs) -> Picture:
    """Return the chart of the communes with the smallest share of their area covered.

    Parameters
    ----------
    inputs
        What is known, with a coverage.

    Returns
    -------
    Picture
        The chart, of 4G or the last technology that was computed.
    """
    figures = present(inputs.coverage).figures
    known = [name for name in names.ordered(figures["service"]) if name in ("2G", "3G", "4G", "5G")]
    service = "4G" if "4G" in known else known[-1]
    rows = figures[
        (figures["operator"] == ANY_OPERATOR)
        & (figures["service"] == service)
        & (figures["measure"] == "area")
        & figures["zone"].isin(inputs.communes.index)
    ]
    least = rows.sort_values(["share", "code"]).head(LEAST)
    return Picture(
        "chart_least_covered",
        message(
            "The {count} communes with the smallest share of their area covered by {service}",
            count=Number(len(least)),
            service=service,
        ),
        message(
            "Bar chart of the communes with the least {service} coverage, the least first.",
            service=service,
        ),
        lambda language: _bars(least, language),
    )


def _bars(rows: pd.DataFrame, language: Language) -> bytes:
    figure = Figure(figsize=(WIDTH_INCH, 0.2 * len(rows) + 0.6), dpi=DPI)
    FigureCanvasAgg(figure)
    bottom = 0.38 / figure.get_size_inches()[1]
    axes = figure.add_axes((0.27, bottom, 0.69, 0.97 - bottom))
    place = np.arange(len(rows))
    share = 100.0 * rows["share"].to_numpy(float)
    axes.barh(place, share, 0.72, color=_COLOURS["area"])
    spread = 100.0 * np.abs(
        np.stack([rows["share"] - rows["interval_low"], rows["interval_high"] - rows["share"]])
    )
    axes.errorbar(share, place, xerr=spread, fmt="none", ecolor=_INK, elinewidth=0.8, capsize=2)
    axes.set_yticks(place, [clean(name)[:40] for name in rows["name"]])
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.invert_yaxis()
    _percent_axis(axes, language)
    return _png(figure)


def _percent_axis(axes: Axes, language: Language) -> None:
    axes.set_xlim(0, 101)
    ticks = (0, 20, 40, 60, 80, 100)
    axes.set_xticks(ticks, [language.percent(tick / 100.0, 0) for tick in ticks])
    axes.tick_params(labelsize=7.5, length=2, color="#9aa7ae")
    axes.grid(axis="x", color="#d5dce0", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=DPI, metadata={"Software": None})
    return written.getvalue()
