# SPDX-License-Identifier: Apache-2.0
"""A tensor's own memory, checked, as what a writer can fill in place."""

import operator
import sys
from typing import Any

import numpy as np
import torch

from glorot._batch import Batch
from glorot._dtypes import ALL, FLOATS
from glorot._stream import stream
from glorot._writers import LawWriter, Writer

Array = np.ndarray[Any, np.dtype[Any]]
Start = tuple[int, ...]
Place = tuple[slice, ...]

# By torch's dtype: those that glorot writes, and the integers that carry the bits of those that
# NumPy does not have itself.
DTYPES: dict[torch.dtype, np.dtype[Any]] = {
    getattr(torch, name): dtype for name, dtype in ALL.items() if hasattr(torch, name)
}
_CARRIERS: dict[torch.dtype, str] = {
    torch.bfloat16: "<i2",
    torch.float8_e4m3fn: "|u1",
    torch.float8_e5m2: "|u1",
}
_TYPES = {  # what NumPy calls the elements, and how many bytes each has
    kind: (_CARRIERS.get(kind, dtype.str), dtype.itemsize) for kind, dtype in DTYPES.items()
}
_STAGED = 1 << 24  # elements at a time, on the way to a device without a kernel
_LAZY = torch.nn.parameter.UninitializedTensorMixin


def is_lazy(tensor: torch.Tensor) -> bool:
    """Whether it has no shape yet."""
    return issubclass(type(tensor), _LAZY)  # `isinstance` asks a tensor for its __class__


def check_known(tensor: torch.Tensor, what: str) -> None:
    """Refuse a tensor that has no shape, yet or ever."""
    if tensor.is_nested and tensor.layout is torch.strided:
        raise TypeError(f"{what} is a nested tensor, which has no shape. Fill the tensors in it.")
    if is_lazy(tensor):
        raise ValueError(
            f"{what} is lazy: it has no shape yet. Run the module once on an input, so that its "
            "shapes are known, then fill it."
        )


def check(tensor: torch.Tensor, what: str) -> None:
    """Refuse a tensor that has no memory of its own to fill, and say what to do.

    Raises:
        TypeError: a tensor that stands for others (fake, traced, sparse, quantized), or whose
            dtype no initializer writes.
        ValueError: memory that is not there, is shared between elements, or holds its values
            conjugated or negated.
    """
    _check_plain(tensor, what)
    if tensor.is_meta:
        raise ValueError(
            f"{what} is on the meta device and has no memory. Use glorot.torch.materialize(module, "
            "recipe, seed=...), or give it memory first: module.to_empty(device='cpu')."
        )
    if tensor.layout is not torch.strided:
        raise TypeError(
            f"{what} must be dense, got the layout {tensor.layout}. Fill a dense tensor and "
            "convert it."
        )
    if tensor.dtype not in DTYPES:
        floats = ", ".join(FLOATS)
        raise TypeError(
            f"{what} must have one of the dtypes {floats}; got {tensor.dtype}."
            + (" Fill its real and imaginary parts apart." if tensor.dtype.is_complex else "")
        )
    if tensor.is_conj() or tensor.is_neg():
        raise ValueError(
            f"{what} is a conjugated or negated view: its memory does not hold its values. Fill "
            "the tensor that it is a view of, or a copy: tensor.resolve_neg().resolve_conj()."
        )
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        raise ValueError(
            f"{what} was made in inference mode, and torch lets it be written there alone. Fill it "
            "under torch.inference_mode(), or a copy: tensor.clone()."
        )
    held = tensor.untyped_storage().nbytes()
    odd = held < tensor.nbytes or tensor.storage_offset() or not tensor.is_contiguous()
    if odd and tensor.numel() and _reach(tensor) > held:
        raise ValueError(
            f"{what} has had its memory taken away (its storage has {held} bytes), as sharding "
            "wrappers do between steps. Fill it while its values are there."
        )


def _reach(tensor: torch.Tensor) -> int:
    """How many bytes of its storage a tensor needs."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    last = tensor.storage_offset() + sum((size - 1) * step for size, step in steps)
    return (last + 1) * tensor.element_size()


def check_eager() -> None:
    """Refuse to run while torch traces: filling memory leaves no trace."""
    tracer = sys.modules.get("torch.fx.experimental.proxy_tensor")
    if tracer is not None and tracer.get_proxy_mode() is not None:
        raise RuntimeError(
            "glorot.torch fills memory, which leaves nothing in what torch is tracing here. Fill "
            "tensors before tracing."
        )


_PLAIN = (torch.Tensor, torch.nn.Parameter)
is_transformed = torch._C._functorch.is_functorch_wrapped_tensor  # by vmap, grad, ...


def _check_plain(tensor: torch.Tensor, what: str) -> None:
    if is_transformed(tensor):
        raise TypeError(
            f"{what} is inside of a torch.func transform, which would trace its values. Fill the "
            "tensor before the transform."
        )
    if type(tensor) in _PLAIN:
        return
    fake = sys.modules.get("torch._subclasses.fake_tensor")
    if fake is not None and isinstance(tensor, fake.FakeTensor):
        raise TypeError(
            f"{what} is a FakeTensor, which has a shape and no values. Fill the real tensor, "
            "outside of tracing and of FakeTensorMode."
        )
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        raise TypeError(
            f"{what} is a {type(tensor).__name__}, which keeps its values in other tensors. Fill "
            "a plain tensor before it is converted."
        )


def _address(tensor: torch.Tensor, what: str) -> int:
    """Where a CPU tensor's memory begins."""
    with torch._C.DisableTorchFunction():  # a capture's own has addresses of no memory
        address = tensor.data_ptr()
    if not address and tensor.numel():
        raise TypeError(f"{what} is a {type(tensor).__name__} that has no memory of its own.")
    return address


