"""Figures of one set of zones brought to another: old districts to new communes.

A *crosswalk* says which share of each source zone lies in each target zone, by
area, by people (a raster, each pixel cut exactly on the borders, or points) or by
the lists of names that the resolutions on mergers give. `transfer` moves figures
over it and says of each whether it is exact or estimated, and within which bounds
it must lie:

- *extensive* figures (people, households, km of fibre) are split by the shares and
  added up: totals are kept;
- *intensive* ones (shares, rates, means) are averaged, weighted by what they are a
  share of: people, area, or a column given for it.

A target made of whole sources is exact; all others rest on the assumption that a
figure is spread over its zone like the weight. What lies outside all targets is
lost and reported. For figures that cannot be negative the bounds are those of all
or nothing of every split source; for shares they follow from what a part of a
source can hold when the whole is known (O. D. Duncan and B. Davis, "An alternative
to ecological correlation", American Sociological Review 18, 1953, 665-666).

Maps of different years draw the same border differently. `crosswalk` takes a
tolerance: overlaps below that share of both zones, and uncovered ground below it,
are differences of drawing and not of ground, so that communes which were merged
whole count as whole.

Why not tobler: its `area_interpolate` divides by area in the same way, but its
dasymetric form knows only a mask of land-cover classes, vectorised pixel by pixel,
not the people of a raster with exact shares of pixels; it spreads what targets do
not cover over them without a word, takes missing values for 0, weighs means by area
only and has neither bounds nor a mark for exact figures; and (0.14) it would bring
libpysal, statsmodels, rasterstats and joblib along. What is left to do is one indexed
overlay, which shapely does.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
import shapely
from exactextract import exact_extract
from numpy.typing import NDArray
from python_calamine import CalamineError

from data import rasters, vintages
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import shown
from data.schema import LEVELS
from data.store import Workspace
from data.study_area import finest_level, metric_crs
from data.values import to_number

Kind = Literal["extensive", "intensive"]
Weight = Literal["area", "population"]
Quality = Literal["exact", "estimated", "partial", "missing"]

#: Share of a zone that two maps may draw differently. Of the 33 communes of Hà Nam
#: the map of 2025 puts up to 3.8 % across a border of the districts of 2020 that
#: they do not cross.
DRAWING_TOLERANCE = 0.05

#: Shares this near to 0 or 1 differ by rounding only.
_ROUNDING = 1e-9

#: Longest straight stretch of a border that is reprojected as it is. [m]
_STRETCH_M = 500.0

#: Ranges of intensive figures by the end of their names.
_LIMITS = {"_percent": (0.0, 100.0), "_share": (0.0, 1.0)}


@dataclass(frozen=True, eq=False)
class Crosswalk:
    """Which share of each source belongs to each target.

    Parameters
    ----------
    frame
        One row for each pair that has something in common: source, target (codes),
        weight (km2, people or units in common), share (of the source's figure that
        the target gets), low and high (bounds of that share: 1 and 1 where the whole
        source belongs to the target, otherwise 0 and 1). From a list of mergers also
        basis (see `vintages.successors`).
    sources
        Indexed by code: weight, outside (share of it that no target covers),
        lost (share of a figure that is lost: 0 where `outside` is a difference of
        drawing), by_area (nothing to weigh with was there, so it is split by area).
    targets
        Indexed by code: weight, covered (share of it that sources cover; 1 where the
        rest is a difference of drawing).
    kind
        ``"area"``, ``"population"``, ``"points"`` or ``"list"``.
    outside_km2
        Area of sources outside all targets, and of targets outside all sources. [km2]
    """

    frame: pd.DataFrame
    sources: pd.DataFrame
    targets: pd.DataFrame
    kind: str
    outside_km2: tuple[float, float] = (0.0, 0.0)

    @property
    def split(self) -> list[str]:
        """Codes of sources that belong to several targets, or partly to none."""
        whole = set(self.frame.loc[self.frame["low"] == 1.0, "source"])
        return [code for code in self.sources.index if code not in whole]

    @property
    def exact(self) -> pd.Series:
        """Whether each target is made of whole sources."""
        whole = self.frame.groupby("target")["low"].min().eq(1.0)
        return whole.reindex(self.targets.index, fill_value=False) & (
            self.targets["covered"] > 1.0 - _ROUNDING
        )

    def matrix(self) -> scipy.sparse.csr_array:
        """Return the shares as a sparse matrix.

        Returns
        -------
        scipy.sparse.csr_array
            (targets, sources); columns add up to 1 less what is lost.
        """
        row = self.targets.index.get_indexer(pd.Index(self.frame["target"]))
        column = self.sources.index.get_indexer(pd.Index(self.frame["source"]))
        shape = (len(self.targets), len(self.sources))
        return scipy.sparse.csr_array((self.frame["share"].to_numpy(), (row, column)), shape=shape)

    def notes(self) -> list[Message]:
        """Say what a reader of transferred figures must know."""
        notes = []
        if self.split:
            notes.append(
                message(
                    "{count} of {whole} zones are split, such as {code}; their figures are "
                    "estimated",
                    count=len(self.split),
                    whole=len(self.sources),
                    code=self.split[0],
                )
            )
        lost = self.sources.index[self.sources["lost"] > _ROUNDING]
        if len(lost):
            worst = self.sources["lost"].idxmax()
            notes.append(
                message(
                    "{count} zones lie partly outside all others; what is lost of their figures "
                    "is greatest for {code}: {share} %",
                    count=len(lost),
                    code=worst,
                    share=f"{100.0 * self.sources['lost'].max():.3g}",
                )
            )
        if max(self.outside_km2) > 0.005:
            notes.append(
                message(
                    "The two sets of zones differ by {area} km²: {gone} km² lie only in the "
                    "first, {new} km² only in the second",
                    area=f"{sum(self.outside_km2):.3g}",
                    gone=f"{self.outside_km2[0]:.3g}",
                    new=f"{self.outside_km2[1]:.3g}",
                )
            )
        unweighed = self.sources.index[self.sources["by_area"]]
        if len(unweighed) and self.kind != "area":
            notes.append(
                message(
                    "In {count} zones, such as {code}, there is nobody; they are split by area",
                    count=len(unweighed),
                    code=unweighed[0],
                )
            )
        return notes


def crosswalk(
    source: gpd.GeoDataFrame,
    target: gpd.GeoDataFrame,
    weight: Path | gpd.GeoDataFrame | None = None,
    *,
    column: str = "population",
    tolerance: float = 0.0,
) -> Crosswalk:
    """Overlay two sets of zones.

    Parameters
    ----------
    source, target
        Zones with `code`, each set without overlaps; codes are unique in each.
    weight
        None for area; a raster of people per pixel; or points.
    column
        Column of the points that is their weight; points without a value do not
        count. One on a border counts in equal parts for all zones that it touches.
    tolerance
        Share of a zone that may be a difference of drawing, see the module.

    Returns
    -------
    Crosswalk
        Shares of every source.

    Raises
    ------
    InputError
        If codes are not unique, zones of a set overlap, or points lack the column.
    """
    sources, targets = _codes(source), _codes(target)
    if source.crs is None or target.crs is None:
        raise InputError("The boundaries have no CRS, so no place on Earth")
    if not source.crs.is_projected:
        source = source.to_crs(metric_crs(source))
    one = source.geometry.to_numpy()
    other = target.geometry.to_crs(source.crs).to_numpy()
    row, col = shapely.STRtree(other).query(one, predicate="intersects")
    pieces = shapely.intersection(one[row], other[col])
    km2 = shapely.area(pieces) / 1e6
    there = km2 > 0.0
    row, col, pieces, km2 = row[there], col[there], pieces[there], km2[there]
    one_km2, other_km2 = shapely.area(one) / 1e6, shapely.area(other) / 1e6
    _check_overlaps(sources, one_km2, _sums(row, km2, len(one)), tolerance)
    _check_overlaps(targets, other_km2, _sums(col, km2, len(other)), tolerance)
    if weight is None:
        kind, weights, one_total, other_total = "area", km2, one_km2, other_km2
    elif isinstance(weight, gpd.GeoDataFrame):
        kind = "points"
        weights, one_total, other_total = _of_points(
            weight.to_crs(source.crs), column, one, other, row, col
        )
    else:
        kind = "population"
        weights, one_total, other_total = (
            people(weight, gpd.GeoSeries(shapes, crs=source.crs)) for shapes in (pieces, one, other)
        )
    # A source in which nothing can be weighed is split by area.
    by_area = _sums(row, weights, len(one)) <= 0.0
    used = np.where(by_area[row], km2, weights)
    totals = np.where(by_area, one_km2, one_total)
    outside_km2 = np.clip(one_km2 - _sums(row, km2, len(one)), 0.0, None)
    uncovered_km2 = np.clip(other_km2 - _sums(col, km2, len(other)), 0.0, None)
    outside = np.clip(totals - _sums(row, used, len(one)), 0.0, None) / totals
    lost = np.where(outside_km2 <= max(tolerance, _ROUNDING) * one_km2, 0.0, outside)
    covered = _part(_sums(col, weights, len(other)), other_total)
    covered[uncovered_km2 <= max(tolerance, _ROUNDING) * other_km2] = 1.0
    small = np.maximum(km2 / one_km2[row], km2 / other_km2[col]) < tolerance
    # A source that is nothing but slivers keeps them.
    kept = ~small | (_sums(row, ~small, len(one)) == 0)[row]
    row, col, used, weights = row[kept], col[kept], used[kept], weights[kept]
    total = _sums(row, used, len(one))
    # All that can be weighed may be in the slivers.
    used = np.where(total[row] > 0.0, used, km2[kept])
    frame = pd.DataFrame(
        {
            "source": sources.to_numpy()[row],
            "target": targets.to_numpy()[col],
            "weight": weights,
            "share": used / _sums(row, used, len(one))[row] * (1.0 - lost)[row],
        }
    )
    # By ground, not by weight: where a raster shows nobody there may be somebody.
    whole = (np.bincount(row, minlength=len(one)) == 1)[row] & (lost[row] <= _ROUNDING)
    frame["low"], frame["high"] = whole.astype(float), 1.0
    return Crosswalk(
        frame.sort_values(["source", "target"], ignore_index=True),
        pd.DataFrame(
            {"weight": one_total, "outside": outside, "lost": lost, "by_area": by_area},
            index=sources,
        ),
        pd.DataFrame({"weight": other_total, "covered": covered}, index=targets),
        kind,
        (float(outside_km2.sum()), float(uncovered_km2.sum())),
    )


def _codes(zones: pd.DataFrame) -> pd.Index:
    codes = pd.Index(zones["code"].astype(object), name="code")
    if not len(codes):
        raise InputError("There are no zones to transfer figures between")
    if codes.has_duplicates:
        raise InputError(
            "The code {code} is that of several zones (expected the zones of one day and level)",
            code=codes[codes.duplicated()][0],
        )
    return codes


def _sums(group: NDArray[np.int64], values: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Return the sum of the values of each of `count` groups."""
    found: NDArray[np.float64] = np.bincount(group, values, count).astype(np.float64)
    return found


