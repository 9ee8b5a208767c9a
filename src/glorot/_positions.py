# SPDX-License-Identifier: Apache-2.0
"""Positions as sines and cosines: along a sequence, and of a grid's columns and rows.

Every float64 step is one rounded operation or a correctly rounded power, and never the C library's:
the bits are the same on every machine.
"""

import functools
import math
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Initializer
from glorot._orthogonal import rounded
from glorot._stream import Name
from glorot._writers import Array, Place, Writer

_LONGEST = 1 << 20  # places, columns or rows whose angles are reduced exactly enough


class Sinusoids(Initializer):
    """The places of a sequence: sines and cosines of the place, at falling frequencies.

    Of a weight of shape (..., places, width), place p has sin(p f_i) and cos(p f_i) of the
    frequencies f_i = base**(-2 i / width), i = 0, 1, ...: all sines, then all cosines, or each
    cosine beside its sine; an odd width has one sine more. Along other axes all are the same.
    Each is within 4e-16 of the exact sine of the float64 angle, rounded once.

    Args:
        base: of the frequencies, above 1.
        endpoint: whether the last frequency is 1 / base, f_i = base**(-2 i / (width - 2)); the
            width is then even and at least 4.
        interleaved: whether each sine is followed by the cosine of its angle.
        dtype: the default dtype of calls, a float type.
        first: the place of the first row, at least 0: a table whose rows before it are another's.

    Source: Vaswani et al., "Attention is all you need", 2017, section 3.5, and XLM: interleaved;
    transformers, models/marian, MarianSinusoidalPositionalEmbedding: neither;
    tensorflow/tensor2tensor, layers/common_attention.py, get_timing_signal_1d, and openai/whisper,
    whisper/model.py, sinusoids: endpoint.

    Examples:
        >>> import glorot
        >>> glorot.Sinusoids()((3, 4)).round(3)
        array([[ 0.   ,  0.   ,  1.   ,  1.   ],
               [ 0.841,  0.01 ,  0.54 ,  1.   ],
               [ 0.909,  0.02 , -0.416,  1.   ]], dtype=float32)
        >>> glorot.Sinusoids(100, endpoint=True, interleaved=True)((2, 4))[1].round(3)
        array([0.841, 0.54 , 0.01 , 1.   ], dtype=float32)
    """

    base: float
    endpoint: bool
    interleaved: bool
    first: int = 0
    random = False

    def __init__(
        self,
        base: float = 10000.0,
        endpoint: bool = False,
        interleaved: bool = False,
        dtype: Any = "float32",
        *,
        first: int = 0,
    ) -> None:
        place = _check.count("first", first, 0)
        options = {
            "base": _above_one(base),
            "endpoint": _check.flag("endpoint", endpoint),
            "interleaved": _check.flag("interleaved", interleaved),
        }
        self._freeze(dtype, options, {"first": place} if place else {})

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        if len(shape) < 2:
            raise ValueError(f"Sinusoids needs a shape (..., places, width), got {shape}.")
        if self.endpoint and (shape[-1] % 2 or shape[-1] == 2):
            raise ValueError(
                "Sinusoids with `endpoint`=True needs an even width of at least 4, got shape "
                f"{shape}. `endpoint`=False takes any."
            )
        if self.first + shape[-2] > _LONGEST:
            before = f" after `first`={self.first}" if self.first else ""
            raise ValueError(f"Sinusoids has at most 2**20 places, got shape {shape}{before}.")
        _float("Sinusoids", dtype)
        return _SequenceWriter(shape, self)


class SinCosGrid(Initializer):
    """The places of a grid, row by row: sines and cosines of the column, then of the row.

    Of a weight of shape (..., places, width), width = 4 n, the first 2 n values of a place are
    sin(x f_0), ..., sin(x f_{n-1}), cos(x f_0), ..., cos(x f_{n-1}) with x its column and
    f_i = base**(-i / n), and the other 2 n are those of its row; along other axes all are the same.
    Each is within 4e-16 of the exact sine of the float64 angle, rounded once.

    Args:
        grid: (rows, columns), whose product is the number of places; None: a square.
        base: of the frequencies, above 1.
        dtype: the default dtype of calls, a float type.

    Source: facebookresearch/mae, util/pos_embed.py, get_2d_sincos_pos_embed, without a class token;
    facebookresearch/DiT, models.py; Vaswani et al., "Attention is all you need", 2017, section 3.5,
    with the sines before the cosines.

    Examples:
        >>> import glorot
        >>> glorot.SinCosGrid(grid=(2, 3))((6, 4))[4:].round(3)
        array([[ 0.841,  0.54 ,  0.841,  0.54 ],
               [ 0.909, -0.416,  0.841,  0.54 ]], dtype=float32)
    """

    grid: tuple[int, int] | None
    base: float
    random = False

    def __init__(self, grid: Any = None, base: float = 10000.0, dtype: Any = "float32") -> None:
        self._freeze(dtype, {"grid": _grid(grid), "base": _above_one(base)})

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        if len(shape) < 2 or shape[-1] % 4:
            raise ValueError(
                "SinCosGrid needs a shape (..., places, width), width a multiple of 4; got "
                f"{shape}."
            )
        rows, columns = self.grid or (math.isqrt(shape[-2]),) * 2
        if rows * columns != shape[-2]:
            said = f"`grid`={self.grid}" if self.grid else "a square"
            raise ValueError(
                f"shape {shape} has {shape[-2]} places, not those of {said}. "
                "Give `grid`=(rows, columns)."
            )
        if max(rows, columns) > _LONGEST:
            raise ValueError(f"a grid has at most 2**20 rows and columns, got {rows, columns}.")
        _float("SinCosGrid", dtype)
        return _GridWriter(shape, columns, self.base)


