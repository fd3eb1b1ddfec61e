"""The page of indicators: table, single indicator, arithmetic and audit, in both languages."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from app import i18n, indicator_labels
from data.area import Provenance
from data.errors import message
from data.records.engine import Records
from planning import (
    accounts,
    indicator_definitions,
    indicator_values,
    indicators,
    names,
)
from tests.app.how_buttons import explained, turned
from tests.app.test_pages import healthy, texts, wait_for

PARTS = ("Table", "One indicator", "Arithmetic", "Audit")
TITLES = {"vi": "Chỉ tiêu · Thử", "en": "Indicators · Test"}


@pytest.fixture
def ha_nam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indicator_definitions, "HA_NAM", ("test",))


def part(app, title: str):
    """Look at another part of the page."""
    app.session_state["indicators.part"] = i18n.translate(message(title))
    return app.run()


def button(app, label: str, place: int = 0):
    return [item for item in app.button if item.label == label][place]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_part_shows_and_shows_again(start, own, ha_nam, language) -> None:
    app = start(own, "indicators", language)
    assert app.title[0].value == TITLES[language]
    for title in PARTS:
        part(app, title)
        healthy(app)
        app.run()
        healthy(app)
        # What was only reported, or entered, has nothing to be computed.
        assert explained(app, language) or title == "One indicator"
    part(app, "One indicator")
    app.selectbox(key="keep.indicator").set_value("mobile_4g_area").run()
    (fact,) = explained(app, language)["shares"]
    assert "coverage 4G area" in fact[1]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_area_without_values_says_so(start, own, language) -> None:
    app = start(own, "indicators", language)
    healthy(app)
    part(app, "Arithmetic")
    healthy(app)
    wanted = {"vi": "Chưa có giá trị báo cáo nào", "en": "There are no reported values yet"}
    assert wanted[language] in app.info[0].value
    part(app, "Audit")
    healthy(app)


def test_all_groups_stand_on_the_page(start, own, ha_nam) -> None:
    app = start(own, "indicators", "vi")
    app.selectbox(key="keep.indicator_group").set_value("").run()
    healthy(app)
    said = texts(app)
    for item in indicator_definitions.read(own, None).values():
        assert item.title_vi in said
    assert "202.119" in said
    assert "30,8\u00a0%" in said
    assert "thực hiện 50/NQ-CP" in said
    assert "ngưỡng −105 dBm (4G, 95\u00a0%)" in said
    assert "không kiểm tra được" in said
    app.checkbox(key="keep.indicator_doubtful").check().run()
    assert "202.119" not in texts(app)


def test_a_past_day_shows_what_was_known_then(start, own, ha_nam) -> None:
    app = start(own, "indicators", "en")
    app.selectbox(key="keep.indicator_group").set_value("egovernment").run()
    app.date_input(key="indicators.on").set_value("2020-01-31").run()
    healthy(app)
    said = texts(app)
    assert "209,249" in said
    assert "202,119" not in said


def test_a_value_is_entered_changed_and_removed(start, own) -> None:
    app = part(start(own, "indicators", "en"), "One indicator")
    app.selectbox(key="keep.indicator").set_value("email_use").run()
    healthy(app)
    form = "indicators.value.email_use..0"
    app.number_input(key=f"{form}.value").set_value(95.0)
    app.text_input(key=f"{form}.source").set_value("Sở")
    button(app, "Save").click().run()
    healthy(app)
    records = Records.open(own.folder.parent)
    (kept,) = indicator_values.read(own, records, "email_use")
    assert (kept.value, kept.source) == (95.0, "Sở")
    told = indicators.history(records, accounts.LOCAL, own, "email_use")
    assert told["who"].tolist() == ["local"]
    app.selectbox(key="indicators.value.email_use.1").set_value(kept.key).run()
    form = f"indicators.value.email_use.{kept.key}.1"
    assert app.number_input(key=f"{form}.value").value == 95.0
    # Meanwhile somebody else changes it: nothing is overwritten.
    indicator_values.write(records, accounts.LOCAL, own, {"value": 50.0}, key=kept.key)
    app.number_input(key=f"{form}.value").set_value(96.0)
    button(app, "Save").click().run()
    assert "Somebody else has changed this" in app.error[0].value
    assert indicator_values.read(own, records, "email_use")[0].value == 50.0
    app.run()
    app.selectbox(key="indicators.value.email_use.2").set_value(kept.key).run()
    button(app, "Remove the value").click().run()
    healthy(app)
    assert indicator_values.read(own, records, "email_use") == []


def test_keeping_a_value_leaves_the_definition_as_somebody_has_filled_it(start, own) -> None:
    app = part(start(own, "indicators", "en"), "One indicator")
    app.selectbox(key="keep.indicator").set_value("email_use").run()
    # What is typed lives in the browser as long as the field stays the same.
    target = app.number_input(key="indicators.definition.email_use.0.target").proto.id
    app.number_input(key="indicators.value.email_use..0.value").set_value(95.0)
    button(app, "Save").click().run()
    healthy(app)
    assert app.number_input(key="indicators.value.email_use..1.value").value is None
    assert app.number_input(key="indicators.definition.email_use.0.target").proto.id == target


@pytest.mark.parametrize("language", ["vi", "en"])
def test_units_and_denominators_are_named_in_the_forms(start, own, language) -> None:
    former = {"code": "13297", "name": "Hai Bà Trưng", "type": "Phường", "parent_code": None}
    former |= {"valid_from": "2020-01-01", "valid_to": "2024-12-31", "successor_codes": None}
    own.write({"former_zones": pd.DataFrame([former])}, {"former_zones": Provenance("test")})
    app = part(start(own, "indicators", language), "One indicator")
    app.selectbox(key="keep.indicator").set_value("dossiers_received").run()
    unit = app.text_input(key=f"indicators.definition.dossiers_received.0.unit.{language}")
    assert unit.value == {"vi": "hồ sơ", "en": "dossiers"}[language]
    zone = app.selectbox(key="indicators.value.dossiers_received..0.zone")
    names = own.read("zones").set_index("code")["name"]
    day = {"vi": "31/12/2024", "en": "31 Dec 2024"}[language]
    until = {"vi": f"(đến {day})", "en": f"until {day}"}[language]
    assert zone.options[-1] == f"Hai Bà Trưng {until} · 13297"
    assert sorted(zone.options[1:-1]) == sorted(f"{name} · {code}" for code, name in names.items())
    zone.set_value("13297")
    app.number_input(key="indicators.value.dossiers_received..0.value").set_value(12)
    button(app, {"vi": "Lưu", "en": "Save"}[language]).click().run()
    healthy(app)
    records = Records.open(own.folder.parent)
    assert indicator_values.read(own, records, "dossiers_received")[0].zone_code == "13297"
    (table,) = [item.value for item in app.dataframe if "13297" in item.value.to_numpy()]
    assert table.iloc[0, [1, 3]].tolist() == ["Hai Bà Trưng", day]
    # The name is that of a code; a share is of what its definition says.
    app.selectbox(key="keep.indicator").set_value("mobile_2g_village").run()
    of = app.text_input(key=f"indicators.value.mobile_2g_village..0.denominator.{language}")
    assert of.value == {"vi": "thôn, tổ dân phố", "en": "villages"}[language]
    of.set_value({"vi": "Dân số", "en": "Population"}[language])
    app.number_input(key="indicators.value.mobile_2g_village..0.value").set_value(90)
    button(app, {"vi": "Lưu", "en": "Save"}[language]).click().run()
    healthy(app)
    (kept,) = indicator_values.read(own, records, "mobile_2g_village")
    assert kept.denominator == "population"


def test_numbers_and_names_are_those_of_the_language(start, own, ha_nam) -> None:
    app = start(own, "indicators", "vi")
    app.selectbox(key="keep.indicator_group").set_value("egovernment").run()
    healthy(app)
    (table,) = [i.proto.body for i in app.get("html") if "ps-indicator" in i.proto.body]
    # Counts that a share is computed from have their names, not their codes.
    assert "“Số dịch vụ công trực tuyến mức độ 4” và “Tổng số bộ thủ tục hành chính”" in table
    assert "procedures_total" not in table
    part(app, "One indicator")
    app.selectbox(key="keep.indicator").set_value("dossiers_received").run()
    healthy(app)
    (chart,) = app.get("vega_lite_chart")
    (line,) = json.loads(chart.proto.spec)["layer"]
    # No series without values in the legend.
    assert line["encoding"]["color"]["scale"]["domain"] == ["Báo cáo"]
    assert "'.'" in line["encoding"]["y"]["axis"]["labelExpr"]


def test_one_finding_is_one(start, own) -> None:
    records = Records.open(own.folder.parent)
    for code, number in (("dossiers_received", 100), ("dossiers_online", 101)):
        value = {"indicator": code, "value": number, "as_of": "2024-12-31"}
        indicator_values.write(records, accounts.LOCAL, own, value)
    app = part(start(own, "indicators", "en"), "Arithmetic")
    healthy(app)
    assert any(item.value == "1 finding does not agree." for item in app.warning)


def test_a_share_of_nothing_is_not_set_against_a_computed_one(start, own) -> None:
    records = Records.open(own.folder.parent)
    value = {"indicator": "mobile_4g_area", "value": 93, "as_of": "2024-12-31"}
    for what, marks in (("area", 1), ("", 0)):
        fields = {**value, "denominator": what, "as_of": f"202{4 + (not what)}-12-31"}
        indicator_values.write(records, accounts.LOCAL, own, fields)
        app = start(own, language="en")
        healthy(app)
        tiles = next(i.proto.body for i in app.get("html") if "ps-tiles" in i.proto.body)
        tile = next(
            part for part in tiles.split("ps-tile") if "4G coverage" in part and "Area" in part
        )
        assert "reported: 93%" in tile
        assert tile.count("<b style") == marks
        assert ("of what is not stated" in tile) is not bool(marks)


def test_a_bad_value_is_one_sentence(start, own) -> None:
    app = part(start(own, "indicators", "vi"), "One indicator")
    app.selectbox(key="keep.indicator").set_value("email_use").run()
    app.number_input(key="indicators.value.email_use..0.value").set_value(120.0)
    button(app, "Lưu").click().run()
    assert not app.exception
    assert "số từ 0 đến 100" in app.error[0].value
    assert indicator_values.read(own, None, "email_use") == []


def test_a_definition_gets_a_target_and_a_new_one_is_added(start, own) -> None:
    app = part(start(own, "indicators", "en"), "One indicator")
    app.selectbox(key="keep.indicator").set_value("email_use").run()
    app.number_input(key="indicators.definition.email_use.0.target").set_value(99.0)
    app.number_input(key="indicators.definition.email_use.0.year").set_value(2030)
    button(app, "Save", 1).click().run()
    healthy(app)
    records = Records.open(own.folder.parent)
    item = indicator_definitions.read(own, records)["email_use"]
    assert (item.target, item.target_year) == (99.0, 2030)
    part(app, "Table")
    app.text_input(key="indicators.new.0.code").set_value("poles")
    app.text_input(key="indicators.new.0.figure.vi").set_value("Cột treo cáp")
    button(app, "Add").click().run()
    healthy(app)
    assert indicator_definitions.read(own, records)["poles"].title_vi == "Cột treo cáp"


def test_computed_values_are_kept(start, own) -> None:
    app = start(own, "indicators", "en")
    button(app, "Keep today's computed values").click().run()
    healthy(app)
    records = Records.open(own.folder.parent)
    assert len(indicators.series(own, records, "mobile_2g_area")) == 1


def test_who_may_not_edit_only_looks_on(start, own) -> None:
    records = Records.open(own.folder.parent)
    wanted = {"login": "admin", "name": "A", "role": "administrator", "organisation": ""}
    accounts.add(records, accounts.LOCAL, password="a long enough password", **wanted)
    app = start(own, "indicators", "en")
    healthy(app)
    labels = {item.label for item in app.button}
    assert "Keep today's computed values" not in labels
    part(app, "One indicator")
    healthy(app)
    assert "Save" not in {item.label for item in app.button}


def test_the_audit_says_thresholds_and_readings(start, own, ha_nam) -> None:
    app = part(start(own, "indicators", "vi"), "Audit")
    healthy(app)
    said = " ".join(item.value for item in app.markdown).replace("\\", "")
    assert "đạt 93\u00a0% diện tích" in said
    assert "3G hoặc 4G" in said
    assert "−" in said
    assert "-8" not in said
    facts = dict(explained(app, "vi")["audit"])
    assert facts["Tỷ lệ được báo cáo"].startswith("93\u00a0% ± 0,5\u00a0%")
    assert "RSRP" in facts["Ngưỡng 4G"]
    assert "Ngưỡng 2G" not in facts
    assert facts["Tính bằng"] == "planning.audit.audit"
    assert facts["Cột ăng ten"]
    facts = dict(explained(part(turned(app, "en"), "Audit"), "en")["audit"])
    assert facts["Readings"] == "3G or 4G, 3G, 4G, 3G and 4G"
    assert facts["What else decides"].startswith("planning.audit_variants.")
    part(turned(app, "vi"), "Audit")
    app.number_input(key="audit.percent.mobile_3g_or_4g_area").set_value(50.0).run()
    healthy(app)
    assert "đạt 50\u00a0% diện tích" in " ".join(i.value for i in app.markdown).replace("\\", "")
    # Sentences have the room they need, which cells of a data frame have not.
    others = next(
        i.proto.body for i in app.get("html") if "Vì sao không kiểm chứng được" in i.proto.body
    )
    assert "không nêu mẫu số" in others
    assert not any("Vì sao không kiểm chứng được" in item.value for item in app.dataframe)


def test_fewer_masts_are_computed_when_asked_for(start, own, ha_nam) -> None:
    app = part(start(own, "indicators", "en"), "Audit")
    app.number_input(key="audit.percent.mobile_3g_or_4g_area").set_value(50.0).run()
    button(app, "Compute with fewer masts").click().run()
    wait_for(app, lambda a: "per 100 km²" in texts(a))
    healthy(app)


def test_every_code_has_a_name() -> None:
    for item in indicator_definitions.built_in().values():
        assert item.group in names.INDICATOR_GROUPS
        assert not item.unit or item.unit == "%" or item.unit in names.UNITS
        assert not item.denominator or item.denominator in names.DENOMINATORS
        assert not item.relation or item.relation in indicator_labels.RELATIONS
    assert set(names.INDICATOR_GROUPS) == set(indicator_definitions.GROUPS)


def test_numbers_in_sentences_are_written_in_the_language(speak) -> None:
    speak("vi")
    assert indicator_labels.numbers("3G -87.9 dBm, 4G -105 dBm") == "3G −87,9 dBm, 4G −105 dBm"
    assert indicator_labels.numbers("610 + 1,210 + 30.8") == "610 + 1.210 + 30,8"
    speak("en")
    assert indicator_labels.numbers("610 + 1,210") == "610 + 1,210"
