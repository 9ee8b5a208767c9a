# SPDX-License-Identifier: Apache-2.0
"""What Keras has no public name for, in one place: seen in Keras 3.15.1."""

import contextlib
import functools
import random
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state, variables
from keras.src.backend.common.stateless_scope import in_stateless_scope
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.initializers.random_initializers import compute_fans
from keras.src.random.seed_generator import global_seed_generator
from keras.src.utils import naming

__all__ = [
    "arrays_as_initializers",
    "compute_fans",
    "global_seed_generator",
    "in_stateless_scope",
    "in_symbolic_scope",
    "initializer_of",
    "kept_seeds",
    "own_parameters",
    "own_seeds",
    "own_state",
    "parts",
    "set_value",
    "spec_of",
    "to_snake_case",
    "torch_device",
    "value_of",
    "valueless_variables",
]


@functools.lru_cache(maxsize=1024)
def to_snake_case(name: str) -> str:
    """The name that Keras makes of a class's."""
    return str(naming.to_snake_case(name))


def parts(layer: Any) -> list[Any]:
    """The layers directly in a layer, in the order they were set."""
    return list(layer._layers)


def own_parameters(layer: Any) -> list[Any]:
    """The variables that the layer itself made to be trained, frozen since or not."""
    return [each for each in layer._trainable_variables if not _is_overwritten(each)]


def own_state(layer: Any) -> list[Any]:
    """The variables that the layer itself made for anything else: moving averages, counters, the
    scales of float8."""
    overwritten = [each for each in layer._trainable_variables if _is_overwritten(each)]
    return [*overwritten, *layer._non_trainable_variables]


def _is_overwritten(variable: Any) -> bool:
    """Whether the gradient is the next value itself: Keras calls such a scale trainable so that the
    optimizer sees it."""
    return getattr(variable, "overwrite_with_gradient", False) is True


def own_seeds(layer: Any) -> Iterator[Any]:
    """The variables of the layer's seed generators."""
    return (generator.state for generator in layer._seed_generators)


def spec_of(variable: Any) -> tuple[tuple[int, ...], str]:
    """A variable's shape and dtype as it holds them; `shape` on TensorFlow and `dtype` make them
    anew each time, and an autocast scope around the call changes what `dtype` says."""
    return tuple(variable._shape), variable._dtype


def set_value(variable: Any, tensor: Any) -> None:
    """`assign` for a tensor of the backend that has the variable's shape and dtype."""
    variable._direct_assign(tensor)


def value_of(variable: Any) -> Any:
    """The backend's own tensor or variable, None before there is one."""
    return variable._value


def initializer_of(variable: Any) -> Any:
    """What a variable that was made without a value would get it from; None of others."""
    return variable._initializer if variable._value is None else None


@contextlib.contextmanager
def arrays_as_initializers() -> Iterator[None]:
    """Let variables be made of arrays where Keras takes initializers alone, as in a StatelessScope:
    of what gives the array."""
    base: Any = getattr(variables, "Variable", None) or variables.KerasVariable  # before Keras 3.7
    made = base.__init__

    @functools.wraps(made)
    def init(
        self: Any, initializer: Any, shape: Any = None, dtype: Any = None, *args: Any, **named: Any
    ) -> None:
        if not callable(initializer) and not isinstance(initializer, str):
            value = self._convert_to_tensor(initializer, dtype=dtype)
            shape, dtype = tuple(value.shape), dtype or value.dtype

            def initializer(shape: Any, dtype: Any = None) -> Any:
                return value

            initializer.__qualname__ = "an array"  # which errors name

        made(self, initializer, shape, dtype, *args, **named)

    base.__init__ = init
    try:
        yield
    finally:
        base.__init__ = made


@contextlib.contextmanager
def valueless_variables() -> Iterator[None]:
    """Let Keras forget, afterwards, which variables made meanwhile still wait for their values."""
    waiting = "uninitialized_variables"
    before = list(global_state.get_global_attribute(waiting) or [])
    try:
        yield
    finally:
        global_state.set_global_attribute(waiting, before)


@contextlib.contextmanager
def kept_seeds() -> Iterator[None]:
    """Give Keras' global generator, and Python's that it takes seeds of, their states back."""
    name, python = "global_seed_generator", random.getstate()
    generator = global_state.get_global_attribute(name)
    state = None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()
    try:
        yield
    finally:
        if generator is not None:
            generator.state.assign(state)
        global_state.set_global_attribute(name, generator)
        random.setstate(python)


def torch_device() -> Any:
    """The device that Keras puts torch tensors on."""
    from keras.src.backend.torch.core import get_device

    return get_device()
