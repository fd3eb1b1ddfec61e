"""The regulatory products of a computed coverage: zones, holes and the switch-off check."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from coverage import percentages, request, results, service_zones
from data.errors import InputError
from data.store import Workspace
from data.study_area import finest_level, finest_zones


@dataclass(frozen=True, eq=False)
class Products:
    """Polygons and figures of one operator, or of any.

    Parameters
    ----------
    service_zones
        Classes of service of every technology (`SERVICE_ZONE_COLUMNS`).
    holes
        Service -> where it is not received (`REGION_COLUMNS`): each technology
        and "any".
    switch_off
        The check, or None where the technologies were not computed.
    summary
        What was done and the totals, for JSON.
    """

    service_zones: gpd.GeoDataFrame
    holes: dict[str, gpd.GeoDataFrame]
    switch_off: service_zones.SwitchOff | None
    summary: dict[str, Any]


def served(
    result: results.CoverageResult, *, operator: str = results.ANY_OPERATOR
) -> dict[str, NDArray[np.bool_]]:
    """Return where each technology counts as covered, as the percentages count it.

    Parameters
    ----------
    result
        A coverage.
    operator
        An operator, or "any".

    Returns
    -------
    dict
        Technology -> booleans of the grid's shape.

    Raises
    ------
    InputError
        If the operator is not in the result.
    """
    provenance = result.summary["provenance"]
    known = (results.ANY_OPERATOR, *provenance["operators"])
    if operator not in known:
        raise InputError(
            "Operator {value} is not in the coverage (expected one of {expected})",
            value=operator,
            expected=", ".join(known),
        )
    return {name: result.covered(name, operator).values for name in provenance["thresholds"]}


def make(
    workspace: Workspace,
    result: results.CoverageResult,
    *,
    operator: str = results.ANY_OPERATOR,
    going: Sequence[str] = ("2G",),
    staying: Sequence[str] = ("3G", "4G"),
    minimum_area_km2: float = 0.0,
    tolerance_m: float = 0.0,
) -> Products:
    """Draw the regulatory products of a computed coverage.

    Parameters
    ----------
    workspace
        The study area.
    result
        Its coverage.
    operator
        An operator, or "any".
    going, staying
        Technologies of the switch-off check.
    minimum_area_km2
        See `service_zones.service_zones` and `service_zones.regions`. [km²]
    tolerance_m
        0 for exact pixel edges; see `service_zones.polygonize`. [m]

    Returns
    -------
    Products
        The products.

    Raises
    ------
    InputError
        If the operator is not in the result or a technology is on both sides
        of the switch-off check.
    """
    grid = result.grid
    zones = workspace.read("zones")
    level = finest_level(zones)
    own = finest_zones(zones).reset_index(drop=True)
    weights = percentages.zone_weights(own, grid)
    inside = service_zones.study_area_mask(weights)
    people = request.people_per_pixel(workspace, grid)
    villages = workspace.read("villages") if workspace.has("villages") else None
    where = served(result, operator=operator)
    shapes: dict[str, Any] = {"minimum_area_km2": minimum_area_km2, "tolerance_m": tolerance_m}
    classes = service_zones.service_classes(workspace.folder / "service_zones.csv")
    drawn = []
    for name in where:
        if name not in classes:
            continue
        by_rate = classes[name][0].metric == "downlink_rate"
        value = result.rate(name, operator) if by_rate else result.level(name, operator)
        drawn.append(
            service_zones.service_zones(
                # A rate without the level that counts as covered is no service.
                np.where(where[name], value.values, np.nan) if by_rate else value.values,
                grid,
                classes=classes[name],
                operator=operator,
                inside=inside,
                population=people,
                **shapes,
            )
        )
    anything = np.logical_or.reduce([np.zeros(grid.shape, bool), *where.values()])
    holes = {
        name: service_zones.coverage_holes(
            covered, grid, own, weights=weights, population=people, villages=villages, **shapes
        )
        for name, covered in {**where, "any": anything}.items()
    }
    check = None
    if set(going) & set(where) and set(staying) & set(where):
        check = service_zones.switch_off(
            {name: where[name] for name in going if name in where},
            {name: where[name] for name in staying if name in where},
            grid,
            zones,
            level=level,
            population=people,
            villages=villages,
            **shapes,
        )
    table = service_zones.join_zones(drawn, grid.crs)
    return Products(
        table, holes, check, _summary(result, operator, table, holes, check, going, staying, shapes)
    )


def _summary(
    result: results.CoverageResult,
    operator: str,
    zones: gpd.GeoDataFrame,
    holes: dict[str, gpd.GeoDataFrame],
    check: service_zones.SwitchOff | None,
    going: Sequence[str],
    staying: Sequence[str],
    shapes: dict[str, Any],
) -> dict[str, Any]:
    return {
        "area": result.summary["area"],
        "illustrative": result.summary["illustrative"],
        "operator": operator,
        "resolution_m": result.grid.resolution_m,
        **shapes,
        "service_zones": [
            {
                "technology": row.technology,
                "service_class": int(row.service_class),
                "minimum": float(row.minimum),
                "unit": row.unit,
                "area_km2": round(float(row.area_km2), 4),
                "people": round(float(row.people), 1),
            }
            for row in zones.itertuples()
        ],
        "holes": {name: _totals(table) for name, table in holes.items()},
        "switch_off": None
        if check is None
        else {"going": list(going), "staying": list(staying), **_totals(check.regions)},
        "coverage": result.summary["provenance"]["key"],
        "provenance": result.summary["provenance"],
    }


def _totals(regions: gpd.GeoDataFrame) -> dict[str, Any]:
    return {
        "count": len(regions),
        "area_km2": round(float(regions["area_km2"].sum()), 4),
        "people": round(float(regions["people"].sum()), 1),
        "villages": int(regions["villages"].sum()),
    }


def save(products: Products, out: Path) -> Path:
    """Write products into a folder.

    `service_zones.gpkg` holds all layers; `service_zones.geojson` and
    `holes_any.geojson` are for web maps; `service_zones.json` is the summary.

    Parameters
    ----------
    products
        What `make` returned.
    out
        The folder; made if absent, its files of the same names are replaced.

    Returns
    -------
    Path
        The folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    layers: dict[str, Any] = {"service_zones": products.service_zones}
    layers |= {f"holes_{name}": table for name, table in products.holes.items()}
    if products.switch_off is not None:
        layers["switch_off"] = products.switch_off.regions
        layers["switch_off_by_zone"] = products.switch_off.by_zone
        service_zones.write_geojson(products.switch_off.regions, out / "switch_off.geojson")
    service_zones.write_layers(layers, out / "service_zones.gpkg")
    service_zones.write_geojson(products.service_zones, out / "service_zones.geojson")
    service_zones.write_geojson(products.holes["any"], out / "holes_any.geojson")
    handle, part = tempfile.mkstemp(dir=out, prefix=".service_zones.")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(products.summary, stream, ensure_ascii=False, indent=1)
    Path(part).chmod(0o644)
    Path(part).replace(out / "service_zones.json")
    return out
