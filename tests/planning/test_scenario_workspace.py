"""Workspaces of scenarios: what they share, when they go, and what they bring."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from coverage import run
from data.errors import InputError
from data.store import Provenance, Workspace
from planning import scenario_compare, scenario_costs, scenario_workspace, sharing_costs
from planning.__main__ import main
from planning.scenario_workspace import materialise
from planning.scenarios import Change
from tests.areas import small_area, write_area

REQUEST = run.CoverageRequest(technologies=("4G",), resolution_m=100.0, radius_m=4000.0)


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """A small area with its coverage; not to be changed."""
    area = write_area(tmp_path_factory.mktemp("scenario") / "area", small_area())
    run.compute(area, REQUEST)
    return area


@pytest.fixture
def area(computed, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(computed.folder, tmp_path / "area")
    return Workspace.open(tmp_path / "area")


def without_first(area) -> list[Change]:
    return [Change("remove", {"mast_id": area.read("masts")["mast_id"].iloc[0]})]


def moved_first(area) -> list[Change]:
    masts = area.read("masts").to_crs("EPSG:4326")
    point = masts.geometry.iloc[0]
    name = masts["mast_id"].iloc[0]
    return [Change("move", {"mast_id": name, "lon": point.x + 0.003, "lat": point.y})]


def test_it_is_a_workspace_with_the_changed_network(area) -> None:
    made = materialise(area, without_first(area))
    assert len(made.read("masts")) == len(area.read("masts")) - 1
    for name in ("zones", "villages"):
        assert made.content_hash(name) == area.content_hash(name)
    for name in area.rasters():
        assert made.content_hash(name) == area.content_hash(name)
        assert made.raster_path(name).samefile(area.raster_path(name))
    assert made.base.folder == area.folder
    assert "changes of a scenario" in made.provenance()["masts"].method
    manifest = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["scenario"]["base"] == scenario_workspace.area_name(made) == "area"
    assert scenario_workspace.changes_of(made) == tuple(without_first(area))


def test_rasters_are_copied_where_they_cannot_be_linked(area, monkeypatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", no_links)
    made = materialise(area, without_first(area))
    name = area.rasters()[0]
    assert not made.raster_path(name).samefile(area.raster_path(name))
    assert made.content_hash(name) == area.content_hash(name)


def test_it_is_made_once_for_each_content(area) -> None:
    first = materialise(area, without_first(area))
    signature = (first.folder / "workspace.gpkg").stat().st_mtime_ns
    assert materialise(area, without_first(area)).folder == first.folder
    assert (first.folder / "workspace.gpkg").stat().st_mtime_ns == signature
    assert materialise(area, []).folder != first.folder
    # A table of the workspace's own is one of its own there, too.
    (area.folder / "site_zones.geojson").write_text("{}", encoding="utf-8")
    other = materialise(area, without_first(area))
    assert other.folder != first.folder
    assert (other.folder / "site_zones.geojson").read_text(encoding="utf-8") == "{}"


def test_changes_of_a_scenario_come_before_those_made_on_it(area) -> None:
    first = materialise(area, without_first(area))
    more = [Change("remove", {"mast_id": first.read("masts")["mast_id"].iloc[0]})]
    both = materialise(first, more)
    assert both.base.folder == area.folder
    assert len(both.read("masts")) == len(area.read("masts")) - 2


def test_it_cannot_be_written_to(area) -> None:
    made = materialise(area, without_first(area))
    with pytest.raises(InputError, match="derived"):
        made.write({"masts": area.read("masts")}, {"masts": Provenance("test")})


def test_old_ones_go_when_the_base_changes_unless_in_use(area) -> None:
    old, used = materialise(area, without_first(area)), materialise(area, moved_first(area))
    masts = area.read("masts")
    masts.loc[masts.index[-1], "height_m"] += 1.0
    area.write({"masts": masts}, {"masts": Provenance("test")})
    long_ago = (old.folder / scenario_workspace.FILE).stat().st_mtime - 10_000.0
    os.utime(old.folder / scenario_workspace.FILE, (long_ago, long_ago))
    killed = area.folder / "scenarios" / ".part-killed"
    killed.mkdir()
    (killed / "workspace.gpkg").write_bytes(b"half")
    new = materialise(area, without_first(area))
    assert new.folder.exists()
    assert used.folder.exists()
    assert not old.folder.exists()
    assert not killed.exists()


def test_a_failure_leaves_nothing_half(area, monkeypatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "derive", fails)
    with pytest.raises(KeyboardInterrupt):
        materialise(area, without_first(area))
    assert [path for path in (area.folder / "scenarios").iterdir() if path.is_dir()] == []


def test_only_changed_masts_are_predicted_anew(area) -> None:
    before = {path.name for path in (area.folder / "cache" / "loss").iterdir()}
    made = materialise(area, moved_first(area))
    result = run.compute(made, REQUEST)
    after = {path.name for path in (area.folder / "cache" / "loss").iterdir()}
    assert len(after - before) == 1
    assert not (made.folder / "cache").exists()
    # The same as a workspace made from the changed layers by hand.
    generated = small_area()
    masts = generated.masts.copy()
    masts.loc[0, "geometry"] = made.read("masts").geometry.iloc[0]
    alone = run.compute(write_area(area.folder.parent / "alone", generated, masts=masts), REQUEST)
    pd.testing.assert_frame_equal(result.figures, alone.figures)


def test_costs_of_changes(area) -> None:
    prices = sharing_costs.prices()
    before = (area.read("masts"), area.read("cells"))
    nothing = scenario_costs.between(before, before, prices)
    assert nothing.bill.empty
    assert nothing.once.high == 0.0

    def cost(changes: list[Change]) -> scenario_costs.NetworkCost:
        made = materialise(area, changes)
        return scenario_costs.between(before, (made.read("masts"), made.read("cells")), prices)

    mast = before[0].iloc[0]
    gone = cost(without_first(area))
    down = prices.dismantling(mast["mast_class"], mast["height_m"])
    assert gone.once == down
    assert gone.yearly.high == pytest.approx(
        -prices.yearly(mast["mast_class"], mast["height_m"]).low
    )
    moved = cost(moved_first(area))
    assert sorted(moved.bill["item"]) == ["dismantling", "mast"] + ["moved_equipment"] * len(
        set(before[1].loc[before[1]["mast_id"] == mast["mast_id"], "operator"])
    )
    cell = before[1].iloc[0].drop(["cell_id", "mast_id"]).dropna().to_dict()
    point = before[0].to_crs("EPSG:4326").geometry.iloc[0]
    place = {"lon": point.x, "lat": point.y + 0.004}
    added = Change(
        "add", {"mast_id": "N", "height_m": 45, "mast_class": "A2b", **place}, (cell, cell)
    )
    made = cost([added])
    wanted = prices.site("A2b", 45.0) + prices.units["base_station"].cost
    assert made.once == wanted
    after = materialise(area, [*moved_first(area), added]).read("masts")
    new = scenario_costs.newly_placed(before[0], after)["mast_id"].tolist()
    assert sorted(new) == sorted([mast["mast_id"], "N"])
    led = scenario_costs.between(before, before, prices, {"N": 7e6})
    assert led.bill[["item", "mast_id", "typical"]].values.tolist() == [["backhaul", "N", 7e6]]
    assert led.once.typical == 7e6


def test_a_comparison_agrees_with_its_results(area, tmp_path) -> None:
    from tests.planning.scenario_samples import kept

    items = [kept(1, without_first(area)), kept(2, moved_first(area))]
    shares: list[float] = []
    found = scenario_compare.compare(area, items, REQUEST, on_progress=shares.append)
    assert shares == sorted(shares)
    assert list(found.results) == [0, 1, 2]
    communes = found.table[
        (found.table["operator"] == "any") & found.table["zone"].isin(found.zones.index)
    ]
    for row in found.summary.to_dict("records"):
        part = communes[
            (communes["scenario"] == row["scenario"]) & (communes["service"] == row["service"])
        ]
        assert part["people"].sum() == pytest.approx(row["people"])
        assert part["people_more"].sum() == pytest.approx(row["people_more"])
    fewer = found.summary.set_index(["scenario", "service"]).loc[(1, "4G")]
    assert fewer["people_more"] <= 0.0
    assert fewer["masts"] == len(area.read("masts")) - 1
    figures = found.results[2].figures
    one = figures[(figures["service"] == "4G") & (figures["measure"] == "area")].iloc[0]
    same = found.table[
        (found.table["scenario"] == 2)
        & (found.table["service"] == "4G")
        & (found.table["zone"] == one["zone"])
        & (found.table["operator"] == one["operator"])
    ].iloc[0]
    assert same["area_percent"] == pytest.approx(100.0 * one["share"])
    scenario_compare.save(found, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.json",
        "comparison.csv",
        "costs.csv",
        "communes.gpkg",
    }
    content = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert len(content["summary"]) == 3
    assert content["provenance"]["scenarios"][0]["changes"]


def test_the_command_line(area, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    where = ["--workspace", str(area.folder)]
    file = tmp_path / "changes.json"
    file.write_text(
        json.dumps([change.to_dict() for change in without_first(area)]), encoding="utf-8"
    )
    assert main(["scenario", "list", *where]) == 0
    assert main(["scenario", "create", *where, "--title", "Một", "--changes", str(file)]) == 0
    assert "1: Một (1 changes)" in capsys.readouterr().out
    assert main(["scenario", "create", *where, "--title", "Hai", "--copy-of", "1"]) == 0
    capsys.readouterr()
    # The mast is gone already.
    assert main(["scenario", "add", "2", *where, "--changes", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "changes, row 2, column mast_id" in said
    out = tmp_path / "out"
    options = ["--technology", "4g", "--radius-km", "4", "--out", str(out)]
    assert main(["scenario", "compare", "1", *where, *options]) == 0
    assert "Một, 4G" in capsys.readouterr().out
    assert (out / "comparison.csv").exists()
    assert main(["scenario", "delete", "2", *where]) == 0
    assert main(["scenario", "delete", "2", *where]) == 2


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"kind": "fly", "mast": {}}]'])
def test_a_file_that_holds_no_changes(area, tmp_path, capsys, text) -> None:
    file = tmp_path / "changes.json"
    file.write_text(text, encoding="utf-8")
    words = ["scenario", "create", "--workspace", str(area.folder), "--title", "x"]
    assert main([*words, "--changes", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_summaries_without_money_have_no_people_per_money() -> None:
    assert np.isnan(scenario_compare._per(5.0, 0.0))
    assert np.isnan(scenario_compare._per(-5.0, 1e9))
    assert scenario_compare._per(5.0, 5e8) == 10.0
