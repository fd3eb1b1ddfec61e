"""Synthetic masts and cells of three invented operators.

Operators "A", "B" and "C" are inventions: no real carrier is described. Heights,
powers and classes follow planning practice (see the constants), positions follow
people and terrain. The same functions furnish a real area until its masts are
imported.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from data import clutter_classes as cover
from data.demo.landscape import burn
from data.demo.placing import spread, weighted_order
from data.errors import InputError
from data.grid import Raster

FloatArray = NDArray[np.float64]

#: Share of the positions that each operator owns.
OWNER_SHARES = {"A": 0.45, "B": 0.33, "C": 0.22}

_TOWN_CODES = (cover.TOWN, cover.DENSE_URBAN)


@dataclass(frozen=True)
class Carrier:
    """One carrier of one technology as it is hung on a mast.

    Parameters
    ----------
    technology, band
        E.g. ``"4G"``, ``"LTE 1800"``.
    frequency_mhz, bandwidth_mhz
        Centre of the downlink band and channel bandwidth. [MHz]
    power_dbm
        Total power at the radio's output. [dBm]
    antenna_gain_dbi
        Gain of a sector antenna. [dBi]
    feeder_loss_db
        Feeder and connectors. [dB]
    """

    technology: str
    band: str
    frequency_mhz: float
    bandwidth_mhz: float
    power_dbm: float
    antenna_gain_dbi: float
    feeder_loss_db: float


#: Planning practice, not any carrier's figures: 20 W per GSM transceiver and UMTS
#: carrier, 40 W per LTE carrier of 20 MHz; radios on the ground for GSM (feeder
#: 3 dB), near the antenna for the others.
GSM_900 = Carrier("2G", "GSM 900", 947.5, 0.2, 43.0, 16.0, 3.0)
GSM_1800 = Carrier("2G", "GSM 1800", 1842.5, 0.2, 43.0, 17.5, 3.0)
UMTS_900 = Carrier("3G", "UMTS 900", 947.5, 5.0, 43.0, 16.0, 1.0)
UMTS_2100 = Carrier("3G", "UMTS 2100", 2140.0, 5.0, 43.0, 17.5, 1.0)
LTE_1800 = Carrier("4G", "LTE 1800", 1842.5, 20.0, 46.0, 17.5, 0.5)
LTE_1800_15 = Carrier("4G", "LTE 1800", 1842.5, 15.0, 44.8, 17.5, 0.5)
LTE_2100 = Carrier("4G", "LTE 2100", 2140.0, 10.0, 43.0, 17.5, 0.5)

#: What each operator hangs on a mast, with the share of its masts outside and
#: inside towns that have it. Not every mast has every technology.
DEPLOYMENT: dict[str, tuple[tuple[Carrier, float, float], ...]] = {
    "A": (
        (GSM_900, 0.98, 0.95),
        (GSM_1800, 0.05, 0.30),
        (UMTS_2100, 0.88, 1.00),
        (LTE_1800, 0.78, 0.97),
        (LTE_2100, 0.05, 0.35),
    ),
    "B": (
        (GSM_900, 0.97, 0.95),
        (UMTS_2100, 0.80, 0.97),
        (UMTS_900, 0.15, 0.05),
        (LTE_1800, 0.72, 0.95),
        (LTE_2100, 0.04, 0.25),
    ),
    "C": (
        (GSM_900, 0.95, 0.90),
        (GSM_1800, 0.08, 0.30),
        (UMTS_2100, 0.75, 0.95),
        (LTE_1800_15, 0.65, 0.92),
    ),
}

#: Omnidirectional antennas of a few small sites: gain and share of the sites.
_OMNI_GAIN_DBI = 11.0
_OMNI_SHARE = 0.05


def _sample(raster: Raster, xy: FloatArray) -> NDArray[np.float64]:
    """Return the pixel values at points, NaN beyond the raster."""
    grid = raster.grid
    column = np.floor((xy[:, 0] - grid.x_min) / grid.resolution_m).astype(int)
    row = np.floor((grid.y_max - xy[:, 1]) / grid.resolution_m).astype(int)
    inside = (column >= 0) & (column < grid.width) & (row >= 0) & (row < grid.height)
    values = np.full(len(xy), np.nan)
    values[inside] = raster.values[row[inside], column[inside]]
    return values


def place_masts(
    outline: BaseGeometry,
    terrain: Raster,
    population: Raster,
    clutter: Raster,
    *,
    count: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Choose positions for masts: where people live, rarely on hills, never in water.

    Parameters
    ----------
    outline
        Masts stand inside.
    terrain, population, clutter
        Rasters in the CRS of the outline, of any resolution.
    count
        How many.
    rng
        Source of randomness.

    Returns
    -------
    tuple
        Coordinates of shape (n, 2) [m], and the people within about 500 m of each.

    Raises
    ------
    InputError
        If the rasters leave no room.
    """
    grid = population.grid
    people = np.nan_to_num(np.asarray(population.values, dtype=float))
    around = ndimage.gaussian_filter(people, 500.0 / grid.resolution_m, mode="constant")
    inside = burn([outline], grid)
    rows, columns = np.nonzero(inside)
    xy = np.column_stack([grid.x_centres()[columns], grid.y_centres()[rows]])
    people_near = around[rows, columns]
    height = _sample(terrain, xy)
    plain = float(np.nanmedian(height)) if np.isfinite(height).any() else 0.0
    weight = (people_near + 0.25 * max(float(people_near.mean()), 1e-6)) ** 0.75
    weight = np.where(height > plain + 40.0, 0.015 * weight, weight)
    weight[~np.isfinite(height) | (_sample(clutter, xy) == cover.WATER)] = 0.0
    if count > 0 and not (weight > 0.0).any():
        raise InputError(
            "No mast can be placed: the terrain does not cover the area or it is all water"
        )
    if count <= 0:
        return np.zeros((0, 2)), np.zeros(0)
    spacing_m = 0.75 * np.sqrt(outline.area / count)
    radius = spacing_m * np.clip(np.sqrt(weight.mean() / np.maximum(weight, 1e-12)), 0.35, 1.6)
    order = weighted_order(weight, rng)
    chosen = order[spread(xy[order], radius[order], count)]
    shift = rng.uniform(-0.45, 0.45, (len(chosen), 2)) * grid.resolution_m
    moved = np.round(xy[chosen] + shift, 1)
    # A shaken point that fell into water or over the border goes back to its pixel's centre.
    wet = _sample(clutter, moved) == cover.WATER
    bad = wet | ~shapely.contains_xy(outline, moved[:, 0], moved[:, 1])
    moved[bad] = xy[chosen][bad]
    return moved, people_near[chosen] * np.pi * (500.0 / grid.resolution_m) ** 2


