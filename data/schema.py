"""The layers of a workspace: every column declared once, with its unit and range.

`LAYERS` and `RASTERS` are the registries that imports, the store, checks and
pages read. A new layer is one more entry. `examine` finds every fault of a
frame at once and names each by row, column, value and expectation; `validate`
raises them.

Rules that hold for every layer:

- A column that is required and missing is an error; an optional one is filled
  with its default (a warning says so) or left empty.
- Unknown columns are kept.
- Text is trimmed and brought to Unicode NFC, so that names typed on different
  systems compare equal; empty text is a missing value.
- An invalid polygon (a boundary that crosses itself) is repaired if that
  changes its area by no more than 0.1 %, with a warning; otherwise refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.errors import SchemaErrors

from data import geometry as geo
from data.addresses import Range, as_range, overlapping
from data.errors import InputError, Message, Problem, ValidationError, message
from data.faults import Faults, shown
from data.values import TEXT, to_date, to_flag, to_number, to_text, to_whole

Kind = Literal["text", "number", "whole", "flag", "date"]

_CONVERTERS: dict[Kind, Callable[[pd.Series], tuple[pd.Series, NDArray[np.bool_]]]] = {
    "text": to_text,
    "number": to_number,
    "whole": to_whole,
    "flag": to_flag,
    "date": to_date,
}


@dataclass(frozen=True)
class Layer:
    """A vector layer or table of a workspace.

    Parameters
    ----------
    name
        Name in the registry, the database and on the command line.
    description
        What one row is.
    table
        The columns; each carries ``description`` and ``metadata`` with ``kind``,
        ``unit`` and ``default``.
    geometry
        Kind of geometry, or None for a table. Lines and polygons are stored as
        their Multi form.
    key
        Column that identifies a row.
    dated
        Whether the key is used again at another time, so that it identifies a row
        only together with ``valid_from``.
    """

    name: str
    description: str
    table: pa.DataFrameSchema
    geometry: geo.GeometryKind | None
    key: str
    dated: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of the declared columns, without the geometry."""
        return list(self.table.columns)

    def unit(self, column: str) -> str:
        """Return the unit of a column, empty where it has none.

        Parameters
        ----------
        column
            Declared column.

        Returns
        -------
        str
            Unit, e.g. ``"m"``.
        """
        return str(_about(self.table.columns[column])["unit"])


@dataclass(frozen=True)
class RasterLayer:
    """A raster of a workspace.

    Parameters
    ----------
    name
        Name in the registry and on the command line.
    description
        What a pixel holds.
    unit
        Unit of the values.
    minimum, maximum
        Range of the values.
    resampling
        How it is brought onto another grid; ``"sum"`` keeps the total.
    required
        Whether coverage needs it.
    """

    name: str
    description: str
    unit: str
    minimum: float
    maximum: float
    resampling: str
    required: bool = False


def _column(
    kind: Kind,
    description: str,
    *,
    unit: str = "",
    checks: list[pa.Check] | None = None,
    required: bool = False,
    nullable: bool = False,
    unique: bool = False,
    default: object = None,
) -> pa.Column:
    dtype = {"number": "float64", "whole": "float64", "flag": "bool"}.get(kind, TEXT)
    return pa.Column(
        dtype,
        checks=checks or [],
        nullable=nullable,
        unique=unique,
        report_duplicates="exclude_first",
        required=required,
        description=description,
        metadata={"kind": kind, "unit": unit, "default": default},
    )


def text(
    description: str,
    *,
    required: bool = False,
    nullable: bool = False,
    unique: bool = False,
    default: str | None = None,
) -> pa.Column:
    """Declare a column of text.

    Parameters
    ----------
    description
        What it says.
    required
        Whether a file must have the column.
    nullable
        Whether single rows may be empty.
    unique
        Whether every row differs.
    default
        Value where the column is missing and not required.

    Returns
    -------
    pandera.Column
        The declaration.
    """
    return _column(
        "text", description, required=required, nullable=nullable, unique=unique, default=default
    )


def number(
    description: str,
    unit: str,
    *,
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    required: bool = False,
    nullable: bool = False,
    whole: bool = False,
    default: float | None = None,
) -> pa.Column:
    """Declare a column of numbers.

    Parameters
    ----------
    description
        What it says.
    unit
        Unit, empty for counts and shares.
    above
        Values must be greater.
    minimum, maximum
        Values must be at least and at most this.
    required, nullable, default
        See `text`.
    whole
        Whether values are whole numbers.

    Returns
    -------
    pandera.Column
        The declaration.
    """
    checks = []
    if above is not None:
        checks.append(pa.Check.gt(above))
    if minimum is not None:
        checks.append(pa.Check.ge(minimum))
    if maximum is not None:
        checks.append(pa.Check.le(maximum))
    return _column(
        "whole" if whole else "number",
        description,
        unit=unit,
        checks=checks,
        required=required,
        nullable=nullable,
        default=default,
    )


def choice(
    description: str,
    options: tuple[str, ...],
    *,
    required: bool = False,
    nullable: bool = False,
    default: str | None = None,
) -> pa.Column:
    """Declare a column with a closed set of values.

    Parameters
    ----------
    description
        What it says.
    options
        The allowed values.
    required, nullable, default
        See `text`.

    Returns
    -------
    pandera.Column
        The declaration.
    """
    checks = [pa.Check.isin(list(options))]
    return _column(
        "text",
        description,
        checks=checks,
        required=required,
        nullable=nullable,
        default=default,
    )


def flag(description: str, *, default: bool) -> pa.Column:
    """Declare a column of yes or no.

    Parameters
    ----------
    description
        What a yes says.
    default
        Value where the column is missing or a row is empty.

    Returns
    -------
    pandera.Column
        The declaration.
    """
    return _column("flag", description, default=default)


