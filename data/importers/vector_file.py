"""Read layers that GDAL knows: GeoPackage, GeoJSON, FlatGeobuf, Shapefile, MapInfo, GPX."""

from __future__ import annotations

import codecs
import json
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pyogrio.errors

from data.errors import InputError, Message, message
from data.importers import rows as tables
from data.importers.archive import Archive, chosen
from data.importers.header import Wanted
from data.importers.numbers import objects, read_numbers
from data.importers.source_file import SourceFile, check_count, not_a_table
from data.interchange import SHORT_NAME_LENGTH, SIDECAR_SUFFIX

SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_NEEDED_PARTS = (".shp", ".shx", ".dbf")
_MAPINFO = {".tab": (".dat", ".map", ".id"), ".mif": (".mid",)}

_LANGUAGES = {
    0x01: "cp437", 0x02: "cp850", 0x64: "cp852", 0x65: "cp866", 0x66: "cp865", 0x7B: "cp932",
    0x7C: "cp874", 0x4D: "cp936", 0x4E: "cp949", 0x4F: "cp950", 0x7D: "cp1255", 0x7E: "cp1256",
    0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254", 0xCB: "cp1253", 0xCC: "cp1257",
}  # fmt: skip
"""Codes of the language byte of dBASE tables; the Western ones are what nobody has set."""


@contextmanager
def _gdal_errors(name: str, what: Message) -> Iterator[None]:
    try:
        yield
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
        pyogrio.errors.FieldError,
        pyogrio.errors.GeometryError,
        pyogrio.errors.CRSError,
        ValueError,
        TypeError,
        UnboundLocalError,  # pyogrio on a CRS that is no text
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("{file} is damaged or is not {what}", file=name, what=what) from error


def read_geopackage(source: SourceFile, wanted: Wanted, table: str | None) -> tables.Rows:
    """Read a layer of a GeoPackage; its rows have the numbers that QGIS shows.

    Parameters
    ----------
    source
        The file.
    wanted
        What it is for.
    table
        Name of the layer; by default the one of that name, or the only one.

    Returns
    -------
    Rows
        The layer.
    """
    with source.path(".gpkg") as path, _gdal_errors(wanted.name, message("a GeoPackage")):
        names = [str(row[0]) for row in pyogrio.list_layers(path)]
        table = _layer_named(names, table, wanted)
        check_count(pyogrio.read_info(path, layer=table)["features"], wanted.name)
        frame = pyogrio.read_dataframe(path, layer=table, fid_as_index=True)
    frame.index.name = "row"
    return _finished(frame, wanted)


def _layer_named(names: list[str], table: str | None, wanted: Wanted) -> str:
    if table is None:
        if wanted.layer.name in names:
            return wanted.layer.name
        if len(names) == 1:
            return names[0]
    if table is None or table not in names:
        raise InputError(
            "{file} has the layers {layers}; say which one holds {layer}",
            file=wanted.name,
            layers=", ".join(names) or "-",
            layer=wanted.layer.name,
        )
    return table


def read_geojson(source: SourceFile, wanted: Wanted) -> tables.Rows:
    """Read GeoJSON; rows are numbered from 1.

    Parameters
    ----------
    source
        The file.
    wanted
        What it is for.

    Returns
    -------
    Rows
        The layer; text that looks like a date stays text.
    """
    content = source.bytes()
    if b'"Feature' not in content[:1_000_000]:
        raise not_a_table(wanted.name, message("JSON without geographic features"))
    with _gdal_errors(wanted.name, message("GeoJSON")):
        check_count(pyogrio.read_info(content)["features"], wanted.name)
        frame = pyogrio.read_dataframe(content, DATE_AS_STRING="YES")
    return _finished(_numbered(frame), wanted)


def read_flatgeobuf(source: SourceFile, wanted: Wanted) -> tables.Rows:
    """Read FlatGeobuf; rows are numbered from 1.

    Parameters
    ----------
    source
        The file.
    wanted
        What it is for.

    Returns
    -------
    Rows
        The layer.
    """
    with source.path(".fgb") as path, _gdal_errors(wanted.name, message("FlatGeobuf")):
        check_count(pyogrio.read_info(path)["features"], wanted.name)
        frame = pyogrio.read_dataframe(path)
    return _finished(_numbered(frame), wanted)


