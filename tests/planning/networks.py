"""Small dedicated networks for the tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from hypothesis import strategies as st
from shapely.geometry import Point, box

from data import schema
from planning.dedicated_network import Inventory

CRS = "EPSG:32648"


def sites(rows: Sequence[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Return sites in their stored form; what a row does not say is usual."""
    usual = {
        "level": "commune", "status": "connected", "role": "access", "connected_on": "2021-01-01",
        "lan": True, "video_conference": False, "criticality": 3.0, "bandwidth_mbps": 100.0,
    }  # fmt: skip
    table = pd.DataFrame([usual | {"site_id": f"S{k}"} | row for k, row in enumerate(rows)])
    points = [Point(*row.get("at", (100.0 * k, 50.0))) for k, row in enumerate(rows)]
    frame = gpd.GeoDataFrame(
        table.drop(columns="at", errors="ignore"), geometry=points, crs=CRS
    ).astype({"criticality": float})
    return schema.validate("network_sites", frame)


def links(rows: Sequence[dict[str, Any]], at: gpd.GeoDataFrame | None = None) -> pd.DataFrame:
    """Return links in their stored form."""
    usual = {"medium": "fibre", "provider": "A", "capacity_mbps": 100.0, "status": "existing"}
    if not rows:
        return schema.empty_frame("network_links")
    table = pd.DataFrame([usual | {"link_id": f"L{k}"} | row for k, row in enumerate(rows)])
    context = {} if at is None else {"network_sites": at}
    return schema.validate("network_links", table, context=context)


def zones() -> gpd.GeoDataFrame:
    """Return a province of two districts until 2024 and of three communes since 2025."""
    frame = gpd.GeoDataFrame(
        {
            "code": ["P", "D1", "D2", "C1", "C2", "C3"],
            "name": ["Tỉnh", "Huyện Một", "Huyện Hai", "Xã Một", "Xã Hai", "Xã Ba"],
            "level": ["province", "district", "district", "commune", "commune", "commune"],
            "parent_code": [None, "P", "P", "P", "P", "P"],
            "valid_from": [None, None, None, "2025-01-01", "2025-01-01", "2025-01-01"],
            "valid_to": [None, "2024-12-31", "2024-12-31", None, None, None],
        },
        geometry=[
            box(0, 0, 3000, 1000),
            box(0, 0, 1500, 1000),
            box(1500, 0, 3000, 1000),
            box(0, 0, 1000, 1000),
            box(1000, 0, 2000, 1000),
            box(2000, 0, 3000, 1000),
        ],
        crs=CRS,
    )
    return schema.validate("zones", frame)


DAYS = [(dt.date(2019, 1, 1) + dt.timedelta(days=61 * k)).isoformat() for k in range(48)]


@st.composite
def inventories(draw: st.DrawFn, *, with_ends: bool = True) -> Inventory:
    """Draw an inventory of up to twelve sites whose days are in order."""
    count = draw(st.integers(0, 12))
    rows: list[dict[str, Any]] = []
    for k in range(count):
        first = draw(st.sampled_from([None, *range(20)])) if with_ends else None
        last = draw(st.sampled_from([None, *range(30, 48)])) if with_ends else None
        inside = DAYS[(first or 0) : 48 if last is None else last + 1]
        status = draw(st.sampled_from(["connected", "planned", "none"]))
        day = draw(st.sampled_from([None, *inside]))
        rows.append(
            {
                "site_id": f"S{k}",
                "level": draw(st.sampled_from(schema.SITE_LEVELS)),
                "zone_code": draw(st.sampled_from([None, "P", "D1", "C1", "C3", "unknown"])),
                "role": "hub" if k == 0 else "access",
                "status": status,
                "connected_on": day if status == "connected" else None,
                "planned_on": day if status == "planned" else None,
                "valid_from": None if first is None else DAYS[first],
                "valid_to": None if last is None else DAYS[last],
                "lan": draw(st.booleans()),
                "video_conference": draw(st.booleans()),
                "bandwidth_mbps": draw(st.sampled_from([np.nan, 50.0, 200.0])),
                "at": (draw(st.integers(-200, 3200)), draw(st.integers(1, 999))),
            }
        )
    ends = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=2 * count
        )
        if count
        else st.just([])
    )
    lines = [
        {
            "from_site": f"S{a}",
            "to_site": f"S{b}",
            "provider": draw(st.sampled_from([None, "A", "B"])),
            "capacity_mbps": draw(st.sampled_from([np.nan, 10.0, 100.0])),
            "status": draw(st.sampled_from(schema.MAST_STATUSES)),
            "connected_on": draw(st.sampled_from([None, *DAYS[:24]])),
            "removed_on": draw(st.sampled_from([None, *DAYS[24:]])),
            "route": draw(st.sampled_from([None, "F1", "F1;F2", "F2"])),
        }
        for a, b in ends
        if a != b
    ]
    if not count:
        frame = gpd.GeoDataFrame(schema.empty_frame("network_sites", CRS))
        return Inventory(frame, links([]), zones())
    return Inventory(sites(rows), links(lines), zones())
