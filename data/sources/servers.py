"""Ask servers over HTTP: patiently, politely, and with readable faults.

Nothing here ever shows, logs or keeps the query of an address: it may hold the
user's token.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
import urllib3.exceptions

from data.errors import InputError
from data.sources.source import Progress

VERSION = "0.1"

#: Who asks, so that those who run a server can tell us from others.
USER_AGENT = f"PhuSong/{VERSION} (mobile coverage planning; Python requests/{version('requests')})"

_T = TypeVar("_T")

#: Answers after which another try may help.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MISSING = frozenset({403, 404, 410})

_SECRET = re.compile(r"(?i)((?:token|key|apikey|api_key|access_token|password)=)[^&\s\"']+")


@dataclass(frozen=True)
class Settings:
    """How patiently servers are asked.

    Parameters
    ----------
    connect_timeout_s, read_timeout_s
        Without an answer or a byte for longer than this, a connection counts as broken. [s]
    attempts
        Tries without any progress before giving up.
    first_wait_s
        Before the second try; it doubles each time. [s]
    longest_wait_s
        Where a server asks to wait longer than this, we give up at once. [s]
    slowest_bytes_s
        A connection that is slower over `read_timeout_s` counts as broken. [bytes/s]
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    slowest_bytes_s: float = 100.0


_settings: list[Settings] = [Settings()]


def settings() -> Settings:
    """Return the settings in force."""
    return _settings[-1]


@contextmanager
def using(**changes: Any) -> Iterator[None]:
    """Ask with other settings for a while, in all threads.

    Parameters
    ----------
    **changes
        Fields of `Settings`.
    """
    changed = replace(settings(), **changes)
    _settings.append(changed)
    try:
        yield
    finally:
        _settings.remove(changed)


_offline: ContextVar[bool] = ContextVar("offline", default=False)


@contextmanager
def offline(active: bool = True) -> Iterator[None]:
    """Use only what lies in the cache, of whatever age; ask no server.

    Parameters
    ----------
    active
        False changes nothing, so that a user's choice can be handed on.
    """
    token = _offline.set(active or _offline.get())
    try:
        yield
    finally:
        _offline.reset(token)


def is_offline() -> bool:
    """Whether no server may be asked."""
    return _offline.get()


class SourceError(InputError):
    """A source did not give what was asked for.

    Parameters
    ----------
    template
        English text with ``{field}`` marks.
    **values
        The fields of the template; `status` is that of the server's answer.

    Attributes
    ----------
    status
        Status of the server's answer, None where there was none.
    """

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template, **values)
        status = values.get("status")
        self.status = status if isinstance(status, int) else None


class MissingError(SourceError):
    """The server has no such file, or does not give it to us (404, 410, 403)."""


class OfflineError(SourceError):
    """The server cannot be reached, or must not be asked."""


@dataclass(frozen=True)
class Description:
    """What a server says of a file.

    Parameters
    ----------
    size_bytes
        Size, None where it does not say.
    ranges
        Whether parts of it can be asked for.
    etag, last_modified
        By which a changed file is known; empty where it does not say.
    """

    size_bytes: int | None
    ranges: bool
    etag: str
    last_modified: str


def describe(
    url: str, *, source: str = "", on_progress: Progress = lambda _share: None
) -> Description:
    """Ask what a file is, without carrying it.

    Parameters
    ----------
    url
        Address; its query is never shown.
    source
        Name of the source, for messages.
    on_progress
        Called while waiting.

    Returns
    -------
    Description
        What the answer to HEAD says, or to a request for one byte where the
        server does not answer HEAD or leaves the size out.

    Raises
    ------
    MissingError
        If the server has no such file.
    OfflineError
        If the server cannot be reached.
    SourceError
        If it gives no sensible answer after several tries.
    """
    name = source or _server(url)
    if is_offline():
        raise OfflineError(
            "{source}: {server} may not be asked (--offline)", source=name, server=_server(url)
        )
    plain = {"Accept-Encoding": "identity"}

    def attempt() -> Description:
        with sent("HEAD", url, plain, None, name) as answer:
            size = whole_number(answer.headers.get("Content-Length"))
            says = answer.headers.get("Accept-Ranges", "")
            # Some servers give parts of files without saying so: the next question tells.
            if answer.status_code == 200 and size is not None and says:
                return _description(answer, size, says == "bytes")
            if answer.status_code in _PASSING or answer.status_code in {404, 410}:
                refuse(answer, url, name)
        with sent("GET", url, {**plain, "Range": "bytes=0-0"}, None, name) as answer:
            if answer.status_code == 206:
                return _description(answer, _total_of_range(answer), True)
            if answer.status_code == 416:  # an empty file has no first byte
                return _description(answer, _total_of_range(answer), True)
            if answer.status_code == 200:
                size = whole_number(answer.headers.get("Content-Length"))
                return _description(answer, size, False)
            refuse(answer, url, name)

    return persist(attempt, on_progress)


