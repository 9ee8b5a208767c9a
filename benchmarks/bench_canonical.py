# SPDX-License-Identifier: Apache-2.0
"""A transposed weight in canonical order, against the same weight in stored order."""

from collections.abc import Iterator
from typing import Any

import glorot
from benchmarks._harness import Contender, alternate, checker, targets
from benchmarks._peers import NAME, touched

DISTRIBUTIONS = {"uniform": "uniform", "normal": "untruncated_normal"}


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of a torch.nn.Linear weight in both orders."""
    size = 1024 if quick else 8192
    shape = (size, size)
    for dtype in ("float32", "bfloat16"):
        out = touched(shape, dtype)
        for law, distribution in DISTRIBUTIONS.items():
            contenders = []
            for target in targets() or ["reference"]:
                for order in ("stored", "canonical"):
                    init = glorot.VarianceScaling(
                        1.0, "fan_avg", distribution, 42, layout="torch.linear", order=order
                    )
                    contenders.append(
                        Contender(
                            f"{order} {target}",
                            lambda init=init, out=out: init(shape, name=NAME, out=out),
                            "glorot",
                            target=target,
                            check=checker(init, shape, NAME),
                        )
                    )
            yield from alternate(
                contenders,
                nbytes=out.nbytes,
                rounds=3 if quick else 25,
                seconds=0.2 if quick else 2.0,
                law=law,
                dtype=dtype,
                shape=shape,
            )
