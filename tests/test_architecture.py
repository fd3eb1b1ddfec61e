"""Rules of the house that a machine can check."""

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vectors import ROOT

SOURCES = [
    path
    for name in ("data", "coverage", "planning", "app")
    for path in sorted((ROOT / name).rglob("*.py"))
]


def test_imports_point_back_along_the_flow() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_that_shadows_coverage_stays_a_bare_one() -> None:
    lines = (ROOT / "coverage" / "__init__.py").read_text(encoding="utf-8").splitlines()
    statements = [line for line in lines if re.match(r"(from|import) ", line)]
    assert statements == ["from coverage._numba_compat import types as types"]


def test_compiled_code_stays_in_its_place() -> None:
    elsewhere = [
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if "kernels" not in path.parts and re.search(r"@(numba\.)?n?jit", path.read_text("utf-8"))
    ]
    assert elsewhere == []


def test_no_kernel_uses_numbas_own_threads() -> None:
    # They abort the process when two sessions of the app compute at once.
    users = [path.name for path in SOURCES if "parallel=True" in path.read_text("utf-8")]
    assert users == []


def test_git_keeps_the_coverage_package() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is nothing that git could have left out")
    listed = subprocess.run(
        ["git", "ls-files", "coverage/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "coverage/run.py" in listed


def test_no_test_is_named_after_bytes(request: pytest.FixtureRequest) -> None:
    # Bytes may hold the time or chance: two processes would know one test by two names.
    name = request.config.hook.pytest_make_parametrize_id
    config = request.config
    assert name(config=config, val=gzip.compress(b"text"), argname="content") == "content"
    assert name(config=config, val="text", argname="content") is None
