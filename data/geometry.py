"""Read and check the geometry of layers: CRS, coordinates, shapes, overlaps."""

from __future__ import annotations

from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from data.errors import Message, message
from data.faults import Faults, shown
from data.values import to_number

CoordinateColumns = tuple[str, str, str]
"""Names of the x (or longitude) and y (or latitude) column, and their CRS."""

GeometryKind = Literal["Point", "LineString", "Polygon"]
Bounds = tuple[float, float, float, float]

LONGITUDE_NAMES = ("lon", "longitude", "lng", "long")
LATITUDE_NAMES = ("lat", "latitude")

REPAIR_TOLERANCE = 0.001
"""Greatest share by which repairing an invalid polygon may change its area."""

OVERLAP_TOLERANCE = 0.001
"""Share of the smaller zone above which an overlap is reported."""

FAR_M = 100_000.0
"""A file none of whose rows lies this near the study area has a wrong CRS."""

_KINDS: dict[GeometryKind, tuple[str, ...]] = {
    "Point": ("Point",),
    "LineString": ("LineString", "MultiLineString"),
    "Polygon": ("Polygon", "MultiPolygon"),
}


def read_geometry(
    kind: GeometryKind,
    frame: pd.DataFrame,
    faults: Faults,
    *,
    crs: str | None,
    bounds: Bounds | None,
    coordinates: CoordinateColumns | None = None,
    reproject: bool,
) -> tuple[gpd.GeoSeries, tuple[str, ...]]:
    """Return checked geometry, empty where it is faulty.

    Parameters
    ----------
    kind
        Kind that the layer needs.
    frame
        GeoDataFrame, or a table with columns lon and lat for points.
    faults
        Where faults go.
    crs
        CRS of the result, or None for the one it has.
    bounds
        x_min, y_min, x_max, y_max of the study area in `crs`, if known; lets
        swapped coordinates be recognised.
    coordinates
        Columns of a table that hold its points, where they are not lon and lat.
    reproject
        Whether to transform from another CRS.

    Returns
    -------
    tuple
        The geometry and the names of the columns it was made from.
    """
    used: tuple[str, ...] = ()
    if isinstance(frame, gpd.GeoDataFrame) and frame.active_geometry_name is not None:
        shapes = gpd.GeoSeries(
            shapely.force_2d(frame.geometry.to_numpy()), index=frame.index, crs=frame.crs
        )
        names = ("geometry", "geometry")
        _check_present(kind, shapes, faults)
    else:
        found = _coordinate_columns(kind, frame, faults, coordinates)
        if found is None:
            return gpd.GeoSeries([None] * len(frame), index=frame.index, crs=crs), ()
        names = used = found[:2]
        shapes = _points(frame, found, faults)
    if shapes.crs is None:
        faults.whole(
            "geometry",
            message("the layer has no CRS"),
            message("expected a coordinate reference system, such as EPSG:4326"),
        )
        return shapes, used
    shapes = _drop(shapes, _check_coordinates(shapes, names, faults, crs, bounds))
    if crs is not None and not _same_crs(shapes.crs, crs):
        if not reproject:
            faults.whole(
                "geometry",
                message("the layer's CRS is {crs}", crs=_crs_name(shapes.crs)),
                message("expected {crs}", crs=crs),
            )
            return shapes, used
        shapes = shapes.to_crs(crs)
    if crs is not None:
        # The same CRS may be written in several ways; the stored one has one name.
        shapes = shapes.set_crs(crs, allow_override=True)
    if bounds is not None and crs is not None:
        _check_far(shapes, faults, bounds)
    if kind == "Polygon":
        shapes = _repair(shapes, faults)
    if kind == "LineString":
        short = (shapes.notna() & (shapes.length <= 0)).to_numpy(bool)
        faults.values(
            "geometry", short, _said(message("the line has no length"), len(shapes)), _EXPECT_LINE
        )
        shapes = _drop(shapes, short)
    if kind != "Point":
        shapes = _to_multi(kind, shapes)
    return shapes, used


def outside(shapes: gpd.GeoSeries, zones: gpd.GeoSeries) -> NDArray[np.bool_]:
    """Return which points lie in none of the zones.

    Parameters
    ----------
    shapes
        Points, maybe empty.
    zones
        Polygons in the same CRS.

    Returns
    -------
    NDArray of bool
        One per point; False for missing ones.
    """
    inside = np.zeros(len(shapes), bool)
    tree = shapely.STRtree(zones.to_numpy())
    inside[tree.query(shapes.to_numpy(), predicate="intersects")[0]] = True
    return shapes.notna().to_numpy(bool) & ~inside


