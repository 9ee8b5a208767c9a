# SPDX-License-Identifier: Apache-2.0
"""Run the CUDA kernel in Triton's interpreter on the CPU, and print what is not the CPU's bytes.

A program of its own: the interpreter is chosen by TRITON_INTERPRET=1 before triton is imported.
"""

import json

import ml_dtypes
import numpy as np
import torch

import glorot
from glorot import _kernel
from glorot._base import _prepared
from glorot._memory import row_major
from glorot._stream import stream
from glorot.torch import _memory, _triton

LAWS = {
    "uniform": glorot.RandomUniform(-0.5, 0.5),
    "uniform, mean": glorot.RandomUniform(-0.25, 0.75),
    "normal": glorot.RandomNormal(0.0, 0.02),
    "normal, mean": glorot.RandomNormal(0.5, 0.02),
    "truncated": glorot.TruncatedNormal(0.0, 0.02),
    "truncated, mean": glorot.TruncatedNormal(-1.0, 0.5, lower=-1.0, upper=2.5),
    "truncated, open": glorot.TruncatedNormal(lower=0.5, upper="inf"),
}
NUMPY = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.bfloat16: ml_dtypes.bfloat16,
}
# (shape of the memory, indexing of it, start, strides of the index or None)
MEMORY = {
    "run": ((37, 29), (), 0, None),
    "run, unaligned": ((1003,), (), 3, None),
    "run of one": ((1,), (), 6, None),
    "number": ((), (), 5, None),
    "run beyond 2**33": ((61,), (), 2**33 + 1, None),
    "shard": ((5, 7), (), 1234, (101, 1)),
    "shard beyond 2**40": ((5, 7), (), 2**40, (2**33 + 1, 3)),
    "view": ((20, 30), (slice(1, 19, 2), slice(2, 29, 3)), 0, None),
    "transposed order": ((6, 5, 4), (), 0, (1, 6, 30)),
    "four axes": ((3, 4, 5, 6), (..., slice(None, None, 2)), 7, (1000, 200, 40, 1)),
    "empty": ((0, 3), (), 0, None),
}


def bits(array):
    """The bytes as unsigned integers."""
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def main():
    """Compare, and print {"compared": n, "wrong": [...]}."""
    compared, wrong = 0, []
    for law_name, init in LAWS.items():
        law = init.law(())
        for dtype, numpy in NUMPY.items():
            for where, (shape, index, start, order) in MEMORY.items():
                seed = (1, 2**64 - 1)[compared % 2]
                base = torch.full(shape, 7.0, dtype=dtype)
                target = base[index] if index else base
                steps = order or row_major(target.shape)
                assert _triton.can_fill(target, law, steps)
                _triton.fill(target, law, stream(seed, "w"), start, steps)
                wanted = np.full(shape, 7.0, numpy)
                view = wanted[index] if index else wanted
                _kernel.fill(view, law, stream(seed, "w"), start, steps)
                found = base.view(torch.int16) if dtype == torch.bfloat16 else base
                compared += 1
                if (bits(found.numpy()) != bits(wanted)).any():
                    wrong.append([law_name, str(dtype), where, seed])
    init = glorot.HeNormal(layout="torch.linear", order="canonical")
    writer = _prepared(init, (9, 8), np.dtype(np.float32))
    for start, extent in ((None, (9, 8)), ((2, 3), (4, 5))):
        target = torch.zeros(extent)
        assert _memory.filled_on_device(target, writer, start, 42, "w")
        wanted = init((9, 8), seed=42, name="w")
        if start is not None:
            wanted = wanted[2:6, 3:8]
        compared += 1
        if (target.numpy() != wanted).any():
            wrong.append(["through a writer", str(start)])
    sparse = _prepared(glorot.Sparse(0.5), (9, 8), np.dtype(np.float32))
    assert not _memory.filled_on_device(torch.zeros(9, 8), sparse, None, 42, "w")
    assert not _memory.filled_on_device(torch.zeros(9, 8).double(), writer, None, 42, "w")
    print(json.dumps({"compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
