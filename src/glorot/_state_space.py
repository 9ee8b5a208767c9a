# SPDX-License-Identifier: Apache-2.0
"""What state space models begin with: the logarithms of 1, 2, 3, ... or of uniform numbers, and
log-uniform time steps.

Every float64 step here is one rounded operation or a correctly rounded logarithm, and never the C
library's: the bits are the same on every machine.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from glorot import _check, _laws
from glorot._base import Initializer, check_stream
from glorot._orthogonal import rounded
from glorot._stream import STREAM_VERSION, Name
from glorot._writers import Array, LawWriter, Place, Writer


class LogArange(Initializer):
    """The logarithms of 1, 2, 3, ... along one axis, the same all along the others.

    It is S4D-Real's diagonal state matrix, -1, -2, -3, ..., as Mamba keeps it (`A_log`).

    Args:
        axis: along which they rise; the last by default.
        dtype: the default dtype of calls, a float type.

    Source: Gu, Gupta, Goel, Re, "On the parameterization and initialization of diagonal state
    space models", 2022, S4D-Real; Gu, Dao, "Mamba", 2023, section 3.6.

    Examples:
        >>> import glorot
        >>> glorot.LogArange()((2, 3))
        array([[0.       , 0.6931472, 1.0986123],
               [0.       , 0.6931472, 1.0986123]], dtype=float32)
    """

    axis: int
    random = False

    def __init__(self, axis: int = -1, dtype: Any = "float32") -> None:
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"`axis` must be an integer, got {_check.show(axis)}.")
        self._freeze(dtype, {"axis": axis})

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(f"`axis`={self.axis} is outside of shape {shape}.")
        if dtype.kind in "iub":
            raise ValueError(f"LogArange gives no whole numbers, got dtype {dtype}. Use a float.")
        return _LogWriter(shape, self.axis % len(shape))


class _LogWriter(Writer):
    """Writes the logarithm of one more than the index along an axis."""

    def __init__(self, shape: tuple[int, ...], axis: int) -> None:
        super().__init__(shape)
        self.axis = axis

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part of the range that is in `out`."""
        first = 1 + (start[self.axis] if start else 0)
        count = out.shape[self.axis]
        values = np.array([_ln(n) for n in range(first, first + count)], np.float64)
        after = out.ndim - 1 - self.axis
        out[...] = rounded(values, out.dtype).reshape(count, *(1,) * after)


class LogOfUniform(Initializer):
    """The logarithms of numbers that are uniform in [minval, maxval].

    Mamba 2 and Gated DeltaNet keep the decay rate of each head so (`A_log`). A value is the float64
    nearest to the logarithm of a number drawn in float64, rounded once. No number is 0: with a
    `minval` of 0 the least is about 2**-53 of `maxval`.

    The law called log-uniform is another, whose logarithms are uniform (`TimeStep`).

    Args:
        minval, maxval: of the numbers, 0 <= minval < maxval.
        seed: the default seed of calls.
        dtype: the default dtype of calls, a float type.

    Raises:
        ValueError: ends in the wrong order or not finite; a half width, or a middle but 0, below
            2**-96 in size.

    Source: state-spaces/mamba, mamba_ssm/modules/mamba2.py: in [1, 16]; Yang, Kautz, Hatamizadeh,
    "Gated Delta Networks", 2024, and fla-org/flash-linear-attention, fla/layers/gated_deltanet.py:
    in [0, 16]; Qwen3NextPreTrainedModel of transformers 5.23: in [0.01, 16].

    Examples:
        >>> import glorot
        >>> import numpy as np
        >>> rates = np.exp(glorot.LogOfUniform(seed=0)((1000,), dtype="float64", name="A_log"))
        >>> bool(1.0 <= rates.min() and rates.max() <= 16.0)
        True
    """

    minval: float
    maxval: float

    def __init__(
        self,
        minval: float = 1.0,
        maxval: float = 16.0,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        stream: int = STREAM_VERSION,
    ) -> None:
        check_stream(stream)
        low, high = _check.real("minval", minval), _check.real("maxval", maxval)
        if not 0.0 <= low < high:
            raise ValueError(
                "`minval` must be at least 0 and below `maxval`, got "
                f"minval={minval!r}, maxval={maxval!r}."
            )
        _numbers(low, high)
        self._freeze(dtype, {"minval": low, "maxval": high, "seed": seed})

    def expected_mean(self, shape: Any) -> float:
        """Return the mean of the logarithms."""
        return _log_moments(self.minval, self.maxval)[0]

    def expected_stddev(self, shape: Any) -> float:
        """Return the standard deviation of the logarithms, 1 with a `minval` of 0."""
        return _log_moments(self.minval, self.maxval)[1]

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        return _DrawnWriter(shape, _numbers(self.minval, self.maxval), place, _lns)


