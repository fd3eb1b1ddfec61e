"""Text in the form in which names are compared."""

from __future__ import annotations

import functools
import re
import unicodedata


@functools.lru_cache(maxsize=8192)
def bare(text: str) -> str:
    """Return text without diacritics, case and punctuation.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    str
        Words of ASCII letters and digits, or what they are in another script.

    Examples
    --------
    >>> bare("ĐƠN_VỊ "), bare("Bà Rịa - Vũng Tàu")
    ('don vi', 'ba ria vung tau')
    """
    parts = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    letters = "".join(char for char in parts if not unicodedata.combining(char))
    return re.sub(r"[\W_]+", " ", letters).strip()
