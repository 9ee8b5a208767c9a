# SPDX-License-Identifier: Apache-2.0
"""The contract's adapter of the CUDA kernel in Triton's interpreter, on the CPU.

Laws that the kernel has are its; the rest is the host's, as on a device. It needs
TRITON_INTERPRET=1 before triton is imported.
"""

import contract
from test_torch_contract import empty, to_numpy

from glorot._base import _prepared
from glorot._dtypes import FLOATS
from glorot.torch import _memory


def fill(tensor, initializer, whole, start, seed, name):
    """Fill the tensor as one on a CUDA device is filled."""
    writer = _prepared(initializer, whole, FLOATS[str(tensor.dtype).removeprefix("torch.")])
    if not _memory.filled_on_device(tensor, writer, start, seed, name):
        _memory._staged(tensor, writer, start, seed, name)
    return to_numpy(tensor)


class InterpretedAdapter(contract.Adapter):
    """Memory of the CPU, filled as a device's."""

    name = "torch cuda (interpreted)"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """All of it."""
        return fill(empty(shape, dtype), initializer, shape, None, seed, name)

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """A tensor of the part's shape alone."""
        extent = [j - i for i, j in zip(shard.start, shard.stop, strict=True)]
        return fill(empty(extent, dtype), initializer, shape, shard.start, seed, name)
