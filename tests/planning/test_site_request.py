"""What carriers ask for, read again from what was kept of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from data.schema import MAST_CLASSES, PROPOSAL_KINDS, TECHNOLOGIES
from planning.site_request import checked

_WORDS = st.text("abcĐề -/1", min_size=1, max_size=8).filter(str.strip)
_ABOVE_0 = st.floats(0.01, 90.0)
_CELLS = st.fixed_dictionaries(
    {"technology": st.sampled_from(TECHNOLOGIES), "frequency_mhz": st.floats(400.0, 4000.0)}
)
_WISHES = st.fixed_dictionaries(
    {
        "reference": _WORDS,
        "lon": st.floats(-180.0, 180.0),
        "lat": st.floats(-90.0, 90.0),
        "kind": st.sampled_from(PROPOSAL_KINDS),
        "mast_id": _WORDS,
        "height_m": st.floats(100.0, 300.0),
        "technologies": st.lists(st.sampled_from(TECHNOLOGIES), min_size=1),
    },
    optional={
        "name": _WORDS,
        "note": _WORDS,
        "mast_class": st.sampled_from(("", *MAST_CLASSES)),
        "building_height_m": _ABOVE_0,
        "radius_m": _ABOVE_0,
        "shareable": st.booleans(),
        "max_tenants": st.integers(1, 20),
        "cells": st.lists(_CELLS, max_size=3),
    },
)


@given(_WISHES)
def test_what_is_kept_is_asked_for_again_as_it_was(wish) -> None:
    first = checked(wish)
    assert first.kind == wish["kind"]
    assert checked(first.to_dict()) == first
    assert checked(json.loads(json.dumps(first.to_dict()))).digest == first.digest
