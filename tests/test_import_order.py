"""numba must import beside a package called `coverage`, in any order."""

import subprocess
import sys

import pytest

from tests.vectors import ROOT

ORDERS = [
    "import numba; from coverage import sweep",
    "from coverage import sweep; import numba",
    "import coverage; import numba; from coverage.kernels import p1812",
    "import pandas; import numba; from coverage import composite",
    "import numba.core.dispatcher; import coverage",
    "from coverage import run; import streamlit",
    "import streamlit; from coverage import run",
    "import geopandas, rasterio; from coverage.propagation import p1812",
    "import planning; from coverage import models",
    (
        "import multiprocessing as m; p = m.get_context('spawn').Pool(1) if __name__ == '__main__' "
        "else None; print(p.apply(abs, (-1,))) if p else None; import numba"
    ),
]


@pytest.mark.parametrize("code", ORDERS)
def test_a_fresh_interpreter_imports_both(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
