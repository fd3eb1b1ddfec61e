"""The propagation models of the area prediction, in one table.

Pages, the command line and the tests read `MODELS`; a new model is one more
entry. A model gives the loss along radials: a `RadialWorker` is made once for
each thread and mast, and called for one block of radials after another.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coverage.kernels import itm as itm_kernel
from coverage.kernels import p1812 as p1812_kernel
from coverage.kernels import p1812_sweep
from coverage.propagation import free_space, hata, itm, p1812, tr38901
from coverage.propagation.ranges import ModelRangeWarning, require_in_range
from data.errors import InputError


@dataclass(frozen=True)
class SweepSettings:
    """How a loss over an area is predicted.

    Parameters
    ----------
    model
        A key of `MODELS`.
    radius_m
        Pixels farther from the mast get no value. [m]
    rx_height_m
        Receiver height above ground. [m]
    time_percent
        Share of an average year in which the loss is not exceeded. [%]
    location_percent, sigma_location_db
        Share of locations and its standard deviation. The defaults give the
        median; coverage probabilities are worked out from the median.
    polarization
        ``"horizontal"`` or ``"vertical"``.
    delta_n, n0
        Refractivity lapse rate and sea-level refractivity. [N-units/km, N-units]
    profile_step_m
        Distance between points of a radial; None takes two thirds of the grid's pixel
        size. [m]
    radials_per_boundary_pixel
        Density of radials: 1 gives one for each pixel length of the outer circle. With
        1 and a step of a pixel a prediction takes a third of the time of the defaults
        and its error against the profile to the pixel's centre is 1.6 times theirs.
    options
        Further parameters of single models, by name.
    """

    model: str = "p1812"
    radius_m: float = 10_000.0
    rx_height_m: float = 1.5
    time_percent: float = 50.0
    location_percent: float = 50.0
    sigma_location_db: float = 0.0
    polarization: str = "vertical"
    delta_n: float = p1812.DELTA_N
    n0: float = p1812.N0
    profile_step_m: float | None = None
    radials_per_boundary_pixel: float = 1.5
    options: tuple[tuple[str, float | str | bool], ...] = ()

    def option(self, name: str, default: float | str | bool) -> float | str | bool:
        """Return a further parameter of the model.

        Parameters
        ----------
        name
            Its name.
        default
            Its value where it is not given.

        Returns
        -------
        float or str or bool
            The value.
        """
        return dict(self.options).get(name, default)


@dataclass(frozen=True, eq=False)
class RadialSetup:
    """What all radials of a mast have in common.

    Parameters
    ----------
    settings
        The settings of the prediction.
    frequencies_mhz
        Shape (K,). [MHz]
    antenna_height_m
        Height of the transmitting antenna above ground. [m]
    step_km
        Distance between points. [km]
    max_points
        Number of points of the longest radial.
    latitude_deg
        Latitude of the mast. [°]
    """

    settings: SweepSettings
    frequencies_mhz: NDArray[np.float64]
    antenna_height_m: float
    step_km: float
    max_points: int
    latitude_deg: float


class RadialWorker(Protocol):
    """Computes the losses along blocks of radials; not shared between threads."""

    def __call__(
        self,
        height_m: NDArray[np.float64],
        clutter_height_m: NDArray[np.float64],
        zone: NDArray[np.int8],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        latitude_per_point_deg: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        """Write the losses of some radials.

        Parameters
        ----------
        height_m
            Terrain heights, shape (R, N); NaN ends a radial. [m]
        clutter_height_m, zone
            The same for clutter and zone codes, or arrays of no rows.
        first, last
            First and last point wanted of each radial, shape (R,).
        latitude_per_point_deg
            Change of latitude from point to point, shape (R,). [°]
        out
            Losses, shape (R, K, N); NaN where there is none. [dB]
        """


@dataclass(frozen=True)
class Model:
    """One propagation model.

    Parameters
    ----------
    name
        Its key in `MODELS`.
    title
        Name for people.
    reference
        The publication it is written from.
    valid_range
        Parameter to lowest value, highest value and unit: what the authors state.
        Beyond it results are extrapolations.
    limits
        The same for what gives no result at all beyond.
    sigma_db
        Standard deviation that goes with the model's median, from the
        frequency [MHz] and the pixel size [m]. [dB]
    worker
        Makes a `RadialWorker`; checks the parameters.
    uses_terrain
        Whether the loss depends on the profile.
    """

    name: str
    title: str
    reference: str
    valid_range: Mapping[str, tuple[float, float, str]]
    limits: Mapping[str, tuple[float, float, str]]
    sigma_db: Callable[[float, float], float] = field(repr=False)
    worker: Callable[[RadialSetup], RadialWorker] = field(repr=False)
    uses_terrain: bool = True


def _location_shift_db(settings: SweepSettings) -> float:
    """Return what the asked share of locations adds to a median."""
    share = settings.location_percent / 100.0
    return float(-p1812_kernel.inverse_normal(share) * settings.sigma_location_db)


def _p1812_worker(setup: RadialSetup) -> RadialWorker:
    settings = setup.settings
    frequencies_ghz = np.ascontiguousarray(setup.frequencies_mhz, dtype=np.float64) / 1000.0
    for frequency in frequencies_ghz:
        p1812.check_parameters(
            frequency_ghz=float(frequency),
            tx_height_m=setup.antenna_height_m,
            rx_height_m=settings.rx_height_m,
            time_percent=settings.time_percent,
            delta_n=settings.delta_n,
            n0=settings.n0,
        )
    require_in_range(
        p1812.MODEL, "location_percent", settings.location_percent, p1812.LOCATION_RANGE_PERCENT
    )
    require_in_range(p1812.MODEL, "sigma_location_db", settings.sigma_location_db, (0.0, 100.0))
    vertical = p1812.vertical_polarization(settings.polarization)
    shift_db = _location_shift_db(settings)
    steps = np.maximum(np.arange(setup.max_points, dtype=np.float64), 1.0)
    near = 1.0 / np.sqrt(steps)
    far = near[:0:-1].copy()
    log_d = 20.0 * np.log10(steps * setup.step_km)
    work = np.empty((p1812_sweep.WORK_ROWS, setup.max_points))
    index = np.empty((p1812_sweep.INDEX_ROWS, setup.max_points), np.int32)

    def compute(
        height_m: NDArray[np.float64],
        clutter_height_m: NDArray[np.float64],
        zone: NDArray[np.int8],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        latitude_per_point_deg: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        p1812_sweep.block_loss(
            height_m,
            clutter_height_m,
            zone,
            first,
            last,
            setup.step_km,
            float(setup.antenna_height_m),
            float(settings.rx_height_m),
            frequencies_ghz,
            float(settings.time_percent),
            shift_db,
            vertical,
            float(setup.latitude_deg),
            0.5 * latitude_per_point_deg,  # of the path's centre
            float(settings.delta_n),
            float(settings.n0),
            near,
            far,
            log_d,
            work,
            index,
            out,
        )

    return compute


def _free_space_worker(setup: RadialSetup) -> RadialWorker:
    # The radial's first point is the mast itself: half a step stands for it.
    distance = np.maximum(np.arange(setup.max_points), 0.5) * setup.step_km
    constants = [
        float(free_space.free_space_loss(1.0, frequency_ghz=frequency / 1000.0))
        for frequency in setup.frequencies_mhz
    ]

    def compute(
        height_m: NDArray[np.float64],
        clutter_height_m: NDArray[np.float64],
        zone: NDArray[np.int8],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        latitude_per_point_deg: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        count = height_m.shape[1]
        hts = height_m[:, :1] + setup.antenna_height_m
        rise_km = 0.001 * (height_m + setup.settings.rx_height_m - hts)
        # A hole in the terrain hides what lies beyond, as in the models that need it.
        rise_km = rise_km + np.where(np.isnan(height_m).cumsum(axis=1) > 0, np.nan, 0.0)
        spread = 10.0 * np.log10(distance[:count] ** 2 + rise_km**2)
        for k, constant in enumerate(constants):
            out[:, k, :] = constant + spread

    return compute


def _itm_worker(setup: RadialSetup) -> RadialWorker:
    settings = setup.settings
    prepared = itm.prepare(
        frequencies_mhz=setup.frequencies_mhz.tolist(),
        tx_height_m=setup.antenna_height_m,
        rx_height_m=settings.rx_height_m,
        climate=int(settings.option("climate", 1)),
        n0=settings.n0,
        polarization=settings.polarization,
        epsilon=float(settings.option("epsilon", 15.0)),
        sigma=float(settings.option("sigma", 0.005)),
        mdvar=int(settings.option("mdvar", 12)),
        time_percent=settings.time_percent,
        location_percent=settings.location_percent,
        situation_percent=float(settings.option("situation_percent", 50.0)),
    )
    if prepared.warnings:
        # Cautions about single paths are left out: near the mast there are always some.
        warnings.warn(
            f"{itm.MODEL}: {itm.warning_text(prepared.warnings)}", ModelRangeWarning, stacklevel=3
        )
    shift_db = _location_shift_db(settings)

    def compute(
        height_m: NDArray[np.float64],
        clutter_height_m: NDArray[np.float64],
        zone: NDArray[np.int8],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        latitude_per_point_deg: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        itm_kernel.itm_block(
            prepared.frequencies,
            prepared.statistics,
            height_m,
            first,
            last,
            1000.0 * setup.step_km,
            float(setup.antenna_height_m),
            float(settings.rx_height_m),
            float(settings.n0),
            shift_db,
            out,
        )

    return compute


class _DistanceLoss(Protocol):
    """A loss that depends on the distance alone: distance [km], frequency [MHz], `warn`."""

    def __call__(
        self, distance_km: NDArray[np.float64], frequency_mhz: float, *, warn: bool
    ) -> NDArray[np.float64]: ...


def _distance_worker(setup: RadialSetup, loss: _DistanceLoss) -> RadialWorker:
    """Tabulate a loss by distance; nearer than the model's range free space bounds it below."""
    distance = np.maximum(np.arange(setup.max_points), 0.5) * setup.step_km
    rise_km = 0.001 * (setup.antenna_height_m - setup.settings.rx_height_m)
    table = np.empty((len(setup.frequencies_mhz), setup.max_points))
    for k, frequency in enumerate(setup.frequencies_mhz.tolist()):
        # Warns of the frequency, the heights and the radius; pixels next to the mast are nearer
        # than any of these models allows, which says nothing.
        loss(np.maximum(distance[-1:], 1.0), frequency, warn=True)
        floor = free_space.free_space_loss(
            np.hypot(distance, rise_km), frequency_ghz=frequency / 1000.0
        )
        table[k] = np.maximum(loss(distance, frequency, warn=False), floor)
    table += _location_shift_db(setup.settings)

    def compute(
        height_m: NDArray[np.float64],
        clutter_height_m: NDArray[np.float64],
        zone: NDArray[np.int8],
        first: NDArray[np.int32],
        last: NDArray[np.int32],
        latitude_per_point_deg: NDArray[np.float64],
        out: NDArray[np.float32],
    ) -> None:
        # A hole in the terrain hides what lies beyond, as in the models that need it.
        hidden = np.isnan(height_m).cumsum(axis=1) > 0
        for k in range(table.shape[0]):
            out[:, k, :] = np.where(hidden, np.nan, table[k, : height_m.shape[1]])

    return compute


