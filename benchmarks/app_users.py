"""Many users at once: how long a page takes, how much memory, and whose figures it shows.

    python -m benchmarks.app_users --workspace /tmp/maps --users 20 --rounds 4

Serves the area (of `benchmarks.app_maps`; built where it is not there) and lets
clients speak Streamlit's own protocol over the loopback, as browsers do, so that
no browser competes for the processors. Every client thinks between its steps,
asks about a place of its own, and fails if it is told of somebody else's. Prints
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
import threading
import time
import urllib.parse
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

from benchmarks.app_maps import prepare
from data.store import Workspace
from tests.app.server import serving

#: What a user does in a round: page, and whether the place is asked about there.
STEPS = ("overview", "map", "place", "technology", "indicators", "network", "help")

#: How long a user looks at a page before the next step, from and to. [s]
THINKING_S = (3.0, 7.0)


@dataclass
class Client:
    """One user's browser, as far as the server can tell.

    Parameters
    ----------
    address
        Of the server.
    number
        Of the user.
    language
        Code.
    """

    address: str
    number: int
    language: str
    texts: list[str] = field(default_factory=list)
    _pages: dict[str, str] = field(default_factory=dict)
    _page: str = ""
    _query: str = ""
    _widgets: dict[str, WidgetState] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)
    _fragments: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._query = f"lang={self.language}"
        port = urllib.parse.urlsplit(self.address).port
        self._stack = ExitStack()
        opened = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream",
            origin=self.address,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            open_timeout=60,
        )
        self._socket = self._stack.enter_context(opened)

    def close(self) -> None:
        """Leave."""
        self._stack.close()

    def go(self, page: str) -> float:
        """Open a page; return the seconds until all of it has come."""
        self._page = self._pages.get(page, "")
        self._query = f"lang={self.language}"
        return self._run()

    def set_text(self, label: str, value: str) -> float:
        """Write into a text field."""
        state = WidgetState(id=self._labels[label], string_value=value)
        self._widgets[state.id] = state
        return self._run(self._fragments.get(label, ""))

    def choose(self, label: str, value: str) -> float:
        """Choose one of a row of buttons."""
        state = WidgetState(id=self._labels[label])
        state.string_array_value.data.append(value)
        self._widgets[state.id] = state
        return self._run(self._fragments.get(label, ""))

    def _run(self, fragment: str = "") -> float:
        message = BackMsg()
        message.rerun_script.fragment_id = fragment
        message.rerun_script.query_string = self._query
        message.rerun_script.page_script_hash = self._page
        message.rerun_script.widget_states.widgets.extend(self._widgets.values())
        start = time.perf_counter()
        self._socket.send(message.SerializeToString())
        self.texts = []
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(self._socket.recv(timeout=120))  # type: ignore[arg-type]
            kind = answer.WhichOneof("type")
            if kind == "navigation":
                self._pages = {
                    page.url_pathname: page.page_script_hash for page in answer.navigation.app_pages
                }
                self._page = answer.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._query = answer.page_info_changed.query_string
            elif kind == "delta":
                self._note(answer)
            elif kind == "script_finished":
                return time.perf_counter() - start

    def _note(self, answer: ForwardMsg) -> None:
        element = answer.delta.new_element
        kind = element.WhichOneof("type")
        if kind in ("html", "markdown", "heading", "alert"):
            self.texts.append(getattr(element, kind).body)
        elif kind in ("text_input", "button_group", "selectbox"):
            widget = getattr(element, kind)
            self._labels[widget.label] = widget.id
            # Browsers ask for the part of the page that a widget belongs to.
            self._fragments[widget.label] = answer.delta.fragment_id


def place_of(workspace: Workspace, number: int, users: int) -> tuple[float, float]:
    """Return latitude and longitude of a place that is one user's alone. [deg]."""
    zones = workspace.read("zones").to_crs("EPSG:4326")
    west, south, east, north = zones.total_bounds
    share = (number + 0.5) / users
    return (
        float(south + (0.3 + 0.4 * share) * (north - south)),
        float(west + (0.3 + 0.4 * share) * (east - west)),
    )


def written(degrees: float, language: str) -> str:
    """Return a coordinate as the page writes it."""
    text = f"{degrees:.5f}°"
    return text.replace(".", ",") if language == "vi" else text


