"""Where each open source of data is asked: the only place with addresses of servers."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

ENVIRONMENT_VARIABLE = "PHUSONG_ADDRESSES"
"""Mirrors of one's own: ``name=address``, several with blanks between them."""

_DEFAULTS: Mapping[str, str] = types.MappingProxyType(
    {
        "copernicus_dem_30": "https://copernicus-dem-30m.s3.amazonaws.com",
        "copernicus_dem_90": "https://copernicus-dem-90m.s3.amazonaws.com",
        "srtm_1": "https://s3.amazonaws.com/elevation-tiles-prod/skadi",
        "srtm_3": "https://srtm.kurviger.de/SRTM3",
        "worldcover": "https://esa-worldcover.s3.eu-central-1.amazonaws.com",
        "worldpop": "https://data.worldpop.org/GIS/Population",
        "kontur": "https://geodata-eu-central-1-kontur-public.s3.eu-central-1.amazonaws.com/"
        "kontur_datasets",
        "geoboundaries": "https://www.geoboundaries.org/api/current",
        "hdx": "https://data.humdata.org/api/3/action",
        "nominatim": "https://nominatim.openstreetmap.org",
        "overpass": "https://overpass-api.de/api/interpreter",
        "overpass_2": "https://overpass.kumi.systems/api/interpreter",
        "overpass_3": "https://overpass.private.coffee/api/interpreter",
        "geofabrik": "https://download.geofabrik.de",
        "opencellid": "https://opencellid.org/ocid/downloads",
        "ookla": "https://ookla-open-data.s3.amazonaws.com",
        "geonames": "https://download.geonames.org/export/dump",
    }
)

_changes: list[Mapping[str, str]] = []


class _Addresses(Mapping[str, str]):
    """The addresses in force: those built in, and over them the user's and those of `using`."""

    def _all(self) -> dict[str, str]:
        words = os.environ.get(ENVIRONMENT_VARIABLE, "").split()
        given = dict(word.split("=", 1) for word in words if "=" in word)
        merged = {**_DEFAULTS, **given}
        for changes in _changes:
            merged.update(changes)
        return {name: address.rstrip("/") for name, address in merged.items()}

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


#: Name of a server -> address without a slash at its end.
ADDRESSES: Mapping[str, str] = _Addresses()


@contextmanager
def using(changes: Mapping[str, str]) -> Iterator[None]:
    """Ask other servers for a while, in all threads: mirrors of one's own, or a test's.

    Parameters
    ----------
    changes
        Name of a server -> address; the others keep theirs.

    Examples
    --------
    >>> with using({"geofabrik": "http://127.0.0.1:8000/"}):
    ...     ADDRESSES["geofabrik"]
    'http://127.0.0.1:8000'
    """
    _changes.append(changes)
    try:
        yield
    finally:
        _changes.remove(changes)
