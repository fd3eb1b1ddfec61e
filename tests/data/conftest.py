"""Fixtures of the tests of open sources; those that need the internet only run on demand."""

import pytest

from tests.data.source_server import download_cache, live_wanted, no_network, source_server

__all__ = ["download_cache", "no_network", "source_server"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if live_wanted(config):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    items[:] = [item for item in items if not item.get_closest_marker("live")]
    config.hook.pytest_deselected(items=live)
