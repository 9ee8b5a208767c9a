# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch beside torch itself: the same draws, whose bytes are compared."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks._harness import Contender, WrongBytesError, alternate, targets
from benchmarks._peers import NEW, installed
from glorot._dtypes import FLOATS
from glorot.replay import torch as ours

DTYPES = ("float32", "bfloat16", "float64")
SIZE, QUICK_SIZE = 2048, 256
LAWS = ("uniform", "normal")
LIMITS = (-0.1, 1.7)


def _pair(law: str, dtype: str, shape: tuple[int, int]) -> list[Contender]:
    """torch and every target; each run starts the seed anew, so that all runs are equal."""
    import torch

    theirs = torch.Generator()
    capability = torch.backends.cpu.get_cpu_capability()
    mine = ours.Generator(cpu_capability=capability)
    init = getattr(ours.nn.init, law)

    def fill() -> Any:
        tensor = torch.empty(shape, dtype=getattr(torch, dtype))
        return getattr(tensor, f"{law}_")(*LIMITS, generator=theirs.manual_seed(7))

    wanted = fill().view(torch.uint8).numpy().tobytes()

    def check(made: Any) -> None:
        if made.tobytes() != wanted:
            raise WrongBytesError(f"{law} {dtype}: the bytes are not torch's.")

    def draw() -> Any:
        return init(shape, *LIMITS, mine.manual_seed(7), dtype=dtype)

    return [
        *(
            Contender(f"glorot {target}", draw, "glorot", target=target, check=check, note=NEW)
            for target in targets() or ["reference"]
        ),
        Contender("torch", fill, "peer", note=NEW),
    ]


def _words(shape: tuple[int, int]) -> list[Contender]:
    generator = ours.Generator().manual_seed(7)
    count = int(np.prod(shape))
    target = (targets() or ["reference"])[0]

    def timed(name: str, run: Callable[[], Any]) -> Contender:
        return Contender(name, run, "bare", target=target, note="words passed over")

    return [timed(f"skip {target}", lambda: generator.skip(count))]


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of every law and dtype."""
    if not installed("torch"):
        return
    side = QUICK_SIZE if quick else SIZE
    for dtype in DTYPES:
        for law in LAWS:
            contenders = _pair(law, dtype, (side, side))
            if (dtype, law) == (DTYPES[0], LAWS[0]):
                contenders += _words((side, side))
            yield from alternate(
                contenders,
                nbytes=side * side * FLOATS[dtype].itemsize,
                rounds=3 if quick else 15,
                seconds=0.1 if quick else 1.2,
                law=law,
                dtype=dtype,
                shape=(side, side),
            )
