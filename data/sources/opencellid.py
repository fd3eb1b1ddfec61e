"""OpenCelliD: positions of radio cells estimated from phones, gathered into masts.

A file has the cells of one country (by mobile country code), without a header; the
export of the whole world and the daily differences have one. The files of the
Mozilla Location Service, closed in 2024, have the same columns. A user's own token
is needed, and a token may fetch a file only a few times a day.

What the files do not have, and a plan needs, is assumed here in one place: band,
power, antenna and height. Every row says in its column `assumed` which of its values
were; `cell_clusters` says how masts are found.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO
from urllib.parse import quote

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyproj
from numpy.typing import NDArray

from data.area import Provenance
from data.errors import InputError
from data.sources import cell_clusters, download, mobile_networks
from data.sources.addresses import ADDRESSES
from data.sources.ingredients import VectorSource
from data.sources.local_files import at_hand
from data.sources.source import Fetched, Item, Place, Progress, Reading

TOKEN_VARIABLE = "PHUSONG_OPENCELLID_TOKEN"  # noqa: S105 - the name, not a token
"""Environment variable with the user's token."""

COLUMNS = (
    "radio",
    "mcc",
    "net",
    "area",
    "cell",
    "unit",
    "lon",
    "lat",
    "range",
    "samples",
    "changeable",
    "created",
    "updated",
    "averageSignal",
)

#: Radio of the files -> technology of the layer `cells`.
TECHNOLOGIES = {"GSM": "2G", "UMTS": "3G", "LTE": "4G", "NR": "5G"}

LICENCE = "CC BY-SA 4.0"
MOZILLA_LICENCE = "CC0 1.0"

#: Assumed height of a mast and of its antennas above ground. [m]
MAST_HEIGHT_M = 30.0
ANTENNA_HEIGHT_M = 28.0
TILT_DEG = 3.0
LOAD = 0.5

#: A cell heard nowhere else but at its position is taken to reach this far. [m]
_DEFAULT_RANGE_M = 1000.0
_MAX_RANGE_M = 35_000.0

#: Cells this far beyond the place help to find the masts at its edge. [degrees]
_MARGIN_DEG = 0.05

#: How old a copy in the cache may be before it is asked for again. [s]
_MAX_AGE_S = 30 * 86_400.0

_BLOCK_BYTES = 1 << 24

_GREATEST_CELL = {
    "GSM": 0xFFFF,
    "UMTS": 0xFFFFFFF,
    "LTE": 0xFFFFFFF,
    "NR": 0xFFFFFFFFF,
    "CDMA": 0xFFFF,
}
_GREATEST_AREA = {"NR": 0xFFFFFF}


@dataclass(frozen=True)
class Carrier:
    """What is assumed of a cell on a band.

    Parameters
    ----------
    frequency_mhz, bandwidth_mhz
        Middle of the downlink band and channel bandwidth. [MHz]
    power_dbm
        Total power at the radio's output. [dBm]
    antenna_gain_dbi
        Gain of a sector antenna. [dBi]
    feeder_loss_db
        Feeder and connectors. [dB]
    """

    frequency_mhz: float
    bandwidth_mhz: float
    power_dbm: float
    antenna_gain_dbi: float
    feeder_loss_db: float


