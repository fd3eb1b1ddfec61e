"""Foreign names of columns, and what they are called here.

The names that columns go by, in Vietnamese and English, are in the table
`column_names.csv` beside this module. Names are compared without diacritics,
case, punctuation and the unit that stands behind them, so that "Chiều cao cột
(m)", "chieu_cao_cot" and "Mast height [ft]" are all the height of a mast.

A name that is in the table is taken for its column. One that only looks like a
name of the table is suggested and left to the user, and so is a choice between
two columns of a file.
"""

from __future__ import annotations

import csv
import difflib
import functools
import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from data import schema
from data.errors import InputError, Message, message
from data.importers import legacy_vietnamese, units
from data.importers.text_forms import bare
from data.store import Workspace

Confidence = Literal["same", "known", "near"]

#: Names of the columns that hold places, which no layer declares.
PLACES = ("lon", "lat", "x", "y")

#: Likeness from which a name is suggested (share of common characters).
_NEAR = 0.84

_TABLE = Path(__file__).with_name("column_names.csv")
_FILE = "import_settings.json"
_KEPT = 50


@dataclass(frozen=True)
class Suggestion:
    """What one column of a file may be.

    Parameters
    ----------
    theirs
        Its name in the file.
    ours
        Columns of the layer that it may be, the likeliest first; none if it is
        not known.
    confidence
        ``"same"``: it has our name; ``"known"``: its name is in the table;
        ``"near"``: it looks like one of them.
    used
        Whether the column is taken for `ours` without asking.
    """

    theirs: str
    ours: tuple[str, ...] = ()
    confidence: Confidence | None = None
    used: bool = False


@dataclass(frozen=True)
class Suggestions:
    """What the columns of a file may be.

    Parameters
    ----------
    columns
        One for each column, in the file's order.
    """

    columns: tuple[Suggestion, ...]

    @property
    def mapping(self) -> dict[str, str]:
        """The file's name of a column to ours, for those taken without asking."""
        return {each.theirs: each.ours[0] for each in self.columns if each.used}

    @property
    def questions(self) -> list[tuple[Suggestion, Message]]:
        """Columns that the user must decide about, and what to ask."""
        found = []
        taken = {each.ours[0]: each.theirs for each in self.columns if each.used}
        wanted: dict[str, list[str]] = defaultdict(list)
        for each in self.columns:
            for name in each.ours:
                if not each.used:
                    wanted[name].append(each.theirs)
        for each in self.columns:
            free = [name for name in each.ours if name not in taken]
            if each.used or not free:
                continue
            rivals = [other for other in wanted[free[0]] if other != each.theirs]
            if len(free) > 1:
                said = message("it may be {columns}", columns=", ".join(free))
            elif rivals and each.confidence != "near":
                said = message(
                    "it may be {column}, and so may {others}",
                    column=free[0],
                    others=", ".join(rivals),
                )
            else:
                said = message("it may be {columns}", columns=free[0])
            found.append((each, said))
        return found


@dataclass(frozen=True)
class Settings:
    """How a file with certain columns is read.

    Parameters
    ----------
    mapping
        The file's name of a column to ours; empty for one that keeps its own.
    units
        Our name of a column to the unit of the file's values.
    crs
        CRS of the columns with places, as the user gave it; empty for degrees.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    crs: str = ""

    def __bool__(self) -> bool:
        return bool(self.mapping or self.units or self.crs)


@functools.lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name as names are compared.

    Parameters
    ----------
    name
        Name of a column.

    Returns
    -------
    str
        Without diacritics, case, punctuation and the unit behind it.

    Examples
    --------
    >>> plain("Chiều cao cột (m)"), plain("ĐƠN_VỊ"), plain("Ghi chú (nếu có)")
    ('chieu cao cot', 'don vi', 'ghi chu neu co')
    """
    return bare(units.without_unit(name))


