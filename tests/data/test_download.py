"""Downloads from a server that behaves well or badly."""

import concurrent.futures
import contextlib
import datetime as dt
import email.utils
import errno
import gzip
import hashlib
import io
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback
import zipfile

import filelock
import pytest
import requests

from data.errors import CancelledError, InputError
from data.sources import addresses, download
from data.sources.download import Kind, MissingError, OfflineError, SourceError
from data.sources.source import Item
from tests.vectors import ROOT

BODY = bytes(range(256)) * 4000  # 1 MB


def item(server, path: str, **more) -> Item:
    return Item("test", path.rpartition("/")[2], server.url + path, **more)


def stop_at(share: float):
    def on_progress(done: float) -> None:
        if done >= share:
            raise CancelledError

    return on_progress


# Cache ----------------------------------------------------------------------------------------


def test_a_file_is_carried_once_and_kept_with_what_is_known_of_it(source_server) -> None:
    source_server.put("/a.bin", BODY)
    first = download.fetch(item(source_server, "/a.bin"))
    assert first.path.read_bytes() == BODY
    assert first.sha256 == hashlib.sha256(BODY).hexdigest()
    again = download.fetch(item(source_server, "/a.bin"))
    assert (again.path, again.sha256, again.retrieved_at) == (
        first.path,
        first.sha256,
        first.retrieved_at,
    )
    (request,) = source_server.requests
    assert request.headers["User-Agent"].startswith("PhuSong/0.1 (")
    assert download.cached(item(source_server, "/a.bin")) is not None
    assert download.cached(item(source_server, "/other.bin")) is None