def read_gpx(source: SourceFile, wanted: Wanted, table: str | None) -> tables.Rows:
    """Read the waypoints, tracks or routes of a GPX file.

    Parameters
    ----------
    source
        The file.
    wanted
        What it is for; points are waypoints, lines are tracks.
    table
        ``"waypoints"``, ``"tracks"`` or ``"routes"``, to take others.

    Returns
    -------
    Rows
        The layer.
    """
    if re.search(rb"<!(DOCTYPE|ENTITY)", source.bytes(), re.IGNORECASE):
        raise not_a_table(wanted.name, message("an XML document"))
    usual = "waypoints" if wanted.layer.geometry == "Point" else "tracks"
    with source.path(".gpx") as path, _gdal_errors(wanted.name, message("GPX")):
        name = _layer_named(
            [str(row[0]) for row in pyogrio.list_layers(path)], table or usual, wanted
        )
        check_count(pyogrio.read_info(path, layer=name)["features"], wanted.name)
        frame = pyogrio.read_dataframe(path, layer=name)
    kept = frame.columns[(frame.notna().any()).to_numpy(bool)]
    return _finished(_numbered(frame.loc[:, kept]), wanted)


def has_layers(archive: Archive) -> bool:
    """Return whether an archive holds a Shapefile, a dBASE table or a MapInfo layer.

    Parameters
    ----------
    archive
        The archive.

    Returns
    -------
    bool
        Whether it does.
    """
    return bool(archive.with_suffix(".shp", ".dbf", *_MAPINFO))


def read_archive(
    archive: Archive, wanted: Wanted, table: str | None, crs: str | None
) -> tuple[tables.Rows, str]:
    """Read a Shapefile, a dBASE table or a MapInfo layer in an archive.

    Parameters
    ----------
    archive
        The archive.
    wanted
        What it is for.
    table
        Name of the layer, where there are several.
    crs
        CRS of a layer that does not say its own.

    Returns
    -------
    tuple of Rows and str
        The layer, and its kind.
    """
    main = archive.with_suffix(".shp") or archive.with_suffix(*_MAPINFO)
    main = main or archive.with_suffix(".dbf")
    groups = {PurePosixPath(name).stem: [name] for name in main}
    if len(groups) < len(main):
        groups = {str(PurePosixPath(name).with_suffix("")): [name] for name in main}
    name = chosen(groups, archive, table, wanted.layer.name)[0]
    stem = name[: -len(PurePosixPath(name).suffix)].lower()
    suffix = PurePosixPath(name).suffix.lower()
    parts = {
        member[len(stem) :].lower(): member
        for member in archive.members
        if member[: len(stem)].lower() == stem and member[len(stem) :].startswith(".")
    }
    keep: tuple[str, ...] = (*SHAPEFILE_PARTS, SIDECAR_SUFFIX)
    if suffix in _MAPINFO:
        keep = (suffix, *_MAPINFO[suffix])
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for ending in keep:
            if ending in parts:
                paths[ending] = Path(folder) / f"layer{ending}"
                archive.extract(parts[ending], paths[ending])
        if suffix in _MAPINFO:
            missing = [part for part in _MAPINFO[suffix] if part not in paths]
            if suffix == ".tab" and "id" not in missing:
                missing = [part for part in missing if part == ".dat"]
            _check_parts(missing, name, wanted)
            return _read_mapinfo(paths[suffix], wanted, crs), "mapinfo"
        return _read_parts(paths, wanted, crs, PurePosixPath(name).name)


