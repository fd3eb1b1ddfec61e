"""Make of a file's table what the schema can examine: names, units, values and places.

Nothing here decides silently: what was assumed is a note (a warning of the whole
file), and what could be meant in two ways is a question or an error of its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from data import geometry, schema
from data.errors import InputError, Message, Problem, message
from data.geometry import Bounds, CoordinateColumns
from data.importers import choices, coordinates, mapping, units, vn2000
from data.importers.header import Wanted
from data.importers.numbers import read_numbers
from data.importers.table import Table
from data.interchange import WGS84
from data.values import to_number

Origin = Literal["given", "remembered", "same", "known"]


@dataclass(frozen=True)
class Given:
    """What the user says about a file.

    Parameters
    ----------
    mapping
        The file's name of a column to ours; empty for one that keeps its own.
    units
        Our name of a column to the unit of the file's values.
    coordinates
        Columns of x and y and their CRS.
    crs
        CRS of the places.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    coordinates: CoordinateColumns | None = None
    crs: str | None = None


@dataclass(frozen=True)
class ColumnUse:
    """What a column of a file was taken for.

    Parameters
    ----------
    theirs
        Its name in the file.
    ours
        Column of the layer, or of its places (lon, lat, x, y); None where it is
        kept under its own name.
    origin
        Why: the user gave it, now or before, or its name tells.
    maybe
        Columns of the layer that it may be, where nothing was decided.
    units
        Units that its values were in.
    converted
        Whether these are others than the layer's.
    """

    theirs: str
    ours: str | None = None
    origin: Origin | None = None
    maybe: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    converted: bool = False


@dataclass(frozen=True, eq=False)
class Ready:
    """A table that the schema can examine.

    Parameters
    ----------
    frame
        The rows with our names, units and values.
    coordinates
        Columns of its places and their CRS; None for lon and lat in WGS 84.
    problems
        What is wrong or was assumed.
    columns
        What each column of the file was taken for.
    settings
        Names, units and CRS used, to be kept for the next such file.
    remembered
        Whether any of them had been kept.
    crs
        CRS of the places as they stand in the file.
    """

    frame: pd.DataFrame
    coordinates: CoordinateColumns | None
    problems: list[Problem]
    columns: tuple[ColumnUse, ...]
    settings: mapping.Settings
    remembered: bool
    crs: str


