"""Reported figures: compared with the computed ones, entered and kept."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import streamlit as st

from app import identity, references
from app.components import figures
from app.i18n import _, language, translate
from data.errors import InputError
from data.store import Workspace


def show(area: Workspace, computed: pd.DataFrame) -> None:
    """Show the comparison and a form to edit what was reported.

    Parameters
    ----------
    area
        The workspace.
    computed
        Figures of the whole area.
    """
    kept = references.read(area.folder, area.area.name)
    if kept:
        figures.show_comparison(figures.compare(computed, kept))
    else:
        st.info(
            _("No reported figure has been entered yet; add the first one below."),
            icon=":material/edit_note:",
        )
    if not identity.may_change_data():
        return
    with st.expander(_("Enter or edit reported figures"), icon=":material/edit:"):
        _editor(area, kept)


def _editor(area: Workspace, kept: list[references.ReportedFigure]) -> None:
    # Texts instead of codes in the cells: the editor shows options as they are.
    subjects = {_(text): code for code, text in references.SUBJECTS.items()}
    denominators = {_(text): code for code, text in references.DENOMINATORS.items()}
    frame = pd.DataFrame(
        {
            "subject": [_(references.SUBJECTS[item.subject]) for item in kept],
            "percent": [item.percent for item in kept],
            "denominator": [_(references.DENOMINATORS[item.denominator]) for item in kept],
            "method": [item.method for item in kept],
            "source": [item.source for item in kept],
            "date": [_date(item.date) for item in kept],
        }
    ).astype(dict.fromkeys(("subject", "denominator", "method", "source"), "str"))
    # An empty column would otherwise be taken for one of numbers.
    frame = frame.astype({"percent": "float64", "date": "object"})
    generation = st.session_state.get("reported.generation", 0)
    edited = st.data_editor(
        frame,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=f"reported-{language()}-{generation}",
        column_config={
            "subject": st.column_config.SelectboxColumn(
                _("Figure"), options=list(subjects), required=True, width="medium"
            ),
            "percent": st.column_config.NumberColumn(
                _("Value, %"), min_value=0.0, max_value=100.0, step=0.1, required=True
            ),
            "denominator": st.column_config.SelectboxColumn(
                _("Share of"),
                options=list(denominators),
                help=_("Of what the figure is a share; “not stated” if the source does not say."),
            ),
            "method": st.column_config.TextColumn(
                _("Method"),
                help=_("Model, level and probability, or measurement; empty if not stated."),
            ),
            "source": st.column_config.TextColumn(_("Source"), width="large"),
            "date": st.column_config.DateColumn(_("As of"), format="DD/MM/YYYY"),
        },
    )
    if st.button(_("Save reported figures"), icon=":material/save:"):
        try:
            entries = [
                references.checked(
                    {
                        **row,
                        "subject": subjects.get(row["subject"], row["subject"]),
                        "denominator": denominators.get(row["denominator"], ""),
                        "date": "" if row["date"] is None else str(row["date"])[:10],
                    },
                    number,
                )
                for number, row in enumerate(_rows(edited), start=1)
            ]
        except InputError as error:
            st.error(translate(error), icon=":material/error:")
            return
        with identity.data_change(area, "reported figures saved", count=len(entries)):
            references.write(area.folder, entries)
        st.session_state["reported.generation"] = generation + 1
        st.toast(_("The reported figures were saved."), icon=":material/check:")
        st.rerun()


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows without empty ones, missing values as None."""
    rows = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]
    return [row for row in rows if row["subject"] is not None or row["percent"] is not None]


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
