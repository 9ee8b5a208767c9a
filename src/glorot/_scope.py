# SPDX-License-Identifier: Apache-2.0
"""Scopes hand out full names, each once, so that no two weights share their random words."""

import threading
from typing import Any

from glorot import _registry
from glorot._stream import check_name, check_seed
from glorot._writers import Array

# One for all scopes, which so stay plain values that can be copied and pickled.
_TAKING = threading.Lock()


class Scope:
    """One seed, and the names of the weights drawn from it.

    Equal seed and name give equal words, so two weights of one name would repeat each other: a
    scope refuses a name used twice.  `scope / "encoder"` is the scope of the names under
    "encoder."; it shares the seed and the record of names.

    Args:
        seed: of every weight, 0 <= seed < 2**64; it wins over the initializers' own.
        prefix: of every name.

    Examples:
        >>> import glorot
        >>> scope = glorot.Scope(42)
        >>> init = glorot.GlorotUniform()
        >>> encoder = scope / "encoder"
        >>> w = encoder("kernel", init, (784, 256))
        >>> bool((w == init((784, 256), seed=42, name="encoder.kernel")).all())
        True
        >>> scope("encoder.kernel", init, (784, 256))
        Traceback (most recent call last):
        ValueError: the name 'encoder.kernel' is used already; ...
    """

    def __init__(self, seed: int, prefix: str = "") -> None:
        self.seed = check_seed(seed)
        self.prefix = check_name(prefix)
        self._used: set[str] = set()

    def __repr__(self) -> str:
        return f"Scope({self.seed}" + (f", {self.prefix!r})" if self.prefix else ")")

    def __truediv__(self, name: str) -> "Scope":
        child = Scope(self.seed, self.name(name))
        child._used = self._used
        return child

    def name(self, name: str) -> str:
        """Return the full name of `name` in this scope, without taking it."""
        if not check_name(name):
            raise ValueError("`name` must not be empty.")
        return f"{self.prefix}.{name}" if self.prefix else name

    def take(self, name: str) -> str:
        """Return the full name of `name` and refuse it from now on: for weights made elsewhere.

        Examples:
            >>> import glorot
            >>> (glorot.Scope(42) / "decoder" / "0").take("bias")
            'decoder.0.bias'
        """
        full = self.name(name)
        with _TAKING:
            if full not in self._used:
                self._used.add(full)
                return full
        raise ValueError(
            f"the name {full!r} is used already; a second weight of that name would repeat "
            'the first. Give it another, or open a scope for its layer: scope / "layer".'
        )

    def __call__(self, name: str, initializer: Any, shape: Any, **options: Any) -> Array:
        """Return `initializer(shape, **options)` under this scope's seed and the full name.

        Args:
            name: of the weight in this scope; a call that fails gives it back.
            initializer: an initializer, or a class, name or dict that `glorot.get` reads.
            shape: of the whole weight.
            options: `dtype`, `partition_info`, `shard`, `out`, as initializers take them.
        """
        elsewhere = " For a weight made elsewhere take its name: scope.take(name)."
        found = _registry.get_ours(initializer, otherwise=elsewhere)
        twice = sorted({"seed", "name"} & set(options))
        if twice:
            raise TypeError(f"`{twice[0]}` is the scope's to give. Leave it out.")
        full = self.take(name)
        try:
            return found(shape, seed=self.seed, name=full, **options)
        except BaseException:
            self._used.discard(full)
            raise
