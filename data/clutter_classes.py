"""Codes of the `clutter` raster: ESA WorldCover classes and our settlement types.

The codes from 10 to 100 are those of ESA WorldCover 2021 v200, so a raster from
there can be used as it is. WorldCover knows one built-up class; the codes from
51 to 53 split it where the kind of settlement is known. The heights that go
with the classes are in `coverage/tables/clutter_heights.csv`.
"""

from __future__ import annotations

NO_DATA = 0
TREE = 10
SHRUB = 20
GRASS = 30
CROP = 40
BUILT = 50
VILLAGE = 51
TOWN = 52
DENSE_URBAN = 53
BARE = 60
SNOW = 70
WATER = 80
WETLAND = 90
MANGROVE = 95
MOSS = 100

#: Codes of settlements.
SETTLED = (BUILT, VILLAGE, TOWN, DENSE_URBAN)

#: Every code that a clutter raster may hold.
CLASS_CODES = (
    NO_DATA,
    TREE,
    SHRUB,
    GRASS,
    CROP,
    BUILT,
    VILLAGE,
    TOWN,
    DENSE_URBAN,
    BARE,
    SNOW,
    WATER,
    WETLAND,
    MANGROVE,
    MOSS,
)
