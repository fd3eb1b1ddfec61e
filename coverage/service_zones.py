"""Regulatory products: service zones, coverage holes and the switch-off check, as polygons.

QCVN 81:2019/BTTTT and QCVN 36:2022/BTTTT (annex B of each) ask operators for
their service zones as digital maps, by technology and class. Polygons here
follow the pixels exactly unless simplification is asked for, so their areas are
pixel counts times the pixel area. A pixel belongs to the study area if at least
half of it lies in the zones; figures by zone split pixels exactly.

Two pixels belong to one region if they share an edge. All areas are in the
grid's projected CRS.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio.features
import scipy.ndimage
import scipy.sparse
import shapely
from numpy.typing import NDArray

from coverage import percentages, technology
from coverage.own_table import read_own_table
from data import vintages
from data.errors import InputError
from data.grid import Grid

TABLE = technology.TABLES / "service_zones.csv"

#: Columns of the products: unit and description. The geometry comes last.
SERVICE_ZONE_COLUMNS: dict[str, tuple[str, str]] = {
    "technology": ("", "Technology"),
    "operator": ("", "Operator, or any"),
    "service_class": ("", "Class, 1 is the best"),
    "class_name": ("", "Name of the class"),
    "metric": ("", "What the class is about: downlink_rate or level"),
    "minimum": ("as unit says", "Least value of the metric in the class"),
    "unit": ("", "Unit of the least value"),
    "area_km2": ("km2", "Area of the polygon"),
    "people": ("", "Inhabitants of its pixels"),
}

REGION_COLUMNS: dict[str, tuple[str, str]] = {
    "rank": ("", "1 is the region with most people, then the largest"),
    "area_km2": ("km2", "Area of the polygon"),
    "radius_m": ("m", "Radius of a circle of the same area"),
    "people": ("", "Inhabitants of its pixels"),
    "villages": ("", "Villages in it"),
    "village_names": ("", "Their names"),
    "zone_code": ("", "Zone with most of its people, or of its area if nobody lives there"),
    "zone_name": ("", "Name of that zone"),
    "zone_codes": ("", "All zones it touches"),
    "x_m": ("m", "A point inside it"),
    "y_m": ("m", "A point inside it"),
}

ZONE_COLUMNS: dict[str, tuple[str, str]] = {
    "code": ("", "Code of the zone"),
    "name": ("", "Name of the zone"),
    "level": ("", "Administrative level"),
    "valid_from": ("", "First day on which the zone exists, empty if not known"),
    "area_km2": ("km2", "Area concerned"),
    "area_percent": ("%", "Share of the zone's area on the grid"),
    "people": ("", "Inhabitants concerned"),
    "people_percent": ("%", "Share of the zone's inhabitants on the grid"),
    "villages": ("", "Villages concerned"),
    "villages_percent": ("%", "Share of the zone's villages on the grid"),
    "village_names": ("", "Their names"),
}


@dataclass(frozen=True)
class ServiceClass:
    """One class of service zones.

    Parameters
    ----------
    technology
        Technology.
    service_class
        Number, 1 is the best.
    class_name
        Name for people.
    metric
        "downlink_rate" or "level".
    minimum
        Least value in the class.
    unit
        "Mbit/s" or "dBm".
    verified
        Whether the number was checked against the source itself.
    source
        Where it comes from.
    """

    technology: str
    service_class: int
    class_name: str
    metric: str
    minimum: float
    unit: str
    verified: bool
    source: str


_UNITS = {"downlink_rate": "Mbit/s", "level": "dBm"}


def read_service_classes(path: Path = TABLE) -> dict[str, tuple[ServiceClass, ...]]:
    """Read a table of service classes.

    Parameters
    ----------
    path
        CSV file with the columns of `ServiceClass`.

    Returns
    -------
    dict
        Technology -> its classes, best first.

    Raises
    ------
    InputError
        If a column is missing, a value cannot be used, or a better class asks
        for less than a worse one.
    """
    frame = read_own_table(path, [column.name for column in dataclasses.fields(ServiceClass)])
    found: dict[str, list[ServiceClass]] = {}
    for number, row in enumerate(frame.to_dict("records"), start=2):
        item = _service_class(path.name, number, {str(key): str(row[key]) for key in row})
        found.setdefault(item.technology, []).append(item)
    for name, classes in found.items():
        classes.sort(key=lambda item: item.service_class)
        numbers = [item.service_class for item in classes]
        falling = all(a.minimum > b.minimum for a, b in itertools.pairwise(classes))
        one_metric = len({item.metric for item in classes}) == 1
        if numbers != list(range(1, len(classes) + 1)) or not falling or not one_metric:
            raise InputError(
                "{file}: the classes of {technology} must be numbered 1, 2, ... with one metric "
                "and falling minima",
                file=path.name,
                technology=name,
            )
    return {name: tuple(classes) for name, classes in found.items()}


def _service_class(file: str, number: int, row: dict[str, str]) -> ServiceClass:
    def fail(column: str, expected: str) -> InputError:
        return InputError(
            "{file}, row {row}, column {column}: {value} (expected {expected})",
            file=file,
            row=number,
            column=column,
            value=row[column] or "nothing",
            expected=expected,
        )

    if row["technology"] not in technology.TECHNOLOGIES:
        raise fail("technology", "one of " + ", ".join(technology.TECHNOLOGIES))
    if row["metric"] not in _UNITS:
        raise fail("metric", "downlink_rate or level")
    if row["unit"] != _UNITS[row["metric"]]:
        raise fail("unit", _UNITS[row["metric"]])
    if not (row["service_class"].isdigit() and 1 <= int(row["service_class"]) <= 99):
        raise fail("service_class", "a whole number from 1 to 99")
    try:
        minimum = float(row["minimum"])
    except ValueError:
        minimum = math.nan
    if not math.isfinite(minimum):
        raise fail("minimum", "a number")
    return ServiceClass(
        technology=row["technology"],
        service_class=int(row["service_class"]),
        class_name=row["class_name"],
        metric=row["metric"],
        minimum=minimum,
        unit=row["unit"],
        verified=row["verified"].strip().lower() == "yes",
        source=row["source"],
    )


@cache
def _built_in() -> dict[str, tuple[ServiceClass, ...]]:
    return read_service_classes(TABLE)


def service_classes(own_table: Path | None = None) -> dict[str, tuple[ServiceClass, ...]]:
    """Return the service classes of each technology.

    Parameters
    ----------
    own_table
        A user's file in the form of the built-in one, read if it exists; its
        technologies win.

    Returns
    -------
    dict
        Technology -> its classes, best first.
    """
    classes = dict(_built_in())
    if own_table is not None and own_table.exists():
        classes.update(read_service_classes(own_table))
    return classes


def classify(value: NDArray[Any], minima: Sequence[float]) -> NDArray[np.int32]:
    """Return the class of every pixel.

    Parameters
    ----------
    value
        Level or rate; NaN and -inf are no service.
    minima
        Least value of each class, best (greatest) first.

    Returns
    -------
    numpy.ndarray
        1 for the first class reached, 0 for none.

    Raises
    ------
    InputError
        If the minima do not fall.

    Examples
    --------
    >>> classify(np.array([6.0, 5.0, 3.0, 1.0, np.nan]), [5.0, 2.5])
    array([1, 1, 2, 0, 0], dtype=int32)
    """
    if any(a <= b for a, b in itertools.pairwise(minima)):
        raise InputError(
            "The least values of the classes are {value}, but they must fall from the best class "
            "to the worst",
            value=", ".join(f"{item:g}" for item in minima),
        )
    classes = np.zeros(value.shape, np.int32)
    for number in range(len(minima), 0, -1):
        classes[value >= minima[number - 1]] = number
    return classes


def study_area_mask(weights: percentages.ZoneWeights) -> NDArray[np.bool_]:
    """Return which pixels belong to the study area: those at least half in its zones.

    Parameters
    ----------
    weights
        Of the zones of one level that tile the area.

    Returns
    -------
    numpy.ndarray
        Booleans of the grid's shape.
    """
    share = np.asarray(weights.fraction.sum(axis=0)).reshape(weights.grid.shape)
    return share >= 0.5 - 1e-9


def label_regions(
    mask: NDArray[np.bool_], *, minimum_pixels: int = 1
) -> tuple[NDArray[np.int32], int]:
    """Give numbers to the regions of a mask whose pixels share edges.

    Parameters
    ----------
    mask
        The pixels.
    minimum_pixels
        Smaller regions get no number.

    Returns
    -------
    tuple of numpy.ndarray and int
        Numbers from 1 in the order of the first pixel, 0 elsewhere; how many.
    """
    labels, count = scipy.ndimage.label(mask)
    labels = labels.astype(np.int32)
    if minimum_pixels > 1 and count:
        kept = np.bincount(labels.ravel(), minlength=count + 1) >= minimum_pixels
        kept[0] = False
        renumbered = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
        return renumbered[labels], int(kept.sum())
    return labels, int(count)


def polygonize(labels: NDArray[np.int32], grid: Grid, *, tolerance_m: float = 0.0) -> gpd.GeoSeries:
    """Turn labelled pixels into polygons along their edges.

    Parameters
    ----------
    labels
        A number for each pixel; 0 is nothing.
    grid
        Their frame.
    tolerance_m
        0 keeps the pixels' edges. Otherwise edges are simplified, together, so
        that neighbours still meet (Visvalingam-Whyatt on the coverage); areas
        then change by some pixels along the edge. [m]

    Returns
    -------
    geopandas.GeoSeries
        A valid MultiPolygon for each label, indexed by label, in the CRS of the grid.

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    if labels.shape != grid.shape:
        raise InputError(
            "The labels have shape {found}, but the grid has {expected}",
            found=labels.shape,
            expected=grid.shape,
        )
    shapes, numbers = [], []
    for geometry, number in rasterio.features.shapes(
        np.ascontiguousarray(labels, dtype=np.int32),
        mask=labels != 0,
        connectivity=4,
        transform=grid.transform,
    ):
        rings = [np.asarray(ring) for ring in geometry["coordinates"]]
        shapes.append(shapely.Polygon(rings[0], rings[1:]))
        numbers.append(int(number))
    parts = np.array(shapes, dtype=object)
    if len(parts):
        # A ring that meets itself at a pixel's corner is cut there into valid ones.
        bad = ~shapely.is_valid(parts)
        parts[bad] = shapely.make_valid(parts[bad])
        if tolerance_m > 0.0:
            simple = shapely.coverage_simplify(parts, tolerance_m)
            parts = np.where(shapely.is_empty(simple), parts, simple)
    pieces, owner = shapely.get_parts(parts, return_index=True)
    order = np.argsort(np.asarray(numbers, np.int64)[owner], kind="stable")
    found, group = np.unique(np.asarray(numbers, np.int64)[owner][order], return_inverse=True)
    grouped = np.empty(0, object)
    if len(found):
        grouped = np.atleast_1d(np.asarray(shapely.multipolygons(pieces[order], indices=group)))
    return gpd.GeoSeries(grouped, index=pd.Index(found, name="label"), crs=grid.crs)


