"""The sections about mobile coverage: figures by unit, maps, places without service."""

from __future__ import annotations

import math
from collections.abc import Mapping

import geopandas as gpd
import pandas as pd

from coverage.results import ANY_OPERATOR
from data.errors import Message, message
from planning import names
from planning.reports import charts, maps, words
from planning.reports.inputs import LEAST_HOLE_KM2, PARTS, Inputs, present
from planning.reports.model import (
    Block,
    Column,
    Note,
    Number,
    Paragraph,
    Picture,
    Section,
    Share,
    Table,
    Value,
)

#: Places without coverage that are listed in the document; the GeoPackage has all.
HOLES_LISTED = 30

_MEASURES = ("area", "population", "village")

_BY_LEVEL = {
    ("district", "area"): message("Share of area covered, by district"),
    ("district", "population"): message("Share of population covered, by district"),
    ("district", "village"): message("Share of villages covered, by district"),
    ("commune", "area"): message("Share of area covered, by commune"),
    ("commune", "population"): message("Share of population covered, by commune"),
    ("commune", "village"): message("Share of villages covered, by commune"),
}

_LEVEL_SECTION = {
    "district": message("By district"),
    "commune": message("By commune"),
}


def estimate(row: pd.Series | None) -> Value:
    """Return share, low and high of a row of figures."""
    if row is None:
        return None
    return (
        _finite(row["share"]),
        _finite(row["interval_low"]),
        _finite(row["interval_high"]),
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def measures_of(figures: pd.DataFrame) -> list[str]:
    """Return the measures that have a whole, in the order in which they are read."""
    there = set(figures.loc[figures["weight"] > 0, "measure"])
    return [name for name in _MEASURES if name in there]


def _pivot(figures: pd.DataFrame, operator: str) -> dict[tuple[int, str, str], pd.Series]:
    own = figures[figures["operator"] == operator]
    return {
        (int(row["zone"]), str(row["service"]), str(row["measure"])): row
        for _, row in own.iterrows()
    }


def services_of(figures: pd.DataFrame) -> list[str]:
    """Return the services of a table of figures as they are read."""
    return names.ordered(figures["service"])


def totals(inputs: Inputs) -> Table:
    """Return the table of the whole area: services by measures, with intervals."""
    figures = present(inputs.coverage).figures
    measures = measures_of(figures)
    found = _pivot(figures[figures["zone"] == inputs.whole], ANY_OPERATOR)
    columns = [Column("service", message("Technology"), width=1.6)]
    for measure in measures:
        weight = found[inputs.whole, services_of(figures)[0], measure]["weight"]
        columns.append(
            Column(
                measure,
                message(
                    "{measure}, {whole}",
                    measure=names.MEASURES[measure],
                    whole=words.whole(measure, float(weight)),
                ),
                "estimate",
                width=1.6,
            )
        )
    rows = tuple(
        (
            words.named(names.SERVICES, service),
            *(estimate(found.get((inputs.whole, service, measure))) for measure in measures),
        )
        for service in services_of(figures)
    )
    return Table(
        "coverage_total",
        message("Coverage of the whole area by technology, all operators together"),
        tuple(columns),
        rows,
        message(
            "Second line: 95% interval. Area, population and villages are different claims and "
            "stand side by side."
        ),
    )


def _by_operator(inputs: Inputs) -> Table:
    figures = present(inputs.coverage).figures
    measures = measures_of(figures)
    whole = figures[figures["zone"] == inputs.whole]
    operators = [name for name in whole["operator"].unique() if name != ANY_OPERATOR]
    rows: list[tuple[Value, ...]] = []
    for operator in sorted(operators):
        found = _pivot(whole, operator)
        rows += [
            (
                operator,
                words.named(names.SERVICES, service),
                *(estimate(found.get((inputs.whole, service, measure))) for measure in measures),
            )
            for service in services_of(whole)
        ]
    return Table(
        "coverage_operators",
        message("Coverage of the whole area by operator"),
        (
            Column("operator", message("Operator")),
            Column("service", message("Technology"), width=1.4),
            *(Column(name, names.MEASURES[name], "estimate", width=1.4) for name in measures),
        ),
        tuple(rows),
        message("Each operator's figure counts its own cells only."),
    )


def _by_zone(inputs: Inputs, level: str, measure: str) -> Table:
    figures = present(inputs.coverage).figures
    services = services_of(figures)
    rows = []
    zones = inputs.of(level)
    found = _pivot(figures[figures["zone"].isin(zones.index)], ANY_OPERATOR)
    for zone in zones.index:
        cells = [found.get((int(zone), service, measure)) for service in services]
        weight = next((float(cell["weight"]) for cell in cells if cell is not None), None)
        rows.append(
            (
                str(zones.loc[zone, "code"]),
                str(zones.loc[zone, "name"]),
                weight,
                *(estimate(cell) for cell in cells),
            )
        )
    return Table(
        f"coverage_{level}_{measure}",
        _BY_LEVEL[level, measure],
        (
            Column("code", message("Code"), width=0.8),
            Column("name", message("Name"), width=1.9),
            Column(
                "weight",
                words.WEIGHTS[measure],
                "number",
                digits=1 if measure == "area" else 0,
                width=1.0,
            ),
            *(
                Column(service, words.named(names.SERVICES, service), "estimate", width=1.25)
                for service in services
            ),
        ),
        tuple(rows),
        message(
            "{units}. All operators together; second line: 95% interval.",
            units=inputs.vintage(level),
        ),
    )


def sentences(inputs: Inputs) -> list[Paragraph]:
    """Say the figures of the whole area in sentences, as reports do."""
    figures = present(inputs.coverage).figures
    found = _pivot(figures[figures["zone"] == inputs.whole], ANY_OPERATOR)
    said = []
    for service in services_of(figures):
        row = found.get((inputs.whole, service, "area"))
        if row is None:
            continue
        people = found.get((inputs.whole, service, "population"))
        values = {
            "service": words.named(names.SERVICES, service),
            "area": Share(float(row["share"])),
            "low": Share(float(row["interval_low"])),
            "high": Share(float(row["interval_high"])),
        }
        if people is None or not math.isfinite(people["share"]):
            said.append(
                message(
                    "{service}: {area} of the area is computed to be covered (95% interval {low} "
                    "to {high}).",
                    **values,
                )
            )
        else:
            said.append(
                message(
                    "{service}: {area} of the area is computed to be covered (95% interval {low} "
                    "to {high}), and {people} of the population.",
                    people=Share(float(people["share"])),
                    **values,
                )
            )
    return [Paragraph(text) for text in said]


def section(inputs: Inputs) -> Section:
    """Return the section about mobile coverage.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Totals, maps and tables by unit; or why there are none.
    """
    if inputs.coverage is None:
        reason = inputs.missing.get("coverage")
        return Section("coverage", PARTS["coverage"], (Note(words.not_computed(reason)),))
    summary = inputs.coverage.summary
    blocks: list[Block] = [
        Paragraph(
            message(
                "Computed with the model {model} on pixels of {resolution}, for the conditions "
                "“{profile}”. A place counts as covered if the threshold is reached with the "
                "probability that is asked for; the section on the method says more.",
                model=summary["provenance"]["model_reference"],
                resolution=Number(float(summary["resolution_m"]), unit="m"),
                profile=words.named(names.PROFILES, summary["provenance"]["threshold_profile"]),
            )
        ),
        totals(inputs),
        charts.technologies(inputs),
        _by_operator(inputs),
    ]
    measures = measures_of(inputs.coverage.figures)
    parts = [
        Section(
            f"coverage_{level}",
            _LEVEL_SECTION[level],
            tuple(
                [_by_zone(inputs, level, measure) for measure in measures]
                + ([charts.least_covered(inputs)] if level == inputs.levels[-1] else [])
            ),
        )
        for level in inputs.levels
    ]
    drawn = tuple(maps.coverage(inputs, service) for service in _mapped(inputs))
    return Section(
        "coverage",
        PARTS["coverage"],
        tuple(blocks),
        (Section("coverage_maps", message("Coverage maps"), drawn), *parts),
    )


def _mapped(inputs: Inputs) -> list[str]:
    return [
        service
        for service in services_of(present(inputs.coverage).figures)
        if service != "3G_or_4G"
    ]


# Places without coverage


_LISTED: dict[str, Message] = {
    "2G": message("Places without 2G with the most people"),
    "3G": message("Places without 3G with the most people"),
    "4G": message("Places without 4G with the most people"),
    "5G": message("Places without 5G with the most people"),
    "any": message("Places without any mobile network"),
}


def holes_section(inputs: Inputs) -> Section:
    """Return the section about places without coverage.

    Parameters
    ----------
    inputs
        What is known.

    Returns
    -------
    Section
        Totals by technology, a map and the places with most people.
    """
    if inputs.holes is None:
        reason = inputs.missing.get("coverage")
        return Section("holes", PARTS["holes"], (Note(words.not_computed(reason)),))
    rows = tuple(
        (
            words.named(names.SERVICES, name),
            len(inputs.holes[name]),
            float(inputs.holes[name]["area_km2"].sum()),
            float(inputs.holes[name]["people"].sum()),
            int(inputs.holes[name]["villages"].sum()),
        )
        for name in names.ordered(inputs.holes)
    )
    table = Table(
        "holes_total",
        message("Places without coverage, all operators together"),
        (
            Column("service", message("Without"), width=1.5),
            Column("count", message("Places"), "number", 0),
            Column("area_km2", message("Area, km²"), "number", 2),
            Column("people", message("People"), "number", 0),
            Column("villages", message("Villages"), "number", 0),
        ),
        rows,
        message(
            "Only connected places of at least {area} km²; the sums are therefore a little "
            "smaller than what is missing from the shares of coverage.",
            area=Number(LEAST_HOLE_KM2, 2),
        ),
    )
    newest = _newest(inputs.holes)
    listed = [name for name in dict.fromkeys((newest, "any")) if len(inputs.holes[name])]
    pictures: list[Picture] = [maps.holes(inputs, newest)] if len(inputs.holes[newest]) else []
    return Section(
        "holes",
        PARTS["holes"],
        (table, *pictures, *(_list(inputs, name, inputs.holes[name]) for name in listed)),
    )


def _newest(holes: Mapping[str, gpd.GeoDataFrame]) -> str:
    single = [name for name in names.ordered(holes) if name not in ("any", "3G_or_4G")]
    return "4G" if "4G" in single else single[-1]


def _list(inputs: Inputs, name: str, regions: gpd.GeoDataFrame) -> Table:
    shown = regions.head(HOLES_LISTED)
    places = gpd.GeoSeries(gpd.points_from_xy(shown["x_m"], shown["y_m"]), crs=regions.crs)
    degrees = places.to_crs("EPSG:4326")
    rows = tuple(
        (
            int(row.rank),
            str(row.zone_name or ""),
            float(row.area_km2),
            float(row.people),
            int(row.villages),
            str(row.village_names or ""),
            float(point.y),
            float(point.x),
        )
        for row, point in zip(shown.itertuples(), degrees, strict=True)
    )
    note = None
    if len(regions) > len(shown):
        note = message(
            "The first {shown} of {count} places; the GeoPackage of the data has all of them.",
            shown=Number(len(shown)),
            count=Number(len(regions)),
        )
    return Table(
        f"holes_{name}",
        _LISTED[name],
        (
            Column("rank", message("No."), "number", 0, width=0.6),
            Column("zone", message("Commune or ward"), width=2.0),
            Column("area_km2", message("Area, km²"), "number", 2),
            Column("people", message("People"), "number", 0),
            Column("villages", message("Villages"), "number", 0),
            Column("village_names", message("Names of villages"), width=2.6),
            Column("latitude", message("Latitude"), "number", 5, width=1.2),
            Column("longitude", message("Longitude"), "number", 5, width=1.2),
        ),
        rows,
        note,
    )