def column_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of a table's columns, without its geometry.

    Parameters
    ----------
    frame
        The table.

    Returns
    -------
    list of str
        The names, in order.
    """
    active = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    return [str(name) for name in frame.columns if name != active]


def prepare(
    layer: str,
    found: Table,
    given: Given,
    remembered: mapping.Settings | None,
    area_crs: str,
    context: Mapping[str, pd.DataFrame],
) -> Ready:
    """Give a table our names, units and values, and tell where its places are.

    Parameters
    ----------
    layer
        Layer that it is for.
    found
        The table as it stands in the file.
    given
        What the user says.
    remembered
        What was decided for such a file before.
    area_crs
        CRS of the study area.
    context
        Other layers; the zones tell where places can be.

    Returns
    -------
    Ready
        The table and how it was read.

    Raises
    ------
    InputError
        If what the user says does not fit the file or the layer.
    """
    return _Preparation(layer, found, given, remembered, area_crs, context).run()


class _Preparation:
    """The state of preparing one table."""

    def __init__(
        self,
        layer: str,
        found: Table,
        given: Given,
        remembered: mapping.Settings | None,
        area_crs: str,
        context: Mapping[str, pd.DataFrame],
    ) -> None:
        self.layer = layer
        self.declared = schema.layer_named(layer)
        self.found = found
        self.given = given
        self.kept = remembered or mapping.Settings()
        self.area_crs = area_crs
        zones = context.get("zones") if layer != "zones" else None
        self.bounds: Bounds | None = None
        if zones is not None and len(zones):
            west, south, east, north = (float(value) for value in zones.total_bounds)
            self.bounds = (west, south, east, north)
        self.frame = found.frame
        self.names = column_names(found.frame)
        self.problems: list[Problem] = []
        self.used: dict[str, tuple[str, Origin]] = {}
        self.left: set[str] = set()
        self.maybe: dict[str, tuple[str, ...]] = {}
        self.units: dict[str, tuple[str, ...]] = {}
        self.stated: dict[str, str] = {}
        self.crs = ""

    def run(self) -> Ready:
        coordinates = self._given_columns()
        self._name_columns(coordinates)
        self._say_remembered()
        self._read_values()
        place = self._places(coordinates)
        theirs_to_ours = {theirs: ours for theirs, (ours, _) in self.used.items() if ours != theirs}
        theirs_to_ours |= dict.fromkeys(self.left, "")
        crs = self.given.crs or (coordinates[2] if coordinates else "") or self.kept.crs
        return Ready(
            self.frame,
            place,
            self.problems,
            tuple(self._use_of(name) for name in self.names),
            mapping.Settings(theirs_to_ours, self.stated, crs),
            bool(self.kept),
            self.crs,
        )

    def _note(self, column: str | None, said: Message, expected: Message) -> None:
        self.problems.append(
            Problem(self.layer, None, column, said, expected, self.found.file, "warning")
        )

    def _use_of(self, theirs: str) -> ColumnUse:
        ours, origin = self.used.get(theirs, (None, None))
        if ours is None:
            return ColumnUse(theirs, maybe=self.maybe.get(theirs, ()))
        found = self.units.get(ours, ())
        base = units.quantity(self.layer, ours)
        native = next(iter(units.CONVERSIONS[base])) if base is not None else None
        return ColumnUse(theirs, ours, origin, (), found, any(unit != native for unit in found))

    # Names

    def _given_columns(self) -> CoordinateColumns | None:
        """Return the columns of places that the user gave, by their names in the file."""
        if self.given.coordinates is None:
            return None
        x, y, crs = self.given.coordinates
        lower = {name.strip().lower(): name for name in self.names}
        crs = vn2000.parsed(crs)
        return lower.get(x.strip().lower(), x), lower.get(y.strip().lower(), y), crs

    def _name_columns(self, places: CoordinateColumns | None) -> None:
        given = dict(self.given.mapping)
        mapping.check(self.layer, given, self.names, self.found.file)
        if places is not None and {places[0], places[1]} <= set(self.names):
            pair = ("lon", "lat") if pyproj.CRS(places[2]).is_geographic else ("x", "y")
            given |= dict(zip(places[:2], pair, strict=True))
        known = mapping.names_of(self.layer)
        kept = {
            theirs: ours
            for theirs, ours in self.kept.mapping.items()
            if theirs in self.names and (ours in known or not ours)
        }
        suggested = mapping.suggest(self.layer, self.names)
        taken: set[str] = set()
        sure = {each.theirs: each.ours[0] for each in suggested.columns if each.used}
        same = {each.theirs for each in suggested.columns if each.confidence == "same"}
        origins: tuple[tuple[Mapping[str, str], Origin], ...] = (
            (given, "given"),
            (kept, "remembered"),
            ({theirs: ours for theirs, ours in sure.items() if theirs in same}, "same"),
            ({theirs: ours for theirs, ours in sure.items() if theirs not in same}, "known"),
        )
        for pairs, origin in origins:
            for theirs, ours in pairs.items():
                if theirs in self.used or theirs in self.left or ours in taken:
                    continue
                if not ours:
                    self.left.add(theirs)
                    continue
                self.used[theirs] = (ours, origin)
                taken.add(ours)
        self._ask(suggested, taken)
        self._rename()

    def _ask(self, suggested: mapping.Suggestions, taken: set[str]) -> None:
        for each, question in suggested.questions:
            free = tuple(ours for ours in each.ours if ours not in taken)
            if each.theirs in self.used or each.theirs in self.left or not free:
                continue
            self.maybe[each.theirs] = free
            if each.confidence == "near" and schema.near_name(free[0], [each.theirs]):
                continue  # the schema asks about it
            self._note(
                each.theirs,
                question,
                message("expected to be told which; without that it keeps its own name"),
            )

    def _rename(self) -> None:
        new = {theirs: ours for theirs, (ours, _) in self.used.items() if theirs != ours}
        # A column whose name was given to another one keeps its values under a new name, and so
        # does one that has our name but is not to be taken for it.
        for name in self.names:
            if name not in self.used and (name in new.values() or name in self.declared.columns):
                free = next(k for k in range(2, 1000) if f"{name}_{k}" not in self.names)
                new[name] = f"{name}_{free}"
        if new:
            self.frame = self.frame.rename(columns=new)

    def _say_remembered(self) -> None:
        pairs = [
            f"{ours} = {theirs}"
            for theirs, (ours, origin) in self.used.items()
            if origin == "remembered"
        ]
        pairs += [f"{column}: {unit}" for column, unit in self.kept.units.items()]
        if self.kept.crs:
            pairs.append(vn2000.named(self.kept.crs))
        if pairs:
            self._note(
                None,
                message("read as a file with the same columns before: {how}", how=", ".join(pairs)),
                message("kept in the workspace until it is forgotten"),
            )

    # Values

    def _read_values(self) -> None:
        known = {
            column: unit
            for column, unit in self.kept.units.items()
            if column in self.declared.columns
        }
        self.stated = known | units.check(self.layer, self.given.units)
        for column in self.given.units:
            if (
                units.check(self.layer, {column: self.given.units[column]})
                .keys()
                .isdisjoint(self.frame.columns)
            ):
                raise InputError(
                    "{file} has no column {column}, for which a unit is given",
                    file=self.found.file,
                    column=column,
                )
        renamed = {ours: theirs for theirs, (ours, _) in self.used.items() if theirs != ours}
        columns = [str(name) for name in self.frame.columns]
        apart = {
            column: units.apart(self.layer, column, self.frame[column])
            for column in self.declared.columns
            if columns.count(column) == 1 and units.quantity(self.layer, column) is not None
        }
        apart = self._numbers(apart, renamed)
        for column, values in apart.items():
            self._convert(column, values, renamed.get(column))
        for column in self.declared.columns:
            if columns.count(column) == 1 and choices.options(self.layer, column):
                done, notes = choices.translated(
                    self.layer, column, self.frame[column], self.found.file
                )
                if notes:
                    self.frame = self.frame.assign(**{column: done})
                self.problems += notes

    def _numbers(
        self, apart: dict[str, units.Apart], renamed: Mapping[str, str]
    ) -> dict[str, units.Apart]:
        """Read decimal commas where the file's reader could not know that it meets numbers."""
        todo = {column: apart[column].numbers for column in apart if apart[column].any}
        todo |= {column: apart[column].numbers for column in apart if column in renamed}
        for column in mapping.PLACES:
            if column in renamed and column in self.frame.columns:
                todo[column] = self.frame[column]
        if not todo:
            return apart
        table = pd.DataFrame(todo, index=self.frame.index)
        before = {column: table[column].copy() for column in todo}
        self.problems += read_numbers(
            table, Wanted(self.declared, self.found.file), self.found.decimal
        )
        for column in todo:
            if column not in apart:
                if not table[column].equals(before[column]):
                    self.frame = self.frame.assign(**{column: table[column]})
                continue
            old = apart[column]
            apart[column] = units.Apart(old.values, table[column], old.units)
        return apart

    def _convert(self, column: str, values: units.Apart, theirs: str | None) -> None:
        unit = self.stated.get(column) or units.in_name(theirs or column)
        if theirs is None and unit is not None and not values.any and column not in self.stated:
            base = units.quantity(self.layer, column)
            self.units[column] = (base,) if base else ()
            return  # our own name, in our own unit
        if theirs is None and not values.any and column not in self.stated:
            unit = None
        done = units.convert(self.layer, column, values, unit=unit, file=self.found.file)
        self.problems += done.problems
        self.units[column] = done.units
        self.frame = self.frame.assign(**{column: done.values})

    # Places

    def _places(self, given: CoordinateColumns | None) -> CoordinateColumns | None:
        """Return which columns hold the points of a table, with numbers in them."""
        if self.declared.geometry is None:
            return None
        if isinstance(self.frame, gpd.GeoDataFrame) and self.frame.active_geometry_name:
            own = self.frame.crs
            if isinstance(own, pyproj.CRS):
                self.crs = _code(own)
                official = vn2000.official(self.crs, self.area_crs)
                if official != self.crs:
                    self.frame = self.frame.set_crs(official, allow_override=True)
            return None
        if self.declared.geometry != "Point":
            return None
        columns = {str(name).strip().lower(): str(name) for name in self.frame.columns}
        crs = self.given.crs or (given[2] if given else None) or self.kept.crs or None
        if given is not None and not {given[0], given[1]} <= set(self.names):
            return given  # reported as missing
        grid = crs is not None and not pyproj.CRS(crs).is_geographic
        if grid and {"x", "y"} <= set(columns):
            return self._grid(columns["x"], columns["y"], str(crs))
        x = next((columns[n] for n in geometry.LONGITUDE_NAMES if n in columns), None)
        y = next((columns[n] for n in geometry.LATITUDE_NAMES if n in columns), None)
        if x is not None and y is not None and not grid:
            return self._degrees(x, y, crs or WGS84)
        if {"x", "y"} <= set(columns):
            return self._unnamed(columns["x"], columns["y"], crs)
        return None

    def _degrees(self, x: str, y: str, crs: str) -> CoordinateColumns:
        area = None
        if self.bounds is not None:
            area = geometry.box_around(self.bounds, self.area_crs, crs)
        done = coordinates.degrees(self.frame[x], self.frame[y], area)
        named = {"lon": x, "lat": y}
        for column, said, expected in done.notes:
            self._note(named[column], said, expected)
        self.frame = self.frame.assign(**{x: done.lon, y: done.lat})
        self.crs = crs
        return x, y, vn2000.official(crs, self.area_crs)

    def _grid(self, x: str, y: str, crs: str) -> CoordinateColumns:
        area = None
        if self.bounds is not None:
            area = geometry.box_around(self.bounds, self.area_crs, crs)
        numbers = [to_number(self.frame[name])[0].to_numpy() for name in (x, y)]
        self.crs = crs
        official = vn2000.official(crs, self.area_crs)
        if coordinates.order(numbers[0], numbers[1], crs, area) != "northing first":
            return x, y, official
        self._note(
            x,
            message("the column holds northings and {other} holds eastings", other=y),
            message("read so, as lists of Vietnamese surveys have them"),
        )
        return y, x, official

    def _unnamed(self, x: str, y: str, crs: str | None) -> CoordinateColumns | None:
        """Return columns x and y of a file that does not say its CRS, if they hold degrees."""
        numbers = [to_number(self.frame[name])[0].to_numpy() for name in (x, y)]
        there = np.isfinite(numbers[0]) & np.isfinite(numbers[1])
        small = (np.abs(numbers[0]) <= 180) & (np.abs(numbers[1]) <= 180)
        if crs is not None or (there.any() and small[there].all()) or not there.any():
            self._note(
                x,
                message("the columns {x} and {y} hold degrees", x=x, y=y),
                message("read as longitude and latitude"),
            )
            return self._degrees(x, y, crs or WGS84)
        fitting: list[str] = []
        if self.bounds is not None:
            found = coordinates.fitting_crs(
                numbers[0], numbers[1], self.bounds, self.area_crs, (self.area_crs,)
            )
            fitting = list(dict.fromkeys(vn2000.named(code) for code, _ in found))
        said = message("the columns {x} and {y} hold places in a grid that is not stated", x=x, y=y)
        if fitting:
            expected = message(
                "expected its CRS, or columns lon and lat in degrees; the places lie in the study "
                "area if it is {crs}",
                crs=", ".join(fitting[:4]),
            )
        else:
            expected = message(
                "expected its CRS, such as vn2000:hanam, or columns lon and lat in degrees"
            )
        self.problems.append(Problem(self.layer, None, x, said, expected, self.found.file))
        return None


def _code(crs: pyproj.CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())
