"""Files of proposals: what is let in, under which name, and what is never half there."""

from __future__ import annotations

import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from planning import proposal_files, proposals
from planning.accounts import ForbiddenError
from tests.planning.test_proposals import ALPHA, AREA, BETA, PLANNER, VIEWER, submitted, wish

PDF = b"%PDF-1.7\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def zipped(members: dict[str, bytes], **options) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


OFFICE = {"[Content_Types].xml": b"<Types/>"}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "pdf"),
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0" + b"0" * 20, "jpeg"),
        (zipped({"plan.txt": b"x"}), "zip"),
        (zipped(OFFICE | {"word/document.xml": b"<x/>"}), "docx"),
        (zipped(OFFICE | {"xl/workbook.xml": b"<x/>"}), "xlsx"),
    ],
)
def test_the_content_says_the_kind_whatever_the_name(content, kind) -> None:
    assert proposal_files.kind_of("anything.exe", content) == kind
    assert proposal_files.safe_name("anything.exe", kind).endswith(proposal_files.KINDS[kind][0][0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"MZ\x90\x00", "not of a kind"),
        (b"<html><script>alert(1)</script>", "not of a kind"),
        (b"<svg onload=alert(1)>", "not of a kind"),
        (b"#!/bin/sh\n", "not of a kind"),
        (b"PK\x03\x04 cut off", "damaged"),
        (zipped({"zeros": b"\0" * 30_000_000}), "unpacks to"),
        (zipped(OFFICE | {"word/document.xml": b"<x/>", "word/vbaProject.bin": b"x"}), "macros"),
        (PDF + b"0" * proposal_files.MOST_BYTES, "the most is 20 MB"),
    ],
)
def test_what_is_not_let_in(content, said) -> None:
    with pytest.raises(InputError, match=said):
        proposal_files.kind_of("plan.pdf", content)


def test_an_archive_that_lies_about_its_size_is_refused() -> None:
    content = bytearray(zipped({"zeros": b"\0" * 5_000_000}))
    # Both headers say that the member has ten bytes.
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + offset
        content[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(InputError, match="damaged"):
        proposal_files.kind_of("bomb.zip", bytes(content))


def test_many_members_that_are_one_are_refused() -> None:
    """Members that share their bytes (a bomb without nesting) claim their size each."""
    one = zipped({"a": b"\0" * 1_000_000})
    end = one.index(b"PK\x01\x02")
    record = one[end : one.index(b"PK\x05\x06")]
    copies = b"".join(record[:46] + f"{k:03}".encode()[:1] + record[47:] for k in range(300))
    tail = bytearray(one[one.index(b"PK\x05\x06") :])
    tail[8:12] = (300).to_bytes(2, "little") * 2
    tail[12:16] = len(copies).to_bytes(4, "little")
    with pytest.raises(InputError):
        proposal_files.kind_of("bomb.zip", one[:end] + copies + bytes(tail))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("..\\..\\windows\\system32\\plan.pdf", "plan.pdf"),
        ("C:\\temp\\CON.pdf", "_CON.pdf"),
        ("nul", "_nul.pdf"),
        ("/", "file.pdf"),
        ("...", "file.pdf"),
        ("a\x00b\n.pdf", "ab.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.pdf"),
        ("=cmd|calc.pdf", "_cmd_calc.pdf"),
        ('"><script>.pdf', "___script_.pdf"),
        ("Bản vẽ trạm.PDF", "Bản vẽ trạm.pdf"),
        ("x" * 400 + ".pdf", "x" * 120 + ".pdf"),
    ],
)
def test_names_are_made_safe(name, safe) -> None:
    assert proposal_files.safe_name(name, "pdf") == safe


@given(st.text(max_size=60))
def test_no_name_leaves_its_folder(name) -> None:
    safe = proposal_files.safe_name(name, "zip")
    assert safe.endswith(".zip")
    assert not set(safe) & set('/\\:\0\n<>"|?*')
    assert safe not in (".zip", "..zip")
    assert safe[0] not in " ."
    assert len(safe) <= 126