def use(
    client: Client, place: tuple[float, float], others: set[str], rounds: int
) -> dict[str, list[float]]:
    """Be one user for some rounds, and see only one's own place."""
    rng = random.Random(client.number)
    label = {"vi": "Vĩ độ, kinh độ", "en": "Latitude, longitude"}[client.language]
    technology = {"vi": "Công nghệ", "en": "Technology"}[client.language]
    found: dict[str, list[float]] = defaultdict(list)
    found["first visit"].append(client.go("overview"))
    for number in range(rounds):
        for step in STEPS:
            time.sleep(rng.uniform(*THINKING_S))
            if step == "place":
                near = (place[0] + 1e-4 * number, place[1])
                seconds = client.set_text(label, f"{near[0]:.5f}, {near[1]:.5f}")
                _check(client, near, others)
            elif step == "technology":
                seconds = client.choose(technology, rng.choice(["2G", "3G", "4G"]))
                _check(client, near, others)
            else:
                seconds = client.go(step)
            if not client.texts:
                raise RuntimeError(f"{step} was empty")
            found[step].append(seconds)
    return dict(found)


def _check(client: Client, place: tuple[float, float], others: set[str]) -> None:
    said = re.sub(r"<[^>]+>", " ", " ".join(client.texts))
    own = written(place[0], client.language)
    if own not in said:
        raise RuntimeError(f"user {client.number} was not told of {own}")
    wrong = [text for text in others if text in said]
    if wrong:
        raise RuntimeError(f"user {client.number} was told of {wrong}")


def measure(workspace: Workspace, users: int, rounds: int, log: Path) -> dict[str, Any]:
    """Serve the area to many users."""
    places = [place_of(workspace, number, users) for number in range(users)]
    seconds: dict[str, list[float]] = defaultdict(list)
    faults: list[str] = []
    with serving(workspace.folder, log) as address:
        (server,) = psutil.Process().children()
        memory_mb = [server.memory_info().rss / 1e6]

        def user(number: int) -> None:
            language = "vi" if number % 2 else "en"
            others = {
                written(latitude, language)
                for other, (latitude, _) in enumerate(places)
                if other != number
            }
            client = None
            try:
                client = Client(address, number, language)
                for step, values in use(client, places[number], others, rounds).items():
                    seconds[step] += values
            except Exception as error:  # noqa: BLE001 - reported, and the others go on
                faults.append(f"user {number}: {error!r}")
            finally:
                if client is not None:
                    client.close()

        warm = Client(address, -1, "en")
        for page in ("overview", *STEPS):
            if page not in ("place", "technology"):
                warm.go(page)
        warm.close()
        memory_mb.append(server.memory_info().rss / 1e6)
        threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
            time.sleep(0.3)
        while any(thread.is_alive() for thread in threads):
            memory_mb.append(server.memory_info().rss / 1e6)
            time.sleep(1.0)
        wall = time.perf_counter() - start
    every = [value for step, values in seconds.items() for value in values]
    third = max(1, len(memory_mb) // 3)
    return {
        "users": users,
        "rounds": rounds,
        "answers": len(every),
        "wall_seconds": round(wall, 1),
        "faults": faults,
        "median_seconds": round(statistics.median(every), 3),
        "p95_seconds": round(sorted(every)[int(0.95 * len(every))], 3),
        "median_seconds_by_step": {
            step: round(statistics.median(values), 3) for step, values in seconds.items()
        },
        "memory_mb": {
            "after_start": round(memory_mb[0]),
            "after_one_visitor": round(memory_mb[1]),
            "peak_of_the_first_third": round(max(memory_mb[:third])),
            "peak": round(max(memory_mb)),
        },
    }


def main() -> None:
    """Read the options and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="folder of the real area's files")
    parser.add_argument("--workspace", type=Path, help="kept there, and used if it exists")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.workspace or Path(scratch) / "maps"
        there = Workspace.exists(folder)
        workspace = Workspace.open(folder) if there else prepare(folder, arguments.source)
        log = Path(scratch) / "server.log"
        print(json.dumps(measure(workspace, arguments.users, arguments.rounds, log), indent=1))


if __name__ == "__main__":
    main()
