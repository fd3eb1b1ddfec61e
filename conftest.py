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


#: Files whose few tests take longest: begun first, so that no process waits for them at the end.
_LONG = (
    "test_notebooks.py",
    "test_proposals_browser.py",
    "test_workplace_browser.py",
    "test_dedicated_network.py",
    "test_build_from.py",
    "test_cluster.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest (with pytest-xdist's --no-loadscope-reorder)."""
    items.sort(key=lambda item: item.path.name not in _LONG)