def _hata_worker(
    model: Callable[..., NDArray[np.float64]],
) -> Callable[[RadialSetup], RadialWorker]:
    def worker(setup: RadialSetup) -> RadialWorker:
        def loss(
            distance_km: NDArray[np.float64], frequency_mhz: float, *, warn: bool
        ) -> NDArray[np.float64]:
            return model(
                distance_km,
                frequency_mhz=frequency_mhz,
                tx_height_m=setup.antenna_height_m,
                rx_height_m=setup.settings.rx_height_m,
                environment=setup.settings.option("environment", "urban"),
                warn=warn,
            )

        return _distance_worker(setup, loss)

    return worker


def _tr38901_worker(scenario: tr38901.Scenario) -> Callable[[RadialSetup], RadialWorker]:
    def worker(setup: RadialSetup) -> RadialWorker:
        def loss(
            distance_km: NDArray[np.float64], frequency_mhz: float, *, warn: bool
        ) -> NDArray[np.float64]:
            return tr38901.path_loss(
                1000.0 * distance_km,
                frequency_ghz=frequency_mhz / 1000.0,
                scenario=scenario,
                condition=setup.settings.option("condition", "mean"),  # type: ignore[arg-type]
                tx_height_m=setup.antenna_height_m,
                rx_height_m=setup.settings.rx_height_m,
                warn=warn,
            )

        return _distance_worker(setup, loss)

    return worker


