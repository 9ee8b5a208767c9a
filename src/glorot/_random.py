# SPDX-License-Identifier: Apache-2.0
"""Initializers whose elements are independent draws from one law, given by its numbers."""

import math
from typing import TYPE_CHECKING, Any

from glorot import _check, _laws
from glorot._base import LawInitializer, read_axes
from glorot._fans import FAN_OPTIONS, FanOptions
from glorot._laws import Law

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RandomUniform(LawInitializer):
    """U(minval, maxval); no value leaves [minval, maxval].

    Args:
        minval, maxval: the ends, finite; `minval` is below `maxval`.
        seed: the default seed of calls, 0 <= seed < 2**64.
        dtype: the default dtype of calls, a float type.
        options: the axes options of `VarianceScaling`, which change `fans` and, with `order`, the
            index; not the law.

    Raises:
        ValueError: ends in the wrong order or not finite; a half width, or a middle but 0, below
            2**-96 in size.
        TypeError: an option that it does not have, or of the wrong type.

    Source: Keras 3, `RandomUniform`.

    Examples:
        >>> import glorot
        >>> w = glorot.RandomUniform(-1.0, 1.0, seed=0)((1000,), name="w")
        >>> bool(w.min() > -1.0), bool(w.max() < 1.0)
        (True, True)
    """

    minval: float
    maxval: float
    axes_options = FAN_OPTIONS

    def __init__(
        self,
        minval: float = -0.05,
        maxval: float = 0.05,
        seed: int | None = None,
        dtype: Any = "float32",
        **options: "Unpack[FanOptions]",
    ) -> None:
        axes, extra = read_axes(type(self), options, FanOptions)
        low, high = _check.real("minval", minval), _check.real("maxval", maxval)
        if not low < high:
            raise ValueError(
                f"`minval` must be below `maxval`, got minval={minval!r}, maxval={maxval!r}."
            )
        if not (math.isfinite(high - low) and math.isfinite(high + low)):
            raise ValueError(
                "`minval` and `maxval` must have a sum and a difference below 1.8e308, got "
                f"minval={minval!r}, maxval={maxval!r}. Give smaller ones."
            )
        self._freeze(dtype, {"minval": low, "maxval": high, "seed": seed}, extra, axes)
        self.law(())

    def law(self, shape: Any) -> Law:
        """Return the uniform law, the same for every shape."""
        low, high = self.minval, self.maxval
        return _laws.Uniform(scale=(high - low) / 2, mean=(high + low) / 2, bounds=(low, high))

    def scaled(self, factor: float) -> "RandomUniform":
        """Return the uniform law with its half width times `factor` and the same middle."""
        law = self.law(())
        half = _check.scaled(law.scale, factor)
        return self.replace(minval=law.mean - half, maxval=law.mean + half)


class RandomNormal(LawInitializer):
    """N(mean, stddev**2), untruncated; values reach 6.3 stddevs.

    Args:
        mean: 0, or at least 2**-96 in size.
        stddev: 0, or at least 2**-96.
        seed: the default seed of calls, 0 <= seed < 2**64.
        dtype: the default dtype of calls, a float type.
        options: the axes options of `VarianceScaling`, which change `fans` and, with `order`, the
            index; not the law.

    Raises:
        ValueError: a negative stddev, or one that is too small; a number that is not finite.
        TypeError: an option that it does not have, or of the wrong type.

    Source: Keras 3, `RandomNormal`.

    Examples:
        >>> import glorot
        >>> w = glorot.RandomNormal(stddev=0.02, seed=0)((100, 100), name="w")
        >>> bool(abs(w.std() / 0.02 - 1) < 0.03)
        True
    """

    mean: float
    stddev: float
    axes_options = FAN_OPTIONS

    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 0.05,
        seed: int | None = None,
        dtype: Any = "float32",
        **options: "Unpack[FanOptions]",
    ) -> None:
        axes, extra = read_axes(type(self), options, FanOptions)
        shown = {"mean": _check.real("mean", mean), "stddev": _check.real("stddev", stddev)}
        self._freeze(dtype, shown | {"seed": seed}, extra, axes)
        self.law(())

    def law(self, shape: Any) -> Law:
        """Return the normal law, the same for every shape."""
        return _laws.Normal(scale=self.stddev, mean=self.mean)

    def scaled(self, factor: float) -> "RandomNormal":
        """Return the normal law with its stddev times `factor`."""
        return self.replace(stddev=_check.scaled(self.stddev, factor))


class TruncatedNormal(LawInitializer):
    """N(mean, stddev**2) cut to [mean + lower * stddev, mean + upper * stddev].

    `stddev` is that of the normal before the cut, as in Keras, TensorFlow and JAX; the values'
    own is `expected_stddev`, 0.88 of it for the default cut.  A side is left open by an infinite
    cut-off, which configs write as "-inf" or "inf".

    Args:
        mean: 0, or at least 2**-96 in size.
        stddev: 0, or at least 2**-96.
        lower, upper: the cut-offs in stddevs, `lower` below `upper`; infinite: that side is open.
        seed: the default seed of calls, 0 <= seed < 2**64.
        dtype: the default dtype of calls, a float type.
        options: the axes options of `VarianceScaling`, which change `fans` and, with `order`, the
            index; not the law.

    Raises:
        ValueError: a negative stddev, or one that is too small; cut-offs in the wrong order.
        TypeError: an option that it does not have, or of the wrong type.

    Source: Keras 3, `TruncatedNormal`; `lower` and `upper` are in stddevs, as JAX's are.

    Examples:
        >>> import glorot
        >>> w = glorot.TruncatedNormal(stddev=1.0, seed=0)((100, 100), name="w")
        >>> bool(abs(w).max() < 2.0), bool(abs(w.std() - 0.8796) < 0.03)
        (True, True)
    """

    mean: float
    stddev: float
    lower: float = -2.0
    upper: float = 2.0
    axes_options = FAN_OPTIONS

    def __init__(
        self,
        mean: float = 0.0,
        stddev: float = 0.05,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        lower: float | str = -2.0,
        upper: float | str = 2.0,
        **options: "Unpack[FanOptions]",
    ) -> None:
        axes, changed = read_axes(type(self), options, FanOptions)
        shown = {"mean": _check.real("mean", mean), "stddev": _check.real("stddev", stddev)}
        cuts = {"lower": _check.cut("lower", lower), "upper": _check.cut("upper", upper)}
        extra = {
            side: cut if math.isfinite(cut) else str(cut)  # JSON has no infinities
            for side, cut in cuts.items()
            if cut != getattr(type(self), side)
        }
        self._freeze(dtype, shown | {"seed": seed}, extra | changed, axes)
        self.__dict__.update(cuts)
        self.law(())

    def law(self, shape: Any) -> Law:
        """Return the truncated normal law, the same for every shape."""
        return _laws.TruncatedNormal(
            scale=self.stddev, mean=self.mean, lower=self.lower, upper=self.upper
        )

    def scaled(self, factor: float) -> "TruncatedNormal":
        """Return the law with its stddev, and so its cut-offs, times `factor`."""
        return self.replace(stddev=_check.scaled(self.stddev, factor))