def service_zones(
    value: NDArray[Any],
    grid: Grid,
    *,
    classes: Sequence[ServiceClass],
    operator: str = "any",
    inside: NDArray[np.bool_] | None = None,
    population: NDArray[Any] | None = None,
    minimum_area_km2: float = 0.0,
    tolerance_m: float = 0.0,
) -> gpd.GeoDataFrame:
    """Return the service zones of one technology as polygons.

    Parameters
    ----------
    value
        The metric of the classes at each pixel; NaN or -inf without service.
    grid
        Its frame.
    classes
        The classes of the technology, best first (`service_classes`).
    operator
        Whose service it is, for the table.
    inside
        Pixels of the study area; all if None.
    population
        People per pixel; NaN counts as none.
    minimum_area_km2
        Regions of a class smaller than this are put into the next worse class,
        or dropped from the worst. [km²]
    tolerance_m
        See `polygonize`. [m]

    Returns
    -------
    geopandas.GeoDataFrame
        `SERVICE_ZONE_COLUMNS`, one row for each class that occurs. Classes do
        not overlap: where the best one is offered, the others are not drawn.
    """
    number = classify(value, [item.minimum for item in classes])
    if inside is not None:
        number = np.where(inside, number, 0).astype(np.int32)
    least = _pixels(minimum_area_km2, grid)
    if least > 1:
        for current in range(1, len(classes) + 1):
            small = (number == current) & (
                label_regions(number == current, minimum_pixels=least)[0] == 0
            )
            number[small] = current + 1 if current < len(classes) else 0
    polygons = polygonize(number, grid, tolerance_m=tolerance_m)
    people = _sums(number, len(classes), population)
    rows = [
        {
            "technology": item.technology,
            "operator": operator,
            "service_class": item.service_class,
            "class_name": item.class_name,
            "metric": item.metric,
            "minimum": item.minimum,
            "unit": item.unit,
            "people": people[item.service_class],
            "geometry": polygons[item.service_class],
        }
        for item in classes
        if item.service_class in polygons.index
    ]
    return _frame(rows, SERVICE_ZONE_COLUMNS, grid.crs)


