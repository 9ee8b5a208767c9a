# SPDX-License-Identifier: Apache-2.0
"""Keras 2's random initializers: options, scales, and the stateless draws made from a seed."""

from typing import Any

import numpy as np

from glorot.replay.tensorflow import _stateless
from glorot.replay.tensorflow._arguments import as_dtype, as_float_dtype
from glorot.replay.tensorflow._orthogonal import check_matrix, orthogonal_matrix
from glorot.replay.tensorflow._scale import MODES, compute_fans, spread
from glorot.replay.tensorflow.keras._base import Array, Random, cut

_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")


class RandomUniform(Random):
    """Uniform in [minval, maxval); integers too.

    Args:
        minval, maxval: Python or NumPy numbers.
        seed: an integer of 64 bits with sign; None is taken, and refused when called: see
            `keras.utils.set_random_seed`.

    Raises:
        TypeError, ValueError: at a call, as `stateless_uniform` raises them.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> RandomUniform(-1, 1, seed=42)((2,))
        array([-0.4351337, -0.0031662], dtype=float32)
    """

    def __init__(self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_dtype("float32" if dtype is None else dtype)
        if found.kind not in "iu":
            found = as_float_dtype(found)
        return _stateless.stateless_uniform(
            shape, self._pair(offset), self.minval, self.maxval, found, shard=shard
        )

    def get_config(self) -> dict[str, Any]:
        """Return {"minval", "maxval", "seed"}."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class _Normal(Random):
    """A mean and a standard deviation."""

    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        """Return {"mean", "stddev", "seed"}."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomNormal(_Normal):
    """Normal.

    Args:
        mean, stddev: Python or NumPy numbers.
        seed: as for `RandomUniform`.

    Raises:
        TypeError, ValueError: at a call, as `stateless_normal` raises them.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> RandomNormal(seed=42)((2,))
        array([ 0.00079085, -0.07950435], dtype=float32)
    """

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        pair = self._pair(offset)
        return _stateless.stateless_normal(shape, pair, self.mean, self.stddev, found, shard=shard)


class TruncatedNormal(_Normal):
    """Normal within two standard deviations.

    Arguments, errors and source as for `RandomNormal`; `stddev` is that before the cut.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Example:
        >>> TruncatedNormal(seed=42)((2,))
        array([ 0.00079085, -0.07950435], dtype=float32)
    """

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        pair = self._pair(offset)
        return _stateless.stateless_truncated_normal(
            shape, pair, self.mean, self.stddev, found, shard=shard
        )


class VarianceScaling(Random):
    """Of variance scale / max(1, fan), with the fans Keras reads from the shape.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal" means it too), "untruncated_normal" or "uniform".
        seed: as for `RandomUniform`.

    Raises:
        ValueError: `scale` is not positive; `mode` or `distribution` is unknown.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> VarianceScaling(2.0, "fan_out", "uniform", seed=42)((2,))
        array([-0.7536737 , -0.00548398], dtype=float32)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not 0.0 < scale < float("inf"):
            raise ValueError(f"`scale` must be positive float. Received: scale={scale}.")
        if mode not in MODES:
            raise ValueError(
                f"Invalid `mode` argument: {mode}. Please use one of the {', '.join(MODES)}."
            )
        lowered = distribution.lower() if isinstance(distribution, str) else distribution
        if lowered == "normal":
            lowered = "truncated_normal"
        if lowered not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Allowed distributions: "
                f"{', '.join(_DISTRIBUTIONS)}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        size = spread(compute_fans(shape), self.scale, self.mode, self.distribution)
        pair = self._pair(offset)
        if self.distribution == "uniform":
            return _stateless.stateless_uniform(shape, pair, -size, size, found, shard=shard)
        if self.distribution == "untruncated_normal":
            return _stateless.stateless_normal(shape, pair, 0.0, size, found, shard=shard)
        return _stateless.stateless_truncated_normal(shape, pair, 0.0, size, found, shard=shard)

    def get_config(self) -> dict[str, Any]:
        """Return {"scale", "mode", "distribution", "seed"}."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class _Named(VarianceScaling):
    """A scaling with a name of its own."""

    _of: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._of, seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


class GlorotUniform(_Named):
    """Uniform of bound sqrt(6 / (fan_in + fan_out)).

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> GlorotUniform(seed=42)((3, 4))[0]
        array([-0.40285552, -0.00293136,  0.39895165, -0.8884132 ], dtype=float32)
    """

    _of = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out).

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> GlorotNormal(seed=42)((3, 4))[0]
        array([ 0.00961157, -0.9662488 ,  0.06295129,  0.493274  ], dtype=float32)
    """

    _of = (1.0, "fan_avg", "truncated_normal")


class LecunUniform(_Named):
    """Uniform of bound sqrt(3 / fan_in).

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> LecunUniform(seed=42)((3, 4))[0]
        array([-0.4351337 , -0.0031662 ,  0.43091702, -0.9595959 ], dtype=float32)
    """

    _of = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> LecunNormal(seed=42)((3, 4))[0]
        array([ 0.01038168, -1.043668  ,  0.06799516,  0.5327968 ], dtype=float32)
    """

    _of = (1.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform of bound sqrt(6 / fan_in).

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> HeUniform(seed=42)((3, 4))[0]
        array([-0.61537194, -0.00447774,  0.60940874, -1.3570735 ], dtype=float32)
    """

    _of = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact, float64 as with FMA.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015;
    tf_keras 2.21.0.  Exact; seekable.

    Example:
        >>> HeNormal(seed=42)((3, 4))[0]
        array([ 0.01468191, -1.4759694 ,  0.09615968,  0.7534885 ], dtype=float32)
    """

    _of = (2.0, "fan_in", "truncated_normal")


class Orthogonal(Random):
    """An orthogonal matrix times `gain`; all axes but the last are the rows.

    The normals that are factorised are Keras', exactly; the factorisation is near, to the tolerance
    stated of `glorot.compat.v1.orthogonal_initializer`.  Not seekable: a shard costs the whole.

    Raises:
        ValueError: at a call, the shape has less than two axes.
        TypeError: a call for float16 or bfloat16.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: near; `glorot.replay.guarantee` says how near.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.

    Example:
        >>> q = Orthogonal(seed=42)((3, 2))
        >>> bool(np.allclose(q.T @ q, np.eye(2), atol=1e-6))
        True
    """

    _partitions = False

    def __init__(self, gain: Any = 1.0, seed: int | None = None) -> None:
        self.gain = gain
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        rows, columns = check_matrix(shape, found)
        tall = (max(rows, columns), min(rows, columns))
        normal = _stateless.stateless_normal(tall, self._pair(None), dtype=found)
        whole = orthogonal_matrix(normal, shape, self.gain)
        return whole if shard is None else np.array(cut(whole, shard))

    def get_config(self) -> dict[str, Any]:
        """Return {"gain", "seed"}."""
        return {"gain": self.gain, "seed": self.seed}
