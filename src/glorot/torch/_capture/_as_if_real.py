# SPDX-License-Identifier: Apache-2.0
"""Code that builds a module on the meta device does all that it would do on the CPU."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from glorot._captured import _drawn
from glorot.torch._capture._addresses import Addresses
from glorot.torch._capture._lent import BY_PYTHON, TO_NUMPY, Array
from glorot.torch._capture._recorder import Recorder, on_meta

_CPU, _META = torch.device("cpu"), torch.device("meta")
_Tensor: Any = torch.Tensor
_OF_CPU: dict[Any, Any] = {  # what a tensor of the CPU says and does
    _Tensor.is_meta.__get__: lambda tensor: False,
    _Tensor.is_cpu.__get__: lambda tensor: True,
    _Tensor.device.__get__: lambda tensor: _CPU,
    _Tensor.cpu: lambda tensor: tensor,
}
_SHARED = (torch.as_tensor, torch.asarray)  # which have the memory of the array that they are given
_MADE = (torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor)
_LOCK = threading.RLock()


class AsIfReal(TorchFunctionMode):
    """The meta device stands for the CPU: tensors are made there, and say that they are on the CPU,
    since initialisation is skipped for what says that it is not; those that are made of Python's
    numbers have these."""

    def __init__(self, recorder: Recorder, addresses: Addresses) -> None:
        super().__init__()
        self._recorder = recorder
        self._addresses = addresses
        self._makes = _device_constructors()
        self._arrays: list[Array] = []
        self._failed = False

    @property
    def failed(self) -> bool:
        """Whether the CPU may do something else: code was told of an error, which it may have
        caught, or has written into an array that shares no memory with its tensor here."""
        return self._failed or any(array.written for array in self._arrays)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        try:
            return self._run(func, args, dict(kwargs or {}))
        except Exception:
            self._failed = True
            raise

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func is torch.device:
            return func(*args, **kwargs)
        if func in _OF_CPU and on_meta(args[0]):
            return _OF_CPU[func](args[0])
        if func is _Tensor.data_ptr and on_meta(args[0]):
            return self._addresses.tensor(args[0])
        if func is _Tensor.type and len(args) == 1 and not kwargs:
            return func(*args).replace("torch.meta.", "torch.")
        if func in (_Tensor.tolist, *TO_NUMPY) and on_meta(args[0]):
            numbers = self._recorder.numbers(args[0])
            found = func(args[0] if numbers is None else numbers.clone(), *args[1:], **kwargs)
            if isinstance(found, np.ndarray):
                self._arrays.append(Array(found))
            return found
        if func in BY_PYTHON and on_meta(args[0]):
            raise NotImplementedError(f"{func.__name__} does nothing on the meta device")
        if func in self._makes and kwargs.get("device") is None:
            kwargs["device"] = _META
        out = func(*map(_there, args), **{name: _there(each) for name, each in kwargs.items()})
        if func in _MADE and on_meta(out):
            self._know(out, func, args, kwargs)
        return out

    def _know(
        self, out: torch.Tensor, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Note the numbers that Python gave."""
        args = args[1:] if func is torch.Tensor.new_tensor else args
        data = args[0] if args else kwargs.get("data", kwargs.get("obj"))
        if isinstance(data, np.ndarray) and func in _SHARED:
            self._arrays.append(Array(data))
        if not isinstance(data, torch.Tensor):
            numbers = torch.tensor(data, dtype=out.dtype, device=_CPU)
            self._recorder.know(out.detach(), numbers)


def _there(value: Any) -> Any:
    """The meta device for the CPU."""
    is_cpu = isinstance(value, (str, torch.device)) and str(value).partition(":")[0] == "cpu"
    return _META if is_cpu else value


@contextlib.contextmanager
def truncated_by(recorder: Recorder) -> Iterator[None]:
    """Let the recorder know of truncated normals as such: torch draws them again and again until
    all are inside, which looks at the values."""
    init: Any = torch.nn.init
    thread = threading.get_ident()
    with _LOCK:  # torch's function is there once for all threads
        own = init._no_grad_trunc_normal_

        def note(
            tensor: torch.Tensor, mean: float, std: float, a: float, b: float, generator: Any = None
        ) -> torch.Tensor:
            if threading.get_ident() != thread:
                own(tensor, mean, std, a, b, generator)
                return tensor
            draw = recorder.draw(generator, tensor)
            if not on_meta(tensor):
                own(tensor, mean, std, a, b, generator)
            recorder.put(tensor, _drawn.of_draw(_drawn.normal(mean, std, a, b), draw))
            return tensor

        init._no_grad_trunc_normal_ = note
        try:
            yield
        finally:
            init._no_grad_trunc_normal_ = own