#: Planning practice, no operator's figures: 20 W per GSM transceiver, UMTS carrier and
#: LTE carrier of 10 MHz, 40 W per LTE carrier of 20 MHz, 200 W per NR carrier of 100 MHz.
CARRIERS: Mapping[str, Carrier] = {
    "GSM 850": Carrier(881.5, 0.2, 43.0, 16.0, 3.0),
    "GSM 900": Carrier(947.5, 0.2, 43.0, 16.0, 3.0),
    "GSM 1800": Carrier(1842.5, 0.2, 43.0, 17.5, 3.0),
    "GSM 1900": Carrier(1960.0, 0.2, 43.0, 17.5, 3.0),
    "UMTS 850": Carrier(881.5, 5.0, 43.0, 16.0, 1.0),
    "UMTS 900": Carrier(947.5, 5.0, 43.0, 16.0, 1.0),
    "UMTS 1900": Carrier(1960.0, 5.0, 43.0, 17.5, 1.0),
    "UMTS 2100": Carrier(2140.0, 5.0, 43.0, 17.5, 1.0),
    "LTE 700": Carrier(773.0, 10.0, 43.0, 15.0, 0.5),
    "LTE 800": Carrier(806.0, 10.0, 43.0, 15.5, 0.5),
    "LTE 850": Carrier(881.5, 10.0, 43.0, 16.0, 0.5),
    "LTE 900": Carrier(942.5, 10.0, 43.0, 16.0, 0.5),
    "LTE 1800": Carrier(1842.5, 20.0, 46.0, 17.5, 0.5),
    "LTE 2100": Carrier(2140.0, 10.0, 43.0, 17.5, 0.5),
    "LTE 2300": Carrier(2350.0, 20.0, 46.0, 17.5, 0.5),
    "LTE 2600": Carrier(2655.0, 20.0, 46.0, 17.5, 0.5),
    "NR 700": Carrier(773.0, 10.0, 46.0, 15.0, 0.5),
    "NR 2600": Carrier(2550.0, 100.0, 53.0, 24.0, 0.0),
    "NR 3500": Carrier(3500.0, 100.0, 53.0, 24.0, 0.0),
    "NR 3700": Carrier(3750.0, 100.0, 53.0, 24.0, 0.0),
    "NR 3800": Carrier(3850.0, 100.0, 53.0, 24.0, 0.0),
}

#: Band of a network whose bands are not known.
DEFAULT_BANDS = {"GSM": "GSM 900", "UMTS": "UMTS 2100", "LTE": "LTE 1800", "NR": "NR 3500"}

_ASSUMED_CELL = (
    "band, frequency_mhz, bandwidth_mhz, power_dbm, antenna_gain_dbi, feeder_loss_db, "
    "azimuth_deg, tilt_deg, antenna_height_m, load"
)

_METHOD = (
    "Positions are estimated by OpenCelliD from where phones heard each cell, not surveyed. "
    "Cells were gathered into masts: (1) cells of one operator with the same site part of their "
    "identity and within {site_km} km are one site (LTE: eNodeB, the cell identity without its "
    "last 8 bits; GSM and UMTS: the identity without its last decimal digit, a convention that "
    "not every operator keeps; NR: without its last 12 bits, likewise); its place is the "
    "geometric median of the cells, weighted by samples; (2) sites of one operator that are each "
    "other's nearest, within {errors} times the error of their positions and {generations_m} m "
    "({operator_m} m where both have the same generation), are one mast; (3) masts of different "
    "operators likewise within {shared_m} m are one mast with shared and shareable = yes, "
    "which is a supposition. position_error_m is about one standard deviation. Assumed, not "
    "observed: mast height {height_m} m, antennas at {antenna_m} m, tilt {tilt_deg} degrees, "
    "load {load}, the main band of the network by a public list (otherwise {default_bands}), "
    "power, gain and feeder loss usual for the band. azimuth_deg is the direction from the mast "
    "to where the cell was heard, where the cells of a mast differ by {spread_deg} degrees or "
    "more; otherwise empty, taken as all round. The column assumed names the assumed columns"
)