class TimeStep(Initializer):
    """Biases whose softplus is log-uniform in [minval, maxval].

    A state space model adds them before the softplus that gives its time steps. They are computed
    in float64 and rounded once.

    Args:
        minval, maxval: of the time steps, 0 < minval < maxval <= 1.
        seed: the default seed of calls.
        dtype: the default dtype of calls, a float type.

    Source: state-spaces/mamba, mamba_ssm/modules/mamba_simple.py; MambaMixer of transformers 5.23.

    Examples:
        >>> import glorot
        >>> import numpy as np
        >>> steps = np.log1p(np.exp(glorot.TimeStep(seed=0)((1000,), dtype="float64", name="b")))
        >>> bool(0.001 <= steps.min() and steps.max() <= 0.1)
        True
    """

    minval: float
    maxval: float

    def __init__(
        self,
        minval: float = 0.001,
        maxval: float = 0.1,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        stream: int = STREAM_VERSION,
    ) -> None:
        check_stream(stream)
        low, high = _check.positive("minval", minval), _check.positive("maxval", maxval)
        if not low < high <= 1.0:
            raise ValueError(
                "`minval` must be below `maxval`, and that at most 1; got "
                f"minval={minval!r}, maxval={maxval!r}."
            )
        self._freeze(dtype, {"minval": low, "maxval": high, "seed": seed})

    def expected_mean(self, shape: Any) -> float:
        """Return the mean of the biases."""
        return float(_grid(self.minval, self.maxval).mean())

    def expected_stddev(self, shape: Any) -> float:
        """Return the standard deviation of the biases."""
        return float(_grid(self.minval, self.maxval).std())

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        return _DrawnWriter(shape, _log_uniform(self.minval, self.maxval), place, _bias)


class _DrawnWriter(Writer):
    """Draws numbers of a law in float64, and gives a function of them, rounded once.

    It is no `LawWriter`: the values follow no law of the specification, which devices know.
    """

    __slots__ = ("drawn", "function")

    def __init__(
        self,
        shape: tuple[int, ...],
        law: _laws.Uniform,
        place: Place | None,
        function: Callable[[Array], Array],
    ) -> None:
        super().__init__(shape if place is None else place.shape)
        self.drawn = (
            LawWriter(shape, law, None)
            if place is None
            else LawWriter(place.shape, law, place.strides, place.first)
        )
        self.function = function

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part that is in `out`."""
        drawn = np.empty(out.shape, np.float64)
        self.drawn.part(drawn, start, seed, name)
        out[...] = rounded(self.function(drawn), out.dtype)


def _numbers(low: float, high: float) -> _laws.Uniform:
    return _laws.Uniform((high - low) / 2, mean=(high + low) / 2, bounds=(low, high))


def _log_uniform(low: float, high: float) -> _laws.Uniform:
    return _numbers(_ln(low), _ln(high))


def _bias(log_step: Array) -> Array:
    """The x with log(softplus(x)) = log_step: log(exp(step) - 1), which is log_step plus a series
    of the step: B_n step**n / (n n!), Bernoulli's numbers, 0.5 for B_1."""
    step = _exp(log_step)
    square = step * step
    series = np.full_like(step, _SERIES[-1])
    for coefficient in reversed(_SERIES[:-1]):
        series = series * square + coefficient
    bias: Array = log_step + (series * square + 0.5 * step)
    return bias


# B_2 / (2 2!), B_4 / (4 4!), ..., as far as steps up to 1 need: test_state_space recomputes them.
_SERIES = (
    1 / 24,
    -1 / 2880,
    1 / 181440,
    -1 / 9676800,
    1 / 479001600,
    -691 / 15692092416000,
    1 / 1046139494400,
    -3617 / 170729965486080000,
    43867 / 91963695909076992000,
)
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_TAYLOR = [1 / math.factorial(n) for n in range(15)]


def _exp(x: Array) -> Array:
    """exp of float64 values in [-700, 0], within 2 units in the last place."""
    twos = np.rint(x * _LOG2_E)
    rest = (x - twos * _LN2_HIGH) - twos * _LN2_LOW
    series = np.full_like(x, _TAYLOR[-1])
    for coefficient in reversed(_TAYLOR[:-1]):
        series = series * rest + coefficient
    return np.ldexp(series, twos.astype(np.int32))


def _lns(x: Array) -> Array:
    """The float64s nearest to ln x."""
    logs = [_nearest_ln(n) for n in x.ravel().tolist()]
    found: Array = np.array(logs, np.float64).reshape(x.shape)
    return found


def _nearest_ln(x: float) -> float:
    """The float64 nearest to ln x: 40 digits are enough to know it."""
    import decimal  # slow to load

    return float(decimal.Context(prec=40).ln(decimal.Decimal(x)))


_ln = functools.lru_cache(maxsize=4096)(_nearest_ln)


@functools.lru_cache(maxsize=64)
def _log_moments(low: float, high: float) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of a number uniform in [low, high]."""
    if low == 0.0:
        return _ln(high) - 1.0, 1.0
    import decimal

    with decimal.localcontext(decimal.Context(prec=80)):  # half cancels of ends that are close
        a, b = decimal.Decimal(low), decimal.Decimal(high)
        rate = (b / a).ln() / (b - a)
        return float(a.ln() + b * rate - 1), float((1 - a * b * rate**2).sqrt())


@functools.lru_cache(maxsize=64)
def _grid(low: float, high: float) -> Array:
    """The bias at 4096 equal steps of the logarithm."""
    start, stop = _ln(low), _ln(high)
    return _bias(start + (stop - start) * ((np.arange(4096) + 0.5) / 4096))
