"""Write CSV and GeoJSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import shapely

from data.exporters.sheet import Sheet, Value
from data.interchange import guarded


def write(sheet: Sheet, path: Path, *, byte_order_mark: bool) -> None:
    """Write CSV in UTF-8; text that starts like a formula gets a quote before it.

    Parameters
    ----------
    sheet
        The layer.
    path
        File to make.
    byte_order_mark
        Whether the file starts with the mark by which Excel knows UTF-8.
    """
    columns = sheet.flat()
    encoding = "utf-8-sig" if byte_order_mark else "utf-8"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([guarded(column.name) for column in columns])
        writer.writerows([_cell(value) for value in row] for row in sheet.rows(columns))


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def write_geojson(sheet: Sheet, path: Path) -> None:
    """Write GeoJSON (RFC 7946): longitude and latitude, outer rings counterclockwise.

    Parameters
    ----------
    sheet
        The layer.
    path
        File to make.
    """
    shapes = sheet.rounded_shapes
    if shapes is None:
        texts = ["null"] * len(sheet.frame)
    else:
        oriented = np.asarray(shapely.orient_polygons(shapes), dtype=object)
        texts = [text or "null" for text in shapely.to_geojson(oriented).tolist()]
    names = [json.dumps(column.name, ensure_ascii=False) for column in sheet.columns]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        title = json.dumps(sheet.layer.name)
        file.write(f'{{"type":"FeatureCollection","name":{title},"features":[\n')
        for position, row in enumerate(sheet.rows(sheet.columns)):
            properties = ",".join(
                f"{name}:{json.dumps(_plain(value), ensure_ascii=False)}"
                for name, value in zip(names, row, strict=True)
            )
            comma = ",\n" if position else ""
            file.write(
                f'{comma}{{"type":"Feature","properties":{{{properties}}},'
                f'"geometry":{texts[position]}}}'
            )
        file.write("\n]}\n")


def _plain(value: Value) -> Value:
    # JSON has no infinite numbers.
    return None if isinstance(value, float) and not np.isfinite(value) else value
