"""Shares of area, population and villages covered, by zone, each with its interval.

Pixels are split on zone borders by the exact share of their area (exactextract),
so the zones of a level add up to the whole. A *figure* is the share of area (or
people, or villages) whose coverage probability reaches the one asked for. Two
doubts are kept apart: shadow fading, which averages out over a zone because it
is correlated over a short distance only, and the error of the model, which moves
all levels together and does not average out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import scipy.sparse
import scipy.special
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray

from coverage.kernels import fading
from data.grid import Grid

#: Half width of a 95 % interval in standard deviations.
NORMAL_95 = 1.959963984540054

#: Distance over which shadow fading decorrelates to 1/e.
#: 3GPP TR 38.901 V17.0.0, table 7.5-6, RMa NLOS. [m]
DECORRELATION_DISTANCE_M = 120.0

# Terms of the expansion of the bivariate normal probability; a pixel's own variance
# is exact, and beyond the first pixel the sixth power of the correlation is small.
_TERMS = 6

# Correlation below which two pixels count as independent.
_LEAST_CORRELATION = 0.01

# Margin in standard deviations beyond which a pixel's coverage is certain.
_DOUBTFUL = 5.0


@dataclass(frozen=True, eq=False)
class ZoneWeights:
    """What share of each pixel's area lies in each zone.

    Parameters
    ----------
    grid
        The analysis grid.
    fraction
        Sparse matrix (zones, pixels in row order), entries from 0 to 1.
    """

    grid: Grid
    fraction: scipy.sparse.csr_array

    def part(self, row: int, column: int, height: int, width: int) -> ZoneWeights:
        """Return the weights of a window of the grid.

        Parameters
        ----------
        row, column, height, width
            The window.

        Returns
        -------
        ZoneWeights
            All zones, the window's pixels.
        """
        entries = self.fraction.tocoo()
        y, x = np.divmod(entries.col, self.grid.width)
        inside = (y >= row) & (y < row + height) & (x >= column) & (x < column + width)
        pixel = (y[inside] - row) * width + x[inside] - column
        return ZoneWeights(
            self.grid.window(row, column, height, width),
            scipy.sparse.csr_array(
                (entries.data[inside], (entries.row[inside], pixel)),
                shape=(self.fraction.shape[0], height * width),
            ),
        )


def zone_weights(zones: gpd.GeoDataFrame, grid: Grid) -> ZoneWeights:
    """Return the share of each pixel in each zone.

    Parameters
    ----------
    zones
        Polygons in the CRS of the grid, one row a zone.
    grid
        The analysis grid.

    Returns
    -------
    ZoneWeights
        One row a zone, in the order of `zones`.
    """
    x_min, y_min, x_max, y_max = grid.bounds
    # exactextract reads only the frame of this raster, so one value repeated will do.
    frame = np.broadcast_to(np.zeros(1, np.uint8), grid.shape)
    shapes = gpd.GeoDataFrame(
        {"row": np.arange(len(zones))}, geometry=zones.geometry.to_numpy(), crs=grid.crs
    )
    source = NumPyRasterSource(
        frame, xmin=x_min, ymin=y_min, xmax=x_max, ymax=y_max, srs_wkt=shapes.crs.to_wkt()
    )
    found = exact_extract(
        source, shapes, ["cell_id", "coverage"], include_cols=["row"], output="pandas"
    )
    rows, pixels, shares = [], [], []
    for row, cell_id, coverage in zip(
        found["row"], found["cell_id"], found["coverage"], strict=True
    ):
        rows.append(np.full(len(cell_id), int(row)))
        pixels.append(np.asarray(cell_id, np.int64))
        shares.append(np.asarray(coverage, np.float64))
    if rows:
        entries = (np.concatenate(shares), (np.concatenate(rows), np.concatenate(pixels)))
    else:
        entries = (np.zeros(0), (np.zeros(0, np.int64), np.zeros(0, np.int64)))
    matrix = scipy.sparse.csr_array(entries, shape=(len(zones), grid.width * grid.height))
    return ZoneWeights(grid, matrix)


@dataclass(frozen=True, eq=False)
class Service:
    """Where a technology (or one of several) is received, for one operator or any.

    Parameters
    ----------
    fade_margin
        Median level minus the threshold, in standard deviations of the location
        variability; -inf without signal. Shape (rows, columns).
    covered
        Whether the coverage probability reaches the one asked for.
    covered_low, covered_high
        The same if the model's level is wrong by its error, downwards and upwards.
    """

    fade_margin: NDArray[np.float32]
    covered: NDArray[np.bool_]
    covered_low: NDArray[np.bool_]
    covered_high: NDArray[np.bool_]


def service(
    level_dbm: NDArray[np.float32],
    *,
    threshold_dbm: float,
    probability: float,
    sigma_db: NDArray[np.float32] | float,
    model_error_db: float,
) -> Service:
    """Compare median levels with a threshold.

    Parameters
    ----------
    level_dbm
        Median level at each pixel; -inf without signal. [dBm]
    threshold_dbm
        Level that counts as covered. [dBm]
    probability
        Share of a pixel's locations that must reach it, 0 to 1.
    sigma_db
        Standard deviation of the location variability, per pixel or one for all. [dB]
    model_error_db
        Standard deviation of the model's mean error over an area. [dB]

    Returns
    -------
    Service
        The comparison.
    """
    wanted = np.float32(scipy.special.ndtri(probability))
    sigma = np.asarray(sigma_db, np.float32)
    margin = ((level_dbm - np.float32(threshold_dbm)) / sigma).astype(np.float32)
    shift = np.float32(NORMAL_95 * model_error_db) / sigma
    return Service(margin, margin >= wanted, margin - shift >= wanted, margin + shift >= wanted)


def any_of(services: Sequence[Service]) -> Service:
    """Return where at least one of several services is received.

    The fading of the services is taken as fully correlated (they often share the
    mast), so the probability of the best one counts: a cautious figure.

    Parameters
    ----------
    services
        At least one.

    Returns
    -------
    Service
        The union.
    """
    if len(services) == 1:
        return services[0]
    return Service(
        np.maximum.reduce([item.fade_margin for item in services]),
        np.logical_or.reduce([item.covered for item in services]),
        np.logical_or.reduce([item.covered_low for item in services]),
        np.logical_or.reduce([item.covered_high for item in services]),
    )


def fading_reach_pixels(
    resolution_m: float, decorrelation_distance_m: float = DECORRELATION_DISTANCE_M
) -> int:
    """Return over how many pixels the fading of two places is counted as correlated.

    Parameters
    ----------
    resolution_m
        Pixel size. [m]
    decorrelation_distance_m
        Distance at which the correlation is 1/e. [m]

    Returns
    -------
    int
        Beyond it the correlation is below 0.01.
    """
    return math.ceil(decorrelation_distance_m * math.log(1.0 / _LEAST_CORRELATION) / resolution_m)


def _fading_variance(
    fade_margin: NDArray[np.float32],
    weight: NDArray[np.float64],
    pixel_m: float,
    distance_m: float,
) -> NDArray[np.float64]:
    """Return what the fading with its neighbours adds to the variance, by pixel and weight.

    `weight` is (kinds, rows, columns) and so is the result. Fading is a Gaussian
    field with correlation exp(-d / distance_m) (Gudmundson, M. (1991), "Correlation
    model for shadow fading in mobile radio systems", Electronics Letters 27(23)).
    The covariance of the indicators of two standard normal variables of
    correlation r above -a and -b is the sum over k of
    r^k / k! He_{k-1}(a) He_{k-1}(b) phi(a) phi(b) (tetrachoric series, Pearson 1900).
    """
    # Far from the threshold nothing is in doubt.
    doubtful = np.abs(fade_margin) < _DOUBTFUL
    row, column = np.nonzero(doubtful)
    place = np.full(fade_margin.shape, -1, np.int32)
    place[row, column] = np.arange(len(row))
    a = fade_margin[row, column].astype(np.float64)
    density = np.exp(-0.5 * a * a) / math.sqrt(2.0 * math.pi)
    terms = np.empty((len(a), _TERMS))
    previous, hermite = np.zeros_like(a), np.ones_like(a)
    for k in range(1, _TERMS + 1):
        terms[:, k - 1] = density * hermite / math.sqrt(math.factorial(k))
        previous, hermite = hermite, a * hermite - (k - 1) * previous
    out = np.empty((len(a), len(weight)))
    fading.add_neighbours(
        place,
        row.astype(np.int32),
        column.astype(np.int32),
        terms,
        np.ascontiguousarray(weight[:, row, column].T),
        fading_reach_pixels(pixel_m, distance_m),
        pixel_m / distance_m,
        _LEAST_CORRELATION,
        out,
    )
    probability = scipy.special.ndtr(fade_margin.astype(np.float64))
    variance = weight**2 * (probability * (1.0 - probability))
    variance[:, row, column] += out.T
    return variance


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums by zone from which the shares follow; tallies of tiles add up.

    Parameters
    ----------
    weight
        Area in pixels, people or points of each zone.
    covered, covered_low, covered_high
        The part of it that is covered, and if the model's level is wrong.
    expected
        The sum of weight times probability of reaching the threshold.
    variance
        Of the covered weight, due to shadow fading.
    """

    weight: NDArray[np.float64]
    covered: NDArray[np.float64]
    covered_low: NDArray[np.float64]
    covered_high: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            *(
                getattr(self, column.name) + getattr(other, column.name)
                for column in dataclasses.fields(self)
            )
        )

    def __sub__(self, other: Tally) -> Tally:
        return Tally(
            *(
                getattr(self, column.name) - getattr(other, column.name)
                for column in dataclasses.fields(self)
            )
        )

    def shares(self) -> pd.DataFrame:
        """Return the covered share of each zone with its interval.

        Returns
        -------
        pandas.DataFrame
            One row a zone, all from 0 to 1: `share` (probability at least the
            one asked for), `expected` (mean probability of reaching the
            threshold), `interval_low`, `interval_high` (95 %; the two doubts
            together, each side by the root of the sum of squares), and the two
            doubts alone as `shadowing_low`, `shadowing_high`, `model_low`,
            `model_high`; `weight`, the denominator. NaN for zones without weight.
        """
        weight = np.where(self.weight > 0.0, self.weight, np.nan)
        share = self.covered / weight
        low = self.covered_low / weight
        high = self.covered_high / weight
        fading = NORMAL_95 * np.sqrt(np.maximum(self.variance, 0.0)) / weight
        return pd.DataFrame(
            {
                "share": share,
                "expected": self.expected / weight,
                "interval_low": np.clip(share - np.hypot(share - low, fading), 0.0, 1.0),
                "interval_high": np.clip(share + np.hypot(high - share, fading), 0.0, 1.0),
                "shadowing_low": np.clip(share - fading, 0.0, 1.0),
                "shadowing_high": np.clip(share + fading, 0.0, 1.0),
                "model_low": low,
                "model_high": high,
                "weight": self.weight,
            }
        )


