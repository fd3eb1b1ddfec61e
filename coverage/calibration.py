"""Calibrate a propagation model with drive-test measurements.

The correction, in dB to be added to the predicted level, is

    offset + slope log10(d / d0) + clutter[class at the receiver] + g log10(f / f0)

with d kept within the distances that were measured and f within the
frequencies. Levels of one cell within one 50 m bin count once (their median),
because samples a few metres apart tell the same thing.

*Robust.* The parameters minimise Huber's loss, then Tukey's biweight from there
(Huber, P. J. and Ronchetti, E. M. (2009), Robust Statistics, chapter 7), so
outliers such as levels of a mistaken cell lose their pull.

*No more than the data say.* Clutter corrections are shrunk to 0 as if each class
had a prior of 6 dB and the bins of a block were one observation. A term
(offset, slope, clutter, frequency) enters only if it lowers the error on
blocks that were left out, by more than one standard error of that gain.

*Held-out error.* Bins are split into folds by square blocks of ground, so that a
test block's shadow fading is not known from its neighbours. In every fold the
choice of terms and the fit see the other folds only.

Errors are prediction minus measurement, as in Recommendation ITU-R P.311.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import antenna, robust, sweep
from coverage.calibrated_model import TERMS, CalibratedModel, ErrorStatistics, check_name
from coverage.point_prediction import BIN_M, predict_points, thin
from data.errors import InputError
from data.grid import Raster

#: Fewest bins and blocks from which a calibration is made.
MINIMUM_BINS = 60
MINIMUM_BLOCKS = 8

#: Fewest bins and blocks for a correction of a clutter class.
MINIMUM_CLASS_BINS = 15
MINIMUM_CLASS_BLOCKS = 3

#: Frequencies must span this ratio for a frequency term.
MINIMUM_FREQUENCY_RATIO = 1.2

#: Side of the blocks that are held out together; halved while they are too few. [m]
BLOCK_M = 1000.0
_LEAST_BLOCK_M = 250.0

FOLDS = 5

#: P.1812 states no validity below; near the mast the antenna's position decides. [m]
MINIMUM_DISTANCE_M = 250.0

_PRIOR_DB = 6.0


@dataclass(frozen=True, eq=False)
class _Bins:
    """The usable bins as arrays."""

    residual_db: NDArray[np.float64]  # measured minus predicted
    log_distance: NDArray[np.float64]
    log_frequency: NDArray[np.float64]
    clutter: NDArray[np.int64]  # position in `classes`, or len(classes)
    classes: NDArray[np.int64]
    block: NDArray[np.int64]

    def part(self, mask: NDArray[np.bool_]) -> _Bins:
        return dataclasses.replace(
            self,
            **{
                name: getattr(self, name)[mask]
                for name in ("residual_db", "log_distance", "log_frequency", "clutter", "block")
            },
        )

    def design(self, terms: Sequence[str]) -> NDArray[np.float64]:
        columns = []
        if "offset" in terms:
            columns.append(np.ones(len(self.residual_db)))
        if "slope" in terms:
            columns.append(self.log_distance)
        if "frequency" in terms:
            columns.append(self.log_frequency)
        if "clutter" in terms:
            columns += [(self.clutter == k).astype(float) for k in range(len(self.classes))]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.residual_db), 0))


def _fit(bins: _Bins, terms: Sequence[str]) -> NDArray[np.float64]:
    """Return the coefficients of the columns of `bins.design(terms)`."""
    design = bins.design(terms)
    count = design.shape[1]
    if count == 0:
        return np.zeros(0)
    target = bins.residual_db
    # Bins of one block share their fading: together they count as one observation.
    per_block = len(target) / max(1, len(np.unique(bins.block)))
    shrunk = np.zeros(count, bool)
    if "clutter" in terms:
        shrunk[count - len(bins.classes) :] = True
    coefficients = np.zeros(count)
    coefficients[0] = np.median(target) if "offset" in terms else 0.0
    for bisquare in (False, True):
        for _ in range(50):
            deviation = target - design @ coefficients
            # Before the first fit has settled, outliers cannot be told by their size.
            scale = max(
                robust.clipped_scale(deviation) if bisquare else robust.median_scale(deviation), 0.1
            )
            ratio = np.abs(deviation) / scale
            if bisquare:
                weight = np.clip(1.0 - (ratio / robust.BISQUARE) ** 2, 0.0, None) ** 2
            else:
                weight = np.minimum(1.0, robust.HUBER / np.maximum(ratio, 1e-12))
            ridge = np.where(shrunk, (scale / _PRIOR_DB) ** 2 * per_block, 1e-9)
            weighted = design * weight[:, None]
            new = np.linalg.solve(design.T @ weighted + np.diag(ridge), weighted.T @ target)
            done = np.max(np.abs(new - coefficients)) < 1e-5
            coefficients = new
            if done:
                break
    if "clutter" in terms and "offset" in terms and len(bins.classes):
        # The offset, which is all that other classes get, is that of the mean place.
        number = np.bincount(bins.clutter, minlength=len(bins.classes))[: len(bins.classes)]
        mean = float(np.sum(number * coefficients[shrunk]) / max(1, number.sum()))
        coefficients[shrunk] -= mean
        coefficients[0] += mean
    return coefficients


def _folds(block: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each bin; whole blocks, about the same number of bins in each."""
    blocks, position, size = np.unique(block, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(blocks))
    order = order[np.argsort(-size[order], kind="stable")]
    fold_of_block = np.empty(len(blocks), np.int64)
    filled = np.zeros(min(FOLDS, len(blocks)))
    for index in order:
        fold = int(np.argmin(filled))
        fold_of_block[index] = fold
        filled[fold] += size[index]
    return fold_of_block[position]


