"""Local rules: the table, the checks, and distances of exposure against published figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from planning import site_checks, site_rules
from planning.site_rules import Neighbour, Structure, Surroundings

GROUND = Structure(
    new=True,
    mast_class="A2b",
    height_m=42.0,
    building_height_m=None,
    radius_m=None,
    max_tenants=3,
    eirp_dbm=(60.0,),
    lowest_antenna_m=40.0,
)
RULES = site_rules.rules()


def found(structure: Structure, around: Surroundings, rule: str, rules=RULES):
    (finding,) = [f for f in site_checks.check(structure, around, rules) if f.rule == rule]
    return finding


def changed(structure: Structure = GROUND, **changes) -> Structure:
    return Structure(**{**structure.__dict__, **changes})


# r = sqrt(EIRP / (4 π S)) for the limit of 2 W/m², worked out by hand.
@pytest.mark.parametrize(
    ("eirp_dbm", "distance_m"),
    [(57.0, 4.5), (60.0, 6.3), (63.0, 8.9), (66.0, 12.6), (70.0, 19.9), (76.0, 39.8)],
)
def test_the_compliance_distance_is_that_of_the_far_field(eirp_dbm, distance_m) -> None:
    assert site_rules.compliance_distance_m((eirp_dbm,), 2.0) == pytest.approx(distance_m, abs=0.05)


@given(st.lists(st.floats(0.0, 80.0), max_size=30), st.floats(0.1, 10.0))
def test_powers_add_up(eirp_dbm, limit) -> None:
    distance = site_rules.compliance_distance_m(tuple(eirp_dbm), limit)
    watts = sum(10 ** (value / 10 - 3) for value in eirp_dbm)
    assert 4 * math.pi * distance**2 * limit == pytest.approx(watts, rel=1e-9)
    twice = site_rules.compliance_distance_m((*eirp_dbm, *eirp_dbm), limit)
    assert twice == pytest.approx(distance * math.sqrt(2.0))


def test_spacing_depends_on_the_zone() -> None:
    near = (Neighbour("mast", "MH0001", 250.0),)
    assert found(GROUND, Surroundings("urban", (), near), "spacing").result == "met"
    rural = found(GROUND, Surroundings("rural", (), near), "spacing")
    assert (rural.result, rural.measured, rural.limit) == ("not met", 250.0, 400.0)
    assert "MH0001" in str(rural.text)
    assert found(GROUND, Surroundings("rural"), "spacing").result == "met"


@pytest.mark.parametrize(
    ("zone", "height_m", "limit"),
    [
        ("urban", 35.0, 150.0),
        ("rural", 35.0, 200.0),
        ("urban", 36.0, 200.0),
        ("rural", 50.0, 350.0),
    ],
)
def test_quang_nam_distinguishes_zone_and_height(zone, height_m, limit) -> None:
    rules = site_rules.rules(None, "quang-nam")
    roof = changed(mast_class="A2a", height_m=height_m, building_height_m=20.0)
    assert found(roof, Surroundings(zone), "spacing", rules).limit == limit
    # What the province says nothing about is as everywhere.
    assert found(roof, Surroundings(zone), "tenants_max", rules).limit == 4.0


def test_antennas_on_a_mast_touch_no_rule_about_building() -> None:
    shared = changed(new=False, mast_class="A2b")
    rules = {finding.rule for finding in site_checks.check(shared, Surroundings("urban"), RULES)}
    assert rules == {"exposure"}


@pytest.mark.parametrize(
    ("changes", "results"),
    [
        ({"building_height_m": 20.0, "height_m": 23.0}, ("met", "met")),
        ({"building_height_m": 20.0, "height_m": 23.5}, ("not met", "met")),
        ({"building_height_m": 10.0, "height_m": 12.5}, ("met", "not met")),
        ({}, ("cannot be checked", "cannot be checked")),
    ],
)
def test_a1a_is_bound_to_its_building(changes, results) -> None:
    mast = changed(mast_class="A1a", **changes)
    rules = ("own_height_max", "share_of_building_max")
    assert tuple(found(mast, Surroundings("rural"), rule).result for rule in rules) == results


def test_classes_say_where_a_mast_stands() -> None:
    around = Surroundings("rural")
    assert found(changed(building_height_m=10.0), around, "on_ground").result == "not met"
    assert found(changed(mast_class="A2a"), around, "on_building").result == "not met"
    assert found(changed(mast_class="A1b", radius_m=1.3), around, "radius_max").result == "not met"
    unknown = site_checks.check(changed(mast_class=""), around, RULES)
    assert unknown[0].rule == "mast_class"
    assert "allowed_near" not in {finding.rule for finding in unknown}


def test_only_camouflaged_masts_near_seats_and_in_their_zones() -> None:
    seat = (Neighbour("offices", "UBND", 150.0),)
    around = Surroundings("urban", ("Old town",), (), seat)
    for rule in ("allowed_near", "allowed_in_zone"):
        assert found(GROUND, around, rule).result == "not met"
        assert found(changed(mast_class="A1b"), around, rule).result == "met"
    far = Surroundings("urban", (), (), (Neighbour("offices", "UBND", 201.0),))
    assert found(GROUND, far, "allowed_near").result == "met"


def test_exposure_is_not_met_where_people_come_near() -> None:
    low = changed(eirp_dbm=(70.0,), lowest_antenna_m=21.0)
    finding = found(low, Surroundings("rural"), "exposure")
    assert finding.result == "not met"
    assert (round(finding.measured, 1), finding.limit) == (19.9, 19.0)
    none = changed(eirp_dbm=(), lowest_antenna_m=math.nan)
    assert found(none, Surroundings("rural"), "exposure").result == "cannot be checked"


def test_schools_near_are_named_but_forbid_nothing() -> None:
    near = (Neighbour("school", "Trường A", 120.0), Neighbour("school", "Trường B", 299.0))
    finding = found(GROUND, Surroundings("rural", (), (), near), "sensitive")
    assert (finding.result, finding.severity) == ("note", "note")
    assert "Trường A" in str(finding.text)
    assert ": 2;" in str(finding.text)


@pytest.mark.parametrize(
    ("mast_class", "zone", "required"),
    [
        ("A2b", "urban", True),
        ("A2b", "rural", False),
        ("A1a", "urban", False),
        ("", "urban", False),
    ],
)
def test_a_permit_is_for_bulky_masts_in_towns(mast_class, zone, required) -> None:
    mast = changed(mast_class=mast_class)
    assert site_checks.permit_required(mast, Surroundings(zone), RULES) is required


def test_what_is_not_met_comes_first() -> None:
    around = Surroundings("urban", (), (Neighbour("mast", "M", 10.0),))
    results = [finding.result for finding in site_checks.check(GROUND, around, RULES)]
    order = ["not met", "cannot be checked", "note", "met"]
    assert results == sorted(results, key=order.index)


def test_a_shared_mast_must_be_offered_and_have_room() -> None:
    mast = {"mast_id": "M1", "owner": "B", "shareable": False, "max_tenants": 2.0}
    offered, room = site_checks.check_shared(mast, "A", {"B", "C"}, {"A"})
    assert (offered.result, room.result, room.measured) == ("not met", "not met", 3.0)
    own, _ = site_checks.check_shared(mast, "B", {"B"}, {"B"})
    assert own.result == "met"
    unknown = {**mast, "max_tenants": math.nan}
    assert site_checks.check_shared(unknown, "A", {"B"}, {"A"})[1].result == "cannot be checked"


# -- The table ------------------------------------------------------------------------------


def test_every_rule_of_the_table_is_checked_or_used() -> None:
    used = {rule.rule for rule in RULES}
    assert used == set(site_rules.RULES)
    assert all(rule.source for rule in RULES)
    # None of the texts was at hand.
    assert not any(rule.verified for rule in RULES)


def test_an_area_brings_its_own_table(tmp_path) -> None:
    path = site_rules.write_own(tmp_path, "quang-nam")
    own = site_rules.rules(tmp_path)
    assert {r.value for r in own if r.rule == "spacing"} == {150.0, 200.0, 350.0, 300.0}
    before = site_rules.digest(tmp_path)
    path.write_text(path.read_text("utf-8").replace(",350,", ",360,"), "utf-8")
    assert {r.value for r in site_rules.rules(tmp_path) if r.rule == "spacing"} >= {360.0}
    assert site_rules.digest(tmp_path) != before
    with pytest.raises(InputError, match="is there already"):
        site_rules.write_own(tmp_path, "ha-noi")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("spacing,default,urban", "gap,default,urban", "row 9, column rule: gap"),
        (",100,m,", ",-1,m,", "row 9, column value: -1"),
        (",100,m,", ",,m,", "row 9, column value: empty"),
        (",100,m,", ",100,km,", "row 9, column unit: km"),
        ("default,urban,A1a;A1b", "default,urban,A1a;B", "row 9, column mast_class"),
        (",100,m,error,", ",100,m,grave,", "row 9, column severity: grave"),
        (",2,W/m²,", ",0,W/m²,", "greater than 0"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_by_row_and_column(tmp_path, old, new, said) -> None:
    text = site_rules.TABLE.read_text("utf-8")
    assert old in text
    (tmp_path / site_rules.OWN_FILE).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError, match=f"site_rules.csv.*{said}|{said}"):
        site_rules.rules(tmp_path)


def test_there_are_no_rules_of_an_unknown_province() -> None:
    with pytest.raises(InputError, match="no rules of atlantis"):
        site_rules.rules(None, "atlantis")


def test_areas_of_other_rules_are_read_from_geojson(tmp_path) -> None:
    assert site_rules.read_zones(tmp_path) is None
    square = "[[[105.9,20.5],[105.91,20.5],[105.91,20.51],[105.9,20.5]]]"
    text = (
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":'
        '{"zone":"ZONE","name":"Phố cổ"},"geometry":{"type":"Polygon","coordinates":'
        f"{square}}}}}]}}"
    )
    path = tmp_path / site_rules.ZONES_FILE
    path.write_text(text.replace("ZONE", "camouflaged"), "utf-8")
    assert site_rules.read_zones(tmp_path)["name"].tolist() == ["Phố cổ"]
    path.write_text(text.replace("ZONE", "green"), "utf-8")
    with pytest.raises(InputError, match="column zone: green"):
        site_rules.read_zones(tmp_path)
    path.write_text("{", "utf-8")
    with pytest.raises(InputError, match="expected GeoJSON"):
        site_rules.read_zones(tmp_path)


@pytest.mark.parametrize(
    ("name", "urban"), [("Phường Phủ Lý", True), ("phường Hà Nam", True), ("Xã Thanh Lâm", False)]
)
def test_wards_are_urban(name, urban) -> None:
    assert site_rules.is_urban_name(name, RULES) is urban
