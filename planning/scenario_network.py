"""Changes of the radio network, and the network that they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd

from data import schema
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import shown
from data.store import Workspace

Kind = Literal["add", "move", "remove", "edit", "share"]

#: What a change may do.
KINDS: tuple[str, ...] = get_args(Kind)

#: Name under which the faults of changes are reported; their rows are the changes, from 1.
CHANGES = "changes"

#: Columns of a mast that say where it stands: longitude and latitude, WGS 84. [deg]
PLACE = ("lon", "lat")


@dataclass(frozen=True)
class Change:
    """One change of the network.

    ``add``: a mast that stands in the scenario, with its cells. ``move``: `mast_id` with
    a new `lon`, `lat`. ``remove``: a mast with all its cells or, where `cells` are
    named, only these. ``edit``: other values of a mast, and of cells or further cells on
    it. ``share``: cells hung on a mast that others may use, or of its owner or of an operator
    that is there; one whose `cell_id` is known comes from where it hangs now.

    Parameters
    ----------
    kind
        See above.
    mast
        Columns of the layer masts, and `lon`, `lat`. [deg]
    cells
        Columns of the layer cells; `mast_id` is that of `mast`.

    Raises
    ------
    InputError
        If the kind is not known or a value is neither text, number, yes or no, nor empty.
    """

    kind: Kind
    mast: Mapping[str, Any]
    cells: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                "There is no change {value} (expected one of {expected})",
                value=self.kind,
                expected=", ".join(KINDS),
            )
        object.__setattr__(self, "cells", tuple(self.cells))
        for values in (self.mast, *self.cells):
            if not isinstance(values, Mapping):
                raise InputError("A change names columns and values of a mast and of its cells")
            for name, value in values.items():
                if not _is_plain(value):
                    raise InputError(
                        "{column}: {value} (expected text, a number, yes or no)",
                        column=str(name),
                        value=str(value)[:80],
                    )

    def to_dict(self) -> dict[str, Any]:
        """Return the change for JSON."""
        return {
            "kind": self.kind,
            "mast": _plain(self.mast),
            "cells": [_plain(cell) for cell in self.cells],
        }

    @classmethod
    def from_dict(cls, given: object) -> Change:
        """Return a change that was kept as JSON.

        Parameters
        ----------
        given
            As `to_dict` gives it; cells may be missing.

        Raises
        ------
        InputError
            If it is something else.
        """
        if not isinstance(given, Mapping) or not {"kind", "mast"} <= set(given):
            raise InputError(
                "A change is an object with kind, mast and cells; found {value}",
                value=str(given)[:80],
            )
        cells = given.get("cells")
        if not isinstance(cells, list | tuple | None):
            raise InputError(
                "{column}: {value} ({expected})",
                column="cells",
                value=str(cells)[:80],
                expected=message("expected a list of cells"),
            )
        return cls(given["kind"], given["mast"], tuple(cells or ()))


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        # Beyond it no database and no column keeps it.
        return abs(value) < 2**63
    return value is None or isinstance(value, str | float | np.generic)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = {}
    for name, value in values.items():
        own = value.item() if isinstance(value, np.generic) else value
        plain[str(name)] = None if isinstance(own, float) and np.isnan(own) else own
    return plain


def to_json(changes: Iterable[Change]) -> str:
    """Return changes as text that is the same for the same changes.

    Parameters
    ----------
    changes
        Any.

    Returns
    -------
    str
        JSON.
    """
    plain = [change.to_dict() for change in changes]
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def network(
    workspace: Workspace, changes: Sequence[Change]
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the masts and cells that changes lead to; the workspace is left as it is.

    Changes are made one after the other. Nothing is filled in but the identifier of a
    cell that has none, and the state of a mast that is added: it stands.

    Parameters
    ----------
    workspace
        The study area.
    changes
        What is changed.

    Returns
    -------
    masts : GeoDataFrame
        Layer masts; those that were there first, in their order.
    cells : DataFrame
        Layer cells, likewise.

    Raises
    ------
    ValidationError
        With every fault of every change; the rows are the numbers of the changes.
    """
    made = _Network(workspace)
    for number, change in enumerate(changes, 1):
        made.apply(number, change)
    return made.result()


def changed_masts(changes: Iterable[Change]) -> list[str]:
    """Return the masts that changes name, each once, in their order.

    Parameters
    ----------
    changes
        Any.

    Returns
    -------
    list of str
        Values of `mast_id`.
    """
    return list(dict.fromkeys(str(change.mast.get("mast_id")) for change in changes))


