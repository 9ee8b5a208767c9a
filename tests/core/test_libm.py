# SPDX-License-Identifier: Apache-2.0
"""glibc's log, sin and cos: recorded values, and the running C library where it is glibc."""

import ctypes
import platform
from pathlib import Path

import numpy as np
import pytest

from glorot.replay import _libm

VECTORS = Path(__file__).parents[1] / "vectors" / "libm-glibc.txt"
MODELS = {
    "logf": (np.float32, _libm.logf),
    "sinf": (np.float32, lambda x: _libm.sincosf(x)[0]),
    "cosf": (np.float32, lambda x: _libm.sincosf(x)[1]),
}


def rows(name):
    """The recorded (arguments, values) of a function."""
    table = [line.split() for line in VECTORS.read_text().splitlines() if line.startswith(name)]
    kind = MODELS[name][0]
    return tuple(
        np.array([float.fromhex(row[i]) for row in table if row[0] == name], kind) for i in (1, 2)
    )


def same_bits(a, b):
    """Whether two float arrays are equal byte for byte (so that -0.0 is not 0.0)."""
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_recorded_values(name):
    """Every recorded value, to the bit; a value one ulp off would show."""
    x, y = rows(name)

    assert len(x) > 60
    found = MODELS[name][1](x)
    assert same_bits(found, y)
    assert not same_bits(np.nextafter(found, found.dtype.type(2)), y)


def test_shapes_are_kept():
    """Scalars, empty arrays and strided views come back in their own shape."""
    x = np.linspace(0.1, 1, 24, dtype=np.float32).reshape(4, 6)
    for part in (x, x[::2, 1::3], x[:0], x[1, 1]):
        assert _libm.logf(part).shape == part.shape
        assert [y.shape for y in _libm.sincosf(part)] == [part.shape] * 2
    assert same_bits(_libm.logf(x[::2, 1::3]), _libm.logf(x)[::2, 1::3].copy())


def grid(name):
    """Arguments of Box-Muller: the 2**-23 and 2**-24 uniforms of TensorFlow and torch, thinned."""
    uniforms = np.concatenate([np.arange(0, 1, 2.0**-23)[::41], np.arange(0, 1, 2.0**-24)[3::97]])
    if name == "logf":
        return np.maximum(uniforms, 1e-7).astype(np.float32)
    return (2 * np.pi * uniforms).astype(np.float32)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="compares with glibc")
@pytest.mark.parametrize("name", MODELS)
def test_the_running_library_agrees(name):
    """A few 1e5 uniforms through the glibc that runs here; older ones than 2.28 may differ."""
    if tuple(map(int, platform.libc_ver()[1].split("."))) < (2, 28):
        pytest.skip("glibc before 2.28 had other algorithms")
    library = ctypes.CDLL("libm.so.6")
    function = getattr(library, name)
    kind, model = MODELS[name]
    function.restype = function.argtypes = None
    function.argtypes = [ctypes.c_float if kind is np.float32 else ctypes.c_double]
    function.restype = function.argtypes[0]
    x = grid(name).astype(kind)

    expected = np.array([function(value) for value in x.tolist()], kind)

    assert len(x) > 300_000
    assert same_bits(model(x), expected)
