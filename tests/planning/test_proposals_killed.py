"""Fifty carriers at once on one server that is killed in the middle and started again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from data.records import tables
from data.records.engine import Records
from data.records.proposal_tables import Notification, Proposal
from tests.app.server import ROOT, free_port

CARRIERS, EACH = 50, 4


class Server:
    """The process, which a test kills."""

    def __init__(self, home: Path, url: str | None) -> None:
        self.port = free_port()
        self._arguments = [str(home), str(self.port), *([] if url is None else [url])]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.planning.proposal_server", *self._arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Carrier:
    """Sends its proposals, and sends again whatever was not answered."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self.name = f"Carrier {number:02}"
        self.answers: dict[str, int] = {}

    def send_all(self, answered: threading.Semaphore) -> None:
        end = time.monotonic() + 60
        for k in range(EACH):
            request_id = f"{self.name} {k}"
            while request_id not in self.answers:
                assert time.monotonic() < end, "the server does not answer"
                try:
                    self.answers[request_id] = self._ask(request_id, k)
                except (OSError, ValueError):
                    time.sleep(0.1)
            answered.release()

    def _ask(self, request_id: str, k: int) -> int:
        wish = {
            "reference": f"{self.name}-{k}",
            "lon": 105.9,
            "lat": 20.5,
            "height_m": 42,
            "technologies": ["4G"],
        }
        asked = {"organisation": self.name, "request_id": request_id, "wish": wish}
        with (
            socket.create_connection(("127.0.0.1", self._port), 20) as connection,
            connection.makefile("rw") as stream,
        ):
            stream.write(json.dumps(asked) + "\n")
            stream.flush()
            return int(stream.readline())


def test_none_is_lost_and_none_doubled_when_the_server_is_killed(
    database_url, tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    records = Records.open(tmp_path, url=database_url)
    server = Server(tmp_path, database_url)
    carriers = [Carrier(server.port, k) for k in range(CARRIERS)]
    answered = threading.Semaphore(0)
    try:
        with ThreadPoolExecutor(CARRIERS) as pool:
            runs = [pool.submit(carrier.send_all, answered) for carrier in carriers]
            for _ in range(60):
                assert answered.acquire(timeout=60)
            server.kill()
            server.start()
            for run in runs:
                run.result()
    finally:
        server.kill()
    with records.reading() as session:
        rows = session.execute(sa.select(Proposal.request_id, Proposal.id, Proposal.status)).all()
        entry = tables.HistoryEntry
        entries = session.execute(
            sa.select(entry.subject_id, entry.action).order_by(entry.id)
        ).all()
        told = session.scalars(sa.select(Notification.proposal_id)).all()
    records.close()
    answers = {key: value for carrier in carriers for key, value in carrier.answers.items()}
    assert len(answers) == CARRIERS * EACH
    # Every answer names the proposal that is there, and there are no others.
    assert {name: number for name, number, _ in rows} == answers
    assert len(rows) == CARRIERS * EACH
    assert {status for *_, status in rows} == {"submitted"}
    steps: dict[str, list[str]] = {}
    for number, action in entries:
        steps.setdefault(number, []).append(action)
    assert steps == {str(number): ["created", "submitted"] for number in answers.values()}
    assert sorted(told) == sorted(answers.values())