def date(description: str) -> pa.Column:
    """Declare a column of ISO dates (text YYYY-MM-DD) that may be empty.

    Parameters
    ----------
    description
        What it says.

    Returns
    -------
    pandera.Column
        The declaration.
    """
    return _column("date", description, nullable=True)


LEVELS = ("province", "district", "commune")
#: Of agencies: above the zones there are those of the centre.
SITE_LEVELS = ("central", *LEVELS)
TECHNOLOGIES = ("2G", "3G", "4G", "5G")
MAST_CLASSES = ("A1a", "A1b", "A2a", "A2b", "A2c")
MAST_STATUSES = ("existing", "planned", "removed")
SEGMENT_TYPES = ("duct", "buried", "aerial")
FIBRE_NODE_TYPES = ("olt", "cabinet", "splitter", "closure", "manhole", "pole")
SITE_ROLES = ("hub", "aggregation", "access")
SITE_STATUSES = ("connected", "planned", "none")
LINK_MEDIA = ("fibre", "microwave", "copper", "satellite", "mobile")
LINK_OWNERSHIPS = ("own", "leased")
PROPOSAL_KINDS = ("new", "share")

#: What stands between the parts of a route or another list in one text.
LIST_SEPARATOR = ";"

#: Layer -> pairs of a part and the whole that it cannot exceed.
_PARTS = {"fibre_segments": ("cores_used", "cores"), "fibre_nodes": ("ports_used", "ports")}

ZONES = Layer(
    "zones",
    "Administrative zone",
    pa.DataFrameSchema(
        {
            "code": text("Code of the zone", required=True),
            "name": text("Name in the local language", required=True),
            "name_en": text("English name", nullable=True),
            "level": choice("Administrative level 1, 2 or 3", LEVELS, required=True),
            "parent_code": text("Code of the zone it belongs to", nullable=True),
            "population": number("Inhabitants", "", minimum=0, maximum=2e9, nullable=True),
            "households": number("Households", "", minimum=0, maximum=1e9, nullable=True),
            "area_km2": number(
                "Area, computed from the boundary where empty",
                "km2",
                above=0,
                maximum=2e7,
                nullable=True,
            ),
            "valid_from": date("First day on which the zone exists"),
            "valid_to": date("Last day on which the zone exists"),
        }
    ),
    "Polygon",
    "code",
    dated=True,
)

FORMER_ZONES = Layer(
    "former_zones",
    "Former administrative zone whose boundary is not known",
    pa.DataFrameSchema(
        {
            "code": text("Code of the zone", required=True),
            "name": text("Name in the local language", required=True),
            "type": text("Kind of unit, as in its full name", nullable=True),
            "parent_code": text("Code of the zone it belonged to", nullable=True),
            "valid_from": date("First day on which the zone exists"),
            "valid_to": date("Last day on which the zone exists"),
            "successor_codes": text(
                "Codes of the zones that it became part of, with semicolons between them",
                nullable=True,
            ),
        }
    ),
    None,
    "code",
    dated=True,
)

MASTS = Layer(
    "masts",
    "Antenna mast or rooftop site",
    pa.DataFrameSchema(
        {
            "mast_id": text("Identifier of the mast", required=True, unique=True),
            "name": text("Name or address", nullable=True),
            "owner": text("Who owns the mast", nullable=True),
            "mast_class": choice(
                "Class of Vietnamese planning rules: A1 not bulky, A2 bulky",
                MAST_CLASSES,
                nullable=True,
            ),
            "height_m": number(
                "Height of the mast above ground", "m", above=0, maximum=1000, required=True
            ),
            "status": choice("Stage of its life", MAST_STATUSES, default="existing"),
            "shareable": flag("Whether others may hang antennas on it", default=False),
            "max_tenants": number(
                "Operators it can carry", "", minimum=1, maximum=100, nullable=True, whole=True
            ),
        }
    ),
    "Point",
    "mast_id",
)

CELLS = Layer(
    "cells",
    "Radio cell: one technology and band of one antenna",
    pa.DataFrameSchema(
        {
            "cell_id": text("Identifier of the cell", required=True, unique=True),
            "mast_id": text("Mast that carries the antenna", required=True),
            "operator": text("Mobile network operator", required=True),
            "technology": choice("Generation of the network", TECHNOLOGIES, required=True),
            "band": text("Name of the band, e.g. GSM 900", nullable=True),
            "frequency_mhz": number(
                "Centre of the downlink channel",
                "MHz",
                minimum=30,
                maximum=100_000,
                required=True,
            ),
            "bandwidth_mhz": number(
                "Channel bandwidth", "MHz", above=0, maximum=2000, required=True
            ),
            "power_dbm": number(
                "Total transmit power at the radio's output",
                "dBm",
                minimum=-30,
                maximum=80,
                required=True,
            ),
            "antenna_gain_dbi": number(
                "Greatest gain of the antenna", "dBi", minimum=-20, maximum=50, required=True
            ),
            "feeder_loss_db": number(
                "Loss between radio and antenna", "dB", minimum=0, maximum=60, default=0.0
            ),
            "azimuth_deg": number(
                "Direction of the main lobe, clockwise from north; empty: all round",
                "deg",
                minimum=0,
                maximum=360,
                required=True,
                nullable=True,
            ),
            "tilt_deg": number(
                "Tilt of the main lobe below the horizon",
                "deg",
                minimum=-90,
                maximum=90,
                default=0.0,
            ),
            "antenna_height_m": number(
                "Height of the antenna's centre above ground",
                "m",
                above=0,
                maximum=1000,
                required=True,
            ),
            "pattern": text("Name of the antenna pattern; empty: 3GPP sector", nullable=True),
            "load": number("Share of the resources in use", "", minimum=0, maximum=1, default=0.5),
        }
    ),
    None,
    "cell_id",
)

