"""Radio coverage: propagation physics, area prediction and percentages.

Use its modules, e.g. ``from coverage import sweep``. This file must not pull in
anything that pulls in numba (see ``coverage/_numba_compat.py``).
"""

from coverage._numba_compat import types as types
