"""The maps of a report, drawn without anything from the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from coverage.results import ANY_OPERATOR
from data.errors import Message, message
from planning import names, network_report
from planning.broadband_request import SERVED
from planning.reports import map_sheet, words
from planning.reports.inputs import Inputs, present
from planning.reports.language import Language
from planning.reports.map_sheet import Entry, Sheet
from planning.reports.model import Day, Number, Picture, Share

#: Places without coverage that get a number on the map.
NUMBERED = 30

SEGMENT_COLOURS = {"aerial": "#e4572e", "duct": "#1d6f8f", "buried": "#5a3e99"}
CLASS_COLOURS = {
    "A1a": "#3fa39b", "A1b": "#8ccf86", "A2a": "#e4a11b", "A2b": "#1d6f8f", "A2c": "#c0392b",
}  # fmt: skip
_SITE_COLOURS = {"connected": "#1d7f8c", "planned": "#e4a11b", "none": "#c0392b"}
_SITE_MARKERS = {"province": "s", "district": "D", "commune": "o"}
_MAST = "#16262e"


def _finished(
    inputs: Inputs,
    language: Language,
    draw: Callable[[Sheet], list[Entry]],
    about: Message | None = None,
) -> bytes:
    """Draw a map with everything that all of them have."""
    sheet = Sheet(inputs.communes, language)
    entries = draw(sheet)
    sheet.borders(inputs.wider)
    sheet.names()
    crs = pyproj.CRS(inputs.zones.crs)
    parts = [language.say(about)] if about is not None else []
    parts += [
        crs.name,
        language.say(message("data as of {day}", day=Day(inputs.day))),
    ]
    if inputs.generated:
        parts.insert(0, language.say(message("Illustrative data")))
    sheet.legend(entries)
    sheet.scale(" · ".join(parts))
    return sheet.png()


def _masts(inputs: Inputs) -> gpd.GeoDataFrame | None:
    masts = inputs.layer("masts")
    if masts is None:
        return None
    masts = masts[masts["status"] == "existing"]
    return masts if len(masts) else None


_COVERAGE_TITLE = {
    "any": message("Coverage by any technology, all operators together"),
    "3G_or_4G": message("Coverage by 3G or 4G, all operators together"),
}


def coverage(inputs: Inputs, service: str) -> Picture:
    """Return the map of where a service counts as covered.

    Parameters
    ----------
    inputs
        What is known, with a coverage.
    service
        Technology or union.

    Returns
    -------
    Picture
        The map.
    """
    result = present(inputs.coverage)
    share = _total(result.figures, inputs.whole, service, "area")

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            covered = result.covered(service).values
            colours = np.empty((*covered.shape, 4), np.uint8)
            colours[:] = map_sheet.rgba(map_sheet.NOT_COVERED)
            colours[covered] = map_sheet.rgba(map_sheet.COVERED)
            sheet.picture(colours, result.grid)
            entries = [
                Entry(language.say(message("covered")), map_sheet.COVERED),
                Entry(language.say(message("not covered")), map_sheet.NOT_COVERED),
            ]
            masts = _masts(inputs)
            if masts is not None:
                sheet.points(masts.geometry, _MAST, 2.6)
                entries.append(
                    Entry(language.say(message("mast in operation")), _MAST, "point", "o")
                )
            return entries

        return _finished(inputs, language, content)

    name = words.named(names.SERVICES, service)
    return Picture(
        f"map_coverage_{service}",
        _COVERAGE_TITLE.get(
            service,
            message("Coverage by {service}, all operators together", service=name),
        ),
        message(
            "Map of the area with its units: {share} of the area is covered by {service}; the "
            "places that are not covered are shown in another colour.",
            share=share,
            service=name,
        ),
        draw,
    )


def _total(figures: pd.DataFrame, zone: int, service: str, measure: str) -> Share:
    rows = figures[
        (figures["zone"] == zone)
        & (figures["service"] == service)
        & (figures["measure"] == measure)
        & (figures["operator"] == ANY_OPERATOR)
    ]
    return Share(float(rows["share"].iloc[0]) if len(rows) else None)


def holes(inputs: Inputs, service: str) -> Picture:
    """Return the map of the places without a service, numbered as in their table.

    Parameters
    ----------
    inputs
        What is known, with places without coverage.
    service
        Technology or "any".

    Returns
    -------
    Picture
        The map.
    """
    regions = present(inputs.holes)[service]

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            sheet.fill(["#ffffff"] * len(inputs.communes))
            shape = regions.geometry.union_all()
            for part in gpd.GeoSeries([shape], crs=regions.crs).explode():
                if part.geom_type == "Polygon":
                    sheet.area(part, map_sheet.NOT_COVERED)
            first = regions.head(NUMBERED)
            places = gpd.GeoSeries(gpd.points_from_xy(first["x_m"], first["y_m"]))
            sheet.numbers(places, [str(int(rank)) for rank in first["rank"]])
            return [
                Entry(language.say(message("not covered")), map_sheet.NOT_COVERED),
                Entry(
                    language.say(message("Number: place in the table, by people")),
                    "#7a1405",
                    "point",
                    "$1$",
                ),
            ]

        return _finished(inputs, language, content)

    name = words.named(names.SERVICES, service)
    return Picture(
        f"map_holes_{service}",
        message("Places without {service}", service=name),
        message(
            "Map of the {count} places without {service}; the places with the most people carry "
            "their number in the table.",
            count=Number(len(regions)),
            service=name,
        ),
        draw,
    )


def shares(
    inputs: Inputs,
    key: str,
    values: Mapping[int, float],
    title: Message,
    alternative: Message,
) -> Picture:
    """Return a map of the finest units coloured by a share.

    Parameters
    ----------
    inputs
        What is known.
    key
        Name of the picture.
    values
        Row in `zones` -> share, 0 to 1.
    title, alternative
        Its caption, and what it shows.

    Returns
    -------
    Picture
        The map.
    """

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            sheet.fill(
                [map_sheet.share_colour(values.get(int(zone))) for zone in inputs.communes.index]
            )
            return map_sheet.share_entries(language)

        return _finished(inputs, language, content)

    return Picture(key, title, alternative, draw)


def broadband(inputs: Inputs) -> Picture:
    """Return the map of the share of households with fixed broadband by commune."""
    rows = present(inputs.broadband).figures
    rows = rows[(rows["service"] == SERVED) & (rows["measure"] == "household")]
    return shares(
        inputs,
        "map_broadband",
        {int(zone): float(share) for zone, share in zip(rows["zone"], rows["share"], strict=True)},
        message("Share of households that fibre can serve, by commune"),
        message("Map of the communes, coloured by the share of households that fibre can serve."),
    )


def network(inputs: Inputs) -> Picture:
    """Return the map of the sites and live links of the dedicated network."""
    state = present(inputs.network)

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            sheet.fill(["#ffffff"] * len(inputs.communes))
            entries = []
            links = network_report.link_lines(state.network)
            if len(links):
                sheet.routes(links.geometry, "#6b7c85", 0.8)
                entries.append(Entry(language.say(message("live link")), "#6b7c85", "line"))
            sites = state.sites
            for status, colour in _SITE_COLOURS.items():
                for level, marker in _SITE_MARKERS.items():
                    own = sites[(sites["status"] == status) & (sites["level"] == level)]
                    if not len(own):
                        continue
                    sheet.points(own.geometry, colour, 5.0, marker, keep_clear=True)
                    entries.append(
                        Entry(
                            language.say(
                                message(
                                    "{level}, {status}",
                                    level=words.LEVELS[level],
                                    status=names.SITE_STATUSES[status],
                                )
                            ),
                            colour,
                            "point",
                            marker,
                        )
                    )
            return entries

        return _finished(inputs, language, content)

    return Picture(
        "map_network",
        message("Sites and live links of the dedicated data network"),
        message("Map of the sites of the dedicated network by level and state, with live links."),
        draw,
    )


def masts(inputs: Inputs) -> Picture:
    """Return the map of the masts by class."""
    frame = present(inputs.layer("masts"))

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            sheet.fill(["#ffffff"] * len(inputs.communes))
            entries = []
            classes = frame["mast_class"].fillna("")
            for name in sorted(set(classes), key=lambda name: (-(classes == name).sum(), name)):
                colour = CLASS_COLOURS.get(name, "#7b8a92")
                own = frame[classes == name]
                sheet.points(own.geometry, colour, 2.6)
                text = name or language.say(words.NOT_STATED)
                count = language.number(len(own))
                entries.append(Entry(f"{text} ({count})", colour, "point"))
            return entries

        return _finished(inputs, language, content)

    return Picture(
        "map_masts",
        message("Antenna masts by class"),
        message("Map of the antenna masts, coloured by class."),
        draw,
    )


def cables(inputs: Inputs) -> Picture:
    """Return the map of the cable routes by how they are laid."""
    frame = present(inputs.layer("fibre_segments"))

    def draw(language: Language) -> bytes:
        def content(sheet: Sheet) -> list[Entry]:
            sheet.fill(["#ffffff"] * len(inputs.communes))
            entries = []
            for kind, colour in SEGMENT_COLOURS.items():
                own = frame[frame["segment_type"] == kind]
                if len(own):
                    sheet.routes(own.geometry, colour, 0.8)
                    text = language.say(words.SEGMENT_TYPES[kind])
                    length = language.number(float(own.length.sum()) / 1000.0, 1, "km")
                    entries.append(Entry(f"{text}: {length}", colour, "line"))
            return entries

        return _finished(inputs, language, content)

    return Picture(
        "map_cables",
        message("Cable routes by how they are laid"),
        message("Map of the cable routes: on poles, in ducts, buried."),
        draw,
    )
