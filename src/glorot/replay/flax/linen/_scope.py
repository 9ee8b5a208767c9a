# SPDX-License-Identifier: Apache-2.0
"""From a root key to the key of each parameter: module names and a counter, hashed and folded in.

    key of a parameter = fold_in(root, first 4 bytes of SHA-1(names of the modules, count))

`count` says that it is the module's count-th parameter, from 1.

Source: flax/core/scope.py (LazyRng, Scope.push, Scope.make_rng), 0.12.8.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from glorot._check import show
from glorot.replay.flax._config import fix_rng_separator
from glorot.replay.jax import random
from glorot.replay.jax._draw import Array
from glorot.replay.jax.nn.initializers import Initializer

Path = tuple[str, ...]


def parse_path(path: Any) -> Path:
    """Module names, root first, from a sequence or from "encoder/Dense_0"."""
    names = tuple(path.split("/") if path else ()) if isinstance(path, str) else tuple(path)
    if not all(isinstance(name, str) and name for name in names):
        raise TypeError(
            f"`path` must hold the names of modules, as ('encoder', 'Dense_0'), got {show(path)}."
        )
    return names


def param_key(key: Any, path: str | Sequence[str] = (), count: int = 1) -> Any:
    """Return the key with which flax.linen draws a parameter.

    Args:
        key: given to the model's `init`.
        path: the names of the modules from the root to the one that holds the parameter, as a
            sequence or joined by "/"; empty for the root itself.
        count: that it is the module's first, second, ... parameter, in the order in which the
            module makes them (most make the kernel first); its own calls of `make_rng("params")`
            count as parameters.

    Returns:
        A key, typed or raw as `key` is.

    Raises:
        TypeError: `path` holds something else than names.
        ValueError: `count` is no integer from 1 on.

    Replays flax 0.12.8 with JAX 0.10.2: exact.

    Example:
        >>> from glorot.replay import flax, jax
        >>> key = flax.linen.param_key(jax.random.key(0), "encoder/Dense_0")
        >>> params = flax.linen.Dense(4).init(jax.random.key(0), (1, 3), path="encoder/Dense_0")
        >>> kernel = jax.nn.initializers.lecun_normal()(key, (3, 4))
        >>> bool((kernel == params["params"]["kernel"]).all())
        True
    """
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"`count` must be 1 for a module's first parameter, got {show(count)}.")
    digest = hashlib.sha1(usedforsecurity=False)
    count_bytes = count.to_bytes((count.bit_length() + 7) // 8, "big")
    for part in [*(name.encode() for name in parse_path(path)), count_bytes]:
        if fix_rng_separator.value:
            digest.update(b"\0")
        digest.update(part)
    return random.fold_in(key, int.from_bytes(digest.digest()[:4], "big"))


class Scope:
    """A module's place in the tree: counts its parameters, and collects them."""

    def __init__(self, key: Any, path: Path) -> None:
        self.key, self.path = key, path
        self.count = 0
        self.params: dict[str, Any] = {}

    def param(self, name: str, init: Initializer, shape: Sequence[int], dtype: Any) -> Array:
        """Make the next parameter."""
        self.count += 1
        self.params[name] = init(param_key(self.key, self.path, self.count), tuple(shape), dtype)
        return self.params[name]  # type: ignore[no-any-return]

    def child(self, name: str) -> "Scope":
        """The place of a module inside this one."""
        scope = Scope(self.key, (*self.path, name))
        self.params[name] = scope.params
        return scope


def root_key(rngs: Any) -> Any:
    """The key of the "params" stream of what `init` is given."""
    if isinstance(rngs, Mapping):
        if "params" not in rngs:
            raise ValueError(f"`rngs` needs a PRNG for 'params', got {sorted(rngs)}.")
        return rngs["params"]
    return rngs
