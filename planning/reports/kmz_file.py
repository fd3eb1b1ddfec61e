"""Write what a report shows for Google Earth: units by coverage, masts, coverage as pictures."""

from __future__ import annotations

import html
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch
from numpy.typing import NDArray
from PIL import Image

from coverage.results import ANY_OPERATOR
from data.errors import message
from data.grid import Grid
from data.warp_classes import OUTSIDE, classes_in
from planning import names
from planning.reports import map_sheet, words
from planning.reports.inputs import Inputs, present
from planning.reports.language import Language, clean
from planning.reports.map_sheet import COVERED, NOT_COVERED

WGS84 = "EPSG:4326"

#: Longest side of a picture. [pixels]
LONGEST_SIDE = 4096

#: How far a border may move. [m]
SIMPLIFY_M = 20.0


@dataclass(frozen=True, eq=False)
class Overlay:
    """Classes on a grid of longitude and latitude.

    Parameters
    ----------
    classes
        0 not covered, 1 covered, 255 outside; the first row is the northern one.
    west, south, east, north
        Outer edges. [deg]
    """

    classes: NDArray[np.uint8]
    west: float
    south: float
    east: float
    north: float


def overlay(covered: NDArray[np.bool_], inside: NDArray[np.bool_], grid: Grid) -> Overlay:
    """Bring coverage onto a grid of longitude and latitude, as Google Earth lays pictures.

    Parameters
    ----------
    covered, inside
        Whether a pixel of `grid` counts as covered, and lies in the area.
    grid
        Their frame.

    Returns
    -------
    Overlay
        Nearest neighbours.
    """
    classes = np.where(inside, covered.astype(np.uint8), np.uint8(OUTSIDE))
    warped, (west, south, east, north) = classes_in(classes, grid, WGS84, LONGEST_SIDE)
    return Overlay(warped, west, south, east, north)


def write(inputs: Inputs, language: Language, path: Path) -> None:
    """Write a KMZ.

    Parameters
    ----------
    inputs
        What is known.
    language
        Language of its texts.
    path
        File to make.
    """
    pictures: dict[str, bytes] = {}
    document = "".join(_document(inputs, language, pictures))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        # Readers take the first KML of the archive.
        _add(archive, "doc.kml", document.encode("utf-8"))
        pictures["files/mast.png"] = _mast_icon()
        for name, content in pictures.items():
            _add(archive, name, content)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    part = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    part.compress_type = zipfile.ZIP_DEFLATED
    part.external_attr = 0o644 << 16
    archive.writestr(part, content)


def _document(inputs: Inputs, language: Language, pictures: dict[str, bytes]) -> Iterator[str]:
    area = inputs.workspace.area
    title = area.title_vi if language.code == "vi" else area.title_en
    if inputs.generated:
        title = f"{title} – {language.say(message('Illustrative data'))}"
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<name>{_xml(title)}</name>\n"
    )
    yield from _styles()
    if inputs.coverage is not None:
        yield from _overlays(inputs, language, pictures)
    yield from _communes(inputs, language, pictures)
    masts = inputs.layer("masts")
    if masts is not None:
        yield from _masts(masts, language)
    yield "</Document></kml>\n"


def _styles() -> Iterator[str]:
    for k, colour in enumerate((*map_sheet.SHARE_COLOURS, map_sheet.NO_VALUE)):
        yield (
            f'<Style id="share{k}"><LineStyle><color>ff546169</color><width>1.2</width>'
            f"</LineStyle><PolyStyle><color>{_kml_colour(colour, 'a0')}</color></PolyStyle>"
            "</Style>\n"
        )
    yield (
        '<Style id="mast"><IconStyle><color>ff2e2616</color><scale>0.5</scale><Icon>'
        "<href>files/mast.png</href></Icon></IconStyle><LabelStyle><scale>0</scale>"
        "</LabelStyle></Style>\n"
    )


def _kml_colour(colour: str, opacity: str) -> str:
    """Return a colour in KML's order: opacity, blue, green, red."""
    return f"{opacity}{colour[5:7]}{colour[3:5]}{colour[1:3]}"


# Coverage as pictures


def inside_area(inputs: Inputs, grid: Grid) -> NDArray[np.bool_]:
    """Return which pixels of a grid have their middle in the area."""
    outline = shapely.union_all(inputs.communes.geometry.to_numpy())
    mask = rasterio.features.geometry_mask([outline], grid.shape, grid.transform, invert=True)
    return np.asarray(mask, bool)


