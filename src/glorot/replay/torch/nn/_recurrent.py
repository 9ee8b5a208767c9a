# SPDX-License-Identifier: Apache-2.0
"""torch.nn's recurrent layers and their cells: every parameter uniform below 1 / sqrt(hidden)."""

import math
from typing import Any

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws, dtype_on, empty
from glorot.replay.torch.nn._module import Module


class _Uniform(Module):
    """Every parameter, those of children too, uniform below 1 / sqrt(hidden_size)."""

    def reset_parameters(self) -> None:
        """Draw again, in place."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for value in self.parameters():
            self._draws.uniform(value, bound)


_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


class RNNBase(_Uniform):
    """The parameters of a new `torch.nn.RNNBase`, which RNN, LSTM and GRU are; see `LSTM`.

    Layers and directions in turn: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ...

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self._draws, found = Draws.of(generator), dtype_on(device, dtype)
        _check_sizes(input_size, hidden_size, num_layers, proj_size)
        for name, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1], got {show(dropout)}")
        if mode not in _GATES:
            raise ValueError(f"`mode` must be one of {', '.join(_GATES)}, got {show(mode)}.")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.mode, self.bidirectional, self.proj_size = mode, bidirectional, proj_size
        rows, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        directions = 2 if bidirectional else 1
        for layer in range(num_layers):
            columns = out * directions if layer else input_size
            for suffix in (f"_l{layer}", f"_l{layer}_reverse")[:directions]:
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, columns),
                    "weight_hh": (rows, out),
                }
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    self.register_parameter(name + suffix, empty(shape, found))
        self.reset_parameters()


def _check_sizes(input_size: int, hidden_size: int, num_layers: int, proj_size: int) -> None:
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(size, int):
            raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if size <= 0:
            raise ValueError(f"{name} must be greater than zero, got {show(size)}")
    if num_layers <= 0:
        raise ValueError(f"num_layers must be greater than zero, got {show(num_layers)}")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(
            "proj_size has to be 0, for no projection, or positive and smaller than "
            f"hidden_size, got {show(proj_size)}"
        )


class RNN(RNNBase):
    """The parameters of a new `torch.nn.RNN`; see `LSTM`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias, batch_first,
            dropout, bidirectional, 0, device, dtype, generator=generator,
        )  # fmt: skip


class LSTM(RNNBase):
    """The parameters of a new `torch.nn.LSTM`.

    Args:
        input_size, hidden_size, num_layers, bias, bidirectional, proj_size, dtype: torch's.
        batch_first, dropout: torch's; they do not change what is drawn.
        device: the CPU.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ...: of each layer and direction
            (`_reverse`), uniform below 1 / sqrt(hidden_size); `weight_hr_l0`, ... with proj_size.

    Exact for torch 2.13.0 on x86-64.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> {name: value.shape for name, value in LSTM(3, 2).state_dict().items()}
        {'weight_ih_l0': (8, 3), 'weight_hh_l0': (8, 2), 'bias_ih_l0': (8,), 'bias_hh_l0': (8,)}

    Source: torch/nn/modules/rnn.py, torch 2.13.0.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, proj_size, device, dtype, generator=generator,
        )  # fmt: skip


class GRU(RNNBase):
    """The parameters of a new `torch.nn.GRU`; see `LSTM`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, 0, device, dtype, generator=generator,
        )  # fmt: skip


class RNNCellBase(_Uniform):
    """The parameters of a new `torch.nn.RNNCellBase`, which the three cells are.

    Args:
        num_chunks: the gates, by `hidden_size` rows each: 1, of LSTMs 4, of GRUs 3.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self._draws, found = Draws.of(generator), dtype_on(device, dtype)
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = num_chunks * hidden_size
        self.register_parameter("weight_ih", empty((rows, input_size), found))
        self.register_parameter("weight_hh", empty((rows, hidden_size), found))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty((rows,), found) if bias else None)
        self.reset_parameters()


class RNNCell(RNNCellBase):
    """The parameters of a new `torch.nn.RNNCell`: one layer of `RNN`, names without `_l0`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype, generator=generator)


class LSTMCell(RNNCellBase):
    """The parameters of a new `torch.nn.LSTMCell`: one layer of `LSTM`, names without `_l0`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype, generator=generator)


class GRUCell(RNNCellBase):
    """The parameters of a new `torch.nn.GRUCell`: one layer of `GRU`, names without `_l0`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype, generator=generator)
