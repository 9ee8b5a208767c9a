# SPDX-License-Identifier: Apache-2.0
"""One small weight through the public interface: what a call costs before any speed counts."""

from collections.abc import Iterator
from typing import Any

import glorot
from benchmarks._harness import Contender, alternate, checker, targets
from benchmarks._peers import NAME, NEW, installed, jax_peer, keras_peer, tensorflow_peer, touched

SHAPE = (64, 64)


def _torch() -> list[Contender]:
    if not installed("torch"):
        return []
    import torch

    tensor = torch.empty(SHAPE)
    init = torch.nn.init.xavier_uniform_
    return [
        Contender("torch in place", lambda: init(tensor), "peer"),
        Contender("torch", lambda: init(torch.empty(SHAPE)), "peer", note=NEW),
    ]


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of `GlorotUniform(seed=42)((64, 64), name="w")` and its equals."""
    init = glorot.GlorotUniform(seed=42)
    check = checker(init, SHAPE, NAME)
    out = touched(SHAPE, "float32")
    target = (targets() or ["reference"])[0]
    contenders = [
        Contender(
            f"glorot {target}, made anew",
            lambda: glorot.GlorotUniform(seed=42)(SHAPE, name=NAME),
            "glorot",
            target=target,
            check=check,
            note="GlorotUniform(seed=42) made anew each call",
        ),
        Contender(
            f"glorot {target}",
            lambda: init(SHAPE, name=NAME),
            "glorot",
            target=target,
            check=check,
            note=NEW,
        ),
        Contender(
            f"glorot {target}, in place",
            lambda: init(SHAPE, name=NAME, out=out),
            "glorot",
            target=target,
            check=check,
        ),
        *_torch(),
        *(
            peer
            for make in (tensorflow_peer, keras_peer, jax_peer)
            for peer in make("uniform", SHAPE, out)
        ),
    ]
    yield from alternate(
        contenders,
        nbytes=out.nbytes,
        rounds=20 if quick else 200,
        seconds=2.0,
        law="uniform",
        dtype="float32",
        shape=SHAPE,
    )