def overlaps(
    shapes: gpd.GeoSeries,
    groups: pd.Series,
    usable: NDArray[np.bool_],
    periods: tuple[NDArray[Any], NDArray[Any]],
) -> list[tuple[int, int, float, float]]:
    """Return pairs of polygons of a group and a common time that overlap.

    Parameters
    ----------
    shapes
        Polygons. [m]
    groups
        Group of each; only those of the same group are compared.
    usable
        Which of them to look at.
    periods
        First and last day of each, as text that sorts.

    Returns
    -------
    list of tuple
        Position of the earlier and the later one, overlap in km2, and the
        overlap as a share of the smaller one.
    """
    polygons = shapes.to_numpy()
    tree = shapely.STRtree(np.where(usable, polygons, None))
    first, second = tree.query(np.where(usable, polygons, None), predicate="intersects")
    start, end = periods
    level = groups.to_numpy(dtype=object)
    keep = (first < second) & (level[first] == level[second])
    keep &= (start[first] <= end[second]) & (start[second] <= end[first])
    first, second = first[keep], second[keep]
    area = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    share = area / np.minimum(shapely.area(polygons[first]), shapely.area(polygons[second]))
    return [
        (int(first[k]), int(second[k]), float(area[k] / 1e6), float(share[k]))
        for k in np.flatnonzero(share > OVERLAP_TOLERANCE)
    ]


def coordinates_text(shapes: gpd.GeoSeries) -> list[str]:
    """Return "x, y" of the centre of every geometry, for messages.

    Parameters
    ----------
    shapes
        Geometries.

    Returns
    -------
    list of str
        One text per geometry.
    """
    x, y = _centres(shapes)
    digits = 6 if shapes.crs is not None and shapes.crs.is_geographic else 0
    return [f"{a:.{digits}f}, {b:.{digits}f}" for a, b in zip(x, y, strict=True)]


_EXPECT_LINE = message("expected a line of two different points")


def _said(said: Message, count: int) -> list[object]:
    return [said] * count


def _drop(shapes: gpd.GeoSeries, mask: NDArray[np.bool_]) -> gpd.GeoSeries:
    if not mask.any():
        return shapes
    kept = shapes.to_numpy().copy()
    kept[mask] = None
    return gpd.GeoSeries(kept, index=shapes.index, crs=shapes.crs)


def _same_crs(one: Any, other: Any) -> bool:
    return bool(pyproj.CRS(one).equals(pyproj.CRS(other), ignore_axis_order=True))


def _crs_name(crs: Any) -> str:
    found = pyproj.CRS(crs)
    if found.is_bound and found.source_crs is not None:
        found = found.source_crs
    authority = found.to_authority()
    return ":".join(authority) if authority else str(found.name)


def _centres(shapes: gpd.GeoSeries) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    box = shapely.bounds(shapes.to_numpy())
    # Halves first: the sum of two huge coordinates is infinite.
    return box[:, 0] / 2 + box[:, 2] / 2, box[:, 1] / 2 + box[:, 3] / 2


