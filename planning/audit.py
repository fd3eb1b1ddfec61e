"""What makes a reported share true: reading, threshold and probability.

A report that says "93 % of the area has 3G, 4G coverage" leaves out how it was found. A
pixel counts as covered if its level is above a threshold with a probability, that is if
level - z(probability) x sigma >= threshold (coverage.percentages). From the kept levels of
a coverage result the share follows for every threshold and probability at once, without
predicting anything again. Other models, fewer masts and other heights need a computation:
see `planning.audit_variants`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.special
from numpy.typing import NDArray

from coverage import percentages, technology
from coverage.request import cells_of, people_per_pixel
from coverage.results import CoverageResult
from data.errors import InputError, Message, message
from data.grid import Grid
from data.store import Workspace
from planning.indicator_computed import Sources
from planning.indicator_definitions import Definition, parsed

FloatArray = NDArray[np.float64]

#: Probabilities of the grid.
PROBABILITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)

#: Thresholds of the grid, relative to those of the profile. [dB]
OFFSETS_DB = tuple(float(step) for step in range(-20, 21))

#: Ways to read one figure for several technologies: of any of them, or of all.
ANY_OF, ALL_OF = "any", "all"

#: What a share can be of here.
MEASURES = ("area", "population")


@dataclass(frozen=True)
class Reading:
    """One way to read a figure.

    Parameters
    ----------
    technologies
        Technologies that it is about.
    how
        `ANY_OF` or `ALL_OF` them; without difference for one.
    """

    technologies: tuple[str, ...]
    how: str = ANY_OF

    @property
    def name(self) -> str:
        """Code: "4G", "3G or 4G", "3G and 4G"."""
        return (" or " if self.how == ANY_OF else " and ").join(self.technologies)


def readings(service: str, there: Sequence[str]) -> list[Reading]:
    """Return how a figure of a service can be read.

    Parameters
    ----------
    service
        Technology, or a union of several.
    there
        Technologies that were computed.

    Returns
    -------
    list of Reading
        The service itself first; of a union also its members, and all of them at once.
    """
    members = tuple(
        name for name in technology.COMBINATIONS.get(service, (service,)) if name in there
    )
    if len(members) < 2:
        return [Reading(members)] if members else []
    return [Reading(members), *(Reading((name,)) for name in members), Reading(members, ALL_OF)]


class Levels:
    """Levels of a kept coverage over the pixels of an area, ready to be asked.

    Parameters
    ----------
    workspace
        The study area.
    result
        Its coverage.
    measure
        What shares are of: "area" or "population".

    Attributes
    ----------
    thresholds_dbm
        Technology -> threshold of the profile. [dBm]
    """

    def __init__(self, workspace: Workspace, result: CoverageResult, measure: str = "area") -> None:
        check_measure(measure)
        provenance = result.summary["provenance"]
        self._inside, self._weight = pixel_weights(workspace, result.grid, measure)
        self.thresholds_dbm: dict[str, float] = {
            name: float(item["threshold_dbm"]) for name, item in provenance["thresholds"].items()
        }
        self.probability: dict[str, float] = {
            name: float(item["probability"]) for name, item in provenance["thresholds"].items()
        }
        sigma = provenance["uncertainty"]["location_sigma_db"]
        frequency = cells_of(workspace)["frequency_mhz"].astype(float)
        by_cell = frequency.map(lambda value: sigma.get(f"{value:g} MHz", 1.0)).to_numpy(float)
        # A model without variability still needs a margin to count in.
        self._sigma_of_cell = np.append(np.maximum(by_cell, 0.01), 1.0)
        # A cell's variability depends on its frequency alone; the last one is of no cell.
        self._frequency_of_cell = np.append(pd.factorize(frequency)[0], -1)
        self._result = result
        self._operators = provenance["operators"]
        self._known: dict[str, list[tuple[FloatArray, FloatArray]]] = {}

    def _of(self, name: str) -> list[tuple[FloatArray, FloatArray]]:
        """Return margin over the profile's threshold and sigma of each operator. [dB]."""
        if name not in self._known:
            found = []
            for operator in self._operators:
                level = self._result.level(name, operator).values[self._inside].astype(float)
                server = self._result.server(name, operator).values[self._inside]
                over = level - self.thresholds_dbm[name]
                margin = self._result.fade_margin(name, operator).values[self._inside]
                sigma = self._sigma(over, margin.astype(float), server)
                found.append((np.where(np.isnan(level), -np.inf, over), sigma))
            self._known[name] = found
        return self._known[name]

    def _sigma(self, over: FloatArray, margin: FloatArray, server: NDArray[np.int32]) -> FloatArray:
        """Return the variability at each pixel: what lies between level and margin. [dB].

        The summary has it to three decimals, which is enough only where no margin tells.
        """
        sigma: FloatArray = self._sigma_of_cell[server]
        frequency = self._frequency_of_cell[server]
        clear = np.abs(margin) > _CLEAR
        for number in np.unique(frequency[clear]):
            mine = frequency == number
            sigma[mine] = np.median(over[mine & clear] / margin[mine & clear])
        return sigma

    def reserve_db(self, reading: Reading, probability: float) -> FloatArray:
        """Return by how much the thresholds could rise at each pixel, which stays covered.

        Parameters
        ----------
        reading
            What counts.
        probability
            Probability asked for, 0 to 1.

        Returns
        -------
        numpy.ndarray
            One value per pixel of the area; -inf without signal. [dB]
        """
        z = float(scipy.special.ndtri(probability))
        of_technology = []
        for name in reading.technologies:
            parts = [margin - z * sigma for margin, sigma in self._of(name)]
            of_technology.append(np.maximum.reduce(parts))
        combine = np.maximum if reading.how == ANY_OF else np.minimum
        found: FloatArray = combine.reduce(of_technology)
        return found

    def share(self, reading: Reading, offset_db: float, probability: float) -> float:
        """Return the share covered with thresholds so much above those of the profile.

        Parameters
        ----------
        reading
            What counts.
        offset_db
            Shift of the thresholds. [dB]
        probability
            Probability asked for, 0 to 1.

        Returns
        -------
        float
            0 to 1.
        """
        return self._weighted(self.reserve_db(reading, probability) >= offset_db - _ROUNDING_DB)

    def _weighted(self, covered: NDArray[np.bool_]) -> float:
        return float(self._weight[covered].sum() / self._weight.sum())

    def shares(
        self, reading: Reading, offsets_db: Sequence[float], probability: float
    ) -> FloatArray:
        """Return `share` for many shifts of the thresholds at once, shape (offsets,)."""
        reserve = self.reserve_db(reading, probability)
        order = np.argsort(reserve)
        # Weight of the pixels from each one on in rising order of their reserve.
        beyond = np.append(np.cumsum(self._weight[order][::-1])[::-1], 0.0)
        first = np.searchsorted(reserve[order], np.asarray(offsets_db) - _ROUNDING_DB)
        found: FloatArray = beyond[first] / beyond[0]
        return found

    def offset_for(self, reading: Reading, share: float, probability: float) -> float | None:
        """Return the shift of the thresholds at which a share is covered.

        Parameters
        ----------
        reading
            What counts.
        share
            0 to 1.
        probability
            Probability asked for, 0 to 1.

        Returns
        -------
        float or None
            The largest shift at which at least the share is covered; None where the
            signal does not reach so many. [dB]
        """
        reserve = self.reserve_db(reading, probability)
        order = np.argsort(-reserve, kind="stable")
        covered = np.cumsum(self._weight[order]) / self._weight.sum()
        place = int(np.searchsorted(covered, share - 1e-12))
        if place >= len(order) or not math.isfinite(reserve[order[place]]):
            return None
        return float(reserve[order[place]])

    def probability_for(self, reading: Reading, share: float, offset_db: float) -> float | None:
        """Return the probability at which a share is covered with given thresholds.

        Parameters
        ----------
        reading
            What counts.
        share, offset_db
            As for `share` and `offset_for`.

        Returns
        -------
        float or None
            The greatest, to 0.0005; None where it is beyond 0.01 or 0.999.
        """
        low, high = 0.01, 0.999

        def over(probability: float) -> float:
            return self.share(reading, offset_db, probability) - share

        if over(low) < 0.0 or over(high) > 0.0:
            return None
        return float(scipy.optimize.bisect(over, low, high, xtol=5e-4))


