"""The indicators of a provincial report: definitions, values, history, computed figures."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
import threading

import numpy as np
import pytest

from coverage import run
from coverage.request import CoverageRequest
from data.errors import InputError
from data.records.engine import Records, StaleError
from data.store import Workspace
from planning import (
    broadband,
    dedicated_network,
    indicator_computed,
    indicator_definitions,
    indicator_values,
    indicators,
)
from planning.accounts import Actor, ForbiddenError, Role
from tests.areas import small_area, write_area
from tests.vectors import shared_path

PLANNER = Actor(None, "command line", Role.PLANNER)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small area with its default coverage; not to be changed."""
    folder = tmp_path_factory.mktemp("indicators") / "test"
    workspace = write_area(folder, small_area())
    run.compute(workspace, CoverageRequest())
    return workspace


@pytest.fixture
def ha_nam(computed: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The same, taken for Hà Nam."""
    monkeypatch.setattr(indicator_definitions, "HA_NAM", ("test",))
    return computed


def row(table, code: str):
    return table.set_index("id").loc[code]


# Definitions and built-in values


def test_every_claim_of_the_report_has_its_place() -> None:
    with shared_path("domain/seed_claims.csv").open(encoding="utf-8") as file:
        claims = [entry["id"] for entry in csv.DictReader(file)]
    assert len(claims) == 52
    known = indicator_definitions.built_in()
    placed = {claim: item for item in known.values() for claim in item.claims}
    assert set(placed) == set(claims)
    stated = {item.indicator for item in indicator_values._built_in()} | set(
        indicator_values.NETWORK.values()
    )
    for claim in claims:
        items = [item for item in known.values() if claim in item.claims]
        # A number that is stated or computed, a document, or a statement that is shown as such.
        assert any(
            item.kind == "document" or item.indicator in stated or item.computed_by
            for item in items
        ), claim


def test_numbers_of_the_report_are_those_of_its_claims() -> None:
    reported = {(item.indicator, item.as_of): item.value for item in indicator_values._built_in()}
    assert reported["mobile_2g_area", "2020-11-16"] == 99.0
    assert reported["procedures_level4", "2020-11-16"] == 610.0
    assert reported["dossiers_received", "2019-12-31"] == 209_249.0
    assert reported["certificates_personal", "2020-11-16"] == 1_200.0


def test_built_in_values_belong_to_definitions_and_name_their_source() -> None:
    known = indicator_definitions.built_in()
    for item in indicator_values._built_in():
        assert item.source
        assert set(item.claims) <= set(known[item.indicator].claims)
        fields = {name: getattr(item, name, None) for name in indicator_values.FIELDS}
        indicator_values.checked({**fields, "note": item.note_en}, known[item.indicator])
    for item in known.values():
        if item.target is not None:
            assert item.target_source
        assert item.title_vi != item.title_en or item.kind == "document"
        assert not item.related or item.related in known


def test_other_areas_start_with_definitions_only(computed) -> None:
    table = indicators.table(computed, None)
    assert not table["stated"].any()
    assert set(table["kind"]) == {"figure"}
    assert tuple(table.columns[: len(indicators.COLUMNS)]) == indicators.COLUMNS
    assert indicators.findings(computed, None) == []


def test_what_cannot_be_checked_says_so(ha_nam) -> None:
    table = indicators.table(ha_nam, None)
    said = [str(item) for item in row(table, "broadband_unstated")["warnings"]]
    assert "Share of what is not stated." in said
    assert "Method not stated." in [str(i) for i in row(table, "mobile_2g_area")["warnings"]]
    statement = row(table, "goal_parks")
    assert statement["kind"] == "statement"
    assert "without denominator and method" in str(statement["warnings"][0])
    assert str(row(table, "conference_departments")["warnings"][0]) == "Stated without a number."


# Computed figures


def test_computed_figures_are_those_of_the_kept_results(computed) -> None:
    figures = run.lookup(computed, CoverageRequest()).figures
    table = indicators.table(computed, None)
    for service, measure in (("2G", "area"), ("3G_or_4G", "population"), ("4G", "village")):
        mine = figures[
            (figures["service"] == service)
            & (figures["measure"] == measure)
            & (figures["operator"] == "any")
            & (figures["level"] == "province")
        ].iloc[0]
        shown = row(table, f"mobile_{service.lower()}_{measure}")
        assert shown["computed"] == pytest.approx(100.0 * mine["share"])
        assert shown["interval_low"] == pytest.approx(100.0 * mine["interval_low"])
        assert "ITU-R P.1812" in str(shown["computed_method"])
    outside = row(table, "mobile_4g_people_outside")["computed"]
    inside = row(table, "mobile_4g_population")
    assert outside == pytest.approx(inside["computed_of"] - inside["computed_count"])
    state = dedicated_network.status(computed)
    count, of = state.figure("connected", "commune")
    assert row(table, "network_commune_connected")["computed"] == pytest.approx(100.0 * count / of)
    assert row(table, "mobile_masts")["computed"] == 5.0


def test_sites_that_no_failure_cuts_off_are_counted_one_by_one(computed) -> None:
    live = dedicated_network.status(computed).network
    safe = np.ones(len(live.sites), bool)
    for gone in range(len(live.links)):
        keep = np.arange(len(live.links)) != gone
        reached = set(np.flatnonzero(live.hub))
        while True:
            more = {
                int(end)
                for a, b in zip(live.tail[keep], live.head[keep], strict=True)
                for one, end in ((a, b), (b, a))
                if int(one) in reached
            } - reached
            if not more:
                break
            reached |= more
        safe[[site for site in range(len(safe)) if site not in reached]] = False
    found = indicator_computed.compute("protected", indicator_computed.Sources(computed))
    assert (found.count, found.of) == (safe.sum(), len(safe))


def test_what_is_missing_says_what_to_do(tmp_path) -> None:
    workspace = write_area(tmp_path / "bare", small_area(), without=("masts", "network_sites"))
    table = indicators.table(workspace, None)
    for code, word in (
        ("mobile_4g_area", "Compute the coverage first"),
        ("broadband_household", "Compute broadband coverage first"),
        ("network_commune_connected", "There is no dedicated network"),
        ("service_points_count", "points_of_interest"),
        ("dossiers_online_share", "not entered"),
    ):
        assert word in str(row(table, code)["missing"])
        assert np.isnan(row(table, code)["computed"])


def test_kept_broadband_is_found_without_computing(computed, tmp_path) -> None:
    shutil.copytree(computed.folder, tmp_path / "w")
    workspace = Workspace.open(tmp_path / "w")
    assert broadband.lookup(workspace) is None
    result = broadband.coverage(workspace, compute_mobile=False)
    assert broadband.lookup(workspace).folder == result.folder
    own = result.figures
    share = own[
        (own["service"] == "broadband")
        & (own["measure"] == "household")
        & (own["level"] == "province")
    ]["share"].iloc[0]
    table = indicators.table(workspace, None)
    assert row(table, "broadband_household")["computed"] == pytest.approx(100.0 * share)
    workspace.write({}, {}, drop=["fibre_segments"])
    assert broadband.lookup(workspace) is None


def test_service_points_are_counted_by_commune(computed, tmp_path) -> None:
    import geopandas as gpd

    from data.area import Provenance

    shutil.copytree(computed.folder, tmp_path / "w")
    workspace = Workspace.open(tmp_path / "w")
    communes = workspace.read("zones").query("level == 'commune'")
    inside = communes.geometry.representative_point().to_numpy()
    points = gpd.GeoDataFrame(
        {
            "poi_id": ["a", "b", "c"],
            "kind": ["post_office", "post_office", "school"],
            "name": None,
            "operator": None,
        },
        geometry=[inside[0], inside[0], inside[1]],
        crs=communes.crs,
    )
    workspace.write({"points_of_interest": points}, {"points_of_interest": Provenance("test")})
    table = indicators.table(workspace, None)
    assert row(table, "service_points_count")["computed"] == 2.0
    assert row(table, "service_points_communes")["computed"] == pytest.approx(100.0 / 3.0)
    zones = indicators.by_zone(workspace, None, "service_points_count").set_index("code")
    assert zones["computed"].sort_values().tolist() == [0.0, 0.0, 2.0]


# Values and definitions of users, in both databases


def test_values_are_kept_with_their_history(records: Records, ha_nam) -> None:
    seeded = row(indicators.table(ha_nam, records), "dossiers_received")
    assert (seeded["reported"], seeded["value_version"]) == (202_119.0, 0)
    key = seeded["value_key"]
    changed = indicator_values.write(
        records, PLANNER, ha_nam, {"value": 202_120}, key=key, expected_version=0
    )
    assert (changed.value, changed.source, changed.version) == (202_120.0, seeded["source"], 1)
    added = {"indicator": "dossiers_received", "value": 240_000, "as_of": "2021-12-31"}
    indicator_values.write(records, PLANNER, ha_nam, added)
    assert row(indicators.table(ha_nam, records), "dossiers_received")["reported"] == 240_000.0
    then = indicators.table(ha_nam, records, on="2020-12-31")
    assert row(then, "dossiers_received")["reported"] == 202_120.0
    assert row(then, "dossiers_received")["as_of"] == "2020-11-16"
    line = indicators.series(ha_nam, records, "dossiers_received")
    assert line["value"].tolist() == [209_249.0, 202_120.0, 240_000.0]
    indicator_values.remove(records, PLANNER, ha_nam, key, expected_version=1)
    line = indicators.series(ha_nam, records, "dossiers_received")
    assert line["value"].tolist() == [209_249.0, 240_000.0]
    told = indicators.history(records, PLANNER, ha_nam, "dossiers_received")
    assert told["action"].tolist() == ["value removed", "value entered", "value changed"]
    first = told["detail"].iloc[-1]
    assert (first["old"]["value"], first["new"]["value"]) == (202_119.0, 202_120.0)
    assert set(told["who"]) == {"command line"}


def test_only_planners_write(records: Records, computed) -> None:
    for role in (Role.VIEWER, Role.CARRIER):
        actor = Actor(None, "visitor", role)
        with pytest.raises(ForbiddenError):
            indicator_values.write(records, actor, computed, {"indicator": "email_use"})
        with pytest.raises(ForbiddenError):
            indicator_definitions.write(records, actor, computed, {"indicator": "email_use"})
        with pytest.raises(ForbiddenError):
            indicators.keep_computed(records, actor, computed)


def test_of_two_who_change_a_value_the_second_is_told(records: Records, ha_nam) -> None:
    key = row(indicators.table(ha_nam, records), "email_use")["value_key"]
    indicator_values.write(records, PLANNER, ha_nam, {"value": 96}, key=key, expected_version=0)
    with pytest.raises(StaleError):
        indicator_values.write(records, PLANNER, ha_nam, {"value": 97}, key=key, expected_version=0)
    assert row(indicators.table(ha_nam, records), "email_use")["reported"] == 96.0


def test_many_writers_at_once_lose_nothing(records: Records, computed) -> None:
    failed: list[Exception] = []

    def write(year: int) -> None:
        value = {"indicator": "dossiers_online", "value": year, "as_of": f"{year}-12-31"}
        try:
            indicator_values.write(records, PLANNER, computed, value)
        except Exception as error:  # noqa: BLE001 - told below, in the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=write, args=(year,)) for year in range(2001, 2013)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    line = indicators.series(computed, records, "dossiers_online")
    assert line["value"].tolist() == [float(year) for year in range(2001, 2013)]


def test_definitions_are_added_changed_and_removed(records: Records, computed) -> None:
    new = {"indicator": "poles", "group": "goals", "title_vi": "Số cột treo cáp", "unit": "points"}
    made = indicator_definitions.write(records, PLANNER, computed, new, expected_version=0)
    assert (made.title_en, made.version) == ("Số cột treo cáp", 1)
    value = {"indicator": "poles", "value": 12, "as_of": "2024-06-30"}
    indicator_values.write(records, PLANNER, computed, value)
    assert row(indicators.table(computed, records), "poles")["reported"] == 12.0
    target = {"indicator": "mobile_5g_population", "target": 100, "target_year": 2029}
    indicator_definitions.write(records, PLANNER, computed, target)
    shown = row(indicators.table(computed, records), "mobile_5g_population")
    assert (shown["target"], shown["target_year"]) == (100.0, 2029)
    assert not shown["target_verified"]
    with pytest.raises(StaleError):
        indicator_definitions.write(records, PLANNER, computed, new, expected_version=0)
    indicator_definitions.remove(records, PLANNER, computed, "poles", expected_version=1)
    indicator_definitions.remove(records, PLANNER, computed, "mobile_masts", expected_version=0)
    codes = set(indicators.table(computed, records)["id"])
    assert not {"poles", "mobile_masts"} & codes
    told = indicators.history(records, PLANNER, computed, "poles")
    assert told["action"].tolist() == ["removed", "value entered", "defined"]
    again = indicator_definitions.write(records, PLANNER, computed, {"indicator": "mobile_masts",
                                        "group": "mobile", "title_en": "Masts"})  # fmt: skip
    assert again.title_en == "Masts"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"indicator": "Not a code", "group": "goals", "title_en": "x"}, "indicator"),
        ({"indicator": "x", "group": "cats", "title_en": "x"}, "group"),
        ({"indicator": "x", "group": "goals"}, "title"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "computed_by": "magic"}, "magic"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "computed_by": "coverage 4G"},
         "2 arguments"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "target_year": 3.5}, "year"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "target": "much"}, "much"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "issued_on": "soon"}, "soon"),
        ({"indicator": "x", "group": "goals", "title_en": "y" * 3000}, "characters"),
        ({"indicator": "x", "group": "goals", "title_en": "x", "colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_what_is_no_definition_is_refused(tmp_path, computed, fields, word) -> None:
    with pytest.raises(InputError, match=f"(?i){word}"):
        indicator_definitions.write(Records.open(tmp_path), PLANNER, computed, fields)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"indicator": "nothing", "value": 1}, "no indicator"),
        ({"indicator": "email_use", "value": 101}, "from 0 to 100"),
        ({"indicator": "email_use", "value": "many"}, "many"),
        ({"indicator": "email_use", "value": float("inf")}, "inf"),
        ({"indicator": "email_use"}, "no number"),
        ({"indicator": "email_use", "count": 1, "of": 0}, "more than 0"),
        ({"indicator": "dossiers_online", "value": -1}, "at least 0"),
        ({"indicator": "dossiers_online", "value": 1, "as_of": "31/12/2020x"}, "YYYY-MM-DD"),
        ({"indicator": "mobile_masts", "value": 900.5}, "900.5 is no count"),
        ({"indicator": "tv_radio_reach", "count": 12.5, "of": 33}, "12.5 is no count"),
        ({"indicator": "tv_radio_reach", "value": 50, "count": -3, "of": 33}, "at least 0"),
        ({"indicator": "centre_cost", "value": -12_345_678}, "value is -12,345,678"),
        ({"indicator": "email_use", "value": 95, "zone_code": "99999"}, "code 99999 among"),
    ],
)
def test_what_is_no_value_is_refused(tmp_path, computed, fields, word) -> None:
    with pytest.raises(InputError, match=word):
        indicator_values.write(Records.open(tmp_path), PLANNER, computed, fields)


def test_more_computers_than_officials_are_possible(tmp_path, computed) -> None:
    value = {"indicator": "computers_upper", "value": 112}
    kept = indicator_values.write(Records.open(tmp_path), PLANNER, computed, value)
    assert kept.value == 112.0


def test_what_is_measured_needs_no_whole_numbers(tmp_path, computed) -> None:
    records = Records.open(tmp_path)
    for fields in (
        {"indicator": "mobile_4g_speed", "value": 43.7},
        {"indicator": "mobile_2g_area", "count": 430.5, "of": 861.8},
    ):
        assert indicator_values.write(records, PLANNER, computed, fields).value is not None


def test_a_value_is_of_what_its_definition_says_unless_its_source_does_not_say(
    records: Records, computed
) -> None:
    entered = {"indicator": "mobile_2g_area", "value": 99, "as_of": "2024-12-31"}
    indicator_values.write(records, PLANNER, computed, entered)
    shown = row(indicators.table(computed, records), "mobile_2g_area")
    assert shown["stated_denominator"] == "area"
    said = [str(item) for item in shown["warnings"]]
    assert "Share of what is not stated." not in said
    assert any("computed" in text for text in said)
    # A share of something unknown is not held against one of the area.
    unsaid = {**entered, "as_of": "2025-12-31", "denominator": ""}
    indicator_values.write(records, PLANNER, computed, unsaid)
    said = [str(i) for i in row(indicators.table(computed, records), "mobile_2g_area")["warnings"]]
    assert "Share of what is not stated." in said
    assert not any("computed" in text for text in said)


def test_computed_values_become_a_series(records: Records, computed) -> None:
    count = indicators.keep_computed(records, PLANNER, computed)
    assert count > 20
    assert indicators.keep_computed(records, PLANNER, computed) == count
    line = indicators.series(computed, records, "mobile_2g_area")
    assert line["kind"].tolist() == ["computed"]
    now = row(indicators.table(computed, records), "mobile_2g_area")
    assert line["value"].iloc[0] == pytest.approx(now["computed"])
    assert line["low"].iloc[0] == pytest.approx(now["interval_low"])
    before = row(indicators.table(computed, records, on="2020-01-01"), "mobile_2g_area")
    assert np.isnan(before["computed"])
    assert "present state" in str(before["missing"])


def test_a_past_day_shows_what_was_kept_for_it(tmp_path, computed) -> None:
    records = Records.open(tmp_path)
    kept = indicator_values.Value(
        "", "mobile_2g_area", "computed", as_of="2020-01-01", value=77.0, method="coverage"
    )
    indicator_values.keep(records, PLANNER, computed, [kept], "2020-01-01")
    then = row(indicators.table(computed, records, on="2020-06-30"), "mobile_2g_area")
    assert (then["computed"], then["computed_as_of"]) == (77.0, "2020-01-01")


def test_a_date_that_is_none_is_refused(computed) -> None:
    with pytest.raises(InputError, match="soon"):
        indicators.table(computed, None, on="soon")


def test_values_by_zone_stand_beside_computed_ones(tmp_path, computed) -> None:
    records = Records.open(tmp_path)
    code = str(computed.read("zones").query("level == 'commune'")["code"].iloc[0])
    value = {"indicator": "mobile_2g_area", "value": 98, "zone_code": code, "as_of": "2024-01-01"}
    indicator_values.write(records, PLANNER, computed, value)
    zones = indicators.by_zone(computed, records, "mobile_2g_area").set_index("code")
    # All but the area itself.
    assert len(zones) == len(computed.read("zones")) - 1
    assert zones.loc[code, "reported"] == 98.0
    assert zones["computed"].notna().all()
    # It says nothing of the whole area.
    assert np.isnan(row(indicators.table(computed, records), "mobile_2g_area")["reported"])
    with pytest.raises(InputError, match="no indicator"):
        indicators.by_zone(computed, records, "cats")


def test_values_of_units_that_are_no_more_are_shown(tmp_path, computed) -> None:
    import geopandas as gpd
    import pandas as pd

    from data.area import Provenance

    shutil.copytree(computed.folder, tmp_path / "w")
    area, records = Workspace.open(tmp_path / "w"), Records.open(tmp_path)
    zones = area.read("zones")
    here = (zones["level"] == "commune").to_numpy()
    communes = zones[here].assign(valid_from="2025-07-01")
    districts = communes.assign(
        code=["351", "352", "353"], name=["Kim Bảng", "Thanh Liêm", "Bình Lục"], level="district",
        valid_from="2020-01-01", valid_to="2025-06-30",
    )  # fmt: skip
    again = str(communes["code"].iloc[0])
    former = pd.DataFrame(
        {"code": [again, "13297"], "name": ["Tiên Tân", "Hai Bà Trưng"], "type": "Xã",
         "parent_code": "351", "valid_from": "2020-01-01", "valid_to": "2024-12-31",
         "successor_codes": None}
    )  # fmt: skip
    layers = {"zones": gpd.GeoDataFrame(pd.concat([zones[~here], communes, districts])),
              "former_zones": former}  # fmt: skip
    area.write(layers, dict.fromkeys(layers, Provenance("test")))
    day = "2020-11-16"
    for code, number in (("351", 20), ("352", 14), (again, 3), ("13297", 2)):
        value = {"indicator": "conference_endpoints", "value": number, "zone_code": code}
        indicator_values.write(records, PLANNER, area, {**value, "as_of": day})
    indicator_values.write(
        records, PLANNER, area, {"indicator": "conference_endpoints", "value": 79, "as_of": day}
    )
    table = indicators.by_zone(area, records, "conference_endpoints")
    said = table[table["reported"].notna()]
    assert dict(zip(said["name"], said["reported"], strict=True)) == {
        "Kim Bảng": 20.0, "Thanh Liêm": 14.0, "Tiên Tân": 3.0, "Hai Bà Trưng": 2.0,
    }  # fmt: skip
    assert said["level"].tolist() == ["district", "district", "commune", "commune"]
    assert said["valid_to"].tolist() == ["2025-06-30", "2025-06-30", "2024-12-31", "2024-12-31"]
    # The ward that has the code of a former commune today has its computed value alone.
    ward = table[(table["code"] == again) & (table["valid_to"] == "")].iloc[0]
    assert np.isnan(ward["reported"])
    assert ward["computed"] >= 0.0
    # Districts and their communes are not added to each other, nor is a part the whole.
    found = [item for item in indicators.findings(area, records) if item.check == "zones"]
    assert {str(item.text): item.agrees for item in found} == {
        "2 of 3 units add up to 34; reported 79": None,
        "2 of 2 units add up to 5; reported 79": False,
    }


def test_a_value_of_the_area_by_its_code_is_shown_among_units(tmp_path, computed) -> None:
    records = Records.open(tmp_path)
    whole = str(computed.read("zones").query("level == 'province'")["code"].iloc[0])
    value = {"indicator": "mobile_2g_area", "value": 98, "zone_code": whole}
    indicator_values.write(records, PLANNER, computed, value)
    zones = indicators.by_zone(computed, records, "mobile_2g_area").set_index("code")
    assert zones.loc[whole, "reported"] == 98.0


def test_a_value_of_a_unit_that_has_gone_from_the_layer_can_be_corrected(tmp_path) -> None:
    area, records = write_area(tmp_path / "a", small_area()), Records.open(tmp_path)
    code = str(area.read("zones")["code"].iloc[-1])
    value = {"indicator": "mobile_masts", "value": 3, "zone_code": code}
    kept = indicator_values.write(records, PLANNER, area, value)
    area.write({}, {}, drop=["zones"])
    again = indicator_values.write(records, PLANNER, area, {"value": 4}, key=kept.key)
    assert again.value == 4.0
    with pytest.raises(InputError, match="no administrative units"):
        indicator_values.write(records, PLANNER, area, value)


def test_counts_of_a_computed_share_are_named(tmp_path, computed) -> None:
    records = Records.open(tmp_path)
    counts = {"procedures_total": 10, "procedures_level4": 4, "certificates_organisation": 2,
              "certificates_personal": 3}  # fmt: skip
    for code, number in counts.items():
        indicator_values.write(records, PLANNER, computed, {"indicator": code, "value": number})
    table = indicators.table(computed, records)
    assert str(row(table, "procedures_level4_share")["computed_method"]) == (
        "from the entered counts “Online public services of level 4” and “Administrative "
        "procedures”"
    )
    assert str(row(table, "certificates_total")["computed_method"]) == (
        "sum of the entered counts “Digital certificates of organisations”, “Digital "
        "certificates of persons”"
    )


def test_what_is_reported_of_the_network_is_the_same_everywhere(tmp_path, ha_nam) -> None:
    from planning import network_report

    records = Records.open(tmp_path)
    said = network_report.reported(ha_nam)
    if said.empty:
        # The claims are about Hà Nam; the small area has none of its own.
        shutil.copyfile(network_report.REPORTED, tmp_path / "said.csv")
        said = network_report._read_reported(tmp_path / "said.csv")
    assert set(zip(said["measure"], said["level"], strict=True)) == set(indicator_values.NETWORK)
    value = {"indicator": "conference_endpoints", "value": 80, "as_of": "2021-09-30"}
    indicator_values.write(records, PLANNER, ha_nam, value)
    claims = indicator_values.network_claims(ha_nam, records)
    mine = claims[claims["day"] == "2021-09-30"].iloc[0]
    assert (mine["measure"], mine["level"], mine["count"]) == ("video_conference", "all", 80.0)


def test_today_is_no_past_day(computed) -> None:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    table = indicators.table(computed, None, on=today)
    assert row(table, "mobile_2g_area")["computed"] > 0.0


def test_a_scenario_has_the_values_of_its_area_and_figures_of_its_own(tmp_path, computed) -> None:
    from planning import scenarios

    shutil.copytree(computed.folder, tmp_path / "area")
    area, records = Workspace.open(tmp_path / "area"), Records.open(tmp_path)
    value = {"indicator": "email_use", "value": 95, "as_of": "2024-12-31"}
    indicator_values.write(records, PLANNER, area, value)
    mast = area.read("masts")["mast_id"].iloc[0]
    other = scenarios.materialise(area, [scenarios.Change("remove", {"mast_id": mast})])
    table = indicators.table(other, records)
    assert row(table, "email_use")["reported"] == 95.0
    assert row(table, "mobile_masts")["computed"] == 4.0
    assert "Compute the coverage first" in str(row(table, "mobile_4g_area")["missing"])
    with pytest.raises(InputError, match="not for a scenario"):
        indicators.keep_computed(records, PLANNER, other)