def _check_present(kind: GeometryKind, shapes: gpd.GeoSeries, faults: Faults) -> None:
    """Report missing shapes, and shapes of another kind or with odd coordinates."""
    array = shapes.to_numpy().copy()
    missing = shapely.is_missing(array) | shapely.is_empty(array)
    expected = message("expected a geometry of kind {kind}", kind=kind)
    faults.values("geometry", missing, [None] * len(array), expected)
    names = shapes.geom_type.to_numpy(dtype=object, copy=True)
    # GeoPackages often hold points as collections of one.
    if kind == "Point":
        single = (names == "MultiPoint") & (shapely.get_num_geometries(array) == 1)
        array[single] = shapely.get_geometry(array[single], 0)
        names[single] = "Point"
    wrong = ~missing & ~np.isin(names.astype(str), _KINDS[kind])
    faults.values("geometry", wrong, list(names), expected)
    coordinates, owner = shapely.get_coordinates(array, return_index=True)
    odd = np.zeros(len(array), bool)
    odd[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    faults.values(
        "geometry",
        odd,
        _said(message("a coordinate is not a finite number"), len(array)),
        expected,
    )
    array[missing | wrong | odd] = None
    shapes.loc[:] = gpd.GeoSeries(array, index=shapes.index, crs=shapes.crs)


def _coordinate_columns(
    kind: GeometryKind,
    frame: pd.DataFrame,
    faults: Faults,
    given: CoordinateColumns | None,
) -> CoordinateColumns | None:
    """Return which columns hold the points of a table and their CRS, or report their lack."""
    if kind != "Point":
        faults.whole(
            "geometry",
            message("the file has no geometry"),
            message("expected a file with geometry, such as a GeoPackage"),
        )
        return None
    lower = {str(name).strip().lower(): str(name) for name in frame.columns}
    if given is not None:
        x, y, crs = lower.get(given[0].lower()), lower.get(given[1].lower()), given[2]
        wanted = given[:2]
        expected = message("found the columns {columns}", columns=", ".join(lower.values()))
    else:
        x = next((lower[name] for name in LONGITUDE_NAMES if name in lower), None)
        y = next((lower[name] for name in LATITUDE_NAMES if name in lower), None)
        crs = "EPSG:4326"
        wanted = ("lon", "lat")
        expected = message("expected columns lon and lat in degrees, or a file with geometry")
    for name, found in zip(wanted, (x, y), strict=True):
        if found is None:
            faults.whole(name, message("the column is missing"), expected)
    return (x, y, crs) if x is not None and y is not None else None


_EXAMPLES = {
    180: {"decimal": "105.912", "parts": "105°54'43.2\"E"},
    90: {"decimal": "20.546", "parts": "20°32'45.6\"N"},
}


def _points(frame: pd.DataFrame, columns: CoordinateColumns, faults: Faults) -> gpd.GeoSeries:
    """Return points from two columns; ranges are checked with those of other files."""
    values = []
    geographic = pyproj.CRS(columns[2]).is_geographic
    for name, limit in zip(columns[:2], (180, 90), strict=True):
        numbers, wrong = to_number(frame[name])
        expected = message("expected a number, in the unit of {crs}", crs=_crs_name(columns[2]))
        if geographic:
            expected = message(
                "expected degrees from {low} to {high}, such as {decimal} or {parts}",
                low=-limit,
                high=limit,
                **_EXAMPLES[limit],
            )
        faults.values(name, wrong | numbers.isna().to_numpy(bool), frame[name], expected)
        values.append(numbers.to_numpy())
    shapes = np.asarray(shapely.points(values[0], values[1]), dtype=object)
    shapes[~(np.isfinite(values[0]) & np.isfinite(values[1]))] = None
    return gpd.GeoSeries(shapes, index=frame.index, crs=columns[2])


def _check_coordinates(
    shapes: gpd.GeoSeries,
    names: tuple[str, str],
    faults: Faults,
    crs: str | None,
    bounds: Bounds | None,
) -> NDArray[np.bool_]:
    """Report coordinates that are swapped or out of range; return which rows."""
    x, y = _centres(shapes)
    box = None
    if bounds is not None and crs is not None:
        box = box_around(bounds, crs, shapes.crs)
    geographic = shapes.crs.is_geographic
    valid = np.isfinite(x)
    if geographic:
        low_x, low_y, high_x, high_y = shapely.bounds(shapes.to_numpy()).T
        with np.errstate(invalid="ignore"):
            valid &= (low_x >= -180) & (high_x <= 180) & (low_y >= -90) & (high_y <= 90)
    there = np.isfinite(x)
    swapped = there & ~valid & (np.abs(y) <= 180) & (np.abs(x) <= 90)
    if box is not None:
        swapped = there & _within(y, x, box) & ~_within(x, y, box)
    text = [f"{a:.10g}, {b:.10g}" for a, b in zip(x[swapped], y[swapped], strict=True)]
    said = pd.Series([None] * len(shapes), dtype=object)
    said[swapped] = text
    faults.values(
        names[0],
        swapped,
        said,
        message("longitude and latitude look swapped")
        if geographic
        else message("x and y look swapped"),
    )
    out = there & ~valid & ~swapped
    if names[0] == names[1]:
        expected = message("expected longitude from -180 to 180 and latitude from -90 to 90 deg")
        faults.values(names[0], out, coordinates_text(shapes), expected)
    else:
        for name, values, limit in ((names[0], x, 180), (names[1], y, 90)):
            expected = message("expected a number from {low} to {high} deg", low=-limit, high=limit)
            wrong = out & (np.abs(values) > limit)
            faults.values(name, wrong, [shown(float(value)) for value in values], expected)
    return swapped | out


def box_around(bounds: Bounds, crs: str, target: Any) -> Bounds:
    """Return the study area's box with a margin of its own size, in another CRS.

    Parameters
    ----------
    bounds
        x_min, y_min, x_max, y_max in `crs`. [m]
    crs
        Metric CRS.
    target
        CRS of the result.

    Returns
    -------
    tuple of float
        x_min, y_min, x_max, y_max.
    """
    margin = max(bounds[2] - bounds[0], bounds[3] - bounds[1], 50_000.0)
    wide = (bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin)
    transformer = pyproj.Transformer.from_crs(crs, target, always_xy=True)
    box: Bounds = transformer.transform_bounds(*wide)
    return box


def _within(x: NDArray[np.float64], y: NDArray[np.float64], box: Bounds) -> NDArray[np.bool_]:
    return (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])


