"""Address ranges of sites: what is none, and what two sites have at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def as_range(text: str) -> Range | None:
    """Return an address range, None where the text is none.

    Parameters
    ----------
    text
        Range in CIDR notation, or one address.

    Returns
    -------
    ipaddress.IPv4Network, ipaddress.IPv6Network or None
        The range; bits of a host within it are left out.

    Examples
    --------
    >>> as_range("10.48.12.7/24"), as_range("10.48.300.0/24")
    (IPv4Network('10.48.12.0/24'), None)
    """
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def overlapping(ranges: Sequence[tuple[int, Range]]) -> set[int]:
    """Return the owners of ranges that a range of another owner overlaps.

    Parameters
    ----------
    ranges
        Number of the owner, and the range.

    Returns
    -------
    set of int
        Numbers of the owners.

    Examples
    --------
    >>> texts = ["10.0.0.0/16", "10.0.3.0/24", "10.1.0.0/24"]
    >>> sorted(overlapping([(k, as_range(text)) for k, text in enumerate(texts)]))
    [0, 1]
    """
    found: set[int] = set()
    for version in (4, 6):
        spans = sorted(
            (int(each.network_address), int(each.broadcast_address), owner)
            for owner, each in ranges
            if each.version == version
        )
        # In the order of their starts, an earlier one that reaches this far overlaps.
        reaching: list[tuple[int, int]] = []
        for first, last, owner in spans:
            reaching = [(end, other) for end, other in reaching if end >= first]
            found.update(each for _, other in reaching if other != owner for each in (owner, other))
            reaching.append((last, owner))
    return found
