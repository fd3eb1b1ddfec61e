"""The files of a computed coverage: written tile by tile, read by name, copied out."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
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

from coverage.composite import Composite, first_of, strongest
from data.errors import InputError
from data.grid import Grid, Raster

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
        `percentages.Tally.shares` after `zone`, `code`, `name`, `level`,
        `service`, `operator` and `measure`.
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


class RasterWriter:
    """The rasters of a result, written tile by tile and turned into COGs at the end."""

    def __init__(
        self, folder: Path, grid: Grid, technologies: Sequence[str], operators: Sequence[str]
    ) -> None:
        self._folder = folder
        self._grid = grid
        self._technologies = technologies
        self._bands = (ANY_OPERATOR, *operators)
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> RasterWriter:
        for name in self._technologies:
            self._create(name, "float32", np.nan)
            self._create(f"{name}_server", "int32", -1)
        return self

    def _create(self, name: str, dtype: str, nodata: float) -> None:
        grid = self._grid
        self._open[name] = self._stack.enter_context(
            rasterio.open(
                self._folder / f"{name}.part.tif",
                "w",
                driver="GTiff",
                width=grid.width,
                height=grid.height,
                count=len(self._bands),
                dtype=dtype,
                crs=grid.crs,
                transform=grid.transform,
                nodata=nodata,
                tiled=True,
                bigtiff="IF_SAFER",
            )
        )
        for band, description in enumerate(self._bands, start=1):
            self._open[name].set_band_description(band, description)

    def write(self, row: int, column: int, levels: Composite) -> None:
        """Write one tile."""
        window = rasterio.windows.Window(column, row, levels.grid.width, levels.grid.height)
        shape = (0, *levels.grid.shape)
        for name in self._technologies:
            found = [strongest(levels, name, operator) for operator in self._bands[1:]]
            level = np.stack([item[0] for item in found]) if found else np.empty(shape, np.float32)
            server = np.stack([item[1] for item in found]) if found else np.empty(shape, np.int32)
            any_level, any_server = first_of(level, server)
            level = np.concatenate([any_level[None], level])
            level[~np.isfinite(level)] = np.nan
            self._open[name].write(level, window=window)
            self._open[f"{name}_server"].write(
                np.concatenate([any_server[None], server]), window=window
            )

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
        text = dict.fromkeys(("code", "name", "level", "service", "operator", "measure"), str)
        figures = pd.read_csv(
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
    wide = anyone.assign(
        column=anyone["service"] + "_" + anyone["measure"] + "_percent",
        value=(100.0 * anyone["share"]).round(3),
    ).pivot(index="zone", columns="column", values="value")
    table = zones.reset_index(drop=True).join(wide)
    finest = table[table["level"] == finest_level(zones)]
    finest.to_file(folder / "communes.gpkg", layer="communes", driver="GPKG")
    table.to_file(folder / "communes.gpkg", layer="zones", driver="GPKG")
    finest.drop(columns="geometry").to_csv(folder / "communes.csv", index=False)


def finest_level(zones: gpd.GeoDataFrame) -> str:
    """Return the finest administrative level that an area has.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    str
        "commune", "district" or "province".
    """
    present = set(zones["level"])
    return next(level for level in ("commune", "district", "province") if level in present)
