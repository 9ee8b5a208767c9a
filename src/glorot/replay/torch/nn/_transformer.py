# SPDX-License-Identifier: Apache-2.0
"""torch.nn's transformers: layers drawn once and copied, and `Transformer`, which draws again."""

import copy
from typing import Any

from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._attention import MultiheadAttention
from glorot.replay.torch.nn._constant import LayerNorm
from glorot.replay.torch.nn._containers import ModuleList
from glorot.replay.torch.nn._draws import Draws, dtype_on
from glorot.replay.torch.nn._linear import Linear
from glorot.replay.torch.nn._module import Module


class _Layer(Module):
    attentions: tuple[str, ...] = ()

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        found = dtype_on(device, dtype)
        from_here: dict[str, Any] = {"dtype": found, "generator": generator}
        for name in self.attentions:
            self.add_module(name, MultiheadAttention(d_model, nhead, bias=bias, **from_here))
        self.linear1 = Linear(d_model, dim_feedforward, bias, **from_here)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **from_here)
        for number in range(1, len(self.attentions) + 2):
            self.add_module(f"norm{number}", LayerNorm(d_model, bias=bias, dtype=found))


class TransformerEncoderLayer(_Layer):
    """The parameters of a new `torch.nn.TransformerEncoderLayer`; see `Transformer`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    attentions = ("self_attn",)


class TransformerDecoderLayer(_Layer):
    """The parameters of a new `torch.nn.TransformerDecoderLayer`; see `Transformer`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    attentions = ("self_attn", "multihead_attn")


class _Stack(Module):
    def _build(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.add_module("norm", norm)


class TransformerEncoder(_Stack):
    """The parameters of a new `torch.nn.TransformerEncoder`: copies of one layer, all equal."""

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self._build(encoder_layer, num_layers, norm)


class TransformerDecoder(_Stack):
    """The parameters of a new `torch.nn.TransformerDecoder`: copies of one layer, all equal."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self._build(decoder_layer, num_layers, norm)


class Transformer(Module):
    """The parameters of a new `torch.nn.Transformer`.

    One encoder and one decoder layer are drawn and copied; then every parameter of two axes is
    drawn again, xavier_uniform, so that the layers differ.

    Args:
        d_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward, custom_encoder,
            custom_decoder, bias, dtype: torch's.
        dropout, activation, layer_norm_eps, batch_first, norm_first: torch's; they do not change
            what is drawn.
        device: the CPU.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Exact for torch 2.13.0 on x86-64.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> model = Transformer(8, 2, 1, 1, 16)
        >>> len(model.state_dict()), list(model.state_dict())[0]
        (34, 'encoder.layers.0.self_attn.in_proj_weight')

    Source: torch/nn/modules/transformer.py, torch 2.13.0.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self._draws = Draws.of(generator)
        options: dict[str, Any] = {"bias": bias, "dtype": dtype_on(device, dtype)}
        sizes = (d_model, nhead, dim_feedforward)
        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*sizes, **options, generator=generator)
            norm = LayerNorm(d_model, **options)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*sizes, **options, generator=generator)
            norm = LayerNorm(d_model, **options)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self.decoder = custom_decoder
        self.d_model, self.nhead = d_model, nhead
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw every parameter of two axes or more again, in place."""
        for value in self.parameters():
            if value.ndim > 1:
                self._draws.xavier_uniform(value)
