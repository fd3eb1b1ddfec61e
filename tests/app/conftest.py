"""A small generated study area, its coverage, and the app on top of it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from app import i18n, jobs
from coverage import run
from data.store import Workspace
from tests.app.server import LAUNCH_ARGUMENTS, browser_path, serving
from tests.areas import small_area, write_area

ROOT = Path(__file__).parent.parent.parent
ENTRY = str(ROOT / "streamlit_app.py")

# What is asked for first on a fresh machine waits for imports and compilation.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)

#: What the app asks for when nobody has chosen anything.
DEFAULT = run.CoverageRequest()


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace without a computed coverage; not to be changed."""
    return write_area(tmp_path_factory.mktemp("app") / "bare", small_area())


@pytest.fixture(scope="session")
def computed(bare: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same with its default coverage; not to be changed."""
    folder = tmp_path_factory.mktemp("app") / "computed"
    shutil.copytree(bare.folder, folder)
    workspace = Workspace.open(folder)
    run.compute(workspace, DEFAULT)
    return workspace


@pytest.fixture
def own(computed: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    folder = tmp_path / "own"
    shutil.copytree(computed.folder, folder)
    return Workspace.open(folder)


@pytest.fixture
def speak():
    """Use a language outside sessions, and go back afterwards."""
    yield i18n.use
    i18n.use(i18n.DEFAULT)


@pytest.fixture(autouse=True)
def _no_jobs_left() -> Iterator[None]:
    """Jobs belong to sessions, and all sessions of a process of tests have one name."""
    yield
    for key, job in list(jobs.JOBS._jobs.items()):
        job._cancelled.set()
        jobs.JOBS.forget(key)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, speak) -> Callable[..., AppTest]:
    """Start the app on a workspace, in a language, on a page."""

    def begin(workspace: Workspace | Path, page: str = "overview", language: str = "vi") -> AppTest:
        folder = workspace if isinstance(workspace, Path) else workspace.folder
        monkeypatch.setenv("PHUSONG_WORKSPACE", str(folder))
        # AppTest writes the options of widgets once more, outside the session.
        speak(language)
        app = AppTest.from_file(ENTRY, default_timeout=60)
        app.query_params["lang"] = language
        app.run()
        if page != "overview":
            app.switch_page(f"app/pages/{page}.py").run()
        return app

    return begin


# Parts that open grow for half a second. Someone waits for that; a test on a busy machine
# may press on a button that has moved away before it lets go.
OPEN_AT_ONCE = """
const animate = Element.prototype.animate;
Element.prototype.animate = function (frames, options) {
  const timing = typeof options === "number" ? {} : options;
  return animate.call(this, frames, {...timing, duration: 0});
};
"""

# Opened at a page's address, Streamlit looks for its server below that address first. A table
# to be downloaded is looked for as soon as its button is shown: in vain on a page just left.
HARMLESS = re.compile(r"/_stcore/(health|host-config)$|/media/[0-9a-f]+\.csv$")

#: What maps fetch; Streamlit forgets it when their page is left.
OF_MAPS = re.compile(r"/media/[0-9a-f]+\.(png|json)$")


def harmless(answer: Response) -> bool:
    """Whether nobody misses what was not found."""
    if OF_MAPS.search(answer.url):
        return answer.frame.is_detached()
    return bool(HARMLESS.search(answer.url))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no Chromium on the path, but CI must run the browser tests")
        pytest.skip("no Chromium on the path (install the package chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(LAUNCH_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture(scope="session")
def served(computed: Workspace, tmp_path_factory) -> Iterator[tuple[str, Workspace]]:
    folder = tmp_path_factory.mktemp("served") / "workspace"
    shutil.copytree(computed.folder, folder)
    with serving(folder, tmp_path_factory.mktemp("log") / "server.log") as address:
        yield address, Workspace.open(folder)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if anything goes wrong in it or leaves the machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(OPEN_AT_ONCE)
    opened = context.new_page()
    faults: list[str] = []
    missing: list[Response] = []
    opened.on(
        "response",
        lambda answer: missing.append(answer) if answer.status >= 400 else None,
    )
    opened.on(
        "requestfailed",
        # What a page gives up when it is left is no fault of it.
        lambda request: faults.append(f"failed: {request.url} ({request.failure})"),
    )
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda said: (
            faults.append(said.text) if said.type == "error" and "404" not in said.text else None
        ),
    )
    opened.on(
        "request",
        lambda request: (
            faults.append(f"left the machine: {request.url}")
            if not request.url.startswith(("http://127.0.0.1", "data:", "blob:"))
            else None
        ),
    )
    yield opened
    faults += [answer.url for answer in missing if not harmless(answer)]
    context.close()
    assert not [fault for fault in faults if "ERR_ABORTED" not in fault]
