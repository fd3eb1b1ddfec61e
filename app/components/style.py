"""The look shared by all pages, and small pieces of HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import streamlit as st

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
.ps-table-wrap { overflow-x: auto; }
.ps-table { border-collapse: collapse; width: 100%; font-size: .95rem; }
.ps-table caption { text-align: left; color: #4a5b65; padding-bottom: .4rem; }
.ps-table th, .ps-table td { padding: .5rem .75rem; border-bottom: 1px solid #d3dde2;
  text-align: right; vertical-align: top; white-space: nowrap; }
.ps-table th:first-child, .ps-table td.ps-text { text-align: left; }
.ps-table td.ps-text { white-space: normal; min-width: 14rem; }
.ps-table caption { white-space: normal; }
.ps-table thead th { color: #3d4f59; font-weight: 600; border-bottom: 2px solid #9fb3bd; }
.ps-table tbody th { font-weight: 600; }
.ps-table .ps-main { font-size: 1.12rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.ps-table .ps-small { display: block; color: #4a5b65; font-size: .8rem;
  font-variant-numeric: tabular-nums; }
.ps-bar { display: block; height: 5px; background: #e3eaee; border-radius: 3px; margin-top: 4px;
  min-width: 90px; overflow: hidden; }
.ps-bar > span { display: block; height: 100%; background: #0b6280; }
.ps-flag { color: #8a3d00; }
.ps-legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .88rem;
  margin: 0 !important; padding: 0 !important; list-style: none; }
.ps-legend li { display: flex; align-items: center; gap: .4rem; margin: 0 !important;
  padding: 0 !important; font-size: .88rem; }
.ps-swatch { width: 1.05rem; height: 1.05rem; border: 1px solid #00000033; border-radius: 2px;
  flex: none; }
.ps-facts { display: grid; grid-template-columns: auto 1fr; gap: .25rem .9rem;
  margin: 0 !important; padding: 0 !important; font-size: .9rem; }
.ps-facts dt { color: #4a5b65; margin: 0 !important; padding: 0 !important; font-weight: 400; }
.ps-facts dd { margin: 0 !important; padding: 0 !important; overflow-wrap: anywhere; }
.ps-card { border: 1px solid #d3dde2; border-radius: 6px; padding: .55rem .75rem;
  margin-bottom: .6rem; }
.ps-card-head { display: flex; justify-content: space-between; margin-bottom: .3rem; }
.ps-badge { font-size: .8rem; font-weight: 600; padding: .05rem .5rem; border-radius: 10px; }
.ps-yes { background: #d9efe9; color: #0d4f43; }
.ps-user { margin: .3rem 0 .2rem; line-height: 1.35; overflow-wrap: anywhere; }
.ps-no { background: #fbe3d6; color: #7a2b00; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding: 4.2rem .8rem 2rem; }
  .ps-table { font-size: .85rem; }
  .ps-table th, .ps-table td { padding: .4rem .35rem; }
  .ps-table th { white-space: normal; }
  .ps-table .ps-main { font-size: 1rem; }
  .ps-table tbody th { min-width: 5rem; }
  .ps-bar { min-width: 3rem; }
  .ps-facts { grid-template-columns: 1fr; gap: 0; }
  .ps-facts dd { margin-bottom: .4rem; }
}
</style>
"""


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(_CSS)


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
