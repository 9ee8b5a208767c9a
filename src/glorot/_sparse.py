# SPDX-License-Identifier: Apache-2.0
"""`Sparse`: normal weights of which each output unit keeps only some."""

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from glorot import _check, _kernel, _laws
from glorot._base import Initializer, check_stream, read_axes
from glorot._fans import MATRIX_OPTIONS, MatrixOptions
from glorot._stream import LANE_SECOND, STREAM_VERSION, Name
from glorot._stream import stream as tensor_stream
from glorot._writers import Array, Place, WholeWriter, Writer

if TYPE_CHECKING:
    from typing_extensions import Unpack


class SparseOptions(MatrixOptions, total=False):
    """The axes options of `Sparse`."""

    order: str


class Sparse(Initializer):
    """N(0, stddev**2), with exactly ceil(sparsity * n) zeros among each output unit's n incoming
    weights: those whose second draw is smallest, the earlier one first where two are equal.

    The incoming weights are the receptive field and the input axes, in that order; each slice of
    a batch or channel group axis is apart.  Kept weights equal `RandomNormal`'s of the same seed
    and name.

    Args:
        sparsity: the fraction of zeros, from 0 to 1.
        stddev: of the weights that are kept.
        seed: the default seed of calls.
        dtype: the default dtype of calls, a float type.
        options: `layout`, `input_axes`, `output_axes`, `batch_axes`, `equation`, `order`.

    Source: Martens, "Deep learning via Hessian-free optimization", ICML 2010.  PyTorch 2.13's
    `sparse_` zeroes each column of an (out, in) weight, so each input's outgoing weights.

    Examples:
        >>> import glorot
        >>> w = glorot.Sparse(0.5, seed=0)((5, 3), name="w")
        >>> (w == 0).sum(axis=0).tolist()
        [3, 3, 3]
    """

    sparsity: float
    stddev: float
    axes_options = (*MATRIX_OPTIONS, "order")

    def __init__(
        self,
        sparsity: float,
        stddev: float = 0.01,
        seed: int | None = None,
        dtype: Any = "float32",
        *,
        stream: int = STREAM_VERSION,
        **options: "Unpack[SparseOptions]",
    ) -> None:
        check_stream(stream)
        axes, extra = read_axes(type(self), options, SparseOptions)
        fraction = _check.real("sparsity", sparsity)
        if not 0 <= fraction <= 1:
            raise ValueError(f"`sparsity` must lie in [0, 1], got {sparsity!r}.")
        shown = {"sparsity": fraction, "stddev": _check.real("stddev", stddev), "seed": seed}
        self._freeze(dtype, shown, extra, axes)
        _laws.Normal(self.stddev)

    def scaled(self, factor: float) -> "Sparse":
        """Return the initializer with its stddev times `factor`."""
        return self.replace(stddev=_check.scaled(self.stddev, factor))

    def expected_stddev(self, shape: Any) -> float:
        """Return the root mean square of the values, zeros included."""
        _, (_, rows, _) = self._axes.matrices(_check.parse_shape(shape))
        return self.stddev * math.sqrt(1 - math.ceil(self.sparsity * rows) / max(rows, 1))

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        self._axes.matrices(shape)
        _laws.Normal(self.stddev).check_range(dtype)
        return WholeWriter(shape, functools.partial(self._whole, shape, dtype, place), self)

    def _whole(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        place: Place | None,
        seed: int,
        name: Name,
    ) -> Array:
        axes, matrices = self._axes.matrices(shape)
        split, strides, first = shape, self._axes.strides(shape), 0
        if place is not None:
            split, strides, first, _ = place
        whole, draw = np.empty(shape, dtype), np.empty(shape, np.uint32)
        law = _laws.Normal(self.stddev)
        _kernel.fill(whole.reshape(split), law, tensor_stream(seed, name), first, strides)
        words = tensor_stream(seed, name, LANE_SECOND)
        _kernel.fill(draw.reshape(split), None, words, first, strides)
        # A stable sort puts the earlier of two equal draws first.
        ranked = np.argsort(draw.transpose(axes).reshape(matrices), axis=1, kind="stable")
        zeros = ranked[:, : math.ceil(self.sparsity * matrices[1])]
        kept = np.ones(matrices, bool)
        np.put_along_axis(kept, zeros, False, axis=1)
        permuted = kept.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
        whole[~permuted] = 0
        return whole
