# SPDX-License-Identifier: Apache-2.0
"""torch.nn.MultiheadAttention."""

from typing import Any

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws
from glorot.replay.torch.nn._linear import Linear
from glorot.replay.torch.nn._module import Module, Parameter


class MultiheadAttention(Module):
    """The parameters of a new `torch.nn.MultiheadAttention`.

    The output projection is drawn first, then the input projections, whose biases, like its own,
    are 0.

    Args:
        embed_dim, num_heads, bias, add_bias_kv, kdim, vdim, dtype: torch's.
        dropout, add_zero_attn, batch_first: torch's; they do not change what is drawn.
        device: the CPU.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Attributes:
        in_proj_weight: (3 embed_dim, embed_dim), xavier_uniform; or q_proj_weight, k_proj_weight
            and v_proj_weight where kdim or vdim differs.
        in_proj_bias, out_proj, bias_k, bias_v: as there.

    Exact for torch 2.13.0 on x86-64; bias_k and bias_v as `glorot.replay.torch.randn`.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> list(MultiheadAttention(8, 2).state_dict())
        ['in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias']

    Source: torch/nn/modules/activation.py, torch 2.13.0.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={show(embed_dim)} and num_heads={show(num_heads)} instead"
            )
        if embed_dim % num_heads:
            raise ValueError(
                "embed_dim must be divisible by num_heads, got "
                f"embed_dim={show(embed_dim)} and num_heads={show(num_heads)}"
            )
        super().__init__()
        draw = Draws.of(device, dtype, generator)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.out_proj = Linear(
            embed_dim, embed_dim, bias, dtype=draw.dtype, generator=draw.generator
        )
        if self.kdim == self.vdim == embed_dim:
            shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)}
        else:
            widths = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
            shapes = {f"{name}_proj_weight": (embed_dim, n) for name, n in widths.items()}
        for name, shape in shapes.items():
            self.register_parameter(name, draw.xavier_uniform(shape))
        zeros = draw.constant((3 * embed_dim,), 0.0)
        self.register_parameter("in_proj_bias", zeros if bias else None)
        if bias:
            self.out_proj.bias = Parameter(zeros[:embed_dim].copy())
        for name in ("bias_k", "bias_v"):
            drawn = draw.xavier_normal((1, 1, embed_dim)) if add_bias_kv else None
            self.register_parameter(name, drawn)
