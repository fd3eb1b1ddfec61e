"""Find the shared reference vectors and data; skip with the reason where they are absent."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def shared_folder() -> Path:
    """Return the folder of shared data: $PHUSONG_SHARED or `shared` beside the checkout."""
    return Path(os.environ.get("PHUSONG_SHARED", ROOT.parent / "shared"))


def shared_path(relative: str) -> Path:
    """Return a file or folder of the shared data, or skip the test that asks for it."""
    path = shared_folder() / relative
    if not path.exists():
        pytest.skip(f"{path} is absent: set PHUSONG_SHARED to the folder that holds {relative}")
    return path


@cache
def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def load_json(relative: str) -> Any:
    """Return a JSON file of the shared vectors, or skip the test."""
    return _load(shared_path(f"vectors/{relative}"))