def _held_out_deviation(bins: _Bins, terms: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Return what remains of each bin's residual after a fit without its fold."""
    rest = np.empty(len(bins.residual_db))
    fold = _folds(bins.block, seed)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        coefficients = _fit(bins.part(~test), terms)
        rest[test] = bins.residual_db[test] - bins.part(test).design(terms) @ coefficients
    return rest


def _choose_terms(bins: _Bins, candidates: Sequence[str], seed: int) -> tuple[str, ...]:
    """Add the term that helps most on left-out blocks, while one helps beyond doubt."""
    chosen: tuple[str, ...] = ()
    scale = max(robust.median_scale(bins.residual_db - np.median(bins.residual_db)), 0.1)
    _, block = np.unique(bins.block, return_inverse=True)
    now = robust.huber_loss(bins.residual_db, scale)
    while True:
        rest = [term for term in candidates if term not in chosen]
        # Every model has an offset; the other terms are tried alone only beside it.
        rounds: list[list[tuple[str, ...]]] = [[(term,) for term in rest]]
        if "offset" not in chosen:
            rounds = [[("offset",)], [("offset", term) for term in rest if term != "offset"]]
        best: tuple[float, tuple[str, ...], NDArray[np.float64]] | None = None
        for trials in rounds:
            for added in trials:
                loss = robust.huber_loss(_held_out_deviation(bins, (*chosen, *added), seed), scale)
                gain = np.bincount(block, now - loss)
                doubt = math.sqrt(len(gain)) * float(np.std(gain))
                if gain.sum() > doubt and (best is None or gain.sum() > best[0]):
                    best = (float(gain.sum()), added, loss)
            if best is not None:
                break
        if best is None:
            return chosen
        chosen, now = (*chosen, *best[1]), best[2]


def fit(
    points: pd.DataFrame,
    *,
    name: str,
    base_model: str,
    created: str,
    settings: Mapping[str, Any] | None = None,
    floor_dbm: float | None = None,
    minimum_distance_m: float = MINIMUM_DISTANCE_M,
    block_m: float = BLOCK_M,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> CalibratedModel:
    """Fit a calibrated model to measured and predicted levels.

    Parameters
    ----------
    points
        One row a bin: `x_m`, `y_m`, `cell_id`, `level_dbm` (measured),
        `predicted_dbm`, `distance_m`, `clutter_class`, `frequency_mhz`.
    name
        Name of the model.
    base_model, settings, created
        Where the predictions come from, and the date, to be kept with it.
    floor_dbm
        Least level that the receiver reports. Where the calibrated level lies
        less than two standard deviations above, only places that are better
        than predicted are heard, which would raise the fit: bins are left out
        there, whatever was measured. None keeps all. [dBm]
    minimum_distance_m
        Bins nearer to the mast are left out. [m]
    block_m
        Side of the blocks that are held out together. [m]
    seed
        Of the split into folds.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    CalibratedModel
        The model.

    Raises
    ------
    InputError
        If there are too few measurements or too few places, with the number needed.
    """
    check_name(name)
    usable, left_out = _usable(points, minimum_distance_m)
    if floor_dbm is not None and len(usable) >= MINIMUM_BINS:
        heard = _well_heard(usable, floor_dbm)
        if not heard.all():
            left_out[f"too near the floor of {floor_dbm:g} dBm"] = int((~heard).sum())
        usable = usable.loc[heard].reset_index(drop=True)
    if len(usable) < MINIMUM_BINS:
        raise InputError(
            "There are {count} usable measurements ({left_out}), but a calibration needs at least "
            "{needed}, each of one cell in its own square of {bin} m",
            count=len(usable),
            left_out=", ".join(f"{number} {why}" for why, number in left_out.items())
            or "none left out",
            needed=MINIMUM_BINS,
            bin=f"{BIN_M:g}",
        )
    block, side_m = _blocks(usable, block_m)
    bins = _bins(usable, block)
    candidates = [term for term in TERMS if term != "frequency"]
    frequency = usable["frequency_mhz"].to_numpy(np.float64)
    if frequency.max() >= MINIMUM_FREQUENCY_RATIO * frequency.min():
        candidates.append("frequency")

    held_out = np.empty(len(bins.residual_db))
    fold = _folds(block, seed)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        train = bins.part(~test)
        terms = _choose_terms(train, candidates, seed + 1)
        held_out[test] = bins.residual_db[test] - bins.part(test).design(terms) @ _fit(train, terms)
        on_progress((number + 1) / (int(fold.max()) + 2))
    terms = _choose_terms(bins, candidates, seed + 1)
    terms = tuple(term for term in TERMS if term in terms)
    coefficients = _fit(bins, terms)
    fitted = bins.residual_db - bins.design(terms) @ coefficients
    value = _by_name(terms, coefficients, bins.classes)
    after = ErrorStatistics.of(-held_out)
    codes, counts = np.unique(usable["clutter_class"].dropna().to_numpy(np.int64),
                              return_counts=True)  # fmt: skip
    distance = usable["distance_m"].to_numpy(np.float64)
    model = CalibratedModel(
        name=name,
        base_model=base_model,
        created=created,
        terms=terms,
        offset_db=value["offset"],
        slope_db_per_decade=value["slope"],
        frequency_slope_db_per_decade=value["frequency"],
        clutter_db={int(code): value[f"clutter {code}"] for code in bins.classes.tolist()}
        if "clutter" in terms
        else {},
        clutter_bins={int(c): int(n) for c, n in zip(codes, counts, strict=True)},
        reference_distance_m=_reference(distance),
        reference_frequency_mhz=_reference(frequency),
        distance_range_m=(float(distance.min()), float(distance.max())),
        frequency_range_mhz=(float(frequency.min()), float(frequency.max())),
        held_out_before=ErrorStatistics.of(-bins.residual_db),
        held_out_after=after,
        fitted=ErrorStatistics.of(-fitted),
        sigma_db=after.robust_std_db,
        mean_error_db=_mean_error_db(held_out, block),
        cells=int(usable["cell_id"].nunique()),
        bins=len(usable),
        blocks=len(np.unique(block)),
        data_sha256=_data_hash(usable),
        left_out=left_out,
        # As JSON gives it back: lists in place of tuples.
        settings=json.loads(json.dumps({**(settings or {}), "block_m": side_m, "seed": seed})),
    )
    on_progress(1.0)
    return model


def calibrate(
    measurements: pd.DataFrame,
    elevation: Raster,
    clutter_height: Raster | None,
    clutter_class: Raster | None,
    masts: gpd.GeoDataFrame,
    cells: pd.DataFrame,
    *,
    name: str,
    created: str,
    settings: sweep.SweepSettings,
    own_patterns: dict[str, antenna.Pattern] | None = None,
    floor_dbm: float | None = None,
    minimum_distance_m: float = MINIMUM_DISTANCE_M,
    on_progress: Callable[[float], None] = lambda _: None,
) -> CalibratedModel:
    """Calibrate a model from measurements: thin, predict, fit.

    Parameters
    ----------
    measurements
        What `data.importers.measurements.read` returned.
    elevation, clutter_height, clutter_class, masts, cells, own_patterns
        See `predict_points`.
    name, created, floor_dbm, minimum_distance_m
        See `fit`.
    settings
        Base model and its conditions.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    CalibratedModel
        The model; not saved yet.
    """
    check_name(name)
    bins = thin(measurements)
    points = predict_points(
        elevation,
        clutter_height,
        masts,
        cells,
        bins,
        settings=settings,
        clutter_class=clutter_class,
        own_patterns=own_patterns,
        on_progress=lambda part: on_progress(0.7 * part),
    )
    return fit(
        points,
        name=name,
        base_model=settings.model,
        created=created,
        settings=dataclasses.asdict(settings),
        floor_dbm=floor_dbm,
        minimum_distance_m=minimum_distance_m,
        on_progress=lambda part: on_progress(0.7 + 0.3 * part),
    )


def _usable(points: pd.DataFrame, minimum_distance_m: float) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the bins to fit to, and how many were left out for which reason."""
    reasons = {
        "of unknown cells or beyond the terrain": ~np.isfinite(
            points["predicted_dbm"].to_numpy(np.float64)
        ),
        "without a level": ~np.isfinite(points["level_dbm"].to_numpy(np.float64)),
        f"nearer than {minimum_distance_m:g} m": points["distance_m"].to_numpy(np.float64)
        < minimum_distance_m,
    }
    kept = np.ones(len(points), bool)
    left_out = {}
    for reason, mask in reasons.items():
        count = int((kept & mask).sum())
        if count:
            left_out[reason] = count
        kept &= ~mask
    return points.loc[kept].reset_index(drop=True), left_out


def _well_heard(usable: pd.DataFrame, floor_dbm: float) -> NDArray[np.bool_]:
    """Return the bins whose calibrated level lies two deviations above the receiver's floor."""
    predicted = usable["predicted_dbm"].to_numpy(np.float64)
    bins = _bins(usable, np.arange(len(usable)))
    design = bins.design(("offset", "slope"))
    kept = np.ones(len(usable), bool)
    for _ in range(10):
        coefficients = _fit(bins.part(kept), ("offset", "slope"))
        level = predicted + design @ coefficients
        spread = robust.clipped_scale(bins.residual_db[kept] - design[kept] @ coefficients)
        now = level > floor_dbm + 2.0 * spread
        if now.sum() < MINIMUM_BINS or np.array_equal(now, kept):
            return now
        kept = now
    return kept


def _blocks(usable: pd.DataFrame, block_m: float) -> tuple[NDArray[np.int64], float]:
    """Return the number of each bin's block, and the side of the blocks."""
    x, y = usable["x_m"].to_numpy(np.float64), usable["y_m"].to_numpy(np.float64)
    side = float(block_m)
    while True:
        pairs = np.stack([np.floor(x / side), np.floor(y / side)], axis=1).astype(np.int64)
        blocks, number = np.unique(pairs, axis=0, return_inverse=True)
        if len(blocks) >= MINIMUM_BLOCKS:
            return number.ravel().astype(np.int64), side
        if side / 2.0 < _LEAST_BLOCK_M:
            raise InputError(
                "The measurements lie in {count} squares of {side} m, but a calibration needs at "
                "least {needed}, to test it where it was not fitted",
                count=len(blocks),
                side=f"{side:g}",
                needed=MINIMUM_BLOCKS,
            )
        side /= 2.0


def _reference(values: NDArray[np.float64]) -> float:
    return float(10.0 ** np.mean(np.log10(values)))


def _bins(usable: pd.DataFrame, block: NDArray[np.int64]) -> _Bins:
    code = usable["clutter_class"].to_numpy(np.float64)
    classes = []
    for item in np.unique(code[np.isfinite(code)]):
        own = code == item
        if own.sum() >= MINIMUM_CLASS_BINS and len(np.unique(block[own])) >= MINIMUM_CLASS_BLOCKS:
            classes.append(int(item))
    known = np.array(classes, np.int64)
    position = np.full(len(code), len(known), np.int64)
    for index, item in enumerate(classes):
        position[code == item] = index
    distance = usable["distance_m"].to_numpy(np.float64)
    frequency = usable["frequency_mhz"].to_numpy(np.float64)
    return _Bins(
        residual_db=(usable["level_dbm"] - usable["predicted_dbm"]).to_numpy(np.float64),
        log_distance=np.log10(distance / _reference(distance)),
        log_frequency=np.log10(frequency / _reference(frequency)),
        clutter=position,
        classes=known,
        block=block,
    )


def _by_name(
    terms: Sequence[str], coefficients: NDArray[np.float64], classes: NDArray[np.int64]
) -> dict[str, float]:
    """Return the coefficients by name, in the order of `_Bins.design`."""
    names = [term for term in ("offset", "slope", "frequency") if term in terms]
    if "clutter" in terms:
        names += [f"clutter {code}" for code in classes.tolist()]
    found = dict(zip(names, coefficients.tolist(), strict=True))
    return {"offset": 0.0, "slope": 0.0, "frequency": 0.0, **found}


def _mean_error_db(held_out: NDArray[np.float64], block: NDArray[np.int64]) -> float:
    """Return the standard error of the mean, from the medians of the blocks."""
    medians = pd.Series(held_out).groupby(block).median().to_numpy()
    return float(np.std(medians, ddof=1) / math.sqrt(len(medians)))


def _data_hash(usable: pd.DataFrame) -> str:
    """Return a hash of the measurements that does not depend on their order."""
    rows = sorted(
        f"{row.cell_id}|{row.x_m:.3f}|{row.y_m:.3f}|{row.level_dbm:.3f}"
        for row in usable.itertuples()
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
