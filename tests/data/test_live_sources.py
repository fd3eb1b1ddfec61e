"""Ask the real servers, to see whether they still are where we look for them.

Not part of any usual run. On a machine with access to the internet::

    pytest -m live tests/data/test_live_sources.py

For each source, a small place in Hà Nam is looked for, sized up, and, where no more
than `SMALL_BYTES` have to be carried, fetched and read. OpenCelliD needs a token in
the environment, and the test counts against its daily quota. Servers are run for
everyone: do not repeat this in a loop.
"""

import os

import numpy as np
import pytest
import rasterio
import shapely

from data.sources import download, opencellid, registry
from data.sources.source import Place

pytestmark = pytest.mark.live

PLACE = Place(
    "Phủ Lý, Vietnam",
    (105.90, 20.53, 105.93, 20.56),
    "VNM",
    shapely.box(105.90, 20.53, 105.93, 20.56),
)

SMALL_BYTES = 30_000_000


@pytest.mark.parametrize("name", registry.SOURCES)
def test_a_source_still_is_where_we_look_for_it(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "cache"))
    source = registry.named(name)
    if name == "opencellid" and not os.environ.get(opencellid.TOKEN_VARIABLE):
        pytest.skip(f"set {opencellid.TOKEN_VARIABLE} to your token")
    items = source.size_up(source.find(PLACE))
    assert items, "nothing was found"
    total = sum(item.size_bytes or 0 for item in items)
    print(name, [item.key for item in items], f"{total / 1e6:.1f} MB")
    if total > SMALL_BYTES:
        pytest.skip(f"found, but {total / 1e6:.0f} MB are too much to carry in a test")
    fetched = source.fetch(items, PLACE)
    reading = source.read(fetched, PLACE, tmp_path)
    assert set(reading.layers) | set(reading.rasters)
    for raster in reading.rasters.values():
        with rasterio.open(raster.path) as dataset:
            values = dataset.read(1, masked=True)
        assert np.ma.count(values) > 0
        assert raster.provenance.licence
    for layer in reading.layers.values():
        assert layer.provenance.licence
