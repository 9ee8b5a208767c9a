# SPDX-License-Identifier: Apache-2.0
"""JAX's own draws: by JAX, and by glorot.replay.jax, which gives the same bytes."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks._harness import Contender, WrongBytesError, alternate, targets
from benchmarks._peers import installed
from glorot.replay import jax as replay

DTYPES = ("float32", "bfloat16")


def _calls(jax: Any, shape: tuple[int, int], dtype: str) -> dict[str, Callable[[], Any]]:
    """The draws by name, in one namespace or the other."""
    key, init = jax.random.key(42), jax.nn.initializers
    return {
        "uniform": lambda: jax.random.uniform(key, shape, dtype),
        "normal": lambda: jax.random.normal(key, shape, dtype),
        "truncated": lambda: jax.random.truncated_normal(key, -2, 2, shape, dtype),
        "glorot_uniform": lambda: init.glorot_uniform()(key, shape, dtype),
        "glorot_normal": lambda: init.glorot_normal()(key, shape, dtype),
    }


def _legacy(call: Callable[[], Any], jax: Any) -> Any:
    with jax.threefry_partitionable(False):
        return call()


def _contenders(law: str, shape: tuple[int, int], dtype: str, legacy: bool) -> list[Contender]:
    import jax

    theirs, ours = _calls(jax, shape, dtype)[law], _calls(replay, shape, dtype)[law]
    if legacy:
        theirs = functools.partial(_legacy, theirs, jax)
        ours = functools.partial(_legacy, ours, replay)
    expected = np.asarray(theirs()).tobytes()

    def check(made: Any) -> None:
        if np.asarray(made).tobytes() != expected:
            raise WrongBytesError(f"{law} of {dtype}: not JAX's bytes.")

    wanted = targets() or ["reference"]
    return [
        *(Contender(f"replay {t}", ours, "glorot", target=t, check=check) for t in wanted),
        Contender("jax", lambda: theirs().block_until_ready(), "peer", check=check),
    ]


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of each draw, whole arrays, made anew each call; needs JAX."""
    if not installed("jax"):
        return
    shape = (512, 512) if quick else (4096, 4096)
    for dtype in DTYPES:
        for law in _calls(replay, shape, dtype):
            for legacy in (False, True) if law == "uniform" else (False,):
                yield from alternate(
                    _contenders(law, shape, dtype, legacy),
                    nbytes=shape[0] * shape[1] * (4 if dtype == "float32" else 2),
                    rounds=3 if quick else 10,
                    seconds=10.0,
                    law=f"{law}, legacy layout" if legacy else law,
                    dtype=dtype,
                    shape=shape,
                )