def _ignore(_share: float) -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells read from files.

    Parameters
    ----------
    frame
        `COLUMNS` in their types, one row per cell, sorted by identity.
    notes
        What was left out, in English.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenCellId:
    """OpenCelliD as a source of the layers `masts` and `cells`.

    Parameters
    ----------
    token
        The user's token; None takes that of the environment.
    files
        Files that lie here already, of OpenCelliD or of the Mozilla Location Service,
        instead of a download.
    masts_only
        Whether the layer `cells` is left out, with all that is assumed in it.
    distances
        Which positions are taken for one mast.
    """

    token: str | None = field(default=None, repr=False)
    files: tuple[Path, ...] = ()
    masts_only: bool = False
    distances: cell_clusters.Distances = field(default_factory=cell_clusters.Distances)
    name: str = "opencellid"
    title: str = "OpenCelliD, cells heard by phones (Unwired Labs and contributors)"
    licence: str = LICENCE

    @property
    def gives(self) -> tuple[str, ...]:
        """Layers that it can fill."""
        return ("masts",) if self.masts_only else ("masts", "cells")

    def find(self, place: Place) -> list[Item]:
        """Return one file for each mobile country code of the place's country.

        Parameters
        ----------
        place
            Where; its country must be known, unless files are given.

        Returns
        -------
        list of Item
            The files.
        """
        if self.files:
            return [
                Item(
                    self.name,
                    path.name,
                    path.name,
                    size_bytes=path.stat().st_size if path.is_file() else None,
                    licence=MOZILLA_LICENCE if _is_mozilla(path.name) else self.licence,
                )
                for path in self.files
            ]
        return [
            Item(
                self.name,
                f"{mcc}.csv.gz",
                f"{ADDRESSES['opencellid']}?type=mcc&file={mcc}.csv.gz",
                licence=self.licence,
            )
            for mcc in mobile_networks.country_codes(place.country)
        ]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items; only those in the cache have a size.

        The server counts every question against the daily quota of the token, so it is
        not asked.
        """
        sized = []
        for item in items:
            have = None if self.files else download.cached(item)
            sized.append(
                replace(item, size_bytes=have.path.stat().st_size) if have is not None else item
            )
        return sized

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = _ignore
    ) -> list[Fetched]:
        """Bring the files here.

        Parameters
        ----------
        items
            From `find`.
        place
            Not used: a file is a whole country.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The files.

        Raises
        ------
        InputError
            If there is no token, it is refused, or its quota is used up.
        """
        fetched = []
        local = {path.name: path for path in self.files}
        for number, item in enumerate(items):
            if item.key in local:
                fetched.append(at_hand(item, local[item.key]))
            else:
                fetched.append(
                    self._fetch_one(
                        item,
                        lambda s, n=number: on_progress((n + s) / len(items)),  # type: ignore[misc]
                    )
                )
        return fetched

    def _fetch_one(self, item: Item, on_progress: Progress) -> Fetched:
        token = (self.token or os.environ.get(TOKEN_VARIABLE, "")).strip()
        have = download.cached(item)
        if not token:
            if have is not None:
                return have
            raise InputError(
                "OpenCelliD needs a token of your own: get one at opencellid.org and put it into "
                "the environment variable {variable}, or give a file that you have",
                variable=TOKEN_VARIABLE,
            )
        try:
            return download.fetch(
                item,
                url=f"{item.url}&token={quote(token, safe='')}",
                kind=download.Kind.GZIP,
                max_age_s=_MAX_AGE_S,
                on_progress=on_progress,
            )
        except download.SourceError as error:
            said = error.message.values.get("said")
            if error.status == 429 or said is not None:
                raise _refusal(str(said or "429")) from None
            raise

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Gather the cells over a place into masts.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            Not used: nothing has to be made.

        Returns
        -------
        Reading
            Layers `masts` and `cells` in WGS 84; none where no cell is known.
        """
        del folder
        cells = read_cells([one.path for one in fetched], place.bounds)
        frames, notes = to_layers(cells.frame, place.bounds, distances=self.distances)
        notes = (*cells.notes, *notes)
        if len(frames["masts"]) == 0:
            return Reading(notes=(*notes, f"OpenCelliD knows no cell in {place.name}"))
        names = ", ".join(one.item.key for one in fetched)
        mozilla = all(_is_mozilla(one.item.key) for one in fetched)
        newest = frames["masts"]["last_seen"].dropna()
        provenance = Provenance(
            source="Mozilla Location Service" if mozilla else "OpenCelliD",
            licence=MOZILLA_LICENCE if mozilla else self.licence,
            vintage=f"cells last heard until {newest.max()}" if len(newest) else "",
            url_or_file=names if self.files else f"{ADDRESSES['opencellid']} ({names})",
            sha256=fetched[0].sha256 if len(fetched) == 1 else "",
            retrieved_at=max(one.retrieved_at for one in fetched),
            method=_method(self.distances),
        )
        wanted = {name: VectorSource(frames[name], provenance) for name in self.gives}
        return Reading(layers=wanted, notes=notes)


