# SPDX-License-Identifier: Apache-2.0
"""1/N of a weight's rows or columns, against 1/N of the time of the whole."""

import math
from collections.abc import Iterator
from typing import Any

import glorot
from benchmarks._harness import Contender, alternate, checker, targets
from benchmarks._peers import NAME, initializer, touched

PARTS = (2, 4, 8)
CASES = (("uniform", "float32"), ("uniform", "bfloat16"), ("normal", "float32"))


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of the whole and of its last rows and columns."""
    size = 1024 if quick else 8192
    shape = (size, size)
    target = (targets() or ["reference"])[0]
    for law, dtype in CASES:
        whole = touched(shape, dtype)
        init = initializer(law)
        contenders = [
            Contender(
                "whole",
                lambda init=init, whole=whole: init(shape, name=NAME, out=whole),
                "glorot",
                target=target,
                check=checker(init, shape, NAME),
            )
        ]
        for parts in PARTS:
            begin = size - size // parts
            for who, start in (("rows", (begin, 0)), ("columns", (0, begin))):
                shard = glorot.Shard(start, shape)
                extent = tuple(stop - first for first, stop in zip(start, shape, strict=True))
                # The whole's own memory: of new memory not all comes in huge pages, which shows.
                out = whole.reshape(-1)[: math.prod(extent)].reshape(extent)
                contenders.append(
                    Contender(
                        f"1/{parts} {who}",
                        lambda init=init, shard=shard, out=out: init(
                            shape, name=NAME, shard=shard, out=out
                        ),
                        "glorot",
                        target=target,
                        check=checker(init, shape, NAME, start),
                        nbytes=out.nbytes,
                    )
                )
        yield from alternate(
            contenders,
            nbytes=whole.nbytes,
            rounds=3 if quick else 25,
            seconds=0.2 if quick else 2.0,
            law=law,
            dtype=dtype,
            shape=shape,
        )