class _Lent:
    """A tensor's memory as NumPy asks for it. `Tensor.numpy` would take from the storage for ever
    that it can be resized, which FSDP 1 and offloading do to free it."""

    __slots__ = ("__array_interface__", "tensor")

    def __init__(self, tensor: torch.Tensor, address: int) -> None:
        self.tensor = tensor  # which lives as long as the array
        carrier, size = _TYPES[tensor.dtype]
        said = {"version": 3, "typestr": carrier, "shape": tensor.shape, "data": (address, False)}
        if not tensor.is_contiguous():
            said["strides"] = tuple([size * stride for stride in tensor.stride()])
        self.__array_interface__ = said


def view(tensor: torch.Tensor, what: str) -> Array:
    """The CPU tensor's memory as a NumPy array: the same bytes, no copy."""
    array: Array = np.asarray(_Lent(tensor, _address(tensor, what)))
    return array.view(DTYPES[tensor.dtype]) if tensor.dtype in _CARRIERS else array


class Memory:
    """The memory of a checked tensor, which a writer fills part by part."""

    __slots__ = ("_address", "_straight", "_what", "dtype", "tensor")
    dtype: np.dtype[Any]  # NumPy's of the same bytes

    def __init__(self, tensor: torch.Tensor, what: str) -> None:
        check(tensor, what)
        self.tensor = tensor
        self.dtype = DTYPES[tensor.dtype]
        self._what = what
        self._address = _address(tensor, what) if tensor.is_cpu else 0
        self._straight = tensor.is_contiguous()
        if not self._straight and _overlaps(tensor):
            raise ValueError(
                f"{what} must hold each element in memory of its own, got shape "
                f"{tuple(tensor.shape)} with strides {tensor.stride()}, which overlap. Fill a "
                "copy: tensor.clone()."
            )

    def fill(
        self,
        writer: Writer,
        start: Start | None,
        place: Place | None,
        seed: int,
        name: str,
        batch: Batch | None,
    ) -> None:
        """Fill `tensor[place]` (None: all of it) with the part that begins at `start` (None: the
        whole); with a batch, by the time that it has run."""
        tensor = self.tensor
        if not tensor.is_cpu:
            target = tensor.detach() if place is None else tensor.detach()[place]
            if not (target.is_cuda and filled_on_device(target, writer, start, seed, name)):
                _staged(target, writer, start, seed, name)
            return
        straight = self._straight and start is None and place is None
        if (
            batch is not None
            and straight  # without an array, which costs as much as all the rest
            and writer.whole_at(self._address, self.dtype, seed, name, batch, tensor)
        ):
            return
        array = view(tensor, self._what)
        out = array if place is None else array[place]
        if batch is None:
            writer.part(out, start, seed, name)
        else:
            writer.part_of(batch, out, start, seed, name)


def _overlaps(tensor: torch.Tensor) -> bool:
    """Whether two elements may share memory."""
    if not tensor.numel():
        return False
    span = 1
    axes = zip(tensor.stride(), tensor.shape, strict=True)
    for stride, size in sorted((stride, size) for stride, size in axes if size > 1):
        if stride < span:
            return True
        span += stride * (size - 1)
    return False


def filled_on_device(
    target: torch.Tensor, writer: Writer, start: Start | None, seed: int, name: str
) -> bool:
    """Fill by the device's own kernel, if there is one for this law, dtype and memory."""
    if not isinstance(writer, LawWriter):
        return False
    try:
        from glorot.torch import _triton
    except ImportError:  # builds of torch for CUDA bring it
        return False
    if not _triton.can_fill(target, writer.law, writer.strides):
        return False
    first = 0 if start is None else sum(map(operator.mul, start, writer.strides))
    with torch.cuda.device_of(target):
        _triton.fill(target, writer.law, stream(seed, name), first, writer.strides)
    return True


def _staged(
    target: torch.Tensor, writer: Writer, start: Start | None, seed: int, name: str
) -> None:
    """Fill on the host and copy, some rows at a time."""
    begin = start or (0,) * target.dim()
    if target.dim() == 0 or target.numel() <= _STAGED:
        _copy(target, writer, begin, seed, name)
        return
    rows = max(1, _STAGED * target.shape[0] // target.numel())
    for row in range(0, target.shape[0], rows):
        _copy(target[row : row + rows], writer, (begin[0] + row, *begin[1:]), seed, name)


def _copy(target: torch.Tensor, writer: Writer, begin: Start, seed: int, name: str) -> None:
    host = torch.empty(target.shape, dtype=target.dtype)
    writer.part(view(host, "the copy on the host"), begin, seed, name)
    with torch.no_grad():
        target.copy_(host)
