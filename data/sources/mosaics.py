"""Put rasters in degrees together, side by side across the antimeridian, too."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.fill
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from data import rasters
from data.area import Provenance
from data.sources.download_cache import writable
from data.sources.source import Fetched
from data.sources.windows import WGS84, Bounds, WindowItem

_STRIP_ROWS = 1024

_UNKNOWN = -99_999.0


@dataclass(frozen=True)
class Part:
    """A file of a mosaic.

    Parameters
    ----------
    path
        Raster in WGS 84.
    shift_deg
        What has to be added to its longitudes. [degrees]
    """

    path: Path
    shift_deg: float = 0.0


@dataclass(frozen=True)
class Filled:
    """A box of a mosaic that gets a value where no part has one.

    Parameters
    ----------
    bounds
        In the longitudes of the place. [degrees]
    value
        The value.
    """

    bounds: Bounds
    value: float


def mosaic(
    parts: Sequence[Part],
    bounds: Bounds,
    target: Path,
    *,
    resampling: str,
    dtype: str = "float32",
    nodata: float = math.nan,
    fills: Sequence[Filled] = (),
) -> Path:
    """Put rasters together over bounds, in longitudes that run on beyond 180.

    Parameters
    ----------
    parts
        The files; where several have a value, the first wins. Those on the pixels of
        the finest one are copied, others are resampled to it.
    bounds
        West, south, east, north. [degrees]
    target
        GeoTIFF to be written.
    resampling
        Of rasterio, e.g. ``"bilinear"``.
    dtype, nodata
        Of the result.
    fills
        Where no part has a value.

    Returns
    -------
    Path
        `target`.
    """
    with ExitStack() as stack:
        opened = [(stack.enter_context(rasterio.open(part.path)), part) for part in parts]
        finest, first = min(opened, key=lambda pair: (pair[0].transform.a, -pair[0].transform.e))
        dx, dy = finest.transform.a, -finest.transform.e
        left, top = finest.transform.c + first.shift_deg, finest.transform.f
        west, south, east, north = bounds
        column_0 = math.floor((west - left) / dx + 1e-6) - 1
        column_1 = math.ceil((east - left) / dx - 1e-6) + 1
        row_0 = math.floor((top - north) / dy + 1e-6) - 1
        row_1 = math.ceil((top - south) / dy - 1e-6) + 1
        width, height = column_1 - column_0, row_1 - row_0
        transform = Affine(dx, 0.0, left + column_0 * dx, 0.0, -dy, top - row_0 * dy)
        target.parent.mkdir(parents=True, exist_ok=True)
        profile = {
            "driver": "GTiff",
            "width": width,
            "height": height,
            "count": 1,
            "dtype": dtype,
            "crs": WGS84,
            "transform": transform,
            "nodata": nodata,
            "compress": "deflate",
            "tiled": True,
            "blockxsize": 512,
            "blockysize": 512,
            "BIGTIFF": "IF_SAFER",
        }
        with writable(target.parent), rasterio.open(target, "w", **profile) as out:
            for row in range(0, height, _STRIP_ROWS):
                count = min(_STRIP_ROWS, height - row)
                frame = Affine(dx, 0.0, transform.c, 0.0, -dy, transform.f - row * dy)
                strip = np.full((count, width), np.nan, np.float32)
                for dataset, part in opened:
                    if not np.isnan(strip).any():
                        break
                    values = _on_frame(dataset, part.shift_deg, frame, strip.shape, resampling)
                    np.copyto(strip, values, where=np.isnan(strip))
                for fill in fills:
                    _fill(strip, frame, fill)
                if not math.isnan(nodata):
                    strip[np.isnan(strip)] = nodata
                window = Window(0, row, width, count)
                out.write(strip.astype(dtype), 1, window=window)
    return target


def _on_frame(
    dataset: Any, shift_deg: float, frame: Affine, shape: tuple[int, int], resampling: str
) -> NDArray[np.float32]:
    """Return a part on the pixels of a frame, NaN where it has none."""
    own = dataset.transform
    left = own.c + shift_deg
    column, row = (frame.c - left) / own.a, (frame.f - own.f) / own.e
    same = abs(own.a - frame.a) < 1e-6 * own.a and abs(own.e - frame.e) < 1e-6 * abs(own.e)
    # The last pixel must not have run away either, where sizes differ in the last digits.
    if same and max(abs(column - round(column)), abs(row - round(row))) < 0.01:
        return rasters.read_window(dataset, round(row), round(column), *shape)
    moved = Affine(frame.a, 0.0, frame.c - shift_deg, 0.0, frame.e, frame.f)
    with WarpedVRT(
        dataset,
        crs=dataset.crs,
        transform=moved,
        width=shape[1],
        height=shape[0],
        resampling=Resampling[resampling],
        nodata=math.nan,
        dtype="float32",
    ) as warped:
        return warped.read(1)


def close_gaps(path: Path, pixels: float) -> None:
    """Fill the gaps between parts of different pixels from their edges.

    Parameters
    ----------
    path
        Mosaic with NaN for no data; written again.
    pixels
        Half the width of the widest gap.
    """
    with rasterio.open(path, "r+") as dataset:
        values = dataset.read(1)
        known = ~np.isnan(values)
        if not known.all():
            values = rasterio.fill.fillnodata(
                np.where(known, values, np.float32(_UNKNOWN)),
                mask=known.astype(np.uint8),
                max_search_distance=pixels,
            )
            values[values == _UNKNOWN] = np.nan
            dataset.write(values, 1)


def _fill(strip: NDArray[np.float32], frame: Affine, fill: Filled) -> None:
    west, south, east, north = fill.bounds
    height, width = strip.shape
    # Pixels whose centre lies in the box.
    columns = slice(
        max(0, math.ceil((west - frame.c) / frame.a - 0.5)),
        max(0, min(width, math.ceil((east - frame.c) / frame.a - 0.5))),
    )
    rows = slice(
        max(0, math.ceil((north - frame.f) / frame.e - 0.5)),
        max(0, min(height, math.ceil((south - frame.f) / frame.e - 0.5))),
    )
    part = strip[rows, columns]
    part[np.isnan(part)] = fill.value


def parts_of(fetched: Iterable[Fetched]) -> list[Part]:
    """Return what was carried as parts of a mosaic.

    Parameters
    ----------
    fetched
        From `carry`.

    Returns
    -------
    list of Part
        In the same order.
    """
    return [
        Part(one.path, one.item.shift_deg if isinstance(one.item, WindowItem) else 0.0)
        for one in fetched
    ]


def provenance(
    fetched: Sequence[Fetched], *, source: str, licence: str, vintage: str, method: str
) -> Provenance:
    """Return where a raster made of several files came from.

    Parameters
    ----------
    fetched
        The files, at least one.
    source, licence, vintage, method
        As in `Provenance`.

    Returns
    -------
    Provenance
        With the checksum of the file, or of the list of checksums where there are several.
    """
    urls = list(dict.fromkeys(one.item.url for one in fetched))
    sums = sorted({one.sha256 for one in fetched})
    digest = sums[0]
    if len(sums) > 1:
        digest = hashlib.sha256("\n".join(sums).encode()).hexdigest()
        method = (
            f"{method}. The SHA-256 is that of the sorted SHA-256 of the {len(sums)} parts that "
            "were carried, one per line"
        )
    return Provenance(
        source=source,
        licence=licence,
        vintage=vintage,
        url_or_file=" ".join(urls),
        sha256=digest,
        retrieved_at=max(one.retrieved_at for one in fetched),
        method=method,
    )