def read_cells(
    paths: Sequence[Path],
    bounds: tuple[float, float, float, float],
    *,
    on_progress: Progress = _ignore,
) -> Cells:
    """Read the cells over a place from files, in pieces.

    Parameters
    ----------
    paths
        Files of OpenCelliD or the Mozilla Location Service, packed by gzip or not,
        with or without a header.
    bounds
        West, south, east, north; east may exceed 180. [degrees]
    on_progress
        Called with the share done.

    Returns
    -------
    Cells
        Cells within `bounds` and a little beyond; of several rows with one identity
        the newest.

    Raises
    ------
    InputError
        If a file is damaged, cut off, or something else.
    """
    west, south, east, north = bounds
    wide = (
        west - _MARGIN_DEG,
        max(-90.0, south - _MARGIN_DEG),
        min(east + _MARGIN_DEG, west - _MARGIN_DEG + 360.0),
        min(90.0, north + _MARGIN_DEG),
    )
    parts: list[pd.DataFrame] = []
    notes: list[str] = []
    for number, path in enumerate(paths):
        reader = _File(path, wide)
        parts += reader.read(
            lambda share, n=number: on_progress((n + share) / len(paths))  # type: ignore[misc]
        )
        notes += reader.notes()
    if not parts:
        return Cells(_typed(pd.DataFrame(columns=list(COLUMNS))), tuple(notes))
    frame = pd.concat(parts, ignore_index=True)
    identity = ["radio", "mcc", "net", "area", "cell"]
    frame = frame.sort_values([*identity, "updated", "samples", "lon", "lat", "range"])
    kept = frame.drop_duplicates(identity, keep="last").reset_index(drop=True)
    if len(kept) < len(frame):
        notes.append(
            f"{len(frame) - len(kept)} rows of OpenCelliD repeat a cell; the newest was kept"
        )
    on_progress(1.0)
    return Cells(kept, tuple(notes))


def to_layers(
    cells: pd.DataFrame,
    bounds: tuple[float, float, float, float],
    *,
    distances: cell_clusters.Distances | None = None,
) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
    """Gather cells into masts, and fill in what a plan needs and the cells do not say.

    Parameters
    ----------
    cells
        As `read_cells` gives them.
    bounds
        Masts outside are left out. [degrees]
    distances
        Which positions are taken for one mast.

    Returns
    -------
    tuple
        Layers `masts` (WGS 84) and `cells` with the columns of their schema and some
        more, and notes.
    """
    notes = []
    usable = cells["radio"].isin(list(TECHNOLOGIES)).to_numpy()
    if (~usable).any():
        notes.append(
            f"{int((~usable).sum())} CDMA cells were left out: no generation of this plan is CDMA"
        )
    cells = cells[usable].reset_index(drop=True)
    west, south, east, north = bounds
    local = pyproj.Transformer.from_crs(
        "EPSG:4326",
        f"+proj=aeqd +lat_0={0.5 * (south + north)} +lon_0={0.5 * (west + east)} +datum=WGS84",
        always_xy=True,
    )
    x, y = local.transform(cells["lon"].to_numpy(), cells["lat"].to_numpy())
    networks = {
        (mcc, net): mobile_networks.network(mcc, net)
        for mcc, net in cells[["mcc", "net"]].drop_duplicates().itertuples(index=False)
    }
    named = [networks[key] for key in zip(cells["mcc"], cells["net"], strict=True)]
    names = pd.Series([network.operator for network in named], dtype=object)
    operator = _numbered(names)
    radio = cells["radio"].to_numpy(dtype=str)
    generation = _numbered(cells["radio"].map(TECHNOLOGIES))
    parts = cell_clusters.site_parts(
        radio, cells["area"].to_numpy(np.int64), cells["cell"].to_numpy(np.int64)
    )
    keys = pd.DataFrame({"who": operator, "kind": generation, "a": parts[:, 0], "b": parts[:, 1]})
    site = np.array(keys.groupby(["who", "kind", "a", "b"], sort=True).ngroup(), np.int64)
    site[parts[:, 1] < 0] = -1
    reach = cells["range"].to_numpy(np.float64)
    reach = np.where(reach > 0, np.minimum(reach, _MAX_RANGE_M), _DEFAULT_RANGE_M)
    exact = (cells["changeable"] == 0).to_numpy()
    masts = cell_clusters.find_masts(
        x,
        y,
        operator=operator,
        generation=generation,
        site=site,
        weight=cell_clusters.weights(cells["samples"].to_numpy(np.int64), exact),
        reach_m=reach,
        distances=distances,
    )
    azimuth = cell_clusters.sector_azimuths(masts, x, y, operator * 8 + generation)
    lon, lat = local.transform(masts.x_m, masts.y_m, direction="INVERSE")
    inside = _within(lon, lat, bounds)
    cell_id = pd.Series(
        [
            f"{r}-{m:03d}-{n:02d}-{a}-{c}"
            for r, m, n, a, c in cells[["radio", "mcc", "net", "area", "cell"]].itertuples(
                index=False
            )
        ],
        dtype=object,
    )
    table = pd.DataFrame(
        {
            "mast": masts.mast,
            "cell_id": cell_id,
            "operator": names,
            "last_seen": pd.to_datetime(cells["updated"], unit="s").dt.strftime("%Y-%m-%d"),
        }
    )
    table.loc[cells["updated"].to_numpy() <= 0, "last_seen"] = None
    mast_frame = _mast_frame(table, masts, lon, lat, inside)
    mast_id = np.full(len(lon), None, object)
    mast_id[inside] = mast_frame["mast_id"].to_numpy()
    here = inside[masts.mast]
    bands = [_band(network, r) for network, r in zip(named, radio, strict=True)]
    cell_frame = _cell_frame(table, cells, bands, azimuth, mast_id)[here].reset_index(drop=True)
    return {"masts": mast_frame, "cells": cell_frame}, tuple(notes)