def _itm_sigma_db(frequency_mhz: float, resolution_m: float) -> float:
    # plains of 30 m terrain irregularity at 10 km
    return float(itm.location_sigma_db(10.0, frequency_mhz=frequency_mhz, delta_h_m=30.0))


def _hata_sigma_db(frequency_mhz: float, resolution_m: float) -> float:
    return float(hata.shadow_fading_sigma_db(frequency_mhz))


def _extended_hata_sigma_db(frequency_mhz: float, resolution_m: float) -> float:
    return float(hata.extended_sigma_db(1.0))


def _tr38901_sigma_db(scenario: tr38901.Scenario) -> Callable[[float, float], float]:
    def sigma_db(frequency_mhz: float, resolution_m: float) -> float:
        # both conditions together, where cells of these kinds end
        return float(
            tr38901.shadow_fading_sigma_db(
                {"uma": 1000.0, "umi": 300.0, "rma": 3000.0}[scenario],
                frequency_ghz=frequency_mhz / 1000.0,
                scenario=scenario,
                condition="mean",
            )
        )

    return sigma_db


def _limits(
    frequency_mhz: tuple[float, float], antenna_height_m: tuple[float, float]
) -> Mapping[str, tuple[float, float, str]]:
    return MappingProxyType(
        {
            "frequency_mhz": (*frequency_mhz, "MHz"),
            "antenna_height_m": (*antenna_height_m, "m"),
        }
    )


