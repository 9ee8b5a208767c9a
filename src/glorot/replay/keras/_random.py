# SPDX-License-Identifier: Apache-2.0
"""Keras 3's random initializers but those scaled by fans: uniform, normal, orthogonal.

Source: keras 3.15.1, src/initializers/random_initializers.py.
"""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.keras import random
from glorot.replay.keras._arguments import float_dtype, number
from glorot.replay.keras._backend import Array
from glorot.replay.keras._base import Random, cut


class RandomUniform(Random):
    """Uniform in [minval, maxval).

    Args:
        minval, maxval: Python numbers.
        seed: an int, a `random.SeedGenerator`, or the dict that one is serialised as; None takes
            the next of `utils.set_random_seed` now, or is refused when called.
        backend, arithmetic: as for `random.normal`.

    Raises:
        TypeError: a limit is no Python number.
        ValueError: `seed` is something else; another backend.

    Exact; seekable on tensorflow and jax.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> RandomUniform(-1, 1, seed=42, backend="tensorflow")((2,))
        array([-0.4351337, -0.0031662], dtype=float32)
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None, **machine: Any
    ) -> None:
        self.minval = number("minval", minval)
        self.maxval = number("maxval", maxval)
        super().__init__(seed, **machine)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        return random.uniform(
            shape, self.minval, self.maxval, dtype, shard=shard, **self._options()
        )

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "minval", "maxval"}."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class RandomNormal(Random):
    """Normal.

    Args:
        mean, stddev: Python numbers.
        seed, backend, arithmetic: as for `RandomUniform`.

    Raises:
        TypeError, ValueError: as `RandomUniform`.

    Exact; seekable on tensorflow and jax.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> RandomNormal(seed=42, backend="torch")((2,))
        array([0.01683452, 0.00644047], dtype=float32)
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None, **machine: Any
    ) -> None:
        self.mean = number("mean", mean)
        self.stddev = number("stddev", stddev)
        super().__init__(seed, **machine)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        return random.normal(shape, self.mean, self.stddev, dtype, shard=shard, **self._options())

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "mean", "stddev"}."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal within two standard deviations; `stddev` is that before the cut.

    Arguments and errors as for `RandomNormal`.  Exact; seekable on tensorflow and jax.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> TruncatedNormal(seed=42, backend="torch")((2,))
        array([ 0.01683452, -0.05614282], dtype=float32)
    """

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        return random.truncated_normal(
            shape, self.mean, self.stddev, dtype, shard=shard, **self._options()
        )


class Orthogonal(Random):
    """An orthogonal matrix times `gain`; all axes but the last are the rows.

    The normals that are factorised are Keras', exactly; the factorisation is near, since each
    framework's LAPACK has last bits of its own, and here it is NumPy's in float64, rounded once.
    See `glorot.replay.guarantee` for how near.  A shard costs the whole.

    Args:
        gain: a Python number.
        seed, backend, arithmetic: as for `RandomUniform`.

    Raises:
        ValueError: at a call, the shape has less than two axes.
        TypeError: a call for a dtype of which the backend has no QR: the 16-bit ones everywhere.

    Replays Keras 3.15.1: near; `glorot.replay.guarantee` says how near.

    Example:
        >>> q = Orthogonal(seed=42, backend="jax")((3, 2))
        >>> bool(np.allclose(q.T @ q, np.eye(2), atol=1e-6))
        True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None, **machine: Any) -> None:
        self.gain = number("gain", gain)
        super().__init__(seed, **machine)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. Received: "
                f"shape={show(shape)} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        found = float_dtype(dtype, "`keras.initializers.Orthogonal`")
        backend, draw = random.start(tall, found, shard=None, **self._options())
        backend.check_qr(draw.dtype)
        normal = backend.normal(draw, 0.0, 1.0)
        q, r = np.linalg.qr(normal.astype(np.float64))
        q *= np.sign(np.diagonal(r))
        q = (q.T if rows < columns else q).astype(normal.dtype)
        return cut(backend.times(self.gain, q.reshape(shape)), shard)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "gain"}."""
        return {**super().get_config(), "gain": self.gain}
