"""Radio coverage: propagation physics, area prediction and percentages.

Import the modules, e.g. ``from coverage import sweep``: this file must not
import anything that imports numba (see ``coverage/_numba_compat.py``).
"""

from coverage._numba_compat import types as types