def read_single(
    source: SourceFile, wanted: Wanted, crs: str | None, *, table: bool
) -> tuple[tables.Rows, str]:
    """Read a Shapefile by the files that lie beside it, or a dBASE table alone.

    Parameters
    ----------
    source
        A file that ends with .shp or .dbf.
    wanted
        What it is for.
    crs
        CRS of a layer that does not say its own.
    table
        Whether it is the table (.dbf).

    Returns
    -------
    tuple of Rows and str
        The layer, and its kind.

    Raises
    ------
    InputError
        If a part of the Shapefile is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = ".dbf" if table else ".shp"
        with source.path(own) as path:
            paths = {own: Path(folder) / f"layer{own}"}
            paths[own].write_bytes(path.read_bytes())
        if isinstance(source.content, Path):
            stem = source.content.stem.lower()
            for beside in sorted(source.content.parent.iterdir()):
                ending = beside.name[len(stem) :].lower()
                known = ending in (*SHAPEFILE_PARTS, SIDECAR_SUFFIX) and ending not in paths
                if known and beside.name[: len(stem)].lower() == stem and beside.is_file():
                    if table and ending in (".shp", ".shx"):
                        continue
                    SourceFile(beside, beside.name).check_size(500_000_000)
                    paths[ending] = Path(folder) / f"layer{ending}"
                    paths[ending].write_bytes(beside.read_bytes())
        return _read_parts(paths, wanted, crs, source.name)


def _check_parts(missing: list[str], name: str, wanted: Wanted) -> None:
    if missing:
        raise InputError(
            "{file}: {layer} is not complete: {missing} is missing; put all files of the layer "
            "into one zip archive",
            file=wanted.name,
            layer=PurePosixPath(name).name,
            missing=", ".join(missing),
        )


def _read_parts(
    paths: dict[str, Path], wanted: Wanted, crs: str | None, name: str
) -> tuple[tables.Rows, str]:
    """Read the unpacked parts of a Shapefile, or its table alone."""
    alone = ".shp" not in paths
    if not alone:
        _check_parts([part for part in _NEEDED_PARTS if part not in paths], name, wanted)
    facts = _sidecar(paths, wanted)
    path = paths[".dbf"] if alone else paths[".shp"]
    language = paths[".dbf"].read_bytes()[29:30]
    page = _code_page(paths)
    with _gdal_errors(wanted.name, message("a dBASE table") if alone else message("a Shapefile")):
        check_count(pyogrio.read_info(path, encoding="ISO-8859-1")["features"], wanted.name)
        frame = pyogrio.read_dataframe(path, encoding="ISO-8859-1")
    frame = _numbered(frame)
    encoding = _decode(frame, page, language[0] if language else 0)
    columns = facts.get("columns", {})
    _restore(frame, columns)
    frame.columns = pd.Index(_full_names(frame, columns, wanted), dtype=object)
    if isinstance(frame, gpd.GeoDataFrame) and wanted.layer.geometry is not None:
        given = facts.get("crs") or crs
        if frame.crs is None and given is None:
            raise InputError(
                "{file}: {layer} has no .prj file and so does not say its coordinate reference "
                "system; give the CRS, e.g. EPSG:4326 for longitude and latitude, EPSG:32648 or "
                "that of VN-2000",
                file=wanted.name,
                layer=name,
            )
        if given is not None and (frame.crs is None or facts.get("crs")):
            with _gdal_errors(wanted.name, message("a Shapefile")):
                frame = frame.set_crs(given, allow_override=True)
    found = _finished(frame, wanted)
    if encoding is not None:
        found.problems.append(encoding_note(wanted, encoding))
    return found, "dbf" if alone else "shapefile"


def encoding_note(wanted: Wanted, encoding: str) -> Any:
    """Return the warning that says how text was decoded.

    Parameters
    ----------
    wanted
        What is read.
    encoding
        Name of the encoding.

    Returns
    -------
    Problem
        The warning.
    """
    return tables.note(
        wanted,
        message("the text is read as {encoding}", encoding=encoding),
        message("check the names; if they are wrong, save the file as UTF-8"),
    )


def _sidecar(paths: dict[str, Path], wanted: Wanted) -> dict[str, Any]:
    """Return what an export of this program noted beside a Shapefile."""
    path = paths.get(SIDECAR_SUFFIX)
    if path is None or path.stat().st_size > 1_000_000:
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        columns = {
            str(short): {"name": str(about["name"]), "kind": str(about["kind"])}
            for short, about in facts["columns"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            "{file} is damaged or is not {what}", file=wanted.name, what=message("a Shapefile")
        ) from error
    return {"columns": columns, "crs": str(facts.get("crs") or "") or None}


def _code_page(paths: dict[str, Path]) -> str | None:
    """Return the codec that a .cpg file names, or None."""
    if ".cpg" not in paths:
        return None
    text = paths[".cpg"].read_bytes()[:64].decode("ascii", "ignore").strip()
    text = re.sub(r"^(ansi|oem)\s*", "", text, flags=re.IGNORECASE)
    for name in (f"cp{text}" if text.isdigit() else text, text):
        try:
            return codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
    return None


def _decode(frame: pd.DataFrame, page: str | None, language: int) -> str | None:
    """Decode the text of a table in place; return the encoding if it had to be found out.

    GDAL was told that it is Latin-1, which keeps every byte.
    """
    texts = [
        position
        for position, (name, kind) in enumerate(zip(frame.columns, frame.dtypes, strict=True))
        if (kind.kind == "O" or isinstance(kind, pd.StringDtype)) and name != "geometry"
    ]
    raws = {
        position: [
            value.encode("latin-1", "replace") if isinstance(value, str) else None
            for value in frame.iloc[:, position].tolist()
        ]
        for position in texts
    }
    names = [str(name).encode("latin-1", "replace") for name in frame.columns]
    everything = b"\n".join(
        [*names, *(raw for values in raws.values() for raw in values if raw is not None)]
    )
    decode, said = _decoder(everything, page, language)
    for position, values in raws.items():
        done = [None if raw is None else decode(raw) for raw in values]
        frame.isetitem(position, objects(done))
    geometry = frame.active_geometry_name if isinstance(frame, gpd.GeoDataFrame) else None
    decoded = [decode(name) for name in names]
    if decoded != list(frame.columns):
        frame.columns = pd.Index(decoded, dtype=object)
        if isinstance(frame, gpd.GeoDataFrame) and geometry is not None:
            frame.set_geometry(geometry, inplace=True)
    return said


def _decoder(
    everything: bytes, page: str | None, language: int
) -> tuple[Callable[[bytes], str], str | None]:
    from data.importers import legacy_vietnamese

    if everything.isascii():
        return lambda raw: raw.decode("ascii"), None
    for name in (page, "utf-8", _LANGUAGES.get(language)):
        if name is None:
            continue
        try:
            everything.decode(name)
        except (UnicodeDecodeError, LookupError):
            # UTF-8 texts that were cut to the width of their field end within a character.
            if name != "utf-8" or page != "utf-8" or not _mostly_utf8(everything):
                continue
        # "replace" only ever meets the cut ends.
        return lambda raw, name=name: raw.decode(name, "replace").rstrip("\ufffd"), (
            None if name in (page, "utf-8") else name
        )
    found = legacy_vietnamese.decoded_text(everything)
    if found is not None:
        encoding = found[1]
        return (
            lambda raw: (
                legacy_vietnamese.decoded_as(raw, encoding)
                if not raw.isascii()
                else raw.decode("ascii")
            ),
            encoding,
        )
    return lambda raw: raw.decode("cp1252", "replace"), "Windows-1252"


def _mostly_utf8(content: bytes) -> bool:
    bad = content.decode("utf-8", "replace").count("\ufffd")
    return bad * 20 < sum(byte >= 0x80 for byte in content)


def _restore(frame: pd.DataFrame, columns: dict[str, dict[str, str]]) -> None:
    """Give columns of an export the types that the layer had."""
    for position, name in enumerate(frame.columns):
        kind = columns.get(str(name), {}).get("kind")
        values = frame.iloc[:, position]
        if kind == "number":
            values = pd.to_numeric(values, errors="coerce").astype("float64")
        elif kind == "whole" and values.notna().all():
            values = pd.to_numeric(values, errors="coerce").astype("int64")
        elif kind == "flag":
            values = values.astype("boolean")
            if values.notna().all():
                values = values.astype(bool)
        else:
            continue
        frame.isetitem(position, values.array)


def _full_names(
    frame: pd.DataFrame, columns: dict[str, dict[str, str]], wanted: Wanted
) -> list[str]:
    """Return the names that were cut to ten characters in full.

    By what an export noted; else a name of the layer that starts like this, if
    only one does.
    """
    there = {str(name).lower() for name in frame.columns}
    result = []
    for name in map(str, frame.columns):
        if name in columns:
            result.append(columns[name]["name"])
            continue
        starting = [
            full
            for full in wanted.layer.columns
            if len(name) == SHORT_NAME_LENGTH and full.lower().startswith(name.lower())
        ]
        fits = len(starting) == 1 and starting[0].lower() not in there
        result.append(starting[0] if fits else name)
    return result


def _read_mapinfo(path: Path, wanted: Wanted, crs: str | None) -> tables.Rows:
    with _gdal_errors(wanted.name, message("a MapInfo layer")):
        check_count(pyogrio.read_info(path)["features"], wanted.name)
        frame = pyogrio.read_dataframe(path)
        if isinstance(frame, gpd.GeoDataFrame) and frame.crs is None and crs is not None:
            frame = frame.set_crs(crs)
    return _finished(_numbered(frame), wanted)


def is_dbase(sample: bytes) -> bool:
    """Return whether a file starts like a dBASE table.

    Parameters
    ----------
    sample
        First bytes of the file.

    Returns
    -------
    bool
        Whether its header makes sense.
    """
    if len(sample) < 65 or sample[0] not in (0x03, 0x04, 0x30, 0x31, 0x83, 0x8B, 0xF5):
        return False
    header, record = struct.unpack("<HH", sample[8:12])
    fields = (header - 33) // 32
    kinds = {sample[32 + 32 * k + 11 : 32 + 32 * k + 12] for k in range(min(fields, 10))}
    return (
        1 <= sample[2] <= 12
        and 1 <= sample[3] <= 31
        and fields >= 1
        and record >= 1
        and kinds <= {bytes([code]) for code in b"CNFLDMIBYT0@+O"}
    )


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    return frame


def _finished(frame: pd.DataFrame, wanted: Wanted) -> tables.Rows:
    """Name the columns as the mapping says, and read numbers that are text."""
    frame.columns = pd.Index(wanted.mapped([str(name) for name in frame.columns]), dtype=object)
    return tables.Rows(frame, None, read_numbers(frame, wanted))
