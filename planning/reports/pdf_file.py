"""Write a report as PDF: embedded fonts with Vietnamese letters, outline, unbroken rows."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from PIL import Image as Picturing
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    ListFlowable,
    ListItem,
    LongTable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import (
    Paragraph as Text,
)
from reportlab.platypus.tableofcontents import TableOfContents

from data.errors import message
from planning.reports import files
from planning.reports.language import Language
from planning.reports.model import (
    Block,
    Bullets,
    Column,
    Document,
    Note,
    Number,
    Picture,
    Section,
    Table,
    Value,
)

FONT, BOLD, ITALIC = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"

_INK = colors.HexColor("#16262e")
_ACCENT = colors.HexColor("#0b6280")
_STRIPE = colors.HexColor("#f2f6f8")
_TOTAL = colors.HexColor("#e3eef2")
_LINE = colors.HexColor("#b9c7cd")
_WARN = colors.HexColor("#fdf0d5")
_WARN_LINE = colors.HexColor("#c98a00")

_MARGIN = 18 * mm
_TOP = 16 * mm

#: Left and right of a cell's text. [pt]
_PADDING = 3

Progress = Callable[[float], None]


def _register() -> None:
    """Load the fonts that come with matplotlib, once."""
    if FONT in pdfmetrics.getRegisteredFontNames():
        return
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in (FONT, BOLD, ITALIC):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=ITALIC, boldItalic=BOLD)


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    options: dict[str, Any] = {
        "fontName": FONT,
        "bulletFontName": FONT,
        "fontSize": size,
        "leading": 1.32 * size,
        "textColor": _INK,
    }
    return ParagraphStyle(name, **(options | more))


_STYLES = {
    "title": _style("title", 19, fontName=BOLD, textColor=_ACCENT, spaceAfter=8, leading=25),
    "subtitle": _style("subtitle", 10.5, spaceAfter=3),
    "h1": _style("h1", 14.5, fontName=BOLD, textColor=_ACCENT, spaceBefore=14, spaceAfter=6),
    "h2": _style("h2", 11.5, fontName=BOLD, textColor=_ACCENT, spaceBefore=10, spaceAfter=4),
    "body": _style("body", 9.2, spaceAfter=5),
    "note": _style(
        "note", 9, backColor=_WARN, borderColor=_WARN_LINE, borderWidth=0.6, borderPadding=5,
        spaceBefore=7, spaceAfter=10, leftIndent=5, rightIndent=5,
    ),
    "caption": _style("caption", 8.6, fontName=BOLD, spaceBefore=6, spaceAfter=3),
    "remark": _style("remark", 7.6, textColor=colors.HexColor("#4a5a62"), spaceBefore=2,
                     spaceAfter=8),
    "toc": _style("toc", 11.5, fontName=BOLD, textColor=_ACCENT, spaceAfter=4),
}  # fmt: skip

_CELL = {
    align: _style(f"cell{align}", 7.2, alignment=align, leading=8.5, splitLongWords=1)
    for align in (TA_LEFT, TA_RIGHT, TA_CENTER)
}
_HEAD = {
    align: _style(
        f"head{align}", 7.2, fontName=BOLD, textColor=colors.white, alignment=align, leading=8.9
    )
    for align in (TA_LEFT, TA_RIGHT, TA_CENTER)
}


class _Canvas(Canvas):
    """Pages that know how many there are, and a time that is not the clock's."""

    def __init__(self, *args: Any, said: Callable[[int, int], str], when: dt.datetime,
                 **more: Any) -> None:  # fmt: skip
        # The library's own first font would not be embedded.
        super().__init__(*args, **(more | {"initialFontName": FONT}))
        self._said = said
        self._pages: list[dict[str, Any]] = []
        # The library has no other way to set the time of creation.
        stamp = self._doc._timeStamp
        stamp.t, stamp.lt = when.timestamp(), when.timetuple()
        stamp.YMDhms = tuple(stamp.lt)[:6]

    def showPage(self) -> None:  # noqa: N802 - name of the library
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        count = len(self._pages)
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self.setFont(FONT, 7.5)
            self.setFillColor(_INK)
            width = self._pagesize[0]
            self.drawRightString(width - _MARGIN, 9 * mm, self._said(number, count))
            super().showPage()
        super().save()


class _Passes:
    """Tells how far the passes are; the table of contents needs a second one, seldom a third."""

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress
        self._size = 1.0
        self._pass = 0
        self._done = 0.0

    def __call__(self, kind: str, value: Any) -> None:
        if kind == "SIZE_EST":
            self._size = max(float(value), 1.0)
        elif kind == "STARTED":
            self._pass += 1
        elif kind == "PROGRESS":
            share = min(float(value) / self._size, 1.0)
            # What is split counts anew, but a bar does not go back.
            self._done = max(self._done, min(0.5 * (self._pass - 1 + share), 0.98))
            self._on_progress(self._done)