def join_zones(tables: Sequence[gpd.GeoDataFrame], crs: str) -> gpd.GeoDataFrame:
    """Put the service zones of several technologies below each other.

    Parameters
    ----------
    tables
        What `service_zones` returned, in one CRS.
    crs
        The CRS, for a table without rows.

    Returns
    -------
    geopandas.GeoDataFrame
        `SERVICE_ZONE_COLUMNS`.
    """
    filled = [table for table in tables if len(table)]
    if not filled:
        return _frame([], SERVICE_ZONE_COLUMNS, crs)
    return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), geometry="geometry", crs=crs)


def regions(
    mask: NDArray[np.bool_],
    grid: Grid,
    zones: gpd.GeoDataFrame,
    *,
    weights: percentages.ZoneWeights | None = None,
    population: NDArray[Any] | None = None,
    villages: gpd.GeoDataFrame | None = None,
    minimum_area_km2: float = 0.0,
    tolerance_m: float = 0.0,
) -> gpd.GeoDataFrame:
    """Return the regions of a mask as polygons with who lives there, most people first.

    Parameters
    ----------
    mask
        The pixels.
    grid
        Their frame.
    zones
        Zones of one level (e.g. communes), to name the place.
    weights
        Of these zones on the grid; computed if None.
    population
        People per pixel; NaN counts as none.
    villages
        Layer villages; counted by the pixel they lie in.
    minimum_area_km2
        Smaller regions are left out. [km²]
    tolerance_m
        See `polygonize`. [m]

    Returns
    -------
    geopandas.GeoDataFrame
        `REGION_COLUMNS`.
    """
    labels, count = label_regions(mask, minimum_pixels=_pixels(minimum_area_km2, grid))
    if weights is None:
        weights = percentages.zone_weights(zones, grid)
    polygons = polygonize(labels, grid, tolerance_m=tolerance_m)
    people = _sums(labels, count, population)
    names = _village_names(labels, count, grid, villages)
    owner, touched = _zones_of(labels, count, weights, population)
    codes, titles = zones["code"].to_numpy(object), zones["name"].to_numpy(object)
    inside_points = shapely.point_on_surface(polygons.to_numpy())
    rows = []
    for index in range(count):
        label = index + 1
        zone = owner[index]
        rows.append(
            {
                "people": people[label],
                "villages": len(names[index]),
                "village_names": "; ".join(names[index]),
                "zone_code": None if zone < 0 else codes[zone],
                "zone_name": None if zone < 0 else titles[zone],
                "zone_codes": "; ".join(str(codes[item]) for item in touched[index]),
                "x_m": float(shapely.get_x(inside_points[index])),
                "y_m": float(shapely.get_y(inside_points[index])),
                "geometry": polygons[label],
            }
        )
    frame = _frame(rows, REGION_COLUMNS, grid.crs)
    frame["radius_m"] = np.sqrt(frame["area_km2"].astype(float) * 1e6 / math.pi)
    frame = frame.sort_values(
        ["people", "area_km2"], ascending=False, kind="stable", ignore_index=True
    )
    frame["rank"] = np.arange(1, len(frame) + 1)
    return frame


