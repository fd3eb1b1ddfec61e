"""Read parts of large rasters over HTTP, and keep them.

Only the blocks under a place are carried, by GDAL's own HTTP. Each part is kept
in the cache of downloads as a file of its own, so that the next build carries
nothing again. Longitudes of a place run on beyond 180 where it crosses the
antimeridian; `split` gives the parts on both sides, and `mosaics` puts them side
by side.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
import rasterio.fill
from rasterio.windows import Window

from data.errors import InputError
from data.sources import download, servers
from data.sources.download_cache import Known, Slot, writable
from data.sources.file_kinds import PAGE
from data.sources.ingredients import sha256_of
from data.sources.source import Fetched, Item, Place, Progress

Bounds = tuple[float, float, float, float]

WGS84 = "EPSG:4326"

_STRIP_ROWS = 1024

_UNKNOWN = -99_999.0

#: How long it is believed that a server has no such file. [s]
_MISSING_FOR_S = 30 * 86_400.0


def silent(_share: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, eq=False)
class WindowItem(Item):
    """A part of a raster on a server.

    Parameters
    ----------
    bounds
        West, south, east, north in the longitudes of the raster. [degrees]
    shift_deg
        What has to be added to its longitudes to get those of the place: 0 or 360.
    resolution_deg
        The coarsest pixel that will do; 0 asks for all there is. [degrees]
    """

    bounds: Bounds = (0.0, 0.0, 0.0, 0.0)
    shift_deg: float = 0.0
    resolution_deg: float = 0.0


def split(bounds: Bounds) -> list[tuple[Bounds, float]]:
    """Part bounds at the antimeridian.

    Parameters
    ----------
    bounds
        West, south, east, north; east may exceed 180. [degrees]

    Returns
    -------
    list
        Bounds within -180..180, each with what has to be added to its longitudes
        to get those of `bounds`.

    Examples
    --------
    >>> split((179.5, -17.0, 180.5, -16.0))
    [((179.5, -17.0, 180.0, -16.0), 0.0), ((-180.0, -17.0, -179.5, -16.0), 360.0)]
    """
    west, south, east, north = bounds
    if east <= 180.0:
        return [(bounds, 0.0)]
    if west >= 180.0:
        return [((west - 360.0, south, east - 360.0, north), 360.0)]
    return [
        ((west, south, 180.0, north), 0.0),
        ((-180.0, south, east - 360.0, north), 360.0),
    ]


def tiles(bounds: Bounds, size_deg: int) -> Iterator[tuple[int, int, Bounds, float]]:
    """Yield the tiles under bounds.

    Parameters
    ----------
    bounds
        West, south, east, north; east may exceed 180. [degrees]
    size_deg
        Width and height of a tile, whose corners are multiples of it. [degrees]

    Yields
    ------
    tuple
        Longitude and latitude of the south-west corner (-180..179, -90..89), the part
        of the bounds in the tile, and the shift of `split`.
    """
    for (west, south, east, north), shift_deg in split(bounds):
        for lat in _corners(max(south, -90.0), min(north, 90.0), size_deg):
            for lon in _corners(west, east, size_deg):
                inside = (
                    max(west, lon),
                    max(south, lat),
                    min(east, lon + size_deg),
                    min(north, lat + size_deg),
                )
                yield lon, lat, inside, shift_deg


def _corners(low: float, high: float, size: int) -> range:
    first = math.floor(low / size) * size
    return range(first, max(first + size, math.ceil(high / size) * size), size)


def corner_name(lon: int, lat: int) -> str:
    """Return how files are named by their south-west corner.

    Parameters
    ----------
    lon, lat
        The corner. [degrees]

    Returns
    -------
    str
        Latitude, then longitude.

    Examples
    --------
    >>> corner_name(-1, -9), corner_name(105, 20)
    ('S09W001', 'N20E105')
    """
    return f"{'S' if lat < 0 else 'N'}{abs(lat):02d}{'W' if lon < 0 else 'E'}{abs(lon):03d}"


def window_key(stem: str, bounds: Bounds, level: str = "") -> str:
    """Return the name of a part of a file.

    Parameters
    ----------
    stem
        Name of the whole file, without a suffix.
    bounds
        The part. [degrees]
    level
        Which resolution, if it is not the full one.

    Returns
    -------
    str
        Usable as a file name; other bounds have another name.
    """
    text = "_".join(f"{value:.4f}" for value in bounds)
    mark = hashlib.sha256(repr((bounds, level)).encode()).hexdigest()[:8]
    return f"{stem}_{text}{level}_{mark}.tif"


# ---------------------------------------------------------------------------------------------
# Over HTTP


def share_of(on_progress: Progress, number: int, count: int) -> Progress:
    """Return the progress of one of several pieces of work of the same size.

    Parameters
    ----------
    on_progress
        Of all of them.
    number, count
        Which one, from 0, and how many.

    Returns
    -------
    callable
        For the piece.
    """

    def on_piece(share: float) -> None:
        on_progress((number + share) / count)

    return on_piece


def own(items: Sequence[Item]) -> list[WindowItem]:
    """Return the items of a source of parts.

    Parameters
    ----------
    items
        From its `find`.

    Returns
    -------
    list of WindowItem
        The same.
    """
    return [item for item in items if isinstance(item, WindowItem)]


def is_missing(item: Item) -> bool:
    """Whether the server lately had no such file.

    Parameters
    ----------
    item
        Of the whole file.

    Returns
    -------
    bool
        What `note_missing` kept; offline, of whatever age.
    """
    known = Slot.of(_absence(item), None).known()
    if known is None:
        return False
    return download.is_offline() or 0 <= time.time() - known.checked_at <= _MISSING_FOR_S


def note_missing(item: Item) -> None:
    """Keep that the server has no such file.

    Parameters
    ----------
    item
        Of the whole file.
    """
    Slot.of(_absence(item), None).note(Known(item.url, checked_at=time.time()))


def _absence(item: Item) -> Item:
    return Item(item.source, f"{item.url.rpartition('/')[2]}.missing", item.url)


def estimate(item: WindowItem) -> WindowItem:
    """Return a part with the bytes that will have to be carried for it.

    Parameters
    ----------
    item
        The part.

    Returns
    -------
    WindowItem
        With the size of the file where the server gives no parts of it
        (`windowed` is then False), otherwise with the share of the blocks under
        the part; for a part in the cache, with the size that it has there.

    Raises
    ------
    MissingError, OfflineError, SourceError
        As `download.describe`.
    """
    have = download.cached(item)
    if have is not None:
        return replace(item, size_bytes=have.path.stat().st_size)
    about = download.describe(item.url, source=item.source)
    if not about.ranges or about.size_bytes is None:
        return replace(item, size_bytes=about.size_bytes, windowed=False)
    with _remote(item) as (dataset, window, pixels):
        if window is None:
            return replace(item, size_bytes=0)
        height, width = dataset.block_shapes[0]
        columns = _blocks(window.col_off, window.width, width)
        rows = _blocks(window.row_off, window.height, height)
        blocks = math.ceil(dataset.width / width) * math.ceil(dataset.height / height)
        share = columns * rows / blocks
        share *= dataset.width * dataset.height / pixels
    return replace(item, size_bytes=round(about.size_bytes * share))


def size_up(items: Sequence[Item], *, sea: bool = True) -> list[Item]:
    """Return the parts with their sizes.

    Parameters
    ----------
    items
        Parts.
    sea
        Whether a file that the server does not have means that there is only sea: its
        size is then 0.

    Returns
    -------
    list of Item
        The same, as `estimate` gives them.
    """
    sized: list[Item] = []
    for item in own(items):
        if sea and is_missing(item):
            sized.append(replace(item, size_bytes=0))
            continue
        try:
            sized.append(estimate(item))
        except download.MissingError:
            if not sea:
                raise
            note_missing(item)
            sized.append(replace(item, size_bytes=0))
    return sized


def fetch(
    items: Sequence[Item], *, sea: bool = True, on_progress: Progress = silent
) -> list[Fetched]:
    """Bring parts here, or find them in the cache.

    Parameters
    ----------
    items
        Parts.
    sea
        Whether a file that the server does not have means that there is only sea: it is
        then left out.
    on_progress
        Called with the share done.

    Returns
    -------
    list of Fetched
        Those that there are.
    """
    fetched = []
    for number, item in enumerate(own(items)):
        if not (sea and is_missing(item)):
            try:
                got = carry(item, on_progress=share_of(on_progress, number, len(items)))
            except download.MissingError:
                if not sea:
                    raise
                note_missing(item)
            else:
                if got is not None:
                    fetched.append(got)
        on_progress((number + 1) / len(items))
    return fetched


def nothing(title: str, place: Place) -> InputError:
    """Return the error of a source that has no tile at all over a place.

    Parameters
    ----------
    title
        Of the source.
    place
        Where.

    Returns
    -------
    InputError
        To be raised: that all of a place is sea is less likely than a fault.
    """
    return InputError(
        "{source} has no tile over {place}: either all of it is sea, or the server refuses to "
        "give the tiles; check the bounds {bounds}, or give a file of your own",
        source=title,
        place=place.name,
        bounds=", ".join(f"{value:g}" for value in place.bounds),
    )


def _blocks(start: int, count: int, size: int) -> int:
    return (start + count - 1) // size - start // size + 1


def carry(item: WindowItem, *, on_progress: Progress = silent) -> Fetched | None:
    """Bring a part of a raster here, or find it in the cache.

    Parameters
    ----------
    item
        The part. Where the server gives no parts, the whole file is carried.
    on_progress
        Called with the share done; may raise to cancel.

    Returns
    -------
    Fetched or None
        A GeoTIFF of the same values, in the longitudes of the raster; None if the
        raster does not reach there.

    Raises
    ------
    MissingError
        If the server has no such file.
    OfflineError
        If it cannot be reached, or must not be asked.
    SourceError
        If it sent something else, or broke off several times.
    """
    slot = Slot.of(item, None)
    have = slot.fetched()
    if have is not None:
        on_progress(1.0)
        return have
    name = item.url.rpartition("/")[2]
    whole = Item(item.source, name, item.url, licence=item.licence, vintage=item.vintage)
    if download.is_offline():
        kept = download.cached(whole)
        if kept is not None:
            return replace(kept, item=item)
        raise download.OfflineError(
            "{source}: {file} is not in the cache, and no server may be asked (--offline); run "
            "once without --offline, or give a file of your own",
            source=item.source,
            file=item.key,
        )
    about = download.describe(item.url, source=item.source, on_progress=on_progress)
    if not about.ranges:
        got = download.fetch(whole, kind=download.Kind.GEOTIFF, on_progress=on_progress)
        return replace(got, item=item)
    with slot.locked(on_progress):
        have = slot.fetched()  # another process may have brought it in the meantime
        if have is not None:
            on_progress(1.0)
            return have
        # A strip of an earlier run cannot be told from one that was never written.
        slot.discard()
        if not _copied(item, slot.part, on_progress):
            slot.discard()
            return None
        with writable(slot.folder):
            digest = sha256_of(slot.part)
        known = Known(
            item.url,
            etag=about.etag,
            retrieved_at=servers.now(),
            checked_at=time.time(),
            sha256=digest,
        )
        return slot.finish(known)


def _copied(item: WindowItem, target: Path, on_progress: Progress) -> bool:
    """Copy a part, strip by strip; a strip that breaks is asked for again."""
    done, share, moved = 0, 0.0, False

    def attempt() -> bool:
        nonlocal done, share, moved
        moved = False
        try:
            with _remote(item) as (dataset, window, _):
                if window is None:
                    return False
                if not done:
                    with _written(target):
                        rasterio.open(target, "w", **_profile(dataset, window)).close()
                step = max(dataset.block_shapes[0][0], 256)
                while done < window.height:
                    # Strips end where blocks of the source end: none is carried twice.
                    row = window.row_off + done
                    count = min(step - row % step, window.height - done)
                    part = Window(window.col_off, row, window.width, count)
                    values = dataset.read(1, window=part)
                    with _written(target), rasterio.open(target, "r+") as out:
                        out.write(values, 1, window=Window(0, done, window.width, count))
                    done += count
                    moved, share = True, done / window.height
                    on_progress(share)
        except rasterio.errors.RasterioError:
            raise servers.Again(servers.broken(item.url, item.source), moved=moved) from None
        return True

    return servers.persist(attempt, lambda _share: on_progress(share))


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Tell a fault of the disk from one of the connection."""
    with writable(path.parent):
        try:
            yield
        except rasterio.errors.RasterioError as error:
            raise OSError(None, str(error)) from error