def test_a_copy_that_was_damaged_or_came_from_elsewhere_is_not_used(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.put("/v2/a.bin", BODY[:5000])
    path = download.fetch(item(source_server, "/a.bin")).path
    path.write_bytes(b"x" * len(BODY))
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    os.utime(path, (1, 1))  # only touched: its bytes decide
    download.fetch(item(source_server, "/a.bin"))
    assert len(source_server.requests) == 2
    other = download.fetch(item(source_server, "/v2/a.bin"))
    assert other.path.read_bytes() == BODY[:5000]


def test_what_is_old_is_asked_for_again_and_kept_where_it_has_not_changed(source_server) -> None:
    source_server.put("/a.json", b'{"a": 1}')
    thing = item(source_server, "/a.json")
    first = download.fetch(thing, max_age_s=60)
    download.fetch(thing, max_age_s=60)
    assert len(source_server.requests) == 1
    kept = download.fetch(thing, max_age_s=0)
    assert source_server.requests[-1].status == 304
    assert kept.retrieved_at == first.retrieved_at
    source_server.put("/a.json", b'{"a": 2}')
    assert download.json_from(thing) == {"a": 1}
    assert download.json_from(thing, max_age_s=0) == {"a": 2}


def test_files_without_an_etag_are_compared_by_their_date(source_server) -> None:
    date = "Mon, 24 Nov 2025 08:00:00 GMT"
    source_server.put("/a.bin", BODY, etag="", last_modified=date)
    source_server.fail("/a.bin", "cut", after_bytes=500_000)
    thing = item(source_server, "/a.bin")
    assert download.fetch(thing).path.read_bytes() == BODY
    assert source_server.requests[-1].headers["If-Range"] == date
    download.fetch(thing, max_age_s=0)
    assert source_server.requests[-1].headers["If-Modified-Since"] == date
    assert source_server.requests[-1].status == 304


def test_answers_to_a_body_are_kept_by_the_body(source_server) -> None:
    source_server.answer("/query", lambda asked: json.dumps({"q": asked.body.decode()}).encode())
    thing = Item("test", "query.json", source_server.url + "/query")
    one = download.json_from(thing, method="POST", data={"data": "node[a=b];"})
    two = download.json_from(thing, method="POST", data=b"other")
    assert one == {"q": "data=node%5Ba%3Db%5D%3B"}
    assert two == {"q": "other"}
    assert download.json_from(thing, method="POST", data={"data": "node[a=b];"}) == one
    assert len(source_server.requests) == 2
    form = source_server.requests[0].headers["Content-Type"]
    assert form == "application/x-www-form-urlencoded"


def test_a_packed_answer_is_unpacked(source_server) -> None:
    packed = gzip.compress(b'{"elements": []}')
    source_server.put("/q", packed, "application/json", headers={"Content-Encoding": "gzip"})
    thing = Item("test", "q.json", source_server.url + "/q")
    assert download.json_from(thing, method="POST", data=b"x") == {"elements": []}
    thing = Item("test", "get.json", source_server.url + "/q")
    assert download.json_from(thing) == {"elements": []}
    # A file that is a gzip file stays one, whatever the server says of it.
    kept = download.fetch(Item("test", "q.csv.gz", source_server.url + "/q"))
    assert kept.path.read_bytes() == packed


@pytest.mark.parametrize("key", ["../../etc/x.json", "a/b?c.json", "Hà Nam", "x" * 300, "..", ""])
def test_names_of_files_stay_in_the_folder_and_apart(source_server, download_cache, key) -> None:
    source_server.put("/a", b'{"a": 1}')
    thing = Item("test", key, source_server.url + "/a")
    path = download.fetch(thing).path
    assert path.parent == download_cache / "test"
    other = Item("test", key + "_", source_server.url + "/a")
    assert download.fetch(other).path != path


# Broken connections ---------------------------------------------------------------------------


def test_a_download_that_breaks_off_goes_on_where_it_stopped(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "cut", after_bytes=300_000)
    source_server.fail("/a.bin", "cut", after_bytes=100_000)
    got = download.fetch(item(source_server, "/a.bin"))
    assert got.path.read_bytes() == BODY
    ranges = [asked.headers.get("Range") for asked in source_server.requests]
    assert ranges == [None, "bytes=300000-", "bytes=400000-"]
    assert source_server.sent_bytes() == len(BODY)  # nothing twice


def test_it_breaks_off_more_often_than_there_are_tries_but_gets_on(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "cut", after_bytes=100_000, times=8)
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert source_server.sent_bytes() == len(BODY)


def test_no_byte_gets_through(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "cut", after_bytes=0, times=99)
    with pytest.raises(SourceError, match="broke off again and again"):
        download.fetch(item(source_server, "/a.bin"))
    assert len(source_server.requests) == 3


def test_the_next_run_goes_on_after_a_cancel(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    with pytest.raises(CancelledError):
        download.fetch(item(source_server, "/a.bin"), on_progress=stop_at(0.3))
    part = download_cache / "test" / "a.bin~part"
    held = part.stat().st_size
    assert 0.3 * len(BODY) <= held < len(BODY)
    assert download.cached(item(source_server, "/a.bin")) is None
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert source_server.requests[-1].headers["Range"] == f"bytes={held}-"
    assert source_server.requests[-1].sent_bytes == len(BODY) - held
    assert sorted(p.name for p in part.parent.iterdir() if not p.name.endswith("~lock")) == [
        "a.bin",
        "a.bin~about",
    ]


def test_a_killed_run_is_continued(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "stall", after_bytes=400_000, delay_s=30)
    program = (
        "import sys; from data.sources import download; from data.sources.source import Item; "
        "download.fetch(Item('test', 'a.bin', sys.argv[1]))"
    )
    run = subprocess.Popen([sys.executable, "-c", program, source_server.url + "/a.bin"], cwd=ROOT)
    part = download_cache / "test" / "a.bin~part"
    until = time.monotonic() + 30
    while time.monotonic() < until and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.02)
    run.kill()
    run.wait()
    held = part.stat().st_size
    assert 100_000 < held <= 400_000
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert source_server.requests[-1].headers["Range"] == f"bytes={held}-"


def leave_a_part(server, path: str) -> None:
    with pytest.raises(CancelledError):
        download.fetch(item(server, path), on_progress=stop_at(0.3))


def test_a_file_that_changed_in_the_meantime_is_begun_again(source_server) -> None:
    source_server.put("/a.bin", BODY)
    leave_a_part(source_server, "/a.bin")
    source_server.put("/a.bin", BODY[::-1])
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY[::-1]
    assert source_server.requests[-1].status == 200


def test_a_server_that_ignores_ranges_is_asked_for_all(source_server) -> None:
    source_server.put("/a.bin", BODY, ranges=False, headers={"Accept-Ranges": ""})
    leave_a_part(source_server, "/a.bin")
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert "Range" in source_server.requests[-1].headers
    assert source_server.requests[-1].status == 200


@pytest.mark.parametrize("marks", [{"etag": ""}, {"etag": 'W/"1"'}])
def test_without_a_firm_mark_a_part_is_not_trusted(source_server, marks) -> None:
    source_server.put("/a.bin", BODY, **marks)
    leave_a_part(source_server, "/a.bin")
    source_server.put("/a.bin", BODY[::-1], **marks)
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY[::-1]
    assert "Range" not in source_server.requests[-1].headers


def test_a_part_that_is_longer_than_the_file_is_thrown_away(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    leave_a_part(source_server, "/a.bin")
    (download_cache / "test" / "a.bin~part").write_bytes(BODY + b"more")
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert [a.status for a in source_server.requests[-2:]] == [416, 200]


def test_a_part_with_wrong_bytes_is_found_by_the_checksum(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    whole = download.fetch(item(source_server, "/a.bin"))
    whole.path.unlink()
    leave_a_part(source_server, "/a.bin")
    part = download_cache / "test" / "a.bin~part"
    part.write_bytes(b"?" * part.stat().st_size)
    thing = item(source_server, "/a.bin", sha256=whole.sha256)
    assert download.fetch(thing).path.read_bytes() == BODY


def test_a_wrong_checksum_is_said_and_nothing_is_kept(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    with pytest.raises(SourceError, match=r"a\.bin has the SHA-256 062af9.*but 0000.*is published"):
        download.fetch(item(source_server, "/a.bin", sha256="0" * 64))
    left = {p.name for p in (download_cache / "test").iterdir()}
    assert left <= {"a.bin~lock"}
    assert len(source_server.requests) == 1


def test_a_copy_with_another_checksum_is_not_used(source_server) -> None:
    source_server.put("/a.bin", BODY)
    old = download.fetch(item(source_server, "/a.bin"))
    source_server.put("/a.bin", b"new")
    sha = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"
    new = download.fetch(item(source_server, "/a.bin", sha256=sha))
    assert new.path.read_bytes() == b"new"
    assert old.sha256 != new.sha256


# Answers that are no data ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 403, 410])
def test_what_is_missing_is_not_asked_for_again(source_server, status) -> None:
    source_server.fail("/a.tif", status, times=9)
    with pytest.raises(MissingError, match=rf"there is no file .*/a\.tif \(status {status}\)") as e:
        download.fetch(item(source_server, "/a.tif"))
    assert e.value.status == status
    assert len(source_server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_faults_are_waited_for(source_server, status) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", status, times=2)
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
    assert [a.status for a in source_server.requests] == [status, status, 200]


def test_the_time_a_server_asks_for_is_waited(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", 429, retry_after="1")
    began, calls = time.monotonic(), []
    download.fetch(item(source_server, "/a.bin"), on_progress=calls.append)
    assert time.monotonic() - began >= 1.0
    assert calls[0] == 0.0  # can be cancelled while it waits


def test_a_date_to_wait_for_counts_too(source_server) -> None:
    source_server.put("/a.bin", BODY)
    when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    source_server.fail("/a.bin", 503, retry_after=email.utils.format_datetime(when, usegmt=True))
    began = time.monotonic()
    download.fetch(item(source_server, "/a.bin"))
    assert 0.9 < time.monotonic() - began < 4.0


def test_a_wait_can_be_cancelled(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", 429, retry_after="2", times=9)
    began = time.monotonic()

    def cancel(_share: float) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        download.fetch(item(source_server, "/a.bin"), on_progress=cancel)
    assert time.monotonic() - began < 1.0


def test_a_long_wait_is_left_to_the_user(source_server) -> None:
    source_server.fail("/a.bin", 429, retry_after="3600", times=9)
    with pytest.raises(SourceError, match=r"wants fewer requests .*try again in 3600 s") as error:
        download.fetch(item(source_server, "/a.bin"))
    assert error.value.status == 429
    assert len(source_server.requests) == 1


def test_a_fault_that_does_not_pass_is_told(source_server) -> None:
    source_server.fail("/a.bin", 500, times=9)
    with pytest.raises(SourceError, match=r"fault of its own \(status 500\)"):
        download.fetch(item(source_server, "/a.bin"))
    assert len(source_server.requests) == 3


def test_a_refusal_carries_the_words_of_the_server(source_server) -> None:
    source_server.fail("/a.bin", 400, body=b'{"error": {"message": "bad area"}}')
    with pytest.raises(SourceError, match=r"says: bad area \(status 400\)"):
        download.fetch(item(source_server, "/a.bin"))
    source_server.fail("/a.bin", 418)
    with pytest.raises(SourceError, match=r"refuses the request \(status 418\)"):
        download.fetch(item(source_server, "/a.bin"))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.json", "JSON"),
        ("a.geojson", "JSON"),
        ("a.tif", "a GeoTIFF"),
        ("a.zip", "a zip archive"),
        ("a.csv.gz", "a gzip file"),
        ("a.gpkg", "a GeoPackage"),
        ("a.parquet", "a Parquet file"),
        ("a.osm.pbf", "an OSM PBF file"),
        ("a.csv", "a table of text"),
        ("a.unknown", "a file"),
    ],
)
def test_a_web_page_is_no_data(source_server, download_cache, key, expected) -> None:
    source_server.fail(f"/{key}", "html", times=9)
    with pytest.raises(SourceError, match=f"sent a web page instead of {expected};"):
        download.fetch(item(source_server, f"/{key}"))
    assert len(source_server.requests) == 1
    assert {p.name for p in (download_cache / "test").iterdir()} <= {f"{key}~lock"}


@pytest.mark.parametrize(
    ("key", "start"),
    [
        ("a.json", b' \n\t[{"a": 1}]'),
        ("b.json", b'\xef\xbb\xbf{"a": 1}'),
        ("a.tif", b"II*\0"),
        ("b.tif", b"MM\0+"),
        ("a.csv.gz", b"\x1f\x8b"),
        ("a.gpkg", b"SQLite format 3\0"),
        ("a.osm.pbf", b"\0\0\0\x0d\x0a\x09OSMHeader"),
        ("a.csv", b"radio,mcc,net"),
    ],
)
def test_data_is_taken_for_data_whatever_its_content_type(source_server, key, start) -> None:
    body = start if key.endswith("json") else start + b"1,2\n" * 500
    source_server.put(f"/{key}", body, "text/html")
    assert download.fetch(item(source_server, f"/{key}")).path.read_bytes() == body


def test_something_else_is_refused_before_it_is_carried(source_server) -> None:
    source_server.put("/a.tif", b"%PDF-1.4" + BODY * 20, "application/pdf")
    with pytest.raises(SourceError, match=r"something else than a GeoTIFF \(content type app"):
        download.fetch(item(source_server, "/a.tif"))
    with pytest.raises(SourceError, match="something else than a zip archive"):
        download.fetch(item(source_server, "/a.tif"), kind=Kind.ZIP)


def test_an_error_in_json_with_status_200_is_told(source_server) -> None:
    answer = b'{"status": "error", "message": "INVALID_TOKEN"}'
    source_server.put("/cells.csv.gz", answer, "application/json")
    with pytest.raises(SourceError, match="says: INVALID_TOKEN"):
        download.fetch(item(source_server, "/cells.csv.gz"))
    source_server.put("/a.json", answer, "application/json")
    with pytest.raises(SourceError, match="says: INVALID_TOKEN"):
        download.fetch(item(source_server, "/a.json"))
    source_server.put("/b.json", b'{"success": false, "error": {"message": "Not found"}}')
    with pytest.raises(SourceError, match="says: Not found"):
        download.fetch(item(source_server, "/b.json"))
    source_server.put("/c.json", b'{"type": "FeatureCollection", "error": "", "features": []}')
    assert download.json_from(item(source_server, "/c.json"))["features"] == []


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in members:
            made.writestr(name, body)
    return out.getvalue()


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("a.json", json.dumps({"a": list(range(1000))}).encode()),
        ("a.zip", archive(("a", os.urandom(5000)))),
        ("a.parquet", b"PAR1" + b"x" * 5000 + b"PAR1"),
    ],
)
def test_a_file_that_ends_early_without_a_word_is_noticed(source_server, key, body) -> None:
    source_server.put(f"/{key}", body, etag="")
    source_server.fail(f"/{key}", "short")
    with pytest.raises(SourceError, match="is damaged or cut off"):
        download.fetch(item(source_server, f"/{key}"))
    assert download.fetch(item(source_server, f"/{key}")).path.read_bytes() == body


def test_an_empty_file_is_no_data(source_server) -> None:
    source_server.put("/a.json", b"")
    with pytest.raises(SourceError, match=r"something else than JSON|is empty"):
        download.fetch(item(source_server, "/a.json"))
    source_server.put("/a.bin", b"")
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == b""


def test_more_than_expected_is_refused(source_server, download_cache) -> None:
    source_server.put("/a.bin", BODY)
    with pytest.raises(SourceError, match=r"is larger than 0\.5 MB"):
        download.fetch(item(source_server, "/a.bin"), max_bytes=500_000)
    assert source_server.sent_bytes() <= len(BODY)
    source_server.put("/b.bin", BODY, announce=False)
    with pytest.raises(SourceError, match=r"is larger than 0\.5 MB"):
        download.fetch(item(source_server, "/b.bin"), max_bytes=500_000)
    assert not list((download_cache / "test").glob("*~part"))


# Slow and absent servers ----------------------------------------------------------------------


def test_a_slow_answer_is_asked_for_again(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "slow", delay_s=1.5)
    with download.using(read_timeout_s=0.3):
        assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY
        source_server.put("/b.bin", BODY)
        source_server.fail("/b.bin", "stall", after_bytes=200_000, delay_s=1.5)
        assert download.fetch(item(source_server, "/b.bin")).path.read_bytes() == BODY
    assert source_server.requests[-1].headers["Range"] == "bytes=200000-"


def test_a_server_that_never_answers_is_named(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "slow", delay_s=1.0, times=9)
    with (
        download.using(read_timeout_s=0.2),
        pytest.raises(SourceError, match=r"127\.0\.0\.1 does not answer within 0\.2 s"),
    ):
        download.fetch(item(source_server, "/a.bin"))


def test_a_trickle_counts_as_broken(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "trickle", delay_s=0.1, times=9)
    with (
        download.using(read_timeout_s=0.3, slowest_bytes_s=100, attempts=1),
        pytest.raises(SourceError, match="does not answer within"),
    ):
        download.fetch(item(source_server, "/a.bin"))


def test_a_dropped_connection_is_made_again(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "drop", times=2)
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY


def test_a_server_that_is_down_is_named_with_what_to_do(source_server) -> None:
    source_server.put("/a.bin", BODY)
    thing = item(source_server, "/a.bin")
    source_server.stop()
    with pytest.raises(OfflineError) as error:
        download.fetch(thing)
    text = str(error.value)
    assert text.startswith("test: 127.0.0.1 cannot be reached; check the connection")
    assert "files of your own" in text
    assert "--offline" in text
    assert str(pickle.loads(pickle.dumps(error.value))) == text
    with pytest.raises(OfflineError, match="cannot be reached"):
        download.size_of(thing.url)


def test_a_name_that_nobody_knows_is_offline_too(source_server, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(OfflineError, match=r"no-such-server\.invalid cannot be reached"):
        download.fetch(Item("test", "a", "http://no-such-server.invalid/a"))


def test_the_copy_in_the_cache_is_named_when_the_server_is_down(source_server) -> None:
    source_server.put("/a.json", b"{}")
    thing = item(source_server, "/a.json")
    got = download.fetch(thing)
    source_server.stop()
    assert download.fetch(thing).path == got.path
    with pytest.raises(OfflineError, match=rf"a copy of {got.retrieved_at[:10]} lies in .*--off"):
        download.fetch(thing, max_age_s=0)
    with download.offline():
        assert download.fetch(thing, max_age_s=0).path == got.path


def test_offline_nobody_is_asked(source_server) -> None:
    source_server.put("/a.json", b"{}")
    with download.offline():
        with pytest.raises(OfflineError, match=r"a\.json is not in the cache"):
            download.fetch(item(source_server, "/a.json"))
        with pytest.raises(OfflineError, match="may not be asked"):
            download.size_of(source_server.url + "/a.json")
        with download.offline(False):
            assert download.is_offline()
    with download.offline(False):
        assert not download.is_offline()
    assert source_server.requests == []


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x/y", "http://", "http://[bad/"])
def test_an_address_that_is_none(source_server, url) -> None:
    with pytest.raises(InputError, match="no address"):
        download.fetch(Item("test", "a", url))


# Secrets --------------------------------------------------------------------------------------

SECRET = "pk.0123456789abcdef"


@pytest.mark.parametrize(
    "fault",
    [404, 429, 500, 400, "html", "drop", "cut", "slow", "json", "down", "ok"],
)
def test_the_token_is_seen_by_nobody_but_the_server(
    source_server, download_cache, caplog, fault
) -> None:
    caplog.set_level(logging.DEBUG)
    path = "/ocid/downloads"
    thing = Item("opencellid", "452.csv.gz", f"{source_server.url}{path}?type=mcc")
    url = f"{thing.url}&token={SECRET}"
    source_server.put(path, gzip.compress(b"GSM,452,1\n" * 200))
    echo = json.dumps({"status": "error", "message": f"INVALID_TOKEN {SECRET}"}).encode()
    if fault == "down":
        source_server.stop()
    elif fault != "ok":
        source_server.fail(path, fault, times=9, body=echo, delay_s=0.5, after_bytes=0)
    with download.using(read_timeout_s=0.2, attempts=2):
        try:
            download.fetch(thing, url=url)
            download.size_of(url, source="opencellid")
            assert fault == "ok"
        except InputError as error:
            assert fault != "ok"
            shown = "".join(traceback.format_exception(error)) + repr(error)
            assert SECRET not in shown
    assert SECRET not in caplog.text
    for file in download_cache.rglob("*"):
        assert SECRET not in file.name
        assert file.is_dir() or SECRET.encode() not in file.read_bytes()
    if fault != "down":
        assert f"token={SECRET}" in source_server.requests[0].path


# Sizes ----------------------------------------------------------------------------------------


def test_the_size_is_asked_for_beforehand(source_server) -> None:
    url = source_server.put("/a.bin", BODY)
    assert download.size_of(url) == len(BODY)
    assert [a.method for a in source_server.requests] == ["HEAD"]
    about = download.describe(url)
    assert about.ranges
    assert about.etag


def test_the_size_of_a_server_that_does_not_answer_head(source_server) -> None:
    url = source_server.put("/a.bin", BODY, head=False)
    assert download.size_of(url) == len(BODY)
    assert source_server.requests[-1].headers["Range"] == "bytes=0-0"
    assert source_server.sent_bytes() <= 1
    silent = source_server.put("/b.bin", BODY, head=False, ranges=False, announce=False)
    assert download.size_of(silent) is None
    plain = source_server.put("/c.bin", BODY, head=False, ranges=False)
    assert download.size_of(plain) == len(BODY)
    assert not download.describe(plain).ranges
    assert download.size_of(source_server.put("/d.bin", b"")) == 0


def test_parts_are_tried_where_the_server_does_not_speak_of_them(source_server) -> None:
    url = source_server.put("/a.bin", BODY, headers={"Accept-Ranges": ""})
    about = download.describe(url)
    assert about.ranges
    assert about.size_bytes == len(BODY)
    assert source_server.requests[-1].headers["Range"] == "bytes=0-0"


def test_the_size_of_what_is_missing_or_faulty(source_server) -> None:
    with pytest.raises(MissingError) as error:
        download.size_of(source_server.url + "/none")
    assert error.value.status == 404
    url = source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", 503, times=2)
    assert download.size_of(url) == len(BODY)
    source_server.fail("/a.bin", 403, times=2)  # HEAD and then GET
    with pytest.raises(MissingError):
        download.size_of(url)


# Progress, several at once, disk --------------------------------------------------------------


def test_progress_grows_in_the_callers_thread(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "cut", after_bytes=500_000)
    seen: list[tuple[float, int]] = []
    download.fetch(
        item(source_server, "/a.bin"),
        on_progress=lambda share: seen.append((share, threading.get_ident())),
    )
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(0.1 < share < 0.9 for share in shares)
    assert {thread for _, thread in seen} == {threading.get_ident()}


def test_without_a_length_the_size_of_the_item_serves(source_server) -> None:
    source_server.put("/a.bin", BODY, announce=False)
    shares: list[float] = []
    thing = item(source_server, "/a.bin", size_bytes=len(BODY))
    download.fetch(thing, on_progress=shares.append)
    assert any(0.1 < share < 0.9 for share in shares)


def test_several_at_once_carry_it_once(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "stall", delay_s=0.3)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(download.fetch, item(source_server, "/a.bin")) for _ in range(4)]
        assert {job.result().path.read_bytes() == BODY for job in jobs} == {True}
    assert len(source_server.requests) == 1


def test_two_processes_at_once_carry_it_once(source_server) -> None:
    source_server.put("/a.bin", BODY)
    source_server.fail("/a.bin", "stall", delay_s=1.5)
    program = (
        "import sys; from data.sources import download; from data.sources.source import Item; "
        "print(download.fetch(Item('test', 'a.bin', sys.argv[1])).sha256)"
    )
    command = [sys.executable, "-c", program, source_server.url + "/a.bin"]
    runs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    sums = {run.communicate(timeout=60)[0] for run in runs}
    assert len(sums) == 1
    assert sums.pop().startswith(b"062af9cc")
    assert len(source_server.asked("/a.bin")) == 1


def test_a_full_disk_is_told_before_anything_is_carried(source_server, monkeypatch) -> None:
    source_server.put("/a.bin", BODY)
    usage = type("Usage", (), {"free": 500_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(InputError, match=r"a\.bin needs 1 MB, but the disk of .* has 0 MB free"):
        download.fetch(item(source_server, "/a.bin"))


def test_a_disk_that_fills_up_is_told(source_server, monkeypatch) -> None:
    source_server.put("/a.bin", BODY)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"no space left on the disk of .*PHUSONG_CACHE"):
            download.fetch(item(source_server, "/a.bin"))
    assert download.fetch(item(source_server, "/a.bin")).path.read_bytes() == BODY


def test_a_cache_that_cannot_be_written_is_told(source_server, tmp_path, monkeypatch) -> None:
    source_server.put("/a.bin", BODY)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PHUSONG_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        InputError, match=r"cannot be written \(.*\); set PHUSONG_CACHE to a folder"
    ):
        download.fetch(item(source_server, "/a.bin"))


def test_a_cache_that_cannot_be_written_can_be_read(source_server, monkeypatch) -> None:
    source_server.put("/a.bin", BODY)
    got = download.fetch(item(source_server, "/a.bin"))

    def refused(*_args, **_more) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    assert download.fetch(item(source_server, "/a.bin")).path == got.path
    with pytest.raises(InputError, match="Read-only file system"):
        download.fetch(item(source_server, "/b.bin"))


def test_the_cache_is_in_the_users_folder_unless_set(monkeypatch) -> None:
    monkeypatch.delenv("PHUSONG_CACHE", raising=False)
    assert download.cache_folder().parts[-2:] == ("phusong", "downloads")
    monkeypatch.setenv("PHUSONG_CACHE", "/somewhere")
    assert str(download.cache_folder()) == "/somewhere"


# Archives -------------------------------------------------------------------------------------


def test_gzip_files_are_unpacked(tmp_path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(BODY))
    shares: list[float] = []
    target = tmp_path / "new" / "a"
    assert download.gunzip(tmp_path / "a.gz", target, on_progress=shares.append) == target
    assert target.read_bytes() == BODY
    assert 0 < shares[-1] <= 1


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (gzip.compress(os.urandom(5000))[:-2000], "damaged or cut off"),
        (b"not gzip", "damaged or cut off"),
        (gzip.compress(bytes(2_000_000)), "unpacks to more than 1 MB"),
    ],
)
def test_bad_gzip_files_leave_nothing(tmp_path, body, match) -> None:
    (tmp_path / "a.gz").write_bytes(body)
    with pytest.raises(SourceError, match=match):
        download.gunzip(tmp_path / "a.gz", tmp_path / "out" / "a", max_bytes=1_000_000)
    assert list((tmp_path / "out").iterdir()) == []


def test_zip_archives_are_unpacked(tmp_path) -> None:
    packed = tmp_path / "a.zip"
    packed.write_bytes(archive(("a.hgt", BODY), ("sub/b.txt", b"b"), ("sub/c.txt", b"c")))
    files = download.unzip(packed, tmp_path / "out", only=lambda name: "c" not in name)
    assert [f.relative_to(tmp_path / "out").as_posix() for f in files] == ["a.hgt", "sub/b.txt"]
    assert files[0].read_bytes() == BODY


def lying(body: bytes, size: int) -> bytes:
    """Return an archive whose directory says another size than what unpacks."""
    real = len(body).to_bytes(4, "little")
    return archive(("a", body)).replace(real, size.to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (archive(("../a", b"a")), r"\.\./a, which lies outside"),
        (archive(("x/../../a", b"a")), "lies outside"),
        (archive(("/etc/a", b"a")), "lies outside"),
        (archive(("C:\\a", b"a")), "lies outside"),
        (archive(("a", bytes(2_000_000))), "more than 1 MB"),
        (archive(("a", bytes(700_000)), ("b", bytes(700_000))), "more than 1 MB"),
        (archive(*((f"{k}", b"") for k in range(6))), "more than 1 MB"),
        (b"PK\x03\x04 nothing", "damaged or cut off"),
        (archive(("a", os.urandom(5000)))[:2000], "damaged or cut off"),
        (lying(bytes(2_000_000), 1000), "damaged|more than"),
    ],
)
def test_bad_archives_are_refused(tmp_path, body, match) -> None:
    (tmp_path / "a.zip").write_bytes(body)
    with pytest.raises(SourceError, match=match):
        download.unzip(
            tmp_path / "a.zip", tmp_path / "in" / "out", max_bytes=1_000_000, max_files=5
        )
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and "out" not in p.parts]
    assert outside == [tmp_path / "a.zip"]