def test_a_file_is_kept_by_its_content_and_given_back(records) -> None:
    made = submitted(records)
    kept = proposal_files.attach(records, ALPHA, made.id, "../../a.exe", PDF)
    again = proposal_files.attach(records, ALPHA, made.id, "other.pdf", PDF)
    assert again == kept
    assert (kept.name, kept.media_type, kept.size) == ("a.pdf", "application/pdf", len(PDF))
    assert proposal_files.content(records, PLANNER, kept.id) == PDF
    assert proposal_files.list_of(records, PLANNER, made.id) == [kept]
    (path,) = [p for p in records.attachments.rglob("*") if p.is_file()]
    assert path.name == kept.sha256
    actions = [event.action for event in proposals.history(records, ALPHA, made.id)]
    assert actions.count("attached") == 1


def test_another_carriers_file_is_as_none(records) -> None:
    made = submitted(records)
    kept = proposal_files.attach(records, ALPHA, made.id, "a.pdf", PDF)
    for actor in (BETA, VIEWER):
        for ask in (
            lambda who: proposal_files.content(records, who, kept.id),
            lambda who: proposal_files.detach(records, who, kept.id),
        ):
            with pytest.raises(InputError, match=f"^There is no file {kept.id}$"):
                ask(actor)
        with pytest.raises(InputError, match=r"^There is no proposal"):
            proposal_files.attach(records, actor, made.id, "b.pdf", PDF)
    with pytest.raises(InputError, match="There is no file 999"):
        proposal_files.content(records, ALPHA, 999)


def test_what_was_submitted_keeps_its_files(records) -> None:
    draft = proposals.create(records, ALPHA, AREA, wish())
    kept = proposal_files.attach(records, ALPHA, draft.id, "a.pdf", PDF)
    proposal_files.detach(records, ALPHA, kept.id)
    assert proposal_files.list_of(records, ALPHA, draft.id) == []
    kept = proposal_files.attach(records, ALPHA, draft.id, "a.pdf", PDF)
    proposals.submit(records, ALPHA, draft.id)
    with pytest.raises(InputError, match="not possible"):
        proposal_files.detach(records, ALPHA, kept.id)
    with pytest.raises(ForbiddenError):
        proposal_files.detach(records, PLANNER, kept.id)


def test_a_lost_or_changed_content_is_said(records) -> None:
    made = submitted(records)
    kept = proposal_files.attach(records, ALPHA, made.id, "a.pdf", PDF)
    (path,) = [p for p in records.attachments.rglob("*") if p.is_file()]
    path.write_bytes(PDF + b"x")
    with pytest.raises(InputError, match="changed on the disk"):
        proposal_files.content(records, ALPHA, kept.id)
    path.unlink()
    with pytest.raises(InputError, match="is lost"):
        proposal_files.content(records, ALPHA, kept.id)
    # Attached once more, it is there again.
    proposal_files.attach(records, ALPHA, made.id, "a.pdf", PDF)
    assert proposal_files.content(records, ALPHA, kept.id) == PDF


def test_a_write_that_breaks_off_leaves_no_record(records, monkeypatch) -> None:
    made = submitted(records)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(proposal_files, "sync", broken)
    with pytest.raises(InputError, match="No space left"):
        proposal_files.attach(records, ALPHA, made.id, "a.pdf", PDF)
    assert proposal_files.list_of(records, ALPHA, made.id) == []
    assert [p for p in records.attachments.rglob("*") if p.is_file()] == []


def test_the_same_file_at_the_same_time_is_kept_once(records) -> None:
    made = submitted(records)
    gate = threading.Barrier(4)

    def send(k: int) -> int:
        gate.wait()
        return proposal_files.attach(records, ALPHA, made.id, f"{k}.pdf", PDF).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(send, range(4)))) == 1


def test_a_proposal_holds_so_many_files(records, monkeypatch) -> None:
    monkeypatch.setattr(proposal_files, "MOST_FILES", 2)
    made = submitted(records)
    for k in range(2):
        proposal_files.attach(records, ALPHA, made.id, f"{k}.pdf", PDF + bytes([k]))
    with pytest.raises(InputError, match="at most 2 files"):
        proposal_files.attach(records, ALPHA, made.id, "3.pdf", PDF + b"3")
