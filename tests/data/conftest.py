"""Fixtures of the tests of open sources."""

from tests.data.source_server import download_cache, no_network, source_server

__all__ = ["download_cache", "no_network", "source_server"]