def _profile(dataset: Any, window: Window) -> dict[str, Any]:
    floating = np.issubdtype(np.dtype(dataset.dtypes[0]), np.floating)
    return {
        "driver": "GTiff",
        "width": window.width,
        "height": window.height,
        "count": 1,
        "dtype": dataset.dtypes[0],
        "crs": dataset.crs or WGS84,
        "transform": dataset.window_transform(window),
        "nodata": dataset.nodata,
        "compress": "deflate",
        "predictor": 3 if floating else 2,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "BIGTIFF": "IF_SAFER",
    }


@contextmanager
def _remote(item: WindowItem) -> Iterator[tuple[Any, Window | None, float]]:
    """Open the raster at the wanted resolution; with the part's window and all its pixels."""
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**_options(item.url)))
        try:
            dataset = stack.enter_context(rasterio.open(_vsi(item.url)))
            levels = [1, *dataset.overviews(1)]
            pixels = sum(dataset.width * dataset.height / level**2 for level in levels)
            level = _level(dataset, item.resolution_deg)
            if level is not None:
                dataset = stack.enter_context(rasterio.open(_vsi(item.url), overview_level=level))
        except rasterio.errors.RasterioIOError:
            _diagnose(item)
            raise
        yield dataset, window_over(dataset, item.bounds), pixels


