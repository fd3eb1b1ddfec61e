"""Small worlds in the formats of OpenStreetMap: answers of Overpass and `.osm.pbf` files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import osmium
import osmium.io
import osmium.osm.mutable as osm

STAMP = "2026-11-01T00:00:00Z"


@dataclass
class World:
    """Nodes, ways and relations, by number."""

    nodes: dict[int, tuple[float, float]] = field(default_factory=dict)
    ways: dict[int, list[int]] = field(default_factory=dict)
    relations: dict[int, list[tuple[str, int, str]]] = field(default_factory=dict)
    tags: dict[tuple[str, int], Mapping[str, str]] = field(default_factory=dict)

    def node(self, lon: float, lat: float, **tags: str) -> int:
        """Add a node."""
        number = len(self.nodes) + 1
        self.nodes[number] = (round(lon, 7), round(lat, 7))
        if tags:
            self.tags["n", number] = plain(tags)
        return number

    def way(self, points: Sequence[tuple[float, float]] | Sequence[int], **tags: str) -> int:
        """Add a way of points, or of nodes that are there."""
        number = len(self.ways) + 1
        refs = [p if isinstance(p, int) else self.node(*p) for p in points]
        if not isinstance(points[0], int) and points[0] == points[-1]:
            refs[-1] = refs[0]
        self.ways[number] = refs
        if tags:
            self.tags["w", number] = plain(tags)
        return number

    def relation(
        self, members: Sequence[tuple[str, int, str]], number: int = 0, **tags: str
    ) -> int:
        """Add a relation of (type, number, role)."""
        number = number or len(self.relations) + 1
        self.relations[number] = list(members)
        self.tags["r", number] = plain(tags)
        return number

    def square(
        self, west: float, south: float, east: float, north: float, number: int = 0, **tags: str
    ) -> int:
        """Add an administrative area of one closed way."""
        corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
        way = self.way(corners)
        return self.relation([("w", way, "outer")], number, boundary="administrative", **tags)

    def point(self, number: int) -> dict[str, float]:
        """Return a node as Overpass writes it in a geometry."""
        lon, lat = self.nodes[number]
        return {"lat": lat, "lon": lon}

    def box(self, number: int) -> tuple[float, float, float, float]:
        """Return west, south, east, north of a relation."""
        nodes = [
            self.nodes[n] for t, w, _ in self.relations[number] if t == "w" for n in self.ways[w]
        ]
        lon, lat = [n[0] for n in nodes], [n[1] for n in nodes]
        return min(lon), min(lat), max(lon), max(lat)

    def with_geometry(self, only: set[tuple[str, int]] | None = None) -> list[dict[str, Any]]:
        """Return the tagged objects as ``out geom`` does."""
        made: list[dict[str, Any]] = []
        for (kind, number), tags in sorted(self.tags.items()):
            if only is not None and (kind, number) not in only:
                continue
            if kind == "n":
                made.append({"type": "node", "id": number, **self.point(number), "tags": tags})
            elif kind == "w":
                refs = self.ways[number]
                shape = [self.point(n) for n in refs]
                made.append(
                    {"type": "way", "id": number, "nodes": refs, "geometry": shape, "tags": tags}
                )
            else:
                members = []
                for what, ref, role in self.relations[number]:
                    if what == "w":
                        shape = [self.point(n) for n in self.ways[ref]]
                        members.append({"type": "way", "ref": ref, "role": role, "geometry": shape})
                    elif what == "n":
                        members.append(
                            {"type": "node", "ref": ref, "role": role, **self.point(ref)}
                        )
                made.append({"type": "relation", "id": number, "members": members, "tags": tags})
        return made

    def in_pieces(self) -> list[dict[str, Any]]:
        """Return everything as ``out body; >; out skel`` does: geometry only in nodes."""
        names = {"n": "node", "w": "way", "r": "relation"}
        made: list[dict[str, Any]] = [
            {"type": "node", "id": n, **self.point(n)} | self._tagged("n", n) for n in self.nodes
        ]
        made += [
            {"type": "way", "id": w, "nodes": refs} | self._tagged("w", w)
            for w, refs in self.ways.items()
        ]
        for number, parts in self.relations.items():
            members = [{"type": names[t], "ref": ref, "role": role} for t, ref, role in parts]
            made.append(
                {"type": "relation", "id": number, "members": members} | self._tagged("r", number)
            )
        return made

    def _tagged(self, kind: str, number: int) -> dict[str, Any]:
        tags = self.tags.get((kind, number))
        return {"tags": tags} if tags else {}

    def boxes(self) -> list[dict[str, Any]]:
        """Return the relations as ``out tags bb`` does."""
        made = []
        for number in sorted(self.relations):
            west, south, east, north = self.box(number)
            bounds = {"minlat": south, "minlon": west, "maxlat": north, "maxlon": east}
            made.append(
                {
                    "type": "relation",
                    "id": number,
                    "bounds": bounds,
                    "tags": self.tags["r", number],
                }
            )
        return made

    def write_pbf(self, path: Path, *, stamp: str = STAMP) -> Path:
        """Write a true `.osm.pbf` file."""
        header = osmium.io.Header()
        if stamp:
            header.set("osmosis_replication_timestamp", stamp)
        with osmium.SimpleWriter(str(path), header=header, overwrite=True) as out:
            for number, place in sorted(self.nodes.items()):
                out.add_node(
                    osm.Node(id=number, location=place, tags=self.tags.get(("n", number), {}))
                )
            for number, refs in sorted(self.ways.items()):
                out.add_way(osm.Way(id=number, nodes=refs, tags=self.tags.get(("w", number), {})))
            for number, parts in sorted(self.relations.items()):
                out.add_relation(
                    osm.Relation(id=number, members=parts, tags=self.tags.get(("r", number), {}))
                )
        return path


def plain(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with colons in place of double underscores in their keys."""
    return {key.replace("__", ":"): value for key, value in tags.items()}


def answer(elements: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    """Return an answer of Overpass."""
    return json.dumps(
        {
            "version": 0.6,
            "generator": "Overpass API 0.7.62",
            "osm3s": {"timestamp_osm_base": STAMP, "copyright": "OpenStreetMap, ODbL"},
            "elements": list(elements),
            **more,
        }
    ).encode()
