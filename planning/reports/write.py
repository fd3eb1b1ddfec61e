"""Write a report's files: every language and format wanted, and the figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from data.errors import InputError
from planning.reports import docx_file, figures, files, inputs, pdf_file, xlsx_file
from planning.reports.language import Language, languages
from planning.reports.model import Document, to_json

#: Formats of reports.
FORMATS = ("docx", "pdf", "xlsx")

Progress = Callable[[float], None]


def pictures_of(
    document: Document, language: Language, *, on_progress: Progress = lambda _share: None
) -> dict[str, bytes]:
    """Draw a report's maps and charts.

    Parameters
    ----------
    document
        The report.
    language
        Language of their texts.
    on_progress
        Called with the finished share.

    Returns
    -------
    dict
        Key -> PNG.
    """
    drawn = {}
    wanted = document.pictures()
    for number, picture in enumerate(wanted, start=1):
        drawn[picture.key] = picture.draw(language)
        on_progress(number / len(wanted))
    return drawn


def save(
    document: Document,
    folder: Path,
    *,
    formats: Iterable[str] = FORMATS,
    codes: Iterable[str] = ("vi",),
    pictures: Mapping[str, dict[str, bytes]] | None = None,
    on_progress: Progress = lambda _share: None,
) -> list[Path]:
    """Write a report.

    Parameters
    ----------
    document
        The report.
    folder
        Where to; made if it is missing. Files of the same names are replaced, each in
        one step.
    formats
        Of `FORMATS`; without any, the figures alone are written.
    codes
        Languages: "vi", "en". One file for each.
    pictures
        Language -> what `pictures_of` returned, where they are drawn already.
    on_progress
        Called with the finished share; may raise `CancelledError`.

    Returns
    -------
    list of Path
        ``report_LANGUAGE.FORMAT`` of each, and `report.json`, which the next report is
        compared with.
    """
    wanted = tuple(formats)
    chosen = files.checked_formats(wanted, FORMATS) if wanted else ()
    spoken = languages(codes)
    if not spoken:
        raise InputError("No language was asked for")
    inputs.folder_of(folder)
    written = []
    steps = _Steps(on_progress, len(spoken) * (1 + len(chosen)))
    for language in spoken:
        drawn: dict[str, bytes] = {}
        if pictures is not None:
            drawn = pictures[language.code]
        elif {"docx", "pdf"} & set(chosen):
            drawn = pictures_of(document, language, on_progress=steps.within)
        steps.done()
        for each in chosen:
            maker = _maker(each, document, language, drawn, steps.within)
            written.append(files.replace(folder / f"report_{language.code}.{each}", maker))
            steps.done()
    text = json.dumps(to_json(document), ensure_ascii=False, indent=1, allow_nan=False)
    written.append(files.replace_bytes(folder / figures.FILE, (text + "\n").encode("utf-8")))
    on_progress(1.0)
    return written


class _Steps:
    """Progress over steps of equal weight."""

    def __init__(self, on_progress: Progress, count: int) -> None:
        self._on_progress = on_progress
        self._count = count
        self._finished = 0

    def within(self, share: float) -> None:
        self._on_progress((self._finished + share) / self._count)

    def done(self) -> None:
        self._finished += 1
        self.within(0.0)


def _maker(
    kind: str,
    document: Document,
    language: Language,
    drawn: dict[str, bytes],
    on_progress: Progress,
) -> Callable[[Path], None]:
    """Return what writes a format to a path."""
    if kind == "docx":
        return lambda path: docx_file.write(document, language, drawn, path)
    if kind == "pdf":
        return lambda path: pdf_file.write(document, language, drawn, path, on_progress=on_progress)
    return lambda path: xlsx_file.write(document, language, path)
