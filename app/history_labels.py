"""What people read for the codes in the history."""

from __future__ import annotations

from app.i18n import _, mark
from planning.history import Entry

KINDS = {
    "account": mark("Account"),
    "data": mark("Data"),
    "indicator": mark("Indicator"),
    "proposal": mark("Proposal"),
    "records": mark("Records"),
    "scenario": mark("Scenario"),
    "site_plan": mark("Plan of sites"),
}

ACTIONS = {
    # Accounts
    "added": mark("added"),
    "changed": mark("changed"),
    "erased": mark("personal data erased"),
    "locked": mark("locked after failed attempts"),
    "own password changed": mark("own password changed"),
    "password set": mark("password set by an administrator"),
    "sessions ended": mark("sessions ended"),
    "unlocked": mark("unlocked"),
    # Data
    "built": mark("study area built"),
    "import undone": mark("import undone"),
    "imported": mark("imported"),
    "published": mark("published"),
    "reported figures saved": mark("reported figures saved"),
    "restored": mark("backup restored"),
    # Proposals and scenarios
    "approved": mark("approved"),
    "attached": mark("file attached"),
    "changes_requested": mark("changes asked for"),
    "commented": mark("commented"),
    "created": mark("created"),
    "deleted": mark("deleted"),
    "detached": mark("file taken off"),
    "edited": mark("edited"),
    "emf_certificate": mark("EMF certificate"),
    "evaluated": mark("evaluated"),
    "in_force": mark("put into force"),
    "on_air": mark("on air"),
    "permit": mark("building permit"),
    "planned": mark("taken into a scenario"),
    "refused": mark("refused"),
    "renamed": mark("renamed"),
    "renewed": mark("renewed"),
    "replaced": mark("changes replaced"),
    "submitted": mark("submitted"),
    "withdrawn": mark("withdrawn"),
    # Indicators
    "computed value kept": mark("computed value kept"),
    "defined": mark("defined"),
    "redefined": mark("defined anew"),
    "removed": mark("removed"),
    "value changed": mark("value changed"),
    "value entered": mark("value entered"),
    "value removed": mark("value removed"),
}

ACTING = {
    "command line": mark("command line"),
    "local": mark("user of this machine"),
    "visitor": mark("visitor"),
}


def kind(code: str) -> str:
    """Return what was changed, as people read it."""
    return _(KINDS.get(code, code))


def action(code: str) -> str:
    """Return what was done, as people read it."""
    return _(ACTIONS.get(code, code))


def who(entry: Entry) -> str:
    """Return who acted, as people read it."""
    if entry.account_id is None:
        return _(ACTING.get(entry.who, entry.who))
    if entry.erased:
        return _("account {number}", number=entry.account_id)
    return entry.who