class _Heading(Text):
    """A heading that stands in the outline and in the table of contents."""

    def __init__(self, text: str, style: ParagraphStyle, level: int, key: str) -> None:
        super().__init__(escape(text), style)
        self.plain, self.level, self.key = text, level, key


class _Template(BaseDocTemplate):
    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - name of the library
        if isinstance(flowable, _Heading):
            self.canv.bookmarkPage(flowable.key)
            self.canv.addOutlineEntry(flowable.plain, flowable.key, flowable.level, closed=True)
            entry = (flowable.level, escape(flowable.plain), self.page, flowable.key)
            self.notify("TOCEntry", entry)


def write(
    document: Document,
    language: Language,
    pictures: Mapping[str, bytes],
    path: Path,
    *,
    on_progress: Progress = lambda _share: None,
) -> None:
    """Write a PDF.

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
    on_progress
        Called with the finished share.
    """
    _register()
    say = language.say
    title = say(document.title)
    foot = title if document.banner is None else f"{title} · {say(message('Illustrative data'))}"

    def footer(canvas: Canvas, _template: BaseDocTemplate) -> None:
        canvas.setFont(FONT, 7.5)
        canvas.setFillColor(_INK)
        canvas.drawString(_MARGIN, 9 * mm, foot)

    template = _Template(
        str(path),
        pagesize=A4,
        title=title,
        author="Phủ Sóng",
        subject="; ".join(say(line) for line in document.subtitle),
        creator="Phủ Sóng",
        lang=language.tag,
        invariant=1,
        pageTemplates=[
            _page("tall", A4, footer),
            _page("wide", landscape(A4), footer),
        ],
    )
    story = _front(document, language, title)
    captions = files.captions(document, language)
    builder = _Story(language, captions, pictures)
    for number, section in document.walk():
        story += builder.section(number, section)

    def numbered(number: int, count: int) -> str:
        return say(message("Page {number} of {count}", number=Number(number), count=Number(count)))

    when = files.moment(document)
    done = _Passes(on_progress)
    template.setProgressCallBack(done)
    template.multiBuild(
        story,
        canvasmaker=lambda *args, **more: _Canvas(*args, said=numbered, when=when, **more),
    )
    on_progress(1.0)


def _page(name: str, size: tuple[float, float], footer: Any) -> PageTemplate:
    width, height = size
    frame = Frame(_MARGIN, _TOP, width - 2 * _MARGIN, height - 2 * _TOP, 0, 0, 0, 0, id=name)
    return PageTemplate(name, [frame], onPage=footer, pagesize=size)


def _front(document: Document, language: Language, title: str) -> list[Flowable]:
    story: list[Flowable] = [Text(escape(title), _STYLES["title"])]
    story += [Text(escape(language.say(line)), _STYLES["subtitle"]) for line in document.subtitle]
    if document.banner is not None:
        story.append(Text(escape(language.say(document.banner)), _STYLES["note"]))
    contents = TableOfContents(
        levelStyles=[
            _style("toc1", 9.2, leftIndent=0, spaceBefore=3),
            _style("toc2", 8.6, leftIndent=14),
        ],
        dotsMinLevel=0,
        tableStyle=TableStyle(
            [
                ("FONTNAME", (0, 0), (-1, -1), FONT),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ]
        ),
    )
    story += [Spacer(1, 8), Text(escape(language.say(message("Contents"))), _STYLES["toc"])]
    return [*story, contents, PageBreak()]


