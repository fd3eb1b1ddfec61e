"""The annexes of a passive-infrastructure plan: masts, cable routes, sharing.

The pattern is that of provincial plans under Circular 14/2013/TT-BTTTT: every mast with
its class, owner and commune; every route with how it is laid, its owner, road and
length; the rate of underground routes.
"""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from data.errors import message
from planning import names
from planning.reports import maps, sharing, words
from planning.reports.inputs import PARTS, Inputs
from planning.reports.model import (
    Block,
    Column,
    Note,
    Number,
    Paragraph,
    Section,
    Share,
    Table,
    Text,
    Value,
)

#: How far the middle of a stretch may lie from the road that it follows. [m]
ROAD_REACH_M = 30.0

UNDERGROUND = ("duct", "buried")


def section(inputs: Inputs) -> Section:
    """Return the annexes.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Masts, cable routes and sharing, each with what is missing.
    """
    parts = [_masts(inputs), _cables(inputs)]
    if "sharing" not in inputs.parts:
        note = Note(words.not_computed(sharing.NOT_ASKED))
        parts.append(Section("annex_sharing", PARTS["sharing"], (note,)))
    return Section(
        "annexes",
        PARTS["annexes"],
        (
            Paragraph(
                message(
                    "State of the passive infrastructure by category, as a provincial plan "
                    "lists it."
                )
            ),
        ),
        tuple(parts),
    )


# Masts


def _masts(inputs: Inputs) -> Section:
    title = message("Antenna masts")
    masts = inputs.layer("masts")
    if masts is None:
        reason = message("the workspace has no masts")
        return Section("annex_masts", title, (Note(words.not_computed(reason)),))
    masts["commune"] = inputs.commune_names(masts.geometry)
    cells = inputs.layer("cells")
    blocks: list[Block] = [_masts_by_class(masts), maps.masts(inputs), _masts_by_commune(masts)]
    if cells is not None:
        blocks.append(_tenants(masts, cells))
    blocks.append(_mast_list(masts, cells))
    return Section("annex_masts", title, tuple(blocks))


def _classes(masts: pd.DataFrame) -> list[str]:
    return sorted(masts["mast_class"].fillna("").unique())


def _pivot(masts: pd.DataFrame, by: str) -> list[tuple[Value, ...]]:
    """Count masts by a column and class, with sums at the end of rows and in the last row."""
    classes = _classes(masts)
    counts = pd.crosstab(masts[by].fillna(""), masts["mast_class"].fillna(""))
    counts = counts.reindex(columns=classes, fill_value=0)
    shared = masts["shareable"].astype(bool).groupby(masts[by].fillna("")).sum()
    rows: list[tuple[Value, ...]] = [
        (
            str(name) or words.NOT_STATED,
            *(int(counts.loc[name, each]) for each in classes),
            int(counts.loc[name].sum()),
            int(shared[name]),
        )
        for name in counts.index
    ]
    rows.append(
        (
            words.ALL,
            *(int(counts[each].sum()) for each in classes),
            len(masts),
            int(shared.sum()),
        )
    )
    return rows


def _class_columns(masts: pd.DataFrame, key: str, title: Text, width: float) -> tuple[Column, ...]:
    return (
        Column(key, title, width=width),
        *(
            Column(name or "not_stated", name or words.NOT_STATED, "number", 0)
            for name in _classes(masts)
        ),
        Column("total", words.ALL, "number", 0),
        Column("shareable", message("Shareable"), "number", 0, width=1.2),
    )


def _masts_by_class(masts: pd.DataFrame) -> Table:
    return Table(
        "masts_by_owner",
        message("Antenna masts by owner and class"),
        _class_columns(masts, "owner", message("Owner"), 1.6),
        tuple(_pivot(masts, "owner")),
        message(
            "Classes of Vietnamese planning rules: A1a and A1b are not bulky, A2a bulky on a "
            "building, A2b bulky on the ground, A2c other bulky masts."
        ),
        totals=1,
    )


def _masts_by_commune(masts: pd.DataFrame) -> Table:
    return Table(
        "masts_by_commune",
        message("Antenna masts by commune and class"),
        _class_columns(masts, "commune", message("Commune or ward"), 2.0),
        tuple(_pivot(masts, "commune")),
        totals=1,
    )