@functools.cache
def names_of(layer: str) -> dict[str, dict[str, int]]:
    """Return the names that the columns of a layer go by.

    Parameters
    ----------
    layer
        Layer name.

    Returns
    -------
    dict
        By column, the names with their rank: 0, or more for a name that is the
        column's only where the file has no better one. Columns of places only
        for layers of points.
    """
    declared = schema.layer_named(layer)
    places = PLACES if declared.geometry == "Point" else ()
    found = {name: {name: 0} for name in (*declared.columns, *places)}
    with _TABLE.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["layer"] not in ("*", layer) or row["column"] not in found:
                continue
            for rank, names in enumerate(row["names"].split("||")):
                for name in names.split("|"):
                    found[row["column"]].setdefault(name, rank)
    return found


@functools.cache
def _old_names(layer: str) -> frozenset[str]:
    """Return the names as files hold them that were typed in old Vietnamese fonts."""
    return frozenset(
        legacy_vietnamese.as_typed(form(name), encoding)
        for names in names_of(layer).values()
        for name in names
        if not name.isascii()
        for encoding in (legacy_vietnamese.TCVN3, legacy_vietnamese.VNI)
        for form in (str.lower, str.capitalize, str.upper)
    )


def is_known(layer: str, name: object) -> bool:
    """Return whether a layer has a column that goes by a name.

    Parameters
    ----------
    layer
        Layer name.
    name
        Name of a column, or another cell of a header.

    Returns
    -------
    bool
        Whether the name is in the table, with or without a unit behind it, in
        Unicode or as old fonts have it.
    """
    if not isinstance(name, str):
        return False
    index = _index(layer)
    if plain(name) in index or bare(name) in index:
        return True
    return not name.isascii() and units.without_unit(name).strip() in _old_names(layer)


def suggest(layer: str, columns: Iterable[str]) -> Suggestions:
    """Say what the columns of a file may be.

    Parameters
    ----------
    layer
        Layer that the file is for.
    columns
        Names of its columns.

    Returns
    -------
    Suggestions
        One for each column.

    Examples
    --------
    >>> suggest("masts", ["Mã trạm", "Chiều cao cột (m)", "Ghi chú"]).mapping
    {'Mã trạm': 'mast_id', 'Chiều cao cột (m)': 'height_m'}
    """
    columns = [str(column) for column in columns]
    found = {name: _one(layer, name) for name in columns}
    taken = {each.ours[0] for each in found.values() if each.confidence == "same"}
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for name, each in found.items():
        if each.confidence == "known":
            for ours in each.ours:
                wanted[ours][name] = _rank(layer, ours, name)
    # Only the best names for a column compete for it.
    best = {
        ours: [name for name, rank in names.items() if rank == min(names.values())]
        for ours, names in wanted.items()
        if ours not in taken
    }
    sure = {names[0]: ours for ours, names in best.items() if len(names) == 1}
    doubled = {name for name in sure if sum(names == [name] for names in best.values()) > 1}
    used = {name: ours for name, ours in sure.items() if name not in doubled}
    if {"lon", "lat"} <= taken | set(used.values()):
        used = {name: ours for name, ours in used.items() if ours not in ("x", "y")}
        taken |= {"x", "y"}
    taken |= set(used.values())
    result = []
    for name in columns:
        each = found[name]
        if each.confidence == "same":
            result.append(Suggestion(name, each.ours, "same", used=True))
        elif name in used:
            result.append(Suggestion(name, (used[name],), "known", used=True))
        else:
            free = tuple(ours for ours in each.ours if ours not in taken)
            result.append(Suggestion(name, free, each.confidence if free else None))
    return Suggestions(tuple(result))


@functools.cache
def _index(layer: str) -> dict[str, dict[str, int]]:
    """Return our columns, with the name's rank, by the plain form of the names they go by."""
    index: dict[str, dict[str, int]] = defaultdict(dict)
    for ours, names in names_of(layer).items():
        for name, rank in names.items():
            index[bare(name)].setdefault(ours, rank)
    return dict(index)


def _rank(layer: str, ours: str, name: str) -> int:
    index = _index(layer)
    return min(index.get(form, {}).get(ours, 9) for form in (bare(name), plain(name)))


