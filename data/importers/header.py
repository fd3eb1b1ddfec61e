"""Find the row with the names of columns, and the columns that a layer needs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data import geometry, schema
from data.errors import InputError
from data.faults import shown
from data.interchange import WKT_COLUMN

SEARCHED_ROWS = 40
"""Filled rows from the top among which the header is looked for."""

LONGEST_NAME = 100
"""Most characters of a cell that may be the name of a column."""

WKT_NAMES = (WKT_COLUMN, "wkt", "geometry", "geom", "the_geom")
"""Columns of tables that may hold geometry as text."""


def plain(name: object) -> str:
    """Return a name as names are compared: small letters, words joined by underscores.

    Parameters
    ----------
    name
        Name of a column.

    Returns
    -------
    str
        Its plain form.

    Examples
    --------
    >>> plain(" Mast  ID"), plain("height (m)")
    ('mast_id', 'height_m')
    """
    text = unicodedata.normalize("NFC", str(name)).strip("\ufeff \t\r\n").lower()
    return re.sub(r"[\W_]+", "_", text).strip("_")


@dataclass(frozen=True, eq=False)
class Wanted:
    """The columns that are looked for.

    Parameters
    ----------
    layer
        Layer that the file is for.
    name
        File name.
    mapping
        The file's name of a column to the layer's, where they differ.
    any_header
        Whether to take a file of which no column is known.
    """

    layer: schema.Layer
    name: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    any_header: bool = False

    def __post_init__(self) -> None:
        names = {
            *self.layer.columns,
            *geometry.LONGITUDE_NAMES,
            *geometry.LATITUDE_NAMES,
            *self.mapping,
            WKT_COLUMN,
        }
        object.__setattr__(self, "_known", {plain(name) for name in names})

    _known: set[str] = field(init=False, repr=False, default_factory=set)

    @property
    def _is_registered(self) -> bool:
        return self.layer.name in schema.LAYERS or self.layer.name in schema.RECORD_LAYERS

    def score(self, names: Iterable[object]) -> int:
        """Return how many of some names are those of columns, in any language that is known."""
        from data.importers import mapping  # which itself reads numbers with what is found here

        texts = {name.strip("\ufeff \t\r\n") for name in names if isinstance(name, str)}
        return sum(
            plain(name) in self._known
            or (self._is_registered and mapping.is_known(self.layer.name, name))
            for name in texts
            if name and len(name) <= LONGEST_NAME
        )

    def position(self, rows: Sequence[Sequence[object]]) -> int:
        """Return which row is the header.

        Parameters
        ----------
        rows
            The first filled rows.

        Returns
        -------
        int
            The one with most known names; else the first that has names like
            them; else, if any header will do, the first of the widest; else the
            first.
        """
        scores = [self.score(row) for row in rows]
        best = max(scores, default=0)
        if best > 0:
            return scores.index(best)
        for position, row in enumerate(rows[:SEARCHED_ROWS]):
            if self._near([str(cell or "") for cell in row]):
                return position
        if self.any_header:
            filled = [sum(bool(str(cell or "").strip()) for cell in row) for row in rows]
            return filled.index(max(filled))
        return 0

    def _near(self, names: list[str]) -> bool:
        short = [name for name in names if 2 < len(name) <= 40 and not name[0].isdigit()]
        return any(schema.near_name(column, short) for column in self.layer.columns)

    def check(self, header: list[str]) -> None:
        """Refuse a file at once if nothing in its header is a column of the layer.

        Parameters
        ----------
        header
            Names of the columns.

        Raises
        ------
        InputError
            If it is refused.
        """
        if self.any_header or self.score(header) or self._near(header):
            return
        raise InputError(
            "{file}: the first row has none of the columns of {layer}; found {found}; expected "
            "{expected}",
            file=self.name,
            layer=self.layer.name,
            found=", ".join(str(shown(column)) for column in header[:8]),
            expected=", ".join(self.layer.columns),
        )

    def mapped(self, header: list[str]) -> list[str]:
        """Give columns the names that the mapping says.

        Parameters
        ----------
        header
            Names in the file.

        Returns
        -------
        list of str
            Names of the layer where the mapping has one.

        Raises
        ------
        InputError
            If the mapping names a column that one of them does not have.
        """
        for theirs, ours in self.mapping.items():
            if theirs not in header:
                raise InputError(
                    "{file} has no column {column}, which the mapping names (found {found})",
                    file=self.name,
                    column=theirs,
                    found=", ".join(str(shown(column)) for column in header[:20]),
                )
            if ours not in {
                *self.layer.columns,
                *geometry.LONGITUDE_NAMES,
                *geometry.LATITUDE_NAMES,
            }:
                raise InputError(
                    "The mapping names {column}, which is not a column of {layer} (expected one "
                    "of {expected})",
                    column=ours,
                    layer=self.layer.name,
                    expected=", ".join(self.layer.columns),
                )
        return [self.mapping.get(column, column) for column in header]