VILLAGES = Layer(
    "villages",
    "Village, hamlet or residential group",
    pa.DataFrameSchema(
        {
            "village_id": text("Identifier of the village", required=True, unique=True),
            "name": text("Name", nullable=True),
            "zone_code": text("Code of the zone it lies in", nullable=True),
            "population": number("Inhabitants", "", minimum=0, maximum=1e8, nullable=True),
        }
    ),
    "Point",
    "village_id",
)

ROADS = Layer(
    "roads",
    "Stretch of road",
    pa.DataFrameSchema(
        {
            "road_id": text("Identifier of the stretch", required=True, unique=True),
            "name": text("Name or number", nullable=True),
            "road_class": text("Class, e.g. primary", required=True),
            "surface": text("Surface, e.g. asphalt", nullable=True),
        }
    ),
    "LineString",
    "road_id",
)

RAILWAYS = Layer(
    "railways",
    "Stretch of railway",
    pa.DataFrameSchema(
        {
            "railway_id": text("Identifier of the stretch", required=True, unique=True),
            "name": text("Name of the line", nullable=True),
            "railway_class": text("Class, e.g. main line", nullable=True),
        }
    ),
    "LineString",
    "railway_id",
)

OFFICES = Layer(
    "offices",
    "Seat of an administration",
    pa.DataFrameSchema(
        {
            "office_id": text("Identifier of the office", required=True, unique=True),
            "name": text("Name or address", nullable=True),
            "zone_code": text("Code of the zone that it governs", nullable=True),
            "population_registered": number(
                "Registered inhabitants of that zone", "", minimum=0, maximum=2e9, nullable=True
            ),
        }
    ),
    "Point",
    "office_id",
)

NEIGHBOURS = Layer(
    "neighbours",
    "Administrative zone beside the study area, for orientation",
    pa.DataFrameSchema(
        {
            "code": text("Code of the zone", required=True, unique=True),
            "name": text("Name in the local language", required=True),
            "level": choice("Administrative level 1, 2 or 3", LEVELS, required=True),
            "parent_code": text("Code of the zone it belongs to", nullable=True),
        }
    ),
    "Polygon",
    "code",
)

FIBRE_SEGMENTS = Layer(
    "fibre_segments",
    "Stretch of fibre cable or of duct for it",
    pa.DataFrameSchema(
        {
            "segment_id": text("Identifier of the stretch", required=True, unique=True),
            "name": text("Name or number", nullable=True),
            "segment_type": choice(
                "How it is laid: in a duct, buried or on poles", SEGMENT_TYPES, required=True
            ),
            "owner": text("Who owns the stretch", nullable=True),
            "status": choice("Stage of its life", MAST_STATUSES, default="existing"),
            "cores": number(
                "Fibres of the cable; empty: duct without cable",
                "",
                minimum=1,
                maximum=10_000,
                nullable=True,
                whole=True,
            ),
            "cores_used": number(
                "Fibres in use", "", minimum=0, maximum=10_000, nullable=True, whole=True
            ),
        }
    ),
    "LineString",
    "segment_id",
)

FIBRE_NODES = Layer(
    "fibre_nodes",
    "Point of the fibre network",
    pa.DataFrameSchema(
        {
            "node_id": text("Identifier of the point", required=True, unique=True),
            "name": text("Name or address", nullable=True),
            "node_type": choice(
                "Kind: exchange with optical line terminal, cabinet, splitter, closure, manhole "
                "or pole",
                FIBRE_NODE_TYPES,
                required=True,
            ),
            "owner": text("Who owns the equipment", nullable=True),
            "status": choice("Stage of its life", MAST_STATUSES, default="existing"),
            "ports": number(
                "Subscriber ports of an access point",
                "",
                minimum=0,
                maximum=1e6,
                nullable=True,
                whole=True,
            ),
            "ports_used": number(
                "Subscriber ports in use", "", minimum=0, maximum=1e6, nullable=True, whole=True
            ),
            "pon_class": text("Optical budget class, e.g. B+", nullable=True),
            "split_ratio": number(
                "Outputs of the splitters between exchange and subscriber",
                "",
                minimum=1,
                maximum=1024,
                nullable=True,
                whole=True,
            ),
        }
    ),
    "Point",
    "node_id",
)

NETWORK_SITES = Layer(
    "network_sites",
    "Site of the dedicated data network of government, or one that is to become one",
    pa.DataFrameSchema(
        {
            "site_id": text("Identifier of the site", required=True, unique=True),
            "name": text("Name", nullable=True),
            "agency": text("Agency that sits there", nullable=True),
            "level": choice(
                "Administrative level of the agency, or central", SITE_LEVELS, required=True
            ),
            "zone_code": text("Code of the zone that the agency governs or lies in", nullable=True),
            "address": text("Address", nullable=True),
            "role": choice(
                "Place in the network: data centre, node that gathers others, or end",
                SITE_ROLES,
                default="access",
            ),
            "status": choice(
                "Whether it is connected, is to be, or neither", SITE_STATUSES, required=True
            ),
            "connected_on": date("Day on which it was connected"),
            "planned_on": date("Day on which it is or was to be connected"),
            "valid_from": date("First day on which the site exists"),
            "valid_to": date("Last day on which the site exists"),
            "lan": flag("Whether it has a local network", default=False),
            "video_conference": flag("Whether it is an endpoint of conferences", default=False),
            "bandwidth_mbps": number(
                "Bandwidth that it needs", "Mbit/s", above=0, maximum=1e6, nullable=True
            ),
            "criticality": number(
                "How much depends on it: 1 little, 5 most",
                "",
                minimum=1,
                maximum=5,
                whole=True,
                default=3.0,
            ),
            "equipment": text(
                "Equipment of the network there, such as router and firewall, with semicolons "
                "between the pieces",
                nullable=True,
            ),
            "addresses": text(
                "Address ranges assigned to it, such as 10.48.12.0/24, with semicolons between",
                nullable=True,
            ),
            "security_level": number(
                "Security level that was approved for it",
                "",
                minimum=1,
                maximum=5,
                nullable=True,
                whole=True,
            ),
        }
    ),
    "Point",
    "site_id",
)