def _overlays(inputs: Inputs, language: Language, pictures: dict[str, bytes]) -> Iterator[str]:
    result = present(inputs.coverage)
    inside = inside_area(inputs, result.grid)
    services = names.ordered(result.figures["service"])
    shown = "4G" if "4G" in services else services[0]
    yield f"<Folder><name>{_xml(language.say(message('Coverage maps')))}</name>\n"
    for service in services:
        found = overlay(result.covered(service).values, inside, result.grid)
        name = f"files/covered_{service}.png"
        pictures[name] = _png(found.classes)
        title = language.name(words.named(names.SERVICES, service))
        yield (
            f"<GroundOverlay><name>{_xml(title)}</name>"
            f"<visibility>{int(service == shown)}</visibility><color>b0ffffff</color>"
            f"<Icon><href>{name}</href></Icon><LatLonBox><north>{found.north:.9f}</north>"
            f"<south>{found.south:.9f}</south><east>{found.east:.9f}</east>"
            f"<west>{found.west:.9f}</west></LatLonBox></GroundOverlay>\n"
        )
    yield "</Folder>\n"
    legend = [
        (COVERED, language.say(message("covered"))),
        (NOT_COVERED, language.say(message("not covered"))),
    ]
    pictures["files/legend_covered.png"] = _legend(language.say(message("Coverage maps")), legend)
    yield _screen(language.say(message("Legend")), "files/legend_covered.png", 0.02, 0.98)


def _png(classes: NDArray[np.uint8]) -> bytes:
    """Return a picture with a palette: not covered, covered, and transparent outside."""
    image = Image.fromarray(classes)
    palette = [0] * 768
    for k, colour in enumerate((NOT_COVERED, COVERED)):
        palette[3 * k : 3 * k + 3] = map_sheet.rgba(colour)[:3]
    image.putpalette(palette)
    written = io.BytesIO()
    image.save(written, format="PNG", optimize=True, transparency=OUTSIDE)
    return written.getvalue()


def _screen(title: str, file: str, x: float, y: float) -> str:
    return (
        f"<ScreenOverlay><name>{_xml(title)}</name><Icon><href>{file}</href></Icon>"
        f'<overlayXY x="0" y="1" xunits="fraction" yunits="fraction"/>'
        f'<screenXY x="{x}" y="{y}" xunits="fraction" yunits="fraction"/>'
        '<size x="0" y="0" xunits="fraction" yunits="fraction"/></ScreenOverlay>\n'
    )


def _legend(title: str, entries: list[tuple[str, str]]) -> bytes:
    figure = Figure(figsize=(2.4, 0.26 * len(entries) + 0.4), dpi=100)
    FigureCanvasAgg(figure)
    legend = figure.legend(
        handles=[Patch(facecolor=colour, label=text) for colour, text in entries],
        title=title,
        loc="center left",
        fontsize=8,
        title_fontsize=8,
        frameon=False,
    )
    legend.get_title().set_parse_math(False)
    written = io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


# Units


def _communes(inputs: Inputs, language: Language, pictures: dict[str, bytes]) -> Iterator[str]:
    zones = inputs.communes
    simple = zones.geometry.simplify_coverage(SIMPLIFY_M).to_crs(WGS84)
    figures, service = _shares(inputs)
    title = language.say(
        message(
            "Communes by share of area covered by {service}",
            service=words.named(names.SERVICES, service),
        )
        if service
        else message("Communes")
    )
    yield f"<Folder><name>{_xml(title)}</name>\n"
    for zone in zones.index:
        own = figures.get(int(zone), {})
        share = own.get((service, "area"))
        style = _share_class(share)
        yield (
            f"<Placemark><name>{_xml(str(zones.loc[zone, 'name']))}</name>"
            f"<description>{_description(_facts(zones.loc[zone], own, language))}</description>"
            f"<styleUrl>#share{style}</styleUrl>{_shape(simple.loc[zone])}</Placemark>\n"
        )
    yield "</Folder>\n"
    if service:
        entries = [(each.colour, each.text) for each in map_sheet.share_entries(language)]
        pictures["files/legend_share.png"] = _legend(title.replace(": ", ":\n"), entries)
        yield _screen(language.say(message("Legend")), "files/legend_share.png", 0.02, 0.84)


