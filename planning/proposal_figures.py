"""The evaluation of a proposed site as it is kept: JSON, and how to read it."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import Message
from data.grid import Grid

#: (service, operator) -> where it is received.
Covered = dict[tuple[str, str], NDArray[np.bool_]]


@dataclass(frozen=True)
class Evaluation:
    """What was found out about a site.

    Parameters
    ----------
    key
        Hash of `inputs`.
    inputs
        Everything that the result depends on, for JSON.
    result
        The findings, for JSON: ``place``, ``gains``, ``totals``, ``gained`` (where),
        ``cells``, ``findings``, ``exposure``, ``alternatives``, ``cost``,
        ``permit_required``, ``places``, ``illustrative``.
    """

    key: str
    inputs: dict[str, Any]
    result: dict[str, Any]


def key_of(inputs: Mapping[str, Any]) -> str:
    """Return the hash of the inputs of an evaluation."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def gained(
    result: Mapping[str, Any], service: str, operator: str
) -> tuple[Grid, NDArray[np.bool_]] | None:
    """Return where a site brings a service.

    Parameters
    ----------
    result
        `Evaluation.result`.
    service, operator
        Which service, for whom.

    Returns
    -------
    tuple of Grid and numpy.ndarray, or None
        A part of the analysis grid and a flag for each pixel; None if nothing is gained.
    """
    where = result["gained"]
    packed = where["masks"].get(f"{service}|{operator}")
    if packed is None:
        return None
    grid = Grid.from_dict(where["grid"])
    bits = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
    flags = np.unpackbits(bits, count=grid.height * grid.width).astype(bool)
    return grid, flags.reshape(grid.shape)


def packed(before: Covered, after: Covered, grid: Grid) -> dict[str, Any]:
    """Return the pixels that are covered now and were not, as `gained` reads them."""
    new = {key: after[key] & ~before[key] for key in after}
    anywhere = np.logical_or.reduce(list(new.values()))
    if not anywhere.any():
        return {"grid": grid.window(0, 0, 1, 1).to_dict(), "masks": {}}
    rows, columns = np.flatnonzero(anywhere.any(axis=1)), np.flatnonzero(anywhere.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    masks = {}
    for (service, operator), flags in new.items():
        if flags.any():
            part = flags[top : top + height, left : left + width]
            bits = zlib.compress(np.packbits(part).tobytes(), 9)
            masks[f"{service}|{operator}"] = base64.b64encode(bits).decode("ascii")
    return {"grid": grid.window(top, left, height, width).to_dict(), "masks": masks}


def as_json(text: Message) -> dict[str, Any]:
    """Return a message for JSON, as `sentence` reads it."""
    values = {
        key: as_json(value) if isinstance(value, Message) else str(value)
        for key, value in text.values.items()
    }
    return {"template": text.template, "values": values}


def sentence(given: Mapping[str, Any]) -> Message:
    """Return the message of a finding that was kept as JSON.

    Parameters
    ----------
    given
        With the keys template and values.

    Returns
    -------
    Message
        To be shown in any language.
    """
    values = {
        key: sentence(value) if isinstance(value, Mapping) else value
        for key, value in given["values"].items()
    }
    return Message(given["template"], values)
