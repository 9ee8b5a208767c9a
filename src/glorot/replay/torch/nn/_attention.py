# SPDX-License-Identifier: Apache-2.0
"""torch.nn.MultiheadAttention."""

from typing import Any

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws, dtype_on, empty, fill
from glorot.replay.torch.nn._linear import Linear
from glorot.replay.torch.nn._module import Module


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
        self._draws, found = Draws.of(generator), dtype_on(device, dtype)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        same = self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        joint = (3 * embed_dim, embed_dim)
        self.register_parameter("in_proj_weight", empty(joint, found) if same else None)
        for name, width in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            weight = None if same else empty((embed_dim, width), found)
            self.register_parameter(f"{name}_proj_weight", weight)
        self.register_parameter("in_proj_bias", empty(joint[:1], found) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=found, generator=generator)
        for name in ("bias_k", "bias_v"):
            drawn = empty((1, 1, embed_dim), found) if add_bias_kv else None
            self.register_parameter(name, drawn)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw again, in place; of the output projection, set only the bias."""
        joint, separate = ("in_",), ("q_", "k_", "v_")
        for name in joint if self._qkv_same_embed_dim else separate:
            self._draws.xavier_uniform(getattr(self, f"{name}proj_weight"))
        if self.in_proj_bias is not None:
            fill(self.in_proj_bias, 0.0)
            fill(self.out_proj.bias, 0.0)
        for value in (self.bias_k, self.bias_v):
            if value is not None:
                self._draws.xavier_normal(value)
