"""Which operators could move from which mast to which other one, and what they would cover there.

An operator moves with all its cells: same directions, tilts and powers, antennas at a free
height of the receiving mast. Technologies and bands that it has there already are not hung
a second time. An operator that is new on a mast needs the owner's consent (`shareable`), one
of the places for operators (`max_tenants`) and free height. Every operator that could come
to a mast has a height of its own there, by alphabetical order from the top, so that several
can come without being in each other's way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from coverage.request import ON_AIR, CoverageRequest, cells_of, masts_on_air
from data.errors import InputError, Message, message
from data.store import Workspace
from planning import mast_coverage
from planning.mast_coverage import MastCoverage
from planning.sharing_costs import Prices, prices

Progress = Callable[[float], None]

#: Why a mast cannot take another one's operators.
NOT_SHAREABLE = message("its owner does not share it")
NO_PLACE = message("no place for another operator")
NO_HEIGHT = message("no free height for antennas")


@dataclass(frozen=True)
class SharingRequest:
    """How shared masts are looked for.

    Parameters
    ----------
    coverage
        What counts as covered.
    distance_m
        Masts at most this far apart may become one; the table's value if None. [m]
    """

    coverage: CoverageRequest = field(default_factory=CoverageRequest)
    distance_m: float | None = None


@dataclass(frozen=True, eq=False)
class Inventory:
    """The masts on air as sharing sees them.

    Parameters
    ----------
    masts
        Layer `masts`, numbered from 0.
    cells
        Their cells.
    owner
        Of each mast; where it is not known, its operators.
    tenants
        Operators with cells on each mast.
    places
        How many operators each mast carries.
    prices
        What all of it costs.
    distance_m
        How far apart masts may be that become one. [m]
    """

    masts: gpd.GeoDataFrame
    cells: pd.DataFrame
    owner: tuple[str, ...]
    tenants: tuple[frozenset[str], ...]
    places: NDArray[np.int64]
    prices: Prices
    distance_m: float

    def mast_class(self, number: int) -> object:
        """Return the class of a mast."""
        return self.masts["mast_class"].iloc[number]

    def height_m(self, number: int) -> float:
        """Return the height of a mast. [m]."""
        return float(self.masts["height_m"].iloc[number])


@dataclass(frozen=True)
class Move:
    """One operator's way from a mast to another one.

    Parameters
    ----------
    guest, host
        Numbers of the mast that it leaves and of the one that it comes to.
    operator
        Who moves.
    is_new
        Whether it has no cells on the receiving mast yet.
    height_m
        Of its antennas there. [m]
    """

    guest: int
    host: int
    operator: str
    is_new: bool
    height_m: float


@dataclass(frozen=True, eq=False)
class Moves:
    """All moves that are possible, with what would be covered after them.

    Parameters
    ----------
    moves
        In order of guest, host and operator.
    cells
        The cells of each move as they would be: on the receiving mast, with their new
        heights; empty where all are there already.
    coverage
        One column a move: what the moved cells cover.
    refused
        (guest, host) -> why the host cannot take all of the guest's operators.
    """

    moves: tuple[Move, ...]
    cells: tuple[pd.DataFrame, ...]
    coverage: MastCoverage
    refused: dict[tuple[int, int], Message]


def read(workspace: Workspace, request: SharingRequest) -> Inventory:
    """Read the masts on air with owners, operators and places.

    Parameters
    ----------
    workspace
        The study area.
    request
        Distance and operators.

    Returns
    -------
    Inventory
        All of them.

    Raises
    ------
    InputError
        If there are no masts on air, or the distance is not above 0.
    """
    found = prices(workspace.folder)
    distance = found.typical("distance") if request.distance_m is None else request.distance_m
    if not 0.0 < distance <= 20_000.0:
        raise InputError(
            "The distance between masts is {value} m (expected above 0 and at most 20,000 m)",
            value=distance,
        )
    masts = masts_on_air(workspace).reset_index(drop=True)
    if masts.empty:
        raise InputError(
            "There are no masts in operation (layer masts with the status {status}), so there is "
            "nothing to share",
            status=ON_AIR[0],
        )
    return inventory(masts, cells_of(workspace), found, distance)


def inventory(
    masts: gpd.GeoDataFrame, cells: pd.DataFrame, found: Prices, distance_m: float
) -> Inventory:
    """Put masts and cells together; see `read`."""
    cells = cells[cells["mast_id"].isin(masts["mast_id"])].reset_index(drop=True)
    by_mast = cells.groupby("mast_id")["operator"].agg(frozenset)
    tenants = tuple(by_mast.get(name, frozenset()) for name in masts["mast_id"])
    owners = masts["owner"] if "owner" in masts else pd.Series(None, index=masts.index)
    owner = tuple(
        name if isinstance(name, str) and name else "+".join(sorted(own)) or "?"
        for name, own in zip(owners, tenants, strict=True)
    )
    known = masts["max_tenants"].to_numpy(np.float64, na_value=np.nan)
    default = np.array([found.tenants(kind) for kind in masts["mast_class"]], np.float64)
    places = np.where(np.isnan(known), default, known).astype(np.int64)
    return Inventory(masts, cells, owner, tenants, places, found, distance_m)


def neighbours(about: Inventory) -> list[tuple[int, int, float]]:
    """Return pairs of masts of different owners within the distance, nearest first.

    Parameters
    ----------
    about
        The masts.

    Returns
    -------
    list of tuple
        Numbers of two masts, the lower first, and their distance. [m]
    """
    xy = np.column_stack([about.masts.geometry.x, about.masts.geometry.y])
    pairs = cKDTree(xy).query_pairs(about.distance_m, output_type="ndarray")
    found = [
        (int(min(a, b)), int(max(a, b)), float(np.hypot(*(xy[a] - xy[b]))))
        for a, b in pairs
        if about.owner[a] != about.owner[b]
    ]
    return sorted(found, key=lambda item: (item[2], item[0], item[1]))


def free_heights_m(about: Inventory, host: int, operator: str = "") -> list[float]:
    """Return the heights of a mast at which antennas of another operator fit, from the top.

    Parameters
    ----------
    about
        The masts.
    host
        Number of the mast.
    operator
        Whose antennas there do not count, because they are those that would move.

    Returns
    -------
    list of float
        Centres of the antennas above ground. [m]
    """
    own = about.cells["mast_id"] == about.masts["mast_id"].iloc[host]
    own &= about.cells["operator"] != operator
    taken = about.cells.loc[own, "antenna_height_m"].unique().astype(float)
    return heights_between_m(about.height_m(host), taken, about.prices)


def heights_between_m(height_m: float, taken: NDArray[np.float64], found: Prices) -> list[float]:
    """Return the heights of a mast at which antennas fit beside others, from the top.

    Parameters
    ----------
    height_m
        Of the mast. [m]
    taken
        Centres of the antennas that hang there. [m]
    found
        For the height that antennas take, and the lowest that is of use.

    Returns
    -------
    list of float
        Centres of the antennas above ground. [m]
    """
    space, lowest = found.typical("antenna_spacing"), found.typical("lowest_antenna")
    free = []
    at = height_m - 0.5 * space
    while at >= lowest:
        if np.all(np.abs(taken - at) >= space):
            free.append(round(at, 3))
        at -= space
    return free


def possible(about: Inventory) -> tuple[list[Move], dict[tuple[int, int], Message]]:
    """Return the moves that owners, places and heights allow.

    Parameters
    ----------
    about
        The masts.

    Returns
    -------
    moves
        In order of guest, host and operator.
    refused
        (guest, host) -> why not all of the guest's operators can come.
    """
    near: dict[int, list[int]] = {}
    for a, b, _ in neighbours(about):
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    moves: list[Move] = []
    refused: dict[tuple[int, int], Message] = {}
    for host, guests in near.items():
        own = about.tenants[host]
        others = sorted({name for guest in guests for name in about.tenants[guest]} - own)
        heights = dict(zip(others, free_heights_m(about, host), strict=False))
        rooms = int(about.places[host]) - len(own)
        for guest in guests:
            come = about.tenants[guest] - own
            if come and not about.masts["shareable"].iloc[host]:
                refused[guest, host] = NOT_SHAREABLE
                continue
            if len(come) > rooms:
                refused[guest, host] = NO_PLACE
            elif any(name not in heights for name in come):
                refused[guest, host] = NO_HEIGHT
            for name in sorted(about.tenants[guest]):
                if name in own:
                    moves.append(Move(guest, host, name, False, np.nan))
                elif rooms > 0 and name in heights:
                    moves.append(Move(guest, host, name, True, heights[name]))
    moves.sort(key=lambda move: (move.guest, move.host, move.operator))
    return moves, refused


def moved_cells(about: Inventory, move: Move) -> pd.DataFrame:
    """Return the cells that an operator hangs on the mast it comes to.

    Parameters
    ----------
    about
        The masts.
    move
        Who moves where.

    Returns
    -------
    pandas.DataFrame
        Columns of the layer `cells`, with new identifiers.
    """
    cells = about.cells[about.cells["operator"] == move.operator]
    guest, host = (about.masts["mast_id"].iloc[number] for number in (move.guest, move.host))
    leave = cells[cells["mast_id"] == guest]
    height = move.height_m
    if not move.is_new:
        there = cells[cells["mast_id"] == host]
        known = set(zip(there["technology"], there["frequency_mhz"], strict=True))
        keys = zip(leave["technology"], leave["frequency_mhz"], strict=True)
        leave = leave[[key not in known for key in keys]]
        height = float(there["antenna_height_m"].max())
    return leave.assign(
        cell_id=leave["cell_id"].astype(str) + "@" + str(host),
        mast_id=str(host),
        antenna_height_m=height,
    )


def moves_of(
    workspace: Workspace,
    request: SharingRequest,
    about: Inventory,
    *,
    threads: int | None = None,
    on_progress: Progress = lambda _: None,
) -> Moves:
    """Find all possible moves and predict what the moved cells cover.

    Parameters
    ----------
    workspace
        The study area.
    request
        What counts as covered.
    about
        The masts.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    Moves
        With one column of coverage each.
    """
    found, refused = possible(about)
    cells = [moved_cells(about, move) for move in found]
    hosts = [move.host for move in found]
    places = about.masts.iloc[hosts].assign(mast_id=[f"move {k}" for k in range(len(found))])
    named = [part.assign(mast_id=f"move {k}") for k, part in enumerate(cells)]
    all_cells = pd.concat(named, ignore_index=True) if named else about.cells.iloc[:0]
    covered = mast_coverage.compute(
        workspace, request.coverage, places, all_cells, threads=threads, on_progress=on_progress
    )
    return Moves(tuple(found), tuple(cells), covered, refused)


def changed_network(
    about: Inventory, removed: NDArray[np.bool_], moves: list[tuple[Move, pd.DataFrame]]
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the masts and cells after some masts went and operators moved.

    Parameters
    ----------
    about
        The masts.
    removed
        Which masts go.
    moves
        Who moves, and its cells there.

    Returns
    -------
    masts, cells
        As the layers have them.
    """
    masts = about.masts[~removed].reset_index(drop=True)
    stay = about.cells[about.cells["mast_id"].isin(masts["mast_id"])]
    cells = pd.concat([stay, *(part for _, part in moves)], ignore_index=True)
    return masts, cells
