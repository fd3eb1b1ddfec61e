"""Products of a computed coverage agree with its figures."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest

from coverage import products, results, run
from data.errors import InputError
from data.store import Workspace
from tests.areas import small_area, write_area


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_area(tmp_path_factory.mktemp("products") / "w", small_area())


@pytest.fixture(scope="module")
def result(workspace: Workspace) -> results.CoverageResult:
    return run.compute(workspace, run.CoverageRequest(radius_m=3000.0))


@pytest.fixture(scope="module")
def made(workspace: Workspace, result: results.CoverageResult) -> products.Products:
    return products.make(workspace, result)


def covered(result: results.CoverageResult, service: str, measure: str) -> tuple[float, float]:
    """Covered amount and all there is, in the communes together."""
    table = result.figures
    rows = table[
        (table["level"] == "commune")
        & (table["service"] == service)
        & (table["operator"] == "any")
        & (table["measure"] == measure)
    ]
    return float((rows["weight"] * rows["share"]).sum()), float(rows["weight"].sum())


@pytest.mark.parametrize("service", ["2G", "3G", "4G", "any"])
def test_holes_are_what_the_figures_leave(
    made: products.Products, result: results.CoverageResult, service: str
) -> None:
    holes = made.holes[service]
    served, whole = covered(result, service, "area")
    # Polygons take whole pixels on the outer border, figures their share.
    assert holes["area_km2"].sum() == pytest.approx(whole - served, abs=0.01 * whole)
    served, whole = covered(result, service, "population")
    assert holes["people"].sum() == pytest.approx(whole - served, abs=0.01 * whole)
    served, whole = covered(result, service, "village")
    assert holes["villages"].sum() == pytest.approx(whole - served, abs=1.0)
    assert holes.geometry.is_valid.all()


def test_the_switch_off_check_is_2g_less_its_part_under_3g_or_4g(
    made: products.Products, workspace: Workspace, result: results.CoverageResult
) -> None:
    where = products.served(result)
    check = made.switch_off
    assert check is not None
    lost = where["2G"] & ~where["3G"] & ~where["4G"]
    assert 0 < check.lost.sum() <= lost.sum()
    pixel_km2 = result.grid.resolution_m**2 / 1e6
    assert check.regions["area_km2"].sum() == pytest.approx(check.lost.sum() * pixel_km2)
    figures = check.by_zone.groupby("level")[["area_km2", "people"]].sum()
    assert figures.loc["commune"].tolist() == pytest.approx(
        figures.loc["province"].tolist(), rel=1e-4
    )
    assert made.summary["switch_off"]["people"] == pytest.approx(
        check.regions["people"].sum(), abs=0.1
    )


def test_service_zones_lie_where_the_technology_is_covered(
    made: products.Products, workspace: Workspace, result: results.CoverageResult
) -> None:
    zones = made.service_zones
    assert set(zones["technology"]) <= {"2G", "3G", "4G"}
    assert zones["operator"].unique().tolist() == ["any"]
    assert zones.geometry.is_valid.all()
    where = products.served(result)
    pixel_km2 = result.grid.resolution_m**2 / 1e6
    for name in ("3G", "4G"):
        area = zones.loc[zones["technology"] == name, "area_km2"].sum()
        assert 0.0 < area <= where[name].sum() * pixel_km2 + 1e-9
    rate = np.where(where["4G"], result.rate("4G").values, np.nan)
    best = zones[(zones["technology"] == "4G") & (zones["service_class"] == 1)]
    assert best["area_km2"].sum() <= np.sum(rate >= 5.0) * pixel_km2 + 1e-9


def test_one_operator_serves_less_than_any(
    made: products.Products, workspace: Workspace, result: results.CoverageResult
) -> None:
    operator = result.summary["provenance"]["operators"][0]
    own = products.make(workspace, result, operator=operator, going=["2G"], staying=["4G"])
    for name in ("2G", "3G", "4G"):
        assert own.holes[name]["area_km2"].sum() >= made.holes[name]["area_km2"].sum() - 1e-9
    with pytest.raises(InputError, match=r"Operator Nobody is not in the coverage"):
        products.make(workspace, result, operator="Nobody")
    without = products.make(workspace, result, going=["5G"])
    assert without.switch_off is None
    assert without.summary["switch_off"] is None


def test_products_are_saved_for_other_tools(made: products.Products, tmp_path: Path) -> None:
    out = products.save(made, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == [
        "holes_any.geojson",
        "service_zones.geojson",
        "service_zones.gpkg",
        "service_zones.json",
        "switch_off.geojson",
    ]
    layers = pyogrio.list_layers(out / "service_zones.gpkg")[:, 0].tolist()
    assert layers == ["service_zones", "holes_2G", "holes_3G", "holes_4G", "holes_any",
                      "switch_off", "switch_off_by_zone"]  # fmt: skip
    holes = gpd.read_file(out / "service_zones.gpkg", layer="holes_4G")
    assert holes["area_km2"].sum() == pytest.approx(made.holes["4G"]["area_km2"].sum())
    summary = json.loads((out / "service_zones.json").read_text())
    assert summary["holes"]["4G"]["count"] == len(holes)
    assert summary["provenance"]["model_reference"]
