# SPDX-License-Identifier: Apache-2.0
"""The options of JAX that change its numbers, under JAX's own names.

As in JAX, an option has a value for the whole process (`config.update`) and may have another inside
a `with` block of this thread (`enable_x64(True)`).  JAX also reads JAX_ENABLE_X64 and the like from
the environment; here what is not asked for is not there.

One option is not JAX's: `float16_fma` says on which kind of CPU JAX drew.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

from glorot._check import show


class Option:
    """One option: `with option(value):` sets it for the block, `option.value` reads it."""

    def __init__(self, name: str, default: bool) -> None:
        self.name = name
        self.everywhere = default
        self._here: contextvars.ContextVar[bool | None] = contextvars.ContextVar(name, default=None)

    @property
    def value(self) -> bool:
        """The value in force."""
        here = self._here.get()
        return self.everywhere if here is None else here

    def check(self, value: object) -> bool:
        """`value`, if it is True or False."""
        if not isinstance(value, bool):
            raise ValueError(f"`{self.name}` must be True or False, got {show(value)}.")
        return value

    @contextlib.contextmanager
    def __call__(self, value: bool = True) -> Iterator[None]:
        """Use `value` inside of the block, in this thread."""
        token = self._here.set(self.check(value))
        try:
            yield
        finally:
            self._here.reset(token)


enable_x64 = Option("jax_enable_x64", False)
threefry_partitionable = Option("jax_threefry_partitionable", True)
float16_fma = Option("float16_fma", False)


class Config:
    """`jax.config`: reads and sets options for the whole process.

    Options:
        jax_enable_x64: False as in JAX.  True makes 64-bit seeds and float64 possible.
        jax_threefry_partitionable: True as in JAX since 0.5.0.  False gives the layout that was
            the default before: other numbers from the same key.
        float16_fma: False as on a CPU that computes float16 in float32, rounding each step.  True
            as on one with arithmetic of that dtype (AVX512-FP16: Intel's servers since Sapphire
            Rapids), where XLA fuses a product and a sum: other last bits of float16.

    Examples:
        >>> config.jax_threefry_partitionable
        True
        >>> with threefry_partitionable(False):
        ...     config.jax_threefry_partitionable
        False
    """

    def __init__(self, *options: Option) -> None:
        self._options = {option.name: option for option in options}

    def update(self, name: str, value: Any) -> None:
        """Set an option for the whole process.

        Raises:
            AttributeError: an option that the framework has and that changes no number replayed
                here, or one that it has not.
            ValueError: a value other than True and False.
        """
        if name not in self._options:
            raise AttributeError(self._unknown(name))
        option = self._options[name]
        option.everywhere = option.check(value)

    def __getattr__(self, name: str) -> bool:
        if name.startswith("_") or name not in self._options:
            raise AttributeError(self._unknown(name))
        return self._options[name].value

    def _unknown(self, name: object) -> str:
        return (
            f"Unrecognized config option: {show(name)}. A replay knows {', '.join(self._options)}: "
            "no other option changes its numbers. Leave it out."
        )


config = Config(enable_x64, threefry_partitionable, float16_fma)
