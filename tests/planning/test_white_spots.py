"""Places without coverage: where, why, and what the engine says helps."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from coverage import run
from coverage.request import CoverageRequest
from coverage.whatif import LiveNetwork
from data.errors import InputError
from data.grid import Raster
from data.store import Workspace
from planning import site_rules, site_zones, white_spot_remedies, white_spots
from planning.white_spots import WhiteSpotRequest
from tests.areas import small_area, write_area

REQUEST = CoverageRequest(technologies=("4G",), radius_m=4000.0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("white") / "w", small_area(n_masts=5))


@pytest.fixture(scope="module")
def found(workspace) -> white_spot_remedies.WhiteSpots:
    request = WhiteSpotRequest(REQUEST, least_km2=0.0, most_spots=8)
    return white_spot_remedies.analyse(workspace, request)


def test_the_spots_are_what_is_not_covered(workspace, found) -> None:
    result = run.compute(workspace, REQUEST)
    missing = ~result.covered("4G").values.ravel()
    spots = found.found.spots
    assert len(spots) == 8
    for spot in spots:
        assert missing[spot.pixels].all()
        assert (found.found.under.commune[spot.pixels] == spot.zone).all()
    table = result.figures
    whole = table[
        (table["level"] == "province")
        & (table["service"] == "4G")
        & (table["operator"] == "any")
        & (table["measure"] == "area")
    ].iloc[0]
    uncovered = (1.0 - whole["share"]) * whole["weight"]
    assert found.found.totals["area_km2"].sum() == pytest.approx(uncovered, rel=1e-3)
    listed = sum(spot.area_km2 for spot in spots) + found.found.left_out[2]
    assert listed == pytest.approx(uncovered, rel=1e-3)


def test_most_people_come_first_or_most_area(workspace, found) -> None:
    people = found.spots["people"].to_numpy()
    assert (np.diff(people) <= 0).all()
    request = WhiteSpotRequest(REQUEST, order="area", most_spots=3)
    by_area = white_spots.find(workspace, request).spots
    area = [spot.area_km2 for spot in by_area]
    assert area == sorted(area, reverse=True)
    assert area[0] >= found.spots["area_km2"].max()


def test_only_the_communes_asked_for(workspace, found) -> None:
    code = str(found.spots["code"].iloc[-1])
    one = white_spots.find(workspace, WhiteSpotRequest(REQUEST, communes=(code,), least_km2=0.0))
    table = white_spots.spot_table(one)
    assert set(table["code"].astype(str)) == {code}
    assert set(one.totals["code"].astype(str)) == {code}


@pytest.mark.parametrize(
    ("gains", "cause", "alone"),
    [
        ((12.0, 3.0, 1.0, 0.0, 14.0), "terrain", ("terrain",)),
        ((1.0, 12.0, 11.0, 0.0, 13.0), "clutter", ("clutter", "direction")),
        ((1.0, 2.0, 15.0, 0.0, 3.0), "direction", ("direction",)),
        ((1.0, 2.0, 3.0, 11.0, 3.0), "power", ("power",)),
        ((7.0, 6.0, 1.0, 0.0, 13.0), "terrain and clutter", ()),
        ((4.0, 2.0, 3.0, 2.0, 6.0), "terrain", ()),
        ((1.0, 1.0, 1.0, 1.0, 2.0), "distance", ()),
    ],
)
def test_the_cause_is_the_change_that_suffices(gains, cause, alone) -> None:
    names = ("terrain", "clutter", "direction", "power", "terrain and clutter")
    assert white_spots.cause_of(dict(zip(names, gains, strict=True)), 10.0) == (cause, alone)


def lone_mast(area, **changes):
    """Return the layers with one omni of 4G in the middle of the west."""
    masts = area.layers["masts"].iloc[[0]].copy()
    x_min, y_min, _, y_max = area.zones.total_bounds
    masts.geometry = gpd.points_from_xy([x_min + 500.0], [(y_min + y_max) / 2.0])
    cells = area.layers["cells"]
    own = cells[cells["technology"] == "4G"].iloc[[0]].assign(
        mast_id=masts["mast_id"].iloc[0], azimuth_deg=np.nan, tilt_deg=0.0, antenna_height_m=30.0
    )  # fmt: skip
    return masts, own.assign(**changes)


def test_a_wall_of_terrain_is_found_where_it_stands(tmp_path) -> None:
    """Flat open land with one ridge: what lies behind it is blocked by it, at its place."""
    area = small_area()
    masts, cells = lone_mast(area)
    grid = area.terrain.grid
    x = np.broadcast_to(grid.x_centres(), grid.shape)
    mast_x = float(masts.geometry.x.iloc[0])
    ridge = np.abs(x - (mast_x + 1000.0)) <= 60.0
    heights = np.where(ridge, 150.0, 5.0).astype(np.float32)
    workspace = write_area(
        tmp_path / "w", area, without=("clutter",),
        terrain=Raster(grid, heights), masts=masts, cells=cells,
    )  # fmt: skip
    found = white_spots.find(workspace, WhiteSpotRequest(REQUEST, order="area", most_spots=4))
    behind = [
        reason
        for spot, reason in zip(found.spots, found.reasons, strict=True)
        if spot.x_m > mast_x + 1100.0 and reason.cell >= 0
    ]
    assert behind
    for reason in behind:
        assert reason.clutter_db == pytest.approx(0.0, abs=1e-6)
        assert reason.terrain_db > reason.short_db > 0.0
        assert reason.cause == "terrain"
        assert reason.obstacle.kind == "terrain"
        assert reason.obstacle.x_m == pytest.approx(mast_x + 1000.0, abs=120.0)
        assert reason.obstacle.above_m > 50.0


def test_out_of_reach_is_too_far(tmp_path) -> None:
    area = small_area()
    masts, cells = lone_mast(area)
    workspace = write_area(tmp_path / "w", area, masts=masts, cells=cells)
    request = CoverageRequest(technologies=("4G",), radius_m=1000.0)
    found = white_spots.find(workspace, WhiteSpotRequest(request, order="area", most_spots=1))
    assert found.reasons[0].cause == "distance"
    assert found.reasons[0].cell == -1


# Remedies


def test_a_remedy_is_what_the_engine_computes(workspace, found) -> None:
    """Each kind of change of a mast, made in a live network, gains and loses what it says."""
    remedies = found.remedies
    changes = remedies[remedies["kind"].isin(["re-aim", "raise"])].reset_index(drop=True)
    assert len(changes) > 0
    live = LiveNetwork(workspace, REQUEST)
    before = people_served(live)
    row = changes.iloc[0]
    trial = next(
        trial
        for trial in trials(workspace, found)
        if (trial.spot.number, trial.kind, trial.operator, str(trial.detail))
        == (row["spot"], row["kind"], row["operator"], row["detail"])
        and found.found.masts["mast_id"].iloc[trial.mast] == row["mast_id"]
    )
    others = live.cells[~live.cells["cell_id"].isin(trial.cells["cell_id"])]
    live.change(live.masts, pd.concat([others, trial.cells], ignore_index=True))
    assert people_served(live) - before == pytest.approx(row["people_net"], abs=1.0)


def people_served(live: LiveNetwork) -> float:
    table = live.figures()
    row = table[
        (table["level"] == "province")
        & (table["service"] == "4G")
        & (table["operator"] == "any")
        & (table["measure"] == "population")
    ].iloc[0]
    return float(row["share"] * row["weight"])


def trials(workspace: Workspace, found: white_spot_remedies.WhiteSpots) -> list:
    from planning import mast_coverage, sharing_moves

    request = WhiteSpotRequest(REQUEST, least_km2=0.0, most_spots=8)
    about = sharing_moves.read(workspace, sharing_moves.SharingRequest(REQUEST))
    base = mast_coverage.compute(workspace, REQUEST, about.masts)
    finder = white_spot_remedies._Finder(about, base, found.found, request)
    return [trial for spot in found.found.spots for trial in finder.trials(spot)]


def test_every_remedy_helps_its_spot_and_hurts_nobody_more(found) -> None:
    remedies = found.remedies
    assert len(remedies) > 0
    assert set(remedies["kind"]) <= set(white_spot_remedies.KINDS)
    assert (remedies["closes"] > 0.0).all()
    assert (remedies["people_net"] >= 0.0).all()
    added = remedies[remedies["kind"].isin(["add", "new mast", "repeater"])]
    assert (added["km2_lost"] == 0.0).all()


def test_a_change_of_a_sector_names_only_what_changes(workspace, found) -> None:
    """Nothing is said to go from a value to the same value."""
    said = {"turn": 0, "lift": 0, "both": 0}
    for trial in trials(workspace, found):
        if trial.kind != "re-aim":
            continue
        live = found.found.cells.set_index("cell_id").loc[trial.cells["cell_id"]]
        turned = not np.array_equal(
            live["azimuth_deg"].to_numpy(float), trial.cells["azimuth_deg"].to_numpy(float)
        )
        lifted = not np.array_equal(
            live["tilt_deg"].to_numpy(float), trial.cells["tilt_deg"].to_numpy(float)
        )
        text = str(trial.detail)
        assert text.startswith("sector from ") is turned
        assert ("tilt from" in text) is lifted
        before, after = (part.split("°")[0] for part in text.split("from ")[-1].split("to "))
        assert before != after
        said["both" if turned and lifted else "turn" if turned else "lift"] += 1
    assert min(said.values()) > 0


def test_a_new_mast_against_the_rules_is_marked(workspace, found) -> None:
    """The rules ask for 400 m in the country and for 100 m in towns."""
    masts = found.found.masts
    new = found.remedies[found.remedies["kind"] == "new mast"]
    assert len(new) > 0
    assert (found.remedies.loc[found.remedies["kind"] != "new mast", "against_rules"] == "").all()
    zones = site_zones.zones_at(workspace, new.geometry, site_rules.rules(workspace.folder))
    for (row, remedy), zone in zip(new.iterrows(), zones, strict=True):
        away = masts.distance(remedy.geometry).min()
        close = bool(away < {"urban": 100.0, "rural": 400.0}[zone.zone])
        assert bool(found.against[row]) is bool(remedy["against_rules"]) is close
        assert not close or f"{away:.0f} m away" in remedy["against_rules"]


def test_where_only_camouflaged_masts_may_stand_another_remedy_is_best(found, tmp_path) -> None:
    area = small_area(n_masts=5)
    workspace = write_area(tmp_path / "w", area)
    shape = gpd.GeoSeries([shapely.box(*area.zones.total_bounds)], crs=area.zones.crs)
    gpd.GeoDataFrame(
        {"zone": ["camouflaged"], "name": ["Hồ"]}, geometry=shape.buffer(500.0)
    ).to_crs("EPSG:4326").to_file(workspace.folder / "site_zones.geojson", driver="GeoJSON")
    request = WhiteSpotRequest(REQUEST, least_km2=0.0, most_spots=8)
    strict = white_spot_remedies.analyse(workspace, request)
    new = strict.remedies["kind"] == "new mast"
    assert new.sum() == (found.remedies["kind"] == "new mast").sum()
    assert strict.remedies.loc[new, "against_rules"].str.contains("in Hồ the local rules").all()
    best = found.remedies[found.remedies["best"].astype(bool)]
    assert (best["kind"] == "new mast").any()
    for _, rows in strict.remedies.groupby("spot"):
        (kind,) = rows.loc[rows["best"].astype(bool), "kind"]
        assert (kind == "new mast") == (set(rows["kind"]) == {"new mast"})


def test_the_best_is_the_cheapest_that_closes_the_spot(found) -> None:
    for _, rows in found.remedies.groupby("spot"):
        assert rows["best"].sum() == 1
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        best = rows[rows["best"].astype(bool)].iloc[0]
        allowed = rows[rows["against_rules"] == ""]
        rows = allowed if len(allowed) else rows
        closing = rows[rows["closes"] >= white_spot_remedies.CLOSES]
        if len(closing):
            assert best["cost_typical"] == closing["cost_typical"].min()
        else:
            assert best["closes"] == rows["closes"].max()


def test_the_files_hold_the_white_spots(found, tmp_path) -> None:
    white_spot_remedies.save(found, tmp_path / "out")
    about = json.loads((tmp_path / "out" / "white_spots.json").read_text(encoding="utf-8"))
    assert len(about["spots"]) == 8
    spots = gpd.read_file(tmp_path / "out" / "white_spots.gpkg", layer="spots")
    assert spots.geometry.area.sum() / 1e6 >= found.spots["area_km2"].sum() - 1e-6
    assert len(pd.read_csv(tmp_path / "out" / "remedies.csv")) == len(found.remedies)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"technology": "5G"}, "5G"),
        ({"operator": "Nobody"}, "Nobody"),
        ({"communes": ("99999",)}, "99999"),
        ({"least_km2": -1.0}, "-1"),
        ({"order": "colour"}, "colour"),
    ],
)
def test_bad_requests_are_refused(workspace, changes, said) -> None:
    with pytest.raises(InputError, match=said):
        white_spots.find(workspace, WhiteSpotRequest(REQUEST, **changes))
