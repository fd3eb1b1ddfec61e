"""Stop early, with the reason, where the wrong `coverage` is imported."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import coverage

pytest_plugins = ["tests.records_databases"]

# No test may fail because the machine is busy.
settings.register_profile(
    "calm", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")

if Path(coverage.__file__ or "").resolve().parent != Path(__file__).resolve().parent / "coverage":
    pytest.exit(
        f"`import coverage` gives {coverage.__file__}, not this project's package: run pytest "
        "from the project's root, in an environment without coverage.py and pytest-cov",
        returncode=4,
    )


#: Files whose few tests take longest: begun first, so that no process waits for them at the
#: end. Those that wait for servers come after those that compile what the servers need.
_LONG = (
    "test_notebooks.py",
    "test_build_from.py",
    "test_workplace_browser.py",
    "test_proposals_browser.py",
    "test_planner_journeys.py",
    "test_dedicated_network.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest (with pytest-xdist's --no-loadscope-reorder)."""
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(_LONG)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name tests after bytes by the argument: gzip puts the time into what it packs.

    Processes that collect at two moments would know such a test by two names and refuse to run.
    """
    return argname if isinstance(val, bytes) else None
