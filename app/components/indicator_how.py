"""How the computed values of a group of indicators came about."""

from __future__ import annotations

import math
from typing import Any

from app import indicator_labels
from app.components import how
from app.i18n import _

Row = dict[Any, Any]

#: Sections of the help page by group; the others are explained with the indicators.
_METHODS = {
    "mobile": "shares",
    "broadband": "broadband",
    "network": "network",
    "equipment": "network",
    "conference": "network",
}


def show(group: str, rows: list[Row]) -> None:
    """Show how the values of a group were computed; nothing where none was.

    Parameters
    ----------
    group
        Key of the group.
    rows
        Of `planning.indicators.table`.
    """
    computed = [row for row in rows if not math.isnan(row["computed"])]
    if computed:
        how.show(
            _("How was this computed?"),
            [(indicator_labels.title(row), _said(row)) for row in computed],
            section=_METHODS.get(group, "indicators"),
        )


def _said(row: Row) -> str:
    method = row["computed_method"]
    said = "" if method is None else indicator_labels.said(method)
    return f"{said} · {row['computed_by']}" if said else str(row["computed_by"])