_HATA_LIMITS = _limits(hata.LIMITS["frequency_mhz"], hata.LIMITS["tx_height_m"])


def _hata_ranges(model: str) -> Mapping[str, tuple[float, float, str]]:
    ranges = hata.RANGES[model]
    return MappingProxyType(
        {
            "frequency_mhz": (*ranges["frequency_mhz"], "MHz"),
            "distance_km": (*ranges["distance_km"], "km"),
            "antenna_height_m": (*ranges["tx_height_m"], "m"),
            "rx_height_m": (*ranges["rx_height_m"], "m"),
        }
    )


def _tr38901_model(scenario: tr38901.Scenario, title: str) -> Model:
    ranges = tr38901.RANGES[scenario]
    low_ghz, high_ghz = ranges["frequency_ghz"]
    near_m, far_m = ranges["distance_m"]
    valid = {
        "frequency_mhz": (1000.0 * low_ghz, 1000.0 * high_ghz, "MHz"),
        "distance_km": (near_m / 1000.0, far_m / 1000.0, "km"),
        "antenna_height_m": (*ranges["tx_height_m"], "m"),
        "rx_height_m": (*ranges["rx_height_m"], "m"),
    }
    low_m, high_m = ranges["tx_height_m"]
    if low_m == high_m:
        title = f"{title}, antenna at {low_m:g} m"
    low_limit_ghz, high_limit_ghz = tr38901.LIMITS["frequency_ghz"]
    return Model(
        name=f"tr38901_{scenario}",
        title=f"3GPP TR 38.901 {title}",
        reference="3GPP TR 38.901 V18.0.0, table 7.4.1-1",
        valid_range=MappingProxyType(valid),
        limits=_limits(
            (1000.0 * low_limit_ghz, 1000.0 * high_limit_ghz), tr38901.LIMITS["tx_height_m"]
        ),
        sigma_db=_tr38901_sigma_db(scenario),
        worker=_tr38901_worker(scenario),
        uses_terrain=False,
    )


def _p1812_sigma_db(frequency_mhz: float, resolution_m: float) -> float:
    return p1812.location_sigma_db(frequency_mhz / 1000.0, resolution_m)


def _no_sigma_db(frequency_mhz: float, resolution_m: float) -> float:
    return 0.0


