"""Administrative areas of GADM, from a file that the user has downloaded.

GADM may be used for research and other non-commercial ends but not passed on, so
nothing is ever downloaded here, and its areas must not go into what is published.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pyogrio.errors
import shapely

from data.area import Provenance
from data.errors import InputError
from data.sources import overpass, zone_levels
from data.sources.ingredients import VectorSource
from data.sources.local_files import at_hand
from data.sources.source import Fetched, Item, Place, Progress, Reading

LICENCE = (
    "GADM: free for academic and other non-commercial use; redistribution and commercial use are "
    "not allowed without permission (gadm.org/license.html)"
)

TITLE = "GADM, from the user's file"

_GID = re.compile(r"GID_(\d)")


@dataclass(frozen=True)
class Gadm:
    """A file of GADM as a source of the layer `zones`.

    Parameters
    ----------
    path
        GeoPackage, Shapefile (also several in a zip) or GeoJSON, of a country or the world.
    """

    path: Path
    name: str = "gadm"
    title: str = TITLE
    gives: tuple[str, ...] = ("zones",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the file.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            One, without an address.

        Raises
        ------
        InputError
            If it is missing.
        """
        if not self.path.is_file():
            raise InputError("There is no file {file}", file=str(self.path))
        size = self.path.stat().st_size
        vintage = version_of(self.path)
        return [Item(self.name, self.path.name, "", size, licence=LICENCE, vintage=vintage)]

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items as they are; nothing is carried.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            The same.
        """
        return list(items)

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = lambda _share: None
    ) -> list[Fetched]:
        """Return the file with its hash.

        Parameters
        ----------
        items
            From `find`.
        place
            Where.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The file.
        """
        done = [at_hand(item, self.path) for item in items]
        on_progress(1.0)
        return done

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make zones of the areas that belong to a place.

        Parameters
        ----------
        fetched
            From `fetch`.
        place
            Where.
        folder
            Not needed.

        Returns
        -------
        Reading
            The layer `zones`.

        Raises
        ------
        InputError
            If the file is damaged, is none of GADM or has nothing in the place.
        """
        frame, notes = zone_levels.arrange(areas_of(self.path, place), place)
        if not len(frame):
            raise InputError(
                "{source}: none of its areas lies in {place}",
                source=self.path.name,
                place=place.name,
            )
        one = fetched[0]
        origin = Provenance(
            source="GADM (gadm.org), the user's file",
            licence=LICENCE,
            vintage=version_of(self.path),
            url_or_file=self.path.name,
            sha256=one.sha256,
            retrieved_at=one.retrieved_at,
            method="Areas with more than half of their ground in the place, whole",
        )
        warning = "The boundaries of GADM must not be passed on: leave them out of what you publish"
        zones = VectorSource(frame.drop(columns="rank"), origin)
        return Reading({"zones": zones}, notes=(warning, *notes))


def version_of(path: Path) -> str:
    """Return the version of GADM that the name of a file tells.

    Parameters
    ----------
    path
        E.g. ``gadm41_VNM.gpkg`` or ``gadm_410.gpkg``.

    Returns
    -------
    str
        E.g. ``"GADM 4.1"``.

    Examples
    --------
    >>> version_of(Path("gadm41_VNM.gpkg")), version_of(Path("vnm.gpkg"))
    ('GADM 4.1', 'GADM, version not stated')
    """
    match = re.search(r"gadm_?(\d)(\d)", path.name, re.IGNORECASE)
    return f"GADM {match[1]}.{match[2]}" if match else "GADM, version not stated"


