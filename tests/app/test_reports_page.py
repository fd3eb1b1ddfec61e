"""The page of reports: choose, write, look and take along, in both languages."""

from __future__ import annotations

import time

import pytest

from app.components.kept import PREFIX
from tests.app.how_buttons import explained
from tests.app.test_pages import healthy, texts

TITLES = {"vi": "Báo cáo · Thử", "en": "Reports · Test"}
WRITE = {"vi": "Lập báo cáo", "en": "Write the report"}
ANEW = {"vi": "Lập lại báo cáo", "en": "Write it anew"}


def button(app, label: str):
    (found,) = [item for item in app.button if item.label == label]
    return found


def choose(app, name: str, *values: str):
    app.session_state[f"{PREFIX}report_{name}"] = list(values)
    return app.run()


def wait_until_written(app, language: str, seconds: float = 120.0):
    end = time.monotonic() + seconds
    while not [item for item in app.button if item.label == ANEW[language]]:
        assert time.monotonic() < end, texts(app)
        time.sleep(0.2)
        app.run()
    return app


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_report_is_written_looked_at_and_written_anew(start, own, language) -> None:
    app = start(own, "reports", language)
    healthy(app)
    assert app.title[0].value == TITLES[language]
    choose(app, "parts", "coverage", "method")
    choose(app, "formats", "xlsx")
    choose(app, "data", "csv")
    button(app, WRITE[language]).click().run()
    wait_until_written(app, language)
    healthy(app)
    facts = explained(app, language)["indicators"]
    assert "planning.reports.build.build" in dict(facts).values()
    assert len(facts) > 5
    (table,) = [item.value for item in app.dataframe]
    whole = {"vi": "Bảng 1. Phủ sóng toàn khu vực", "en": "Table 1. Coverage of the whole area"}
    picked = app.selectbox(key=f"{PREFIX}report_table_{language}")
    assert picked.value.startswith(whole[language])
    assert len(table) == 5
    picked.select_index(2).run()
    healthy(app)
    (other,) = [item.value for item in app.dataframe]
    assert len(other) == 3
    app.selectbox(key=f"{PREFIX}report_picture_{language}").select_index(1).run()
    healthy(app)
    made = (own.folder / "reports").iterdir()
    (folder,) = [path for path in made if path.is_dir()]
    assert (folder / f"report_{language}.xlsx").is_file()
    assert (folder / "tables_csv.zip").is_file()
    button(app, ANEW[language]).click().run()
    wait_until_written(app, language)
    healthy(app)


def test_without_a_choice_the_page_says_what_is_missing(start, computed) -> None:
    app = start(computed, "reports", "en")
    choose(app, "parts")
    healthy(app)
    assert "Choose at least one part." in texts(app)
    choose(app, "parts", "method")
    choose(app, "formats")
    assert "Choose at least one document or kind of data." in texts(app)
    choose(app, "formats", "pdf")
    choose(app, "languages")
    assert "Choose at least one language." in texts(app)
    assert not [item for item in app.button if item.label == WRITE["en"]]


def test_a_report_of_older_data_says_so(start, own) -> None:
    app = start(own, "reports", "en")
    choose(app, "parts", "data")
    choose(app, "formats", "xlsx")
    button(app, WRITE["en"]).click().run()
    wait_until_written(app, "en")
    assert "the data have changed since" not in texts(app)
    masts = own.read("masts")
    own.write({"masts": masts.assign(height_m=33.0)}, {"masts": own.provenance()["masts"]})
    app.run()
    healthy(app)
    assert "the data have changed since" in texts(app)
