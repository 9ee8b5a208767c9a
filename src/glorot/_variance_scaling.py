# SPDX-License-Identifier: Apache-2.0
"""Initializers whose spread comes from a weight's fans: variance scaling and its named schemes."""

import math
from typing import TYPE_CHECKING, Any

from glorot import _check, _laws
from glorot._base import LawInitializer, read_axes
from glorot._fans import FAN_OPTIONS, FanOptions
from glorot._laws import Law

if TYPE_CHECKING:
    from typing_extensions import Unpack

MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")

# The stddev of N(0, 1) cut to [-2, 2], as Keras, TensorFlow and JAX write it.
TRUNCATED_STDDEV = 0.87962566103423978


class VarianceScaling(LawInitializer):
    """A law of variance gain**2 * scale / fan, where fan is what `mode` says of the weight.

    With n = max(1, fan):

    - "uniform": U(-bound, bound), bound = gain * sqrt(3 * scale / n);
    - "truncated_normal": a normal cut at 2 stddevs, its stddev divided by 0.8796 so that the
      values have the variance above;
    - "untruncated_normal": N(0, gain**2 * scale / n).

    Args:
        scale: a factor of the variance, above 0.
        mode: "fan_in", "fan_out", "fan_avg" (arithmetic mean) or "fan_geo_avg" (geometric).
        distribution: as above.
        seed: the default seed of calls.
        dtype: the default dtype of calls, a float type.
        gain: a factor of the standard deviation, above 0; or the name of an activation, whose gain
            `glorot.gain` says. The config holds the number.
        options: the axes options `layout`, `groups`, `input_axes`, `output_axes`, `batch_axes`,
            `equation`, `fan_in`, `fan_out`, `order` (docs/initializers.md), and `stream`.

    Raises:
        ValueError: a scale or gain that is not above 0; another mode, distribution, layout or
            activation; axes options that contradict each other; and, when it is called, axes that
            the shape does not have.
        TypeError: an option that it does not have, or of the wrong type.

    Source: Keras 3, `VarianceScaling`; "fan_geo_avg" is JAX's.

    Examples:
        >>> import glorot
        >>> init = glorot.VarianceScaling(2.0, "fan_out", "uniform", seed=1, layout="torch.linear")
        >>> init.fans((30, 20)), init.law((30, 20)).scale == (3 * 2.0 / 30) ** 0.5
        ((20.0, 30.0), True)
    """

    scale: float
    mode: str
    distribution: str
    gain: float = 1.0
    axes_options = FAN_OPTIONS

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        gain: float | str = 1.0,
        **options: "Unpack[FanOptions]",
    ) -> None:
        shown = {
            "scale": _check.positive("scale", scale),
            "mode": _check.choice("mode", mode, MODES),
            "distribution": _check.choice("distribution", distribution, DISTRIBUTIONS),
            "seed": seed,
        }
        self._set(shown, dtype, gain, options)

    def _set(
        self, shown: dict[str, Any], dtype: Any, gain: float | str, options: FanOptions
    ) -> None:
        axes, extra = read_axes(type(self), options, FanOptions)
        gain = _check.gain(gain)
        self._freeze(dtype, shown, ({} if gain == 1.0 else {"gain": gain}) | extra, axes)

    def law(self, shape: Any) -> Law:
        """Return the law for a whole weight of this shape; its scale is computed in float64."""
        fan_in, fan_out = self.fans(shape)
        fan = self._fan(fan_in, fan_out)
        uniform = self.distribution == "uniform"
        variance = (3.0 * self.scale if uniform else self.scale) / max(1.0, fan)
        stddev = self.gain * math.sqrt(variance)  # of a uniform law, its bound
        if stddev == 0.0:
            raise ValueError(
                f"fan_in={fan_in!r} and fan_out={fan_out!r} leave no spread: with `mode` "
                f"{self.mode!r} the fan is {fan!r}, and scale={self.scale!r}, gain={self.gain!r} "
                "over it is 0 in float64. Give smaller fans, or a larger scale or gain."
            )
        if uniform:
            return _laws.Uniform(stddev)
        if self.distribution == "untruncated_normal":
            return _laws.Normal(stddev)
        return _laws.TruncatedNormal(stddev / TRUNCATED_STDDEV)

    def _fan(self, fan_in: float, fan_out: float) -> float:
        return {
            "fan_in": fan_in,
            "fan_out": fan_out,
            "fan_avg": (fan_in + fan_out) / 2.0,
            "fan_geo_avg": math.sqrt(fan_in * fan_out),
        }[self.mode]

    def _narrower(self, shape: tuple[int, ...], inputs: float, outputs: float) -> float:
        fan_in, fan_out = self.fans(shape)
        fan, base = self._fan(fan_in, fan_out), self._fan(fan_in / inputs, fan_out / outputs)
        return max(1.0, fan) / max(1.0, base)

    def scaled(self, factor: float) -> "VarianceScaling":
        """Return the law with its gain times `factor`."""
        return self.replace(gain=_check.scaled(self.gain, factor))