def size_of(url: str, *, source: str = "") -> int | None:
    """Ask for the size of a file, without carrying it.

    Parameters
    ----------
    url
        Address; its query is never shown.
    source
        Name of the source, for messages.

    Returns
    -------
    int or None
        Bytes; None where the server does not say.

    Raises
    ------
    MissingError, OfflineError, SourceError
        As `describe`.
    """
    return describe(url, source=source).size_bytes


class Again(Exception):  # noqa: N818 - no error, but a request for another try
    """Another try may help."""

    def __init__(
        self,
        error: SourceError,
        *,
        wait_s: float | None = None,
        moved: bool = False,
        most: int | None = None,
    ) -> None:
        super().__init__()
        self.error = error
        self.wait_s = wait_s
        self.moved = moved
        self.most = most


def persist(attempt: Callable[[], _T], on_wait: Progress) -> _T:
    """Try until it succeeds, or until there is no hope."""
    patience = settings()
    failures = 0
    while True:
        try:
            return attempt()
        except Again as again:
            failures = 1 if again.moved else failures + 1
            if failures >= min(patience.attempts, again.most or patience.attempts):
                raise again.error from None
            wait_s = min(patience.first_wait_s * 2 ** (failures - 1), patience.longest_wait_s)
            # Many who were cut off at the same moment must not come back at the same moment.
            wait_s *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
            if again.wait_s is not None:
                if again.wait_s > patience.longest_wait_s:
                    raise again.error from None
                wait_s = max(wait_s, again.wait_s)
        _wait(wait_s, on_wait)


def _wait(seconds: float, on_wait: Progress) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_wait(0.0)
        time.sleep(min(left, 0.25))


def error_in(document: object) -> str:
    """Return what a JSON answer says of a fault, or an empty text."""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    failed = str(document.get("status", "")).lower() in ("error", "fail", "failed")
    if not failed and document.get("success") is not False and not error:
        return ""
    if document.keys() & {"features", "elements", "type"} and not failed:
        return ""
    for found in (document.get("message"), document.get("detail"), error):
        if isinstance(found, dict):
            found = found.get("message") or found.get("detail")
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300]
    return "error"


def said_in(body: bytes, url: str) -> str:
    """Return the message of a JSON body, or an empty text."""
    try:
        return hidden(error_in(json.loads(body)), url)
    except ValueError:
        return ""


def body_of(data: Mapping[str, str] | bytes | None) -> bytes | None:
    """Return the body of a request, a form as a browser sends it."""
    if data is None or isinstance(data, bytes):
        return data
    return urlencode(data).encode()


@contextmanager
def sent(
    method: str,
    url: str,
    headers: Mapping[str, str],
    data: Mapping[str, str] | bytes | None,
    source: str,
) -> Iterator[requests.Response]:
    """Send a request; faults of the connection come out as `Again` or `SourceError`."""
    patience = settings()
    body = body_of(data)
    merged = {"User-Agent": USER_AGENT, **headers}
    if isinstance(data, Mapping):
        merged.setdefault("Content-Type", "application/x-www-form-urlencoded")
    # What requests raises carries the address with its query: it must not go on as a cause.
    try:
        answer = requests.request(
            method,
            url,
            headers=merged,
            data=body,
            stream=True,
            allow_redirects=True,
            timeout=(patience.connect_timeout_s, patience.read_timeout_s),
        )
    except requests.exceptions.SSLError:
        raise OfflineError(
            "{source}: the certificate of {server} is not trusted; check the clock of this "
            "computer and the network",
            source=source,
            server=_server(url),
        ) from None
    except requests.exceptions.ReadTimeout:
        raise Again(silent(url, source)) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        if _unreachable(error):
            raise Again(_unreached(url, source), most=2) from None
        raise Again(broken(url, source)) from None
    except requests.exceptions.ChunkedEncodingError:
        raise Again(broken(url, source)) from None
    except (requests.exceptions.RequestException, ValueError):
        raise SourceError(
            "{source}: {address} is no address that can be asked",
            source=source,
            address=shown(url),
        ) from None
    try:
        yield answer
    finally:
        answer.close()


