"""Help in both languages, pages by role, and what is taken from an address."""

import ast
from pathlib import Path

import pytest

from app import address, glossary
from app.components import help_sections, indicator_how, map_layers, path_profile
from app.navigation import SECTIONS
from coverage.path_explanation import Part
from planning.accounts import LOCAL, VISITOR, Role
from tests.app.test_pages import healthy, texts


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_section_of_the_help_shows_and_shows_again(start, computed, language) -> None:
    app = start(computed, "help", language)
    for _ in range(2):
        for name in help_sections.SECTIONS:
            app.button_group(key="help.section").set_value(name).run()
            healthy(app)
            # A section says something besides its heading.
            assert len(texts(app)) > 300
    app.button_group(key="help.section").set_value("terms").run()
    app.text_input(key="help.term").set_value("vung lom").run()
    healthy(app)
    assert "vùng lõm sóng" in texts(app)
    app.text_input(key="help.term").set_value("xyzzy").run()
    assert app.info


def given_sections() -> set[str]:
    """Sections that the calls of `how.show` name, also through tables of names."""
    found = set(indicator_how._METHODS.values()) | set(map_layers.METHODS.values())
    folder = Path(help_sections.__file__).parent.parent
    for path in sorted(folder.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "how.show":
                (section,) = [item.value for item in call.keywords if item.arg == "section"]
                found |= {
                    part.value
                    for part in ast.walk(section)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    return found


def test_every_figure_leads_to_a_section_and_every_section_has_figures() -> None:
    assert given_sections() == set(help_sections.SECTIONS) - {"start", "commands", "terms"}


def test_an_address_opens_a_section(start, computed) -> None:
    app = start(computed, language="en")
    app.query_params["section"] = "covered"
    app.switch_page("app/pages/help.py").run()
    healthy(app)
    assert "RSRP" in texts(app)
    assert "not checked against a regulation" in texts(app)


def test_the_glossary_is_whole() -> None:
    terms = glossary.terms()
    assert len(terms) > 30
    assert len({item.english for item in terms}) == len(terms)
    assert all(all(vars(item).values()) for item in terms)


def test_every_part_of_a_loss_has_a_name() -> None:
    assert set(path_profile.PARTS) == set(Part)


def test_the_tour_is_walked_through_and_left(start, computed) -> None:
    app = start(computed, language="en")
    assert "Welcome" in texts(app)
    app.button(key="tour.next").click().run()
    healthy(app)
    assert "Look at the map" in texts(app)
    app.button(key="tour.leave").click().run()
    healthy(app)
    assert "Look at the map" not in texts(app)
    app.run()
    assert not [item for item in app.button if item.key == "tour.next"]


def test_the_glance_has_computed_beside_reported(start, computed) -> None:
    app = start(computed, language="en")
    said = texts(app)
    assert "Area with 4G coverage" in said
    assert "share of: area" in said
    assert "95.0" in said or "%" in said


def test_pages_are_found_by_the_roles_that_use_them() -> None:
    files = [entry.file for entries in SECTIONS.values() for entry in entries]
    assert len(files) == len(set(files)) == 13

    def found(role: Role) -> set[str]:
        return {
            entry.file
            for entries in SECTIONS.values()
            for entry in entries
            if entry.opens_for(role)
        }

    assert found(LOCAL.role) == set(files)
    assert found(VISITOR.role) == set(files) - {
        "siting",
        "proposals",
        "scenarios",
        "administration",
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("20.5412, 105.9229", (20.5412, 105.9229)),
        ("-20.5;105", (-20.5, 105.0)),
        ("20,44000°; 105,86000°", (20.44, 105.86)),
        ("20.44000°; 105.86000°", (20.44, 105.86)),
        ("20,44, 105,86", (20.44, 105.86)),
        ("20,44 105,86", (20.44, 105.86)),
        ("20°32'24\"N 105°55'12\"E", (20.54, 105.92)),
        ("20°32'24\"B; 105°55'12\"Đ", (20.54, 105.92)),
        ("20.5", None),
        ("91,105", None),
        ("20,181", None),
        ("nan,105", None),
        ("1e400,5", None),
        ("<script>,1", None),
        ("1," * 60, None),
        ("", None),
    ],
)
def test_only_a_place_is_taken_for_one(text, place) -> None:
    found = address.degrees(text)
    assert found == place if place is None else found == pytest.approx(place)


def test_choices_come_from_an_address_and_go_into_it(start, computed) -> None:
    app = start(computed, language="en")
    app.query_params["operator"] = "nobody"
    app.query_params["technology"] = "2G"
    app.switch_page("app/pages/coverage_map.py").run()
    healthy(app)
    assert app.session_state["keep.service"] == "2G"
    assert app.session_state["keep.operator"] == "any"
    app.selectbox(key="keep.operator").set_value("B").run()
    assert app.query_params["operator"] in ("B", ["B"])
    app.selectbox(key="keep.operator").set_value("any").run()
    assert "operator" not in app.query_params