NETWORK_LINKS = Layer(
    "network_links",
    "Link between two sites of the dedicated data network",
    pa.DataFrameSchema(
        {
            "link_id": text("Identifier of the link", required=True, unique=True),
            "from_site": text("Site at one end", required=True),
            "to_site": text("Site at the other end", required=True),
            "provider": text("Who runs the link", nullable=True),
            "medium": choice("What carries it", LINK_MEDIA, required=True),
            "ownership": choice("Own or leased", LINK_OWNERSHIPS, nullable=True),
            "capacity_mbps": number(
                "Capacity, each way", "Mbit/s", above=0, maximum=1e7, nullable=True
            ),
            "availability_percent": number(
                "Availability agreed for the link", "%", minimum=0, maximum=100, nullable=True
            ),
            "delay_ms": number(
                "Delay agreed for the link, one way", "ms", minimum=0, maximum=1e5, nullable=True
            ),
            "loss_percent": number(
                "Share of packets lost, as agreed", "%", minimum=0, maximum=100, nullable=True
            ),
            "cost_month": number(
                "Price of a month, in the currency of the unit costs",
                "",
                minimum=0,
                maximum=1e12,
                nullable=True,
            ),
            "status": choice("Stage of its life", MAST_STATUSES, default="existing"),
            "connected_on": date("Day on which it was or is to be put into service"),
            "removed_on": date("Day on which it was or is to be taken out of service"),
            "route": text(
                "segment_id of the fibre segments that it runs through, with semicolons between "
                "them",
                nullable=True,
            ),
        }
    ),
    None,
    "link_id",
)

SPEED_TESTS = Layer(
    "speed_tests",
    "Speed tests of a quarter in a tile, averaged",
    pa.DataFrameSchema(
        {
            "tile_id": text("Identifier of tile, network and quarter", required=True, unique=True),
            "network": choice("Kind of network", ("fixed", "mobile"), required=True),
            "quarter": text("Quarter of the tests, e.g. 2024Q4", required=True),
            "avg_d_mbps": number(
                "Average download speed", "Mbit/s", minimum=0, maximum=1e6, required=True
            ),
            "avg_u_mbps": number(
                "Average upload speed", "Mbit/s", minimum=0, maximum=1e6, required=True
            ),
            "avg_lat_ms": number("Average delay", "ms", minimum=0, maximum=1e6, nullable=True),
            "tests": number(
                "Number of tests", "", minimum=1, maximum=1e9, required=True, whole=True
            ),
            "devices": number(
                "Devices that tested", "", minimum=0, maximum=1e9, nullable=True, whole=True
            ),
        }
    ),
    "Polygon",
    "tile_id",
)

POINTS_OF_INTEREST = Layer(
    "points_of_interest",
    "Post office, office, school, hospital or the like",
    pa.DataFrameSchema(
        {
            "poi_id": text("Identifier of the point", required=True, unique=True),
            "kind": text("Kind, e.g. post_office", required=True),
            "name": text("Name or address", nullable=True),
            "operator": text("Who runs it", nullable=True),
        }
    ),
    "Point",
    "poi_id",
)

PROPOSALS = Layer(
    "proposals",
    "Site that a carrier asks for",
    pa.DataFrameSchema(
        {
            "reference": text("Carrier's own code of the site", required=True, unique=True),
            "name": text("Name or address", nullable=True),
            "kind": choice(
                "New mast, or antennas on a mast that is there",
                PROPOSAL_KINDS,
                nullable=True,
                default="new",
            ),
            "mast_id": text("Mast that is there, for antennas on one", nullable=True),
            "mast_class": choice(
                "Class of Vietnamese planning rules: A1 not bulky, A2 bulky",
                MAST_CLASSES,
                nullable=True,
            ),
            "height_m": number(
                "Height of a new mast above ground", "m", minimum=0, maximum=1000, nullable=True
            ),
            "building_height_m": number(
                "Height of the building below the mast; empty: on the ground",
                "m",
                above=0,
                maximum=1000,
                nullable=True,
            ),
            "radius_m": number(
                "From the mast's axis to the outermost point",
                "m",
                above=0,
                maximum=100,
                nullable=True,
            ),
            "shareable": flag("Whether others may hang antennas on it", default=False),
            "max_tenants": number(
                "Operators it can carry", "", minimum=1, maximum=100, nullable=True, whole=True
            ),
            "technologies": text("Technologies, separated by semicolons", nullable=True),
            "note": text("What else to know", nullable=True),
        }
    ),
    "Point",
    "reference",
)

LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        ZONES,
        MASTS,
        CELLS,
        VILLAGES,
        ROADS,
        FORMER_ZONES,
        FIBRE_SEGMENTS,
        FIBRE_NODES,
        NETWORK_SITES,
        NETWORK_LINKS,
        RAILWAYS,
        OFFICES,
        NEIGHBOURS,
        SPEED_TESTS,
        POINTS_OF_INTEREST,
    )
}

#: Layers that files are read and written as, but that workspaces do not hold.
RECORD_LAYERS: dict[str, Layer] = {PROPOSALS.name: PROPOSALS}

RASTERS: dict[str, RasterLayer] = {
    raster.name: raster
    for raster in (
        RasterLayer(
            "terrain", "Ground height above mean sea level", "m", -500, 9000, "bilinear", True
        ),
        RasterLayer("clutter", "Class of land cover", "class", 0, 255, "nearest"),
        RasterLayer("population", "Inhabitants of the pixel", "people", 0, 1e8, "sum"),
        RasterLayer(
            "population_earlier",
            "Inhabitants of the pixel in an earlier year",
            "people",
            0,
            1e8,
            "sum",
        ),
        RasterLayer("building_height", "Height of buildings above ground", "m", 0, 1000, "average"),
    )
}


