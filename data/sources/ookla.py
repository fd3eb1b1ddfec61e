"""Ookla open data: speed tests of fixed and mobile networks, averaged over tiles.

One Parquet file for each quarter and kind of network covers the world: some hundreds
of MB. Only its directory and the row groups that may lie over the place are carried,
and of these only the columns that are used; how much that is depends on how the file
is sorted, and `Ookla.size_up` says it from the file's own directory. The tiles are
those of web maps at zoom 16, named by their quadkey, about 610 m wide at the equator.

A tile with few tests says little, and people test when something is wrong: it is
experience, not coverage. The licence forbids commercial use.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import shapely
import urllib3.exceptions
from numpy.typing import NDArray

from data.area import Provenance
from data.errors import InputError, message
from data.sources import download, servers
from data.sources.addresses import ADDRESSES
from data.sources.download_cache import Known, Slot, writable
from data.sources.ingredients import VectorSource, sha256_of
from data.sources.source import Fetched, Item, Place, Progress, Reading

IntArray = NDArray[np.int64]
Bounds = tuple[float, float, float, float]

LICENCE = "CC BY-NC-SA 4.0 (non-commercial use only)"

NETWORKS = ("fixed", "mobile")

ZOOM = 16

#: Columns that are carried; the outline of a tile as text is not, its quadkey says it.
COLUMNS = ("quadkey", "avg_d_kbps", "avg_u_kbps", "avg_lat_ms", "tests", "devices")

#: Quarters that are asked for, from the present one backwards, before giving up.
_QUARTERS_BACK = 8

#: First quarter of the data.
_FIRST = (2019, 1)

_MAX_LAT_DEG = 85.0511

#: Quadkeys of a place are told by squares of this zoom at most, so that they stay few.
_SQUARE_ZOOM = 11


def _ignore(_share: float) -> None:
    """Do nothing."""


@dataclass(frozen=True, eq=False)
class TilesItem(Item):
    """The rows over a place of a file on the server.

    Parameters
    ----------
    bounds
        Of the place. [degrees]
    """

    bounds: Bounds = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Ookla:
    """Ookla open data as a source of the layer `speed_tests`.

    Parameters
    ----------
    networks
        "fixed", "mobile", or both.
    quarter
        E.g. ``"2024Q4"``; empty for the newest that there is.
    today
        Day from which the newest quarter is looked for; None for the present.
    """

    networks: tuple[str, ...] = NETWORKS
    quarter: str = ""
    today: dt.date | None = None
    name: str = "ookla"
    title: str = "Speedtest by Ookla, fixed and mobile performance tiles"
    gives: tuple[str, ...] = ("speed_tests",)
    licence: str = LICENCE

    def find(self, place: Place) -> list[Item]:
        """Return the newest quarter of each network that the server has.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of Item
            One for each network.

        Raises
        ------
        InputError
            If no quarter is found, or the server cannot be asked.
        """
        return [self._newest(network, place) for network in self.networks]

    def _newest(self, network: str, place: Place) -> Item:
        missing: download.SourceError | None = None
        for year, quarter in self._quarters():
            item = self._item(network, year, quarter, place)
            if download.cached(item) is not None:
                # What lies here is right where it is the newest, or nobody can be asked.
                if download.is_offline():
                    return item
            elif download.is_offline():
                continue
            try:
                about = servers.describe(item.url, source=self.name)
            except download.MissingError as error:
                missing = error
                continue
            return replace(item, windowed=about.ranges, size_bytes=about.size_bytes)
        if missing is None:  # no server was asked
            raise download.OfflineError(
                "{source}: {file} is not in the cache, and no server may be asked (--offline); "
                "run once without --offline, or give a file of your own",
                source=self.name,
                file=f"{network} {self.quarter}".strip(),
            )
        if self.quarter:
            raise missing
        raise InputError(
            "Ookla: none of the last {count} quarters of {network} tests is there; the address "
            "may have moved",
            count=_QUARTERS_BACK,
            network=network,
        )

    def _quarters(self) -> Iterator[tuple[int, int]]:
        if self.quarter:
            yield _parsed_quarter(self.quarter)
            return
        day = self.today or dt.datetime.now(dt.UTC).date()
        number = day.year * 4 + (day.month - 1) // 3
        for back in range(_QUARTERS_BACK):
            yield (number - back) // 4, (number - back) % 4 + 1

    def _item(self, network: str, year: int, quarter: int, place: Place) -> Item:
        name = f"{year}-{3 * quarter - 2:02d}-01_performance_{network}_tiles"
        mark = hashlib.sha256(repr(place.bounds).encode()).hexdigest()[:10]
        return TilesItem(
            self.name,
            f"{name}_{mark}.parquet",
            f"{ADDRESSES['ookla']}/parquet/performance/type={network}/year={year}/"
            f"quarter={quarter}/{name}.parquet",
            windowed=True,
            licence=self.licence,
            vintage=f"{year}Q{quarter}",
            bounds=place.bounds,
        )

    def size_up(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with the bytes that will be carried for them.

        Parameters
        ----------
        items
            From `find`.

        Returns
        -------
        list of Item
            By the directory of each file, which is carried for that: the columns that
            are used of the row groups that may lie over the place. Where the server
            gives no parts of files, the whole file.
        """
        sized = []
        for item in items:
            have = download.cached(item)
            if have is not None:
                sized.append(replace(item, size_bytes=have.path.stat().st_size))
            elif not (item.windowed and isinstance(item, TilesItem)):
                sized.append(item)
            else:
                with _remote(item) as (file, directory_bytes):
                    groups = _groups_over(file.metadata, item.bounds)
                    carried = sum(_group_bytes(file.metadata, group) for group in groups)
                sized.append(replace(item, size_bytes=carried + directory_bytes))
        return sized

    def fetch(
        self, items: Sequence[Item], place: Place, *, on_progress: Progress = _ignore
    ) -> list[Fetched]:
        """Bring the tiles over a place here.

        Parameters
        ----------
        items
            From `find`.
        place
            The place of `find`.
        on_progress
            Called with the share done.

        Returns
        -------
        list of Fetched
            Small Parquet files with the rows over the place.

        Raises
        ------
        InputError
            If the server cannot be reached, or sends something else.
        """
        fetched = []
        for number, item in enumerate(items):

            def step(share: float, number: int = number) -> None:
                on_progress((number + share) / len(items))

            fetched.append(_carry(item, place, step))
        return fetched

    def read(self, fetched: Sequence[Fetched], place: Place, folder: Path) -> Reading:
        """Read the tiles over a place.

        Parameters
        ----------
        fetched
            From `fetch`, or whole files of the user's own, whose names say network and
            quarter.
        place
            Where.
        folder
            Not used: nothing has to be made.

        Returns
        -------
        Reading
            Layer `speed_tests`; none where no test was made.
        """
        del folder
        frames, notes = [], []
        for one in fetched:
            frame, said = read_tiles(one.path, place, name=one.item.key)
            frames.append(frame)
            notes += said
        tiles = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs="EPSG:4326")
        if len(tiles) == 0:
            return Reading(notes=(*notes, f"Ookla has no speed test in {place.name}"))
        few = int((tiles["tests"] < 5).sum())
        notes.append(
            "The speed tests of Ookla may not be used commercially (CC BY-NC-SA 4.0): results "
            "that use them carry the same licence"
        )
        notes.append(
            f"{few} of {len(tiles)} tiles of speed tests have fewer than 5 tests and say little"
        )
        quarters = sorted(set(tiles["quarter"]))
        provenance = Provenance(
            source="Speedtest by Ookla Global Fixed and Mobile Network Performance Maps, "
            "https://github.com/teamookla/ookla-open-data",
            licence=self.licence,
            vintage=", ".join(quarters),
            url_or_file=", ".join(one.item.url for one in fetched),
            sha256=fetched[0].sha256 if len(fetched) == 1 else "",
            retrieved_at=max(one.retrieved_at for one in fetched),
            method="Averages of the tests of a quarter in tiles of web maps at zoom 16, as "
            "published; kbit/s divided by 1000; outlines made from the quadkeys. Tests with an "
            "accurate position only; people choose when and where they test. The SHA-256 is "
            "that of the rows over the place, not of the file of the world",
        )
        return Reading(layers={"speed_tests": VectorSource(tiles, provenance)}, notes=tuple(notes))


