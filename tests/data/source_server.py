"""A local server that behaves like those of the open sources, well or badly.

The fixture `source_server` is known to all tests of this folder (see
`conftest.py`). A test of a source points the addresses to it::

    def test_x(source_server):
        source_server.put("/N20/N20E105.hgt.gz", body)
        source_server.fail("/N20/N20E105.hgt.gz", 429, retry_after="1")
        with addresses.using({"srtm_1": source_server.url}):
            ...
        assert source_server.requests[-1].headers["Range"] == "bytes=100-"

The cache of downloads of such a test is a folder of its own, and waiting times
between tries are short.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data.sources import download

HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Hotel</body></html>\n"


@dataclass
class Asked:
    """A request that came in, and how many bytes of the body were sent back."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 0
    sent_bytes: int = 0


@dataclass(frozen=True)
class _File:
    body: bytes
    content_type: str
    etag: str
    last_modified: str
    ranges: bool
    head: bool
    announce: bool
    headers: Mapping[str, str]


@dataclass
class _Fault:
    what: int | str
    times: int
    retry_after: str
    after_bytes: int
    delay_s: float
    body: bytes
    content_type: str
    methods: tuple[str, ...]


@dataclass
class SourceServer:
    """What the server has, what is to go wrong, and what it was asked."""

    requests: list[Asked] = field(default_factory=list)
    _files: dict[str, _File] = field(default_factory=dict)
    _answers: dict[str, Callable[[Asked], bytes | tuple[int, bytes]]] = field(default_factory=dict)
    _faults: dict[str, list[_Fault]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer | None = None
    url: str = ""

    def put(
        self,
        path: str,
        body: bytes,
        content_type: str = "application/octet-stream",
        *,
        etag: str | None = None,
        last_modified: str = "",
        ranges: bool = True,
        head: bool = True,
        announce: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Serve bytes, for GET and POST, and return their address.

        `path` may hold a query; without one, it answers every query. `etag`
        None makes one from the bytes, an empty one sends none. `ranges` False
        ignores Range, and says so, `head` False refuses HEAD (405), `announce` False says
        no length.
        """
        mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if etag is None else etag
        self._files[path] = _File(
            body, content_type, mark, last_modified, ranges, head, announce, dict(headers or {})
        )
        return self.url + path

    def answer(self, path: str, function: Callable[[Asked], bytes | tuple[int, bytes]]) -> str:
        """Serve what a function makes of each request (body, or status and body), as JSON."""
        self._answers[path] = function
        return self.url + path

    def remove(self, path: str) -> None:
        """Serve it no more: 404."""
        self._files.pop(path, None)
        self._answers.pop(path, None)

    def fail(
        self,
        path: str,
        what: int | str,
        times: int = 1,
        *,
        retry_after: str = "",
        after_bytes: int = -1,
        delay_s: float = 1.0,
        body: bytes = b"",
        content_type: str = "text/plain",
        methods: tuple[str, ...] = ("GET", "POST", "HEAD"),
    ) -> None:
        """Let the next requests for a path go wrong.

        Parameters
        ----------
        path
            As given to `put`, or any other.
        what
            A status, such as 429; ``"slow"``: the answer begins after `delay_s`;
            ``"stall"``: it stops for `delay_s` after `after_bytes`; ``"trickle"``: 20
            bytes come one by one, `delay_s` apart; ``"cut"``: the
            connection breaks after `after_bytes` (half of them, if it is not
            given); ``"short"``: the body ends there as if it were whole, without a
            length announced; ``"html"``: a web page, with status 200;
            ``"drop"``: the connection breaks without an answer; ``"json"``:
            `body` as JSON with status 200.
        times
            For so many requests.
        retry_after
            Header of this name.
        body, content_type
            Of an answer with a status.
        methods
            Only for requests of these.
        """
        fault = _Fault(what, times, retry_after, after_bytes, delay_s, body, content_type, methods)
        self._faults.setdefault(path, []).append(fault)

    def asked(self, path: str, method: str = "GET") -> list[Asked]:
        """Return the requests for a path (without its query)."""
        return [a for a in self.requests if a.path.partition("?")[0] == path and a.method == method]

    def sent_bytes(self, path: str = "") -> int:
        """Return how many bytes of bodies were sent."""
        return sum(a.sent_bytes for a in self.requests if a.path.startswith(path))

    def start(self) -> None:
        """Listen on a free port, or again on the port it had before."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        state = self

        class Handler(_Handler):
            owner = state

        self._server = _Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go down: connections are refused from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _found(self, path: str) -> tuple[str, _File | None]:
        plain = path.partition("?")[0]
        key = path if path in self._files else plain
        return key, self._files.get(key)

    def _next_fault(self, path: str, method: str) -> _Fault | None:
        with self._lock:
            for key in (path, path.partition("?")[0]):
                for fault in self._faults.get(key, []):
                    # HEAD has no body in which these could happen.
                    bodily = fault.what in ("cut", "short", "stall", "trickle")
                    if bodily and method == "HEAD":
                        continue
                    if fault.times > 0 and method in fault.methods:
                        fault.times -= 1
                        return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    owner: SourceServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - of the base class
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
        self.owner.requests.append(asked)
        fault = self.owner._next_fault(self.path, self.command)
        if fault is not None and fault.what == "drop":
            self._hang_up()
            return
        if fault is not None and fault.what == "slow":
            time.sleep(fault.delay_s)
        if fault is not None and isinstance(fault.what, int):
            extra = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self._reply(asked, fault.what, fault.body, fault.content_type, extra)
            return
        if fault is not None and fault.what == "html":
            self._reply(asked, 200, HTML, "text/html; charset=utf-8", {})
            return
        if fault is not None and fault.what == "json":
            self._reply(asked, 200, fault.body, "application/json", {})
            return
        key, file = self.owner._found(self.path)
        function = self.owner._answers.get(key)
        if function is not None:
            made = function(asked)
            status, body = made if isinstance(made, tuple) else (200, made)
            self._reply(asked, status, body, "application/json", {})
        elif file is None:
            self._reply(asked, 404, b"not found", "text/plain", {})
        elif self.command == "HEAD" and not file.head:
            self._reply(asked, 405, b"", "text/plain", {})
        else:
            self._file(asked, file, fault)

    def _file(self, asked: Asked, file: _File, fault: _Fault | None) -> None:
        marks = {"ETag": file.etag, "Last-Modified": file.last_modified}
        headers = {"Accept-Ranges": "bytes" if file.ranges else "none"} | marks
        headers = {k: v for k, v in (headers | dict(file.headers)).items() if v}
        if file.etag and self.headers.get("If-None-Match") == file.etag:
            self._reply(asked, 304, b"", file.content_type, headers)
            return
        if file.last_modified and self.headers.get("If-Modified-Since") == file.last_modified:
            self._reply(asked, 304, b"", file.content_type, headers)
            return
        status, body, size = 200, file.body, len(file.body)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in (None, file.etag, file.last_modified)
        if match and file.ranges and same:
            first = int(match[1])
            last = min(int(match[2]) if match[2] else size - 1, size - 1)
            if first >= size:
                headers["Content-Range"] = f"bytes */{size}"
                self._reply(asked, 416, b"", file.content_type, headers)
                return
            status, body = 206, file.body[first : last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._reply(asked, status, body, file.content_type, headers, file.announce, fault)

    def _reply(
        self,
        asked: Asked,
        status: int,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str],
        announce: bool = True,
        fault: _Fault | None = None,
    ) -> None:
        asked.status = status
        what = fault.what if fault is not None else ""
        close = not announce or what in ("cut", "short")
        self.send_response(status)
        if status != 304:
            self.send_header("Content-Type", content_type)
            if announce and what != "short":
                self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD" or status == 304:
            return
        stop = len(body)
        if what == "trickle" and fault is not None:
            for k in range(20):
                self.wfile.write(body[k : k + 1])
                time.sleep(fault.delay_s)
            self._hang_up()
            return
        if fault is not None and what in ("cut", "short", "stall"):
            stop = len(body) // 2 if fault.after_bytes < 0 else min(stop, fault.after_bytes)
        self.wfile.write(body[:stop])
        asked.sent_bytes += stop
        if what == "stall" and fault is not None:
            self.wfile.flush()
            time.sleep(fault.delay_s)
            self.wfile.write(body[stop:])
            asked.sent_bytes += len(body) - stop
        if what == "cut":
            self.wfile.flush()
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def source_server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SourceServer]:
    """Give a server of one's own, an empty cache of downloads and little patience."""
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path_factory.mktemp("downloads")))
    server = SourceServer()
    server.start()
    quick = {
        "connect_timeout_s": 2.0,
        "read_timeout_s": 5.0,
        "attempts": 3,
        "first_wait_s": 0.01,
        "longest_wait_s": 2.0,
    }
    try:
        with download.using(**quick):
            yield server
    finally:
        server.stop()


@pytest.fixture
def download_cache(source_server: SourceServer) -> Path:
    """Return the cache of downloads of this test."""
    return download.cache_folder()


def live_wanted(config: pytest.Config) -> bool:
    """Whether tests were asked for that need the internet."""
    return "live" in (config.getoption("markexpr") or "").replace("not live", "")


@pytest.fixture(scope="module", autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test reach the internet by accident, unless the user asks for that: ``-m live``.

    GDAL's own HTTP does not pass through Python's sockets; a proxy that is not
    there keeps it at home.
    """
    if live_wanted(request.config):
        yield
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if host not in ("127.0.0.1", "::1", "localhost", "local"):
            raise OSError(f"a test must not connect to {host}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name.upper(), raising=False)
            patch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1,localhost")
        yield