#: Levels are kept in single precision.
_ROUNDING_DB = 1e-5

#: Margin in standard deviations from which its ratio to the level is exact.
_CLEAR = 0.1


def pixel_weights(
    workspace: Workspace, grid: Grid, measure: str
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return which pixels of a grid lie in the area, and their area or people.

    Parameters
    ----------
    workspace
        The study area; its widest zones that have not ended count.
    grid
        The pixels.
    measure
        "area" or "population".

    Returns
    -------
    inside
        Flags, shape of the grid.
    weight
        Of the flagged pixels in row order. [share of a pixel, or people]

    Raises
    ------
    InputError
        If there are no zones, or no people.
    """
    zones = Sources(workspace).of_level(finest=False)
    if not len(zones):
        raise InputError("The study area has no zones")
    fraction = percentages.zone_weights(zones, grid).fraction
    weight = np.asarray(fraction.sum(axis=0)).reshape(grid.shape)
    if measure == "population":
        weight = weight * people_per_pixel(workspace, grid)
        if not weight.sum() > 0.0:
            raise InputError("There is no population raster, so there are no population figures.")
    inside = weight > 0.0
    return inside, weight[inside]


def check_measure(measure: str) -> None:
    """Raise an `InputError` unless a share can be of it here."""
    if measure not in MEASURES:
        raise InputError(
            "{value} is not what a share can be of here (expected one of {expected})",
            value=measure,
            expected=", ".join(MEASURES),
        )


# Which figures can be audited


def subject(definition: Definition) -> tuple[str, str] | None:
    """Return the service and measure that an indicator is about.

    Parameters
    ----------
    definition
        Of the indicator.

    Returns
    -------
    tuple or None
        None where it is no share of mobile coverage that levels can tell.
    """
    asked = parsed(definition.computed_by)
    if asked is None or asked[0] != "coverage" or asked[1][1] not in MEASURES:
        return None
    return asked[1][0], asked[1][1]


def about(definition: Definition) -> tuple[str, str]:
    """Return `subject`, or raise with the reason why an indicator cannot be audited.

    Parameters
    ----------
    definition
        Of the indicator.

    Returns
    -------
    tuple of str
        Service and measure.

    Raises
    ------
    InputError
        If it is no share of mobile coverage.
    """
    found = subject(definition)
    if found is None:
        reason = why_not(definition)
        raise InputError(reason.template, **reason.values)
    return found


def why_not(definition: Definition) -> Message:
    """Say why an indicator that is no share of mobile coverage cannot be audited.

    Parameters
    ----------
    definition
        Of the indicator.

    Returns
    -------
    Message
        One sentence.
    """
    fields = {"indicator": definition.indicator}
    if definition.kind != "figure":
        return message("{indicator} has no number that could be true or not.", **fields)
    if definition.unit == "%" and not definition.denominator:
        return message(
            "{indicator} does not say of what it is a share, so no computation can make it true.",
            **fields,
        )
    if definition.computed_by:
        return message(
            "{indicator} does not depend on radio levels; the computed value is beside it.",
            **fields,
        )
    return message("{indicator} is entered; nothing here computes it.", **fields)


# The audit of one figure


@dataclass(frozen=True, eq=False)
class Audit:
    """What makes a figure true.

    Parameters
    ----------
    percent
        The figure. [%]
    rounding
        How far it may be off by its rounding. [%]
    service, measure
        What it is about, and a share of what.
    grid
        Columns reading, probability, offset_db, threshold (text), percent: shares over
        thresholds and probabilities.
    readings
        Columns reading, percent (with the profile's thresholds and probability), agrees
        (within the rounding), offset_db and threshold (at which the figure is true with
        the profile's probability), probability (at which it is true with the profile's
        thresholds); NaN and empty where there is none.
    sentences
        The same in words.
    settings
        Model, resolution and thresholds of the coverage behind it.
    """

    percent: float
    rounding: float
    service: str
    measure: str
    grid: pd.DataFrame
    readings: pd.DataFrame
    sentences: tuple[Message, ...]
    settings: Mapping[str, Any]


def audit(
    workspace: Workspace,
    result: CoverageResult,
    percent: float,
    *,
    service: str = "3G_or_4G",
    measure: str = "area",
    rounding: float = 0.5,
) -> Audit:
    """Say which thresholds and probabilities make a reported share true.

    Parameters
    ----------
    workspace
        The study area.
    result
        A kept coverage of it.
    percent
        The reported share. [%]
    service
        Technology or union that it is about.
    measure
        What it is a share of: "area" or "population".
    rounding
        Half a unit of its last decimal. [%]

    Returns
    -------
    Audit
        Nothing is predicted anew.

    Raises
    ------
    InputError
        If the share is none, or the service was not computed.
    """
    if not 0.0 < percent <= 100.0:
        raise InputError(
            "The share is {value} % (expected a number above 0, 100 at most)", value=f"{percent:g}"
        )
    levels = Levels(workspace, result, measure)
    ways = readings(service, tuple(levels.thresholds_dbm))
    if not ways:
        raise InputError(
            "{value} was not computed (computed: {expected})",
            value=service,
            expected=", ".join(levels.thresholds_dbm),
        )
    rows, grid = [], []
    for way in ways:
        usual = levels.probability[way.technologies[0]]
        now = 100.0 * levels.share(way, 0.0, usual)
        offset = levels.offset_for(way, percent / 100.0, usual)
        probability = levels.probability_for(way, percent / 100.0, 0.0)
        rows.append(
            {
                "reading": way.name,
                "percent": now,
                "agrees": abs(now - percent) <= rounding,
                "offset_db": np.nan if offset is None else offset,
                "threshold": "" if offset is None else thresholds_text(levels, way, offset),
                "usual_threshold": thresholds_text(levels, way, 0.0),
                "usual_probability": usual,
                "probability": np.nan if probability is None else probability,
            }
        )
        for chance in PROBABILITIES:
            found = levels.shares(way, OFFSETS_DB, chance)
            grid += [
                {
                    "reading": way.name,
                    "probability": chance,
                    "offset_db": step,
                    "threshold": thresholds_text(levels, way, step),
                    "percent": 100.0 * float(share),
                }
                for step, share in zip(OFFSETS_DB, found, strict=True)
            ]
    table = pd.DataFrame(rows)
    provenance = result.summary["provenance"]
    return Audit(
        percent,
        rounding,
        service,
        measure,
        pd.DataFrame(grid),
        table,
        tuple(_sentences(percent, rounding, measure, table)),
        {
            "model": result.summary["model"],
            "resolution_m": result.summary["resolution_m"],
            "threshold_profile": provenance["threshold_profile"],
            "thresholds": provenance["thresholds"],
            "key": provenance["key"],
            "illustrative": result.summary["illustrative"],
        },
    )


def thresholds_text(levels: Levels, way: Reading, offset_db: float) -> str:
    """Return the thresholds of a reading, shifted, as text.

    Parameters
    ----------
    levels
        They hold the thresholds of the profile.
    way
        The reading.
    offset_db
        The shift. [dB]

    Returns
    -------
    str
        "-105 dBm", or "3G -100 dBm, 4G -105 dBm" for several technologies.
    """
    parts = [
        (name, f"{round(levels.thresholds_dbm[name] + offset_db, 1):g} dBm")
        for name in way.technologies
    ]
    if len(parts) == 1:
        return parts[0][1]
    return ", ".join(f"{name} {level}" for name, level in parts)


_OF = {"area": message("of the area"), "population": message("of the people")}


def _sentences(percent: float, rounding: float, measure: str, table: pd.DataFrame) -> list[Message]:
    said = []
    shown = f"{percent:g}"
    for row in table.to_dict("records"):
        fields: dict[str, object] = {
            "reading": row["reading"],
            "percent": shown,
            "whole": _OF[measure],
            "threshold": row["threshold"],
            "usual": row["usual_threshold"],
            "probability": f"{100 * row['usual_probability']:g}",
            "other": f"{100 * row['probability']:.0f}",
        }
        at_threshold, at_probability = bool(row["threshold"]), row["probability"] > 0.0
        if at_threshold and at_probability:
            said.append(
                message(
                    "{reading}: {percent} % {whole} is reached at {threshold} with {probability} "
                    "% probability, or at {usual} with {other} %.",
                    **fields,
                )
            )
        elif at_threshold and row["percent"] > percent:
            said.append(
                message(
                    "{reading}: {percent} % {whole} is reached at {threshold} with {probability} "
                    "% probability; at {usual} it is more even with 99.9 %.",
                    **fields,
                )
            )
        elif at_threshold:
            said.append(
                message(
                    "{reading}: {percent} % {whole} is reached at {threshold} with {probability} "
                    "% probability; at {usual} it is less even with 1 %.",
                    **fields,
                )
            )
        elif at_probability:
            said.append(
                message(
                    "{reading}: {percent} % {whole} is reached at {usual} with {other} %.",
                    **fields,
                )
            )
        else:
            said.append(
                message(
                    "{reading}: the signal does not reach {percent} % {whole} at any threshold.",
                    **fields,
                )
            )
    return [*said, _which_reading(percent, rounding, table)]


def _which_reading(percent: float, rounding: float, table: pd.DataFrame) -> Message:
    """Say which reading gives the figure with the usual thresholds."""
    agree = table.loc[table["agrees"], "reading"].tolist()
    shown = ", ".join(
        f"{row['reading']} {row['percent']:.1f} %" for row in table.to_dict("records")
    )
    if len(agree) == 1:
        return message(
            "With the profile's thresholds and probability: {shown}. The reading that gives "
            "{percent} % is {reading}.",
            shown=shown,
            percent=f"{percent:g}",
            reading=agree[0],
        )
    if agree:
        return message(
            "With the profile's thresholds and probability: {shown}. Several readings give "
            "{percent} %: {reading}.",
            shown=shown,
            percent=f"{percent:g}",
            reading=", ".join(agree),
        )
    return message(
        "With the profile's thresholds and probability: {shown}. No reading gives {percent} % "
        "(within {rounding} of rounding).",
        shown=shown,
        percent=f"{percent:g}",
        rounding=f"{rounding:g}",
    )