def tally_pixels(
    weights: ZoneWeights,
    where: Service,
    people: NDArray[np.float64] | None = None,
    *,
    decorrelation_distance_m: float = DECORRELATION_DISTANCE_M,
) -> dict[str, Tally]:
    """Sum area and people by zone.

    A pixel counts as one location of the fading; the covariance with neighbours
    across the zone's border is counted in, which makes the interval of a small
    zone slightly too wide.

    Parameters
    ----------
    weights
        Share of each pixel in each zone.
    where
        Where the service is received.
    people
        People per pixel, or None.
    decorrelation_distance_m
        Distance at which the correlation of shadow fading is 1/e. [m]

    Returns
    -------
    dict
        ``"area"`` (in pixels) and, with people, ``"population"``.
    """
    kinds = {"area": np.ones(where.covered.shape)}
    if people is not None:
        kinds["population"] = people
    weight = np.stack(list(kinds.values()))
    values = [
        np.ones(where.covered.shape),
        where.covered,
        where.covered_low,
        where.covered_high,
        scipy.special.ndtr(where.fade_margin.astype(np.float64)),
    ]
    variance = _fading_variance(
        where.fade_margin, weight, weights.grid.resolution_m, decorrelation_distance_m
    )
    tallies = {}
    for index, kind in enumerate(kinds):
        parts = [*(weight[index] * value for value in values), variance[index]]
        tallies[kind] = Tally(*(weights.fraction @ part.ravel() for part in parts))
    return tallies