# ---------------------------------------------------------------------------------------------
# Tiles


def tile_of(lon: float, lat: float, zoom: int = ZOOM) -> tuple[int, int]:
    """Return the tile of web maps that holds a point.

    Parameters
    ----------
    lon, lat
        Longitude from -180 to 180 and latitude; beyond Web Mercator, its last row. [degrees]
    zoom
        Zoom level.

    Returns
    -------
    tuple of int
        Column from the west and row from the north.

    Examples
    --------
    >>> tile_of(105.9, 20.5)
    (52046, 28953)
    """
    size = 1 << zoom
    rad = np.radians(np.clip(lat, -_MAX_LAT_DEG, _MAX_LAT_DEG))
    column = int(np.floor((lon + 180.0) / 360.0 * size))
    row = int(np.floor((1.0 - np.arcsinh(np.tan(rad)) / np.pi) / 2.0 * size))
    return min(max(column, 0), size - 1), min(max(row, 0), size - 1)


def columns_and_rows(quadkeys: Sequence[str] | NDArray[np.str_]) -> tuple[IntArray, IntArray]:
    """Return the tiles of quadkeys of `ZOOM` digits.

    Parameters
    ----------
    quadkeys
        Digits 0 to 3, the first halving the world: 1 east, 2 south.

    Returns
    -------
    tuple of NDArray
        Column from the west and row from the north; -1 where it is no quadkey.
    """
    texts = np.asarray(quadkeys, dtype="S").astype(f"S{ZOOM + 1}")
    digits = np.frombuffer(texts.tobytes(), np.uint8).reshape(-1, ZOOM + 1).astype(np.int64)
    number = digits[:, :ZOOM] - ord("0")
    good = ((number >= 0) & (number <= 3)).all(axis=1) & (digits[:, ZOOM] == 0)
    power = 1 << np.arange(ZOOM - 1, -1, -1)
    column, row = (number & 1) @ power, (number >> 1 & 1) @ power
    return np.where(good, column, -1), np.where(good, row, -1)