def _check_far(shapes: gpd.GeoSeries, faults: Faults, bounds: Bounds) -> None:
    x, y = _centres(shapes)
    there = np.isfinite(x)
    near = (
        bounds[0] - FAR_M,
        bounds[1] - FAR_M,
        bounds[2] + FAR_M,
        bounds[3] + FAR_M,
    )
    if there.any() and not _within(x[there], y[there], near).any():
        faults.whole(
            "geometry",
            message(
                "every row lies more than {distance} km outside the study area",
                distance=round(FAR_M / 1000),
            ),
            message("check the coordinate reference system"),
        )


def _repair(shapes: gpd.GeoSeries, faults: Faults) -> gpd.GeoSeries:
    """Repair invalid polygons where that hardly changes them; refuse the others."""
    array = shapes.to_numpy().copy()
    present = ~shapely.is_missing(array)
    broken = present & ~shapely.is_valid(array)
    positions = np.flatnonzero(broken)
    if len(positions):
        reasons = pd.Series([None] * len(array), dtype=object)
        reasons[broken] = shapely.is_valid_reason(array[broken])
        before = shapely.area(array[broken])
        repaired = np.array([_polygons_of(shape) for shape in shapely.make_valid(array[broken])])
        after = shapely.area(repaired)
        same = np.abs(after - before) <= REPAIR_TOLERANCE * np.maximum(after, before)
        # What has no area at all is reported as such below.
        kept, lost = np.zeros_like(broken), np.zeros_like(broken)
        kept[positions[same & (after > 0)]] = True
        lost[positions[~same & (after > 0)]] = True
        faults.values(
            "geometry",
            kept,
            reasons,
            message("the boundary crosses itself; repaired, the area is the same within 0.1 %"),
            "warning",
        )
        faults.values(
            "geometry",
            lost,
            reasons,
            message("expected a boundary that does not cross itself; repair changes the area"),
        )
        array[positions] = repaired
        array[lost] = None
    with np.errstate(invalid="ignore"):
        flat = ~shapely.is_missing(array) & (shapely.area(array) <= 0)
    faults.values(
        "geometry",
        flat,
        _said(message("the polygon has no area"), len(array)),
        message("expected an area greater than 0"),
    )
    array[flat] = None
    return gpd.GeoSeries(array, index=shapes.index, crs=shapes.crs)


def _polygons_of(shape: Any) -> Any:
    """Return the polygons of a repaired shape; lines that it left behind have no area."""
    flat = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "MultiPolygon":
            flat += list(part.geoms)
        elif part.geom_type == "Polygon":
            flat.append(part)
    return shapely.MultiPolygon(flat)


def _to_multi(kind: GeometryKind, shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    array = shapes.to_numpy().copy()
    single = shapes.geom_type.to_numpy(dtype=object) == kind
    make = shapely.multipolygons if kind == "Polygon" else shapely.multilinestrings
    positions = np.flatnonzero(single)
    if len(positions):
        array[positions] = make(array[positions], indices=np.arange(len(positions)))
    return gpd.GeoSeries(array, index=shapes.index, crs=shapes.crs)
