"""The provincial report: one content, the same figures in every format and language."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import re
from pathlib import Path

import docx
import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pypdf
import pytest
from PIL import Image
from reportlab.pdfbase import pdfmetrics

from coverage.results import ANY_OPERATOR
from data.errors import InputError, message
from data.store import Workspace
from planning import indicator_values, network_report
from planning.reports import (
    build,
    figures,
    files,
    fixed,
    indicators,
    inputs,
    maps,
    model,
    pdf_file,
    write,
)
from planning.reports.language import TAGS, Language, clean, languages
from planning.reports.model import Bilingual, Column, Day, Document, Note, Number, Share, Table
from tests.areas import small_area, write_area

VI, EN = Language("vi"), Language("en")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A small area with everything that a report speaks of; not to be changed."""
    return write_area(tmp_path_factory.mktemp("reports") / "w", small_area())


@pytest.fixture(scope="module")
def known(workspace: Workspace) -> inputs.Inputs:
    return inputs.gather(workspace)


@pytest.fixture(scope="module")
def document(known: inputs.Inputs) -> Document:
    return build.build(known)


@pytest.fixture(scope="module")
def written(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats in Vietnamese, those that can be edited in English, too."""
    folder = tmp_path_factory.mktemp("written")
    shares: list[float] = []
    drawn = write.pictures_of(document, VI)
    paths = write.save(
        document, folder, codes=("vi",), pictures={"vi": drawn}, on_progress=shares.append
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # The pictures are the slow part, and their letters do not matter here.
    paths += write.save(
        document, folder, formats=("docx", "xlsx"), codes=("en",), pictures={"en": drawn}
    )
    assert {path.name for path in paths} == {path.name for path in folder.iterdir()}
    return folder


@pytest.fixture(scope="module")
def pdf(written: Path) -> list[str]:
    """The text of every page of the Vietnamese PDF."""
    reader = pypdf.PdfReader(written / "report_vi.pdf")
    return [squeezed(page.extract_text()) for page in reader.pages]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def table_of(document: Document, key: str) -> Table:
    (found,) = [table for table in document.tables() if table.key == key]
    return found


def notes_of(document: Document) -> list[str]:
    return [str(block.text) for block in document.blocks() if isinstance(block, Note)]


# Content


def test_figures_are_those_of_coverage_json(known, document) -> None:
    summary = known.coverage.summary
    zones = {entry["code"]: entry for entry in summary["zones"]}
    services = ("2G", "3G", "4G", "3G_or_4G", "any")
    total = table_of(document, "coverage_total")
    whole = zones[known.zones.loc[known.whole, "code"]]
    assert len(total.rows) == len(services)
    for service, row in zip(services, total.rows, strict=True):
        for column, value in zip(total.columns[1:], row[1:], strict=True):
            percent = whole[service][f"{column.key}_percent"]
            interval = whole[service][f"{column.key}_interval"]
            assert [round(100.0 * part, 3) for part in value] == [percent, *interval]
    for measure in ("area", "population", "village"):
        table = table_of(document, f"coverage_commune_{measure}")
        assert len(table.rows) == len(known.communes) == 3
        for row in table.rows:
            entry = zones[row[0]]
            assert row[1] == entry["name"]
            for column, value in zip(table.columns[3:], row[3:], strict=True):
                assert round(100.0 * value[0], 3) == entry[column.key][f"{measure}_percent"]


def test_masts_and_cables_are_all_there(known, document) -> None:
    masts = known.workspace.read("masts")
    assert [row[0] for row in table_of(document, "masts").rows] == masts["mast_id"].tolist()
    by_owner = table_of(document, "masts_by_owner")
    assert by_owner.rows[-1][-2] == len(masts)
    segments = known.workspace.read("fibre_segments")
    lengths = table_of(document, "cables_by_owner")
    assert lengths.rows[-1][-2] == pytest.approx(segments.length.sum() / 1000.0)
    under = segments[segments["segment_type"] != "aerial"].length.sum() / segments.length.sum()
    assert lengths.rows[-1][-1] == pytest.approx(under)
    inside = segments.clip(known.communes.union_all()).length.sum() / 1000.0
    listed = table_of(document, "cables")
    assert sum(row[7] for row in listed.rows) == pytest.approx(inside, rel=1e-6)


def test_reported_figures_stand_beside_computed_ones(known, document) -> None:
    table = table_of(document, "indicators_mobile")
    keys = [column.key for column in table.columns]
    frame = known.indicators[known.indicators["group"] == "mobile"]
    computed = frame[frame["kind"] == "figure"]["computed"].to_numpy(float)
    shown = [row[keys.index("computed")] for row in table.rows]
    assert [np.nan if value is None else value.value for value in shown] == pytest.approx(
        computed.tolist(), nan_ok=True
    )
    assert np.isfinite(computed).any()


def test_remarks_are_sentences_and_words_of_the_source_are_quoted(known, monkeypatch) -> None:
    monkeypatch.setattr(network_report, "_REPORTED_AREAS", ("test",))
    frame = known.indicators.copy()
    row = frame.index[frame["id"] == "mobile_4g_area"][0]
    frame.loc[row, ["reported", "note_vi", "note"]] = 93.0, "theo đo kiểm", "as measured"
    section = indicators.section(dataclasses.replace(known, indicators=frame))
    (table,) = [
        block
        for part in section.sections
        for block in part.blocks
        if isinstance(block, Table) and block.key == "indicators_mobile"
    ]
    said = [VI.cell(table.columns[-1], line[-1]) for line in table.rows]
    assert any(re.search(r"(^|\. )Theo đo kiểm\.", text) for text in said)
    (claim, *_) = indicator_values._of_network(known.workspace)
    quote = network_report.reported(known.workspace)["quote"]
    assert claim.note_vi[1:-1] in set(quote)
    assert (claim.note_vi[0], claim.note_vi[-1]) == ("“", "”")
    assert set(indicator_values.network_claims(known.workspace, None)["quote"]) <= set(quote)


def test_no_two_columns_of_a_table_are_headed_alike(known, document, monkeypatch) -> None:
    monkeypatch.setattr(network_report, "_REPORTED_AREAS", ("test",))
    claims = network_report.compare(
        known.workspace, network_report.reported(known.workspace), known.network
    )
    assert len(claims)
    for table in (*document.tables(), fixed._claims(claims)):
        for language in (VI, EN):
            heads = [language.say(column.title) for column in table.columns]
            assert len(heads) == len(set(heads)), (table.key, heads)


def test_service_points_are_listed_by_commune(known) -> None:
    units = known.zones[["code", "name", "level"]].assign(
        reported=np.nan, as_of="", computed=[np.nan, 2.0, 0.0, 1234.0]
    )
    former = units.iloc[[1]].assign(name="Xã cũ", level="commune", computed=np.nan, reported=7.0)
    points = pd.concat([former, units], ignore_index=True)
    section = indicators.section(dataclasses.replace(known, service_points=points))
    (table,) = [
        block
        for part in section.sections
        for block in part.blocks
        if isinstance(block, Table) and block.key == "service_points_by_unit"
    ]
    shown = [
        tuple(VI.cell(*pair) for pair in zip(table.columns, row, strict=True)) for row in table.rows
    ]
    assert shown == [
        ("C001", "Xã 1", "–", "–", "2"),
        ("C002", "Xã 2", "–", "–", "0"),
        ("C003", "Xã 3", "–", "–", "1.234"),
    ]


def test_every_part_has_its_section_and_its_key_once(document) -> None:
    assert [section.key for section in document.sections] == list(inputs.DEFAULT_PARTS)
    keys = [block.key for block in document.blocks() if isinstance(block, (Table, model.Picture))]
    assert len(keys) == len(set(keys))
    assert document.banner is not None
    assert str(document.banner).startswith("Illustrative data")


def test_what_is_missing_is_said_and_nothing_invented(tmp_path) -> None:
    away = (
        "masts", "cells", "fibre_segments", "fibre_nodes", "network_sites", "network_links",
    )  # fmt: skip
    bare = write_area(tmp_path / "bare", small_area(), without=away)
    known = inputs.gather(bare)
    assert set(known.missing) == {"coverage", "broadband", "network"}
    document = build.build(known)
    said = " ".join(notes_of(document))
    assert "Not computed: The workspace has no masts" in said
    assert "Not computed: the workspace has no cable routes" in said
    assert "no dedicated data network" in said
    assert not [table for table in document.tables() if table.key.startswith("coverage")]
    write.save(document, tmp_path / "out", codes=("vi",))
    text = "".join(
        page.extract_text() for page in pypdf.PdfReader(tmp_path / "out" / "report_vi.pdf").pages
    )
    assert "Chưa tính toán: " in squeezed(text)


def test_sites_are_counted_by_every_level_of_units(tmp_path) -> None:
    area = small_area()
    zones = area.layers["zones"]
    communes = zones["level"] == "commune"
    district = zones[communes].dissolve().assign(code="351", name="Kim Bảng", level="district")
    both = gpd.GeoDataFrame(pd.concat([zones, district[list(zones.columns)]], ignore_index=True))
    workspace = write_area(tmp_path / "w", area, zones=both)
    known = inputs.gather(workspace, parts=("network",))
    found = build.build(known)
    whole = table_of(found, "network_district")
    parts = table_of(found, "network_commune")
    assert [row[1] for row in whole.rows] == ["Kim Bảng"]
    assert len(parts.rows) == communes.sum()
    assert whole.rows[0][2] == sum(row[2] for row in parts.rows) > 0
    titles = [EN.say(table.title) for table in (whole, parts)]
    assert [title.rpartition(" ")[2] for title in titles] == ["district", "commune"]


def test_only_the_parts_asked_for_are_written(workspace) -> None:
    known = inputs.gather(workspace, parts=("method", "coverage"))
    document = build.build(known)
    assert [section.key for section in document.sections] == ["coverage", "method"]
    assert known.broadband is None
    with pytest.raises(InputError, match="There is no part sums"):
        inputs.gather(workspace, parts=("sums",))
    with pytest.raises(InputError, match="No part"):
        inputs.checked_parts(())


def test_a_sharing_plan_is_added_where_it_is_asked_for(workspace, document) -> None:
    assert any("sharing plan was not asked for" in text for text in notes_of(document))
    known = inputs.gather(workspace, parts=("annexes", "sharing"))
    shared = build.build(known)
    assert not [text for text in notes_of(shared) if "sharing" in text]
    plan = known.sharing.summary
    states = [str(row[4]) for row in table_of(shared, "sharing_masts").rows]
    assert states.count("goes") == plan["removed"]
    moves = table_of(shared, "sharing_moves").rows
    assert len(moves) == plan["moves"]
    assert len(table_of(shared, "sharing_operators").rows) == len(plan["operators"])
    money = [str(table_of(shared, "sharing_parties").title)]
    money += [VI.say(block.text) for block in shared.blocks() if hasattr(block, "text")]
    assert VI.say(table_of(shared, "sharing_parties").title).endswith("triệu đồng")
    assert any("triệu đồng" in text for text in money)
    assert not any("triệu VND" in text for text in money)


# Languages


def test_both_languages_have_the_same_structure(written) -> None:
    outlines, sheets, tables = [], [], []
    for code in ("vi", "en"):
        paper = docx.Document(str(written / f"report_{code}.docx"))
        outlines.append(
            [
                (line.style.name, line.text.split(" ")[0])
                for line in paper.paragraphs
                if line.style.name.startswith("Heading")
            ]
        )
        tables.append([(len(table.rows), len(table.columns)) for table in paper.tables])
        book = openpyxl.load_workbook(written / f"report_{code}.xlsx")
        sheets.append([(sheet.max_row, sheet.max_column) for sheet in book.worksheets[1:]])
    assert outlines[0] == outlines[1]
    assert tables[0] == tables[1]
    assert sheets[0] == sheets[1]


def test_every_sentence_of_the_report_has_a_translation(document) -> None:
    said = [section.title for _, section in document.walk()]
    said += [table.title for table in document.tables()]
    said += [column.title for table in document.tables() for column in table.columns]
    said += [table.note for table in document.tables() if table.note is not None]
    said += [picture.alternative for picture in document.pictures()]
    said += [block.text for block in document.blocks() if hasattr(block, "text")]
    for text in said:
        if re.search(r"[a-z]{3}", str(text)) and not isinstance(text, Bilingual):
            assert VI.say(text) != EN.say(text), text


def test_numbers_and_days_are_written_as_each_language_does() -> None:
    text = message("{a}, {b}, {c}", a=Number(1234.5, 1, "km"), b=Share(0.3), c=Day("2020-11-16"))
    assert VI.say(text) == "1.234,5\u00a0km, 30,0\u00a0%, 16/11/2020"
    assert EN.say(text) == "1,234.5\u00a0km, 30.0%, 16 Nov 2020"
    assert str(text) == "1,234.5 km, 30.0%, 2020-11-16"
    estimate = Column("x", "x", "estimate")
    assert VI.cell(estimate, (0.5, 0.25, 1.0)) == "50,0\u00a0%\n25,0–100,0\u00a0%"
    assert EN.say(message("{percent} % of {count} homes", percent=45, count="3,639")) == (
        "45% of 3,639 homes"
    )
    assert EN.cell(estimate, None) == "–"
    assert EN.cell(Column("x", "x", "number", 2), float("nan")) == "–"
    assert EN.cell(Column("x", "x", "number", 0), -1234) == "−1,234"
    assert [language.code for language in languages(["en", "vi", "en"])] == ["en", "vi"]
    with pytest.raises(InputError, match="There is no language fr"):
        languages(["fr"])


# Formats


def test_the_workbook_holds_the_figures_as_numbers(document, written) -> None:
    book = openpyxl.load_workbook(written / "report_en.xlsx")
    sheets = book.worksheets[1:]
    assert len(sheets) == len(document.tables())
    for table, sheet in zip(document.tables(), sheets, strict=True):
        assert sheet.freeze_panes == "B2"
        assert sheet.max_row == max(len(table.rows), 0) + 1
        for number, row in enumerate(table.rows, start=2):
            place = 1
            for column, value in zip(table.columns, row, strict=True):
                parts = value if isinstance(value, tuple) else (value,)
                if column.kind == "estimate" and value is None:
                    parts = (None, None, None)
                for part in parts:
                    cell = sheet.cell(number, place)
                    place += 1
                    plain = model.plain(part)
                    if isinstance(plain, (int, float)):
                        # The library writes 16 digits.
                        assert cell.value == pytest.approx(plain, rel=1e-14)
                        if column.kind in ("share", "estimate"):
                            assert cell.number_format.endswith("%")
                    elif plain is None:
                        assert cell.value is None


def test_word_and_pdf_hold_the_same_figures(document, written, pdf) -> None:
    paper = docx.Document(str(written / "report_vi.docx"))
    pages = " ".join(pdf)
    for table, own in zip(document.tables(), paper.tables, strict=True):
        rows = list(own.rows)
        assert rows[0]._tr.find(".//{*}tblHeader") is not None
        for row, shown in zip(table.rows, rows[1:], strict=False):
            for column, value, cell in zip(table.columns, row, shown.cells, strict=True):
                text = VI.cell(column, value)
                assert cell.text == text
                if column.kind in ("number", "share", "estimate"):
                    assert squeezed(text) in pages


def test_the_pdf_has_vietnamese_letters_and_embedded_fonts(written, pdf) -> None:
    pages = " ".join(pdf)
    for words in ("Phủ sóng thông tin di động", "Mạng truyền số liệu chuyên dùng", "Mục lục",
                  "khoảng tin cậy 95 %", "Dữ liệu minh họa", "Tỷ lệ ngầm hóa"):  # fmt: skip
        assert words in pages
    # Codes are for programs.
    assert "per_official" not in pages.replace(" ", "")
    reader = pypdf.PdfReader(written / "report_vi.pdf")
    assert reader.metadata.title == "Báo cáo hạ tầng viễn thông: Thử"
    assert reader.trailer["/Root"]["/Lang"] == "vi-VN"
    fonts = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            own = font.get_object()
            fonts.add(str(own["/BaseFont"]))
            assert "/FontFile2" in own["/FontDescriptor"], own["/BaseFont"]
    assert any("DejaVuSans" in name for name in fonts)


def test_the_outline_of_the_pdf_has_every_section(document, written) -> None:
    def titles(items) -> list[str]:
        found: list[str] = []
        for item in items:
            found += titles(item) if isinstance(item, list) else [item.title]
        return found

    reader = pypdf.PdfReader(written / "report_vi.pdf")
    assert titles(reader.outline) == [
        files.heading(number, VI.say(section.title)) for number, section in document.walk()
    ]


def test_no_row_is_split_between_pages_and_heads_are_repeated(tmp_path) -> None:
    columns = (Column("id", "HEADMARK"), Column("text", "Text"), Column("n", "N", "number", 0))
    rows = tuple(
        (f"first{k:03d}x", f"wall of words {k} " * (1 + k % 9), 1000 + k) for k in range(150)
    )
    table = Table("t", message("Title"), columns, rows)
    section = model.Section("s", message("Summary"), (table,))
    write.save(
        Document(message("Title"), (), "a", "2025-01-02", None, (section,)),
        tmp_path,
        formats=("pdf",),
        codes=("en",),
    )
    pages = [page.extract_text() for page in pypdf.PdfReader(tmp_path / "report_en.pdf").pages]
    of_table = [page for page in pages if re.search(r"first\d{3}x", page)]
    assert len(of_table) >= 4
    for page in of_table:
        assert page.count("HEADMARK") == 1
    for k in range(150):
        (home,) = [page for page in of_table if f"first{k:03d}x" in page]
        assert f"{1000 + k:,}" in home
        assert squeezed(home).count(f"wall of words {k} ") >= 1 + k % 9


def test_no_word_of_a_heading_is_broken(document) -> None:
    pdf_file._register()
    page = 500.0
    for table in document.tables():
        for language in (VI, EN):
            titles = [language.say(column.title) for column in table.columns]
            shares = [column.width for column in table.columns]
            found = pdf_file.widths(titles, shares, page)
            assert sum(found) == pytest.approx(page)
            for title, width in zip(titles, found, strict=True):
                for word in title.split():
                    # Room for the word between the edges of the cell.
                    long = pdfmetrics.stringWidth(word, pdf_file.BOLD, 7.2)
                    assert long + 2 * 3 <= width + 1e-6, (table.key, word)


def test_columns_keep_their_shares_where_nothing_is_broken() -> None:
    pdf_file._register()
    assert pdf_file.widths(["a", "b"], [1.0, 3.0], 400.0) == [100.0, 300.0]
    # What cannot fit at all is left as it is.
    assert pdf_file.widths(["w" * 80, "b"], [1.0, 1.0], 100.0) == [50.0, 50.0]


def test_pictures_have_alternative_texts(document, written) -> None:
    paper = docx.Document(str(written / "report_vi.docx"))
    shapes = [shape._inline.docPr for shape in paper.inline_shapes]
    assert [shape.get("name") for shape in shapes] == [
        picture.key for picture in document.pictures()
    ]
    assert [shape.get("descr") for shape in shapes] == [
        VI.say(picture.alternative) for picture in document.pictures()
    ]
    assert paper.core_properties.language == TAGS["vi"]


def test_maps_are_sharp_and_names_do_not_overlap(known) -> None:
    from PIL import Image

    from planning.reports import maps
    from planning.reports.map_sheet import Sheet

    content = maps.coverage(known, "4G").draw(VI)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info["dpi"][0] >= 200
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (0x1D, 0x7F, 0x8C) in colours
    sheet = Sheet(known.communes, VI)
    assert sheet.names() == len(known.communes)
    boxes = sheet._taken
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])


def test_masts_are_seen_on_the_maps_of_coverage(known, monkeypatch) -> None:
    def dark() -> np.ndarray:
        picture = Image.open(io.BytesIO(maps.coverage(known, "any").draw(VI))).convert("RGB")
        return (np.asarray(picture, int) == maps.map_sheet.rgba(maps._MAST)[:3]).all(axis=2)

    with_masts = dark()
    count = len(maps._masts(known))
    monkeypatch.setattr(maps, "_masts", lambda _inputs: None)
    added = with_masts & ~dark()
    # Without the legend below the map, whose dot is larger.
    assert added[: int(0.85 * len(added))].sum() / count > 18


def test_the_same_content_is_the_same_bytes(known, written, tmp_path) -> None:
    again = build.build(known)
    wanted = {"vi": write.pictures_of(again, VI)}
    write.save(again, tmp_path, codes=("vi",), pictures=wanted)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (written / path.name).read_bytes(), path.name


# Hostile content


EVIL = (
    '<b onload="x()">&amp;</b>',
    '=HYPERLINK("http://bad.example","a")',
    "@SUM(1)\u202egnp.exe",
    "$\\frac{1}{2}$ {braces} %s",
    "dài " * 200,
)


def test_hostile_names_survive_as_text(tmp_path) -> None:
    area = small_area()
    masts = area.layers["masts"].assign(name=list(EVIL))
    zones = area.layers["zones"].copy()
    zones.loc[zones["level"] == "commune", "name"] = list(EVIL[:3])
    evil = write_area(tmp_path / "evil", area, masts=masts, zones=zones)
    known = inputs.gather(evil, parts=("coverage", "annexes"))
    write.save(build.build(known), tmp_path / "out", codes=("vi",))
    book = openpyxl.load_workbook(tmp_path / "out" / "report_vi.xlsx")
    texts = {}
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str):
                    texts[cell.value] = cell
    for name in EVIL:
        assert clean(name).strip() in {text.strip() for text in texts}
    assert texts[EVIL[1]].quotePrefix
    paper = docx.Document(str(tmp_path / "out" / "report_vi.docx"))
    cells = {cell.text for table in paper.tables for row in table.rows for cell in row.cells}
    assert {EVIL[0], EVIL[1], EVIL[3], clean(EVIL[2])} <= cells
    reader = pypdf.PdfReader(tmp_path / "out" / "report_vi.pdf")
    pages = squeezed(" ".join(page.extract_text() for page in reader.pages)).replace(" ", "")
    assert EVIL[0].replace(" ", "") in pages
    assert "\u202e" not in pages


def test_text_is_cleaned_of_what_files_cannot_hold() -> None:
    assert clean("a\x00b\r\nc\u202ed\ud800e\u200bf") == "ab cdef"
    assert clean("Phường Đồng Văn ừ") == "Phường Đồng Văn ừ"


# Changes


def earlier_of(document: Document) -> dict:
    return json.loads(json.dumps(model.to_json(document)))


def test_a_first_report_says_that_there_is_nothing_to_compare(document) -> None:
    assert any("no earlier report" in text for text in notes_of(document))


def test_changes_are_shown_with_their_causes(known, document) -> None:
    before = earlier_of(document)
    key = "coverage/4G/area/"
    before["figures"][key]["value"] -= 0.02
    commune = next(key for key in before["figures"] if key.startswith("coverage/4G/area/0")
                   or (key.startswith("coverage/4G/area/") and "@" in key))  # fmt: skip
    before["figures"][commune]["value"] -= 0.1
    before["figures"]["inventory/masts"]["value"] = 4.0
    before["day"] = "2024-12-31"
    before["provenance"]["inputs"]["masts"]["source"] = "the old list"
    before["provenance"]["settings"]["thresholds"]["4G"]["threshold_dbm"] = -110.0
    fresh = build.build(dataclasses.replace(known, previous=before))
    shares = {str(row[0]): row for row in table_of(fresh, "changes_shares").rows}
    assert shares["4G, share of area"][3] == pytest.approx(2.0)
    assert shares["2G, share of area"][3] == 0.0
    numbers = {str(row[0]): row for row in table_of(fresh, "changes_numbers").rows}
    assert numbers["Masts"][1:] == (4.0, 5.0, 1.0)
    movers = table_of(fresh, "changes_communes").rows
    assert movers[0][4] == pytest.approx(10.0)
    causes = [str(row[0]) for row in table_of(fresh, "changes_causes").rows]
    assert causes == ["Masts", "Threshold of 4G"]


def test_writing_the_same_report_again_changes_nothing(known, document) -> None:
    before = earlier_of(document)
    before["figures"]["coverage/4G/area/"]["value"] -= 0.02
    first = build.build(dataclasses.replace(known, previous=before))
    kept = earlier_of(first)
    second = build.build(dataclasses.replace(known, previous=kept))
    assert earlier_of(second) == kept


def test_an_earlier_report_must_be_one_of_this_area(known, document, tmp_path) -> None:
    other = copy.deepcopy(earlier_of(document)) | {"area": "elsewhere"}
    with pytest.raises(InputError, match="about the area elsewhere"):
        build.build(dataclasses.replace(known, previous=other))
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="no report that can be compared with"):
        figures.read(tmp_path)
    assert figures.read(tmp_path / "nowhere") is None


# Files


def test_a_failed_write_leaves_what_was_there(tmp_path) -> None:
    path = files.replace_bytes(tmp_path / "a.pdf", b"old")

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"a\.pdf cannot be written: No space left"):
        files.replace(path, fail)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.pdf"]


def test_formats_are_checked(document, tmp_path) -> None:
    with pytest.raises(InputError, match="There is no format odt"):
        write.save(document, tmp_path, formats=("odt",))
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="expected a folder"):
        write.save(document, tmp_path / "file", formats=("xlsx",))


def test_figures_of_any_operator_alone_are_compared(known, document) -> None:
    table = known.coverage.figures
    wanted = {known.whole, *known.communes.index}
    own = table[(table["operator"] == ANY_OPERATOR) & table["zone"].isin(wanted)]
    keys = [key for key in document.figures if key.startswith("coverage/")]
    assert len(keys) == own["share"].notna().sum()