def _shares(inputs: Inputs) -> tuple[dict[int, dict[tuple[str, str], float]], str]:
    if inputs.coverage is None:
        return {}, ""
    rows = inputs.coverage.figures
    rows = rows[(rows["operator"] == ANY_OPERATOR) & rows["zone"].isin(inputs.communes.index)]
    found: dict[int, dict[tuple[str, str], float]] = {}
    for row in rows.to_dict("records"):
        own = found.setdefault(int(row["zone"]), {})
        own[str(row["service"]), str(row["measure"])] = float(row["share"])
    services = names.ordered(rows["service"])
    return found, "4G" if "4G" in services else services[-1]


def _share_class(share: float | None) -> int:
    colours = (*map_sheet.SHARE_COLOURS, map_sheet.NO_VALUE)
    return colours.index(map_sheet.share_colour(share))


def _facts(
    zone: pd.Series, own: dict[tuple[str, str], float], language: Language
) -> list[tuple[str, str]]:
    facts = [(language.say(message("Code")), str(zone["code"]))]
    for (service, measure), share in own.items():
        label = language.say(
            message(
                "{service}, {measure}",
                service=words.named(names.SERVICES, service),
                measure=words.named(names.MEASURES, measure),
            )
        )
        facts.append((label, language.percent(share)))
    return facts


# Masts


def _masts(masts: gpd.GeoDataFrame, language: Language) -> Iterator[str]:
    degrees = masts.geometry.to_crs(WGS84)
    yield f"<Folder><name>{_xml(language.say(names.LAYERS['masts']))}</name>\n"
    owners = masts["owner"].fillna("")
    for owner in sorted(owners.unique()):
        title = owner or language.say(words.NOT_STATED)
        yield f"<Folder><name>{_xml(title)}</name>\n"
        for position in np.flatnonzero(owners == owner):
            row, place = masts.iloc[position], degrees.iloc[position]
            name = row["name"] if isinstance(row["name"], str) else row["mast_id"]
            facts = [
                (language.say(message("Mast")), str(row["mast_id"])),
                (language.say(message("Owner")), title),
                (language.say(message("Class")), _known(row["mast_class"])),
                (language.say(message("Height, m")), language.number(row["height_m"], 1)),
                (
                    language.say(message("State")),
                    language.name(words.named(names.STATUSES, row["status"])),
                ),
            ]
            yield (
                f"<Placemark><name>{_xml(str(name))}</name>"
                f"<description>{_description(facts)}</description>"
                f"<styleUrl>#mast</styleUrl>{_shape(place)}</Placemark>\n"
            )
        yield "</Folder>\n"
    yield "</Folder>\n"


def _mast_icon() -> bytes:
    """Return a disc, so that nothing has to come from the network."""
    figure = Figure(figsize=(0.32, 0.32), dpi=100)
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0.0)
    figure.add_artist(Circle((0.5, 0.5), 0.42, transform=figure.transFigure, color="white"))
    written = io.BytesIO()
    figure.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _known(value: object) -> str:
    return value if isinstance(value, str) else "–"


# XML


def _xml(text: str) -> str:
    return escape(clean(text))


def _description(facts: list[tuple[str, str]]) -> str:
    """Return a balloon's text: HTML with every value escaped, and that escaped for XML."""
    rows = "".join(
        f"<tr><th align='left'>{html.escape(clean(name))}</th>"
        f"<td>{html.escape(clean(value))}</td></tr>"
        for name, value in facts
    )
    return escape(f"<table>{rows}</table>")


def _shape(shape: Any) -> str:
    if shape.geom_type.startswith("Multi"):
        return f"<MultiGeometry>{''.join(_shape(part) for part in shape.geoms)}</MultiGeometry>"
    if shape.geom_type == "Point":
        return f"<Point>{_coordinates(shape)}</Point>"
    holes = "".join(
        f"<innerBoundaryIs><LinearRing>{_coordinates(ring)}</LinearRing></innerBoundaryIs>"
        for ring in shape.interiors
    )
    return (
        f"<Polygon><outerBoundaryIs><LinearRing>{_coordinates(shape.exterior)}</LinearRing>"
        f"</outerBoundaryIs>{holes}</Polygon>"
    )


def _coordinates(shape: Any) -> str:
    places = shapely.get_coordinates(shape)
    return f"<coordinates>{' '.join(f'{x:.7f},{y:.7f}' for x, y in places)}</coordinates>"