def _part(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a share from 0 to 1; 1 of nothing."""
    return np.clip(np.divide(part, whole, out=np.ones_like(whole), where=whole > 0.0), 0.0, 1.0)


def _check_overlaps(
    codes: pd.Index, own_km2: NDArray[np.float64], found_km2: NDArray[np.float64], tolerance: float
) -> None:
    wrong = np.flatnonzero(found_km2 > own_km2 * (1.0 + max(tolerance, 1e-3)))
    if len(wrong):
        raise InputError(
            "The zone {code} of {area} km² has {found} km² in common with zones that should lie "
            "side by side (expected the zones of one day and level)",
            code=codes[wrong[0]],
            area=f"{own_km2[wrong[0]]:.4g}",
            found=f"{found_km2[wrong[0]]:.4g}",
        )


def people(path: Path, shapes: gpd.GeoSeries) -> NDArray[np.float64]:
    """Return the people in polygons; a pixel on a border counts by the share of its area.

    Parameters
    ----------
    path
        Raster of people per pixel, in any CRS.
    shapes
        Polygons in any CRS.

    Returns
    -------
    NDArray
        People in each, in the order of `shapes`.
    """
    with rasters.opened(path) as dataset:
        # Borders are straight in the CRS of the zones: more corners keep them so in the other.
        dense = shapes.segmentize(_STRETCH_M) if shapes.crs.is_projected else shapes
        there = gpd.GeoDataFrame(geometry=dense.map(_polygons), crs=shapes.crs)
        sums = exact_extract(dataset, there.to_crs(dataset.crs), "sum", output="pandas")["sum"]
    return np.clip(np.nan_to_num(sums.to_numpy(dtype=float)), 0.0, None)


def _polygons(shape: Any) -> shapely.MultiPolygon:
    """Return the polygons of a shape: overlays also leave lines where borders touch."""
    parts = shapely.get_parts(shape)
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def _of_points(
    points: gpd.GeoDataFrame,
    column: str,
    one: NDArray[Any],
    other: NDArray[Any],
    row: NDArray[np.int64],
    col: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of points in pieces, sources and targets."""
    if column not in points:
        raise InputError("The points have no column {column} to weigh with", column=column)
    value = np.nan_to_num(to_number(points[column])[0].to_numpy(dtype=float))
    places = points.geometry.to_numpy()

    def membership(zones: NDArray[Any]) -> scipy.sparse.csr_array:
        point, zone = shapely.STRtree(zones).query(places, predicate="intersects")
        part = 1.0 / np.bincount(point, minlength=len(places))[point]
        return scipy.sparse.csr_array((part, (zone, point)), shape=(len(zones), len(places)))

    in_one, in_other = membership(one), membership(other)
    both = in_one.multiply(value[None, :]).tocsr() @ in_other.T
    weights = np.asarray(both.tocsr()[row, col]).ravel() if len(row) else np.zeros(0)
    return weights, in_one @ value, in_other @ value


def crosswalk_by_merger(
    former: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    districts: Mapping[str, str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Crosswalk:
    """Build a crosswalk from lists of names, where the former units have no boundaries.

    Parameters
    ----------
    former
        Layer `former_zones`, of one day.
    zones
        Zones of one day and level with `merged_from`.
    districts, renamed
        See `vintages.successors`.

    Returns
    -------
    Crosswalk
        A unit found in one zone goes there whole. The figures of one that was
        split, or for which several zones come into question, are given to these in
        equal parts, for nothing is known of the parts; its bounds are all and
        nothing. So are those of a unit placed by elimination, which counts as possible
        in every zone of its district. A unit that is not found is lost. Weights count
        units.

    Raises
    ------
    InputError
        If no zone says what it was made of, or codes are not unique.
    """
    sources, targets = _codes(former), _codes(zones)
    if "merged_from" not in zones or zones["merged_from"].isna().all():
        raise InputError(
            "No zone says what it was made of (expected a column merged_from), so figures of "
            "units without boundaries cannot be transferred"
        )
    found = vintages.successors(former, zones, districts=districts, renamed=renamed)
    found = found.loc[found["successor"].isin(targets)]
    likely = found["basis"].ne("possible").astype(float)
    share = likely / likely.groupby(found["former"]).transform("sum")
    frame = pd.DataFrame(
        {
            "source": found["former"],
            "target": found["successor"],
            "weight": share,
            "share": share,
            "low": found["basis"].eq("named").astype(float),
            "high": 1.0,
            "basis": found["basis"],
        }
    ).sort_values(["source", "target"], ignore_index=True)
    lost = (~sources.isin(found["former"])).astype(float)
    weight = frame.groupby("target")["weight"].sum().reindex(targets, fill_value=0.0)
    return Crosswalk(
        frame,
        pd.DataFrame(
            {"weight": 1.0, "outside": lost, "lost": lost, "by_area": False}, index=sources
        ),
        pd.DataFrame({"weight": weight, "covered": (weight > 0.0).astype(float)}, index=targets),
        "list",
    )


def transfer(
    values: pd.Series,
    walk: Crosswalk,
    kind: Kind,
    *,
    denominator: pd.Series | None = None,
    limits: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Move figures over a crosswalk.

    Parameters
    ----------
    values
        Figures indexed by source code; sources without one are missing.
    walk
        The crosswalk.
    kind
        ``"extensive"`` or ``"intensive"``.
    denominator
        What intensive figures are a share or mean of, indexed by source code, e.g.
        households; the crosswalk's weight if None.
    limits
        Least and greatest value that an intensive figure can have, e.g. 0 and 100.

    Returns
    -------
    DataFrame
        Indexed by target code: value; low and high, between which it must lie if
        the weights are right (NaN where there is no bound); known (share of the
        target for which there are figures); quality: "exact" (made of whole sources,
        and for a mean of several also weighted by what it is a mean of: area or
        `denominator`), "estimated", "partial" (`known` is less than 1, so an extensive
        figure counts only a part) or "missing".

    Raises
    ------
    InputError
        If a code is not that of a source, or a value lies beyond `limits`.
    """
    figures = _aligned(values, walk)
    entry = walk.frame
    row = walk.targets.index.get_indexer(pd.Index(entry["target"]))
    column = walk.sources.index.get_indexer(pd.Index(entry["source"]))
    x = figures[column]
    there = np.isfinite(x)
    share = entry["share"].to_numpy()
    weight = share * _weights(denominator, walk)[column]
    count = len(walk.targets)

    def summed(parts: NDArray[np.float64]) -> NDArray[np.float64]:
        return _sums(row[there], parts[there], count)

    covered = walk.targets["covered"].to_numpy()
    # What a target is known for: of its covered part, the weight with figures.
    base = entry["weight"].to_numpy() if denominator is None else weight
    base = np.where(_sums(row, base, count)[row] > 0.0, base, share)
    known = covered * _part(summed(base), _sums(row, base, count))
    known[np.bincount(row[there], minlength=count) == 0] = 0.0
    whole = _sums(row, entry["low"].to_numpy() < 1.0, count) == 0
    if kind == "extensive":
        value, low, high = _extensive(x, entry, summed)
        certain = whole
    else:
        several = np.bincount(row, minlength=count) > 1
        trusted = denominator is not None or walk.kind == "area"
        value, low, high = _intensive(x, share, weight, row[there], count, there, limits, trusted)
        certain = whole & (trusted | ~several)
        missing_bounds = ~whole if limits is None else np.zeros(count, bool)
        low[missing_bounds] = high[missing_bounds] = np.nan
    result = pd.DataFrame(
        {"value": value, "low": low, "high": high, "known": known}, index=walk.targets.index
    )
    partial = known < 1.0 - _ROUNDING
    if kind == "extensive":
        result.loc[partial, "high"] = np.nan
    else:
        result.loc[partial, ["low", "high"]] = np.nan
    result.loc[known <= 0.0, ["value", "low", "high"]] = np.nan
    quality = np.where(certain, "exact", "estimated").astype(object)
    quality[partial] = "partial"
    quality[known <= 0.0] = "missing"
    result["quality"] = quality
    return result


def _aligned(values: pd.Series, walk: Crosswalk) -> NDArray[np.float64]:
    strange = values.index.difference(walk.sources.index)
    if len(strange):
        raise InputError(
            "There is no zone {code} to transfer figures from (expected one of {expected})",
            code=strange[0],
            expected=", ".join(map(str, walk.sources.index[:10])),
        )
    return np.asarray(values.astype(float).reindex(walk.sources.index), dtype=np.float64)


def _weights(denominator: pd.Series | None, walk: Crosswalk) -> NDArray[np.float64]:
    """Return what an intensive figure of each source is a share of."""
    if denominator is not None:
        return np.nan_to_num(_aligned(denominator, walk))
    # People for whom there is no target do not count; sources without any count nothing.
    return walk.sources["weight"].to_numpy()


def _extensive(
    x: NDArray[np.float64], entry: pd.DataFrame, summed: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    share, low, high = (entry[name].to_numpy() for name in ("share", "low", "high"))
    value = summed(x * share)
    least = summed(np.minimum(x * low, x * high))
    most = summed(np.maximum(x * low, x * high))
    return value, np.minimum(least, value), np.maximum(most, value)


def _intensive(
    x: NDArray[np.float64],
    share: NDArray[np.float64],
    weight: NDArray[np.float64],
    row: NDArray[np.int64],
    count: int,
    there: NDArray[np.bool_],
    limits: tuple[float, float] | None,
    trusted: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return weighted means, and their bounds by what parts of sources can hold."""
    x, share, weight = x[there], share[there], weight[there]
    # Where nothing weighs, the zones count by the shares that belong to the target.
    weight = np.where(_sums(row, weight, count)[row] > 0.0, weight, share)
    total = _sums(row, weight, count)

    def mean(parts: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: NDArray[np.float64] = _sums(row, weight * parts, count) / total
        return found

    def extreme(parts: NDArray[np.float64], pick: Any, start: float) -> NDArray[np.float64]:
        found = np.full(count, start)
        pick.at(found, row, parts)
        return found

    value = np.clip(mean(x), extreme(x, np.minimum, np.inf), extreme(x, np.maximum, -np.inf))
    if limits is None:
        lowest, highest = x, x
    else:
        least, most = limits
        if len(x) and (x.min() < least or x.max() > most):
            raise InputError(
                "The value {value} is out of range (expected {low} to {high})",
                value=shown(float(x.min() if x.min() < least else x.max())),
                low=shown(least),
                high=shown(most),
            )
        part = np.where(share > 0.0, share, 1.0)
        lowest = np.maximum(least, (x - (1.0 - share) * most) / part)
        highest = np.minimum(most, (x - (1.0 - share) * least) / part)
    if trusted:
        low, high = mean(lowest), mean(highest)
    else:
        low = extreme(lowest, np.minimum, np.inf)
        high = extreme(highest, np.maximum, -np.inf)
    return value, np.fmin(low, value), np.fmax(high, value)


def transfer_table(
    workspace: Workspace,
    figures: pd.DataFrame,
    *,
    extensive: Sequence[str] = (),
    intensive: Sequence[str] = (),
    from_date: str,
    to_date: str,
    weight: Weight = "area",
    denominators: Mapping[str, str] | None = None,
    to_level: str | None = None,
    tolerance: float = DRAWING_TOLERANCE,
) -> pd.DataFrame:
    """Bring a table of figures by zone to the zones of another day.

    Parameters
    ----------
    workspace
        Holds the zones of both days (layer `zones`; the first day's also as
        `former_zones`) and, for ``"population"``, the raster.
    figures
        Column `code` and the figures; text is read as numbers.
    extensive, intensive
        Columns to transfer. Intensive ones whose name ends in ``_percent`` or
        ``_share`` have the range 0 to 100, or 0 to 1.
    from_date, to_date
        Day of the zones that the figures are of, and of those wanted.
    weight
        How split zones are divided.
    denominators
        Extensive column that an intensive one is a share or mean of.
    to_level
        Level wanted; the finest of the day if None.
    tolerance
        See `crosswalk`.

    Returns
    -------
    DataFrame
        One row a zone: code, name, level, valid_from, then for each column its
        value and, with ``_low``, ``_high``, ``_known`` and ``_quality`` behind the
        name, what `transfer` says of it. ``attrs["notes"]`` is a list of `Message`.

    Raises
    ------
    InputError
        If there is nothing to transfer, or zones or the raster are missing.
    ValidationError
        With every row whose code or value is wrong.
    """
    table = _checked(figures, extensive, intensive, denominators or {})
    zones = workspace.read("zones")
    target = _targets(zones, to_date, to_level)
    source = _sources(workspace, zones, table["code"], from_date)
    if isinstance(source, gpd.GeoDataFrame):
        raster = None
        if weight == "population":
            if not workspace.has("population"):
                raise InputError(
                    "The workspace has no population raster; choose to weigh by area instead"
                )
            raster = workspace.raster_path("population")
        walk = crosswalk(source, target, raster, tolerance=tolerance)
    else:
        walk = crosswalk_by_merger(source, target, districts=_districts(zones))
    numbers = table.set_index("code")
    result = target[["code", "name", "level", "valid_from"]].set_index("code", drop=False)
    result = pd.DataFrame(result)
    columns: list[tuple[str, Kind]] = [(name, "extensive") for name in extensive]
    columns += [(name, "intensive") for name in intensive]
    notes = walk.notes()
    for name, kind in columns:
        base = (denominators or {}).get(name)
        found = transfer(
            numbers[name],
            walk,
            kind,
            denominator=None if base is None else numbers[base],
            limits=None if kind == "extensive" else limits_of(name),
        )
        result[name] = found["value"]
        for part in ("low", "high", "known", "quality"):
            result[f"{name}_{part}"] = found[part]
        notes += _loss(name, kind, numbers[name], found)
    result = result.reset_index(drop=True)
    result.attrs["notes"] = notes
    return result


def limits_of(column: str) -> tuple[float, float] | None:
    """Return the range of an intensive figure by the unit at the end of its name.

    Parameters
    ----------
    column
        Column name.

    Returns
    -------
    tuple of float or None
        0 to 100 for percentages, 0 to 1 for shares.
    """
    return next((limits for end, limits in _LIMITS.items() if column.endswith(end)), None)


def _loss(name: str, kind: Kind, values: pd.Series, found: pd.DataFrame) -> list[Message]:
    """Say how much of a total did not arrive, and which rows had no value."""
    notes = []
    missing = int(values.isna().sum())
    if missing:
        notes.append(message("{column}: {count} rows have no value", column=name, count=missing))
    before, after = float(values.sum()), float(found["value"].sum())
    if kind == "extensive" and abs(before - after) > 1e-9 * max(abs(before), 1e-300):
        notes.append(
            message(
                "{column}: of {before} in all, {after} arrive; {share} % are lost",
                column=name,
                before=shown(round(before, 6)),
                after=shown(round(after, 6)),
                share=f"{100.0 * (before - after) / before if before else 0.0:.3g}",
            )
        )
    return notes


def _checked(
    figures: pd.DataFrame,
    extensive: Sequence[str],
    intensive: Sequence[str],
    denominators: Mapping[str, str],
) -> pd.DataFrame:
    """Return code and numbers of a table, or raise every fault."""
    wanted = [*dict.fromkeys([*extensive, *intensive])]
    if not wanted:
        raise InputError(
            "Say which columns are counts (extensive) and which are shares or means (intensive)"
        )
    twice = [name for name in extensive if name in intensive]
    if twice:
        raise InputError("The column {column} cannot be both a count and a share", column=twice[0])
    for name in denominators.values():
        if name not in wanted:
            wanted.append(name)
    for name in ("code", *wanted):
        if name not in figures:
            raise InputError(
                "The table has no column {column}; it has {known}",
                column=name,
                known=", ".join(map(str, figures.columns)),
            )
    rows = figures.index.to_numpy() if figures.index.name == "row" else np.arange(len(figures)) + 2
    problems: list[Problem] = []

    def report(column: str, wrong: NDArray[np.bool_], expected: Message) -> None:
        problems.extend(
            Problem("figures", int(rows[k]), column, shown(figures[column].iloc[k]), expected)
            for k in np.flatnonzero(wrong)
        )

    code = figures["code"].astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    empty = (code.isna() | (code == "")).to_numpy(bool)
    report("code", empty, message("expected the code of a zone"))
    report(
        "code",
        (code.duplicated() & ~empty).to_numpy(bool),
        message("expected each zone once"),
    )
    table: dict[str, NDArray[Any]] = {"code": code.to_numpy()}
    for name in wanted:
        numbers, wrong = to_number(figures[name])
        report(name, wrong, message("expected a number"))
        table[name] = numbers.to_numpy()
    if problems:
        raise ValidationError(sorted(problems, key=lambda problem: problem.row or 0))
    return pd.DataFrame(table, index=pd.Index(rows, name="row"))


def _targets(zones: gpd.GeoDataFrame, day: str, level: str | None) -> gpd.GeoDataFrame:
    valid = vintages.on(zones, day)
    if level is not None:
        valid = valid[valid["level"] == level]
    if not len(valid):
        raise InputError(
            "The workspace has no zones with boundaries that are valid on {day}; it has: {known}",
            day=day,
            known="; ".join(str(item.label()) for item in vintages.vintages(zones)) or "none",
        )
    return valid[valid["level"] == finest_level(valid)]


def _sources(
    workspace: Workspace, zones: gpd.GeoDataFrame, codes: pd.Series, day: str
) -> pd.DataFrame:
    """Return the zones of a day of the level, or the former zones, that codes are of."""
    valid = vintages.on(zones, day)
    sets: list[pd.DataFrame] = [
        valid[valid["level"] == level] for level in reversed(LEVELS) if level in set(valid["level"])
    ]
    if workspace.has("former_zones"):
        former = vintages.on(workspace.read("former_zones"), day)
        if len(former):
            sets.insert(0, former)
    if not sets:
        raise InputError("The workspace has no zones that are valid on {day}", day=day)
    hits = [int(codes.isin(part["code"]).sum()) for part in sets]
    best = sets[int(np.argmax(hits))]
    strange = np.flatnonzero(~codes.isin(best["code"]))
    if len(strange):
        rows = codes.index.to_numpy()
        expected = message(
            "expected the code of one of the {count} zones valid on {day}, such as {code}",
            count=len(best),
            day=day,
            code=best["code"].iloc[0],
        )
        raise ValidationError(
            Problem("figures", int(rows[k]), "code", shown(codes.iloc[k]), expected)
            for k in strange
        )
    return best


def _districts(zones: pd.DataFrame) -> dict[str, str]:
    part = zones[zones["level"] == "district"]
    return dict(zip(part["code"], part["name"], strict=True))


def transfer_file(
    workspace: Workspace,
    path: Path | str,
    *,
    from_date: str,
    to_date: str,
    weight: Weight = "area",
    extensive: Sequence[str] = (),
    intensive: Sequence[str] = (),
    denominators: Mapping[str, str] | None = None,
    to_level: str | None = None,
    tolerance: float = DRAWING_TOLERANCE,
) -> pd.DataFrame:
    """Bring the figures of a file to the zones of another day.

    Parameters
    ----------
    workspace
        See `transfer_table`.
    path
        CSV (comma, semicolon or tab; UTF-8) or Excel, with a column `code`.
    from_date, to_date, weight, extensive, intensive, denominators, to_level, tolerance
        See `transfer_table`.

    Returns
    -------
    DataFrame
        See `transfer_table`.

    Raises
    ------
    InputError
        If the file cannot be read, or as `transfer_table` says.
    """
    path = Path(path)
    table = read_figures(path)
    try:
        return transfer_table(
            workspace,
            table,
            extensive=extensive,
            intensive=intensive,
            from_date=from_date,
            to_date=to_date,
            weight=weight,
            denominators=denominators,
            to_level=to_level,
            tolerance=tolerance,
        )
    except ValidationError as error:
        raise ValidationError(
            Problem(p.layer, p.row, p.column, p.value, p.expected, path.name, p.severity)
            for p in error.problems
        ) from error


def read_figures(path: Path) -> pd.DataFrame:
    """Read a table of figures by zone as text.

    Parameters
    ----------
    path
        CSV (comma, semicolon or tab; UTF-8) or Excel, with names in its first row.

    Returns
    -------
    DataFrame
        As text.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("{file} cannot be read", file=path.name) from error
    try:
        if content[:2] == b"PK":
            table = pd.read_excel(
                io.BytesIO(content), dtype=str, keep_default_na=False, engine="calamine"
            )
        else:
            text = content.decode("utf-8-sig")
            head = text.partition("\n")[0]
            delimiter = max(",;\t", key=head.count)
            table = pd.read_csv(io.StringIO(text), sep=delimiter, dtype=str, keep_default_na=False)
            if delimiter != ",":
                # Where the comma does not part columns it marks decimals.
                table = table.replace(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", regex=True)
    except (ValueError, KeyError, csv.Error, CalamineError) as error:
        raise InputError(
            "{file} cannot be read as a table (expected CSV in UTF-8, or Excel)", file=path.name
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    return table
