"""Which database holds the records, and how it is backed up."""

from __future__ import annotations

import streamlit as st

from app import areas, formats, identity
from app.components import style
from app.i18n import _
from data.records import engine
from data.records.engine import Records


def show() -> None:
    """Show the kind and place of the database and the commands that concern it."""
    if not Records.exists(areas.home()):
        st.info(
            _("Nothing has been recorded yet; the database is made with the first record."),
            icon=":material/database_off:",
        )
        return
    records = identity.records()
    size = None
    if records.is_sqlite:
        size = (records.home / engine.FILE).stat().st_size / 1e6
    style.facts(
        [
            (
                _("Kind"),
                _("SQLite file, a GeoPackage that QGIS opens")
                if records.is_sqlite
                else _("PostgreSQL with PostGIS"),
            ),
            (_("Where it is"), engine.described(records.engine.url)),
            (_("Size"), "" if size is None else formats.quantity(size, "MB", 1)),
            (_("Folder of attached files"), str(records.attachments)),
        ]
    )
    st.caption(_("A backup is made on the server while the app runs, and put back with restore:"))
    st.code(
        "python -m planning records backup backup.zip\n"
        "python -m planning records restore backup.zip",
        language="shell",
    )
