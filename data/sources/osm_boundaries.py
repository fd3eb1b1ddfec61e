"""Administrative areas of OpenStreetMap: relations with their rings, asked of Overpass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from data.errors import InputError
from data.sources import overpass, zone_levels
from data.sources.boundary_check import near
from data.sources.ingredients import VectorSource
from data.sources.osm_elements import LICENCE, Element, assemble, from_overpass
from data.sources.osm_tags import population_of
from data.sources.source import Fetched, Item, Place, Progress, Reading

TITLE = "OpenStreetMap: administrative areas, as volunteers have mapped them"

#: Relations that are asked for at once: the address must not grow too long.
RELATIONS_AT_ONCE = 200

#: Share of a relation's box that has to lie within that of the place to be looked at.
_BOX_SHARE = 0.4

#: Tags that may hold the code of an area, the best first.
CODE_TAGS = ("ISO3166-2", "ref:gso", "gso:code", "ref", "ref:nuts", "ref:INSEE")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class OsmBoundaries:
    """OpenStreetMap as a source of the layer `zones`."""

    name: str = "osm"
    title: str = TITLE
    gives: tuple[str, ...] = ("zones",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Ask which administrative areas lie in a place, without their rings.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            Queries for the rings.

        Raises
        ------
        InputError
            If nothing administrative is mapped there, or no server answers.
        """
        pieces = overpass.boxes(place.bounds, 360.0)
        asked = "".join(
            f'relation["boundary"="administrative"]["admin_level"]({overpass.box_text(box)});'
            for box in pieces
        )
        query = f"{overpass.header(timeout_s=60)}({asked});out tags bb;"
        item = overpass.query_item(self.name, "areas", query)
        document = overpass.document_of(overpass.ask(item))
        numbers = sorted(
            int(raw["id"])
            for raw in document["elements"]
            if raw.get("type") == "relation" and _may_lie_in(raw, pieces)
        )
        if not numbers:
            raise InputError(
                "{source}: no administrative area is mapped in {place}",
                source=self.title,
                place=place.name,
            )
        items = []
        for start in range(0, len(numbers), RELATIONS_AT_ONCE):
            some = ",".join(str(number) for number in numbers[start : start + RELATIONS_AT_ONCE])
            query = f"{overpass.header()}relation(id:{some});out geom;"
            items.append(overpass.query_item(self.name, "rings", query))
        return items

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items as they are: no server of Overpass tells sizes beforehand.

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
        """Bring the rings here, or find them in the cache.

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
            The answers.
        """
        return list(overpass.asked_in_turn(items, on_progress))

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Make zones of the relations that belong to a place.

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
            The layer `zones`, with the columns ``osm_id``, ``admin_level``, ``name_vi``,
            ``osm_population`` and ``osm_population_date`` beside those of its schema.

        Raises
        ------
        InputError
            If no relation has closed rings in the place.
        """
        documents = [overpass.document_of(one) for one in fetched]
        areas, notes = areas_of(from_overpass(documents), place)
        frame, more = zone_levels.arrange(areas, place)
        if not len(frame):
            raise InputError(
                "{source}: none of the areas that are mapped in {place} has closed rings and lies "
                "in it",
                source=self.title,
                place=place.name,
            )
        frame = frame.rename(columns={"rank": "admin_level"})
        vintage = overpass.vintage_of(documents)
        counted = int(frame["osm_population"].notna().sum())
        if counted:
            said = (
                f"{counted} of {len(frame)} areas have a number of inhabitants in OpenStreetMap, "
                "of different years: it is kept in the column osm_population and not used"
            )
            more = (*more, said)
        origin = overpass.provenance_of(
            fetched,
            documents,
            "Relations of administrative areas whose ways close to rings; level 1 is the place, "
            "level 2 and 3 the next levels that cover it. At coasts, areas may reach out to sea",
        )
        said = f"{TITLE}, as of {vintage}" if vintage else TITLE
        return Reading({"zones": VectorSource(frame, origin)}, notes=(said, *notes, *more))


def _may_lie_in(raw: Mapping[str, Any], pieces: Sequence[overpass.Box]) -> bool:
    bounds = raw.get("bounds")
    if not bounds:
        return True
    west, east = float(bounds["minlon"]), float(bounds["maxlon"])
    south, north = float(bounds["minlat"]), float(bounds["maxlat"])
    if east - west > 180.0 and len(pieces) > 1:
        # Across the antimeridian, its box goes around the Earth and says nothing.
        return True
    box = shapely.box(west, south, east, north)
    within = sum(box.intersection(shapely.box(*piece)).area for piece in pieces)
    return bool(within >= _BOX_SHARE * box.area)


def areas_of(elements: Sequence[Element], place: Place) -> tuple[gpd.GeoDataFrame, tuple[str, ...]]:
    """Assemble the rings of administrative relations.

    Parameters
    ----------
    elements
        Objects; others than such relations are passed over.
    place
        Where; its middle says in which turn of the Earth longitudes run.

    Returns
    -------
    tuple
        Areas for `zone_levels.arrange`, and the relations whose rings stay open, with
        the gap.
    """
    notes = []
    rows: list[dict[str, Any]] = []
    middle = (place.bounds[0] + place.bounds[2]) / 2.0
    for element in elements:
        tags = element.tags
        level = tags.get("admin_level", "")
        if element.kind != "r" or tags.get("boundary") != "administrative" or not level.isdigit():
            continue
        made = assemble(element.members)
        name = tags.get("name") or tags.get("name:vi") or tags.get("name:en") or element.key
        if made.gap_at is not None:
            gap = f"{made.gap_m:,.0f} m" if np.isfinite(made.gap_m) else "unknown length"
            kept = "it is left out" if made.area is None else "its closed rings are kept"
            notes.append(
                f"Relation {element.osm_id} ({name}) is not closed: a gap of {gap} at "
                f"{made.gap_at[0]:.5f}, {made.gap_at[1]:.5f}; {kept}"
            )
        if made.area is None or made.area.is_empty:
            continue
        start = tags.get("start_date", "")
        rows.append(
            {
                "code": _code(element),
                "name": name,
                "name_en": tags.get("name:en"),
                "name_vi": tags.get("name:vi"),
                "rank": int(level),
                "osm_id": element.key,
                "osm_population": population_of(tags.get("population")),
                "osm_population_date": tags.get("population:date"),
                "valid_from": start if _DATE.fullmatch(start) else None,
                "geometry": near(made.area, middle),
            }
        )
    columns = ["code", "name", "name_en", "name_vi", "rank", "osm_id", "osm_population"]
    columns += ["osm_population_date", "valid_from", "geometry"]
    frame = gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs="EPSG:4326")
    return frame, tuple(notes)


def _code(element: Element) -> str:
    for tag in CODE_TAGS:
        value = element.tags.get(tag, "").strip()
        if value:
            return value
    return element.key


SOURCE = OsmBoundaries()
