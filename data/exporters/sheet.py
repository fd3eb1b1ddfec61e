"""A layer as the writers see it: columns of plain Python values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from data import schema
from data.errors import Message, message
from data.interchange import WGS84, WKT_COLUMN, distinct_names

Kind = Literal["text", "number", "whole", "flag", "date"]
Value = str | float | int | bool | None

DEGREE_DECIMALS = 9
"""Decimals of degrees in files: 0.1 mm."""

METRE_DECIMALS = 4
"""Decimals of metres in tables: 0.1 mm."""

_STEP = 2_000


def no_progress(fraction: float) -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Parameters
    ----------
    name
        Its name in the file.
    kind
        What the values are.
    values
        One per row; None where there is none.
    """

    name: str
    kind: Kind
    values: list[Value]


@dataclass(eq=False)
class Sheet:
    """A layer on its way to a file.

    Parameters
    ----------
    layer
        Its declaration.
    frame
        Its rows in their stored form, in the CRS of the file.
    crs
        That CRS, empty for a table.
    on_progress
        Called with the fraction done.
    notes
        What the format could not hold.
    """

    layer: schema.Layer
    frame: pd.DataFrame
    crs: str
    on_progress: Callable[[float], None] = no_progress
    notes: list[Message] = field(default_factory=list)

    @property
    def shapes(self) -> NDArray[np.object_] | None:
        """The geometry, or None for a table."""
        if not isinstance(self.frame, gpd.GeoDataFrame):
            return None
        shapes: NDArray[np.object_] = self.frame.geometry.to_numpy()
        return shapes

    @property
    def rounded_shapes(self) -> NDArray[np.object_] | None:
        """The geometry with as many decimals as a file in degrees needs."""
        if self.shapes is None:
            return None
        decimals = DEGREE_DECIMALS if self.frame.crs.is_geographic else METRE_DECIMALS
        rounded: NDArray[np.object_] = shapely.transform(
            self.shapes, lambda coordinates: np.round(coordinates, decimals)
        )
        return rounded

    @cached_property
    def columns(self) -> list[Column]:
        """The columns without the geometry."""
        geometry = self.frame.active_geometry_name if self.shapes is not None else None
        return [
            _column(self.layer, str(name), self.frame[name])
            for name in self.frame.columns
            if name != geometry
        ]

    def renamed(self, taken: tuple[str, ...]) -> list[Column]:
        """Return the columns with names that differ from those that the format needs itself."""
        names = distinct_names([column.name for column in self.columns], taken)
        for old, new in names.items():
            if old != new:
                self.notes.append(
                    message("the column {column} is called {name}", column=old, name=new)
                )
        return [Column(names[column.name], column.kind, column.values) for column in self.columns]

    def flat(self, most_characters: int | None = None) -> list[Column]:
        """Return the columns of a table, those of the geometry last.

        Parameters
        ----------
        most_characters
            Length that no value may exceed; longer WKT goes on in further columns.

        Returns
        -------
        list of Column
            Points as lon and lat, or x and y; lines and polygons as WKT.
        """
        shapes = self.rounded_shapes
        if shapes is None:
            return self.columns
        if self.layer.geometry == "Point":
            names = ("lon", "lat") if self.frame.crs.is_geographic else ("x", "y")
            points = [Column(names[0], "number", []), Column(names[1], "number", [])]
            for column, values in zip(
                points, (shapely.get_x(shapes), shapely.get_y(shapes)), strict=True
            ):
                column.values.extend(None if np.isnan(value) else float(value) for value in values)
            return [*self.renamed(("lon", "lat", "x", "y")), *points]
        prefix = "" if self.crs == WGS84 else f"SRID={self.frame.crs.to_epsg() or 0};"
        texts = [
            None if text is None else prefix + text
            for text in shapely.to_wkt(shapes, rounding_precision=DEGREE_DECIMALS, trim=True)
        ]
        longest = max((len(text) for text in texts if text is not None), default=0)
        size = most_characters or max(longest, 1)
        parts = [
            Column(
                WKT_COLUMN if start == 0 else f"{WKT_COLUMN}_{start // size + 1}",
                "text",
                [None if not text else text[start : start + size] or None for text in texts],
            )
            for start in range(0, max(longest, 1), size)
        ]
        return [*self.renamed(tuple(part.name for part in parts)), *parts]

    def rows(self, columns: list[Column]) -> Iterator[tuple[Value, ...]]:
        """Yield the rows, and tell the progress between them."""
        count = len(self.frame)
        for start in range(0, count, _STEP):
            self.on_progress(0.05 + 0.85 * start / count)
            parts = [column.values[start : start + _STEP] for column in columns]
            yield from zip(*parts, strict=True)


def _column(layer: schema.Layer, name: str, series: pd.Series) -> Column:
    missing = series.isna().to_numpy(bool)
    declared = layer.table.columns.get(name)
    kind: Kind = (declared.metadata or {})["kind"] if declared is not None else _kind(series)
    values: list[Any] = series.astype(object).tolist()
    convert = _PLAIN.get(kind, _text)
    return Column(
        name,
        kind,
        [None if gone else convert(value) for value, gone in zip(values, missing, strict=True)],
    )


def _kind(series: pd.Series) -> Kind:
    if pd.api.types.is_bool_dtype(series.dtype):
        return "flag"
    if pd.api.types.is_integer_dtype(series.dtype):
        return "whole"
    return "number" if pd.api.types.is_numeric_dtype(series.dtype) else "text"


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime | dt.date) else str(value)


_PLAIN: dict[Kind, Callable[[Any], Value]] = {"number": float, "whole": _whole, "flag": bool}
