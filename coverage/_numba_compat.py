"""What numba looks for in coverage.py, which our package shadows.

While ``numba`` is imported it runs ``import coverage`` and reads seven names
from ``coverage.types`` to offer coverage.py a tracer. Our package of the same
name comes first on the path, so it has to carry them, or ``import numba``
fails. They are only used in type annotations there. Upstream: numba issue
10705 (will not be changed). The values live here and not in a file
``coverage/types.py``, which would shadow the standard library's ``types``
when a file of this package is run as a script.
"""

from types import SimpleNamespace

types = SimpleNamespace(
    Tracer=object,
    TTraceData=object,
    TTraceFn=object,
    TShouldTraceFn=object,
    TFileDisposition=object,
    TShouldStartContextFn=object,
    TWarnFn=object,
)