def _mast_frame(
    table: pd.DataFrame,
    masts: cell_clusters.Masts,
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    inside: NDArray[np.bool_],
) -> gpd.GeoDataFrame:
    groups = table.groupby("mast", sort=True)
    operators = groups["operator"].agg(lambda names: "; ".join(sorted(set(names)))).astype(object)
    shared = np.array(["; " in names for names in operators], bool)
    frame = gpd.GeoDataFrame(
        {
            # The least identity of its cells outlives most changes of the data.
            "mast_id": ["M-" + least for least in groups["cell_id"].min()],
            "name": None,
            "owner": None,
            "mast_class": None,
            "height_m": MAST_HEIGHT_M,
            "status": "existing",
            "shareable": shared,
            "max_tenants": np.nan,
            "operators": operators.to_numpy(dtype=object),
            "shared": shared,
            "n_cells": groups.size().to_numpy(),
            "last_seen": groups["last_seen"].max().to_numpy(dtype=object),
            "position_error_m": np.round(masts.error_m, 0),
            "assumed": "height_m, status, shareable",
        },
        geometry=gpd.points_from_xy((lon + 180.0) % 360.0 - 180.0, lat),
        crs="EPSG:4326",
    )
    return frame[inside].reset_index(drop=True)


def _cell_frame(
    table: pd.DataFrame,
    cells: pd.DataFrame,
    bands: list[str],
    azimuth: NDArray[np.float64],
    mast_id: NDArray[np.object_],
) -> pd.DataFrame:
    carriers = [CARRIERS[band] for band in bands]
    return pd.DataFrame(
        {
            "cell_id": table["cell_id"],
            "mast_id": mast_id[table["mast"].to_numpy()],
            "operator": table["operator"],
            "technology": cells["radio"].map(TECHNOLOGIES),
            "band": pd.Series(bands, dtype=object),
            "frequency_mhz": [carrier.frequency_mhz for carrier in carriers],
            "bandwidth_mhz": [carrier.bandwidth_mhz for carrier in carriers],
            "power_dbm": [carrier.power_dbm for carrier in carriers],
            "antenna_gain_dbi": [carrier.antenna_gain_dbi for carrier in carriers],
            "feeder_loss_db": [carrier.feeder_loss_db for carrier in carriers],
            "azimuth_deg": azimuth,
            "tilt_deg": TILT_DEG,
            "antenna_height_m": ANTENNA_HEIGHT_M,
            "pattern": None,
            "load": LOAD,
            "samples": cells["samples"],
            "range_m": cells["range"],
            "last_seen": table["last_seen"],
            "assumed": _ASSUMED_CELL,
        }
    )


def _numbered(values: pd.Series) -> NDArray[np.int64]:
    """Return the number of each value in the order of the alphabet."""
    return np.asarray(values.astype("category").cat.codes, np.int64)


def _band(network: mobile_networks.Network, radio: str) -> str:
    for band in network.bands:
        if band.startswith(f"{radio} ") and band in CARRIERS:
            return band
    return DEFAULT_BANDS[radio]


def _method(distances: cell_clusters.Distances) -> str:
    return _METHOD.format(
        site_km=f"{distances.site_m / 1000:g}",
        errors=f"{distances.errors:g}",
        generations_m=f"{distances.generations_m:g}",
        operator_m=f"{distances.operator_m:g}",
        shared_m=f"{distances.shared_m:g}",
        height_m=f"{MAST_HEIGHT_M:g}",
        antenna_m=f"{ANTENNA_HEIGHT_M:g}",
        tilt_deg=f"{TILT_DEG:g}",
        load=f"{LOAD:g}",
        default_bands=", ".join(DEFAULT_BANDS.values()),
        spread_deg=f"{cell_clusters.MIN_SPREAD_DEG:g}",
    )


