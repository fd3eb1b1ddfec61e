"""`fibre access` and `fibre share` on the embedded area."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from data import build
from planning.__main__ import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("areas") / "demo"
    build.build("demo", folder)
    return folder


def run(demo: Path, *words: object) -> int:
    return main(["fibre", *(str(word) for word in words), "--workspace", str(demo)])


def test_cabinets_are_placed_for_a_commune(demo, tmp_path, capsys) -> None:
    assert run(demo, "access", "--zone", "13291", "--out", tmp_path) == 0
    said = capsys.readouterr().out
    summary = json.loads((tmp_path / "access.json").read_text(encoding="utf-8"))
    assert f"{summary['cabinets']} cabinets serve {summary['served']} of" in said
    assert summary["lower_bound"] <= summary["design_cost"] * (1.0 + 1e-9)
    assert summary["gap"] < 0.1
    homes = gpd.read_file(tmp_path / "access.gpkg", layer="homes")
    cabinets = gpd.read_file(tmp_path / "access.gpkg", layer="cabinets")
    served = homes[homes["reason"].isna()]
    assert len(served) == summary["served"]
    assert set(served["cabinet_id"]) == set(cabinets["cabinet_id"])
    assert (served["drop_m"] <= 300.0 + 1e-6).all()
    assert (served.groupby("cabinet_id")["connections"].sum().max()) <= cabinets["ports"].max()
    bill = pd.read_csv(tmp_path / "bill.csv")
    assert bill["typical"].sum() == pytest.approx(summary["cost"]["typical"])


def test_carriers_save_by_building_together(demo, tmp_path, capsys) -> None:
    words = ("share", "--zone", "13291", "13318", "--time-limit", 10, "--out", tmp_path)
    assert run(demo, *words) == 0
    summary = json.loads((tmp_path / "shared.json").read_text(encoding="utf-8"))
    pays = pd.DataFrame(summary["carriers"])
    assert len(pays) >= 2
    assert pays["pays"].sum() == pytest.approx(summary["joint_cost"])
    assert pays["alone"].sum() == pytest.approx(summary["separate_cost"])
    assert summary["joint_cost"] < summary["separate_cost"]
    assert summary["joint_bound"] <= summary["joint_cost"] * (1.0 + 1e-9)
    stretches = gpd.read_file(tmp_path / "shared.gpkg")
    assert stretches["cost_together"].sum() == pytest.approx(summary["joint_cost"])
    assert "All apart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("access", "--zone", "nowhere"), "no zone nowhere"),
        (("share", "--zone", "nowhere"), "no zone nowhere"),
    ],
)
def test_bad_input_is_one_line(demo, tmp_path, capsys, words, said) -> None:
    assert run(demo, *words, "--out", tmp_path / "out") == 2
    err = capsys.readouterr().err.strip()
    assert said in err
    assert len(err.splitlines()) == 1
