"""A short tour for those who are here for the first time."""

from __future__ import annotations

import streamlit as st

from app.i18n import _

_DONE = "tour.done"
_STEP = "tour.step"


def show() -> None:
    """Show the tour until it has been read or left; remembered in the session."""
    if st.session_state.get(_DONE):
        return
    with st.container(border=True):
        _step()


@st.fragment
def _step() -> None:
    steps = _steps()
    number = min(int(st.session_state.get(_STEP, 0)), len(steps) - 1)
    title, text, page, label = steps[number]
    st.markdown(f"**{title}** · " + _("{number} of {count}", number=number + 1, count=len(steps)))
    st.markdown(text)
    link, back, onward, leave = st.columns([4, 1.5, 1.5, 2], vertical_alignment="center")
    link.page_link(f"app/pages/{page}.py", label=label, icon=":material/arrow_forward:")
    back.button(
        _("Back"),
        disabled=number == 0,
        key="tour.back",
        width="stretch",
        on_click=_go,
        args=(number - 1,),
    )
    last = number == len(steps) - 1
    if not last:
        onward.button(
            _("Next"),
            key="tour.next",
            type="primary",
            width="stretch",
            on_click=_go,
            args=(number + 1,),
        )
    if leave.button(_("Done") if last else _("Skip the tour"), key="tour.leave", type="tertiary"):
        st.session_state[_DONE] = True
        st.rerun()


def _go(number: int) -> None:
    st.session_state[_STEP] = number


def _steps() -> list[tuple[str, str, str, str]]:
    """Return title, text, page and the text of its link."""
    return [
        (
            _("Welcome"),
            _(
                "This program shows which places a province's networks reach, how sure "
                "that is, and what would reach more. This page has the province at a "
                "glance; each figure says how it was computed."
            ),
            "help",
            _("Help and method"),
        ),
        (
            _("Look at the map"),
            _(
                "Choose a technology and an operator. A click on a place tells its level,"
                " its mast, and what stands in the way."
            ),
            "coverage_map",
            _("Coverage map"),
        ),
        (
            _("Compare with what was reported"),
            _(
                "Every figure of the provincial report stands beside the computed one, "
                "with its denominator, its target and doubts."
            ),
            "indicators",
            _("Indicators"),
        ),
        (
            _("Bring your own data"),
            _(
                "Masts, cells and units come from a file; each row is checked, and "
                "nothing is changed before you have looked at it."
            ),
            "data",
            _("Data"),
        ),
    ]


def again() -> None:
    """Offer to see the tour again."""
    if st.session_state.get(_DONE) and st.button(
        _("Show the tour again"), icon=":material/tour:", key="tour.again"
    ):
        st.session_state[_DONE] = False
        st.session_state[_STEP] = 0
        st.switch_page("app/pages/overview.py")
