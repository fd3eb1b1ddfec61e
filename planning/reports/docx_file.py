"""Write a report for a word processor: heading styles, repeated table heads, alternative texts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import docx
from docx.document import Document as Paper
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as Lines

from data.errors import message
from planning.reports import files
from planning.reports.language import Language
from planning.reports.model import (
    Block,
    Bullets,
    Document,
    Note,
    Picture,
    Section,
    Table,
    Value,
)

#: The font of Vietnamese administrative documents.
FONT = "Times New Roman"

_ACCENT = RGBColor(0x0B, 0x62, 0x80)
_PAGE_MM = (210.0, 297.0)
_MARGIN_MM = 20.0

#: Twentieths of a point in a millimetre.
_TWIPS = 56.6929


def write(
    document: Document, language: Language, pictures: Mapping[str, bytes], path: Path
) -> None:
    """Write a DOCX file.

    Parameters
    ----------
    document
        The report.
    language
        Language of its texts.
    pictures
        Key -> PNG of every map and chart.
    path
        File to make.
    """
    paper = docx.Document()
    _styles(paper, language)
    title = language.say(document.title)
    properties = paper.core_properties
    properties.title = title
    properties.author = "Phủ Sóng"
    properties.language = language.tag
    properties.subject = "; ".join(language.say(line) for line in document.subtitle)
    properties.comments = ""
    writer = _Writer(paper, document, language, pictures)
    writer.front(title)
    for number, section in document.walk():
        writer.section(number, section)
    written = io.BytesIO()
    paper.save(written)
    path.write_bytes(files.same_bytes(written.getvalue(), files.moment(document)))


def _styles(paper: Paper, language: Language) -> None:
    for name, size, bold in (
        ("Normal", 12, False),
        ("Title", 20, True),
        ("Heading 1", 16, True),
        ("Heading 2", 13, True),
        ("Caption", 11, True),
        ("List Bullet", 12, False),
    ):
        style: Any = paper.styles[name]
        style.font.size = Pt(size)
        style.font.bold = bold
        style.font.italic = False
        _font(style.element.get_or_add_rPr())
        if name in ("Title", "Heading 1", "Heading 2"):
            style.font.color.rgb = _ACCENT
        elif name == "Caption":
            style.font.color.rgb = RGBColor(0x16, 0x26, 0x2E)
    normal: Any = paper.styles["Normal"]
    normal.paragraph_format.space_after = Pt(6)
    properties = normal.element.get_or_add_rPr()
    for found in properties.findall(qn("w:lang")):
        properties.remove(found)
    properties.append(
        parse_xml(f'<w:lang {nsdecls("w")} w:val="{language.tag}" w:eastAsia="{language.tag}"/>')
    )
    defaults = paper.styles.element.find(f"{qn('w:docDefaults')}//{qn('w:lang')}")
    if defaults is not None:
        defaults.set(qn("w:val"), language.tag)


def _font(properties: Any) -> None:
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = OxmlElement("w:rFonts")
        properties.insert(0, fonts)
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for name in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{name}"), FONT)


class _Writer:
    """Turns blocks into paragraphs, tables and pictures."""

    def __init__(
        self, paper: Paper, document: Document, language: Language, pictures: Mapping[str, bytes]
    ) -> None:
        self._paper = paper
        self._document = document
        self._language = language
        self._pictures = pictures
        self._captions = files.captions(document, language)
        self._wide = False
        self._bookmarks = 0
        self._shape(paper.sections[0], wide=False)
        self._footer(paper.sections[0])

    def _shape(self, section: Any, *, wide: bool) -> None:
        width, height = _PAGE_MM if not wide else _PAGE_MM[::-1]
        section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
        section.page_width, section.page_height = Mm(width), Mm(height)
        for side in ("left_margin", "right_margin", "top_margin", "bottom_margin"):
            setattr(section, side, Mm(_MARGIN_MM))

    def _footer(self, section: Any) -> None:
        line: Lines = section.footer.paragraphs[0]
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        before, between, after = self._page_words()
        for text, code in ((before, "PAGE"), (between, "NUMPAGES"), (after, "")):
            if text:
                line.add_run(text)
            if code:
                _field(line, code)
        for run in line.runs:
            run.font.size = Pt(9)

    def _page_words(self) -> tuple[str, str, str]:
        said = self._language.say(message("Page {number} of {count}", number="@@", count="##"))
        before, _, rest = said.partition("@@")
        between, _, after = rest.partition("##")
        return before, between, after

    # Parts

    def front(self, title: str) -> None:
        self._paper.add_paragraph(title, style="Title")
        for line in self._document.subtitle:
            self._paper.add_paragraph(self._language.say(line))
        if self._document.banner is not None:
            self._note(self._language.say(self._document.banner))
        lines = [
            files.heading(number, self._language.say(section.title))
            for number, section in self._document.walk()
        ]
        head = self._paper.add_paragraph()
        run = head.add_run(self._language.say(message("Contents")))
        run.bold = True
        run.font.size = Pt(14)
        _contents(self._paper, lines)
        self._paper.add_page_break()

    def section(self, number: tuple[int, ...], section: Section) -> None:
        self._turn(wide=section.begins_wide)
        head = self._paper.add_heading(
            files.heading(number, self._language.say(section.title)), level=min(len(number), 2)
        )
        self._bookmark(head, section.key)
        for block in section.blocks:
            self._block(block)

    def _bookmark(self, line: Lines, key: str) -> None:
        self._bookmarks += 1
        start, end = OxmlElement("w:bookmarkStart"), OxmlElement("w:bookmarkEnd")
        for element in (start, end):
            element.set(qn("w:id"), str(self._bookmarks))
        start.set(qn("w:name"), key)
        line._p.insert(1, start)
        line._p.append(end)

    def _turn(self, *, wide: bool) -> None:
        if wide != self._wide:
            self._wide = wide
            self._shape(self._paper.add_section(), wide=wide)

    def _block(self, block: Block) -> None:
        self._turn(wide=isinstance(block, Table) and block.wide)
        if isinstance(block, Table):
            self._table(block)
        elif isinstance(block, Picture):
            self._picture(block)
        elif isinstance(block, Bullets):
            for item in block.items:
                self._paper.add_paragraph(self._language.say(item), style="List Bullet")
        elif isinstance(block, Note):
            self._note(self._language.say(block.text))
        else:
            self._paper.add_paragraph(self._language.say(block.text))

    def _note(self, text: str) -> None:
        line = self._paper.add_paragraph(text)
        properties = line._p.get_or_add_pPr()
        borders = "".join(
            f'<w:{side} w:val="single" w:sz="6" w:space="4" w:color="C98A00"/>'
            for side in ("top", "left", "bottom", "right")
        )
        shade = parse_xml(f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="FDF0D5"/>')
        box = parse_xml(f"<w:pBdr {nsdecls('w')}>{borders}</w:pBdr>")
        properties.insert_element_before(box, "w:shd", "w:spacing", "w:ind", "w:jc", "w:rPr")
        properties.insert_element_before(shade, "w:spacing", "w:ind", "w:jc", "w:rPr")

    def _picture(self, picture: Picture) -> None:
        line = self._paper.add_paragraph()
        line.paragraph_format.keep_with_next = True
        shape = line.add_run().add_picture(
            io.BytesIO(self._pictures[picture.key]), width=Mm(_PAGE_MM[0] - 2 * _MARGIN_MM)
        )
        about = shape._inline.docPr
        about.set("name", picture.key)
        about.set("title", self._language.say(picture.title))
        about.set("descr", self._language.say(picture.alternative))
        self._paper.add_paragraph(self._captions[picture.key], style="Caption")

    def _table(self, table: Table) -> None:
        caption = self._paper.add_paragraph(self._captions[table.key], style="Caption")
        caption.paragraph_format.keep_with_next = True
        width = (_PAGE_MM[1] if table.wide else _PAGE_MM[0]) - 2 * _MARGIN_MM
        markup = "".join(_table_xml(table, self._language, width * _TWIPS))
        self._paper.element.body.insert_element_before(parse_xml(markup), "w:sectPr")
        remark = self._paper.add_paragraph(
            "" if table.note is None else self._language.say(table.note)
        )
        for run in remark.runs:
            run.font.size = Pt(9.5)
            run.font.color.rgb = RGBColor(0x4A, 0x5A, 0x62)


def _field(line: Lines, code: str) -> None:
    """Add a field, such as the number of the page, that the word processor fills in."""
    for kind in ("begin", "separate", "end"):
        run = line.add_run()
        mark = OxmlElement("w:fldChar")
        mark.set(qn("w:fldCharType"), kind)
        run._r.append(mark)
        if kind == "begin":
            words = OxmlElement("w:instrText")
            words.set(qn("xml:space"), "preserve")
            words.text = f" {code} "
            line.add_run()._r.append(words)
        elif kind == "separate":
            line.add_run("1")


def _contents(paper: Paper, lines: list[str]) -> None:
    """Add a table of contents; until it is updated it lists the sections without their pages."""
    first = paper.add_paragraph()
    start = first.add_run()
    for kind in ("begin", "code", "separate"):
        if kind == "code":
            words = OxmlElement("w:instrText")
            words.set(qn("xml:space"), "preserve")
            words.text = r' TOC \o "1-2" \h \z \u '
            start._r.append(words)
            continue
        mark = OxmlElement("w:fldChar")
        mark.set(qn("w:fldCharType"), kind)
        start._r.append(mark)
    line = first
    for position, text in enumerate(lines):
        if position:
            line = paper.add_paragraph()
        line.add_run(text)
        line.paragraph_format.space_after = Pt(2)
    end = OxmlElement("w:fldChar")
    end.set(qn("w:fldCharType"), "end")
    line.add_run()._r.append(end)


# Tables are written as XML at once: cell by cell the library takes minutes for a thousand rows.


def _table_xml(table: Table, language: Language, width: float) -> Iterator[str]:
    total = sum(column.width for column in table.columns)
    widths = [round(width * column.width / total) for column in table.columns]
    yield (
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
        f"{_BORDERS}"
        '<w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="60" w:type="dxa"/>'
        '<w:right w:w="60" w:type="dxa"/></w:tblCellMar>'
        f"<w:tblCaption w:val={_quoted(language.say(table.title))}/></w:tblPr><w:tblGrid>"
    )
    yield from (f'<w:gridCol w:w="{each}"/>' for each in widths)
    yield "</w:tblGrid><w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>"
    for column, each in zip(table.columns, widths, strict=True):
        yield _cell_xml(
            language.say(column.title), each, fill="0B6280", colour="FFFFFF", bold=True,
            right=column.kind not in ("text", "day"), keep=True,
        )  # fmt: skip
    yield "</w:tr>"
    rows: tuple[tuple[Value, ...], ...] = table.rows
    for number, row in enumerate(rows):
        last = number >= len(rows) - table.totals
        fill = "E3EEF2" if last else "F2F6F8" if number % 2 else ""
        yield "<w:tr><w:trPr><w:cantSplit/></w:trPr>"
        for column, value, each in zip(table.columns, row, widths, strict=True):
            yield _cell_xml(
                language.cell(column, value), each, fill=fill, bold=last,
                right=column.kind not in ("text", "day"), keep=number < _TOGETHER,
            )  # fmt: skip
        yield "</w:tr>"
    if not rows:
        yield "<w:tr>"
        for position, each in enumerate(widths):
            yield _cell_xml(language.say(message("none")) if position == 0 else "", each)
        yield "</w:tr>"
    yield "</w:tbl>"


#: Rows that stay with the head of their table.
_TOGETHER = 3

_BORDERS = (
    "<w:tblBorders>"
    + "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="B9C7CD"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    + "</w:tblBorders>"
)


def _cell_xml(
    text: str,
    width: int,
    *,
    fill: str = "",
    colour: str = "",
    bold: bool = False,
    right: bool = False,
    keep: bool = False,
) -> str:
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
    form = ("<w:b/>" if bold else "") + (f'<w:color w:val="{colour}"/>' if colour else "")
    runs = [
        f'<w:r><w:rPr>{form}<w:sz w:val="{17 if line == 0 else 14}"/></w:rPr>'
        f'{"<w:br/>" if line else ""}<w:t xml:space="preserve">{escape(part)}</w:t></w:r>'
        for line, part in enumerate(text.split("\n"))
    ]
    side = "right" if right else "left"
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}</w:tcPr><w:p><w:pPr>'
        f"{'<w:keepNext/>' if keep else ''}"
        f'<w:spacing w:before="10" w:after="10"/><w:jc w:val="{side}"/></w:pPr>{"".join(runs)}'
        "</w:p></w:tc>"
    )


def _quoted(text: str) -> str:
    return '"' + escape(text, {'"': "&quot;"}) + '"'