def coverage_holes(
    served: NDArray[np.bool_],
    grid: Grid,
    zones: gpd.GeoDataFrame,
    *,
    weights: percentages.ZoneWeights | None = None,
    population: NDArray[Any] | None = None,
    villages: gpd.GeoDataFrame | None = None,
    minimum_area_km2: float = 0.0,
    tolerance_m: float = 0.0,
) -> gpd.GeoDataFrame:
    """Return where nobody is served, within the zones, as polygons ranked by people.

    Parameters
    ----------
    served
        Where there is service.
    grid, zones, weights, population, villages, minimum_area_km2, tolerance_m
        See `regions`; the zones tile the study area.

    Returns
    -------
    geopandas.GeoDataFrame
        `REGION_COLUMNS`.
    """
    if weights is None:
        weights = percentages.zone_weights(zones, grid)
    return regions(
        study_area_mask(weights) & ~served,
        grid,
        zones,
        weights=weights,
        population=population,
        villages=villages,
        minimum_area_km2=minimum_area_km2,
        tolerance_m=tolerance_m,
    )


@dataclass(frozen=True, eq=False)
class SwitchOff:
    """What switching technologies off would take away.

    Parameters
    ----------
    lost
        Pixels served by what goes and by nothing that stays, in the study area.
    regions
        They as polygons: `REGION_COLUMNS`.
    by_zone
        `ZONE_COLUMNS`, one row a zone of every level given.
    """

    lost: NDArray[np.bool_]
    regions: gpd.GeoDataFrame
    by_zone: pd.DataFrame


