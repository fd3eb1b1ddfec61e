"""Compiled inner loops (numba), free of units, files and names.

The compiled code is cached in the user's cache folder, never in the source
tree; ``NUMBA_CACHE_DIR`` overrides the place. The folder's name holds a hash of
all kernels, because numba does not notice a change in a kernel that another one
calls.
"""

import hashlib
import os
from pathlib import Path

import numba
import platformdirs

if "NUMBA_CACHE_DIR" not in os.environ:
    _sources = sorted(Path(__file__).parent.glob("*.py"))
    _version = hashlib.sha256(b"".join(path.read_bytes() for path in _sources)).hexdigest()[:16]
    numba.config.CACHE_DIR = str(  # type: ignore[attr-defined]
        Path(platformdirs.user_cache_dir("phusong", appauthor=False)) / "numba" / _version
    )
