"""Stop early, with the reason, where the wrong `coverage` is imported."""

from pathlib import Path

import pytest

import coverage

pytest_plugins = ["tests.records_databases"]

if Path(coverage.__file__ or "").resolve().parent != Path(__file__).resolve().parent / "coverage":
    pytest.exit(
        f"`import coverage` gives {coverage.__file__}, not this project's package: run pytest "
        "from the project's root, in an environment without coverage.py and pytest-cov",
        returncode=4,
    )