def switch_off(
    going: Mapping[str, NDArray[np.bool_]],
    staying: Mapping[str, NDArray[np.bool_]],
    grid: Grid,
    zones: gpd.GeoDataFrame,
    *,
    level: str,
    population: NDArray[Any] | None = None,
    villages: gpd.GeoDataFrame | None = None,
    minimum_area_km2: float = 0.0,
    tolerance_m: float = 0.0,
) -> SwitchOff:
    """Return where technologies that go serve and none of those that stay does.

    Parameters
    ----------
    going, staying
        Technology -> where it serves. Any technologies against any others.
    grid
        Frame of the arrays.
    zones
        Layer zones, all levels.
    level
        Level whose zones tile the study area and name the polygons, e.g. "commune".
    population, villages, minimum_area_km2, tolerance_m
        See `regions`. The least area concerns the polygons only; the figures by
        zone count everything.

    Returns
    -------
    SwitchOff
        The check.

    Raises
    ------
    InputError
        If a technology is on both sides, none is given to go, or no zone has the level.
    """
    both = sorted(set(going) & set(staying))
    if both:
        raise InputError(
            "{technology} cannot be switched off and stay at the same time", technology=both[0]
        )
    if not going:
        raise InputError("No technology to switch off was given")
    own = vintages.newest(zones, level).reset_index(drop=True)
    if own.empty:
        raise InputError(
            "There is no zone of level {value} (expected one of {expected})",
            value=level,
            expected=", ".join(sorted(set(zones["level"]))),
        )
    nothing = np.zeros(grid.shape, bool)
    before = np.logical_or.reduce([nothing, *going.values()])
    after = np.logical_or.reduce([nothing, *staying.values()])
    weights = percentages.zone_weights(own, grid)
    lost = before & ~after
    inside = lost & study_area_mask(weights)
    found = regions(
        inside,
        grid,
        own,
        weights=weights,
        population=population,
        villages=villages,
        minimum_area_km2=minimum_area_km2,
        tolerance_m=tolerance_m,
    )
    figures = by_zone(lost, grid, zones, population=population, villages=villages)
    return SwitchOff(inside, found, figures)