def _tenants(masts: pd.DataFrame, cells: pd.DataFrame) -> Table:
    operators = cells.groupby("mast_id")["operator"].nunique()
    there = masts[masts["status"] == "existing"]
    count = there["mast_id"].map(operators).fillna(0).astype(int)
    rows: list[tuple[Value, ...]] = [
        (int(number), int((count == number).sum()), float((count == number).mean()))
        for number in sorted(count.unique())
    ]
    shared = int((count >= 2).sum())
    return Table(
        "masts_by_tenants",
        message("Masts in operation by the number of operators on them"),
        (
            Column("operators", message("Operators on the mast"), "number", 0),
            Column("masts", message("Masts"), "number", 0),
            Column("share", message("Share"), "share"),
        ),
        tuple(rows),
        message(
            "Sharing rate: {shared} of {count} masts ({share}) carry two operators or more.",
            shared=Number(shared),
            count=Number(len(count)),
            share=Share(shared / len(count) if len(count) else None),
        ),
    )


def _mast_list(masts: gpd.GeoDataFrame, cells: pd.DataFrame | None) -> Table:
    degrees = masts.geometry.to_crs("EPSG:4326")
    operators: dict[str, str] = {}
    if cells is not None:
        for mast, own in cells.groupby("mast_id")["operator"]:
            operators[str(mast)] = ", ".join(sorted(set(own)))
    rows = tuple(
        (
            str(row.mast_id),
            _text(row.name),
            _text(row.commune),
            _text(row.mast_class),
            _text(row.owner),
            float(row.height_m),
            words.named(names.STATUSES, row.status),
            operators.get(str(row.mast_id)),
            float(place.y),
            float(place.x),
        )
        for row, place in zip(masts.itertuples(index=False), degrees, strict=True)
    )
    return Table(
        "masts",
        message("List of antenna masts"),
        (
            Column("mast_id", message("Mast"), width=1.0),
            Column("name", message("Name or address"), width=2.2),
            Column("commune", message("Commune or ward"), width=1.8),
            Column("mast_class", message("Class"), width=0.7),
            Column("owner", message("Owner"), width=1.0),
            Column("height_m", message("Height, m"), "number", 1, width=0.9),
            Column("status", message("State"), width=1.2),
            Column("operators", message("Operators on it"), width=1.2),
            Column("latitude", message("Latitude"), "number", 5, width=1.1),
            Column("longitude", message("Longitude"), "number", 5, width=1.2),
        ),
        rows,
        wide=True,
    )


def _text(value: object) -> str | None:
    return None if value is None or value is pd.NA or value != value else str(value)


# Cable routes


def _cables(inputs: Inputs) -> Section:
    title = message("Cable routes")
    segments = inputs.layer("fibre_segments")
    if segments is None:
        reason = message("the workspace has no cable routes")
        return Section("annex_cables", title, (Note(words.not_computed(reason)),))
    segments = segments.assign(owner=segments["owner"].fillna(""))
    pieces = _within_communes(segments, inputs.communes)
    blocks: list[Block] = []
    if "route_class" not in segments.columns:
        blocks.append(
            Note(
                message(
                    "The layer does not say which pole lines and ducts are shared with other "
                    "sectors (C2, N2) and which are for telecom only (C1, N1); a column "
                    "route_class with these values would be shown."
                )
            )
        )
    blocks += [
        _cables_by_owner(segments),
        maps.cables(inputs),
        _cables_by_commune(pieces),
        _route_list(pieces, inputs),
    ]
    return Section("annex_cables", title, tuple(blocks))


def _types(segments: pd.DataFrame) -> list[str]:
    """Return the ways in which cable is laid, those on poles first."""
    present = set(segments["segment_type"])
    return [name for name in words.SEGMENT_TYPES if name in present]


def _length_rows(frame: pd.DataFrame, by: str) -> list[tuple[Value, ...]]:
    types = _types(frame)
    length = frame.assign(km=frame.length / 1000.0).pivot_table(
        index=by, columns="segment_type", values="km", aggfunc="sum", fill_value=0.0
    )

    def row(name: Text, kilometres: pd.Series) -> tuple[Value, ...]:
        total = float(kilometres.sum())
        below = float(sum(kilometres[each] for each in types if each in UNDERGROUND))
        return (
            name,
            *(float(kilometres[each]) for each in types),
            total,
            below / total if total else None,
        )

    rows = [row(str(name) or words.NOT_STATED, length.loc[name]) for name in length.index]
    return [*rows, row(words.ALL, length.sum())]


def _length_columns(frame: pd.DataFrame, key: str, title: Text) -> tuple[Column, ...]:
    return (
        Column(key, title, width=1.8),
        *(
            Column(
                f"{name}_km",
                message("{kind}, km", kind=words.SEGMENT_TYPES[name]),
                "number",
                1,
                width=1.4,
            )
            for name in _types(frame)
        ),
        Column("total_km", message("Total, km"), "number", 1),
        Column("underground", message("Share underground"), "share", width=1.2),
    )


