"""Compiled inner loops (numba), free of units, files and names.

The compiled code is cached in the user's cache folder, never in the source
tree; ``NUMBA_CACHE_DIR`` overrides the place.
"""

import os

import numba
import platformdirs

if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = platformdirs.user_cache_dir("phusong") + "/numba"