def test_a_password_is_said(tmp_path) -> None:
    body = bytearray(archive(("a", b"a" * 100)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(mark) + offset] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(body))
    with pytest.raises(SourceError, match="protected by a password"):
        download.unzip(tmp_path / "a.zip", tmp_path / "out")


# Addresses ------------------------------------------------------------------------------------


def test_addresses_can_be_changed_for_a_while_and_by_the_user(monkeypatch) -> None:
    before = dict(addresses.ADDRESSES)
    assert all(re.match(r"https://[\w.\-]+[\w/.\-]*\w$", url) for url in before.values())
    with addresses.using({"overpass": "http://127.0.0.1:1/api/"}):
        assert addresses.ADDRESSES["overpass"] == "http://127.0.0.1:1/api"
        with addresses.using({"new": "http://127.0.0.1:2"}):
            assert addresses.ADDRESSES["new"] == "http://127.0.0.1:2"
            assert len(addresses.ADDRESSES) == len(before) + 1
    assert dict(addresses.ADDRESSES) == before
    monkeypatch.setenv(
        "PHUSONG_ADDRESSES", "geofabrik=https://mirror.example/osm/ overpass=http://o"
    )
    assert addresses.ADDRESSES["geofabrik"] == "https://mirror.example/osm"
    assert addresses.ADDRESSES["overpass"] == "http://o"


def test_the_net_is_closed_to_tests() -> None:
    with contextlib.closing(requests.Session()) as session:
        session.trust_env = False
        with pytest.raises(OSError, match="must not connect to 192"):
            session.get("http://192.0.2.1/", timeout=1)
