"""The look shared by all pages, and small pieces of HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from app import formats, i18n
from app.i18n import _
from app.legend import Entry

#: Signs that mean something in Markdown, in Streamlit's own marks and in HTML.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!:~$<>|&])")

_CSS = """
<style>
.stMainBlockContainer { padding: 2.4rem 2.2rem 3rem; max-width: 1500px; }
[data-testid="stSidebarHeader"] { height: 2.2rem; padding-top: .4rem; padding-bottom: 0;
  margin-bottom: 0; }
h1 { font-size: 1.75rem !important; padding: .2rem 0 .5rem !important; }
h3 { font-size: 1.15rem !important; padding: .7rem 0 .2rem !important; }
[data-testid="stAlertContentWarning"] { color: #5c4300; }
[data-testid="stCaptionContainer"] { color: #4a5b65; opacity: 1; }
[data-testid="stCaptionContainer"] p { color: inherit; opacity: 1; }
.katex-display { overflow: visible !important; }
.ps-table-wrap { overflow-x: auto; }
.ps-table { border-collapse: collapse; width: 100%; font-size: .95rem; }
.ps-table caption { text-align: left; color: #4a5b65; padding-bottom: .4rem; }
.ps-table th, .ps-table td { padding: .5rem .75rem; border-bottom: 1px solid #d3dde2;
  text-align: right; vertical-align: top; white-space: nowrap; }
.ps-table th:first-child, .ps-table td.ps-text { text-align: left; }
.ps-table td.ps-text { white-space: normal; min-width: 14rem; }
.ps-table caption { white-space: normal; }
.ps-table th.ps-left { text-align: left; white-space: normal; }
.ps-table td.ps-left { text-align: left; }
.ps-table thead th { white-space: normal; }
.ps-table-wrap:focus-visible { outline: 2px solid #0b6280; outline-offset: 2px; }
.ps-table thead th { color: #3d4f59; font-weight: 600; border-bottom: 2px solid #9fb3bd; }
.ps-table tbody th { font-weight: 600; }
.ps-table .ps-main { font-size: 1.12rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.ps-table .ps-small { display: block; color: #4a5b65; font-size: .8rem;
  font-variant-numeric: tabular-nums; }
.ps-bar { display: block; height: 5px; background: #e3eaee; border-radius: 3px; margin-top: 4px;
  min-width: 90px; overflow: hidden; }
.ps-bar > span { display: block; height: 100%; background: #0b6280; }
.ps-wide { position: relative; height: 8px; overflow: visible; margin: .35rem 0 .3rem; }
.ps-wide > i { position: absolute; top: 3px; height: 2px; background: #12303d; }
.ps-wide > b { position: absolute; top: -3px; width: 2px; height: 14px; margin-left: -1px;
  background: #b3261e; }
.ps-tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr));
  gap: .7rem; }
.ps-tile { border: 1px solid #d3dde2; border-radius: 6px; padding: .6rem .8rem .7rem;
  background: #ffffff; }
.ps-tile > span { display: block; }
.ps-tile .ps-name { font-weight: 600; font-size: .92rem; line-height: 1.3; }
.ps-tile .ps-big { font-size: 1.75rem; font-weight: 600; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
.ps-tile .ps-quiet { color: #4a5b65; }
.ps-tile .ps-small, .ps-small { color: #4a5b65; font-size: .8rem; }
.ps-tile .ps-small.ps-flag { color: #8a3d00; }
.ps-tile .ps-said { font-size: .88rem; }
.ps-flag { color: #8a3d00; }
.ps-legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .88rem;
  margin: 0 !important; padding: 0 !important; list-style: none; }
.ps-legend li { display: flex; align-items: center; gap: .4rem; margin: 0 !important;
  padding: 0 !important; font-size: .88rem; }
.ps-swatch { width: 1.05rem; height: 1.05rem; border: 1px solid #00000033; border-radius: 2px;
  flex: none; }
.ps-facts { display: grid; grid-template-columns: auto 1fr; gap: .25rem .9rem;
  margin: 0 !important; padding: 0 !important; font-size: .9rem; }
[data-testid="stPopoverBody"] .ps-facts { grid-template-columns: fit-content(55%) 1fr; }
.ps-facts dt { color: #4a5b65; margin: 0 !important; padding: 0 !important; font-weight: 400; }
.ps-facts dd { margin: 0 !important; padding: 0 !important; overflow-wrap: anywhere; }
.ps-card { border: 1px solid #d3dde2; border-radius: 6px; padding: .55rem .75rem;
  margin-bottom: .6rem; }
.ps-card-head { display: flex; justify-content: space-between; margin-bottom: .3rem; }
.ps-badge { white-space: nowrap; font-size: .8rem; font-weight: 600; padding: .05rem .5rem;
  border-radius: 10px; }
.ps-yes { background: #d9efe9; color: #0d4f43; }
.ps-user { margin: .3rem 0 .2rem; line-height: 1.35; overflow-wrap: anywhere; }
.ps-no { background: #fbe3d6; color: #7a2b00; }
@media (max-width: 640px) {
  .katex-display { font-size: .72em; }
  .stMainBlockContainer { padding: 4.2rem .8rem 2rem; }
  .ps-table { font-size: .85rem; }
  .ps-table th, .ps-table td { padding: .4rem .35rem; }
  .ps-table th { white-space: normal; }
  .ps-table .ps-main { font-size: 1rem; }
  .ps-table tbody th { min-width: 5rem; }
  .ps-bar { min-width: 3rem; }
  .ps-stack, .ps-stack caption, .ps-stack tbody, .ps-stack tr, .ps-stack th, .ps-stack td {
    display: block; }
  .ps-stack thead, .ps-stack td.ps-nothing { display: none; }
  .ps-stack tbody tr { border-bottom: 1px solid #9fb3bd; padding: .45rem 0; }
  .ps-table.ps-stack th, .ps-table.ps-stack td { border: 0; padding: .1rem 0; min-width: 0;
    text-align: left; white-space: normal; }
  .ps-stack td[data-label]::before { content: attr(data-label); display: block; color: #4a5b65;
    font-size: .8rem; margin-top: .2rem; }
  .st-key-network-diagram { overflow-x: auto; }
  .st-key-network-diagram > * { min-width: 52rem; }
  .ps-facts, [data-testid="stPopoverBody"] .ps-facts { grid-template-columns: 1fr; gap: 0; }
  .ps-facts dd { margin-bottom: .4rem !important; }
}
[data-testid="stSidebarNavItems"] li::before { display: block; padding: .7rem 0 .1rem .5rem;
  color: #4a5b65; font-size: .85rem; }
</style>
"""


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(_CSS)


def sections(begins: Mapping[str, str]) -> None:
    """Write titles of sections into the navigation.

    Parameters
    ----------
    begins
        Title of the section by the address of its first page.
    """
    rules = (
        f'[data-testid="stSidebarNavItems"] li:has(a[href$="/{address}"])::before '
        f"{{ content: {json.dumps(title, ensure_ascii=False)}; }}"
        for address, title in begins.items()
    )
    st.html(f"<style>{' '.join(rules)}</style>")


def language(code: str) -> None:
    """Tell browsers and screen readers the page's language, and keep it for the next visit.

    Parameters
    ----------
    code
        "vi" or "en". Streamlit calls every page English.
    """
    said = json.dumps(code)
    kept = json.dumps(f"{i18n.COOKIE}={code}; path=/; max-age=31536000; samesite=lax")
    st.html(
        f"<script>document.documentElement.lang = {said}; document.cookie = {kept};</script>",
        unsafe_allow_javascript=True,
    )


def plain(text: str) -> str:
    """Return a text of somebody else so that Markdown shows it as it is.

    Parameters
    ----------
    text
        E.g. a name, which may hold stars, links or tags.

    Returns
    -------
    str
        For `st.write`, `st.info` and other fields that read Markdown.
    """
    return _MARKDOWN.sub(r"\\\1", text)


def only_planners() -> None:
    """Say that changing data needs a role that the user does not have."""
    st.info(
        _("Only planners and administrators change data; everybody can look at them."),
        icon=":material/lock:",
    )


def uploader_text(button: str) -> None:
    """Put an upload field into the language in use; Streamlit has no setting for it.

    Parameters
    ----------
    button
        Text of its button.
    """
    field = '[data-testid="stFileUploaderDropzone"]'
    st.html(
        f"<style>{field} button p {{ font-size: 0; }}"
        f'{field} button p::after {{ content: "{escape(button)}"; font-size: .9rem; }}'
        '[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }</style>'
    )


def legend(entries: Sequence[Entry], title: str) -> None:
    """Show a legend as a list that wraps.

    Parameters
    ----------
    entries
        Its lines.
    title
        What the colours stand for.
    """
    items = "".join(
        f'<li><span class="ps-swatch" style="background:{escape(entry.colour)}"></span>'
        f"{escape(entry.text)}</li>"
        for entry in entries
    )
    st.html(
        f'<ul class="ps-legend" aria-label="{escape(title)}">'
        f"<li><strong>{escape(title)}</strong></li>{items}</ul>"
    )


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Show names and values below each other.

    Parameters
    ----------
    pairs
        Name and value; pairs without a value are left out.
    """
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value
    )
    st.html(f'<dl class="ps-facts">{rows}</dl>')


def cell(label: str, content: str, kind: str = "") -> str:
    """Return a cell of a table of the class ``ps-stack``, whose rows a phone shows as lists.

    Parameters
    ----------
    label
        Name of its column, which a phone shows above it.
    content
        HTML.
    kind
        A class.
    """
    kinds = f"{kind} ps-nothing" if content in ("", formats.NOTHING) else kind
    return f'<td class="{kinds.strip()}" data-label="{escape(label)}">{content}</td>'


def region(name: str, table: str) -> str:
    """Return a table in a region that scrolls sideways where it must, and takes the focus for it.

    Parameters
    ----------
    name
        Of the region, for screen readers.
    table
        HTML, of the class ``ps-table``.
    """
    return (
        f'<div class="ps-table-wrap" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"{table}</div>"
    )


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show texts as a table, whose rows a phone shows as lists.

    Parameters
    ----------
    caption
        What it shows; also its name for screen readers.
    head
        Names of the columns.
    rows
        Texts; the first of each row is its heading.
    """
    top = "".join(f'<th scope="col" class="ps-left">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row" class="ps-left">{escape(row[0])}</th>'
        + "".join(
            cell(name, escape(text), "ps-text")
            for name, text in zip(head[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    st.html(
        region(
            caption,
            f'<table class="ps-table ps-stack"><caption>{escape(caption)}</caption>'
            f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>",
        )
    )