def by_zone(
    mask: NDArray[np.bool_],
    grid: Grid,
    zones: gpd.GeoDataFrame,
    *,
    population: NDArray[Any] | None = None,
    villages: gpd.GeoDataFrame | None = None,
) -> pd.DataFrame:
    """Return the area, people and villages of a mask by zone.

    Parameters
    ----------
    mask
        The pixels concerned; pixels on a border count by the share of their area.
    grid
        Their frame.
    zones
        Layer zones.
    population, villages
        See `regions`.

    Returns
    -------
    pandas.DataFrame
        `ZONE_COLUMNS`; NaN where a zone has nothing of the kind.
    """
    fraction = percentages.zone_weights(zones, grid).fraction
    pixel_km2 = grid.resolution_m**2 / 1e6
    ones = np.ones(grid.width * grid.height)
    people = _people(grid.shape, population).ravel()
    where = mask.ravel()
    frame = zones.reindex(columns=["code", "name", "level", "valid_from"]).reset_index(drop=True)
    frame = pd.DataFrame(frame)
    for column, weight, scale in (("area", ones, pixel_km2), ("people", people, 1.0)):
        part, whole = fraction @ (weight * where), fraction @ weight
        frame["area_km2" if column == "area" else column] = part * scale
        frame[f"{column}_percent"] = 100.0 * part / np.where(whole > 0.0, whole, np.nan)
    names: list[list[str]] = [[] for _ in range(len(zones))]
    total = np.zeros(len(zones))
    if villages is not None and len(villages):
        rows, columns, on_grid = _pixel_of(villages, grid)
        point, zone = zones.sindex.query(villages.geometry[on_grid], predicate="intersects")
        hit = mask[rows[on_grid], columns[on_grid]]
        titles = _titles(villages)[on_grid]
        np.add.at(total, zone, 1.0)
        for at, owner in zip(point, zone, strict=True):
            if hit[at]:
                names[owner].append(titles[at])
    count = np.array([len(item) for item in names])
    frame["villages"] = count
    frame["villages_percent"] = 100.0 * count / np.where(total > 0.0, total, np.nan)
    frame["village_names"] = ["; ".join(sorted(item)) for item in names]
    return frame[list(ZONE_COLUMNS)]


