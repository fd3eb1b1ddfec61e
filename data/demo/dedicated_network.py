"""A synthetic dedicated data network: a data centre, departments, seats of zones, their links.

No real network is described. Seats of communes stand where offices are known, else
inside their zones; who is connected, when and by whom is drawn. Providers "A" and "B"
are the invented owners of the fibre network. Some links run alone, some share a duct,
some lack the figures of their contract, as in inventories.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from data.schema import LIST_SEPARATOR
from data.study_area import finest_zones

FloatArray = NDArray[np.float64]

#: Agencies of a province around 2020, without the data centre: "about 19 or 20" by the reports.
AGENCIES = (
    "Văn phòng UBND tỉnh",
    "Văn phòng HĐND tỉnh",
    "Sở Nội vụ",
    "Sở Tư pháp",
    "Sở Kế hoạch và Đầu tư",
    "Sở Tài chính",
    "Sở Công Thương",
    "Sở Nông nghiệp và Phát triển nông thôn",
    "Sở Giao thông vận tải",
    "Sở Xây dựng",
    "Sở Tài nguyên và Môi trường",
    "Sở Thông tin và Truyền thông",
    "Sở Lao động - Thương binh và Xã hội",
    "Sở Văn hóa, Thể thao và Du lịch",
    "Sở Khoa học và Công nghệ",
    "Sở Giáo dục và Đào tạo",
    "Sở Y tế",
    "Thanh tra tỉnh",
    "Ban Quản lý các khu công nghiệp",
)

#: Districts of Hà Nam with rooms for conferences. An assumption: of the choices of four districts
#: it is the one for which "communes and district seats" add up to the 78 endpoints reported.
CONFERENCE_DISTRICTS = ("347", "349", "351", "353")

#: First day of the communes where the zones do not say it.
_FIRST_DAY = dt.date(2025, 7, 1)

#: Shares of the communes that are connected, and that are planned.
_CONNECTED, _PLANNED = 0.58, 0.33

#: Communes for one node that gathers them.
_COMMUNES_PER_NODE = 6.0

#: What stands at a connected site by its role, by general knowledge of such networks.
_EQUIPMENT = {
    "hub": "Bộ định tuyến lõi; Tường lửa; Bộ chuyển mạch",
    "aggregation": "Bộ định tuyến; Bộ chuyển mạch",
    "access": "Bộ định tuyến",
}

#: What endpoints of conferences have besides.
_ENDPOINT_EQUIPMENT = {"hub": "Cầu hội nghị (MCU)", "": "Thiết bị hội nghị truyền hình"}

#: How far a site may be from a fibre node of its provider for a route. [m]
_REACH_M = 3_000.0

#: Price of a month of a leased link by its capacity: an invented rule. [VND]
_PRICE = {10.0: 900_000.0, 20.0: 1_200_000.0, 50.0: 2_000_000.0, 100.0: 3_000_000.0}


@dataclass(frozen=True, eq=False)
class DedicatedNetwork:
    """A dedicated data network.

    Parameters
    ----------
    sites, links
        Layers `network_sites` and `network_links`.
    """

    sites: gpd.GeoDataFrame
    links: pd.DataFrame


def make_dedicated_network(
    zones: gpd.GeoDataFrame,
    rng: np.random.Generator,
    *,
    offices: gpd.GeoDataFrame | None = None,
    fibre_segments: gpd.GeoDataFrame | None = None,
) -> DedicatedNetwork:
    """Return a synthetic dedicated data network.

    Parameters
    ----------
    zones
        Layer `zones` in a metric CRS; its finest zones get a site each.
    rng
        Source of randomness.
    offices
        Layer `offices`, for the places of the seats; None where there is none.
    fibre_segments
        Layer, for the routes of links; None leaves routes empty.

    Returns
    -------
    DedicatedNetwork
        Layers in the CRS of the zones.
    """
    work = _Work(zones, rng, offices)
    hub = work.centre()
    work.agencies(hub)
    nodes = work.districts(hub)
    work.communes(hub, nodes)
    routes = _Routes(fibre_segments)
    for link in work.links:
        if link["medium"] == "fibre":
            ends = [work.sites[work.number[str(link[name])]]["xy"] for name in _ENDS]
            link["route"] = routes.between(str(link["provider"]), *ends)
    return _layers(work.sites, work.links, zones.crs)


_ENDS = ("from_site", "to_site")


class _Work:
    """A network while it is made."""

    def __init__(
        self,
        zones: gpd.GeoDataFrame,
        rng: np.random.Generator,
        offices: gpd.GeoDataFrame | None,
    ) -> None:
        self.rng = rng
        self.zones = zones.reset_index(drop=True)
        self.finest = finest_zones(self.zones).reset_index(drop=True)
        self.outline = shapely.union_all(self.finest.geometry.to_numpy())
        shapely.prepare(self.outline)
        self.xy = _seats(self.finest, offices)
        area_km2 = self.finest.geometry.area.to_numpy() / 1e6
        people = self.finest["population"].astype(float).fillna(0.0).to_numpy()
        self.density = people / np.maximum(area_km2, 1e-6)
        self.first = int(np.argmax(self.density)) if len(self.finest) else 0
        self.sites: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self.number: dict[str, int] = {}

    def site(self, **values: Any) -> str:
        """Add a site and return its identifier."""
        name = f"NS{len(self.sites) + 1:04d}"
        self.number[name] = len(self.sites)
        self.sites.append({"site_id": name, "equipment": _equipment(values), **values})
        return name

    def link(self, start: str, end: str, provider: str, capacity: float, **values: Any) -> None:
        """Add a link with the figures of its contract, of which some are missing."""
        draw = self.rng.random(4)
        medium = values.pop("medium", "fibre")
        usual = {"fibre": 99.9, "microwave": 99.7, "copper": 99.0, "mobile": 98.5}[medium]
        least = 25.0 if medium == "mobile" else 0.5
        known = draw[0] > 0.05
        self.links.append(
            {
                "link_id": f"NL{len(self.links) + 1:04d}",
                "from_site": start,
                "to_site": end,
                "provider": provider,
                "medium": medium,
                "ownership": values.pop("ownership", "leased"),
                "capacity_mbps": capacity,
                "availability_percent": usual if known else math.nan,
                "delay_ms": round(least + 3.0 * draw[1], 1) if known else math.nan,
                "loss_percent": round(0.01 + 0.05 * draw[2], 3) if known else math.nan,
                "cost_month": _PRICE.get(capacity, 30_000.0 * capacity),
                "status": "existing",
                "removed_on": None,
                "route": None,
                **values,
            }
        )

    def near(self, centre: FloatArray, reach_m: float) -> FloatArray:
        """Return a place near another one, and in the area if that is."""
        angle, far = 2.0 * math.pi * self.rng.random(), reach_m * math.sqrt(self.rng.random())
        way = far * np.array([math.cos(angle), math.sin(angle)])
        for part in (1.0, 0.5, 0.25, 0.125):
            if shapely.intersects_xy(self.outline, *(centre + part * way)):
                return np.asarray(centre + part * way)
        return centre

    def centre(self) -> str:
        """Add the data centre, in the densest zone."""
        zone = self.zones[self.zones["level"] == "province"]
        return self.site(
            name="Trung tâm dữ liệu tỉnh",
            agency="Sở Thông tin và Truyền thông",
            level="province",
            zone_code=zone["code"].iloc[0] if len(zone) else None,
            role="hub",
            status="connected",
            connected_on="2018-06-01",
            lan=True,
            video_conference=True,
            bandwidth_mbps=1000.0,
            criticality=5.0,
            xy=self.near(self.xy[self.first], 400.0),
        )

    def agencies(self, hub: str) -> None:
        """Add the agencies of the province around the data centre; all are connected."""
        count = len(AGENCIES) if len(self.finest) >= 10 else max(1, min(len(self.finest), 6))
        code = self.sites[0]["zone_code"]
        for k, name in enumerate(AGENCIES[:count]):
            day = dt.date(2018, 9, 1) + dt.timedelta(days=int(self.rng.integers(0, 480)))
            important = k < 2
            site = self.site(
                name=name,
                agency=name,
                level="province",
                zone_code=code,
                role="access",
                status="connected",
                connected_on=day.isoformat(),
                lan=True,
                video_conference=bool(important or self.rng.random() < 0.3),
                bandwidth_mbps=float(self.rng.choice([20.0, 50.0])),
                criticality=4.0 if important else 3.0,
                xy=self.near(self.sites[0]["xy"], 1_200.0),
            )
            self.link(hub, site, "A", 100.0, ownership="own", connected_on=day.isoformat())
            if important:
                self.link(hub, site, "B", 50.0, connected_on=day.isoformat())

    def districts(self, hub: str) -> dict[int, str]:
        """Add the seats of districts, for as long as these are there.

        Returns
        -------
        dict
            Position of a commune -> district that it lies in.
        """
        rows = self.zones[self.zones["level"] == "district"]
        inside: dict[int, str] = {}
        if not len(rows) or (self.finest["level"] == "district").all():
            return inside
        centres = self.finest.geometry.representative_point().to_numpy()
        known = set(CONFERENCE_DISTRICTS) & set(rows["code"])
        for k, zone in enumerate(rows.itertuples()):
            mine = np.flatnonzero(shapely.intersects(zone.geometry, centres))
            inside.update({int(position): str(zone.code) for position in mine})
            if len(mine):
                seat = self.xy[mine[np.argmax(self.density[mine])]]
            else:
                seat = shapely.get_coordinates(zone.geometry.representative_point())[0]
            day = dt.date(2018, 9, 1) + dt.timedelta(days=int(self.rng.integers(0, 300)))
            ends = zone.valid_to if isinstance(zone.valid_to, str) else None
            site = self.site(
                name=f"UBND {_small(zone.name)}",
                agency=f"UBND {_small(zone.name)}",
                level="district",
                zone_code=zone.code,
                role="aggregation",
                status="connected",
                connected_on=day.isoformat(),
                valid_to=ends,
                lan=True,
                video_conference=bool(zone.code in known if known else k % 3 != 2),
                bandwidth_mbps=50.0,
                criticality=4.0,
                xy=self.near(seat, 300.0),
            )
            gone = None if ends is None else _day_after(ends)
            self.link(
                hub,
                site,
                "A",
                100.0,
                connected_on=day.isoformat(),
                status="existing" if gone is None else "removed",
                removed_on=gone,
            )
        return inside

    def communes(self, hub: str, district_of: dict[int, str]) -> None:
        """Add the seats of the finest zones: nodes that gather others, then the others."""
        count = len(self.finest)
        if not count:
            return
        nodes = self.chosen_nodes(district_of)
        order = [k for k in self.rng.permutation(count).tolist() if k not in nodes]
        connected = max(len(nodes), round(_CONNECTED * count)) - len(nodes)
        planned = round(_PLANNED * count)
        status = dict.fromkeys(nodes, "connected")
        status |= dict.fromkeys(order[:connected], "connected")
        status |= dict.fromkeys(order[connected : connected + planned], "planned")
        names = {k: self.commune(k, status.get(k, "none"), k in nodes, district_of) for k in nodes}
        self.backbone(hub, nodes, names)
        by_day: list[tuple[str, str]] = []
        for k in range(count):
            if k in nodes:
                continue
            site = names[k] = self.commune(k, status.get(k, "none"), False, district_of)
            row = self.sites[self.number[site]]
            day = row["connected_on"] or row["planned_on"]
            if row["status"] != "none":
                near = min(nodes, key=lambda node: float(np.hypot(*(self.xy[node] - self.xy[k]))))
                self.access(names[near], site, str(row["status"]), str(day), len(by_day))
                by_day.append((str(day), site))

    def chosen_nodes(self, district_of: dict[int, str]) -> list[int]:
        """Return the zones whose seats gather others, the densest ones, away from each other."""
        if district_of:
            groups: dict[str, list[int]] = {}
            for position, code in sorted(district_of.items()):
                groups.setdefault(code, []).append(position)
            return [max(group, key=lambda k: self.density[k]) for group in groups.values()]
        wanted = max(1, round(len(self.finest) / _COMMUNES_PER_NODE))
        spacing = math.sqrt(float(self.finest.geometry.area.sum()) / wanted)
        order = np.argsort(-self.density, kind="stable").tolist()
        while True:
            chosen: list[int] = []
            for k in order:
                far = all(np.hypot(*(self.xy[k] - self.xy[other])) >= spacing for other in chosen)
                if far and len(chosen) < wanted:
                    chosen.append(k)
            if len(chosen) == wanted:
                return chosen
            spacing *= 0.8

    def commune(
        self, position: int, status: str, is_node: bool, district_of: dict[int, str]
    ) -> str:
        """Add the seat of a zone."""
        zone = self.finest.iloc[position]
        given = zone["valid_from"]
        first = dt.date.fromisoformat(given) if isinstance(given, str) else _FIRST_DAY
        draw = self.rng.random(4)
        late = 0 if is_node else int(150 * draw[0])
        quarter = int(draw[1] * 8)
        planned = dt.date(first.year + 1 + quarter // 4, 3 * (quarter % 4) + 3, 1)
        planned = (planned + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
        is_connected = status == "connected"
        room = district_of.get(position)
        rooms = draw[2] < 0.67 if room is None else room in CONFERENCE_DISTRICTS
        return self.site(
            name=f"UBND {_small(zone['name'])}",
            agency=f"UBND {_small(zone['name'])}",
            level=str(zone["level"]),
            zone_code=zone["code"],
            role="aggregation" if is_node else "access",
            status=status,
            connected_on=(first + dt.timedelta(days=late)).isoformat() if is_connected else None,
            planned_on=planned.isoformat() if status == "planned" else None,
            valid_from=first.isoformat(),
            lan=bool(is_connected or draw[3] < 0.85),
            video_conference=bool(is_connected and rooms),
            bandwidth_mbps=200.0 if is_node else 100.0,
            criticality=4.0 if is_node else float(2 + (draw[3] > 0.5)),
            xy=self.xy[position],
        )

    def backbone(self, hub: str, nodes: list[int], names: dict[int, str]) -> None:
        """Link the gathering nodes to the data centre, most of them also to the next one."""
        for k in nodes:
            day = str(self.sites[self.number[names[k]]]["connected_on"])
            self.link(hub, names[k], "A", 1000.0, connected_on=day)
        centre = self.sites[0]["xy"]
        ring = sorted(nodes, key=lambda k: math.atan2(*(self.xy[k] - centre)[::-1]))
        # The last of the round is left with one link, so that there is something to find.
        for start, end in itertools.pairwise(ring[:-1]):
            day = str(self.sites[self.number[names[start]]]["connected_on"])
            self.link(names[start], names[end], "B", 1000.0, connected_on=day)

    def access(self, node: str, site: str, status: str, day: str, number: int) -> None:
        """Link a seat to its node; one in seven by copper or radio, one in five twice."""
        provider = "A" if self.rng.random() < 0.62 else "B"
        values: dict[str, Any] = {
            "connected_on": day,
            "status": "existing" if status == "connected" else "planned",
        }
        if status == "connected" and number % 14 == 5:
            self.link(node, site, provider, 10.0, medium="copper", **values)
        elif status == "connected" and number % 14 == 11:
            self.link(node, site, provider, 50.0, medium="microwave", ownership="own", **values)
        else:
            capacity = 200.0 if status == "planned" or number % 3 == 0 else 100.0
            self.link(node, site, provider, capacity, **values)
        if status == "connected" and number % 5 == 2:
            other = "B" if provider == "A" else "A"
            self.link(node, site, other, 20.0, medium="mobile", **values)


def _seats(finest: gpd.GeoDataFrame, offices: gpd.GeoDataFrame | None) -> FloatArray:
    """Return a place for every zone: its office where one is known, else a point inside it."""
    points = finest.representative_point()
    xy = np.column_stack([points.x.to_numpy(), points.y.to_numpy()])
    if offices is not None and len(offices):
        known = offices.dropna(subset=["zone_code"]).drop_duplicates("zone_code")
        place = dict(zip(known["zone_code"], known.geometry.to_crs(finest.crs), strict=True))
        for k, code in enumerate(finest["code"]):
            if code in place:
                xy[k] = place[code].x, place[code].y
    return xy


def _small(name: object) -> str:
    text = str(name)
    return text[:1].lower() + text[1:]


def _day_after(day: str) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat()


class _Routes:
    """Ways through the fibre of each owner."""

    def __init__(self, segments: gpd.GeoDataFrame | None) -> None:
        self._owners: dict[str, tuple[nx.Graph, cKDTree]] = {}
        self._ways: dict[tuple[str, int], dict[int, list[int]]] = {}
        if segments is None:
            return
        cables = segments[segments["cores"].notna() & (segments["status"] == "existing")]
        for owner, rows in cables.groupby("owner", sort=True):
            lines = rows.geometry.to_numpy()
            starts = shapely.get_coordinates([_end(line, 0) for line in lines])
            stops = shapely.get_coordinates([_end(line, -1) for line in lines])
            ends = np.round(np.vstack([starts, stops]), 1)
            places, at = np.unique(ends, axis=0, return_inverse=True)
            at = at.reshape(2, -1)
            graph = nx.Graph()
            for a, b, length, name in zip(
                at[0].tolist(),
                at[1].tolist(),
                shapely.length(lines).tolist(),
                rows["segment_id"],
                strict=True,
            ):
                if a != b and length < graph.get_edge_data(a, b, {"weight": math.inf})["weight"]:
                    graph.add_edge(a, b, weight=length, name=name)
            self._owners[str(owner)] = (graph, cKDTree(places))

    def between(self, owner: str, start: FloatArray, end: FloatArray) -> str | None:
        """Return the segments between two places, None where the owner has no way."""
        if owner not in self._owners:
            return None
        graph, tree = self._owners[owner]
        far, near = tree.query(np.vstack([start, end]))
        if far.max() > _REACH_M:
            return None
        a, b = (int(node) for node in near)
        if (owner, a) not in self._ways:
            reached: dict[int, list[int]] = {}
            if a in graph:
                reached = nx.single_source_dijkstra_path(graph, a, weight="weight")
            self._ways[owner, a] = reached
        way = self._ways[owner, a].get(b)
        if way is None or len(way) < 2:
            return None
        names = [graph.edges[i, j]["name"] for i, j in itertools.pairwise(way)]
        return LIST_SEPARATOR.join(names)


def _equipment(site: dict[str, Any]) -> str | None:
    """Return what stands at a site, None where it is not connected."""
    if site["status"] != "connected":
        return None
    role = site["role"]
    if not site["video_conference"]:
        return _EQUIPMENT[role]
    more = _ENDPOINT_EQUIPMENT.get(role, _ENDPOINT_EQUIPMENT[""])
    return f"{_EQUIPMENT[role]}; {more}"


def _end(line: Any, which: int) -> shapely.Point:
    part = shapely.get_geometry(line, which) if line.geom_type == "MultiLineString" else line
    return shapely.get_point(part, which)


_SITE_COLUMNS = (
    "site_id", "name", "agency", "level", "zone_code", "address", "role", "status",
    "connected_on", "planned_on", "valid_from", "valid_to", "lan", "video_conference",
    "bandwidth_mbps", "criticality", "equipment", "xy",
)  # fmt: skip
_LINK_COLUMNS = (
    "link_id", "from_site", "to_site", "provider", "medium", "ownership", "capacity_mbps",
    "availability_percent", "delay_ms", "loss_percent", "cost_month", "status", "connected_on",
    "removed_on", "route",
)  # fmt: skip


def _layers(sites: list[dict[str, Any]], links: list[dict[str, Any]], crs: Any) -> DedicatedNetwork:
    points = pd.DataFrame(sites, columns=list(_SITE_COLUMNS))
    xy = np.round(np.array(points.pop("xy").tolist(), dtype=float).reshape(-1, 2), 1)
    frame = gpd.GeoDataFrame(points, geometry=gpd.points_from_xy(xy[:, 0], xy[:, 1]), crs=crs)
    return DedicatedNetwork(frame, pd.DataFrame(links, columns=list(_LINK_COLUMNS)))
