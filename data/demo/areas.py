"""What is generated: the illustrative Hà Nam, and plain areas of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer

from data.errors import InputError
from data.study_area import utm_crs

FloatArray = NDArray[np.float64]

COMMUNES_TABLE = Path(__file__).parent / "communes.csv"

#: Census of 1 April 2019: people in Hà Nam. From general knowledge; WorldPop
#: 2020 gives 756,900 and registers of 2025 about 1,019,000.
HANAM_POPULATION = 852_800

#: "860 positions of base stations" in the province (public reports on Hà Nam).
HANAM_MASTS = 860

#: Share of the province above 50 m in SRTM, which the synthetic hills are made to meet.
HANAM_SHARE_ABOVE_50_M = 0.105

#: Highest point of the synthetic hills: SRTM at 90 m gives 438 m for the province. [m]
HANAM_SUMMIT_M = 430.0


@dataclass(frozen=True)
class River:
    """A river as a chain of points.

    Parameters
    ----------
    name
        Its name.
    width_m
        Width of the water. [m]
    points
        Coordinates, of shape (n, 2). [m]
    """

    name: str
    width_m: float
    points: FloatArray


@dataclass(frozen=True)
class AreaSpec:
    """Everything that the generator is told about an area.

    Parameters
    ----------
    name
        Short name, e.g. ``"demo"``.
    title_vi, title_en
        Title in both languages.
    crs
        Projected CRS in metres.
    communes
        One row for each commune: code, name, name_en, kind (``"ward"`` or
        ``"commune"``), area_km2, x_m, y_m, settlement (``"city"``, ``"town"`` or
        empty).
    province_code, province_vi, province_en
        The zone that is the union of the communes.
    valid_from
        First day of the units. ISO date.
    population
        People in the whole area.
    n_villages, n_masts
        How many to generate.
    rivers
        Rivers by their points.
    border_river
        Width and the bearings (from the centre, clockwise from north) between
        which a river runs along the border, or None. [m, deg, deg]
    hill_foot
        Line at the foot of the hills, which lie to its left when walked from
        the first to the last point; of shape (n, 2). [m]
    share_above_50_m
        Share of the area that the hills raise above 50 m, 0 to 0.5.
    summit_m
        Height of the highest hill. [m]
    trunk
        Points of the main road; of shape (n, 2). [m]
    mast_prefix
        Start of the mast ids.
    """

    name: str
    title_vi: str
    title_en: str
    crs: str
    communes: pd.DataFrame
    province_code: str
    province_vi: str
    province_en: str
    valid_from: str
    population: int
    n_villages: int
    n_masts: int
    rivers: tuple[River, ...] = ()
    border_river: tuple[float, float, float] | None = None
    hill_foot: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    share_above_50_m: float = 0.0
    summit_m: float = HANAM_SUMMIT_M
    trunk: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    mast_prefix: str = "M"


#: Sketched by the project from general knowledge of the province, rounded to
#: 0.01 degree or coarser and bent at random afterwards: not a survey.
_HANAM_RIVERS_LON_LAT: tuple[tuple[str, float, tuple[tuple[float, float], ...]], ...] = (
    (
        "Sông Đáy",
        170.0,
        (
            (105.79, 20.76), (105.81, 20.69), (105.84, 20.64), (105.86, 20.60), (105.89, 20.57),
            (105.91, 20.54), (105.90, 20.50), (105.92, 20.47), (105.91, 20.43), (105.92, 20.39),
            (105.96, 20.34), (105.98, 20.29),
        ),
    ),
    (
        "Sông Châu",
        80.0,
        (
            (105.91, 20.54), (105.95, 20.56), (105.99, 20.57), (106.03, 20.56), (106.06, 20.53),
            (106.11, 20.51), (106.15, 20.48), (106.21, 20.46),
        ),
    ),
    (
        "Sông Châu (nhánh Tắc Giang)",
        60.0,
        ((105.99, 20.57), (106.00, 20.61), (106.02, 20.64), (106.05, 20.66)),
    ),
    (
        "Sông Nhuệ",
        55.0,
        ((105.90, 20.76), (105.91, 20.70), (105.91, 20.65), (105.90, 20.60), (105.91, 20.54)),
    ),
)  # fmt: skip
_HANAM_HILL_FOOT_LON_LAT = (
    (105.88, 20.33), (105.90, 20.37), (105.89, 20.42), (105.88, 20.46), (105.875, 20.50),
    (105.86, 20.53), (105.84, 20.56), (105.80, 20.585), (105.76, 20.60), (105.71, 20.62),
)  # fmt: skip
_HANAM_TRUNK_LON_LAT = (
    (105.93, 20.72), (105.92, 20.65), (105.92, 20.60), (105.92, 20.54), (105.94, 20.49),
    (105.94, 20.44), (105.95, 20.40), (105.96, 20.33),
)  # fmt: skip


def _project(lon_lat: tuple[tuple[float, float], ...] | FloatArray, crs: str) -> FloatArray:
    lon_lat = np.asarray(lon_lat, dtype=float)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        lon_lat[:, 0], lon_lat[:, 1]
    )
    return np.column_stack([x, y])


def hanam_spec() -> AreaSpec:
    """Return the illustrative Hà Nam, the default area `demo`.

    Names, codes, areas and rounded points of the 33 communes of July 2025 are
    published facts (`communes.csv`). Everything else is generated or sketched.

    Returns
    -------
    AreaSpec
        The specification.
    """
    crs = "EPSG:32648"
    table = pd.read_csv(
        COMMUNES_TABLE, comment="#", dtype={"code": str, "settlement": str}, encoding="utf-8"
    )
    table["settlement"] = table["settlement"].fillna("")
    points = _project(table[["lon", "lat"]].to_numpy(), crs)
    table["x_m"], table["y_m"] = points[:, 0], points[:, 1]
    ward = table["kind"] == "ward"
    table["name_en"] = table["name_en"] + np.where(ward, " ward", " commune")
    table["name"] = np.where(ward, "Phường ", "Xã ") + table["name"].astype(str)
    return AreaSpec(
        name="demo",
        title_vi="Hà Nam – minh họa",
        title_en="Hà Nam – illustrative",
        crs=crs,
        communes=table,
        province_code="35",
        province_vi="Tỉnh Hà Nam",
        province_en="Hà Nam province",
        valid_from="2025-07-01",
        population=HANAM_POPULATION,
        n_villages=820,
        n_masts=HANAM_MASTS,
        rivers=tuple(
            River(name, width_m, _project(points, crs))
            for name, width_m, points in _HANAM_RIVERS_LON_LAT
        ),
        border_river=(450.0, 25.0, 105.0),
        hill_foot=_project(_HANAM_HILL_FOOT_LON_LAT, crs),
        share_above_50_m=HANAM_SHARE_ABOVE_50_M,
        summit_m=HANAM_SUMMIT_M,
        trunk=_project(_HANAM_TRUNK_LON_LAT, crs),
        mast_prefix="MH",
    )


def plain_spec(
    rng: np.random.Generator,
    *,
    n_communes: int = 4,
    extent_km: float = 10.0,
    n_masts: int = 6,
    n_villages: int | None = None,
    population: int | None = None,
    share_above_50_m: float = 0.1,
    lon: float = 105.9,
    lat: float = 20.5,
    name: str = "test",
) -> AreaSpec:
    """Return an area of any size: a plain with hills in the west and two rivers.

    Parameters
    ----------
    rng
        Source of randomness.
    n_communes
        Number of communes.
    extent_km
        Side of a square of the same area. [km]
    n_masts, n_villages
        How many to generate; by default a village for each 1.05 km2.
    population
        People in the area; 990 per km2 by default, the density of Hà Nam.
    share_above_50_m
        Share of the area above 50 m.
    lon, lat
        Centre, WGS 84; decides the UTM zone. [deg]
    name
        Name of the area.

    Returns
    -------
    AreaSpec
        The specification.

    Raises
    ------
    InputError
        If a number is not usable.
    """
    for what, value, low in (
        ("n_communes", n_communes, 1),
        ("extent_km", extent_km, 1),
        ("n_masts", n_masts, 0),
    ):
        if value < low:
            raise InputError(
                "{what} is {value}, but a generated area needs at least {low}",
                what=what,
                value=value,
                low=low,
            )
    if not 0.0 <= share_above_50_m <= 0.5:
        raise InputError(
            "share_above_50_m is {value}, but it must be from 0 to 0.5", value=share_above_50_m
        )
    crs = utm_crs(lon, lat)
    centre = _project(((lon, lat),), crs)[0]
    side = extent_km * 1000.0
    # One point to each cell of a lattice, shaken, so that no two are close.
    columns = math.ceil(math.sqrt(n_communes))
    rows = math.ceil(n_communes / columns)
    lattice = np.array([(c, r) for r in range(rows) for c in range(columns)], dtype=float)
    lattice = lattice[:n_communes] + 0.5 + rng.uniform(-0.25, 0.25, (n_communes, 2))
    points = centre + (lattice / (columns, rows) - 0.5) * side
    shares = rng.uniform(0.7, 1.3, n_communes)
    communes = pd.DataFrame(
        {
            "code": [f"C{k + 1:03d}" for k in range(n_communes)],
            "name": [f"Xã {k + 1}" for k in range(n_communes)],
            "name_en": [f"Commune {k + 1}" for k in range(n_communes)],
            "kind": ["ward" if k == 0 else "commune" for k in range(n_communes)],
            "area_km2": extent_km**2 * shares / shares.sum(),
            "x_m": points[:, 0],
            "y_m": points[:, 1],
            "settlement": ["town" if k == 0 else "" for k in range(n_communes)],
        }
    )
    area_km2 = extent_km**2
    across = np.array([[0.1, 0.8], [0.05, 0.3], [-0.05, -0.3], [0.0, -0.8]])
    foot = np.array([[-0.25, -1.0], [-0.3, 0.0], [-0.25, 1.0]])
    road = np.array([[0.75, 0.05], [0.0, 0.0], [-0.25, -0.05]])
    return AreaSpec(
        name=name,
        title_vi="Vùng thử nghiệm",
        title_en="Test area",
        crs=crs,
        communes=communes,
        province_code="P01",
        province_vi="Tỉnh thử nghiệm",
        province_en="Test province",
        valid_from="2025-07-01",
        population=round(990 * area_km2) if population is None else population,
        n_villages=max(n_communes, round(area_km2 / 1.05)) if n_villages is None else n_villages,
        n_masts=n_masts,
        rivers=(River("Sông thử", 100.0, centre + across * side),),
        border_river=(300.0, 45.0, 110.0),
        hill_foot=centre + foot * side,
        share_above_50_m=share_above_50_m,
        summit_m=min(HANAM_SUMMIT_M, 60.0 + 30.0 * extent_km),
        trunk=centre + road * side,
        mast_prefix="T",
    )
