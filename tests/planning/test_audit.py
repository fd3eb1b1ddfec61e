"""An audited share is what a computation with those thresholds gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coverage import run, technology
from coverage.request import CoverageRequest
from data.errors import InputError
from data.store import Workspace
from planning import audit, audit_variants, indicator_definitions
from tests.areas import small_area, write_area

REQUEST = CoverageRequest()


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = write_area(tmp_path_factory.mktemp("audit") / "test", small_area())
    run.compute(workspace, REQUEST)
    return workspace


@pytest.fixture(scope="module")
def result(area):
    return run.lookup(area, REQUEST)


def share(result, service: str, measure: str) -> float:
    rows = result.figures
    rows = rows[(rows["operator"] == "any") & (rows["level"] == "province")]
    return rows[(rows["service"] == service) & (rows["measure"] == measure)]["share"].iloc[0]


@pytest.mark.parametrize("measure", ["area", "population"])
@pytest.mark.parametrize("service", ["2G", "3G", "4G", "3G_or_4G"])
def test_with_the_profile_it_is_the_figure(area, result, service, measure) -> None:
    levels = audit.Levels(area, result, measure)
    way = audit.readings(service, REQUEST.technologies)[0]
    found = levels.share(way, 0.0, 0.95)
    assert found == pytest.approx(share(result, service, measure), abs=1e-9)


@pytest.mark.parametrize("probability", [0.6, 0.9])
def test_with_another_probability_it_is_what_is_computed(area, result, probability) -> None:
    asked = dataclasses.replace(REQUEST, probability=probability)
    again = run.compute(area, asked)
    levels = audit.Levels(area, result)
    for service in ("4G", "3G_or_4G"):
        way = audit.readings(service, REQUEST.technologies)[0]
        expected = share(again, service, "area")
        assert levels.share(way, 0.0, probability) == pytest.approx(expected, abs=1e-9)


def test_with_another_threshold_it_is_what_is_computed(area, result) -> None:
    indoor = technology.threshold_profiles()["indoor-suburban"]
    again = run.compute(area, dataclasses.replace(REQUEST, threshold_profile="indoor-suburban"))
    levels = audit.Levels(area, result)
    for name in REQUEST.technologies:
        step = indoor[name].threshold_dbm - levels.thresholds_dbm[name]
        found = levels.share(audit.Reading((name,)), step, indoor[name].probability)
        assert found == pytest.approx(share(again, name, "area"), abs=1e-9)


def test_thresholds_and_probabilities_make_the_share_true(area, result) -> None:
    levels = audit.Levels(area, result)
    for way in audit.readings("3G_or_4G", REQUEST.technologies):
        for wanted in (0.2, 0.5, 0.8):
            offset = levels.offset_for(way, wanted, 0.95)
            assert levels.share(way, offset, 0.95) >= wanted
            assert levels.share(way, offset + 0.01, 0.95) < wanted + 0.05
            other = levels.probability_for(way, wanted, offset)
            if other is not None:
                assert levels.share(way, offset, other - 1e-3) >= wanted - 1e-9


def test_many_thresholds_at_once_are_each_alone(area, result) -> None:
    levels = audit.Levels(area, result)
    way = audit.Reading(("4G",))
    steps = (-20.0, -3.0, 0.0, 0.5, 12.0, 60.0)
    alone = [levels.share(way, step, 0.9) for step in steps]
    np.testing.assert_allclose(levels.shares(way, steps, 0.9), alone, atol=1e-12)


def test_readings_stand_in_their_order(area, result) -> None:
    found = audit.audit(area, result, 93.0)
    percent = dict(zip(found.readings["reading"], found.readings["percent"], strict=True))
    assert list(percent) == ["3G or 4G", "3G", "4G", "3G and 4G"]
    assert percent["3G or 4G"] >= max(percent["3G"], percent["4G"])
    assert percent["3G and 4G"] <= min(percent["3G"], percent["4G"])
    single = audit.audit(area, result, 93.0, service="2G")
    assert single.readings["reading"].tolist() == ["2G"]
    grid = found.grid
    assert len(grid) == 4 * len(audit.PROBABILITIES) * len(audit.OFFSETS_DB)
    for _, part in grid.groupby(["reading", "probability"]):
        assert part.sort_values("offset_db")["percent"].is_monotonic_decreasing


def test_the_words_say_thresholds_that_are_true(area, result) -> None:
    percent = round(100.0 * share(result, "4G", "area"), 1)
    found = audit.audit(area, result, percent, service="4G", rounding=0.05)
    first, which = (str(item) for item in found.sentences)
    assert first.startswith(f"4G: {percent:g} % of the area is reached at -")
    assert "with 95 % probability" in first
    assert f"The reading that gives {percent:g} % is 4G." in which
    far = audit.audit(area, result, 1.0, service="4G", rounding=0.5)
    assert "No reading gives 1 %" in str(far.sentences[-1])
    assert "it is more even with 99.9 %" in str(far.sentences[0])


def test_without_signal_no_threshold_makes_it_true(tmp_path) -> None:
    workspace = write_area(tmp_path / "weak", small_area())
    near = dataclasses.replace(REQUEST, radius_m=1000.0, technologies=("2G",))
    result = run.compute(workspace, near)
    found = audit.audit(workspace, result, 100.0, service="2G")
    assert "does not reach 100 % of the area at any threshold" in str(found.sentences[0])
    assert np.isnan(found.readings["offset_db"].iloc[0])


def test_what_cannot_be_audited_says_why() -> None:
    known = indicator_definitions.built_in()
    assert audit.about(known["mobile_3g_or_4g_area"]) == ("3G_or_4G", "area")
    for code, word in (
        ("broadband_unstated", "does not say of what"),
        ("goal_parks", "no number"),
        ("lan_commune", "does not depend on radio"),
        ("email_use", "entered"),
        ("mobile_4g_village", "does not depend on radio"),
    ):
        with pytest.raises(InputError, match=word):
            audit.about(known[code])


def test_a_share_that_is_none_is_refused(area, result) -> None:
    for percent in (0.0, 101.0, float("nan")):
        with pytest.raises(InputError):
            audit.audit(area, result, percent)
    with pytest.raises(InputError, match="5G was not computed"):
        audit.audit(area, result, 93.0, service="5G")
    with pytest.raises(InputError, match="villages"):
        audit.audit(area, result, 93.0, measure="villages")


def test_other_models_give_their_own_figures(area) -> None:
    names = ["p1812", "free_space"]
    table = audit_variants.by_model(area, REQUEST, names).set_index("model")
    for name in names:
        again = run.lookup(area, dataclasses.replace(REQUEST, model=name))
        expected = 100.0 * share(again, "3G_or_4G", "area")
        assert table.loc[name, "percent"] == pytest.approx(expected)
        assert table.loc[name, "low"] <= expected <= table.loc[name, "high"]
    kept = audit_variants.kept_models(area, REQUEST)
    assert set(kept["model"]) == set(names)


def test_fewer_masts_cover_less_and_all_cover_the_figure(area, result) -> None:
    table = audit_variants.by_density(area, REQUEST, fractions=(0.2, 0.6, 1.0), draws=4)
    again = audit_variants.by_density(area, REQUEST, fractions=(0.2, 0.6, 1.0), draws=4)
    assert table.equals(again)
    for name, part in table.groupby("reading"):
        assert part["percent"].is_monotonic_increasing, name
        assert (part["low"] <= part["percent"]).all()
    whole = table[(table["fraction"] == 1.0) & (table["reading"] == "3G or 4G")].iloc[0]
    assert whole["masts"] == 5
    assert whole["percent"] == pytest.approx(100.0 * share(result, "3G_or_4G", "area"), abs=0.1)
    needed = audit_variants.masts_needed(table, whole["percent"] - 1.0).set_index("reading")
    assert 1.0 <= needed.loc["3G or 4G", "masts"] <= 5.0
    none = audit_variants.masts_needed(table, 100.0)
    assert none["masts"].isna().all() or (whole["percent"] == 100.0)


def test_higher_antennas_reach_farther(area, result) -> None:
    table = audit_variants.by_height(
        area, REQUEST, service="4G", antenna_shifts_m=(0.0, 15.0), receiver_heights_m=(10.0,)
    )
    found = dict(zip(zip(table["what"], table["height_m"], strict=True), table["percent"],
                     strict=True))  # fmt: skip
    same = 100.0 * share(result, "4G", "area")
    assert found["antenna", 0.0] == pytest.approx(same, abs=1e-9)
    assert found["antenna", 15.0] >= same
    assert found["receiver", 10.0] >= same
