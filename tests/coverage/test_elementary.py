"""The kernels' own elementary functions against the mathematics library."""

import math

import numpy as np
import pytest
from numba import njit

from coverage.kernels import elementary


def compiled(function):
    """Return a function that applies one of the functions to an array."""

    @njit
    def apply(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    def call(x):
        out = np.empty_like(x)
        apply(x, out)
        return out

    return call


def test_log():
    x = np.geomspace(1e-300, 1e300, 4001)
    np.testing.assert_allclose(compiled(elementary.log)(x), np.log(x), rtol=1e-13, atol=1e-12)
    near = 1.0 + np.linspace(-1e-3, 1e-3, 1001)
    np.testing.assert_allclose(compiled(elementary.log)(near), np.log(near), rtol=0, atol=1e-14)


def test_exp():
    x = np.linspace(-700.0, 700.0, 4001)
    np.testing.assert_allclose(compiled(elementary.exp)(x), np.exp(x), rtol=1e-12)
    small = np.linspace(-1e-3, 1e-3, 1001)
    np.testing.assert_allclose(compiled(elementary.exp)(small), np.exp(small), rtol=1e-15)


@pytest.mark.parametrize("name", ["cosine", "sine"])
def test_angles(name):
    x = np.linspace(0.0, math.pi, 4001)
    expected = np.cos(x) if name == "cosine" else np.sin(x)
    found = compiled(getattr(elementary, name))(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