def tile_polygons(column: IntArray, row: IntArray) -> NDArray[np.object_]:
    """Return the outlines of tiles.

    Parameters
    ----------
    column, row
        Of `ZOOM`.

    Returns
    -------
    NDArray of Polygon
        In WGS 84; their edges are straight in Web Mercator too.
    """
    size = 1 << ZOOM
    west, east = (edge / size * 360.0 - 180.0 for edge in (column, column + 1))
    north, south = (
        np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * edge / size)))) for edge in (row, row + 1)
    )
    return shapely.box(west, south, east, north)


def read_tiles(path: Path, place: Place, *, name: str = "") -> tuple[gpd.GeoDataFrame, list[str]]:
    """Read the tiles over a place from a file.

    Parameters
    ----------
    path
        Parquet file of Ookla, or the part of one.
    place
        Where.
    name
        Name of the file as published, which says network and quarter; None takes that
        of the path.

    Returns
    -------
    tuple
        Layer `speed_tests` in WGS 84, and notes.

    Raises
    ------
    InputError
        If the file is damaged, or is something else.
    """
    network, quarter = _said_by_name(name or path.name)
    with _parquet_errors(path.name), path.open("rb") as stream:
        table = _rows_over(pq.ParquetFile(stream), place, path.name)
    frame = table.to_pandas()
    column, row = columns_and_rows(frame["quadkey"].to_numpy(dtype=str))
    numbers = frame[[c for c in COLUMNS if c != "quadkey"]].apply(pd.to_numeric, errors="coerce")
    needed = numbers[["avg_d_kbps", "avg_u_kbps", "tests", "devices"]]
    bad = needed.isna().any(axis=1) | (needed < 0).any(axis=1) | (numbers["tests"] < 1)
    notes = []
    if bad.any():
        notes.append(f"{path.name}: {int(bad.sum())} tiles without usable figures left out")
    keep = ~bad.to_numpy()
    numbers = numbers[keep].reset_index(drop=True)
    quadkeys = frame["quadkey"].to_numpy(dtype=object)[keep]
    tiles = gpd.GeoDataFrame(
        {
            "tile_id": [f"{network}-{quarter}-{key}" for key in quadkeys],
            "network": network,
            "quarter": quarter,
            "avg_d_mbps": numbers["avg_d_kbps"] / 1000.0,
            "avg_u_mbps": numbers["avg_u_kbps"] / 1000.0,
            "avg_lat_ms": numbers["avg_lat_ms"].where(numbers["avg_lat_ms"] >= 0),
            "tests": numbers["tests"].astype(float),
            "devices": numbers["devices"].astype(float),
            "quadkey": quadkeys,
        },
        geometry=gpd.GeoSeries(list(tile_polygons(column[keep], row[keep])), crs="EPSG:4326"),
        crs="EPSG:4326",
    )
    return tiles.sort_values("tile_id", ignore_index=True), notes