def _is_mozilla(name: str) -> bool:
    return name.upper().startswith("MLS")


def _refusal(said: str) -> InputError:
    """Say what a refusal of the server means; it never contains the token."""
    plain = said.upper()
    if "TOKEN" in plain or "KEY" in plain:
        return InputError(
            "OpenCelliD does not know the token; check the environment variable {variable}",
            variable=TOKEN_VARIABLE,
        )
    if any(word in plain for word in ("LIMIT", "QUOTA", "429", "EXCEED")):
        return InputError(
            "OpenCelliD: the token's downloads of today are used up; try again tomorrow, or give "
            "a file that you have"
        )
    return InputError("OpenCelliD refuses the download: {reason}", reason=said[:200])


def _within(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    bounds: tuple[float, float, float, float],
) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    with np.errstate(invalid="ignore"):
        return ((lon - west) % 360.0 <= east - west) & (lat >= south) & (lat <= north)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    whole = ("mcc", "net", "area", "cell", "samples", "changeable", "created", "updated")
    others = ("lon", "lat", "range", "unit", "averageSignal")
    types = dict.fromkeys(whole, "int64") | dict.fromkeys(others, "float64")
    return frame.astype({"radio": object, **types})


class _File:
    """One file of cells, read in pieces."""

    def __init__(self, path: Path, bounds: tuple[float, float, float, float]) -> None:
        self.path = path
        self.bounds = bounds
        self.rows = 0
        self.skipped: list[int] = []
        self.faults: dict[str, tuple[int, int]] = {}
        self.header = 0

    def notes(self) -> list[str]:
        """Return what was left out, in sentences."""
        said = [
            f"{self.path.name}: {count} rows left out: {reason} (first: row {self._line(first)})"
            for reason, (count, first) in self.faults.items()
        ]
        if self.skipped:
            said.append(
                f"{self.path.name}: {len(self.skipped)} rows left out: not {len(COLUMNS)} values "
                f"(first: row {self.skipped[0]})"
            )
        if self.rows == 0:
            said.append(f"{self.path.name}: the file has no cell")
        return said

    def read(self, on_progress: Progress) -> list[pd.DataFrame]:
        """Return the cells within the bounds, piece by piece."""
        parts = []
        with self._opened(on_progress) as stream:
            try:
                reader = pa_csv.open_csv(
                    stream,
                    read_options=pa_csv.ReadOptions(
                        use_threads=False,
                        block_size=_BLOCK_BYTES,
                        column_names=list(COLUMNS),
                        skip_rows=self.header,
                    ),
                    parse_options=pa_csv.ParseOptions(invalid_row_handler=self._skip),
                    convert_options=pa_csv.ConvertOptions(
                        column_types={name: pa.string() for name in COLUMNS},
                        check_utf8=False,
                        strings_can_be_null=False,
                    ),
                )
            except pa.ArrowInvalid as error:
                if "Empty CSV" in str(error):
                    return []
                raise self._other() from error
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    break
                except pa.ArrowInvalid as error:
                    raise self._other() from error
                parts.append(self._checked(batch))
                self.rows += batch.num_rows
        return [part for part in parts if len(part)]

    def _skip(self, row: pa_csv.InvalidRow) -> str:
        self.skipped.append(int(row.number or 0))
        return "skip"

    def _line(self, position: int) -> int:
        """Return the line of the file of a row that was read."""
        line = position + 1 + self.header
        for skipped in sorted(self.skipped):
            if skipped > line:
                break
            line += 1
        return line

    def _fault(self, reason: str, wrong: NDArray[np.bool_], positions: NDArray[np.int64]) -> None:
        if not wrong.any():
            return
        count, first = self.faults.get(reason, (0, int(positions[wrong][0])))
        self.faults[reason] = (count + int(wrong.sum()), first)

    def _checked(self, batch: pa.RecordBatch) -> pd.DataFrame:
        positions = np.arange(batch.num_rows) + self.rows
        lon = _numbers(batch.column("lon"))
        lat = _numbers(batch.column("lat"))
        with np.errstate(invalid="ignore"):
            placed = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
        self._fault("no longitude and latitude on Earth", ~placed, positions)
        here = placed & _within(lon, lat, self.bounds)
        positions = positions[here]
        kept = batch.filter(pa.array(here))
        texts = kept.column("radio").to_numpy(zero_copy_only=False).astype(object)
        radio = np.array([str(text).strip().upper() for text in texts], dtype=object)
        frame = pd.DataFrame({"radio": radio, "lon": lon[here], "lat": lat[here]})
        for name in COLUMNS:
            if name not in frame:
                frame[name] = _numbers(kept.column(name))
        for name in ("unit", "averageSignal"):
            frame[name] = frame[name].fillna(-1.0)
        # Old files leave these empty.
        for name, empty in (("created", 0), ("updated", 0), ("changeable", 1), ("range", 0)):
            frame[name] = frame[name].fillna(empty)
        frame["samples"] = frame["samples"].fillna(0)
        good = np.ones(len(frame), bool)
        for reason, right in self._rules(frame):
            self._fault(reason, good & ~right, positions)
            good &= right
        return _typed(frame[good][list(COLUMNS)])

    @staticmethod
    def _rules(frame: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        radio = frame["radio"]
        known = radio.isin(list(_GREATEST_CELL)).to_numpy()
        yield "no radio GSM, UMTS, LTE, NR or CDMA", known
        yield "no mobile country code", frame["mcc"].between(1, 999).to_numpy()
        yield "no network code", frame["net"].between(0, 32_767).to_numpy()
        greatest = radio.map(lambda name: _GREATEST_AREA.get(name, 0xFFFF)).astype(float)
        yield "no area code", frame["area"].between(0, greatest).to_numpy()
        # The greatest identity says that the phone did not know it.
        greatest = radio.map(lambda name: _GREATEST_CELL.get(name, 0)).astype(float)
        right = (frame["cell"] >= 0) & (frame["cell"] < greatest)
        yield "no cell identity of its radio", right.to_numpy()
        whole = np.ones(len(frame), bool)
        for name in ("mcc", "net", "area", "cell", "samples"):
            whole &= (frame[name] == frame[name].round()).to_numpy()
        yield "fractions where whole numbers belong", whole
        right = (frame["samples"] >= 0) & (frame["range"] >= 0)
        yield "a negative range or number of samples", right.to_numpy()

    @contextmanager
    def _opened(self, on_progress: Progress) -> Iterator[IO[bytes]]:
        """Open the file, unpacked, at its start, knowing whether it has a header."""
        size = max(1, self.path.stat().st_size)
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(2) == b"\x1f\x8b"
                raw.seek(0)
                plain: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
                start = plain.read(4096)
                self._look_at(start)
                plain.seek(0)
                stream = _Watched(plain, lambda: on_progress(min(1.0, raw.tell() / size)))
                yield io.BufferedReader(stream, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise InputError(
                "{file} is damaged or cut off (expected a gzip file)", file=self.path.name
            ) from None

    def _look_at(self, start: bytes) -> None:
        text = start.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
        if text.startswith("{"):
            said = ""
            try:
                said = str(json.loads(text).get("message", ""))
            except (ValueError, AttributeError):
                said = ""
            raise _refusal(said or "?")
        if text.startswith("<"):
            raise self._other()
        first = next(csv.reader([text.split("\n", 1)[0].strip()]), [])
        self.header = int(first[:1] == ["radio"])
        if first and len(first) < 2:
            raise self._other()
        if self.header and tuple(first) != COLUMNS:
            raise InputError(
                "{file}: the columns are {found} (expected {expected})",
                file=self.path.name,
                found=", ".join(first)[:200],
                expected=", ".join(COLUMNS),
            )

    def _other(self) -> InputError:
        return InputError(
            "{file} is no table of cells (expected rows of {count} values as OpenCelliD gives "
            "them)",
            file=self.path.name,
            count=len(COLUMNS),
        )


class _Watched(io.RawIOBase):
    """A stream that tells when it is read."""

    def __init__(self, stream: IO[bytes], tell: Callable[[], None]) -> None:
        super().__init__()
        self._stream = stream
        self._tell = tell

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._tell()
        return len(data)


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Return numbers, NaN where there is none."""
    texts = pd.Series(column.to_numpy(zero_copy_only=False))
    return pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
