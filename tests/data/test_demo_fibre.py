"""The generated fibre network: it hangs together, looks plausible and leaves the rest alone."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from data import demo, schema
from data.build import generated_provenance
from data.demo import fibre, generator


@pytest.fixture(scope="module")
def hanam() -> demo.GeneratedArea:
    return demo.generate()


def live_access(nodes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return nodes[nodes["node_type"].isin(["cabinet", "splitter"])]


def test_cables_run_beside_the_roads(hanam: demo.GeneratedArea) -> None:
    segments = hanam.fibre_segments
    roads = shapely.union_all(hanam.roads.geometry.to_numpy()).buffer(6.0)
    shapely.prepare(roads)
    assert shapely.covers(roads, segments.geometry.to_numpy()).all()
    assert set(segments["segment_type"]) == {"duct", "buried", "aerial"}
    assert set(segments["owner"]) == {"A", "B", "C"}
    cabled = segments[segments["cores"].notna()]
    assert set(segments.loc[segments["cores"].isna(), "segment_type"]) == {"duct"}
    assert (cabled["cores_used"].fillna(0.0) <= cabled["cores"]).all()


def test_nodes_stand_on_cables_of_their_owner(hanam: demo.GeneratedArea) -> None:
    cabled = hanam.fibre_segments[hanam.fibre_segments["cores"].notna()]
    for owner, nodes in hanam.fibre_nodes.groupby("owner"):
        tree = shapely.STRtree(cabled.loc[cabled["owner"] == owner].geometry.to_numpy())
        _, far = tree.query_nearest(
            nodes.geometry.to_numpy(), all_matches=False, return_distance=True
        )
        assert far.max() < 1.0, owner


def test_all_cables_of_an_owner_lead_to_an_exchange(hanam: demo.GeneratedArea) -> None:
    cabled = hanam.fibre_segments[hanam.fibre_segments["cores"].notna()]
    for owner, own in cabled.groupby("owner"):
        ends = np.array([[line.coords[0], line.coords[-1]] for line in own.geometry])
        places, at = np.unique(np.round(ends.reshape(-1, 2), 1), axis=0, return_inverse=True)
        part = np.arange(len(places))
        for _ in range(len(places)):
            low = part[at.reshape(-1, 2)].min(axis=1)
            before = part.copy()
            np.minimum.at(part, at.reshape(-1, 2).ravel(), np.repeat(low, 2))
            if np.array_equal(part, before):
                break
        nodes = hanam.fibre_nodes
        exchanges = nodes[(nodes["node_type"] == "olt") & (nodes["owner"] == owner)]
        xy = np.column_stack([exchanges.geometry.x, exchanges.geometry.y])
        fed = {int(part[np.abs(places - one).max(axis=1).argmin()]) for one in xy}
        assert set(part.tolist()) <= fed, owner


def test_ports_follow_homes_and_some_places_have_none(hanam: demo.GeneratedArea) -> None:
    nodes = live_access(hanam.fibre_nodes)
    known = nodes.dropna(subset=["ports"])
    assert (known["ports_used"] <= known["ports"]).all()
    assert 0.3 < known["ports_used"].sum() / known["ports"].sum() < 0.9
    households = 852_800 / 3.6
    assert 0.7 * households < known["ports"].sum() < 1.2 * households
    assert 0.0 < nodes["ports"].isna().mean() < 0.05
    assert 0.0 < (nodes["status"] == "planned").mean() < 0.05
    communes = hanam.zones[hanam.zones["level"] == "commune"]
    hits = communes.sindex.query(nodes.geometry, predicate="intersects")[1]
    per_commune = np.bincount(hits, minlength=len(communes))
    assert 1 <= (per_commune == 0).sum() <= 4
    assert np.median(per_commune) > 50


def test_layers_are_valid_and_marked_as_illustrative(hanam: demo.GeneratedArea) -> None:
    about = generated_provenance(hanam)
    for name in ("fibre_segments", "fibre_nodes"):
        found = schema.examine(
            name, hanam.layers[name], crs=hanam.spec.crs, context={"zones": hanam.zones}
        )
        assert found.problems == []
        assert about[name].illustrative
        assert "Invented" in about[name].method


def test_the_network_repeats_and_leaves_the_other_layers_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def made() -> demo.GeneratedArea:
        return demo.generate(7, n_communes=4, extent_km=8.0, n_masts=6)

    first, again = made(), made()
    for name in ("fibre_segments", "fibre_nodes"):
        pd.testing.assert_frame_equal(
            first.layers[name].to_wkb(), again.layers[name].to_wkb(), check_like=False
        )
    make, nothing = fibre.make_fibre, np.random.default_rng(0)

    def other(spec, communes, roads, *rest) -> fibre.FibreNetwork:
        return make(spec, communes, roads.iloc[:0], *rest[:-1], nothing)

    monkeypatch.setattr(generator, "make_fibre", other)
    without = made()
    assert not len(without.fibre_nodes)
    for name in ("zones", "masts", "cells", "villages", "roads"):
        pd.testing.assert_frame_equal(
            pd.DataFrame(without.layers[name]), pd.DataFrame(first.layers[name])
        )
    for name, raster in without.rasters.items():
        np.testing.assert_array_equal(raster.values, first.rasters[name].values)


def test_an_area_without_roads_or_people_has_an_empty_network(hanam: demo.GeneratedArea) -> None:
    communes = hanam.zones[hanam.zones["level"] == "commune"].reset_index(drop=True)
    made = fibre.make_fibre(
        hanam.spec,
        communes,
        hanam.roads.iloc[:0],
        hanam.villages,
        hanam.population,
        np.random.default_rng(0),
    )
    for name, frame in (("fibre_segments", made.segments), ("fibre_nodes", made.nodes)):
        assert len(frame) == 0
        assert schema.examine(name, frame, crs=hanam.spec.crs).errors == []
