"""A small generated study area, its coverage, and the app on top of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import i18n
from coverage import run
from data.store import Workspace
from tests.areas import small_area, write_area

ROOT = Path(__file__).parent.parent.parent
ENTRY = str(ROOT / "streamlit_app.py")

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