def write_layers(layers: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write products as the layers of one GeoPackage, in one step.

    Parameters
    ----------
    layers
        Layer name -> table, with or without geometry.
    path
        Where to; an existing file is replaced.
    """
    part = _beside(path)
    try:
        for name, frame in layers.items():
            shape = "MultiPolygon" if isinstance(frame, gpd.GeoDataFrame) else None
            pyogrio.write_dataframe(
                frame, part, layer=name, driver="GPKG", geometry_type=shape, promote_to_multi=shape
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_geojson(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write a product as GeoJSON (RFC 7946: WGS 84, seven decimals), in one step.

    Parameters
    ----------
    frame
        The product.
    path
        Where to; an existing file is replaced.
    """
    part = _beside(path)
    try:
        frame.to_crs(4326).to_file(
            part, driver="GeoJSON", engine="pyogrio", RFC7946="YES", COORDINATE_PRECISION=7
        )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Return the name of a file that does not exist, in the folder of another."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    Path(name).unlink()
    return Path(name)


def _pixels(area_km2: float, grid: Grid) -> int:
    if not (math.isfinite(area_km2) and area_km2 >= 0.0):
        raise InputError("The least area is {value} km², but it must be 0 or more", value=area_km2)
    return max(1, math.ceil(area_km2 * 1e6 / grid.resolution_m**2 - 1e-9))


def _people(shape: tuple[int, int], population: NDArray[Any] | None) -> NDArray[np.float64]:
    if population is None:
        return np.zeros(shape)
    return np.nan_to_num(np.asarray(population, np.float64), nan=0.0)


def _sums(
    labels: NDArray[np.int32], count: int, population: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Return the people of each label, 0 first."""
    weight = _people((labels.shape[0], labels.shape[1]), population).ravel()
    return np.bincount(labels.ravel(), weight, count + 1).astype(np.float64)


def _pixel_of(
    points: gpd.GeoDataFrame, grid: Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    column = np.floor((points.geometry.x.to_numpy() - grid.x_min) / grid.resolution_m)
    row = np.floor((grid.y_max - points.geometry.y.to_numpy()) / grid.resolution_m)
    on_grid = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    whole_row = np.where(on_grid, row, 0).astype(np.int64)
    return whole_row, np.where(on_grid, column, 0).astype(np.int64), on_grid


def _titles(villages: gpd.GeoDataFrame) -> NDArray[Any]:
    """Return the name of each village, or its identifier where it has none."""
    return villages["name"].fillna(villages["village_id"]).to_numpy(object)


def _village_names(
    labels: NDArray[np.int32], count: int, grid: Grid, villages: gpd.GeoDataFrame | None
) -> list[list[str]]:
    names: list[list[str]] = [[] for _ in range(count)]
    if villages is None or not len(villages):
        return names
    row, column, on_grid = _pixel_of(villages, grid)
    label = np.where(on_grid, labels[row, column], 0)
    titles = _titles(villages)
    for at in np.flatnonzero(label):
        names[label[at] - 1].append(str(titles[at]))
    return [sorted(item) for item in names]


def _zones_of(
    labels: NDArray[np.int32],
    count: int,
    weights: percentages.ZoneWeights,
    population: NDArray[Any] | None,
) -> tuple[NDArray[np.int64], list[list[int]]]:
    """Return the main zone of each region (-1: none) and all that it touches."""
    flat = labels.ravel()
    pixel = np.flatnonzero(flat)
    people = _people((labels.shape[0], labels.shape[1]), population).ravel()
    shape = (weights.grid.width * weights.grid.height, count)
    belongs = scipy.sparse.csr_array((np.ones(len(pixel)), (pixel, flat[pixel] - 1)), shape=shape)
    lives = scipy.sparse.csr_array((people[pixel], (pixel, flat[pixel] - 1)), shape=shape)
    area = scipy.sparse.csc_array(weights.fraction @ belongs)
    inhabitants = scipy.sparse.csc_array(weights.fraction @ lives)
    main = np.full(count, -1, np.int64)
    touched: list[list[int]] = []
    for index in range(count):
        span = slice(area.indptr[index], area.indptr[index + 1])
        zones, size = area.indices[span], area.data[span]
        zones, size = zones[size > 1e-9], size[size > 1e-9]
        touched.append(sorted(zones.tolist()))
        if not len(zones):
            continue
        span = slice(inhabitants.indptr[index], inhabitants.indptr[index + 1])
        living = dict(
            zip(inhabitants.indices[span].tolist(), inhabitants.data[span].tolist(), strict=True)
        )
        counted = np.array([living.get(zone, 0.0) for zone in zones.tolist()])
        main[index] = zones[np.lexsort((size, counted))[-1]]
    return main, touched


def _frame(
    rows: list[dict[str, Any]], columns: Mapping[str, tuple[str, str]], crs: str
) -> gpd.GeoDataFrame:
    """Build a product with its declared columns; the area comes from the geometry."""
    frame = gpd.GeoDataFrame(
        pd.DataFrame(rows, columns=[*columns, "geometry"]), geometry="geometry", crs=crs
    )
    frame["area_km2"] = frame.geometry.area / 1e6
    return frame
