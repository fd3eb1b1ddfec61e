"""Many proposals at once, from a file."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import streamlit as st

from app import formats, identity, study
from app import proposal_labels as words
from app.components import findings, inventory, proposal_batch, style
from app.i18n import _, ngettext, translate
from data import schema
from data.errors import InputError
from data.importers import vn2000
from data.store import Workspace
from planning import proposal_transfer
from planning.accounts import Actor, Role

#: Rows that are shown before they are kept.
SHOWN = 20


def show(area: Workspace, actor: Actor) -> None:
    """Show the form.

    Parameters
    ----------
    area
        The study area's own workspace.
    actor
        Who acts.
    """
    organisation = actor.organisation
    if actor.role is not Role.CARRIER:
        organisation = str(
            st.selectbox(_("Carrier"), study.operators(area), key="import-organisation") or ""
        )
    with st.expander(_("Columns that the file needs"), icon=":material/table:"):
        inventory.columns(schema.PROPOSALS.name)
    zones = ["", *sorted(vn2000.provinces())]
    zone = st.selectbox(
        _("Coordinate system of X and Y"),
        zones,
        format_func=lambda code: f"VN-2000 · {code}" if code else _("as the file says"),
        key="import-crs",
    )
    turn = st.session_state.get("proposal.import", 0)
    style.uploader_text(_("Choose a file"))
    given = st.file_uploader(
        _("CSV, Excel, KML, KMZ, GeoPackage or GeoJSON, at most 50 MB"),
        key=f"import-{turn}",
        max_upload_size=50,
    )
    if given is None:
        return
    content = given.getvalue()
    how: Any = {
        "organisation": organisation or None,
        # Of this upload: the same file may be meant again later.
        "request_id": hashlib.sha256(f"{given.file_id}".encode() + content).hexdigest(),
        "file_name": given.name,
        "crs": f"vn2000:{zone}" if zone else None,
    }
    records = identity.records()
    try:
        preview, wishes, _names = proposal_transfer.examine(records, actor, area, content, **how)
    except InputError as error:
        st.error(translate(error), icon=":material/error:")
        return
    if preview.problems:
        findings.table(preview.problems, "proposals")
    if preview.errors:
        st.caption(_("Nothing is kept as long as a row has an error."))
        return
    st.dataframe(
        pd.DataFrame(
            {
                _("Code"): [wish.reference for wish in wishes[:SHOWN]],
                _("Name or address"): [wish.name for wish in wishes[:SHOWN]],
                _("Proposed"): [words.said(words.KINDS, wish.kind) for wish in wishes[:SHOWN]],
                _("Latitude; longitude"): [
                    formats.coordinates(wish.lat, wish.lon) for wish in wishes[:SHOWN]
                ],
                _("Technologies"): [", ".join(wish.technologies) for wish in wishes[:SHOWN]],
            }
        ),
        hide_index=True,
        width="stretch",
    )
    submit = st.checkbox(_("Submit them at once"), key="import-submit")
    label = ngettext("Make {n} proposal", "Make {n} proposals", len(wishes), n=len(wishes))
    if not st.button(label, type="primary", icon=":material/playlist_add:"):
        return
    made = proposal_transfer.import_file(records, actor, area, content, submit=submit, **how)
    proposal_batch.begin(area, actor, [item.id for item in made])
    st.session_state["proposal.import"] = turn + 1
    st.session_state["proposal.said"] = ngettext(
        "{n} proposal was made.", "{n} proposals were made.", len(made), n=len(made)
    )
    st.session_state["proposal.go"] = True
    st.rerun()