def _cables_by_owner(segments: gpd.GeoDataFrame) -> Table:
    return Table(
        "cables_by_owner",
        message("Length of cable routes by owner and how they are laid"),
        _length_columns(segments, "owner", message("Owner")),
        tuple(_length_rows(segments, "owner")),
        message(
            "Share underground: kilometres in ducts or buried over all kilometres. Routes of all "
            "stages of life."
        ),
        totals=1,
    )


def _cables_by_commune(pieces: gpd.GeoDataFrame) -> Table:
    return Table(
        "cables_by_commune",
        message("Length of cable routes by commune"),
        _length_columns(pieces, "commune", message("Commune or ward")),
        tuple(_length_rows(pieces, "commune")),
        message("Only what lies within the communes."),
        totals=1,
    )


def _within_communes(segments: gpd.GeoDataFrame, communes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Cut the stretches at the borders of communes."""
    named = communes[["name", "geometry"]].rename(columns={"name": "commune"})
    pieces = gpd.overlay(segments, named, how="intersection", keep_geom_type=True)
    return gpd.GeoDataFrame(pieces.explode(index_parts=False).reset_index(drop=True))


def road_names(pieces: gpd.GeoDataFrame, roads: gpd.GeoDataFrame | None) -> list[Text | None]:
    """Return the road that each stretch follows.

    Parameters
    ----------
    pieces
        Stretches of cable.
    roads
        Layer `roads`, or None.

    Returns
    -------
    list
        Name of the nearest road within `ROAD_REACH_M` of the middle of each stretch, its
        class where it has no name, None without a road.
    """
    if roads is None or not len(roads):
        return [None] * len(pieces)
    middle = gpd.GeoDataFrame(
        geometry=pieces.geometry.interpolate(0.5, normalized=True), crs=pieces.crs
    ).reset_index(drop=True)
    near = gpd.sjoin_nearest(
        middle, roads[["name", "road_class", "geometry"]], max_distance=ROAD_REACH_M
    )
    near = near[~near.index.duplicated()]
    found: list[Text | None] = []
    for position in range(len(pieces)):
        if position not in near.index:
            found.append(None)
            continue
        name = _text(near.loc[position, "name"])
        found.append(name or words.named(words.ROAD_CLASSES, near.loc[position, "road_class"]))
    return found


def _route_list(pieces: gpd.GeoDataFrame, inputs: Inputs) -> Table:
    roads = inputs.layer("roads")
    along = road_names(pieces, roads)
    texts = {str(name): name for name in along if name is not None}
    frame = pd.DataFrame(
        {
            "commune": pieces["commune"],
            "road": ["" if name is None else str(name) for name in along],
            "segment_type": pieces["segment_type"],
            "route_class": pieces["route_class"].fillna("") if "route_class" in pieces else "",
            "owner": pieces["owner"],
            "status": pieces["status"],
            "km": pieces.length / 1000.0,
            "cores": pieces["cores"],
        }
    )
    keys = ["commune", "road", "segment_type", "route_class", "owner", "status"]
    grouped = frame.groupby(keys, sort=True).agg(
        km=("km", "sum"), parts=("km", "size"), cores=("cores", "max")
    )
    rows = tuple(
        (
            str(row["commune"]),
            texts.get(row["road"]) if row["road"] else words.NOT_STATED,
            words.named(words.SEGMENT_TYPES, row["segment_type"]),
            str(row["route_class"]) or None,
            str(row["owner"]) or words.NOT_STATED,
            words.named(names.STATUSES, row["status"]),
            int(row["parts"]),
            float(row["km"]),
            None if pd.isna(row["cores"]) else int(row["cores"]),
        )
        for row in grouped.reset_index().to_dict("records")
    )
    return Table(
        "cables",
        message("List of cable routes by commune, road, owner and how they are laid"),
        (
            Column("commune", message("Commune or ward"), width=1.7),
            Column("road", message("Road"), width=1.7),
            Column("segment_type", message("How it is laid"), width=1.8),
            Column("route_class", message("Class"), width=0.7),
            Column("owner", message("Owner"), width=0.9),
            Column("status", message("State"), width=1.2),
            Column("parts", message("Stretches"), "number", 0, width=0.9),
            Column("length_km", message("Length, km"), "number", 2, width=0.9),
            Column("cores", message("Most fibres"), "number", 0, width=0.9),
        ),
        rows,
        message(
            "Road: the one within {reach} of the middle of a stretch, by its class where it has "
            "no name.",
            reach=Number(ROAD_REACH_M, unit="m"),
        ),
        wide=True,
    )