def _one(layer: str, name: str) -> Suggestion:
    ours = {column.lower(): column for column in names_of(layer)}
    if name.strip().lower() in ours:
        return Suggestion(name, (ours[name.strip().lower()],), "same")
    index = _index(layer)
    for form in (bare(name), plain(name)):
        if form in index:
            return Suggestion(name, tuple(index[form]), "known")
    form = plain(name)
    if len(form) < 4:
        return Suggestion(name)
    like = difflib.get_close_matches(form, index, n=3, cutoff=_NEAR)
    near = tuple(dict.fromkeys(column for other in like for column in index[other]))
    return Suggestion(name, near, "near" if near else None)


def check(layer: str, mapping: Mapping[str, str], columns: Sequence[str], file: str) -> None:
    """Refuse a mapping that does not fit the file or the layer.

    Parameters
    ----------
    layer
        Layer name.
    mapping
        The file's name of a column to ours; empty for a column that keeps its
        own name.
    columns
        Names of the file's columns.
    file
        File name.

    Raises
    ------
    InputError
        If it names a column that one of them does not have, or one twice.
    """
    known = names_of(layer)
    for theirs, ours in mapping.items():
        if theirs not in columns:
            raise InputError(
                "{file} has no column {column}, which the mapping names (found {found})",
                file=file,
                column=theirs,
                found=", ".join(f"'{column}'" for column in columns[:20]),
            )
        if ours and ours not in known:
            raise InputError(
                "The mapping names {column}, which is not a column of {layer} (expected one of "
                "{expected})",
                column=ours,
                layer=layer,
                expected=", ".join(known),
            )
    twice = [ours for ours in mapping.values() if ours and [*mapping.values()].count(ours) > 1]
    if twice:
        raise InputError("The mapping names the column {column} twice", column=twice[0])


# What was decided before


def remembered(workspace: Workspace, layer: str, columns: Iterable[str]) -> Settings | None:
    """Return how a file with these columns was read before.

    Parameters
    ----------
    workspace
        The study area.
    layer
        Layer that the file is for.
    columns
        Names of the file's columns, in any order.

    Returns
    -------
    Settings or None
        What the user had decided; None where there is nothing.
    """
    kept = _read(workspace).get(layer, {}).get(_key(columns))
    if kept is None:
        return None
    try:
        return Settings(dict(kept["mapping"]), dict(kept["units"]), str(kept["crs"]))
    except (KeyError, TypeError, ValueError):
        return None


def remember(workspace: Workspace, layer: str, columns: Iterable[str], settings: Settings) -> None:
    """Keep how a file with these columns is read.

    Parameters
    ----------
    workspace, layer, columns
        See `remembered`.
    settings
        What the user decided.
    """
    columns = list(columns)
    with workspace.locked():
        everything = _read(workspace)
        of_layer = everything.setdefault(layer, {})
        of_layer.pop(_key(columns), None)
        of_layer[_key(columns)] = {"columns": columns, **asdict(settings)}
        while len(of_layer) > _KEPT:
            del of_layer[next(iter(of_layer))]
        _write(workspace, everything)


def forget(workspace: Workspace, layer: str, columns: Iterable[str] | None = None) -> int:
    """Forget how files were read.

    Parameters
    ----------
    workspace, layer
        See `remembered`.
    columns
        Those of one file; None for all files of the layer.

    Returns
    -------
    int
        Number of files' settings that are forgotten.
    """
    with workspace.locked():
        everything = _read(workspace)
        of_layer = everything.get(layer, {})
        if columns is None:
            count = len(of_layer)
            everything.pop(layer, None)
        else:
            count = 0 if of_layer.pop(_key(columns), None) is None else 1
        if count:
            _write(workspace, everything)
    return count


def _key(columns: Iterable[str]) -> str:
    names = sorted({unicodedata.normalize("NFC", str(name)).strip() for name in columns})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _read(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Return what is kept; a damaged file counts as none, as nothing else depends on it."""
    try:
        found = json.loads((workspace.folder / _FILE).read_text(encoding="utf-8"))
        return {str(layer): dict(kept) for layer, kept in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(workspace: Workspace, everything: Mapping[str, object]) -> None:
    workspace.write_text(_FILE, json.dumps(everything, ensure_ascii=False, indent=2) + "\n")
