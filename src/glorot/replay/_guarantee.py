# SPDX-License-Identifier: Apache-2.0
"""What a replay promises: whose numbers, of which versions, exact or not, and how it was seen."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glorot._check import show
from glorot._dtypes import dtype_name, parse_dtype

# The packages that hold rows, in the order of docs/replay.md.
PACKAGES = ("tensorflow", "jax", "flax", "torch", "keras")


@dataclass(frozen=True, slots=True)
class Guarantee:
    """One row of docs/replay.md.

    Attributes:
        framework: whose numbers these are, as its users call it.
        versions: the releases it was compared with; of others nothing is known.
        functions: dotted names below `glorot.replay` (or `glorot.compat.v1`, written in full).
        dtypes: of the result.
        arithmetic: what the framework's machine must have for these numbers: "any", "FMA", ...
        exact: every bit equal.
        tolerance: how near, where not exact; else empty.
        seekable: a shard costs only its own part.
        cases: how many random cases (or values, as `note` says) were compared.
        note: what a user must know besides.
        backend: of Keras 3, whose numbers are others on each; else empty.
        distribution: what is drawn, in words.
    """

    framework: str
    versions: tuple[str, ...]
    functions: tuple[str, ...]
    dtypes: tuple[str, ...]
    arithmetic: str = "any"
    exact: bool = True
    tolerance: str = ""
    seekable: bool = True
    cases: int = 0
    note: str = ""
    backend: str = ""
    distribution: str = ""


def rows() -> tuple[Guarantee, ...]:
    """Every guarantee there is, framework by framework."""
    found: list[Guarantee] = []
    for package in PACKAGES:
        found += importlib.import_module(f"glorot.replay.{package}._guarantees").ROWS
    return tuple(found)


def guarantee(
    function: str | Callable[..., Any], dtype: Any = "float32", *, backend: str = ""
) -> Guarantee:
    """Return what is promised of a function of `glorot.replay`, or of `glorot.compat.v1`.

    Args:
        function: the function or class itself, or its name below `glorot.replay`, as
            "jax.random.normal"; names of `glorot.compat.v1` are given from "compat.v1." on.
        dtype: of the values.
        backend: of a function of Keras 3: "tensorflow", "jax", "torch" or "numpy".

    Returns:
        The row of docs/replay.md that speaks of it.

    Raises:
        TypeError: `function` is neither a name nor something that has one.
        ValueError: no such function, or it has no values of that dtype, or not on that backend.

    Example:
        >>> import glorot.replay
        >>> found = glorot.replay.guarantee("tensorflow.random_uniform", "bfloat16")
        >>> found.framework, found.exact, found.seekable
        ('TensorFlow', True, True)
    """
    name = function if isinstance(function, str) else _name(function)
    name = name.removeprefix("glorot.").removeprefix("replay.")
    wanted = dtype_name(parse_dtype(dtype, floating=False))
    known = [row for row in rows() if name in row.functions]
    if not known:
        raise ValueError(
            f"`function` must be a function of glorot.replay or glorot.compat.v1, got {name!r}. "
            "docs/replay.md lists them, with what each promises."
        )
    backends = dict.fromkeys(row.backend for row in known)
    if backend not in backends:
        needed = ", ".join(backends) if any(backends) else "left out"
        raise ValueError(f"`backend` of {name} must be {needed}; got {backend!r}.")
    known = [row for row in known if row.backend == backend]
    for row in known:
        if wanted in row.dtypes:
            return row
    dtypes = sorted({name for row in known for name in row.dtypes})
    raise ValueError(f"{name} has values of {', '.join(dtypes)}, not of {wanted}.")


def _name(function: Any) -> str:
    """The name a row gives a function or class; where none does, the dotted one it has itself."""
    for row in rows():
        for name in row.functions:
            if _named(name) is function:
                return name
    module, own = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not own:
        raise TypeError(
            f"`function` must be a function or class of glorot.replay, or its name, got "
            f"{show(function)}."
        )
    return f"{module}.{own}"


def _named(name: str) -> Any:
    """What a row's name is the name of."""
    path = name.split(".")
    found = importlib.import_module("glorot" if path[0] == "compat" else "glorot.replay")
    for part in path:
        found = getattr(found, part)
    return found