def _level(dataset: Any, resolution_deg: float) -> int | None:
    """Return which overview is the coarsest that will do, or None for the raster itself."""
    found = None
    for level, factor in enumerate(dataset.overviews(1)):
        if dataset.transform.a * factor <= resolution_deg * (1 + 1e-6):
            found = level
    return found


def _diagnose(item: Item) -> None:
    """Raise what is wrong with a file that GDAL cannot open, if a look at it tells."""

    def attempt() -> bytes:
        headers = {"Range": "bytes=0-511", "Accept-Encoding": "identity"}
        with servers.sent("GET", item.url, headers, None, item.source) as answer:
            if answer.status_code not in (200, 206):
                servers.refuse(answer, item.url, item.source)
            return answer.raw.read(512) or b""

    start = servers.persist(attempt, silent)
    if start.startswith((b"II", b"MM")):
        return
    values = {"source": item.source, "address": servers.shown(item.url)}
    if PAGE.match(start):
        raise download.SourceError(
            "{source}: {address} sent a web page instead of {expected}; the address may have "
            "moved, or the network asks to sign in first",
            expected=download.Kind.GEOTIFF.said,
            **values,
        )
    raise download.SourceError(
        "{source}: {address} is no GeoTIFF that can be read in parts", **values
    )


def window_over(dataset: Any, bounds: Bounds) -> Window | None:
    """Return the whole pixels under bounds, with one more on each side, cut at the edges.

    Parameters
    ----------
    dataset
        Open raster, north up.
    bounds
        West, south, east, north. [degrees]

    Returns
    -------
    Window or None
        None if the raster does not reach there.
    """
    transform = dataset.transform
    west, south, east, north = bounds
    tiny = 1e-6
    column_0 = math.floor((west - transform.c) / transform.a + tiny) - 1
    column_1 = math.ceil((east - transform.c) / transform.a - tiny) + 1
    row_0 = math.floor((north - transform.f) / transform.e + tiny) - 1
    row_1 = math.ceil((south - transform.f) / transform.e - tiny) + 1
    column_0, column_1 = max(column_0, 0), min(column_1, dataset.width)
    row_0, row_1 = max(row_0, 0), min(row_1, dataset.height)
    if column_0 >= column_1 or row_0 >= row_1:
        return None
    return Window(column_0, row_0, column_1 - column_0, row_1 - row_0)


def _vsi(url: str) -> str:
    return f"/vsicurl/{url}"


def _options(url: str) -> dict[str, Any]:
    """Return how GDAL shall ask: as patiently as `download` does, and only for what is needed."""
    patience = download.settings()
    return {
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, math.ceil(patience.connect_timeout_s)),
        "GDAL_HTTP_LOW_SPEED_TIME": max(1, math.ceil(patience.read_timeout_s)),
        "GDAL_HTTP_LOW_SPEED_LIMIT": max(1, round(patience.slowest_bytes_s)),
        "GDAL_HTTP_MAX_RETRY": min(2, patience.attempts - 1),
        "GDAL_HTTP_RETRY_DELAY": patience.first_wait_s,
        "GDAL_HTTP_RETRY_CODES": "429,500,502,503,504",
        "GDAL_HTTP_USERAGENT": download.USER_AGENT,
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        # No directory is listed and no .ovr or .aux.xml looked for.
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        # A fault must not be remembered by GDAL for the rest of the session.
        "CPL_VSIL_CURL_NON_CACHED": _vsi(url),
        "GDAL_INGESTED_BYTES_AT_OPEN": 32_768,
    }
