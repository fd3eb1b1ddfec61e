"""Administrative areas of geoBoundaries, checked against OpenStreetMap.

geoBoundaries gathers official and other maps of all countries. Some of its areas lie
kilometres off (its Hà Nam by 4.9 km), so its areas are compared with the relations of
OpenStreetMap, and where they do not agree, OpenStreetMap is taken by default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import pandas as pd
import shapely
import shapely.geometry

from data.area import Provenance
from data.errors import InputError, PhuSongError
from data.schema import LEVELS
from data.sources import boundary_check, download, osm_boundaries, zone_levels
from data.sources.addresses import ADDRESSES
from data.sources.file_kinds import Kind
from data.sources.ingredients import VectorSource
from data.sources.source import Fetched, Item, Place, Progress, Reading

NAME = "geoboundaries"
TITLE = "geoBoundaries: administrative areas from official and other maps"
LICENCE = "differs by country and level, mostly CC BY 4.0; geoBoundaries (www.geoboundaries.org)"

#: Levels that are asked for; those of the state itself are not needed.
ADM_LEVELS = ("ADM1", "ADM2", "ADM3", "ADM4")

#: What is known of a level is asked for again when it is older. [s]
MAX_AGE_S = 30 * 86_400.0

#: Largest file of a level. [bytes]
MAX_BYTES = 1_500_000_000


@dataclass(frozen=True)
class GeoBoundaries:
    """geoBoundaries as a source of the layer `zones`.

    Parameters
    ----------
    where_they_differ
        ``"osm"`` takes the areas of OpenStreetMap where those of geoBoundaries lie too
        far from them; ``"keep"`` says so and keeps them.
    second
        What they are compared with.
    """

    where_they_differ: Literal["osm", "keep"] = "osm"
    second: osm_boundaries.OsmBoundaries = field(default=osm_boundaries.SOURCE, repr=False)
    name: str = NAME
    title: str = TITLE
    gives: tuple[str, ...] = ("zones",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Ask which levels there are for the country of a place.

        Parameters
        ----------
        place
            Where; its country must be known.

        Returns
        -------
        list of Item
            One file for each level, and what is asked of OpenStreetMap to check them,
            if that can be reached.

        Raises
        ------
        InputError
            If the country is not known, or has no level below the state.
        """
        code = place.country.upper()
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise InputError(
                "{source} has one file for each country, but the country of {place} is not known; "
                "give its code of three letters, such as VNM",
                source=self.title,
                place=place.name,
            )
        items = []
        for level in ADM_LEVELS:
            url = f"{ADDRESSES[NAME]}/gbOpen/{code}/{level}/"
            about = Item(self.name, f"{code}-{level}-about.json", url)
            try:
                found = download.json_from(about, max_age_s=MAX_AGE_S)
            except download.MissingError:
                break
            items.append(_item_of(found, code, level))
        if not items:
            raise InputError(
                "{source}: there is no level below the state for {country}",
                source=self.title,
                country=code,
            )
        # The check is worth having, but no reason to fail; `read` says that it is missing.
        with suppress(InputError):
            items += self.second.find(place)
        return items

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with their sizes.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            Those of geoBoundaries as the server says.
        """
        return [
            replace(item, size_bytes=download.size_of(item.url, source=self.name))
            if item.source == self.name
            else item
            for item in items
        ]

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = lambda _share: None
    ) -> list[Fetched]:
        """Bring the files here, or find them in the cache.

        Parameters
        ----------
        items
            From `find` or `size_up`.
        place
            Where.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            The files; those of OpenStreetMap only if they can be had.
        """
        mine = [item for item in items if item.source == self.name]
        others = [item for item in items if item.source != self.name]
        done = []
        for number, item in enumerate(mine):

            def step(share: float, number: int = number) -> None:
                on_progress(0.8 * (number + share) / len(mine))

            done.append(download.fetch(item, kind=Kind.JSON, max_bytes=MAX_BYTES, on_progress=step))
        with suppress(download.SourceError):
            done += self.second.fetch(
                others, place, on_progress=lambda share: on_progress(0.8 + 0.2 * share)
            )
        on_progress(1.0)
        return done

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make zones of the areas that belong to a place, and check where they lie.

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
            The layer `zones`, and how far it agrees with the second source.

        Raises
        ------
        InputError
            If no area lies in the place, or a file is not what it should be.
        """
        mine = [one for one in fetched if one.item.source == self.name]
        others = [one for one in fetched if one.item.source != self.name]
        areas = pd.concat([_areas_of(one) for one in mine], ignore_index=True)
        frame, notes = zone_levels.arrange(gpd.GeoDataFrame(areas, crs="EPSG:4326"), place)
        if not len(frame):
            raise InputError(
                "{source}: none of its areas lies in {place}", source=self.title, place=place.name
            )
        zones = VectorSource(frame.drop(columns="rank"), _provenance(mine))
        second = self._second(others, place, folder)
        if second is None:
            return _checked_by_outline(zones, place, notes)
        own = second.layers["zones"].frame
        said, agree = _compared(frame, own, self.where_they_differ == "keep")
        if agree or self.where_they_differ == "keep":
            return Reading({"zones": zones}, notes=(*notes, *said))
        return Reading(second.layers, notes=(*said, *second.notes))

    def _second(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading | None:
        if not fetched:
            return None
        try:
            return self.second.read(fetched, place, folder)
        except PhuSongError:
            return None


def _item_of(found: Any, code: str, level: str) -> Item:
    if isinstance(found, list):
        found = found[0] if found else {}
    url = str(found.get("gjDownloadURL", "")) if isinstance(found, dict) else ""
    if not url:
        raise download.SourceError(
            "{source}: the answer for {file} names no file to download",
            source=NAME,
            file=f"{code} {level}",
        )
    mark = re.sub(r"\W+", "-", str(found.get("boundaryID", "")))
    return Item(
        NAME,
        f"{code}-{level}-{mark}.geojson" if mark else f"{code}-{level}.geojson",
        url,
        licence=str(found.get("boundaryLicense", "not stated")),
        vintage=f"{level}: {found.get('boundaryYearRepresented', 'year not stated')}",
    )


def _areas_of(fetched: Fetched) -> gpd.GeoDataFrame:
    """Read a level: GeoJSON with shapeName, shapeISO, shapeID."""
    level = int(fetched.item.key.split("-")[1].removeprefix("ADM"))
    rows: list[dict[str, Any]] = []
    for feature in json.loads(fetched.path.read_bytes()).get("features", ()):
        if not feature.get("geometry"):
            continue
        about = feature.get("properties", {})
        name = str(about.get("shapeName") or "").strip()
        code = str(about.get("shapeISO") or about.get("shapeID") or "").strip()
        shape = shapely.geometry.shape(feature["geometry"])
        rows.append(
            {
                "code": code or f"{fetched.item.key.split('-')[0]}-{level}-{len(rows) + 1}",
                "name": name or code or "?",
                "name_en": None,
                "rank": level,
                "geometry": shape if shape.is_valid else shapely.make_valid(shape),
            }
        )
    columns = ["code", "name", "name_en", "rank", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")


def _provenance(fetched: Sequence[Fetched]) -> Provenance:
    levels = [one.item.key.split("-")[1] for one in fetched]
    licences = [f"{a}: {one.item.licence}" for a, one in zip(levels, fetched, strict=True)]
    return Provenance(
        source="geoBoundaries (www.geoboundaries.org), release gbOpen",
        licence="; ".join(licences),
        vintage="; ".join(one.item.vintage for one in fetched),
        url_or_file=", ".join(one.item.url.partition("?")[0] for one in fetched),
        sha256=" ".join(one.sha256 for one in fetched),
        retrieved_at=max(one.retrieved_at for one in fetched),
        method="Areas with more than half of their ground in the place, whole; level 1 is the "
        "place, level 2 and 3 the next levels that cover it",
    )


def _compared(
    first: gpd.GeoDataFrame, second: gpd.GeoDataFrame, keep: bool
) -> tuple[tuple[str, ...], bool]:
    """Compare level 1, and what has the same name on the levels below."""
    notes = []
    agree = True
    taken = "geoBoundaries" if keep else "OpenStreetMap"
    for level in LEVELS:
        a, b = first[first["level"] == level], second[second["level"] == level]
        if level == LEVELS[0]:
            pairs = [(0, 0)] if len(a) and len(b) else []
        else:
            names = {zone_levels.plain_name(name): k for k, name in enumerate(b["name"])}
            pairs = [
                (k, names[zone_levels.plain_name(name)])
                for k, name in enumerate(a["name"])
                if zone_levels.plain_name(name) in names
            ]
        found = [
            (boundary_check.compare(a.geometry.iloc[i], b.geometry.iloc[j]), a["name"].iloc[i])
            for i, j in pairs
        ]
        apart = [one for one in found if not one[0].agrees]
        if not found:
            continue
        worst, name = min(found, key=lambda one: one[0].iou)
        if level == LEVELS[0]:
            agree = not apart
            said, _ = boundary_check.verdict(name, "geoBoundaries", "OpenStreetMap", worst, taken)
            notes.append(str(said))
        elif apart:
            notes.append(
                f"{len(apart)} of {len(found)} areas of level {LEVELS.index(level) + 1} that have "
                "the same name in geoBoundaries and OpenStreetMap do not agree; the worst, "
                f"{name}: {worst}"
            )
    return tuple(notes), agree


def _checked_by_outline(zones: VectorSource, place: Place, notes: tuple[str, ...]) -> Reading:
    """Compare with the outline that the user gave, where OpenStreetMap could not be asked."""
    said = "geoBoundaries could not be checked against OpenStreetMap"
    if place.outline is None:
        return Reading({"zones": zones}, notes=(*notes, said))
    frame = zones.frame
    whole = shapely.union_all(frame.geometry[frame["level"] == frame["level"].iloc[0]].to_numpy())
    found = boundary_check.compare(whole, place.outline)
    sentence, _ = boundary_check.verdict(
        place.name, "geoBoundaries", "the outline of the place", found, "geoBoundaries"
    )
    return Reading({"zones": zones}, notes=(*notes, said, str(sentence)))


SOURCE = GeoBoundaries()