def shares_below(
    tests: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    thresholds_mbps: Sequence[float],
    *,
    measure: str = "avg_d_mbps",
) -> pd.DataFrame:
    """Return which share of tests and of tiles is slower than given speeds, by zone.

    A tile counts with its average, wholly below a threshold or not at all; tests inside
    it may have been faster or slower. Where a border crosses a tile, its tests count
    for each zone by the share of the tile's area.

    Parameters
    ----------
    tests
        Layer `speed_tests`.
    zones
        Layer `zones`.
    thresholds_mbps
        Speeds; an average equal to one is not below it. [Mbit/s]
    measure
        ``"avg_d_mbps"`` (download) or ``"avg_u_mbps"`` (upload).

    Returns
    -------
    DataFrame
        Columns zone (code), network, quarter, threshold_mbps, tests, tiles (both as
        they count for the zone), mean_mbps (weighted by tests), share_of_tests and
        share_of_tiles (0 to 1); only zones with tests.
    """
    columns = ["zone", "network", "quarter", "threshold_mbps", "tests", "tiles", "mean_mbps"]
    columns += ["share_of_tests", "share_of_tiles"]
    near = tests.to_crs(zones.crs)
    shapes, areas = near.geometry.to_numpy(), zones.geometry.to_numpy()
    zone, tile = shapely.STRtree(shapes).query(areas, predicate="intersects")
    part = shapely.area(shapely.intersection(areas[zone], shapes[tile]))
    part = part / shapely.area(shapes[tile])
    pairs = pd.DataFrame(
        {
            "zone": zones["code"].to_numpy(dtype=object)[zone],
            "network": near["network"].to_numpy(dtype=object)[tile],
            "quarter": near["quarter"].to_numpy(dtype=object)[tile],
            "speed": near[measure].to_numpy(np.float64)[tile],
            "tiles": part,
            "tests": part * near["tests"].to_numpy(np.float64)[tile],
        }
    )
    # Zones that only touch a tile, and speeds that nobody knows, count for nothing.
    pairs = pairs[(pairs["tiles"] > 1e-9) & pairs["speed"].notna()]
    if pairs.empty or not thresholds_mbps:
        return pd.DataFrame(columns=columns)
    pairs["weighted"] = pairs["tests"] * pairs["speed"]
    keys = ["zone", "network", "quarter"]
    totals = pairs.groupby(keys, sort=True)[["tests", "tiles", "weighted"]].sum()
    parts = []
    for threshold in thresholds_mbps:
        slow = pairs[pairs["speed"] < threshold].groupby(keys, sort=True)[["tests", "tiles"]].sum()
        slow = slow.reindex(totals.index, fill_value=0.0)
        parts.append(
            pd.DataFrame(
                {
                    "threshold_mbps": float(threshold),
                    "tests": totals["tests"],
                    "tiles": totals["tiles"],
                    "mean_mbps": totals["weighted"] / totals["tests"],
                    "share_of_tests": slow["tests"] / totals["tests"],
                    "share_of_tiles": slow["tiles"] / totals["tiles"],
                }
            )
        )
    return pd.concat(parts).reset_index()[columns]


# ---------------------------------------------------------------------------------------------
# Parts of files


def _parsed_quarter(text: str) -> tuple[int, int]:
    year, _, quarter = text.upper().partition("Q")
    if (
        not (year.isdecimal() and quarter in ("1", "2", "3", "4"))
        or (int(year), int(quarter)) < _FIRST
    ):
        raise InputError(
            "The quarter is {value} (expected a year and a quarter since 2019Q1, e.g. 2024Q4)",
            value=text,
        )
    return int(year), int(quarter)


def _said_by_name(name: str) -> tuple[str, str]:
    """Return network and quarter."""
    start, _, rest = name.partition("_performance_")
    network = rest.partition("_")[0]
    try:
        day = dt.date.fromisoformat(start[-10:])
    except ValueError:
        day = None
    if day is None or network not in NETWORKS:
        raise InputError(
            "{file}: the name does not say which quarter and network the tests are of (expected "
            "the name that Ookla gives, e.g. 2024-10-01_performance_fixed_tiles.parquet)",
            file=name,
        )
    return network, f"{day.year}Q{(day.month + 2) // 3}"


