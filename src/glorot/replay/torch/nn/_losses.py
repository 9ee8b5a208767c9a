# SPDX-License-Identifier: Apache-2.0
"""torch.nn's losses: two with layers of their own, those that keep an array, and the others."""

import math
from collections.abc import Sequence
from typing import Any

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._containers import ModuleList, Sequential
from glorot.replay.torch.nn._linear import Linear
from glorot.replay.torch.nn._module import Module


class AdaptiveLogSoftmaxWithLoss(Module):
    """The parameters of a new `torch.nn.AdaptiveLogSoftmaxWithLoss`: its `Linear` layers.

    Args:
        in_features, n_classes, cutoffs, div_value, head_bias, device, dtype: torch's.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> made = AdaptiveLogSoftmaxWithLoss(8, 10, [4])
        >>> {name: value.shape for name, value in made.state_dict().items()}
        {'head.weight': (5, 8), 'tail.0.0.weight': (2, 8), 'tail.0.1.weight': (6, 2)}

    Source: torch/nn/modules/adaptive.py, torch 2.13.0.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        ends = [*cutoffs, n_classes]
        rising = all(one < other for one, other in zip([0, *ends], ends, strict=False))
        if len(ends) < 2 or not rising or any(int(end) != end for end in ends):
            raise ValueError(
                "cutoffs should be a sequence of one or more unique, positive integers sorted in "
                "an increasing order, where each value is between 1 and n_classes-1, got "
                f"{show(cutoffs)} of {show(n_classes)}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, ends
        same: dict[str, Any] = {"device": device, "dtype": dtype, "generator": generator}
        clusters = len(ends) - 1
        self.head = Linear(in_features, ends[0] + clusters, bias=head_bias, **same)
        self.tail = ModuleList()
        for number in range(clusters):
            hidden = int(in_features // div_value ** (number + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **same),
                    Linear(hidden, ends[number + 1] - ends[number], bias=False, **same),
                )
            )

    def reset_parameters(self) -> None:
        """Draw again, in place."""
        self.head.reset_parameters()
        for projection in self.tail:
            for layer in projection.children():
                layer.reset_parameters()


class _Weighted(Module):
    """A loss that keeps the weight of each class, an array of the caller's."""

    def __init__(self, weight: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.register_buffer("weight", weight)


class NLLLoss(_Weighted):
    """The buffer of `torch.nn.NLLLoss`, `weight`, where it is given; takes any other arguments."""


class CrossEntropyLoss(_Weighted):
    """The buffer of `torch.nn.CrossEntropyLoss`, `weight`; takes any other arguments."""


class BCELoss(_Weighted):
    """The buffer of `torch.nn.BCELoss`, `weight`, where it is given; takes any other arguments."""


class MultiLabelSoftMarginLoss(_Weighted):
    """The buffer of `torch.nn.MultiLabelSoftMarginLoss`, `weight`; takes any other arguments."""


class MultiMarginLoss(_Weighted):
    """The buffer of `torch.nn.MultiMarginLoss`, `weight`; takes any other arguments."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(weight)


class BCEWithLogitsLoss(_Weighted):
    """The buffers of `torch.nn.BCEWithLogitsLoss`: `weight` and `pos_weight`, where given."""

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(weight)
        self.register_buffer("pos_weight", pos_weight)


class LinearCrossEntropyLoss(_Weighted):
    """The parameters of a new `torch.nn.LinearCrossEntropyLoss`: those of its `Linear` layer.

    Args:
        in_features, num_classes, out_features, bias, device, dtype, weight: torch's.
        kwargs: torch's others; they do not change what is drawn.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Source: torch/nn/modules/loss.py, torch 2.13.0.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        weight: Any = None,
        generator: Generator | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight)
        self.linear = Linear(
            in_features,
            math.prod(out_features, start=num_classes),
            bias=bias,
            device=device,
            dtype=dtype,
            generator=generator,
        )