def _above_one(base: Any) -> float:
    number = _check.positive("base", base)
    if number <= 1.0:
        raise ValueError(f"`base` must be above 1, got {_check.show(base)}.")
    return number


def _float(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind in "iub":
        raise ValueError(f"{name} gives no whole numbers, got dtype {dtype}. Use a float.")


def _grid(grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    pair = tuple(grid) if isinstance(grid, (tuple, list)) else ()
    whole = [isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in pair]
    if len(pair) != 2 or not all(whole):
        raise ValueError(f"`grid` must be (rows, columns), two positive integers; got {grid!r}.")
    return pair


class _SequenceWriter(Writer):
    """Writes parts of (..., places, width)."""

    __slots__ = ("of",)

    def __init__(self, shape: tuple[int, ...], of: Sinusoids) -> None:
        super().__init__(shape)
        self.of = of

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part that is in `out`."""
        if not out.size:
            return
        first, begin = start[-2:] if start else (0, 0)
        width = self.shape[-1]
        sines = (width + 1) // 2
        number = np.arange(begin, begin + out.shape[-1])
        if self.of.interleaved:
            which, is_cosine = np.divmod(number, 2)
        else:
            is_cosine, which = np.divmod(number, sines)
        over = (width - 2 if self.of.endpoint else width) / 2
        places = (np.arange(first, first + out.shape[-2]) + self.of.first).astype(np.float64)
        angles = places * _frequencies(self.of.base, sines, over)[which, None]
        _put(out, angles, is_cosine == 0)


class _GridWriter(Writer):
    """Writes parts of (..., places, width)."""

    __slots__ = ("base", "columns")

    def __init__(self, shape: tuple[int, ...], columns: int, base: float) -> None:
        super().__init__(shape)
        self.columns = columns
        self.base = base

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part that is in `out`."""
        if not out.size:
            return
        first, begin = start[-2:] if start else (0, 0)
        quarter = self.shape[-1] // 4
        places = np.arange(first, first + out.shape[-2])
        number = np.arange(begin, begin + out.shape[-1])
        at = np.stack([places % self.columns, places // self.columns]).astype(np.float64)
        frequencies = _frequencies(self.base, quarter, quarter)[number % quarter, None]
        _put(out, at[number // (2 * quarter)] * frequencies, number // quarter % 2 == 0)


def _put(out: Array, angles: Array, is_sine: Array) -> None:
    """Write sines or cosines of the angles, which are (width, places)."""
    sine, cosine = _sin_cos(angles)
    out[...] = rounded(np.where(is_sine[:, None], sine, cosine).T, out.dtype)


@functools.lru_cache(maxsize=64)
def _frequencies(base: float, count: int, over: float) -> Array:
    """The float64s nearest to base**(-i / over), for i below `count`."""
    import decimal  # slow to load

    exact = decimal.Context(prec=40)
    log = exact.ln(decimal.Decimal(base))
    divisor = decimal.Decimal(over)
    powers = (exact.divide(exact.multiply(log, -i), divisor) for i in range(count))
    return np.array([float(exact.exp(power)) for power in powers], np.float64)


# Of pi/2; a count of quarter turns below 2**20 times one of the first two is exact.
_PARTS = (
    float.fromhex("0x1.921fb544p+0"),
    float.fromhex("0x1.0b4611a6p-34"),
    float.fromhex("0x1.3198a2e037073p-69"),
)
_TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
_SINE = [(-1.0) ** n / math.factorial(2 * n + 1) for n in range(1, 10)]
_COSINE = [(-1.0) ** n / math.factorial(2 * n) for n in range(2, 10)]


def _sin_cos(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of float64 angles in [0, 2**20], within 4e-16."""
    quarters = np.rint(x * _TWO_OVER_PI)
    rest = x
    for part in _PARTS:
        rest = rest - quarters * part
    square = rest * rest
    sine = rest + rest * (square * _horner(_SINE, square))
    cosine = (1.0 - 0.5 * square) + square * (square * _horner(_COSINE, square))
    turn = quarters.astype(np.int64) % 4
    odd = turn % 2 == 1
    first = np.where(odd, cosine, sine)
    second = np.where(odd, sine, cosine)
    return np.where(turn >= 2, -first, first), np.where((turn == 1) | (turn == 2), -second, second)


def _horner(coefficients: list[float], x: Array) -> Array:
    series = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        series = series * x + coefficient
    return series