def _boxes(bounds: Bounds) -> list[tuple[int, int, int, int]]:
    """Return the tiles under a place: first and last column and row, in at most two boxes."""
    west, south, east, north = bounds
    parts = [(west, min(east, 180.0))]
    if east > 180.0:
        parts = [(west, 180.0), (-180.0, east - 360.0)]
    boxes = []
    for left, right in parts:
        column_0, row_0 = tile_of(left, north)
        column_1, row_1 = tile_of(right, south)
        boxes.append((column_0, row_0, column_1, row_1))
    return boxes


def _spans(boxes: Sequence[tuple[int, int, int, int]]) -> list[tuple[str, str]]:
    """Return stretches of quadkeys, first to last, that hold all tiles of the boxes."""
    spans: list[tuple[str, str]] = []

    def look(key: str, column: int, row: int) -> None:
        zoom = len(key)
        width = 1 << (ZOOM - zoom)
        x_0, y_0 = column * width, row * width
        x_1, y_1 = x_0 + width - 1, y_0 + width - 1
        touched = [b for b in boxes if x_0 <= b[2] and x_1 >= b[0] and y_0 <= b[3] and y_1 >= b[1]]
        if not touched:
            return
        inside = any(x_0 >= b[0] and x_1 <= b[2] and y_0 >= b[1] and y_1 <= b[3] for b in touched)
        if inside or zoom >= _SQUARE_ZOOM:
            spans.append((key.ljust(ZOOM, "0"), key.ljust(ZOOM, "3")))
            return
        for digit in range(4):
            look(f"{key}{digit}", 2 * column + digit % 2, 2 * row + digit // 2)

    look("", 0, 0)
    return spans


def _groups_over(metadata: pq.FileMetaData, bounds: Bounds) -> list[int]:
    """Return the row groups that may have tiles over a place, by their statistics."""
    spans = _spans(_boxes(bounds))
    index = {metadata.schema.column(k).name: k for k in range(metadata.num_columns)}
    groups = []
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(index["quadkey"]).statistics
        if statistics is None or not statistics.has_min_max:
            groups.append(group)
            continue
        low, high = str(statistics.min), str(statistics.max)
        if any(first <= high and last >= low for first, last in spans):
            groups.append(group)
    return groups


def _group_bytes(metadata: pq.FileMetaData, group: int) -> int:
    about = metadata.row_group(group)
    columns = (about.column(k) for k in range(about.num_columns))
    return sum(c.total_compressed_size for c in columns if c.path_in_schema in COLUMNS)


def _rows_over(
    file: pq.ParquetFile, place: Place, name: str, on_progress: Progress = _ignore
) -> pa.Table:
    """Return the rows of a file over a place."""
    missing = [column for column in COLUMNS if column not in file.schema_arrow.names]
    if missing:
        raise InputError(
            "{file}: the columns are {found} (expected {expected})",
            file=name,
            found=", ".join(file.schema_arrow.names),
            expected=", ".join(COLUMNS),
        )
    boxes = _boxes(place.bounds)
    groups = _groups_over(file.metadata, place.bounds)
    parts = []
    for number, group in enumerate(groups):
        on_progress(number / len(groups))
        table = file.read_row_group(group, columns=list(COLUMNS))
        keys = pc.cast(table.column("quadkey"), pa.string()).to_numpy(zero_copy_only=False)
        column, row = columns_and_rows(np.asarray(keys, dtype=str))
        over = np.zeros(len(keys), bool)
        for column_0, row_0, column_1, row_1 in boxes:
            over |= (column >= column_0) & (column <= column_1) & (row >= row_0) & (row <= row_1)
        parts.append(table.filter(pa.array(over)))
    on_progress(1.0)
    if not parts:
        return file.schema_arrow.empty_table().select(list(COLUMNS))
    return pa.concat_tables(parts)


def _carry(item: Item, place: Place, on_progress: Progress) -> Fetched:
    """Bring the rows over a place into the cache."""
    slot = Slot.of(item, None)
    have = slot.fetched()
    if have is not None:
        on_progress(1.0)
        return have
    if download.is_offline():
        raise download.OfflineError(
            "{source}: {file} is not in the cache, and no server may be asked (--offline); run "
            "once without --offline, or give a file of your own",
            source=item.source,
            file=item.key,
        )
    about = servers.describe(item.url, source=item.source, on_progress=on_progress)
    if not about.ranges:
        name = item.url.rpartition("/")[2]
        whole = download.fetch(
            replace(item, key=name), kind=download.Kind.PARQUET, on_progress=on_progress
        )
        return replace(whole, item=replace(item, key=name))
    with slot.locked(on_progress):
        have = slot.fetched()  # another process may have brought it in the meantime
        if have is not None:
            return have
        with _remote(item, about) as (file, _):
            table = _rows_over(file, place, item.key, on_progress)
        with writable(slot.folder):
            slot.discard()
            pq.write_table(table, slot.part)
            digest = sha256_of(slot.part)
        return slot.finish(
            Known(
                item.url,
                etag=about.etag,
                last_modified=about.last_modified,
                retrieved_at=servers.now(),
                checked_at=time.time(),
                sha256=digest,
            )
        )


@contextmanager
def _remote(
    item: Item, about: servers.Description | None = None
) -> Iterator[tuple[pq.ParquetFile, int]]:
    """Open a file on a server, with the bytes that were carried for its directory."""
    known = about or servers.describe(item.url, source=item.source)
    with _parquet_errors(item.url.rpartition("/")[2]):
        remote = RemoteFile(item, known)
        remote.check_start()
        # Joined reads would carry the columns between as well.
        file = pq.ParquetFile(remote, pre_buffer=False)
        yield file, remote.carried_bytes


@contextmanager
def _parquet_errors(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            "{file} is damaged or cut off (expected a Parquet file)", file=name
        ) from error


class RemoteFile(io.RawIOBase):
    """A file on a server, of which only the parts that are read are carried.

    Parameters
    ----------
    item
        The file.
    about
        What the server says of it; it must give ranges and know its size.
    """

    def __init__(self, item: Item, about: servers.Description) -> None:
        super().__init__()
        self._item = item
        self._about = about
        self._size = about.size_bytes or 0
        self._position = 0
        self.carried_bytes = 0

    def check_start(self) -> None:
        """Refuse what is no Parquet file by its first bytes."""
        start = self._part(0, min(512, self._size))
        if start.startswith(b"PAR1"):
            return
        raise download.SourceError(
            "{source}: {address} sent something else than {expected} (content type {found})",
            source=self._item.source,
            address=servers.shown(self._item.url),
            expected=message(download.Kind.PARQUET.value),
            found="?",
        )

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether the position can be changed."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Change the position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read from the position."""
        left = max(0, self._size - self._position)
        count = left if size is None or size < 0 else min(size, left)
        data = self._part(self._position, count)
        self._position += len(data)
        return data

    def _part(self, start: int, count: int) -> bytes:
        """Return bytes from the server; what breaks off is asked for again."""
        if count == 0:
            return b""
        parts: list[bytes] = []
        done = 0
        item = self._item

        def attempt() -> None:
            nonlocal done
            headers = {
                "Range": f"bytes={start + done}-{start + count - 1}",
                "Accept-Encoding": "identity",
            }
            if self._about.etag and not self._about.etag.startswith("W/"):
                headers["If-Range"] = self._about.etag
            moved = False
            with servers.sent("GET", item.url, headers, None, item.source) as answer:
                if answer.status_code == 206:
                    if servers.first_of_range(answer) != start + done:
                        raise servers.Again(servers.broken(item.url, item.source))
                elif answer.status_code == 200:
                    # Another file than a moment ago, or a server that forgot about ranges.
                    raise servers.Again(servers.broken(item.url, item.source))
                else:
                    servers.refuse(answer, item.url, item.source)
                try:
                    while chunk := answer.raw.read1(1 << 18, decode_content=False):
                        parts.append(chunk)
                        done += len(chunk)
                        self.carried_bytes += len(chunk)
                        moved = True
                except (urllib3.exceptions.HTTPError, OSError):
                    raise servers.Again(
                        servers.broken(item.url, item.source), moved=moved
                    ) from None
            if done < count:
                raise servers.Again(servers.broken(item.url, item.source), moved=moved)

        servers.persist(attempt, _ignore)
        return b"".join(parts)[:count]
