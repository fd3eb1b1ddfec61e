"""What people have typed, on its way into Markdown."""

from __future__ import annotations

_SIGNS = frozenset(r"\`*_{}[]()<>#+-.!|~$:&")


def plain(text: str) -> str:
    r"""Return a text that Markdown shows as it is, markup included.

    Parameters
    ----------
    text
        Anything.

    Returns
    -------
    str
        With a backslash before every sign that means something.

    Examples
    --------
    >>> print(plain("<b>*1*</b>"))
    \<b\>\*1\*\</b\>
    """
    lines = "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text).splitlines()
    return "  \n".join(line.strip() for line in lines)
