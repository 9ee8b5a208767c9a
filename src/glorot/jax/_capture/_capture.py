# SPDX-License-Identifier: Apache-2.0
"""A recipe of what a model's own code does in JAX: it is traced, and the trace is read."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from glorot import _check
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._captured._drawn import Fixed
from glorot._captured._initializers import initializer_of
from glorot._captured._numbers import proportions
from glorot._captured._others import drawn_by_others, is_table
from glorot._captured._recipe import given_rules, recipe_of
from glorot.jax._capture._built import built
from glorot.jax._capture._program import outputs
from glorot.jax._capture._seen import Key, Parts, Value
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._coverage import match
from glorot.sources._frameworks import said
from glorot.sources._models import is_model


def capture(
    build: Callable[[], Any], *, rules: Iterable[Rule] | Recipe = (), leave_out: bool = False
) -> Recipe:
    """Return a recipe of the laws by which a model's own code gives its arrays values.

    `build` is traced, not run: nothing is drawn, and there is no memory. Of what JAX would draw,
    the law is taken, through factors, shifts, cuts, changes of shape, `vmap` and `scan`. Filled by
    the recipe, the model has the same laws, by this library's streams: the same in every shard.

    Args:
        build: returns a flax.nnx or Equinox module, (a flax.linen module, its example inputs), or
            a tree of arrays, such as `lambda: net.init(jax.random.key(0), x)`. It makes its own
            keys, `nnx.Rngs` too.
        rules: come first, with the variables of a recipe; what they are for is not captured.
        leave_out: whether an array whose values no initializer has gets a rule that leaves it out.

    Returns:
        A recipe whose rules are patterns over names, those of `glorot.jax.init`. Numbers that
        follow from a layer's fans are said by the fans; others are those of this model.

    Raises:
        ValueError: an array whose values no initializer has; the error says which, and why. Code
            that cannot be traced.
        TypeError: `build` is no function, or returns something else.

    Examples:
        >>> import glorot.jax, jax, jax.numpy as jnp
        >>> def build():
        ...     one, other = jax.random.split(jax.random.key(0))
        ...     up = jax.nn.initializers.he_normal()(one, (64, 256))
        ...     down = 0.02 * jax.random.normal(other, (256, 64))
        ...     return {"up": up, "down": down, "scale": jnp.ones(64)}
        >>> recipe = glorot.jax.capture(build)
        >>> [(a.name, a.law) for a in recipe.resolve(glorot.jax.shapes(jax.eval_shape(build)))]
        [('down', 'N(0, 0.02)'), ('scale', 'Ones'), ('up', 'TN(0, 0.201, ±2)')]
    """
    rules, variables = given_rules(rules)
    if not callable(build) or is_model(build):
        raise TypeError(
            "`build` must be a function that returns the model: its code is traced. "
            f"Got {_check.show(build)}."
        )
    model = built(build)
    names: list[str] = []

    def arrays(*inputs: Any) -> list[Any]:
        found = model.again(*inputs)
        names[:] = list(found)
        return list(found.values())

    before = drawn_by_others()
    try:
        closed = jax.make_jaxpr(arrays)(*model.inputs)
    except Exception as error:
        if not _is_of_tracing(error):
            raise
        raise ValueError(
            f"`build` cannot be traced ({said(error)}). It must make its own keys and nnx.Rngs, "
            "and not look at what it draws."
        ) from None
    given = match(rules, model.specs).rules if rules else {}
    wanted = {name: spec for name, spec in model.specs.items() if name not in given}
    found, left = _found(closed, names, wanted)
    if drawn_by_others() != before or any(map(is_table, found.values())):
        # As another function, since JAX keeps what it has traced of one.
        closed = jax.make_jaxpr(functools.partial(arrays))(*model.inputs)
        again, _ = _found(closed, names, wanted)
        for name, init in found.items():
            if init is not None and again.get(name) != init:
                left[name] = f"{init}, and {again.get(name)} when it ran again"
                found[name] = None
    return recipe_of(
        found,
        model.specs,
        left,
        source=f"the code of {model.what}, as it was traced",
        rules=rules,
        optional=model.state,  # which is often given apart
        variables=variables,
        leave_out=leave_out,
        own=(1.0, "fan_in"),  # LeCun's
        said_by_shapes=True,
    )


def _found(
    closed: Any, names: list[str], specs: Mapping[str, TensorSpec]
) -> tuple[dict[str, Initializer | None], dict[str, str]]:
    """What gives each array its values; None where nothing does, and why."""
    values = dict(zip(names, outputs(closed), strict=True))
    found: dict[str, Initializer | None] = {}
    left: dict[str, str] = {}
    for name, spec in specs.items():
        if name not in values:  # a number of Python's is none of its arrays
            continue
        try:
            init = _initializer(values[name], spec.shape, _numbers(closed, names.index(name)))
            Recipe([Rule("*", init)]).resolve({name: spec})  # of the layer's axes too
            found[name] = init
        except ValueError as error:
            found[name], left[name] = None, str(error)
    return found, left


def _is_of_tracing(error: Exception) -> bool:
    """Whether JAX or flax refuse to trace the code."""
    flax = type(error).__name__ == "TraceContextError"
    return flax or isinstance(error, jax.errors.JAXTypeError | jax.errors.UnexpectedTracerError)


def _numbers(closed: Any, index: int) -> Callable[[], Any]:
    """What computes the numbers of one output, which no input of the program changes."""

    def numbers() -> Any:
        inputs = [jnp.zeros(aval.shape, aval.dtype) for aval in closed.in_avals]
        return np.asarray(jax.jit(lambda: core.jaxpr_as_fun(closed)(*inputs)[index])())

    return numbers


def _initializer(value: Value, shape: tuple[int, ...], numbers: Callable[[], Any]) -> Initializer:
    """What gives an array such values.

    Raises:
        ValueError: nothing here does; why.
    """
    if isinstance(value, Key):
        raise ValueError("words of a key")
    if isinstance(value, Parts):
        made = [
            initializer_of(part, (*shape[: value.axis], size, *shape[value.axis + 1 :]), None)
            for part, size in value.parts
        ]
        return Blocks(made, proportions([size for _, size in value.parts]), axis=value.axis)
    known = numbers() if value == Fixed() else None
    return initializer_of(value, shape, known)