class _Story:
    """Turns blocks into what stands on pages."""

    def __init__(
        self, language: Language, captions: Mapping[str, str], pictures: Mapping[str, bytes]
    ) -> None:
        self._language = language
        self._captions = captions
        self._pictures = pictures
        self._wide = False

    def section(self, number: tuple[int, ...], section: Section) -> list[Flowable]:
        text = files.heading(number, self._language.say(section.title))
        level = len(number) - 1
        style = _STYLES["h1" if level == 0 else "h2"]
        story = self._turn(wide=section.begins_wide)
        story += [CondPageBreak(55 * mm), _Heading(text, style, level, section.key)]
        for block in section.blocks:
            story += self._block(block)
        return story

    def _turn(self, *, wide: bool) -> list[Flowable]:
        """Turn the pages that follow, where they are not so already."""
        if wide == self._wide:
            return []
        self._wide = wide
        return [NextPageTemplate("wide" if wide else "tall"), PageBreak()]

    def _block(self, block: Block) -> list[Flowable]:
        if isinstance(block, Table):
            return self._turn(wide=block.wide) + self._table(block)
        turned = self._turn(wide=False)
        if isinstance(block, Picture):
            return turned + self._picture(block)
        if isinstance(block, Bullets):
            items = [
                ListItem(Text(escape(self._language.say(item)), _STYLES["body"]))
                for item in block.items
            ]
            bullets = ListFlowable(
                items,
                bulletType="bullet",
                start="•",
                leftIndent=12,
                bulletFontSize=8,
                bulletFontName=FONT,
            )
            return [*turned, bullets]
        style = _STYLES["note" if isinstance(block, Note) else "body"]
        return [*turned, Text(escape(self._language.say(block.text)), style)]

    def _picture(self, picture: Picture) -> list[Flowable]:
        content = self._pictures[picture.key]
        with Picturing.open(io.BytesIO(content)) as image:
            width, height = image.size
        shown = A4[0] - 2 * _MARGIN
        drawn = Image(io.BytesIO(content), shown, shown * height / width)
        caption = Text(escape(self._captions[picture.key]), _STYLES["caption"])
        return [KeepTogether([drawn, caption, Spacer(1, 6)])]

    def _table(self, table: Table) -> list[Flowable]:
        width = (A4[1] if table.wide else A4[0]) - 2 * _MARGIN
        titles = [self._language.say(column.title) for column in table.columns]
        head: list[Any] = [
            Text(escape(title), _HEAD[_align(column)])
            for title, column in zip(titles, table.columns, strict=True)
        ]
        body = [
            [
                self._cell(column, value, bold=k >= len(table.rows) - table.totals)
                for column, value in zip(table.columns, row, strict=True)
            ]
            for k, row in enumerate(table.rows)
        ]
        if not body:
            nothing = Text(escape(self._language.say(message("none"))), _CELL[TA_LEFT])
            body = [[nothing, *([""] * (len(table.columns) - 1))]]
        flowable = LongTable(
            [head, *body],
            colWidths=widths(titles, [column.width for column in table.columns], width),
            repeatRows=1,
            splitByRow=1,
            splitInRow=0,
        )
        flowable.setStyle(_table_style(table))
        story: list[Flowable] = [
            CondPageBreak(32 * mm),
            Text(escape(self._captions[table.key]), _STYLES["caption"]),
            flowable,
        ]
        if table.note is None:
            return [*story, Spacer(1, 8)]
        return [*story, Text(escape(self._language.say(table.note)), _STYLES["remark"])]

    def _cell(self, column: Column, value: Value, *, bold: bool) -> Text:
        text = escape(self._language.cell(column, value)).replace("\n", "<br/>")
        if isinstance(value, tuple) and "<br/>" in text:
            share, interval = text.split("<br/>")
            text = f'{share}<br/><font size="6" color="#5a6a72">{interval}</font>'
        return Text(f"<b>{text}</b>" if bold else text, _CELL[_align(column)])


def widths(titles: Sequence[str], shares: Sequence[float], width: float) -> list[float]:
    """Share the width of a page out among columns so that no word of a heading is broken.

    Parameters
    ----------
    titles
        Headings.
    shares
        What each column should have, beside the others.
    width
        Of all. [pt]

    Returns
    -------
    list of float
        Widths. [pt] Columns too narrow for a word take from the others what these can spare.
    """
    wanted = [width * share / sum(shares) for share in shares]
    style = _HEAD[TA_LEFT]
    least = [
        2 * _PADDING
        + max(
            pdfmetrics.stringWidth(word, style.fontName, style.fontSize)
            for word in title.split() or [""]
        )
        for title in titles
    ]
    pairs = list(zip(wanted, least, strict=True))
    lacking = sum(max(0.0, word - have) for have, word in pairs)
    spare = sum(max(0.0, have - word) for have, word in pairs)
    if lacking >= spare:
        return wanted
    return [max(have, word) - max(0.0, have - word) * lacking / spare for have, word in pairs]


def _align(column: Column) -> int:
    return int(TA_LEFT if column.kind in ("text", "day") else TA_RIGHT)


def _table_style(table: Table) -> TableStyle:
    commands: list[Any] = [
        ("FONTNAME", (0, 0), (-1, -1), FONT),
        ("BACKGROUND", (0, 0), (-1, 0), _ACCENT),
        ("VALIGN", (0, 0), (-1, 0), "MIDDLE"),
        ("VALIGN", (0, 1), (-1, -1), "TOP"),
        ("ROWBACKGROUNDS", (0, 1), (-1, -1), (colors.white, _STRIPE)),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, _LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if table.totals:
        commands.append(("BACKGROUND", (0, -table.totals), (-1, -1), _TOTAL))
        commands.append(("LINEABOVE", (0, -table.totals), (-1, -table.totals), 0.6, _ACCENT))
    return TableStyle(commands)
