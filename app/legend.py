"""Classes and colours of the maps.

The ramps run from dark (strong, much) to light (weak, little) in one hue and in
lightness, so they read the same with colour-blind eyes and in black and white.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app import formats
from app.i18n import _
from app.overlays import TRANSPARENT

#: Lower ends of the classes of signal level, strongest first; weaker levels
#: down to the last make one more class. Planning practice, not a standard. [dBm]
LEVEL_BREAKS_DBM: dict[str, tuple[float, ...]] = {
    "2G": (-65.0, -75.0, -85.0, -95.0, -104.0),
    "3G": (-75.0, -85.0, -95.0, -105.0, -115.0),
    "4G": (-80.0, -90.0, -100.0, -110.0, -120.0),
    "5G": (-80.0, -90.0, -100.0, -110.0, -120.0),
}

LEVEL_COLOURS = ("#0b3c5d", "#1d6f8f", "#3fa39b", "#8ccf86", "#e0e37a", "#f3b562")

COVERED_COLOUR = "#1d7f8c"
NOT_COVERED_COLOUR = "#e4572e"

#: Lower ends of the classes of shares by zone, highest first.
SHARE_BREAKS = (0.99, 0.95, 0.90, 0.80, 0.60)
SHARE_COLOURS = ("#0b3c5d", "#1d6f8f", "#3fa39b", "#8ccf86", "#e0e37a", "#f3b562")
NO_VALUE_COLOUR = "#c9d1d6"


@dataclass(frozen=True)
class Entry:
    """One line of a legend.

    Parameters
    ----------
    colour
        As ``#rrggbb``.
    text
        What it stands for.
    """

    colour: str
    text: str


def level_classes(level_dbm: NDArray[np.float32], technology: str) -> NDArray[np.uint8]:
    """Sort levels into the classes of a technology.

    Parameters
    ----------
    level_dbm
        Levels, NaN without signal. [dBm]
    technology
        Key of `LEVEL_BREAKS_DBM`.

    Returns
    -------
    numpy.ndarray
        Class, 0 the strongest; `TRANSPARENT` without signal.
    """
    breaks = np.array(LEVEL_BREAKS_DBM[technology][::-1])
    classes = (len(breaks) - np.digitize(level_dbm, breaks)).astype(np.uint8)
    classes[~np.isfinite(level_dbm)] = TRANSPARENT
    return classes


def level_legend(technology: str) -> list[Entry]:
    """Return the legend of `level_classes`."""
    breaks = LEVEL_BREAKS_DBM[technology]
    written = [formats.number(value) for value in breaks]
    texts = [_("{level} dBm or stronger", level=written[0])]
    texts += [
        _("{low} to {high} dBm", low=low, high=high) for high, low in itertools.pairwise(written)
    ]
    texts.append(_("weaker than {level} dBm", level=written[-1]))
    return [Entry(colour, text) for colour, text in zip(LEVEL_COLOURS, texts, strict=True)]


def covered_legend() -> list[Entry]:
    """Return the legend of covered and not covered places."""
    return [
        Entry(COVERED_COLOUR, _("covered")),
        Entry(NOT_COVERED_COLOUR, _("not covered")),
    ]


def share_colour(share: float) -> str:
    """Return the colour of a zone.

    Parameters
    ----------
    share
        Share covered, 0 to 1; NaN for a zone without a figure.

    Returns
    -------
    str
        As ``#rrggbb``.
    """
    if not np.isfinite(share):
        return NO_VALUE_COLOUR
    for low, colour in zip(SHARE_BREAKS, SHARE_COLOURS, strict=False):
        if share >= low:
            return colour
    return SHARE_COLOURS[-1]


def share_legend() -> list[Entry]:
    """Return the legend of `share_colour`."""
    written = [formats.percent(value, 0) for value in SHARE_BREAKS]
    texts = [_("{share} or more", share=written[0])]
    texts += [_("{low} to {high}", low=low, high=high) for high, low in itertools.pairwise(written)]
    texts.append(_("less than {share}", share=written[-1]))
    entries = [Entry(colour, text) for colour, text in zip(SHARE_COLOURS, texts, strict=True)]
    return [*entries, Entry(NO_VALUE_COLOUR, _("no figure"))]