@dataclass
class _Layer:
    """A layer of which some rows are replaced, removed or new."""

    name: str
    key: str
    frame: pd.DataFrame
    rows: dict[str, int] = field(default_factory=dict)
    touched: dict[str, dict[str, Any]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    number: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = {str(key): row for row, key in enumerate(self.frame[self.key])}
        declared = schema.layer_named(self.name).columns
        self.known = {*declared, *map(str, self.frame.columns)} - {"geometry"}

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the values of a row as it is now, or None."""
        if key in self.touched:
            return dict(self.touched[key])
        if key in self.removed or key not in self.rows:
            return None
        row = self.frame.iloc[self.rows[key]]
        return {str(name): value for name, value in row.items() if name != "geometry"}

    def put(self, key: str, values: Mapping[str, Any], number: int) -> None:
        self.touched[key] = dict(values)
        self.number[key] = number
        self.removed.discard(key)

    def drop(self, key: str) -> None:
        self.touched.pop(key, None)
        self.removed.add(key)

    def examined(
        self, keys: list[str], workspace: Workspace, context: Mapping[str, pd.DataFrame]
    ) -> tuple[pd.DataFrame, list[Problem]]:
        """Return touched rows in their stored form, and what is wrong with them."""
        rows = [self.touched[key] for key in keys]
        index = pd.Index([self.number[key] for key in keys], name="row")
        given = pd.DataFrame(rows, index=index, dtype=object)
        # A column that is not there at all would be a fault of no row.
        lacking = [name for name in schema.layer_named(self.name).columns if name not in given]
        given[lacking] = None
        placed = self.name != "masts" or set(PLACE) <= set(given.columns)
        if not placed:
            at = self.frame.geometry.iloc[[self.rows[key] for key in keys]]
            given = gpd.GeoDataFrame(given, geometry=at.to_numpy(), crs=self.frame.crs)
        found = schema.examine(
            self.name,
            given,
            crs=workspace.area.crs if self.name == "masts" else None,
            file=CHANGES,
            context=context,
            reproject=True,
        )
        return found.frame, found.errors

    def assembled(self, frames: list[pd.DataFrame]) -> pd.DataFrame:
        """Return the layer with examined rows in place of the touched ones."""
        gone = self.frame[self.key].astype(str).isin([*self.removed, *self.touched])
        parts = [self.frame[~gone], *(frame for frame in frames if len(frame))]
        whole = pd.concat(parts, ignore_index=True)
        last = len(self.rows)
        order = [self.rows.get(str(key), last) for key in whole[self.key]]
        whole = whole.iloc[np.argsort(order, kind="stable")]
        return schema.conform(self.name, whole)


class _Network:
    """The network while changes are made to it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        crs = workspace.area.crs

        def layer(name: str, key: str) -> _Layer:
            there = workspace.has(name)
            frame = workspace.read(name) if there else schema.empty_frame(name, crs)
            return _Layer(name, key, frame)

        self.masts, self.cells = layer("masts", "mast_id"), layer("cells", "cell_id")
        self.on_mast: dict[str, list[str]] = {}
        for cell, mast in zip(self.cells.rows, self.cells.frame["mast_id"], strict=True):
            self.on_mast.setdefault(str(mast), []).append(cell)
        self.problems: list[Problem] = []

    def fault(self, number: int, column: str | None, value: object, expected: Message) -> None:
        said = value if isinstance(value, Message) else shown(value)
        self.problems.append(Problem("masts", number, column, said, expected, CHANGES))

    def apply(self, number: int, change: Change) -> None:
        mast = {str(name): value for name, value in change.mast.items()}
        key = mast.get("mast_id")
        if not isinstance(key, str) or not key.strip():
            self.fault(number, "mast_id", key, message("expected the identifier of a mast"))
            return
        key = mast["mast_id"] = key.strip()
        known = [self._names_known(number, self.masts, mast, PLACE)]
        known += [self._names_known(number, self.cells, cell) for cell in change.cells]
        if not all(known):
            return
        present = self.masts.get(key)
        if change.kind == "add":
            if present is not None:
                self.fault(
                    number, "mast_id", key, message("expected an identifier that no mast has yet")
                )
                return
            if mast.get("status") in (None, "", "planned"):
                mast["status"] = "existing"
            for name in PLACE:
                mast.setdefault(name, None)
            self.masts.put(key, mast, number)
            self._hang(number, key, change.cells)
        elif present is None:
            self.fault(number, "mast_id", key, message("expected a mast of the scenario"))
        elif change.kind == "remove":
            self._remove(number, key, change.cells)
        else:
            self._change(number, change, key, {**present, **mast})

    def _names_known(
        self,
        number: int,
        layer: _Layer,
        values: Mapping[str, Any],
        more: tuple[str, ...] = (),
    ) -> bool:
        unknown = [str(name) for name in values if name not in layer.known and name not in more]
        for name in unknown:
            near = schema.near_name(name, sorted({*layer.known, *more}))
            hint = (
                message("expected a column of the layer {layer}", layer=layer.name)
                if near is None
                else message("did you mean the column {near}?", near=near)
            )
            self.fault(number, name, values[name], hint)
        return not unknown

    def _change(self, number: int, change: Change, key: str, mast: dict[str, Any]) -> None:
        """Move, edit or share a mast that is there."""
        moved = any(name in change.mast for name in PLACE)
        if change.kind == "move" or moved:
            for name in PLACE:
                mast.setdefault(name, None)
        before = self._operators(key)
        self.masts.put(key, mast, number)
        self._hang(number, key, change.cells)
        if change.kind == "share":
            self._check_room(number, key, mast, before)

    def _operators(self, key: str) -> set[str]:
        """Return the operators whose cells hang on a mast."""
        cells = [self.cells.get(cell) for cell in self.on_mast.get(key, [])]
        return {str(cell["operator"]) for cell in cells if cell and cell.get("operator")}

    def _check_room(self, number: int, key: str, mast: Mapping[str, Any], before: set[str]) -> None:
        now = self._operators(key)
        # Whose the mast is, and who is there already, is no other.
        others = now - before - {str(mast.get("owner"))}
        if others and str(mast.get("shareable")).lower() not in ("true", "1", "yes"):
            self.fault(
                number,
                "shareable",
                mast.get("shareable"),
                message("expected a mast that others may use; change that first"),
            )
        most = pd.to_numeric(pd.Series([mast.get("max_tenants")]), errors="coerce").iloc[0]
        if now - before and pd.notna(most) and len(now) > most:
            names = ", ".join(sorted(now))
            self.fault(
                number,
                "max_tenants",
                message("{count} operators: {names}", count=len(now), names=names),
                message("expected at most {count}", count=int(most)),
            )

    def _hang(self, number: int, key: str, cells: Sequence[Mapping[str, Any]]) -> None:
        """Put cells on a mast: new ones, and such as hang somewhere already."""
        for given in cells:
            cell = {str(name): value for name, value in given.items()} | {"mast_id": key}
            name = str(cell.get("cell_id") or self._free_cell_id(cell))
            present = self.cells.get(name)
            if present is not None:
                self.on_mast[str(present["mast_id"])].remove(name)
            self.cells.put(name, {**(present or {}), **cell, "cell_id": name}, number)
            self.on_mast.setdefault(key, []).append(name)

    def _free_cell_id(self, cell: Mapping[str, Any]) -> str:
        parts = (cell["mast_id"], cell.get("operator"), cell.get("technology"))
        stem = "-".join(str(part) for part in parts if part)
        count = 1
        while self.cells.get(f"{stem}-{count}") is not None:
            count += 1
        return f"{stem}-{count}"

    def _remove(self, number: int, key: str, cells: Sequence[Mapping[str, Any]]) -> None:
        there = self.on_mast.get(key, [])
        names = [str(cell.get("cell_id")) for cell in cells]
        for name in names:
            if name not in there:
                self.fault(
                    number, "cell_id", name, message("expected a cell on mast {mast}", mast=key)
                )
                return
        for name in names or list(there):
            self.cells.drop(name)
            there.remove(name)
        if not names:
            self.masts.drop(key)

    def result(self) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
        problems = list(self.problems)
        zones = self.workspace.read("zones") if self.workspace.has("zones") else None
        context = {} if zones is None else {"zones": zones}
        placed = [key for key, row in self.masts.touched.items() if PLACE[0] in row]
        standing = [key for key in self.masts.touched if key not in set(placed)]
        frames = []
        for keys in (standing, placed):
            if keys:
                frame, wrong = self.masts.examined(keys, self.workspace, context)
                frames.append(frame)
                problems += wrong
        masts = self.masts.assembled(frames)
        frames = []
        if self.cells.touched:
            keys = list(self.cells.touched)
            frame, wrong = self.cells.examined(keys, self.workspace, {"masts": masts})
            frames.append(frame)
            problems += wrong
        cells = self.cells.assembled(frames)
        if problems:
            raise ValidationError(sorted(problems, key=lambda problem: problem.row or 0))
        return masts, cells