@dataclass(frozen=True, eq=False)
class Examination:
    """What `examine` found.

    Parameters
    ----------
    frame
        The data in its stored form: declared columns first, then unknown ones,
        the geometry last, rows numbered from 0. Faulty values are empty.
    problems
        Every fault, by row.
    faulty
        For each row of `frame`, whether it has an error.
    """

    frame: pd.DataFrame
    problems: list[Problem]
    faulty: NDArray[np.bool_]

    @property
    def errors(self) -> list[Problem]:
        """Problems that forbid use."""
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """Doubtful but usable."""
        return [problem for problem in self.problems if problem.severity == "warning"]


def layer_named(name: str) -> Layer:
    """Return a layer of the registry.

    Parameters
    ----------
    name
        Layer name.

    Returns
    -------
    Layer
        Its declaration.

    Raises
    ------
    InputError
        If there is no such layer.
    """
    if name in RECORD_LAYERS:
        return RECORD_LAYERS[name]
    if name not in LAYERS:
        raise InputError(
            "There is no layer {name}; known layers: {known}", name=name, known=", ".join(LAYERS)
        )
    return LAYERS[name]


def raster_named(name: str) -> RasterLayer:
    """Return a raster of the registry.

    Parameters
    ----------
    name
        Raster name.

    Returns
    -------
    RasterLayer
        Its declaration.

    Raises
    ------
    InputError
        If there is no such raster.
    """
    if name not in RASTERS:
        raise InputError(
            "There is no raster {name}; known rasters: {known}",
            name=name,
            known=", ".join(RASTERS),
        )
    return RASTERS[name]


def empty_frame(layer: str, crs: str | None = None) -> pd.DataFrame:
    """Return a layer without rows, with every declared column.

    Parameters
    ----------
    layer
        Layer name.
    crs
        CRS of its geometry.

    Returns
    -------
    DataFrame
        GeoDataFrame for a layer with geometry.
    """
    declared = layer_named(layer)
    columns = {
        name: pd.Series([], dtype=column.dtype.type if column.dtype else None)
        for name, column in declared.table.columns.items()
    }
    frame = pd.DataFrame(columns)
    if declared.geometry is None:
        return frame
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries([], crs=crs))


def expectation(column: pa.Column) -> Message:
    """Say what a column must hold.

    Parameters
    ----------
    column
        Declared column.

    Returns
    -------
    Message
        E.g. "expected a number from 0 to 360 deg".
    """
    about = _about(column)
    limits = {check.name: check.statistics for check in column.checks}
    unit = f" {about['unit']}" if about["unit"] else ""
    low = limits.get("greater_than_or_equal_to", {}).get("min_value")
    above = limits.get("greater_than", {}).get("min_value")
    high = limits.get("less_than_or_equal_to", {}).get("max_value")
    if "isin" in limits:
        options = ", ".join(limits["isin"]["allowed_values"])
        return message("expected one of {options}", options=options)
    if about["kind"] == "whole":
        return message(
            "expected a whole number from {minimum} to {maximum}",
            minimum=shown(low),
            maximum=shown(high),
        )
    if above is not None:
        return message(
            "expected a number greater than {minimum} and at most {maximum}{unit}",
            minimum=shown(above),
            maximum=shown(high),
            unit=unit,
        )
    if about["kind"] == "number":
        return message(
            "expected a number from {minimum} to {maximum}{unit}",
            minimum=shown(low),
            maximum=shown(high),
            unit=unit,
        )
    if about["kind"] == "flag":
        return message("expected yes or no")
    if about["kind"] == "date":
        return message("expected a date as YYYY-MM-DD")
    return message("expected text")


def examine(
    layer: str,
    frame: pd.DataFrame,
    *,
    crs: str | None = None,
    file: str | None = None,
    row_offset: int = 2,
    context: Mapping[str, pd.DataFrame] | None = None,
    coordinates: geo.CoordinateColumns | None = None,
    reproject: bool = False,
) -> Examination:
    """Check a frame against its layer and bring it into its stored form.

    Parameters
    ----------
    layer
        Layer name.
    frame
        The data. A layer of points may come as a plain table with columns lon
        and lat (degrees, WGS 84). The row numbers that users see are the index
        where it is named ``"row"``, otherwise position plus `row_offset`.
    crs
        CRS that the geometry must have; None accepts any.
    file
        File name for the problems.
    row_offset
        Row number of the first row where the index does not tell.
    context
        Other layers to check against: ``"masts"`` for cells, ``"network_sites"`` and
        ``"fibre_segments"`` for network_links, ``"zones"`` for points. A layer that
        is not there is not checked against.
    coordinates
        Columns of a plain table that hold the coordinates of its points, where
        they are not lon and lat.
    reproject
        Whether to transform geometry that comes in another CRS than `crs`;
        otherwise another CRS is an error.

    Returns
    -------
    Examination
        The stored form and every problem.
    """
    declared = layer_named(layer)
    context = context or {}
    if frame.index.name == "row":
        rows = frame.index.to_numpy()
    else:
        rows = np.arange(len(frame)) + row_offset
    faults = Faults(layer, file, rows)
    frame = frame.reset_index(drop=True)
    for name in sorted({str(name) for name in frame.columns[frame.columns.duplicated()]}):
        faults.whole(name, message("the column is there twice"), message("expected it once"))
    frame = frame.loc[:, ~frame.columns.duplicated()]
    columns = _declared_columns(declared, frame, faults)
    _apply_schema(declared, columns, faults)
    shapes = None
    used: tuple[str, ...] = ()
    if declared.geometry is not None:
        area = context.get("zones")
        bounds = None
        if layer != "zones" and area is not None and len(area):
            bounds = tuple(area.total_bounds)
        shapes, used = geo.read_geometry(
            declared.geometry,
            frame,
            faults,
            crs=crs,
            bounds=bounds,
            coordinates=coordinates,
            reproject=reproject,
        )
    _check_across(layer, columns, shapes, faults, context)
    unknown = _unknown_columns(declared, frame, used, faults)
    result = pd.DataFrame({**columns, **unknown}, index=frame.index)
    if shapes is not None:
        result = gpd.GeoDataFrame(result, geometry=shapes)
    return Examination(result, faults.sorted(), faults.faulty)


