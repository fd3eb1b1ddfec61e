"""A small server of proposals for tests: a process that can be killed.

Reads one JSON object a line: organisation, request_id, wish; answers with the number of
the proposal. Every connection has a thread of its own, like a session of the app.
"""

from __future__ import annotations

import json
import socketserver
import sys
from pathlib import Path

from data.records.engine import Records
from planning import proposals
from planning.accounts import Actor, Role


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            asked = json.loads(line)
            actor = Actor(None, "session", Role.CARRIER, asked["organisation"])
            made = proposals.create(
                self.server.records,  # type: ignore[attr-defined]
                actor,
                "test",
                asked["wish"],
                request_id=asked["request_id"],
                submit=True,
            )
            self.wfile.write(f"{made.id}\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve on a port until killed: HOME PORT [URL]."""
    home, port, *url = sys.argv[1:]
    with _Server(("127.0.0.1", int(port)), _Handler) as server:
        server.records = Records.open(Path(home), url=url[0] if url else None)  # type: ignore[attr-defined]
        server.serve_forever()


if __name__ == "__main__":
    main()
