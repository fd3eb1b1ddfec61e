"""What kinds of changes are called, and changes as sentences."""

from __future__ import annotations

from collections.abc import Iterable

from app import formats
from app.i18n import _, mark
from planning.scenarios import Change, Scenario

#: Kinds of changes as the form offers them.
KINDS = {
    "add": mark("Add a mast"),
    "move": mark("Move a mast"),
    "remove": mark("Remove a mast"),
    "share": mark("Share a mast"),
    "edit": mark("Edit a mast"),
}


def titles(found: Iterable[Scenario]) -> dict[int, str]:
    """Return what scenarios are called where one is chosen.

    Parameters
    ----------
    found
        The scenarios.

    Returns
    -------
    dict
        Number -> title, with the number in it where two titles are alike: a choice is
        told from another by its text.
    """
    named = {item.id: item.title for item in found}
    known = list(named.values())
    return {
        number: title if known.count(title) == 1 else f"{title} ({number})"
        for number, title in named.items()
    }


def said(change: Change) -> str:
    """Return a change as a sentence.

    Parameters
    ----------
    change
        The change.

    Returns
    -------
    str
        In the language in use.
    """
    mast = str(change.mast.get("mast_id"))
    operators = ", ".join(
        sorted(
            {
                f"{cell.get('operator')} {cell.get('technology')}"
                for cell in change.cells
                if cell.get("operator")
            }
        )
    )
    if change.kind == "add":
        text = _("Mast {mast} of {height} is added", mast=mast, height=_height(change))
    elif change.kind == "move":
        text = _("Mast {mast} moves to {place}", mast=mast, place=_place(change))
    elif change.kind == "remove" and change.cells:
        text = _("{count} cells on mast {mast} go", count=len(change.cells), mast=mast)
    elif change.kind == "remove":
        text = _("Mast {mast} goes with all its cells", mast=mast)
    elif change.kind == "share":
        text = _("Mast {mast} is shared", mast=mast)
    else:
        text = _("Mast {mast} is changed", mast=mast)
    return f"{text}: {operators}" if operators else text


def _height(change: Change) -> str:
    try:
        return formats.quantity(float(change.mast.get("height_m") or 0.0), "m")
    except (TypeError, ValueError):
        return str(change.mast.get("height_m"))


def _place(change: Change) -> str:
    try:
        return formats.coordinates(float(change.mast["lat"]), float(change.mast["lon"]))
    except (KeyError, TypeError, ValueError):
        return formats.NOTHING
