"""What the buttons "How was this computed?" of a page say."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs

from app import i18n
from app.components import help_sections

#: Their text in each language.
LABELS = {"vi": "Cách tính", "en": "How was this computed?"}


def turned(app, language: str):
    """Look at the same page in another language."""
    app.button_group(key=i18n.STATE_KEY).set_value(language).run()
    # AppTest writes the options of widgets once more, outside the session.
    i18n.use(language)
    return app


def explained(app, language: str) -> dict[str, list[tuple[str, str]]]:
    """Return section of the help -> facts of its last button; all must have facts and a section."""
    found = {}
    for block in app.get("popover"):
        if block.proto.popover.label != LABELS[language]:
            continue
        bodies = [item.proto.body for item in block if item.type == "html"]
        (link,) = [item.proto.query_string for item in block if item.type == "page_link"]
        (section,) = parse_qs(link)["section"]
        assert section in help_sections.SECTIONS
        facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", " ".join(bodies))
        assert facts, section
        found[section] = [(unescape(name), unescape(value)) for name, value in facts]
    return found