def _unreachable(error: Exception) -> bool:
    """Whether no connection was made at all: no such name, nobody there, no way there."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def refuse(answer: requests.Response, url: str, source: str) -> NoReturn:
    """Raise what an answer without data means."""
    status = answer.status_code
    values = {"source": source, "address": shown(url), "status": status}
    said = ""
    with suppress(urllib3.exceptions.HTTPError, OSError):
        said = said_in(answer.raw.read(4096, decode_content=True) or b"", url)
    if said:
        values["said"] = said
    if status in _PASSING:
        wait_s = _seconds(answer.headers.get("Retry-After"))
        if status == 429 or (wait_s is not None and wait_s > settings().longest_wait_s):
            error = SourceError(
                "{source}: {address} wants fewer requests (status {status}); try again in {wait} s",
                wait=round(wait_s or settings().longest_wait_s),
                **values,
            )
        else:
            error = SourceError(
                "{source}: {address} has a fault of its own (status {status}); try again later",
                **values,
            )
        raise Again(error, wait_s=wait_s)
    if status in _MISSING and not said:
        raise MissingError("{source}: there is no file {address} (status {status})", **values)
    if status in _MISSING:
        raise MissingError("{source}: {address} says: {said} (status {status})", **values)
    if said:
        raise SourceError("{source}: {address} says: {said} (status {status})", **values)
    raise SourceError("{source}: {address} refuses the request (status {status})", **values)


def _unreached(url: str, source: str) -> OfflineError:
    return OfflineError(
        "{source}: {server} cannot be reached; check the connection to the internet, give files "
        "of your own, or use --offline with what is in the cache",
        source=source,
        server=_server(url),
    )


def silent(url: str, source: str) -> SourceError:
    """Return the fault of a server that takes too long."""
    return SourceError(
        "{source}: {server} does not answer within {seconds} s; try again later",
        source=source,
        server=_server(url),
        seconds=f"{settings().read_timeout_s:g}",
    )


def broken(url: str, source: str) -> SourceError:
    """Return the fault of a connection that breaks off."""
    return SourceError(
        "{source}: the connection to {server} broke off again and again; what is here already is "
        "kept, so try again later",
        source=source,
        server=_server(url),
    )


def _server(url: str) -> str:
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"


def shown(url: str) -> str:
    """Return an address as it may be shown: without user, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "?"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def hidden(text: str, url: str) -> str:
    """Take out of a server's words what the query of the address holds."""
    for _, value in parse_qsl(urlsplit(url).query):
        if len(value) >= 6:
            text = text.replace(value, "***")
    return _SECRET.sub(r"\1***", text)


class _HideSecrets(logging.Filter):
    """Keep tokens out of the log of urllib3, which shows whole addresses at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        hidden = _SECRET.sub(r"\1***", text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideSecrets())


def whole_number(text: str | None) -> int | None:
    """Return the number in a header, or None."""
    return int(text) if text is not None and text.strip().isdecimal() else None


def _total_of_range(answer: requests.Response) -> int | None:
    return whole_number(answer.headers.get("Content-Range", "").rpartition("/")[2])


def first_of_range(answer: requests.Response) -> int | None:
    """Return which byte of the file an answer begins with, or None where it does not say."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _description(answer: requests.Response, size: int | None, ranges: bool) -> Description:
    return Description(
        size, ranges, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return for how long a server asks to wait: a number of seconds or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


def now() -> str:
    """Return the time; ISO 8601, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
