"""The layers of the fibre network."""

import geopandas as gpd
import pytest
import shapely

from data import schema
from data.errors import ValidationError


def segments(**columns) -> gpd.GeoDataFrame:
    base = {"segment_id": ["S1", "S2"], "segment_type": ["duct", "aerial"], "cores": [24, None]}
    lines = [shapely.LineString([(0, 0), (10, 0)]), shapely.LineString([(10, 0), (10, 5)])]
    return gpd.GeoDataFrame({**base, **columns}, geometry=lines, crs="EPSG:32648")


def test_a_segment_may_be_a_duct_without_cable() -> None:
    frame = schema.validate("fibre_segments", segments())
    assert frame["status"].tolist() == ["existing", "existing"]
    assert frame["cores"].isna().tolist() == [False, True]


def test_more_cores_in_use_than_there_are_is_an_error_of_the_row() -> None:
    with pytest.raises(ValidationError) as caught:
        schema.validate("fibre_segments", segments(cores_used=[30, 5]))
    (problem,) = caught.value.problems
    assert problem.column == "cores_used"
    assert str(problem.value) == "30"
    assert "cores" in str(problem.expected)


def test_more_ports_in_use_than_there_are_is_an_error_of_the_row() -> None:
    nodes = gpd.GeoDataFrame(
        {"node_id": ["N1", "N2"], "node_type": ["olt", "splitter"], "ports": [64, 8]},
        geometry=gpd.points_from_xy([0, 1], [0, 1]),
        crs="EPSG:32648",
    )
    assert len(schema.validate("fibre_nodes", nodes.assign(ports_used=[64, 0]))) == 2
    with pytest.raises(ValidationError) as caught:
        schema.validate("fibre_nodes", nodes.assign(ports_used=[64, 9]))
    assert [problem.column for problem in caught.value.problems] == ["ports_used"]
