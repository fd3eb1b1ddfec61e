"""Compiled inner loops (numba) of the planning package: arrays in, arrays out.

They are cached in the same folder as those of `coverage.kernels`. A kernel here
calls only kernels of its own file: numba notices a change in that file, but not
in another one.
"""

import coverage.kernels as coverage_kernels  # noqa: F401  (sets the cache folder first)
