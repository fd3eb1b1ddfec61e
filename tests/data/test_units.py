"""Columns in foreign units, and values that state their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import importers, schema
from data.errors import InputError, ValidationError
from data.importers import units
from data.store import Workspace
from tests.data import samples


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return samples.workspace(tmp_path_factory.mktemp("units") / "w")


def convert(layer: str, column: str, values: list[object], unit: str | None = None):
    series = pd.Series(values, dtype=object, index=pd.RangeIndex(2, len(values) + 2, name="row"))
    return units.convert(layer, column, units.apart(layer, column, series), unit=unit)


@pytest.mark.parametrize(
    ("column", "unit", "value", "expected"),
    [
        ("antenna_height_m", "ft", 100, 30.48),
        ("antenna_height_m", "km", 0.03, 30.0),
        ("antenna_height_m", "cm", 3000, 30.0),
        ("power_dbm", "W", 40, 46.0206),
        ("power_dbm", "mW", 40_000, 46.0206),
        ("power_dbm", "dBW", 16, 46.0),
        ("power_dbm", "dBm", 46, 46.0),
        ("frequency_mhz", "GHz", 1.8, 1800.0),
        ("frequency_mhz", "kHz", 935_200, 935.2),
        ("frequency_mhz", "Hz", 9.352e8, 935.2),
        ("bandwidth_mhz", "kHz", 200, 0.2),
        ("antenna_gain_dbi", "dBd", 15.35, 17.5),
        ("azimuth_deg", "rad", np.pi, 180.0),
        ("azimuth_deg", "mil", 1600, 90.0),
        ("azimuth_deg", "gon", 100, 90.0),
        ("load", "%", 55, 0.55),
    ],
)
def test_every_unit(column: str, unit: str, value: float, expected: float) -> None:
    done = convert("cells", column, [value, str(value)], unit)
    assert done.values.tolist() == pytest.approx([expected] * 2, rel=1e-5)
    assert done.units == (unit,)


def test_units_of_other_layers() -> None:
    assert convert("zones", "area_km2", [100], "ha").values.tolist() == [1.0]
    assert convert("zones", "area_km2", [2e6], "m2").values.tolist() == [2.0]
    assert convert("villages", "population", [1.5], "thousand").values.tolist() == [1500.0]
    assert convert("speed_tests", "avg_d_mbps", [2500], "kbit/s").values.tolist() == [2.5]
    assert convert("speed_tests", "avg_d_mbps", ["1 Gbps"]).values.tolist() == [1000.0]


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("power_dbm", "40 W", 46.0206),
        ("power_dbm", "46 dBm", 46.0),
        ("power_dbm", "20W", 43.0103),
        ("antenna_height_m", "120 ft", 36.576),
        ("antenna_height_m", "120'", 36.576),
        ("antenna_height_m", "45m", 45.0),
        ("frequency_mhz", "1.8 GHz", 1800.0),
        ("azimuth_deg", "120°", 120.0),
        ("azimuth_deg", "120 độ", 120.0),
        ("load", "55 %", 0.55),
        ("feeder_loss_db", "−0 dB", 0.0),
    ],
)
def test_units_behind_values(column: str, text: str, expected: float) -> None:
    found = units.apart("cells", column, pd.Series([text]))
    assert found.any
    done = units.convert("cells", column, found)
    assert done.values.tolist() == pytest.approx([expected], rel=1e-5)


@pytest.mark.parametrize("layer", list(schema.LAYERS))
def test_every_column_of_numbers_has_its_unit(layer: str) -> None:
    for column in schema.LAYERS[layer].columns:
        unit = schema.LAYERS[layer].unit(column)
        if unit:
            base = units.quantity(layer, column)
            assert base == unit
            assert units.in_name(column) in (*units.CONVERSIONS[base], None)


@given(
    unit=st.sampled_from([(b, u) for b, all_of in units.CONVERSIONS.items() for u in all_of]),
    value=st.floats(0.01, 1e6),
)
def test_conversions_rise_and_their_own_unit_changes_nothing(unit, value) -> None:
    base, name = unit
    conversion = units.CONVERSIONS[base][name]
    low, high = conversion(np.array([value, value * 1.5]))
    assert low < high
    first = next(iter(units.CONVERSIONS[base].values()))
    assert first(np.array([value])) == [value]


def test_no_power_is_no_number_of_dbm() -> None:
    done = convert("cells", "power_dbm", [40, 0, "-5"], "W")
    assert done.values.iloc[0] == pytest.approx(46.02, abs=0.01)
    assert done.values.iloc[1:].tolist() == ["0 W", "-5 W"]


def test_mixed_units_are_converted_each_and_said() -> None:
    done = convert("cells", "power_dbm", ["40 W", "46 dBm", None])
    assert done.values.tolist()[:2] == pytest.approx([46.0206, 46.0], abs=1e-3)
    assert [str(p) for p in done.problems] == [
        "cells, column power_dbm: the values are in W, dBm (each is converted from its own unit)"
    ]


def test_a_value_without_unit_among_others_is_an_error() -> None:
    done = convert("cells", "power_dbm", ["40 W", "20 W", "10"])
    assert [(p.row, p.severity, p.value) for p in done.problems] == [(4, "error", "10")]
    assert "expected a unit, as other rows have: W" in str(done.problems[0])
    # Where all others are in our own unit, there is no doubt.
    assert not convert("cells", "antenna_height_m", ["30 m", "25"]).problems


def test_a_value_in_another_unit_than_its_column_says() -> None:
    done = convert("cells", "antenna_height_m", ["100", "30 m"], "ft")
    assert done.values.tolist() == pytest.approx([30.48, 30.0])
    assert [(p.row, p.severity) for p in done.problems] == [(3, "warning")]


@pytest.mark.parametrize(
    ("column", "values", "unit", "looks"),
    [
        ("antenna_height_m", [150, 130, 110], None, "ft"),
        ("power_dbm", [46, 43, 46], "W", "dBm"),
        ("power_dbm", [20, 40, 60], None, "W"),
        ("frequency_mhz", [1.8, 2.1, 0.9], None, "GHz"),
        ("frequency_mhz", [935200, 1835000], None, "kHz"),
        ("bandwidth_mhz", [200, 200], None, "kHz"),
        ("load", [50, 60, 70], None, "%"),
    ],
)
def test_what_looks_like_another_unit_is_said_and_kept(column, values, unit, looks) -> None:
    done = convert("cells", column, values, unit)
    assert [p.severity for p in done.problems] == ["warning"]
    assert f"that looks like {looks}; " in str(done.problems[0])
    assert done.units == (unit or next(iter(units.CONVERSIONS[units.quantity("cells", column)])),)


@pytest.mark.parametrize(
    ("column", "values", "unit"),
    [
        ("antenna_height_m", [30, 42, 45], None),
        ("antenna_height_m", [150, 130], "ft"),
        ("power_dbm", [46, 43, 46], None),
        ("power_dbm", [20, 40, 60], "W"),
        ("frequency_mhz", [935.2, 1835, 3500], None),
        ("bandwidth_mhz", [0.2, 5, 20], None),
        ("load", [0.5, 0.7], None),
    ],
)
def test_usual_values_raise_no_doubt(column, values, unit) -> None:
    assert not convert("cells", column, values, unit).problems


def test_a_name_with_a_unit_of_something_else_is_said() -> None:
    done = convert("cells", "power_dbm", [46], "ft")
    assert done.values.tolist() == [46.0]
    assert "the name of the column says ft" in str(done.problems[0])


# Importing


def cells_csv(header: str, value: str) -> bytes:
    columns = "cell_id,mast_id,operator,technology,bandwidth_mhz,antenna_gain_dbi,azimuth_deg"
    row = f'C1,M0,Viettel,4G,20,17.5,120,36,"{value}"'
    if "frequency" not in header.lower():
        columns, row = f"{columns},antenna_height_m,{header},frequency_mhz", f"{row},1800"
    else:
        columns, row = f"{columns},antenna_height_m,{header},power_dbm", f"{row},46"
    return f"{columns}\n{row}\n".encode()


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Công suất (W)", "40", 46.0206),
        ("Công suất (W)", "39,8", 45.9988),
        ("Tx power [dBW]", "16", 46.0),
        ("Công suất", "40 W", 46.0206),
        ("power_dbm", "40 W", 46.0206),
        ("power_dbm", "46", 46.0),
    ],
)
def test_power_in_files(workspace: Workspace, header: str, value: str, expected: float) -> None:
    seen = importers.preview(workspace, "cells", cells_csv(header, value))
    assert not seen.errors
    assert seen.frame["power_dbm"].tolist() == pytest.approx([expected], abs=1e-3)


def test_decimal_commas_before_a_unit(workspace: Workspace) -> None:
    seen = importers.preview(workspace, "cells", cells_csv("Frequency", "1,8 GHz"))
    assert seen.frame["frequency_mhz"].tolist() == [1800.0]
    use = next(each for each in seen.columns if each.ours == "frequency_mhz")
    assert (use.theirs, use.units, use.converted) == ("Frequency", ("GHz",), True)


def test_units_are_stated_by_the_user_and_told_in_the_provenance(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w")
    content = cells_csv("Công suất", "40")
    seen = importers.preview(workspace, "cells", content)
    assert any("looks like W" in str(problem) for problem in seen.problems)
    importers.import_layer(workspace, "cells", content, units={"power": "W"})
    assert workspace.read("cells")["power_dbm"].tolist() == pytest.approx([46.0206], abs=1e-3)
    assert "units: power_dbm from W" in workspace.provenance()["cells"].method


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"power": "ft"}, "ft is not a unit of power_dbm .*dBm, dBW, W, mW, kW"),
        ({"colour": "W"}, "colour, which is not a column of cells"),
        ({"operator": "W"}, "W is not a unit of operator"),
        ({"load": "%"}, "has no column load, for which a unit is given"),
    ],
)
def test_units_that_do_not_fit_are_refused(workspace: Workspace, given, said: str) -> None:
    with pytest.raises(InputError, match=said):
        importers.preview(workspace, "cells", cells_csv("power_dbm", "46"), units=given)


@pytest.mark.parametrize("value", ["40 V", "W", "forty", "40 W 20", "0 W"])
def test_what_cannot_be_read_is_an_error_of_its_row(workspace: Workspace, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        importers.import_layer(workspace, "cells", cells_csv("Công suất", value))
    assert [(p.row, p.column) for p in caught.value.problems] == [(2, "power_dbm")]
    assert value in str(caught.value.problems[0])
