"""The files of a computed coverage: written tile by tile, read by name, copied out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.shutil
import rasterio.windows
import scipy.special
from numpy.typing import NDArray

from coverage import technology, throughput
from coverage.composite import Composite, first_of, second_strongest, strongest
from coverage.quality import best_rate
from data import csv_file
from data.errors import InputError
from data.grid import Grid, Raster
from data.study_area import finest_zones

#: Name of the union over all operators.
ANY_OPERATOR = "any"


@dataclass(frozen=True, eq=False)
class CoverageResult:
    """A computed coverage, read from its folder.

    Parameters
    ----------
    folder
        Where its files are.
    summary
        The content of `coverage.json`.
    figures
        One row for each zone, service, operator and measure: the columns of
        `percentages.Tally.shares` after `zone` (its row in the layer `zones`),
        `code`, `name`, `level`, `valid_from`, `service`, `operator` and `measure`.
        A code alone may be that of zones of several years.
    """

    folder: Path
    summary: dict[str, Any]
    figures: pd.DataFrame

    @property
    def grid(self) -> Grid:
        """The analysis grid."""
        return Grid.from_dict(self.summary["provenance"]["grid"])

    def _band(self, file: str, operator: str) -> Raster:
        with rasterio.open(self.folder / file) as source:
            band = list(source.descriptions).index(operator) + 1
            return Raster(self.grid, source.read(band))

    def at(self, row: int, column: int) -> pd.DataFrame:
        """Return what is received in one pixel, without reading the whole rasters.

        Parameters
        ----------
        row, column
            Of the analysis grid.

        Returns
        -------
        pandas.DataFrame
            One row for each technology and operator, "any" first: columns
            `technology`, `operator`, `level_dbm` (NaN without signal), `server` (row in
            the layer `cells`, -1 without signal), `fade_margin` (in standard
            deviations, NaN without signal) and `covered`.

        Raises
        ------
        InputError
            If the pixel lies outside the grid.
        """
        if not (0 <= row < self.grid.height and 0 <= column < self.grid.width):
            raise InputError("The place lies outside the study area")
        window = rasterio.windows.Window(column, row, 1, 1)
        found = []
        for name, threshold in self.summary["provenance"]["thresholds"].items():
            values = {}
            for kind in ("", "_server", "_margin"):
                with rasterio.open(self.folder / f"{name}{kind}.tif") as source:
                    operators = list(source.descriptions)
                    values[kind] = source.read(window=window)[:, 0, 0]
            wanted = np.float32(scipy.special.ndtri(threshold["probability"]))
            found.append(
                pd.DataFrame(
                    {
                        "technology": name,
                        "operator": operators,
                        "level_dbm": values[""].astype(np.float64),
                        "server": values["_server"].astype(np.int64),
                        "fade_margin": values["_margin"].astype(np.float64),
                        "covered": values["_margin"] >= wanted,
                    }
                )
            )
        return pd.concat(found, ignore_index=True)

    def level(self, name: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return the best server's level.

        Parameters
        ----------
        name
            Technology.
        operator
            An operator, or "any".

        Returns
        -------
        Raster
            Level of the technology's metric; NaN without signal. [dBm]
        """
        return self._band(f"{name}.tif", operator)

    def server(self, name: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return the position of the best server in the layer `cells`.

        Parameters
        ----------
        name
            Technology.
        operator
            An operator, or "any".

        Returns
        -------
        Raster
            Row number; -1 without signal.
        """
        return self._band(f"{name}_server.tif", operator)

    def fade_margin(self, name: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return the median level minus the threshold in standard deviations.

        Parameters
        ----------
        name
            Technology.
        operator
            An operator, or "any" (the largest).

        Returns
        -------
        Raster
            The coverage probability is the normal distribution of it; NaN without
            signal.
        """
        return self._band(f"{name}_margin.tif", operator)

    def covered(self, service: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return where a technology or a union of several counts as covered.

        Parameters
        ----------
        service
            Technology or name in `technology.COMBINATIONS`.
        operator
            An operator, or "any".

        Returns
        -------
        Raster
            Whether the coverage probability reaches the one asked for, as in the
            figures.
        """
        thresholds = self.summary["provenance"]["thresholds"]
        found = np.zeros(self.grid.shape, bool)
        for name in technology.COMBINATIONS.get(service, (service,)):
            if name in thresholds:
                wanted = np.float32(scipy.special.ndtri(thresholds[name]["probability"]))
                found |= self.fade_margin(name, operator).values >= wanted
        return Raster(self.grid, found)

    def second(self, name: str, operator: str) -> Raster:
        """Return the best level of one operator from a mast other than the best server's.

        Parameters
        ----------
        name
            Technology.
        operator
            An operator.

        Returns
        -------
        Raster
            NaN where fewer than two masts are received. [dBm]
        """
        return self._band(f"{name}_second.tif", operator)

    def sinr(self, name: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return the ratio of signal to interference and noise.

        Parameters
        ----------
        name
            Technology other than 2G.
        operator
            An operator, or "any" (the one with the highest rate).

        Returns
        -------
        Raster
            NaN without signal. [dB]
        """
        return self._band(f"{name}_sinr.tif", operator)

    def rate(self, name: str, operator: str = ANY_OPERATOR) -> Raster:
        """Return the downlink rate of a user alone in the serving cell.

        Parameters
        ----------
        name
            Technology other than 2G.
        operator
            An operator, or "any".

        Returns
        -------
        Raster
            NaN without signal. [Mbit/s]
        """
        return self._band(f"{name}_rate.tif", operator)


class RasterWriter:
    """The rasters of a result, written tile by tile and turned into COGs at the end."""

    def __init__(
        self,
        folder: Path,
        grid: Grid,
        technologies: Sequence[str],
        operators: Sequence[str],
        rate_models: Mapping[str, throughput.RateModel],
    ) -> None:
        self._folder = folder
        self._grid = grid
        self._technologies = technologies
        self._rate_models = rate_models
        self._bands = (ANY_OPERATOR, *operators)
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> RasterWriter:
        for name in self._technologies:
            self._create(name, "float32", np.nan)
            self._create(f"{name}_server", "int32", -1)
            self._create(f"{name}_margin", "float32", np.nan)
            self._create(f"{name}_second", "float32", np.nan, self._bands[1:])
            if name in self._rate_models:
                self._create(f"{name}_sinr", "float32", np.nan)
                self._create(f"{name}_rate", "float32", np.nan)
        return self

    def _create(
        self, name: str, dtype: str, nodata: float, bands: Sequence[str] | None = None
    ) -> None:
        grid = self._grid
        bands = self._bands if bands is None else bands
        if not bands:
            return
        self._open[name] = self._stack.enter_context(
            rasterio.open(
                self._folder / f"{name}.part.tif",
                "w",
                driver="GTiff",
                width=grid.width,
                height=grid.height,
                count=len(bands),
                dtype=dtype,
                crs=grid.crs,
                transform=grid.transform,
                nodata=nodata,
                tiled=True,
                bigtiff="IF_SAFER",
            )
        )
        for band, description in enumerate(bands, start=1):
            self._open[name].set_band_description(band, description)

    def write(
        self,
        row: int,
        column: int,
        levels: Composite,
        cells: pd.DataFrame,
        margins: Mapping[tuple[str, str], NDArray[np.float32]],
    ) -> None:
        """Write one tile."""
        window = rasterio.windows.Window(column, row, levels.grid.width, levels.grid.height)
        operators = self._bands[1:]
        mast_of_cell = pd.factorize(cells["mast_id"])[0]
        shape = (len(operators), *levels.grid.shape)
        for name in self._technologies:
            level, server = np.empty(shape, np.float32), np.empty(shape, np.int32)
            for index, operator in enumerate(operators):
                level[index], server[index] = strongest(levels, name, operator)
            self._write_with_any(window, (name, level), (f"{name}_server", server))
            for band, operator in enumerate(self._bands, start=1):
                margin = margins[name, operator]
                known = np.where(np.isfinite(margin), margin, np.float32(np.nan))
                self._open[f"{name}_margin"].write(known, band, window=window)
            for band, operator in enumerate(operators, start=1):
                second = second_strongest(levels, name, operator, mast_of_cell)
                second[~np.isfinite(second)] = np.nan
                self._open[f"{name}_second"].write(second, band, window=window)
            if name in self._rate_models:
                sinr, rate = np.empty(shape, np.float32), np.empty(shape, np.float32)
                for index, operator in enumerate(operators):
                    sinr[index], rate[index] = best_rate(
                        levels, cells, name, operator, self._rate_models
                    )
                rate[np.isnan(rate)] = -np.inf
                self._write_with_any(window, (f"{name}_rate", rate), (f"{name}_sinr", sinr))

    def _write_with_any(
        self,
        window: rasterio.windows.Window,
        ranked: tuple[str, NDArray[np.float32]],
        other: tuple[str, NDArray[Any]],
    ) -> None:
        """Write two rasters by operator, first the operator that ranks highest at each pixel."""
        (ranked_name, values), (other_name, others) = ranked, other
        best, beside = first_of(values, others)
        values = np.concatenate([best[None], values])
        values[~np.isfinite(values)] = np.nan
        self._open[ranked_name].write(values, window=window)
        self._open[other_name].write(np.concatenate([beside[None], others]), window=window)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        for name in self._open:
            part = self._folder / f"{name}.part.tif"
            if kind is None:
                rasterio.shutil.copy(
                    part, self._folder / f"{name}.tif", driver="COG", compress="deflate"
                )
            part.unlink()


def load(folder: Path) -> CoverageResult:
    """Read a result that `compute` or `save` wrote.

    Parameters
    ----------
    folder
        The folder with `coverage.json`.

    Returns
    -------
    CoverageResult
        The result.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        summary = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
        names = ("code", "name", "level", "valid_from", "service", "operator", "measure")
        text = dict.fromkeys(names, str)
        figures = csv_file.read(
            folder / "figures.csv", dtype=text, keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise InputError(
            "{folder} holds no coverage result that can be read (expected coverage.json and "
            "figures.csv)",
            folder=folder,
        ) from error
    return CoverageResult(folder, summary, figures)


def save(result: CoverageResult, out: Path) -> Path:
    """Copy a result's files into a folder of the user's.

    Parameters
    ----------
    result
        The result.
    out
        The folder; made if absent, its files of the same names are replaced.

    Returns
    -------
    Path
        The folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for source in sorted(result.folder.iterdir()):
        handle, name = tempfile.mkstemp(dir=out, prefix=f".{source.name}.")
        os.close(handle)
        shutil.copyfile(source, name)
        Path(name).chmod(0o644)
        Path(name).replace(out / source.name)
    return out


def write_zones(folder: Path, zones: gpd.GeoDataFrame, figures: pd.DataFrame) -> None:
    """Write the figures beside the zones: `communes.gpkg` (all levels) and `communes.csv`.

    Of several vintages of the finest level the newest is that of the communes;
    the layer `zones` of the GeoPackage holds all.

    Parameters
    ----------
    folder
        Where to write.
    zones
        Layer `zones`.
    figures
        The table of `CoverageResult`.
    """
    anyone = figures[figures["operator"] == ANY_OPERATOR]
    # Each share with its interval: service_measure_percent, …_low, …_high.
    columns = []
    for kind, value in (
        ("percent", "share"),
        ("low", "interval_low"),
        ("high", "interval_high"),
    ):
        named = anyone["service"] + "_" + anyone["measure"] + "_" + kind
        columns.append(
            pd.DataFrame(
                {"zone": anyone["zone"], "column": named, "value": (100.0 * anyone[value]).round(3)}
            )
        )
    wide = pd.concat(columns).pivot(index="zone", columns="column", values="value")
    table = zones.reset_index(drop=True).join(wide)
    finest = finest_zones(table)
    finest.to_file(folder / "communes.gpkg", layer="communes", driver="GPKG")
    table.to_file(folder / "communes.gpkg", layer="zones", driver="GPKG")
    csv_file.write(finest.drop(columns="geometry"), folder / "communes.csv")