_MODELS = [
    Model(
        name="p1812",
        title="ITU-R P.1812",
        reference="Recommendation ITU-R P.1812-8, Annex 1",
        valid_range=MappingProxyType(
            {
                "frequency_mhz": (30.0, 6000.0, "MHz"),
                "distance_km": (*p1812.DISTANCE_RANGE_KM, "km"),
                "antenna_height_m": (*p1812.HEIGHT_RANGE_M, "m"),
                "rx_height_m": (*p1812.HEIGHT_RANGE_M, "m"),
                "time_percent": (*p1812.TIME_RANGE_PERCENT, "%"),
                "location_percent": (*p1812.LOCATION_RANGE_PERCENT, "%"),
            }
        ),
        limits=_limits((30.0, 6000.0), p1812.HEIGHT_RANGE_M),
        sigma_db=_p1812_sigma_db,
        worker=_p1812_worker,
    ),
    Model(
        name="free_space",
        title="ITU-R P.525",
        reference="Recommendation ITU-R P.525-4, section 2.3",
        valid_range=MappingProxyType(
            {
                "frequency_mhz": (1.0, 300_000.0, "MHz"),
                "distance_km": (0.001, 100_000.0, "km"),
            }
        ),
        limits=MappingProxyType({}),
        sigma_db=_no_sigma_db,
        worker=_free_space_worker,
        uses_terrain=False,
    ),
    Model(
        name="itm",
        title="ITM (Longley-Rice)",
        reference="G. A. Hufford, The ITS Irregular Terrain Model 1.2.2: the Algorithm, NTIA 1995",
        valid_range=MappingProxyType(
            {
                "frequency_mhz": (*itm.ADVISED_RANGES["frequency_mhz"], "MHz"),
                "distance_km": (*itm.ADVISED_RANGES["distance_km"], "km"),
                "antenna_height_m": (*itm.ADVISED_RANGES["tx_height_m"], "m"),
                "rx_height_m": (*itm.ADVISED_RANGES["rx_height_m"], "m"),
                "n0": (*itm.RANGES["n0"], "N-units"),
            }
        ),
        limits=_limits(itm.RANGES["frequency_mhz"], itm.RANGES["tx_height_m"]),
        sigma_db=_itm_sigma_db,
        worker=_itm_worker,
    ),
    Model(
        name="okumura_hata",
        title="Okumura-Hata",
        reference="M. Hata, IEEE Trans. Vehicular Technology 29 (3), 1980",
        valid_range=_hata_ranges(hata.OKUMURA_HATA),
        limits=_HATA_LIMITS,
        sigma_db=_hata_sigma_db,
        worker=_hata_worker(hata.okumura_hata),
        uses_terrain=False,
    ),
    Model(
        name="cost231_hata",
        title="COST 231 Hata",
        reference="COST Action 231 final report, EUR 18957, section 4.4.1",
        valid_range=_hata_ranges(hata.COST231_HATA),
        limits=_HATA_LIMITS,
        sigma_db=_hata_sigma_db,
        worker=_hata_worker(hata.cost231_hata),
        uses_terrain=False,
    ),
    Model(
        name="extended_hata",
        title="Extended Hata",
        reference="Report ITU-R SM.2028-2, Attachment 1 to Annex 2, section 6.1",
        valid_range=_hata_ranges(hata.EXTENDED_HATA),
        # Whichever end is lower counts as the mobile's.
        limits=_limits(
            hata.LIMITS["frequency_mhz"],
            (hata.LIMITS["rx_height_m"][0], hata.LIMITS["tx_height_m"][1]),
        ),
        sigma_db=_extended_hata_sigma_db,
        worker=_hata_worker(hata.extended_hata),
        uses_terrain=False,
    ),
    _tr38901_model("uma", "urban macro"),
    _tr38901_model("umi", "urban micro"),
    _tr38901_model("rma", "rural macro"),
]

#: Every model by its name.
MODELS: Mapping[str, Model] = {model.name: model for model in _MODELS}


def title_of(name: str) -> str:
    """Return what people call a model.

    Parameters
    ----------
    name
        A key of `MODELS`, or of a version that knew another model.

    Returns
    -------
    str
        E.g. "ITU-R P.1812".
    """
    return MODELS[name].title if name in MODELS else name


def get_model(name: str) -> Model:
    """Return a model of the table.

    Parameters
    ----------
    name
        Its key in `MODELS`.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in MODELS:
        raise InputError(
            "model is {value!r}, but it must be one of {known}",
            value=name,
            known=", ".join(sorted(MODELS)),
        )
    return MODELS[name]
