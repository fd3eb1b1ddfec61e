"""How full the links of a dedicated network are: in the busy hour, later, and in a conference.

What sites exchange is not measured but assumed, as shares of the bandwidth that they need:
with their data centre, and with each other. The shares are rows of the table of
assumptions (`planning.network_failures.assumptions`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data.errors import Message, message
from planning import traffic
from planning.dedicated_network import Network

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Columns of loads that links get.
COLUMNS = (
    "forward_mbps", "backward_mbps", "utilisation", "utilisation_later", "years_until_limit",
    "conference_utilisation",
)  # fmt: skip

#: Sites up to which traffic between all of them is routed: its table has their square.
MOST_IN_PAIRS = 1_500

#: How equipment that is a conference bridge (multipoint control unit) is called.
_BRIDGE = re.compile(r"\bMCU\b|multipoint control", re.IGNORECASE)

#: Links up to which all is routed anew without each of them.
MOST_CUT = 1_500


@dataclass(frozen=True, eq=False)
class Loads:
    """What the links of a network carry.

    Parameters
    ----------
    links
        Live links as straight lines, with `COLUMNS`.
    conference
        What a conference of all endpoints does; None where there are not two that are
        served.
    reroutes
        A row for each link whose failure overloads others that are not overloaded anyway,
        by traffic with the data centres alone: link_id, overloaded (how many), busiest
        (link_id), utilisation (of that). None where there are more than `MOST_CUT` links.
    """

    links: gpd.GeoDataFrame
    conference: dict[str, Any] | None
    reroutes: pd.DataFrame | None


def lines(live: Network) -> gpd.GeoDataFrame:
    """Return the links as straight lines, without loads.

    Parameters
    ----------
    live
        The network.

    Returns
    -------
    GeoDataFrame
        Link, ends, provider, medium, capacity, and empty `COLUMNS`.
    """
    xy = shapely.get_coordinates(live.sites.geometry.to_numpy())
    drawn: Any = shapely.linestrings(np.stack([xy[live.tail], xy[live.head]], axis=1))
    kept = ["link_id", "from_site", "to_site", "provider", "medium", "capacity_mbps"]
    empty = dict.fromkeys(COLUMNS, np.nan)
    return gpd.GeoDataFrame(
        live.links[kept].assign(**empty), geometry=np.atleast_1d(drawn), crs=live.sites.crs
    )


def loads(live: Network, roots: Ints, served: Bools, assumed: Mapping[str, float]) -> Loads:
    """Route the traffic of the busy hour, of later years and of a conference of all endpoints.

    Parameters
    ----------
    live
        The network.
    roots
        Positions of the data centres.
    served
        Which sites reach one.
    assumed
        Shares, growth, horizon, limit and the rate of an endpoint.

    Returns
    -------
    Loads
        Figures of the links.
    """
    weight, capacity = _weights(live), _capacity(live)
    limit = assumed["busy_limit"]
    usual = usual_demands(live, roots, served, assumed)
    routing = traffic.route(
        len(live.sites), live.tail, live.head, usual, weight=weight, there_and_back=True
    )
    share = routing.utilisation(capacity)
    # All grows alike and the ways do not depend on loads, so every link grows by the same.
    with np.errstate(over="ignore"):
        later = share * np.power(1.0 + assumed["growth"], assumed["growth_years"])
    links = lines(live).assign(
        forward_mbps=routing.forward_mbps,
        backward_mbps=routing.backward_mbps,
        utilisation=share,
        utilisation_later=later,
        years_until_limit=traffic.years_until(share, assumed["growth"], limit=limit),
    )
    links, conference = _conference(live, links, roots, served, usual, assumed)
    return Loads(links, conference, _reroutes(live, roots, served, share, assumed))


def _weights(live: Network) -> Floats:
    """Return lengths of links by which traffic prefers the larger ones, as routers do."""
    capacity = _capacity(live)
    known = capacity[np.isfinite(capacity)]
    usual = float(np.median(known)) if known.size else 1.0
    largest = float(known.max()) if known.size else 1.0
    return largest / np.where(np.isfinite(capacity), capacity, usual)


def _capacity(live: Network) -> Floats:
    return live.links["capacity_mbps"].to_numpy(np.float64, na_value=np.nan)


def usual_demands(
    live: Network, roots: Ints, served: Bools, assumed: Mapping[str, float]
) -> traffic.Demands:
    """Return what sites exchange in the busy hour, with a data centre and with each other.

    Parameters
    ----------
    live
        The network.
    roots
        Positions of the data centres; a site talks to the nearest one.
    served
        Which sites reach one.
    assumed
        With busy_share_down, busy_share_up and busy_share_between.

    Returns
    -------
    Demands
        None of sites whose bandwidth is not known; none between sites where there are
        more than `MOST_IN_PAIRS`.
    """
    with_hub = _with_centre(live, roots, served, assumed)
    between = assumed["busy_share_between"]
    if len(live.sites) > MOST_IN_PAIRS or between == 0.0:
        return with_hub
    nodes, need = _talking(live, served)
    return with_hub + traffic.site_demands(nodes, between * need)


def _with_centre(
    live: Network, roots: Ints, served: Bools, assumed: Mapping[str, float]
) -> traffic.Demands:
    """Return what sites exchange with the nearest data centre."""
    nodes, need = _talking(live, served)
    return traffic.hub_demands(
        nodes,
        _nearest_root(live, roots)[nodes],
        up_mbps=assumed["busy_share_up"] * need,
        down_mbps=assumed["busy_share_down"] * need,
    )


def _talking(live: Network, served: Bools) -> tuple[Ints, Floats]:
    """Return the sites with traffic, and the bandwidth that they need."""
    need = live.sites["bandwidth_mbps"].to_numpy(np.float64, na_value=np.nan)
    nodes = np.flatnonzero(served & ~live.hub & np.isfinite(need))
    return nodes, need[nodes]


def _nearest_root(live: Network, roots: Ints) -> Ints:
    """Return the nearest data centre of each site, of equally near ones that named first."""
    count = len(live.sites)
    # Whatever the order of the rows.
    order = roots[np.argsort(live.sites["site_id"].to_numpy(dtype=str)[roots], kind="stable")]
    best, nearest = np.full(count, np.inf), np.full(count, order[0], dtype=np.int64)
    if len(roots) == 1:
        return nearest
    weight = _weights(live)
    everyone = np.arange(count)
    for root in order.tolist():
        away = traffic.route(
            count,
            live.tail,
            live.head,
            traffic.Demands(everyone, np.full(count, root), np.zeros(count)),
            weight=weight,
        )
        # Sums of the same lengths in another order differ in their last digits.
        nearer = away.length < best * (1.0 - 1e-9)
        best[nearer], nearest[nearer] = away.length[nearer], root
    return nearest


def _conference(
    live: Network,
    links: gpd.GeoDataFrame,
    roots: Ints,
    served: Bools,
    usual: traffic.Demands,
    assumed: Mapping[str, float],
) -> tuple[gpd.GeoDataFrame, dict[str, Any] | None]:
    endpoints = np.flatnonzero(live.sites["video_conference"].to_numpy(bool) & served)
    if len(endpoints) < 2:
        return links, None
    mcu = _bridge(live, roots, endpoints)
    effect = traffic.conference_effect(
        len(live.sites),
        live.tail,
        live.head,
        _capacity(live),
        usual,
        endpoints,
        assumed["conference_rate"],
        mcu=mcu,
        limit=assumed["busy_limit"],
        weight=_weights(live),
        there_and_back=True,
    )
    link_id = live.links["link_id"].to_numpy(dtype=object)
    site_id = live.sites["site_id"].to_numpy(dtype=object)
    return links.assign(conference_utilisation=effect.utilisation), {
        "endpoints": len(endpoints),
        "bridge": str(site_id[mcu]),
        "rate_mbps": assumed["conference_rate"],
        "limit": assumed["busy_limit"],
        "overloaded": link_id[effect.overloaded].tolist(),
        "newly_overloaded": link_id[effect.newly_overloaded].tolist(),
        "disturbed": site_id[effect.disturbed].tolist(),
        "unreached": site_id[effect.unreached].tolist(),
        # Infinite where no link of known capacity carries it.
        "greatest_mbps": effect.greatest_mbps if math.isfinite(effect.greatest_mbps) else None,
    }


def _bridge(live: Network, roots: Ints, endpoints: Ints) -> int:
    """Return where the conference bridge is: at the equipment, else in a data centre.

    Of several the one that most endpoints reach, then that named first.
    """
    pieces = live.sites["equipment"].fillna("").str.contains(_BRIDGE, regex=True)
    equipped = np.flatnonzero(pieces.to_numpy(bool))
    site_id = live.sites["site_id"].tolist()
    reached = np.bincount(live.parts[endpoints], minlength=len(site_id))[live.parts]
    among = equipped if len(equipped) else roots
    return min(among.tolist(), key=lambda k: (-int(reached[k]), not live.hub[k], site_id[k]))


def _reroutes(
    live: Network, roots: Ints, served: Bools, share: Floats, assumed: Mapping[str, float]
) -> pd.DataFrame | None:
    """Return the links whose failure overloads others; None where that is too much work."""
    columns = ["link_id", "overloaded", "busiest", "utilisation"]
    limit = assumed["busy_limit"]
    if len(live.links) > MOST_CUT:
        return None
    # What is too full anyway is told by itself.
    capacity = np.where(share > limit, np.nan, _capacity(live))
    table = traffic.after_failures(
        len(live.sites),
        live.tail,
        live.head,
        capacity,
        _with_centre(live, roots, served, assumed),
        limit=limit,
        weight=_weights(live),
        there_and_back=True,
    )
    worse = table[table["overloaded"] > 0].sort_values(
        ["greatest_utilisation", "position"], ascending=[False, True]
    )
    name = live.links["link_id"].to_numpy(dtype=object)
    return pd.DataFrame(
        {
            "link_id": name[worse["position"].to_numpy(np.int64)],
            "overloaded": worse["overloaded"].to_numpy(np.int64),
            "busiest": name[worse["busiest_edge"].to_numpy(np.int64)],
            "utilisation": worse["greatest_utilisation"].to_numpy(np.float64),
        },
        columns=columns,
    )


def notes(
    live: Network, conference: Mapping[str, Any] | None, assumed: Mapping[str, float]
) -> tuple[Message, ...]:
    """Return what a reader of the loads must know.

    Parameters
    ----------
    live
        The network.
    conference
        From `loads`.
    assumed
        What was assumed.

    Returns
    -------
    tuple of Message
        Sites without traffic, a missing conference, and the assumptions.
    """
    found = []
    silent = live.sites["bandwidth_mbps"].isna() & ~pd.Series(live.hub, index=live.sites.index)
    if silent.any():
        found.append(
            message(
                "{count} sites do not say which bandwidth they need and count without traffic",
                count=int(silent.sum()),
            )
        )
    if conference is None:
        found.append(message("There are not two endpoints of conferences that are served"))
    found.append(
        message(
            "The load is assumed: in the busy hour a site receives {down} and sends {up} of the "
            "bandwidth that it needs, and sends {between} of it to other sites",
            down=f"{100 * assumed['busy_share_down']:g} %",
            up=f"{100 * assumed['busy_share_up']:g} %",
            between=f"{100 * assumed['busy_share_between']:g} %",
        )
    )
    if len(live.sites) > MOST_IN_PAIRS:
        found.append(
            message(
                "Traffic between sites is left out, because there are more than {count}",
                count=MOST_IN_PAIRS,
            )
        )
    return tuple(found)
