"""Files that belong to proposals: checked, stored by their content, given back by a safe name.

The content lies in the folder of attachments, named by its SHA-256 and never by what a
user says. It is whole on the disk before a record names it, so that a server that is
killed leaves no record of half a file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from data.database import sync, sync_folder
from data.errors import InputError
from data.importers import archive
from data.importers.source_file import SourceFile
from data.records import tables
from data.records.account_tables import now
from data.records.engine import Records
from data.records.failures import StaleError
from data.records.proposal_tables import Proposal, ProposalAttachment
from planning.accounts import Actor
from planning.proposal_records import KIND, seen
from planning.proposal_workflow import Action, Status, step

#: Most bytes of a file, and of all files of a proposal.
MOST_BYTES = 20_000_000
MOST_BYTES_IN_ALL = 100_000_000

#: Most files of a proposal.
MOST_FILES = 30

#: Most bytes that a zipped file may unpack to, and how many times its size.
MOST_UNPACKED_BYTES = 200_000_000
MOST_UNPACKED_TIMES = 200

#: Kind of file -> its endings, the first being the usual one, and its media type.
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "pdf": ((".pdf",), "application/pdf"),
    "png": ((".png",), "image/png"),
    "jpeg": ((".jpg", ".jpeg"), "image/jpeg"),
    "docx": (
        (".docx",),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "xlsx": ((".xlsx",), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "zip": ((".zip",), "application/zip"),
}

_STARTS = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

#: Parts of office files that carry programs.
_PROGRAMS = ("vbaproject.bin", "vbadata.xml", "activex")

_MOST_NAME = 120

#: How often a file is tried to be kept while others change the proposal.
_TRIES = 8
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_UNSAFE = re.compile(r'[<>:"/\\|?*%&;`$!\'#{}\[\]=+@]')


@dataclass(frozen=True)
class Attachment:
    """A file of a proposal.

    Parameters
    ----------
    id, proposal_id
        Its number and that of the proposal.
    name
        Safe name for those who save it.
    media_type
        Found from its content.
    size
        Bytes.
    sha256
        Of the content.
    at, account_id
        When and by whom.
    """

    id: int
    proposal_id: int
    name: str
    media_type: str
    size: int
    sha256: str
    at: dt.datetime
    account_id: int | None


def safe_name(name: str, kind: str) -> str:
    """Return a name under which a file can be saved on any system.

    Parameters
    ----------
    name
        As the user's program says it, maybe with folders.
    kind
        Key of `KINDS`; decides the ending.

    Returns
    -------
    str
        Without folders, control characters and reserved names; never empty.

    Examples
    --------
    >>> safe_name("../../etc/pass wd.PDF", "pdf"), safe_name("con.pdf.exe", "pdf")
    ('pass wd.pdf', '_con.pdf')
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C" or c == " ")
    plain = _UNSAFE.sub("_", plain).strip(" .")
    stem, _, ending = plain.rpartition(".")
    endings = KINDS[kind][0]
    if not stem:
        stem = plain
    elif f".{ending.lower()}" not in endings:
        stem = stem.removesuffix(endings[0])
    stem = stem[:_MOST_NAME].strip(" .") or "file"
    return ("_" if _DEVICES.match(stem) else "") + stem + endings[0]


def kind_of(name: str, content: bytes) -> str:
    """Return what kind of file this is, by its content.

    Parameters
    ----------
    name
        Name to show.
    content
        The whole file.

    Returns
    -------
    str
        Key of `KINDS`.

    Raises
    ------
    InputError
        If it is empty, too large, of no accepted kind, damaged, unpacks to too much or
        carries programs.
    """
    shown = "".join(c if c.isprintable() else "_" for c in name)[:_MOST_NAME]
    if len(content) > MOST_BYTES:
        raise InputError(
            "{file} has {size} MB; the most is {limit} MB",
            file=shown,
            size=round(len(content) / 1e6),
            limit=round(MOST_BYTES / 1e6),
        )
    if not content:
        raise InputError("{file} is empty", file=shown)
    for start, kind in _STARTS.items():
        if content.startswith(start):
            return kind
    if content.startswith(_ZIP):
        return _zipped(shown, content)
    raise InputError(
        "{file} is not of a kind that can be attached (expected {expected})",
        file=shown,
        expected=", ".join(KINDS),
    )


def _zipped(name: str, content: bytes) -> str:
    with archive.opened(SourceFile(content, name)) as opened:
        claimed = sum(member.file_size for member in opened.members.values())
        limit = min(MOST_UNPACKED_BYTES, MOST_UNPACKED_TIMES * len(content))
        if claimed > limit:
            raise InputError(
                "{file} unpacks to {size} MB; the most is {limit} MB",
                file=name,
                size=round(claimed / 1e6),
                limit=round(limit / 1e6),
            )
        # Read to the end: an archive that says less than it holds is damaged.
        for member in opened.members:
            for _ in opened.blocks(member):
                pass
        parts = [part.lower() for part in opened.members]
    if any(program in part for part in parts for program in _PROGRAMS):
        raise InputError("{file} carries programs (macros); save it without", file=name)
    if "[content_types].xml" in parts:
        if any(part.startswith("word/") for part in parts):
            return "docx"
        if any(part.startswith("xl/") for part in parts):
            return "xlsx"
    return "zip"