def areas_of(path: Path, place: Place) -> gpd.GeoDataFrame:
    """Read the areas of a file near a place, of all levels.

    Parameters
    ----------
    path
        The file.
    place
        Where.

    Returns
    -------
    GeoDataFrame
        Areas for `zone_levels.arrange`. Levels that the file has only as columns of
        a finer one are put together.

    Raises
    ------
    InputError
        If the file is missing, damaged or none of GADM.
    """
    by_level: dict[int, gpd.GeoDataFrame] = {}
    columns_seen: list[str] = []
    for frame in _layers(path, place):
        columns_seen += [str(name) for name in frame.columns if name not in columns_seen]
        levels = sorted(
            int(match[1]) for name in frame.columns if (match := _GID.fullmatch(str(name)))
        )
        levels = [n for n in levels if f"NAME_{n}" in frame.columns or n == 0]
        for level in levels:
            exact = level == levels[-1]
            if level > 0 and (exact or level not in by_level):
                made = _of_level(frame, level)
                if len(made):
                    by_level[level] = made
    if not columns_seen or not any(_GID.fullmatch(name) for name in columns_seen):
        raise InputError(
            "{file} is no file of GADM (expected columns such as GID_1 and NAME_1; found the "
            "columns {columns})",
            file=path.name,
            columns=", ".join(name for name in columns_seen if name != "geometry") or "none",
        )
    columns = ["code", "name", "name_en", "type", "rank", "geometry"]
    if not by_level:
        return gpd.GeoDataFrame(columns=columns, geometry="geometry", crs="EPSG:4326")
    both = pd.concat([by_level[k] for k in sorted(by_level)], ignore_index=True)
    return gpd.GeoDataFrame(both[columns], crs="EPSG:4326")


def _layers(path: Path, place: Place) -> list[gpd.GeoDataFrame]:
    if not path.is_file():
        raise InputError("There is no file {file}", file=str(path))
    frames = []
    try:
        where = str(path)
        names = [str(name) for name, kind in pyogrio.list_layers(where) if kind is not None]
        for name in names:
            parts = [
                gpd.read_file(where, layer=name, bbox=box)
                for box in overpass.boxes(place.bounds, 360.0)
            ]
            frame = pd.concat(parts, ignore_index=True)
            if isinstance(frame, gpd.GeoDataFrame):
                frames.append(frame.to_crs("EPSG:4326") if frame.crs is not None else frame)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise InputError(
            "{file} cannot be read as a map (expected GeoPackage, GeoJSON, Shapefile or KML)",
            file=path.name,
        ) from error
    # The finest level last, so that a level of its own goes before one put together.
    return sorted(frames, key=lambda frame: -_finest(frame))


def _finest(frame: gpd.GeoDataFrame) -> int:
    found = [int(m[1]) for name in frame.columns if (m := _GID.fullmatch(str(name)))]
    return max(found, default=-1)


def _of_level(frame: gpd.GeoDataFrame, level: int) -> gpd.GeoDataFrame:
    """Return one row for each area of a level."""
    gid = _text(frame, f"GID_{level}")
    some = frame[(gid != "").to_numpy(bool)]
    gid = gid[gid != ""]
    rows = []
    for code, part in some.groupby(gid, sort=True):
        first = part.iloc[:1]
        name = _one(first, f"NAME_{level}")
        plain = _one(first, f"VARNAME_{level}").split("|")[0]
        english = " ".join(
            word for word in (plain or name, _one(first, f"ENGTYPE_{level}")) if word
        )
        shapes = part.geometry.to_numpy()
        shapes = [s if s.is_valid else shapely.make_valid(s) for s in shapes if s is not None]
        if not shapes:
            continue
        rows.append(
            {
                "code": _one(first, f"CC_{level}") or str(code),
                "name": name or str(code),
                "name_en": english or None,
                "type": _one(first, f"TYPE_{level}") or None,
                "rank": level,
                "geometry": shapes[0] if len(shapes) == 1 else shapely.union_all(shapes),
            }
        )
    columns = ["code", "name", "name_en", "type", "rank", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")


def _text(frame: gpd.GeoDataFrame, column: str) -> pd.Series:
    text = frame[column].astype(object).where(frame[column].notna(), "").astype(str).str.strip()
    return text.mask(text.isin(["NA", "None", "?"]), "")


def _one(frame: gpd.GeoDataFrame, column: str) -> str:
    return str(_text(frame, column).iloc[0]) if column in frame.columns else ""
