# SPDX-License-Identifier: Apache-2.0
"""Orthogonal initializers: they need the whole matrix, so a shard is a slice of the whole."""

import functools
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glorot import _check, _kernel, _laws
from glorot._base import Initializer, check_stream, read_axes
from glorot._dtypes import FLOATS
from glorot._fans import MATRIX_OPTIONS, MatrixOptions
from glorot._layouts import SPATIAL
from glorot._stream import STREAM_VERSION, Name, Stream
from glorot._stream import stream as tensor_stream
from glorot._writers import Array, Place, WholeWriter, Writer

if TYPE_CHECKING:
    from typing_extensions import Unpack


def orthogonal_matrix(words: Stream, start: int, rows: int, columns: int) -> Array:
    """A (rows, columns) float64 matrix with orthonormal rows or columns, whichever are fewer.

    Householder QR of a (max, min) matrix of standard normals, filled row-major from index
    `start`; the signs come from the diagonal of R, which makes the law uniform (Haar).

    Source: Mezzadri, "How to generate random matrices from the classical compact groups", Notices
    of the AMS 54, 2007.
    """
    normal = np.empty((max(rows, columns), min(rows, columns)))
    _kernel.fill(normal, _laws.Normal(1.0), words, start)
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


class _Gain(_laws.Uniform):
    """What a bound may be, a gain may be: no value is larger."""

    parameter: ClassVar[str] = "gain"


class _Orthogonal(Initializer):
    """What both share: a gain, and the axes that make matrices of a weight."""

    gain: float
    needs_matrix = True
    axes_options = MATRIX_OPTIONS

    def __init__(
        self,
        gain: float | str = 1.0,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        stream: int = STREAM_VERSION,
        **options: "Unpack[MatrixOptions]",
    ) -> None:
        check_stream(stream)
        axes, extra = read_axes(type(self), options, MatrixOptions)
        self._freeze(dtype, {"gain": _check.gain(gain), "seed": seed}, extra, axes)

    def scaled(self, factor: float) -> "_Orthogonal":
        """Return the initializer with its gain times `factor`."""
        return self.replace(gain=_check.scaled(self.gain, factor))

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        self._check(shape)
        _Gain(self.gain).check_range(dtype)
        start = 0 if place is None else place.draws
        return WholeWriter(shape, functools.partial(self._whole, shape, dtype, start), self)

    def _check(self, shape: tuple[int, ...]) -> None:
        raise NotImplementedError

    def _whole(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], start: int, seed: int, name: Name
    ) -> Array:
        raise NotImplementedError


class Orthogonal(_Orthogonal):
    """An orthogonal matrix times `gain`: orthonormal rows or columns, whichever are fewer.

    The matrix has the output axis as columns and all others as rows (Keras' rule), or, with axes
    options, (receptive field, in) as rows and out as columns; each slice of a batch or channel
    group axis is a matrix of its own.

    The whole matrix is computed in float64 and rounded once.  LAPACK decides the last bits: across
    machines and LAPACK versions values agree within 1e-12 * gain before that rounding (measured
    against a QR of 64-bit mantissas: 1e-14 up to 512 x 512), so that a value may round to either
    neighbour.  With one LAPACK the bytes are the same in every shard.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", ICLR 2014; signature of Keras 3, `Orthogonal`.

    Examples:
        >>> import glorot
        >>> import numpy as np
        >>> w = glorot.Orthogonal(gain=2.0, seed=0)((3, 4, 5), dtype="float64", name="w")
        >>> bool(np.allclose(w.reshape(12, 5).T @ w.reshape(12, 5), 4 * np.eye(5)))
        True
    """

    def expected_stddev(self, shape: Any) -> float:
        """Return gain / sqrt(max(rows, columns)), the root mean square of the values."""
        _, (_, rows, columns) = self._axes.matrices(_check.parse_shape(shape))
        return self.gain / math.sqrt(max(rows, columns, 1))

    def _check(self, shape: tuple[int, ...]) -> None:
        self._axes.matrices(shape)

    def _narrower(self, shape: tuple[int, ...], inputs: float, outputs: float) -> float:
        _, (_, rows, columns) = self._axes.matrices(shape)
        return max(rows, columns, 1) / max(rows / inputs, columns / outputs, 1.0)

    def _whole(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], start: int, seed: int, name: Name
    ) -> Array:
        axes, (number, rows, columns) = self._axes.matrices(shape)
        words = tensor_stream(seed, name)
        whole = np.empty(tuple(shape[axis] for axis in axes), FLOATS["float64"])
        for index, matrix in enumerate(whole.reshape(number, rows, columns)):
            first = start + index * rows * columns
            matrix[...] = orthogonal_matrix(words, first, rows, columns)
        whole *= self.gain
        return rounded(whole.transpose(np.argsort(axes)), dtype)