def attach(
    records: Records, actor: Actor, proposal_id: int, name: str, content: bytes
) -> Attachment:
    """Attach a file to a proposal; the same content is attached once.

    Parameters
    ----------
    records
        The records database.
    actor
        Who acts: the carrier, or a planner.
    proposal_id
        Number of the proposal.
    name
        As the user's program says it.
    content
        The whole file.

    Returns
    -------
    Attachment
        What is kept.

    Raises
    ------
    InputError
        If there is no such proposal, or the file cannot be accepted.
    """
    with records.reading() as session:
        seen(session, actor, proposal_id)
    kind = kind_of(name, content)
    digest = hashlib.sha256(content).hexdigest()
    _store(records.attachments, digest, content)
    for attempt in range(_TRIES):
        try:
            return _keep(records, actor, proposal_id, safe_name(name, kind), kind, content)
        except StaleError:
            # Whatever else was done with the proposal leaves room for a file.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _keep(
    records: Records, actor: Actor, proposal_id: int, name: str, kind: str, content: bytes
) -> Attachment:
    digest = hashlib.sha256(content).hexdigest()
    with records.session() as session:
        row = seen(session, actor, proposal_id)
        there = list(
            session.scalars(
                sa.select(ProposalAttachment).where(ProposalAttachment.proposal_id == row.id)
            )
        )
        for item in there:
            if item.sha256 == digest:
                return _attachment(item)
        if len(there) >= MOST_FILES or (
            sum(item.size for item in there) + len(content) > MOST_BYTES_IN_ALL
        ):
            raise InputError(
                "A proposal holds at most {count} files of {limit} MB in all",
                count=MOST_FILES,
                limit=round(MOST_BYTES_IN_ALL / 1e6),
            )
        kept = ProposalAttachment(
            proposal_id=row.id,
            sha256=digest,
            name=name,
            media_type=KINDS[kind][1],
            size=len(content),
            account_id=actor.account_id,
        )
        session.add(kept)
        row.changed_at = max(now(), row.changed_at + dt.timedelta(milliseconds=1))
        tables.append_history(
            session,
            area=row.area,
            kind=KIND,
            subject_id=row.id,
            actor=actor,
            action="attached",
            detail={"name": kept.name, "sha256": digest, "size": len(content)},
        )
        session.flush()
        return _attachment(kept)


def list_of(records: Records, actor: Actor, proposal_id: int) -> list[Attachment]:
    """Return the files of a proposal.

    Parameters
    ----------
    records, actor, proposal_id
        See `attach`.
    """
    with records.reading() as session:
        row = seen(session, actor, proposal_id)
        query = sa.select(ProposalAttachment).where(ProposalAttachment.proposal_id == row.id)
        found = session.scalars(query.order_by(ProposalAttachment.id))
        return [_attachment(item) for item in found]


def content(records: Records, actor: Actor, attachment_id: int) -> bytes:
    """Return the content of a file.

    Parameters
    ----------
    records, actor
        See `attach`.
    attachment_id
        Its number.

    Raises
    ------
    InputError
        If there is none that the actor may see, or its content is lost or changed.
    """
    with records.reading() as session:
        item, _ = _seen_file(session, actor, attachment_id)
        name, digest = item.name, item.sha256
    try:
        found = _path(records.attachments, digest).read_bytes()
    except OSError as error:
        raise InputError("The content of {file} is lost", file=name) from error
    if hashlib.sha256(found).hexdigest() != digest:
        raise InputError("The content of {file} was changed on the disk", file=name)
    return found


def detach(records: Records, actor: Actor, attachment_id: int) -> None:
    """Take a file off a proposal that is still open; its content stays for the history.

    Parameters
    ----------
    records, actor, attachment_id
        See `content`; only the side that may edit the proposal.
    """
    with records.session() as session:
        item, row = _seen_file(session, actor, attachment_id)
        step(Action.EDIT, actor, row.organisation, Status(row.status))
        session.delete(item)
        tables.append_history(
            session,
            area=row.area,
            kind=KIND,
            subject_id=row.id,
            actor=actor,
            action="detached",
            detail={"name": item.name, "sha256": item.sha256},
        )


def _seen_file(
    session: Session, actor: Actor, attachment_id: int
) -> tuple[ProposalAttachment, Proposal]:
    """Return a file that somebody may see, and its proposal; a foreign one is as none."""
    unknown = InputError("There is no file {number}", number=attachment_id)
    item = session.get(ProposalAttachment, attachment_id) if 0 < attachment_id < 2**31 else None
    if item is None:
        raise unknown
    try:
        return item, seen(session, actor, item.proposal_id)
    except InputError:
        # Not even the number of the proposal may be told.
        raise unknown from None


def _attachment(item: ProposalAttachment) -> Attachment:
    return Attachment(
        item.id,
        item.proposal_id,
        item.name,
        item.media_type,
        item.size,
        item.sha256,
        item.at,
        item.account_id,
    )


def _path(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def _store(folder: Path, digest: str, content: bytes) -> None:
    """Write a file whole or not at all; one that is there has this content."""
    path = _path(folder, digest)
    if path.is_file() and path.stat().st_size == len(content):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as file:
            file.write(content)
        try:
            sync(Path(file.name))
            os.replace(file.name, path)  # noqa: PTH105 - the name of a temporary file
        finally:
            Path(file.name).unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(
            "{file} cannot be written: {reason}",
            file=path.name,
            reason=error.strerror or str(error),
        ) from error