class _Scheme(VarianceScaling):
    """A published choice of scale, mode and distribution, which only the class decides."""

    def __init__(
        self,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        gain: float | str = 1.0,
        **options: "Unpack[FanOptions]",
    ) -> None:
        self._set({"seed": seed}, dtype, gain, options)


class GlorotUniform(_Scheme):
    """U(-bound, bound) with bound = gain * sqrt(6 / (fan_in + fan_out)): Xavier's uniform.

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16; signature of TensorFlow 2.4.4,
    `tf.compat.v1.keras.initializers.glorot_uniform`.

    Examples:
        >>> import glorot
        >>> init = glorot.GlorotUniform(seed=42)
        >>> init.law((784, 256)).scale == (6 / (784 + 256)) ** 0.5
        True
        >>> init((2, 2), name="w")
        array([[-0.7239218,  1.1547691],
               [-0.9075005, -1.0743487]], dtype=float32)
    """

    scale = 1.0
    mode = "fan_avg"
    distribution = "uniform"


class GlorotNormal(_Scheme):
    """A normal cut at 2 stddevs whose values have stddev gain * sqrt(2 / (fan_in + fan_out)).

    torch's `xavier_normal_` does not truncate: that is `glorot.get("xavier_normal")`.

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: Glorot, Bengio, AISTATS 2010, equation 12; truncated as in Keras 3, `GlorotNormal`.

    Examples:
        >>> import glorot
        >>> round(glorot.GlorotNormal().expected_stddev((30, 20)), 12)
        0.2
    """

    scale = 1.0
    mode = "fan_avg"
    distribution = "truncated_normal"


class HeUniform(_Scheme):
    """U(-bound, bound) with bound = gain * sqrt(6 / fan_in), for layers before a ReLU.

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10; uniform
    as in Keras 3, `HeUniform`.

    Examples:
        >>> import glorot
        >>> glorot.HeUniform().law((6, 4)).scale
        1.0
    """

    scale = 2.0
    mode = "fan_in"
    distribution = "uniform"


class HeNormal(_Scheme):
    """A normal cut at 2 stddevs whose values have stddev gain * sqrt(2 / fan_in).

    torch's `kaiming_normal_` does not truncate: that is `glorot.get("kaiming_normal")`.

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: He, Zhang, Ren, Sun, ICCV 2015, equation 10; truncated as in Keras 3, `HeNormal`.

    Examples:
        >>> import glorot
        >>> round(glorot.HeNormal().expected_stddev((8, 4)), 12)
        0.5
    """

    scale = 2.0
    mode = "fan_in"
    distribution = "truncated_normal"


class LecunUniform(_Scheme):
    """U(-bound, bound) with bound = gain * sqrt(3 / fan_in).

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, section 4.6; Keras 3,
    `LecunUniform`.

    Examples:
        >>> import glorot
        >>> glorot.LecunUniform().law((3, 4)).scale
        1.0
    """

    scale = 1.0
    mode = "fan_in"
    distribution = "uniform"


class LecunNormal(_Scheme):
    """A normal cut at 2 stddevs whose values have stddev gain * sqrt(1 / fan_in).

    Options and errors are those of `VarianceScaling`: `seed`, `dtype`, `gain`, and of the axes.

    Source: LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, equation 16; truncated as in
    Keras 3, `LecunNormal`.

    Examples:
        >>> import glorot
        >>> round(glorot.LecunNormal().expected_stddev((4, 9)), 12)
        0.5
    """

    scale = 1.0
    mode = "fan_in"
    distribution = "truncated_normal"
