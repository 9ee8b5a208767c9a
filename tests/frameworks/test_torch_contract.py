# SPDX-License-Identifier: Apache-2.0
"""PyTorch on the CPU keeps the contract, in memory of every kind of strides."""

import contract
import numpy as np
import pytest
import torch

import glorot
import glorot.torch
from glorot._dtypes import FLOATS

pytestmark = pytest.mark.frameworks


def to_numpy(tensor):
    """The tensor's values as NumPy has the dtype."""
    tensor = tensor.detach().contiguous()
    name = str(tensor.dtype).removeprefix("torch.")
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.itemsize]
    return tensor.view(bits).numpy().view(FLOATS[name])


def empty(shape, dtype):
    """A tensor full of NaN (255 bytes), so that what is not written shows."""
    tensor = torch.empty(shape, dtype=getattr(torch, dtype))
    if tensor.numel():
        tensor.view(torch.uint8).fill_(255) if tensor.dim() else tensor.fill_(float("nan"))
    return tensor


def filled_in(make):
    """A form of the contract: the weight is filled in the memory that `make(shape, dtype)` gives,
    and nothing around it is written."""

    def fill(initializer, shape, dtype, *, seed, name):
        base, tensor = make(shape, dtype)
        before = base.clone()
        untouched = torch.ones(base.shape, dtype=torch.bool)
        # The places of the tensor's elements in its base, by filling a mask of the same strides.
        torch.as_strided(untouched, tensor.shape, tensor.stride(), tensor.storage_offset()).fill_(
            False
        )
        result = glorot.torch.init_(tensor, initializer, seed=seed, name=name)
        assert result is tensor
        bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[base.itemsize]
        assert torch.equal(base.view(bits)[untouched], before.view(bits)[untouched])
        return to_numpy(tensor)

    return fill


def transposed(shape, dtype):
    """Column-major."""
    base = empty((np.prod(shape, dtype=int),), dtype)
    order = tuple(reversed(range(len(shape))))
    return base, base.view([shape[axis] for axis in order]).permute(order)


def spread(shape, dtype):
    """Every second element of rows that are 3 apart, with room before and after."""
    sizes = [2 * size + 3 for size in shape]
    base = empty((np.prod(sizes, dtype=int),), dtype)
    return base, base.view(sizes)[tuple(slice(1, 1 + 2 * size, 2) for size in shape)]


def channels_last(shape, dtype):
    """torch.channels_last where there are four axes."""
    base = empty((np.prod(shape, dtype=int),), dtype)
    if len(shape) != 4:
        return base, base.view(shape)
    tensor = base.view(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    return base, tensor


def a_parameter(shape, dtype):
    """A parameter that requires a gradient."""
    base = empty((np.prod(shape, dtype=int),), dtype)
    return base, torch.nn.Parameter(base.view(shape))


class TorchCPU(contract.Adapter):
    """Filled through `glorot.torch.init_`."""

    name = "torch cpu"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """A new tensor."""
        tensor = empty(shape, dtype)
        return to_numpy(glorot.torch.init_(tensor, initializer, seed=seed, name=name))

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """A tensor of the part's shape alone."""
        extent = [j - i for i, j in zip(shard.start, shard.stop, strict=True)]
        tensor = empty(extent, dtype)
        glorot.torch.init_(tensor, initializer, seed=seed, name=name, shape=shape, shard=shard)
        return to_numpy(tensor)

    def forms(self):
        """Memory of every kind."""
        makers = (transposed, spread, channels_last, a_parameter)
        return {make.__name__: filled_in(make) for make in makers}


class TestTorchCPU(contract.Contract):
    """The contract."""

    adapter = TorchCPU()


def test_only_the_views_elements_are_written():
    """Of memory that a view leaves out, nothing is written."""
    base, tensor = spread((2, 3), "float32")
    glorot.torch.init_(tensor, glorot.Ones(), seed=0, name="w")
    assert base.isnan().sum() == base.numel() - 6
    assert (tensor == 1).all()