class DeltaOrthogonal(_Orthogonal):
    """A convolution that is an orthogonal map of channels: the centre tap is a (fan_in, fan_out)
    matrix with orthonormal rows times `gain`, the others are 0.

    Needs at least one receptive-field axis and no more input than output channels.  The centre of
    k taps is (k - 1) // 2.  Tolerance and shards as for `Orthogonal`.

    Source: Xiao, Bahri, Sohl-Dickstein, Schoenholz, Pennington, "Dynamical isometry and a mean
    field theory of CNNs", ICML 2018; JAX 0.10.2, `jax.nn.initializers.delta_orthogonal`.

    Examples:
        >>> import glorot
        >>> import numpy as np
        >>> w = glorot.DeltaOrthogonal(seed=0)((3, 3, 4, 8), dtype="float64", name="w")
        >>> bool(np.allclose(w[1, 1] @ w[1, 1].T, np.eye(4))), int(np.count_nonzero(w))
        (True, 32)
    """

    def expected_stddev(self, shape: Any) -> float:
        """Return the root mean square of the values, zeros included."""
        field, _, columns = self._sizes(_check.parse_shape(shape))
        return self.gain / math.sqrt(max(field * columns, 1))

    def _sizes(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(receptive field, rows, columns) of one matrix."""
        _, (_, rows, columns) = self._axes.matrices(shape)
        roles = self._axes.roles(shape)
        field = math.prod(n for n, role in zip(shape, roles, strict=True) if role == SPATIAL)
        if SPATIAL not in roles:
            raise ValueError(
                f"DeltaOrthogonal needs a receptive field, and shape {shape} has none. For a "
                "dense weight use Orthogonal."
            )
        rows = rows // field if field else 0
        if rows > columns:
            raise ValueError(
                f"DeltaOrthogonal needs at most as many inputs as outputs, got {rows} inputs and "
                f"{columns} outputs in shape {shape}. Orthogonal has no such limit."
            )
        return field, rows, columns

    def _check(self, shape: tuple[int, ...]) -> None:
        self._sizes(shape)

    def _narrower(self, shape: tuple[int, ...], inputs: float, outputs: float) -> float:
        field, _, columns = self._sizes(shape)
        return max(field * columns, 1) / max(field * columns / outputs, 1.0)

    def _whole(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], start: int, seed: int, name: Name
    ) -> Array:
        axes, (number, _, _) = self._axes.matrices(shape)
        field, rows, columns = self._sizes(shape)
        roles = self._axes.roles(shape)
        words = tensor_stream(seed, name)
        sizes = [shape[axis] for axis in axes if roles[axis] == SPATIAL]
        centre = int(np.ravel_multi_index([(n - 1) // 2 for n in sizes], sizes))
        whole = np.zeros((number, field, rows, columns))
        for index, taps in enumerate(whole):
            first = start + index * rows * columns
            taps[centre] = orthogonal_matrix(words, first, rows, columns)
        whole *= self.gain
        permuted = whole.reshape([shape[axis] for axis in axes])
        return rounded(permuted.transpose(np.argsort(axes)), dtype)


def rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """float64 values in `dtype`; below float32 it is the float32 value that is rounded, as for
    every law, so that a weight in bfloat16 is always the float32 weight rounded once."""
    return values.astype(np.float32).astype(dtype) if dtype.itemsize < 4 else values.astype(dtype)
