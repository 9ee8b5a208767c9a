# SPDX-License-Identifier: Apache-2.0
"""glibc's log, log1p, sin and cos: recorded values, and the running C library where it is glibc."""

import ctypes
import platform
import re
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pytest

from glorot.replay import _libm
from glorot.replay._libm_tables import table

VECTORS = Path(__file__).parents[1] / "vectors" / "libm-glibc.txt"
ARITHMETICS = ("fma", "default")


def sine(x, arithmetic):
    """The first of sincos64's results."""
    return _libm.sincos64(x, arithmetic)[0]


def cosine(x, arithmetic):
    """The second of sincos64's results."""
    return _libm.sincos64(x, arithmetic)[1]


FLOAT32 = {
    "logf": _libm.logf,
    "sinf": lambda x: _libm.sincosf(x)[0],
    "cosf": lambda x: _libm.sincosf(x)[1],
}
FLOAT64 = {"log": _libm.log64, "log1p": _libm.log1p64, "sin": sine, "cos": cosine}
MODELS = {name: (np.float32, function) for name, function in FLOAT32.items()} | {
    f"{name}-{arithmetic}": (np.float64, partial(function, arithmetic=arithmetic))
    for name, function in FLOAT64.items()
    for arithmetic in ARITHMETICS
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


@pytest.mark.parametrize("name", FLOAT64)
def test_recorded_values_tell_wrong_answers(name):
    """The other arithmetic, and the correctly rounded value, fail on a dozen rows and more."""
    exact = getattr(mpmath, name)
    for arithmetic, other in (ARITHMETICS, ARITHMETICS[::-1]):
        x, y = rows(f"{name}-{arithmetic}")
        with mpmath.workprec(200):
            rounded = np.array([float(exact(mpmath.mpf(value))) for value in x.tolist()])

        assert (FLOAT64[name](x, other) != y).sum() > 12
        assert (rounded != y).sum() > 12
        assert (np.abs(rounded - y) <= np.spacing(np.abs(y))).all()


def test_fma_is_the_arithmetic_where_none_is_named():
    """Without a second argument the functions compute as on processors with FMA."""
    for name, function in FLOAT64.items():
        x, y = rows(f"{name}-fma")
        plain = {"sin": lambda x: _libm.sincos64(x)[0], "cos": lambda x: _libm.sincos64(x)[1]}
        assert same_bits(plain.get(name, function)(x), y)


def test_shapes_are_kept():
    """Scalars, empty arrays and strided views come back in their own shape, long ones in blocks."""
    x = np.linspace(0.1, 1, 24).reshape(4, 6)
    functions = [(np.float32, _libm.logf), (np.float32, _libm.sincosf)]
    functions += [(np.float64, f) for f in (_libm.log64, _libm.log1p64, _libm.sincos64)]
    for kind, function in functions:
        for part in (x, x[::2, 1::3], x[:0], x[1, 1]):
            found = function(part.astype(kind))
            for y in found if isinstance(found, tuple) else (found,):
                assert y.shape == part.shape
                assert y.dtype == kind
        long = np.linspace(0.1, 1, 10_001, dtype=kind)
        one_by_one = np.array([function(value) for value in long[::100]])
        assert same_bits(np.asarray(function(long)).T[::100].copy(), one_by_one)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_special_values(arithmetic):
    """Zeros, infinities, NaN and what has no logarithm give what C demands."""
    inf, nan = np.inf, np.nan

    log = _libm.log64([0.0, -0.0, 1.0, inf, -inf, -1.0, nan], arithmetic)
    log1p = _libm.log1p64([0.0, -0.0, -1.0, inf, -inf, -2.0, nan, 5e-324], arithmetic)

    np.testing.assert_array_equal(log, [-inf, -inf, 0.0, inf, nan, nan, nan])
    assert not np.signbit(log[2])
    np.testing.assert_array_equal(log1p, [0.0, -0.0, -inf, inf, nan, nan, nan, 5e-324])
    assert np.signbit(log1p[:2]).tolist() == [False, True]
    sine, cosine = _libm.sincos64([0.0, -0.0, 5e-324], arithmetic)
    assert same_bits(sine, np.array([0.0, -0.0, 5e-324]))
    assert same_bits(cosine, np.ones(3))


@pytest.mark.parametrize("angle", [105414336.0, -105414336.0, np.inf, np.nan])
def test_angles_too_large_are_refused(angle):
    """An angle that would need another reduction is refused, the largest that needs none taken."""
    with pytest.raises(ValueError, match="sincos64 takes angles of magnitude below 105414336; "):
        _libm.sincos64([1.0, angle])
    _libm.sincos64(np.nextafter(105414336.0, 0))


@pytest.mark.parametrize("function", [_libm.log64, _libm.log1p64, _libm.sincos64])
def test_an_unknown_arithmetic_is_refused(function):
    """The message names what came and lists what there is."""
    message = "arithmetic is 'avx2'; give one of 'fma', 'default'."
    with pytest.raises(ValueError, match=re.escape(message)):
        function(0.5, "avx2")


def test_arithmetics_of_versions():
    """glibc 2.36 brought the variant of sincos for FMA, 2.39 that of log1p."""
    fma, default = ARITHMETICS
    expected = {
        (2, 29): [fma, default, default],
        (2, 35): [fma, default, default],
        (2, 36): [fma, fma, default],
        (2, 39): [fma, fma, fma],
        (3, 0): [fma, fma, fma],
    }
    for version, names in expected.items():
        assert list(_libm.arithmetics(version).values()) == names
        assert set(_libm.arithmetics(version, fma=False).values()) == {default}
    message = r"glibc is \(2, 28\); give \(2, 29\) or later: older ones compute"
    with pytest.raises(ValueError, match=message):
        _libm.arithmetics((2, 28))


def test_the_table_of_logarithms():
    """Given 1/c: c as two floats, and ln c rounded to 43 bits after the point."""
    rows = table("log64")
    assert rows.shape == (128, 4)
    with mpmath.workprec(200):
        for i, (inverse_c, log_c, c_high, c_low) in enumerate(rows.tolist()):
            c = 1 / mpmath.mpf(inverse_c)
            middle = 0.6875 + (i + 0.5) / 256 if i < 80 else 1 + (i - 79.5) / 128
            assert abs(float(c) / middle - 1) < 2.0**-13
            assert float(c) == c_high
            assert float(c - c_high) == c_low
            assert float(mpmath.nint(mpmath.log(c) * 2**43)) * 2.0**-43 == log_c


def test_the_table_of_sines():
    """sin and cos of k/128: the nearest float, and the rest to 106 bits of the whole."""
    rows = table("sincos64")
    assert rows.shape == (110, 4)
    with mpmath.workprec(200):
        for k, (sine, sine_low, cosine, cosine_low) in enumerate(rows.tolist()):
            for exact, high, low in (
                (mpmath.sin(mpmath.mpf(k) / 128), sine, sine_low),
                (mpmath.cos(mpmath.mpf(k) / 128), cosine, cosine_low),
            ):
                assert float(exact) == high
                assert abs(exact - high - low) <= abs(exact) * mpmath.mpf(2) ** -106


def uniforms(name):
    """Arguments of Box-Muller: the uniforms of TensorFlow and torch, thinned."""
    if name in FLOAT32:
        parts = [np.arange(0, 1, 2.0**-23)[::41], np.arange(0, 1, 2.0**-24)[3::97]]
        u = np.concatenate(parts)
    else:
        u = np.random.default_rng(2036).random(100_000)
    if name in ("logf", "log"):
        return np.maximum(u, 1e-7)
    return -u if name == "log1p" else 2 * np.pi * u


def running(name):
    """A function of the C library that runs here, over a list."""
    library = ctypes.CDLL("libm.so.6")
    function = getattr(library, name)
    kind = ctypes.c_float if name in FLOAT32 else ctypes.c_double
    function.restype, function.argtypes = kind, [kind]
    return function


def glibc_version():
    """The running C library's (major, minor), or (0, 0) where it is no glibc."""
    name, version = platform.libc_ver()
    return tuple(map(int, version.split("."))) if name == "glibc" else (0, 0)


@pytest.mark.slow
@pytest.mark.skipif(glibc_version() < (2, 28), reason="compares with glibc 2.28 or later")
@pytest.mark.parametrize("name", FLOAT32)
def test_the_running_library_agrees(name):
    """A few 1e5 uniforms through the glibc that runs here."""
    x = uniforms(name).astype(np.float32)

    expected = np.array(list(map(running(name), x.tolist())), np.float32)

    assert len(x) > 300_000
    assert same_bits(FLOAT32[name](x), expected)


@pytest.mark.skipif(
    glibc_version() < (2, 29) or platform.machine() != "x86_64",
    reason="compares with glibc 2.29 or later on x86-64",
)
@pytest.mark.parametrize("name", FLOAT64)
def test_the_running_library_is_one_of_the_two(name):
    """1e5 uniforms through the glibc that runs here: all are one arithmetic's.

    sin and cos by themselves, which compilers join to sincos where both are wanted: in one
    arithmetic their values are those of sincos, for every argument tried.
    """
    x = uniforms(name)

    expected = np.array(list(map(running(name), x.tolist())))

    fused, plain = (FLOAT64[name](x, arithmetic) for arithmetic in ARITHMETICS)
    assert not same_bits(fused, plain)
    assert same_bits(fused, expected) or same_bits(plain, expected)
