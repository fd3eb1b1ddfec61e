"""What broadband coverage computes: the question, the figures and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverage import run
from data.errors import InputError
from planning import homes as homes_module

#: Changes whenever the figures of the same inputs would change.
ENGINE_VERSION = "1"

#: Name of the figure that is compared with reported ones: homes served by fibre.
SERVED = "broadband"

#: Figures and what each counts.
SERVICES = {
    "broadband_reach": "within the drop length of a live access point",
    "broadband_port": "within reach, and a port in use or free for it",
    "broadband_free_port": "within reach, and a free port for it",
    "broadband_budget": "within reach, and the optical budget back to the exchange closes",
    SERVED: "within reach, budget closes, and a port for it",
    "mobile_broadband": "mobile broadband at the rate asked for",
    "broadband_or_mobile": "served by fibre or mobile broadband",
}

#: Kinds of nodes that give access even if the data do not say how many ports they have.
ACCESS_TYPES = ("cabinet", "splitter")

#: Layers and rasters that the fixed figures depend on.
LAYERS = (
    "zones",
    "roads",
    "fibre_segments",
    "fibre_nodes",
    "population",
    "villages",
    "clutter",
)

_RATED = ("3G", "4G", "5G")

FloatArray = NDArray[np.float64]

#: Central value, low and high of a share, each of shape (n_homes,).
Range = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class BroadbandRequest:
    """What to compute.

    Parameters
    ----------
    drop_m
        Longest drop: from the home to the route, along it, and to the access point.
        A planning assumption. [m]
    access_reach_m
        How far a home, an access point or an exchange may stand off the nearest route. [m]
    ports
        ``"all"``: a port in use counts, because it serves a home already; ``"free"``:
        only homes that could be newly connected count as served.
    homes
        ``"auto"``, ``"population"`` or ``"villages"``; see `planning.homes.find`.
    household_size
        People of one household where the zones do not say.
    spacing_m
        Distance between homes made of the population raster. [m]
    drop_uncertainty
        By what share the drop length may be wrong, for the range.
    assumed_ports
        Ports of an access point that has none in the data; for the range 0 and no limit.
    assumed_pon_class
        Budget class where neither access point nor exchange has one.
    assumed_split_ratio
        Outputs of the splitters where the data do not say.
    rate_mbps
        Least rate of mobile broadband. [Mbit/s]
    mobile_technologies
        Technologies that count, where the coverage has them.
    mobile_coverage
        Coverage that mobile broadband is read from; the default one if None.
    """

    drop_m: float = 300.0
    access_reach_m: float = 300.0
    ports: Literal["all", "free"] = "all"
    homes: homes_module.Source = "auto"
    household_size: float = homes_module.HOUSEHOLD_SIZE
    spacing_m: float = homes_module.SPACING_M
    drop_uncertainty: float = 0.2
    assumed_ports: int = 8
    assumed_pon_class: str = "B+"
    assumed_split_ratio: int = 64
    rate_mbps: float = 10.0
    mobile_technologies: tuple[str, ...] = ("4G", "5G")
    mobile_coverage: run.CoverageRequest | None = None


def checked(request: BroadbandRequest) -> BroadbandRequest:
    """Return a request whose numbers are usable.

    Parameters
    ----------
    request
        What is wanted.

    Returns
    -------
    BroadbandRequest
        The same.

    Raises
    ------
    InputError
        If a number is out of range or a word is not known.
    """
    ranges: dict[str, tuple[float, float]] = {
        "drop_m": (1.0, 20_000.0),
        "access_reach_m": (1.0, 20_000.0),
        "drop_uncertainty": (0.0, 0.9),
        "assumed_ports": (0, 10_000),
        "rate_mbps": (0.01, 100_000.0),
    }
    for name, (low, high) in ranges.items():
        value = getattr(request, name)
        if not low <= value <= high:
            raise InputError(
                "{what} is {value} (expected a number from {low} to {high})",
                what=name,
                value=value,
                low=f"{low:g}",
                high=f"{high:g}",
            )
    choices: dict[str, tuple[str, ...]] = {
        "ports": ("all", "free"),
        "homes": ("auto", "population", "villages"),
    }
    for name, options in choices.items():
        value = getattr(request, name)
        if value not in options:
            raise InputError(
                "{what} is {value} (expected one of {expected})",
                what=name,
                value=value,
                expected=", ".join(options),
            )
    for technology in request.mobile_technologies:
        if technology not in _RATED:
            raise InputError(
                "{what} is {value} (expected one of {expected})",
                what="mobile_technologies",
                value=technology,
                expected=", ".join(_RATED),
            )
    return request