def _owners(xy: FloatArray, rng: np.random.Generator) -> NDArray[np.str_]:
    """Give each position an owner, rather one whose other masts are far."""
    names = list(OWNER_SHARES)
    shares = np.array([OWNER_SHARES[name] for name in names])
    own: list[list[int]] = [[] for _ in names]
    draws = rng.random(len(xy))
    owner = np.empty(len(xy), dtype="<U8")
    for k in range(len(xy)):
        away = np.array(
            [min(2500.0, np.hypot(*(xy[mine] - xy[k]).T).min()) if mine else 2500.0 for mine in own]
        )
        chance = np.cumsum(shares * away)
        index = min(int(np.searchsorted(chance, draws[k] * chance[-1])), len(names) - 1)
        own[index].append(k)
        owner[k] = names[index]
    return owner


def make_masts(
    outline: BaseGeometry,
    terrain: Raster,
    population: Raster,
    clutter: Raster,
    *,
    count: int,
    crs: str,
    rng: np.random.Generator,
    prefix: str = "M",
    zones: gpd.GeoDataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Return synthetic masts.

    Parameters
    ----------
    outline, terrain, population, clutter, count, rng
        See `place_masts`.
    crs
        CRS of the result.
    prefix
        Start of the ids.
    zones
        Communes after which masts are named.

    Returns
    -------
    GeoDataFrame
        Layer `masts`; about nine in ten are ground masts (A2b), as in published
        inventories of rural provinces; rooftop masts stand in towns.
    """
    xy, _ = place_masts(outline, terrain, population, clutter, count=count, rng=rng)
    number = len(xy)
    owner = _owners(xy, rng)
    town = np.isin(_sample(clutter, xy), _TOWN_CODES)
    draw = rng.random(number)
    mast_class = np.where(
        town,
        np.select([draw < 0.62, draw < 0.67, draw < 0.72], ["A2a", "A1b", "A2c"], "A2b"),
        np.select([draw < 0.02, draw < 0.03], ["A2a", "A2c"], "A2b"),
    )
    rural = rng.choice([30.0, 36.0, 42.0, 45.0], number, p=[0.20, 0.30, 0.35, 0.15])
    urban = rng.choice([27.0, 30.0, 36.0], number)
    roof = rng.integers(12, 25, number).astype(float)
    height = np.select(
        [mast_class == "A2b", mast_class == "A1b"],
        [np.where(town, urban, rural), np.minimum(roof, 18.0)],
        roof,
    )
    draw = rng.random(number)
    ground = mast_class == "A2b"
    shareable = np.where(ground, draw < 0.7, (mast_class == "A2a") & (draw < 0.35))
    frame = gpd.GeoDataFrame(
        {
            "mast_id": [f"{prefix}{k + 1:04d}" for k in range(number)],
            "name": [f"Vị trí {k + 1}" for k in range(number)],
            "owner": owner.astype(object),
            "mast_class": mast_class.astype(object),
            "height_m": height,
            "status": ["existing"] * number,
            "shareable": shareable.astype(bool),
            "max_tenants": np.where(ground, 3.0, np.where(mast_class == "A2a", 2.0, 1.0)),
        },
        geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]),
        crs=crs,
    )
    if zones is not None and number:
        hit = shapely.STRtree(zones.geometry.to_numpy()).query(
            frame.geometry.to_numpy(), predicate="intersects"
        )
        at = np.full(number, -1)
        at[hit[0]] = hit[1]
        known = at >= 0
        names = zones["name"].to_numpy()
        order = frame.assign(at=at).groupby("at").cumcount() + 1
        frame["name"] = [
            f"{names[a]} {k}" if ok else text
            for a, k, ok, text in zip(at, order, known, frame["name"], strict=True)
        ]
    return frame


def _carriers(operator: str, town: bool, draws: FloatArray) -> list[Carrier]:
    chosen = [
        carrier
        for (carrier, rural, urban), draw in zip(DEPLOYMENT[operator], draws, strict=False)
        if draw < (urban if town else rural)
    ]
    return chosen or [GSM_900]


def make_cells(
    masts: gpd.GeoDataFrame, clutter: Raster, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return synthetic cells for masts.

    Parameters
    ----------
    masts
        Layer `masts` with owners of `OWNER_SHARES`.
    clutter
        Classes; a mast in a town gets more bands, tilt and load.
    rng
        Source of randomness.

    Returns
    -------
    DataFrame
        Layer `cells`: mostly three sectors, some omnidirectional; about one
        shareable mast in five also carries a second operator.
    """
    number = len(masts)
    xy = np.column_stack([masts.geometry.x, masts.geometry.y]) if number else np.zeros((0, 2))
    town = np.isin(_sample(clutter, xy), _TOWN_CODES)
    spacing = np.full(number, 2000.0)
    if number > 3:
        spacing = cKDTree(xy).query(xy, k=4)[0][:, 1:].mean(axis=1)
    names = list(OWNER_SHARES)
    bands = max(len(carriers) for carriers in DEPLOYMENT.values())
    first_azimuth = rng.integers(0, 12, (number, len(names))) * 10
    sector_shift = rng.integers(-2, 3, (number, len(names), 3)) * 10
    draws = rng.random((number, len(names), bands))
    omni = rng.random(number) < _OMNI_SHARE
    guest = rng.random((number, len(names)))
    load = rng.normal(0.0, 0.12, (number, len(names), 3))
    below_top = rng.uniform(0.5, 2.0, number)
    rows: list[dict[str, object]] = []
    for k, mast in enumerate(masts.itertuples(index=False)):
        tenants = [str(mast.owner)]
        if mast.shareable:
            others = [name for name in names if name != mast.owner]
            tenants += [name for name in others if guest[k, names.index(name)] < 0.11]
        for place, operator in enumerate(tenants):
            o = names.index(operator)
            height = max(0.6 * mast.height_m, mast.height_m - below_top[k] - 4.0 * place)
            base_tilt = 2.0 + 2.0 * (spacing[k] < 1500.0) + 2.0 * bool(town[k])
            for carrier in _carriers(operator, bool(town[k]), draws[k, o]):
                sectors = [np.nan]
                if not omni[k] or town[k]:
                    sectors = [
                        float((first_azimuth[k, o] + 120 * s + sector_shift[k, o, s]) % 360)
                        for s in range(3)
                    ]
                for s, azimuth in enumerate(sectors):
                    all_round = bool(np.isnan(azimuth))
                    mean_load = 0.65 if town[k] else 0.4
                    rows.append(
                        {
                            "cell_id": f"{mast.mast_id}-{operator}-"
                            f"{carrier.band.replace(' ', '')}-{s + 1}",
                            "mast_id": mast.mast_id,
                            "operator": operator,
                            "technology": carrier.technology,
                            "band": carrier.band,
                            "frequency_mhz": carrier.frequency_mhz,
                            "bandwidth_mhz": carrier.bandwidth_mhz,
                            "power_dbm": carrier.power_dbm,
                            "antenna_gain_dbi": _OMNI_GAIN_DBI
                            if all_round
                            else carrier.antenna_gain_dbi,
                            "feeder_loss_db": carrier.feeder_loss_db,
                            "azimuth_deg": azimuth,
                            "tilt_deg": 0.0 if all_round else base_tilt,
                            "antenna_height_m": round(height, 1),
                            "pattern": None,
                            "load": round(float(np.clip(mean_load + load[k, o, s], 0.05, 0.95)), 2),
                        }
                    )
    columns = [
        "cell_id",
        "mast_id",
        "operator",
        "technology",
        "band",
        "frequency_mhz",
        "bandwidth_mhz",
        "power_dbm",
        "antenna_gain_dbi",
        "feeder_loss_db",
        "azimuth_deg",
        "tilt_deg",
        "antenna_height_m",
        "pattern",
        "load",
    ]
    return pd.DataFrame(rows, columns=columns)
