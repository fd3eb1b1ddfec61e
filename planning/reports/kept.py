"""Reports that stay in the workspace, so that they can be looked at and taken along again."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage.request import CoverageRequest
from data.errors import InputError
from data.records.engine import Records
from data.store import Workspace
from planning.reports import build, exports, figures, files, inputs, write
from planning.reports.language import Language, languages
from planning.reports.model import Document

#: Folder in the workspace.
FOLDER = "reports"

#: Figures that the next report is compared with; in that folder.
LAST = "last.json"

#: Reports that are kept; the oldest go first.
MOST = 8

_ABOUT = "about.json"

#: Age from which an unfinished report belongs to nobody. [s]
_ABANDONED_S = 86_400.0

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Wish:
    """What somebody wants.

    Parameters
    ----------
    request
        The coverage that is reported.
    parts
        Keys of `inputs.PARTS`.
    codes
        Languages.
    formats
        Of `write.FORMATS`; may be empty where data are wanted.
    data
        Of `exports.FORMATS`; may be empty.
    """

    request: CoverageRequest
    parts: tuple[str, ...] = inputs.DEFAULT_PARTS
    codes: tuple[str, ...] = ("vi",)
    formats: tuple[str, ...] = write.FORMATS
    data: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Name of its folder."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A report that was made.

    Parameters
    ----------
    folder
        Where its files are.
    made_at
        When it was made; ISO 8601, UTC.
    current
        Whether the area's data are still those that it was made from.
    names
        Its files, as they are offered.
    previews
        Language -> captions, tables as text and names of pictures.
    """

    folder: Path
    made_at: str
    current: bool
    names: tuple[str, ...]
    previews: dict[str, Any]


def find(workspace: Workspace, wish: Wish) -> Kept | None:
    """Return the report that was made for a wish.

    Parameters
    ----------
    workspace
        The study area.
    wish
        What is wanted.

    Returns
    -------
    Kept or None
        None if there is none, or it cannot be read.
    """
    folder = workspace.folder / FOLDER / wish.key
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        return Kept(
            folder,
            str(about["made_at"]),
            about["content"] == workspace.content_hash(),
            tuple(about["names"]),
            dict(about["previews"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def make(
    workspace: Workspace,
    wish: Wish,
    *,
    records: Records | None = None,
    threads: int | None = None,
    on_progress: Progress = lambda _share: None,
) -> Kept:
    """Make a report and keep it.

    Parameters
    ----------
    workspace
        The study area.
    wish
        What is wanted.
    records
        Records database with what users entered about indicators, or None.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share; may raise `CancelledError`, which leaves nothing
        behind.

    Returns
    -------
    Kept
        The report.

    Raises
    ------
    InputError
        If neither a format nor data are wanted, or something cannot be used.
    """
    if not wish.formats and not wish.data:
        raise InputError("No format was asked for")
    spoken = languages(wish.codes)
    home = inputs.folder_of(workspace.folder / FOLDER)
    known = inputs.gather(
        workspace,
        wish.request,
        records=records,
        parts=wish.parts,
        previous=figures.read(home / LAST),
        threads=threads,
        on_progress=lambda share: on_progress(0.5 * share),
    )
    document = build.build(known)
    drawn = {}
    for number, language in enumerate(spoken):

        def within(share: float, done: int = number) -> None:
            on_progress(0.5 + 0.15 * (done + share) / len(spoken))

        drawn[language.code] = write.pictures_of(document, language, on_progress=within)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=home))
    try:
        half = 0.7 if wish.data else 1.0
        write.save(
            document,
            part,
            formats=wish.formats,
            codes=wish.codes,
            pictures=drawn,
            on_progress=lambda share: on_progress(0.65 + 0.35 * half * share),
        )
        if wish.data:
            _export(document, known, wish, spoken[0], part)
        names = sorted(path.name for path in part.iterdir() if path.is_file())
        about = {
            "made_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "content": workspace.content_hash(),
            "names": [name for name in names if name != figures.FILE],
            "previews": {
                language.code: preview(document, language, drawn[language.code], part)
                for language in spoken
            },
        }
        (part / _ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        place = home / wish.key
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
        files.replace_bytes(home / LAST, (place / figures.FILE).read_bytes())
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _forget(home)
    found = find(workspace, wish)
    if found is None:
        raise InputError("{folder} cannot be read", folder=place)
    return found


def _export(
    document: Document, known: inputs.Inputs, wish: Wish, language: Language, folder: Path
) -> None:
    """Export data into a folder: one file for each format, to be taken along by one click."""
    out = folder / "data"
    written = exports.save(known, document, out, formats=wish.data, language=language)
    for ending, archive in ((".csv", "tables_csv.zip"), (".tif", "rasters_cog.zip")):
        many = [path for path in written if path.suffix == ending]
        if many:
            with zipfile.ZipFile(folder / archive, "w", zipfile.ZIP_DEFLATED) as target:
                for path in many:
                    target.write(path, path.name)
    for path in written:
        if path.suffix in (".gpkg", ".kmz"):
            path.rename(folder / path.name)
    shutil.rmtree(out)


def preview(
    document: Document, language: Language, drawn: dict[str, bytes], folder: Path
) -> dict[str, Any]:
    """Return what can be shown of a report without opening its files, and keep its pictures.

    Parameters
    ----------
    document
        The report.
    language
        Language of the texts.
    drawn
        Key -> PNG of every map and chart.
    folder
        Where to; pictures go into a folder in it.

    Returns
    -------
    dict
        ``tables`` (caption, columns, rows of text, note) and ``pictures`` (file, caption,
        alternative).
    """
    captions = files.captions(document, language)
    home = folder / f"pictures_{language.code}"
    home.mkdir(exist_ok=True)
    pictures = []
    for picture in document.pictures():
        path = home / f"{picture.key}.png"
        path.write_bytes(drawn[picture.key])
        pictures.append(
            {
                "file": f"{home.name}/{path.name}",
                "caption": captions[picture.key],
                "alternative": language.say(picture.alternative),
            }
        )
    tables = [
        {
            "caption": captions[table.key],
            "columns": [language.say(column.title) for column in table.columns],
            "rows": [
                [
                    language.cell(column, value).replace("\n", " · ")
                    for column, value in zip(table.columns, row, strict=True)
                ]
                for row in table.rows
            ],
            "note": "" if table.note is None else language.say(table.note),
        }
        for table in document.tables()
    ]
    return {"tables": tables, "pictures": pictures}


def _forget(home: Path) -> None:
    """Drop the oldest reports beyond those that are kept, and what a killed program left."""
    for part in home.glob(".part-*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(part, ignore_errors=True)
    made = [path for path in home.iterdir() if (path / _ABOUT).is_file()]
    made.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[MOST:]:
        shutil.rmtree(path, ignore_errors=True)
