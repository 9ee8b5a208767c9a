# SPDX-License-Identifier: Apache-2.0
"""torch.nn.Embedding and EmbeddingBag."""

from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws, dtype_on, empty
from glorot.replay.torch.nn._module import Module


class _Table(Module):
    def _build(
        self, shape: tuple[int, int], padding_idx: int | None, weight: Any, device: Any, dtype: Any,
        generator: Generator | None,
    ) -> None:  # fmt: skip
        rows = shape[0]
        if padding_idx is not None and (padding_idx >= max(rows, 1) or padding_idx < -rows):
            raise ValueError(
                f"Padding_idx must be within num_embeddings, got `padding_idx`={show(padding_idx)} "
                f"and {rows} embeddings."
            )
        self.num_embeddings, self.embedding_dim = shape
        self.padding_idx = padding_idx
        if padding_idx is not None and padding_idx < 0:
            self.padding_idx = rows + padding_idx
        self._draws = Draws.of(generator)
        if weight is not None:
            if np.shape(weight) != shape:
                raise ValueError(
                    "Shape of weight does not match num_embeddings and embedding_dim: "
                    f"`_weight` is {np.shape(weight)}, not {shape}."
                )
            self.register_parameter("weight", weight)
            return
        self.register_parameter("weight", empty(shape, dtype_on(device, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table again, in place, and set the padding row to 0."""
        self._draws.normal(self.weight)
        if self.padding_idx is not None:
            self.weight[self.padding_idx] = 0


class Embedding(_Table):
    """The parameters of a new `torch.nn.Embedding`.

    Args:
        num_embeddings, embedding_dim: the shape of the table.
        padding_idx: the row that is set to 0 after it was drawn.
        max_norm, norm_type, scale_grad_by_freq, sparse, _freeze: torch's; nothing drawn changes.
        _weight: a table to take instead of drawing one.
        device, dtype, generator: as `Linear`.

    Attributes:
        weight: (num_embeddings, embedding_dim), normals of variance 1.

    Exact as `glorot.replay.torch.randn`.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> Embedding(3, 1, padding_idx=1).weight.tolist()
        [[0.33669036626815796], [0.0], [0.23446236550807953]]

    Source: torch/nn/modules/sparse.py, torch 2.13.0.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        shape = (num_embeddings, embedding_dim)
        self._build(shape, padding_idx, _weight, device, dtype, generator)


class EmbeddingBag(_Table):
    """The parameters of a new `torch.nn.EmbeddingBag`; see `Embedding`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        shape = (num_embeddings, embedding_dim)
        self._build(shape, padding_idx, _weight, device, dtype, generator)
