# SPDX-License-Identifier: Apache-2.0
"""Code that builds a module on the meta device does all that it would do elsewhere."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from glorot.torch._capture._drawn import Normal
from glorot.torch._capture._recorder import Recorder, on_meta

_IS_META: Any = torch.Tensor.is_meta.__get__


class AsIfReal(TorchFunctionMode):
    """Tensors of the meta device do not say that they are, which initialisation is skipped for; and
    those that are made of Python's numbers have these."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func == _IS_META:
            return False
        out = func(*args, **(kwargs or {}))
        made = func in (torch.tensor, torch.as_tensor, torch.asarray)
        if made and on_meta(out) and not isinstance(args[0], torch.Tensor):
            self._recorder.know(out, func(*args, **{**(kwargs or {}), "device": "cpu"}))
        return out


@contextlib.contextmanager
def truncated_by(recorder: Recorder) -> Iterator[None]:
    """Let the recorder know of truncated normals as such: torch draws them again and again until
    all are inside, which looks at the values."""
    init: Any = torch.nn.init
    own = init._no_grad_trunc_normal_

    def note(
        tensor: torch.Tensor, mean: float, std: float, a: float, b: float, generator: Any = None
    ) -> torch.Tensor:
        recorder.put(tensor, Normal(mean, std, (a - mean) / std, (b - mean) / std))
        return tensor

    init._no_grad_trunc_normal_ = note
    try:
        yield
    finally:
        init._no_grad_trunc_normal_ = own


@contextlib.contextmanager
def initialised_on_meta() -> Iterator[None]:
    """Let transformers' models initialise themselves, which they leave out on the meta device, at
    the time when they do: before weights are tied."""
    utils: Any = sys.modules.get("transformers.modeling_utils")
    name = "get_torch_context_manager_or_global_device"
    own = getattr(utils, name, None)
    if own is None:
        yield
        return
    setattr(utils, name, lambda: None)
    try:
        yield
    finally:
        setattr(utils, name, own)
