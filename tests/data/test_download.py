"""Downloads from a server that behaves well or badly."""

import pytest

from data.sources import download
from data.sources.source import Item


def item(server, path: str, **more) -> Item:
    return Item("test", path.rpartition("/")[2], server.url + path, **more)


def test_smoke(source_server):
    body = bytes(range(256)) * 4000
    source_server.put("/a.bin", body)
    got = download.fetch(item(source_server, "/a.bin"))
    assert got.path.read_bytes() == body
    assert download.fetch(item(source_server, "/a.bin")).sha256 == got.sha256
    assert len(source_server.asked("/a.bin")) == 1
    source_server.put("/b.bin", body)
    source_server.fail("/b.bin", "cut", after_bytes=300_000)
    got = download.fetch(item(source_server, "/b.bin"))
    assert got.path.read_bytes() == body
    first, second = source_server.asked("/b.bin")
    assert second.headers["Range"] == "bytes=300000-"
