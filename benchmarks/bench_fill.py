# SPDX-License-Identifier: Apache-2.0
"""Whole weights, 64 x 64 to 8192 x 8192, against every peer and memset."""

from collections.abc import Iterator
from typing import Any

from benchmarks._harness import alternate
from benchmarks._peers import ceiling, ours, peers, touched

LAWS = ("uniform", "normal", "truncated")
DTYPES = ("float32", "bfloat16")
SIZES = (64, 512, 2048, 8192)
QUICK_SIZES = (256,)


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of every law, dtype and size."""
    for dtype in DTYPES:
        for size in QUICK_SIZES if quick else SIZES:
            shape = (size, size)
            out = touched(shape, dtype)
            for law in LAWS:
                contenders = ceiling(out) + ours(law, shape, out) + peers(law, shape, out)
                yield from alternate(
                    contenders,
                    nbytes=out.nbytes,
                    rounds=3 if quick else 15,
                    seconds=0.1 if quick else 1.2,
                    law=law,
                    dtype=dtype,
                    shape=shape,
                )
