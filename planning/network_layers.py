"""A design as layers to be imported: its duct sections, and all links along them.

A design cuts segments of cable where a site is led off, for a link that ends there does
not run on: `F0001` becomes `F0001/1`, `F0001/2`. Imported together, the sections and the
links that name them say of every cut what the design says.
"""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data import schema
from planning import fibre
from planning.network_designer import Choice, Designer

Ints = NDArray[np.int64]

#: Cost items of new sections on poles; others are buried.
_AERIAL = frozenset(("aerial_existing_poles", "aerial_new_poles"))

_PLANNED = "planned"


def segments(designer: Designer, choice: Choice) -> gpd.GeoDataFrame:
    """Return the layer `fibre_segments` as it will be with a design.

    Parameters
    ----------
    designer, choice
        The design.

    Returns
    -------
    geopandas.GeoDataFrame
        The segments as the design cuts them, with the fibres that it uses counted as
        used, and the new ones, planned.
    """
    problem = designer.problem
    known = problem.inventory.segments
    if known is None:
        known = schema.empty_frame("fibre_segments")
    pieces = problem.pieces
    old = pd.DataFrame(known.drop(columns=known.geometry.name)).iloc[pieces["row"]]
    old = old.assign(segment_id=pieces["segment_id"].to_numpy(dtype=object))
    stretch, cores = _fibres(designer, choice)
    name = problem.piece[stretch]
    there = name != None  # noqa: E711
    spare = there & (choice.edges.item[stretch] == "spare_cores")
    more = pd.Series(cores[spare], index=name[spare]).reindex(old["segment_id"], fill_value=0)
    taken = pd.Series(more.to_numpy(np.int64), index=old.index)
    before = old["cores_used"].astype("Int64")
    old["cores_used"] = before.mask(taken > 0, before.fillna(0) + taken)
    new = ~there & ~designer.is_lead[stretch]
    stretch, cores = stretch[new], cores[new]
    aerial = np.isin(choice.edges.item[stretch].astype(str), list(_AERIAL))
    added = pd.DataFrame(
        {
            "segment_id": [problem.new_section(number) for number in stretch.tolist()],
            "segment_type": np.where(aerial, "aerial", "buried"),
            "owner": designer.request.owner,
            "status": _PLANNED,
            "cores": [fibre.cable_size(int(count)) for count in cores.tolist()],
            "cores_used": cores,
        }
    )
    rows = pd.concat([old, added.reindex(columns=old.columns)], ignore_index=True)
    line = np.r_[pieces.geometry.to_numpy(), choice.edges.line[stretch]]
    frame = gpd.GeoDataFrame(rows, geometry=line, crs=problem.task.graph.crs)
    return schema.validate("fibre_segments", frame)


def _fibres(designer: Designer, choice: Choice) -> tuple[Ints, Ints]:
    """Return the stretches that are built or used, and the fibres in them."""
    by_edge = designer.cores(choice)
    stretch = choice.whole.stretch[choice.chosen]
    there, which = np.unique(stretch, return_inverse=True)
    count = np.array([by_edge.get(edge, 0) for edge in choice.chosen.tolist()], dtype=np.int64)
    return there, np.bincount(which, weights=count, minlength=len(there)).astype(np.int64)


def links(designer: Designer, choice: Choice) -> pd.DataFrame:
    """Return the layer `network_links` as it will be with a design.

    Parameters
    ----------
    designer, choice
        The design.

    Returns
    -------
    pandas.DataFrame
        All links, with routes through the sections of `segments`; the new ones planned.
    """
    old = designer.problem.inventory.links
    new = designer.links(choice)
    old = _renamed(old, designer.problem.parts)
    return pd.concat([frame for frame in (old, new) if len(frame)], ignore_index=True)


def new_links(designer: Designer, choice: Choice) -> pd.DataFrame:
    """Return the new links of a design with the segments as they are recorded today.

    Parameters
    ----------
    designer, choice
        The design.

    Returns
    -------
    pandas.DataFrame
        Rows of the layer `network_links`; a route names the whole segment where the link
        runs through a part of it, so that a check finds common cuts where there are none.
    """
    whole = {part: (name,) for name, parts in designer.problem.parts.items() for part in parts}
    return _renamed(designer.links(choice), whole)


def _renamed(links: pd.DataFrame, names: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Return links whose routes have other names for some of their segments."""
    routes = [_route(route, names) for route in links["route"].tolist()]
    return links.assign(route=pd.Series(routes, index=links.index, dtype=object))


def _route(route: object, names: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return a route with other names for some of its segments."""
    found = [other for name in schema.route_segments(route) for other in names.get(name, (name,))]
    return schema.LIST_SEPARATOR.join(dict.fromkeys(found)) or None