def tally_points(
    zones: gpd.GeoDataFrame, points: gpd.GeoDataFrame, grid: Grid, where: Service
) -> Tally:
    """Count the points (villages) on the grid by zone.

    Parameters
    ----------
    zones
        Polygons in the CRS of the grid.
    points
        Points in the same CRS; those off the grid are left out.
    grid
        The analysis grid, or a tile of it.
    where
        Where the service is received.

    Returns
    -------
    Tally
        One entry a zone. The fading of two villages is taken as independent.
    """
    column = np.floor((points.geometry.x.to_numpy() - grid.x_min) / grid.resolution_m).astype(int)
    row = np.floor((grid.y_max - points.geometry.y.to_numpy()) / grid.resolution_m).astype(int)
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    at = (row[inside], column[inside])
    point, in_zone = zones.sindex.query(points.geometry[inside], predicate="intersects")
    belongs = scipy.sparse.csr_array(
        (np.ones(len(in_zone)), (in_zone, point)), shape=(len(zones), int(inside.sum()))
    )
    probability = scipy.special.ndtr(where.fade_margin[at].astype(np.float64))
    return Tally(
        weight=belongs @ np.ones(len(probability)),
        covered=belongs @ where.covered[at].astype(np.float64),
        covered_low=belongs @ where.covered_low[at].astype(np.float64),
        covered_high=belongs @ where.covered_high[at].astype(np.float64),
        expected=belongs @ probability,
        variance=belongs @ (probability * (1.0 - probability)),
    )


def tally_all(
    zones: gpd.GeoDataFrame,
    weights: ZoneWeights,
    where: Service,
    people: NDArray[np.float64],
    villages: gpd.GeoDataFrame | None,
) -> dict[str, Tally]:
    """Sum everything that a service is measured in by zone.

    Parameters
    ----------
    zones
        Layer `zones`.
    weights
        Share of each pixel in each of them.
    where
        Where the service is received.
    people
        People per pixel.
    villages
        Layer `villages`, or None.

    Returns
    -------
    dict
        ``"area"``, ``"population"`` and, with villages, ``"village"``.
    """
    tallies = tally_pixels(weights, where, people)
    if villages is not None:
        tallies["village"] = tally_points(zones, villages, weights.grid, where)
    return tallies