def conform(layer: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Bring a stored frame into its declared types and column order, without checks.

    Parameters
    ----------
    layer
        Layer name.
    frame
        As read from a database.

    Returns
    -------
    DataFrame
        All declared columns first; values of a wrong type are empty.
    """
    declared = layer_named(layer)
    frame = frame.reset_index(drop=True)
    faults = Faults(layer, None, np.arange(len(frame)))
    columns = _declared_columns(declared, frame, faults)
    columns |= _unknown_columns(declared, frame, (), faults)
    result = pd.DataFrame(columns, index=frame.index)
    if declared.geometry is None:
        return result
    return gpd.GeoDataFrame(result, geometry=frame.geometry.to_numpy(), crs=frame.crs)


def validate(
    layer: str,
    frame: pd.DataFrame,
    *,
    crs: str | None = None,
    file: str | None = None,
    row_offset: int = 2,
    context: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return a frame in its stored form, or raise everything that is wrong with it.

    Parameters
    ----------
    layer, frame, crs, file, row_offset, context
        See `examine`.

    Returns
    -------
    DataFrame
        The stored form; warnings are not reported (`examine` gives them).

    Raises
    ------
    ValidationError
        With every problem, if there is an error among them.
    """
    found = examine(layer, frame, crs=crs, file=file, row_offset=row_offset, context=context)
    if found.errors:
        raise ValidationError(found.errors)
    return found.frame


def repeated(layer: str, frame: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows another frame of the layer has already.

    Parameters
    ----------
    layer
        Layer name.
    frame, others
        Frames of the layer in their stored form.

    Returns
    -------
    NDArray of bool
        One per row of `frame`: whether a row of `others` has its key, in a layer
        whose keys are used again also its ``valid_from``.
    """
    declared = layer_named(layer)
    if not declared.dated:
        return frame[declared.key].isin(others[declared.key]).to_numpy(bool)
    names = [declared.key, "valid_from"]
    known = pd.MultiIndex.from_frame(others[names].astype(object).fillna(""))
    return pd.MultiIndex.from_frame(frame[names].astype(object).fillna("")).isin(known)


def near_name(wanted: str, names: list[str]) -> str | None:
    """Return the name that a person may have meant by `wanted`, or None.

    Parameters
    ----------
    wanted
        The right name.
    names
        Names at hand.

    Returns
    -------
    str or None
        The nearest, if one is near.

    Examples
    --------
    >>> near_name("height_m", ["Hight", "colour"])
    'Hight'
    """
    stem = wanted.rsplit("_", 1)[0]
    score = {}
    for name in names:
        plain = name.strip().lower().replace(" ", "_").replace("-", "_")
        score[name] = max(
            difflib.SequenceMatcher(None, plain, target).ratio() for target in (wanted, stem)
        )
    best = max(score, key=lambda name: score[name], default=None)
    return best if best is not None and score[best] >= 0.75 else None


def _about(column: pa.Column) -> dict[str, Any]:
    return dict(column.metadata or {})


def _geometry_name(frame: pd.DataFrame) -> str | None:
    if isinstance(frame, gpd.GeoDataFrame):
        return str(frame.active_geometry_name)
    return None


def _unknown_columns(
    layer: Layer, frame: pd.DataFrame, used: tuple[str, ...], faults: Faults
) -> dict[str, pd.Series]:
    """Return the columns that the layer does not declare, in types that the database keeps."""
    geometry = _geometry_name(frame)
    columns = {}
    for name in frame.columns:
        if name in layer.columns or name in used or name == geometry:
            continue
        column = frame[name]
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
            column, wrong = to_text(column)
            expected = message("control characters cannot be stored; left empty")
            faults.values(str(name), wrong, frame[name], expected, "warning")
        columns[str(name)] = column
    return columns


def _declared_columns(layer: Layer, frame: pd.DataFrame, faults: Faults) -> dict[str, pd.Series]:
    """Convert the declared columns; report missing ones and values of a wrong type."""
    names = [str(name) for name in frame.columns]
    geometry = _geometry_name(frame)
    spare = [name for name in names if name not in layer.columns and name != geometry]
    columns = {}
    for name, column in layer.table.columns.items():
        about = _about(column)
        if name in frame.columns:
            converted, wrong = _CONVERTERS[about["kind"]](frame[name])
            faults.values(name, wrong, frame[name], expectation(column))
            if about["default"] is not None:
                converted = converted.fillna(about["default"])
            if about["kind"] == "flag":
                converted = converted.astype(bool)
            columns[name] = converted
            continue
        columns[name] = _missing_column(name, column, spare, len(frame), faults)
    return columns


def _missing_column(
    name: str, column: pa.Column, spare: list[str], count: int, faults: Faults
) -> pd.Series:
    about = _about(column)
    near = near_name(name, spare)
    missing = message("the column is missing")
    default = about["default"]
    if column.required:
        if near is not None:
            faults.whole(name, missing, message("did you mean the column {near}?", near=near))
        else:
            faults.whole(
                name, missing, message("found the columns {columns}", columns=", ".join(spare))
            )
    elif near is not None:
        faults.whole(
            name, missing, message("did you mean the column {near}?", near=near), "warning"
        )
    elif default is not None and about["kind"] == "number":
        taken = message("{value} is taken for every row", value=shown(default))
        faults.whole(name, missing, taken, "warning")
    dtype = {"number": "float64", "whole": "float64", "flag": "bool"}.get(about["kind"], TEXT)
    fill = default if default is not None else (False if about["kind"] == "flag" else np.nan)
    return pd.Series([fill] * count, dtype=dtype)


def _apply_schema(layer: Layer, columns: dict[str, pd.Series], faults: Faults) -> None:
    """Run pandera's checks on the converted columns and report each failing row."""
    table = pd.DataFrame(columns)
    if table.empty:
        return
    try:
        layer.table.validate(table, lazy=True)
    except SchemaErrors as failure:
        cases = failure.failure_cases
    else:
        return
    # A column that is missing altogether has been reported as such.
    cases = cases[cases["index"].notna() & ~cases["column"].isin(list(faults.missing))]
    for (name, check), group in cases.groupby(["column", "check"], sort=False):
        column = layer.table.columns[str(name)]
        mask = np.zeros(len(table), bool)
        mask[group["index"].to_numpy(dtype=np.int64)] = True
        values = table[str(name)]
        if check == "field_uniqueness":
            faults.duplicates(str(name), mask & values.notna().to_numpy(), values)
        else:
            faults.values(str(name), mask, values, expectation(column))


def _check_across(
    layer: str,
    columns: dict[str, pd.Series],
    shapes: gpd.GeoSeries | None,
    faults: Faults,
    context: Mapping[str, pd.DataFrame],
) -> None:
    """Check what concerns several columns, rows or layers."""
    if layer_named(layer).dated:
        _check_dates(LAYERS[layer].key, columns, faults)
    if layer == "zones" and shapes is not None:
        _check_zones(columns, shapes, faults)
    if layer == "cells" and context.get("masts") is not None:
        _check_masts_of_cells(columns, faults, context["masts"])
    if layer == "network_sites":
        _check_network_sites(columns, shapes, faults, context.get("zones"))
    if layer == "network_links":
        _check_network_links(columns, faults, context)
    if layer in _PARTS:
        part, whole = _PARTS[layer]
        above = (columns[part] > columns[whole]).fillna(False).to_numpy(bool)
        most = message("expected at most the value of {column}", column=whole)
        faults.values(part, above, columns[part], most)
    zones = context.get("zones")
    if (
        layer == "masts"
        and shapes is not None
        and zones is not None
        and len(zones)
        and shapes.crs == zones.crs
    ):
        outside = geo.outside(shapes, zones.geometry)
        faults.values(
            "geometry",
            outside,
            geo.coordinates_text(shapes),
            message("outside the study area; kept, it still serves the area"),
            "warning",
        )


def _check_masts_of_cells(
    columns: dict[str, pd.Series], faults: Faults, masts: pd.DataFrame
) -> None:
    by_mast = masts.drop_duplicates("mast_id").set_index("mast_id")["height_m"]
    height_m = by_mast.reindex(columns["mast_id"]).to_numpy(np.float64)
    known = columns["mast_id"].isin(masts["mast_id"]).to_numpy()
    orphan = ~known & columns["mast_id"].notna().to_numpy()
    faults.values(
        "mast_id",
        orphan,
        columns["mast_id"],
        message("expected a mast_id of the layer masts, which has {count}", count=len(masts)),
    )
    too_high = columns["antenna_height_m"].to_numpy() > height_m
    faults.values(
        "antenna_height_m",
        too_high,
        columns["antenna_height_m"],
        message("expected no more than the height of its mast; kept"),
        "warning",
    )


def _check_network_sites(
    columns: dict[str, pd.Series],
    shapes: gpd.GeoSeries | None,
    faults: Faults,
    zones: pd.DataFrame | None,
) -> None:
    """Report days out of order, days that the status denies, and doubtful zones."""
    status, connected = columns["status"], columns["connected_on"]
    valid_from, valid_to = columns["valid_from"], columns["valid_to"]
    _out_of_order(faults, "valid_to", columns, "valid_from")
    for name in ("connected_on", "planned_on"):
        _out_of_order(faults, name, columns, "valid_from")
        # A range that is out of order itself has been reported.
        backwards = (valid_to < valid_from).fillna(False)
        after = ((columns[name] > valid_to).fillna(False) & ~backwards).to_numpy(bool)
        faults.values(
            name,
            after,
            columns[name],
            message("expected no day after {column}", column="valid_to"),
        )
    for name, expected in (
        ("planned", message("expected no day while the status is planned; planned_on has it")),
        ("none", message("expected no day while the status is none")),
    ):
        denied = (status == name).fillna(False) & connected.notna()
        faults.values("connected_on", denied.to_numpy(bool), connected, expected)
    is_connected = (status == "connected").fillna(False)
    faults.values(
        "connected_on",
        (is_connected & connected.isna()).to_numpy(bool) & ~faults.faulty,
        connected,
        message("expected the day of the connection; it counts as connected from the start"),
        "warning",
    )
    _check_addresses(columns["addresses"], faults)
    early = is_connected & (connected < columns["planned_on"]).fillna(False)
    faults.values(
        "connected_on",
        early.to_numpy(bool),
        connected,
        message("earlier than planned_on; kept"),
        "warning",
    )
    undated = (status == "planned").fillna(False) & columns["planned_on"].isna()
    faults.values(
        "planned_on",
        undated.to_numpy(bool) & ~faults.faulty,
        columns["planned_on"],
        message("expected the day for which it is planned; it counts as not connected on any day"),
        "warning",
    )
    if zones is None or not len(zones):
        return
    code = columns["zone_code"]
    faults.values(
        "zone_code",
        (code.notna() & ~code.isin(zones["code"])).to_numpy(bool),
        code,
        message("expected the code of a zone; kept"),
        "warning",
    )
    if shapes is not None and shapes.crs == zones.crs:
        outside = geo.outside(shapes, zones.geometry)
        faults.values(
            "geometry",
            outside,
            geo.coordinates_text(shapes),
            message("outside the study area; kept"),
            "warning",
        )


def _check_addresses(addresses: pd.Series, faults: Faults) -> None:
    """Report what is no address range, and ranges that another site has, too."""
    wrong = np.zeros(len(addresses), bool)
    ranges: list[tuple[int, Range]] = []
    for position, cell in enumerate(addresses.tolist()):
        for part in listed(cell):
            found = as_range(part)
            if found is None:
                wrong[position] = True
            else:
                ranges.append((position, found))
    expected = message("expected address ranges such as 10.48.12.0/24")
    faults.values("addresses", wrong, addresses, expected)
    twice = np.zeros(len(addresses), bool)
    twice[list(overlapping(ranges))] = True
    faults.values(
        "addresses",
        twice & ~wrong,
        addresses,
        message("a range that another site has, too; kept"),
        "warning",
    )


def _check_network_links(
    columns: dict[str, pd.Series], faults: Faults, context: Mapping[str, pd.DataFrame]
) -> None:
    """Report links without a site at an end, loops, days out of order and unknown routes."""
    start, end = columns["from_site"], columns["to_site"]
    sites = context.get("network_sites")
    if sites is not None:
        expected = message(
            "expected a site_id of the layer network_sites, which has {count}", count=len(sites)
        )
        for name in ("from_site", "to_site"):
            column = columns[name]
            orphan = (column.notna() & ~column.isin(sites["site_id"])).to_numpy(bool)
            faults.values(name, orphan, column, expected)
    faults.values(
        "to_site",
        (start == end).fillna(False).to_numpy(bool),
        end,
        message("expected another site than from_site"),
    )
    _out_of_order(faults, "removed_on", columns, "connected_on")
    segments = context.get("fibre_segments")
    if segments is None:
        return
    known = set(segments["segment_id"])
    routes = columns["route"]
    strange: dict[int, str] = {}
    for position in np.flatnonzero(routes.notna().to_numpy(bool)).tolist():
        unknown = [name for name in route_segments(routes.iloc[position]) if name not in known]
        if unknown:
            strange[position] = ", ".join(unknown)
    for position, names in strange.items():
        faults.row(
            position,
            "route",
            shown(names),
            message("expected segment_id of the layer fibre_segments; kept"),
            "warning",
        )


def route_segments(route: object) -> list[str]:
    """Return the fibre segments of a route.

    Parameters
    ----------
    route
        Text of the column `route` of the layer network_links, or a missing value.

    Returns
    -------
    list of str
        Identifiers in their order, each once.

    Examples
    --------
    >>> route_segments("F1; F2;;F1"), route_segments(None)
    (['F1', 'F2'], [])
    """
    return listed(route)


def listed(cell: object) -> list[str]:
    """Return the parts of a text with semicolons between them, each once.

    Parameters
    ----------
    cell
        A text, or a missing value.

    Returns
    -------
    list of str
        Parts in their order.
    """
    if not isinstance(cell, str):
        return []
    names = (name.strip() for name in cell.split(LIST_SEPARATOR))
    return list(dict.fromkeys(name for name in names if name))


def _out_of_order(faults: Faults, later: str, columns: dict[str, pd.Series], earlier: str) -> None:
    faults.values(
        later,
        (columns[later] < columns[earlier]).fillna(False).to_numpy(bool),
        columns[later],
        message("expected a day not before {column}", column=earlier),
    )


def _check_zones(columns: dict[str, pd.Series], shapes: gpd.GeoSeries, faults: Faults) -> None:
    usable = shapes.notna().to_numpy() & ~faults.faulty
    area_km2 = shapes.area.to_numpy() / 1e6
    empty = columns["area_km2"].isna().to_numpy() & usable
    columns["area_km2"] = columns["area_km2"].where(~empty, area_km2)
    parent = columns["parent_code"]
    faults.values(
        "parent_code",
        parent.notna().to_numpy() & ~parent.isin(columns["code"]).to_numpy(),
        parent,
        message("expected the code of another zone of the layer; kept"),
        "warning",
    )
    # A code that is used again may be that of the parent, too.
    alone = ~columns["code"].duplicated(keep=False).to_numpy()
    faults.values(
        "parent_code",
        (parent == columns["code"]).fillna(False).to_numpy(dtype=bool) & alone,
        parent,
        message("expected the code of another zone than itself"),
    )
    overlaps = geo.overlaps(shapes, columns["level"], usable, _periods(columns))
    for first, second, overlap_km2, share in overlaps:
        code = columns["code"].iloc[first]
        if share > 0.999:
            said = message("the zone covers the same ground as {code}", code=code)
        else:
            said = message(
                "the zone overlaps {code} by {area} km²", code=code, area=f"{overlap_km2:.3g}"
            )
        faults.row(
            second, "geometry", said, message("expected zones of a level side by side"), "warning"
        )


def _check_dates(key: str, columns: dict[str, pd.Series], faults: Faults) -> None:
    """Report rows that end before they begin, and two of a code that are valid on one day."""
    faults.values(
        "valid_to",
        (columns["valid_to"] < columns["valid_from"]).fillna(False).to_numpy(dtype=bool),
        columns["valid_to"],
        message("expected a day after valid_from"),
    )
    code = columns[key]
    again = np.flatnonzero((code.duplicated(keep=False) & code.notna()).to_numpy())
    start, end = _periods(columns)
    lasting: dict[object, int] = {}
    for position in sorted(again.tolist(), key=lambda k: (start[k], k)):
        value = code.iloc[position]
        other = lasting.setdefault(value, position)
        if other != position and start[position] <= end[other]:
            first, second = sorted((other, position))
            expected = message(
                "expected a code that no other row has at the same time; row {row} has it too, "
                "so valid_from and valid_to must part them",
                row=faults.rows[first],
            )
            faults.row(second, key, shown(value), expected)
        if end[position] > end[other]:
            lasting[value] = position


def _periods(columns: dict[str, pd.Series]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return first and last day of every zone as text that sorts, open ends included."""
    start = columns["valid_from"].fillna("0000-00-00").to_numpy(dtype=object)
    end = columns["valid_to"].fillna("9999-99-99").to_numpy(dtype=object)
    return start, end
