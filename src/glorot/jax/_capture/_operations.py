# SPDX-License-Identifier: Apache-2.0
"""What JAX's draws give, and what operations make of them."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from glorot._captured import _drawn
from glorot._captured._drawn import Drawn, Fixed, Given, Normal, Orthogonal, Unknown, describe
from glorot._captured._written import written
from glorot._writers import Writer
from glorot.jax import _programs
from glorot.jax._capture._seen import REPEATED, Key, Parts, Seen, Value, constant, each, unknown

_JAX = os.path.dirname(jax.__file__)

# --- draws ----------------------------------------------------------------------------------------


def draw_of(equation: Any, inputs: Sequence[Seen]) -> Value | None:
    """Return what a call of one of JAX's own functions draws, or of one of glorot's initializers;
    None where it is no such call."""
    name, inner = equation.params.get("name", ""), equation.params.get("jaxpr")
    law, writer = _LAWS.get(name), _programs.WRITERS.get(name)
    if (law or writer) is None or inner is None or len(equation.outvars) != 1:
        return None
    aval = equation.outvars[0].aval
    # A function of that name may be the user's own.
    file = str(inner.jaxpr.debug_info.func_filename)
    if writer is not None:
        return _own(writer, aval) if file == _programs.__file__ else None
    if law is None or not file.startswith(_JAX):
        return None
    values = [seen.value for seen in inputs]
    names = inner.jaxpr.debug_info.arg_names or ()  # lifted transforms leave none
    if "maxval" in names and names.index("maxval") < names.index("minval"):
        values[-2:] = values[:-3:-1]  # called by names, which are sorted
    return law(values, aval)


def _own(writer: Writer, aval: Any) -> Value:
    """What one of glorot's programs gives: all of a weight, or a block of it."""
    found = written(writer)
    if isinstance(found, Given) and found.shape != tuple(aval.shape):
        return Unknown(f"a part of {describe(found)}, or several")
    return found


def _uniform(inputs: list[Value], aval: Any) -> Value:
    match inputs[-2:]:
        case [Fixed(float(low)), Fixed(float(high))] if low <= high:
            return _drawn.uniform(low, high)
    return Unknown("uniform draws between numbers that differ")


def _normal(inputs: list[Value], aval: Any) -> Value:
    return Normal(0.0, 1.0)


def _truncated_normal(inputs: list[Value], aval: Any) -> Value:
    match inputs[-2:]:
        case [Fixed(float(low)), Fixed(float(high))] if low < high:
            return _drawn.normal(0.0, 1.0, low, high)
    return Unknown("truncated normal draws between numbers that differ")


def _orthogonal(inputs: list[Value], aval: Any) -> Value:
    if not is_real(aval):
        return Unknown("a unitary matrix")
    stack = math.prod(aval.shape[:-2])  # of `vmap`
    return Orthogonal(tuple(aval.shape[-2:]), first=False, stack=stack)


# By the names that JAX's functions have in a program. Source: JAX 0.10.2, jax/_src/random/core.py.
_LAWS: dict[str, Callable[[list[Value], Any], Value]] = {
    "_uniform": _uniform,
    "_normal_real": _normal,
    "_truncated_normal": _truncated_normal,
    "_orthogonal": _orthogonal,
}

# --- operations -----------------------------------------------------------------------------------

_SAME = {"copy", "copy_p", "device_put", "optimization_barrier", "reduce_precision",
         "sharding_constraint", "stop_gradient"}  # fmt: skip
_SHAPES = {
    "broadcast_in_dim",
    "expand_dims",
    "reshape",
    "rev",
    "slice",
    "squeeze",
    "tile",
    "transpose",
}
_JOINS = {"concatenate": "dimension", "stack": "axis"}  # and which parameter is the axis
_CALLBACKS = {"io_callback", "pure_callback"}
_KEYS = {"random_seed", "random_wrap"}
_WRITES = {"dynamic_update_slice", "scatter"}
_ARITHMETIC = {
    "abs", "add", "cbrt", "ceil", "convert_element_type", "cos", "div", "erf", "erf_inv", "erfc",
    "exp", "exp2", "expm1", "floor", "integer_pow", "log", "log1p", "max", "min", "mul", "neg",
    "nextafter", "pow", "rem", "round", "rsqrt", "sign", "sin", "sqrt", "square", "sub", "tanh",
}  # fmt: skip
_FUNCTIONS = {"erf_inv": "erfinv", "exp": "exp", "expm1": "expm1", "log": "log", "neg": "neg"}
# Of a value and a number.
_WITH: dict[str, Callable[[Drawn, float], Drawn]] = {
    "add": _drawn.plus,
    "sub": lambda value, number: _drawn.plus(value, -number),
    "mul": _drawn.times,
    "div": lambda value, number: _drawn.times(value, 1.0 / number),
    "max": lambda value, number: _drawn.clamped(value, number, None),
    "min": lambda value, number: _drawn.clamped(value, None, number),
}


def is_real(aval: Any) -> bool:
    """Return whether an array is of floats."""
    return bool(jnp.issubdtype(aval.dtype, jnp.floating))


def result_of(equation: Any, inputs: Sequence[Seen]) -> Value:
    """Return what an operation makes of what it is given."""
    name, aval = equation.primitive.name, equation.outvars[0].aval
    values = [seen.value for seen in inputs]
    hidden = next(_hidden(equation), None)
    if hidden is not None:  # no input says that its results are not fixed
        return Unknown(hidden)
    if all(isinstance(value, Fixed) for value in values):
        found: Value = _of_numbers(equation, values)
    elif name in _WRITES:
        found = _overwritten(equation, inputs)
    elif name not in (*_SHAPES, *_JOINS) and _spreads(equation, values):
        found = REPEATED
    elif name in _SAME or (name == "convert_element_type" and is_real(aval)):
        found = values[0]
    elif name in _SHAPES:
        found = _reshaped(equation, values[0])
    elif name in _JOINS:
        found = _side_by_side(equation, inputs)
    elif name in _WITH and is_real(aval):
        found = _of_two(name, *inputs)
    elif name == "clamp":
        low, middle, high = inputs
        found = _of_two("min", Seen(_of_two("max", middle, low)), high)
    elif name in _FUNCTIONS:
        found = each(values[0], lambda value: _drawn.applied(_FUNCTIONS[name], value))
    elif name != "random_bits" and aval.dtype == np.uint32 and _are_words(values):
        found = Key()
    else:
        found = unknown(name, *values)
    return found


def _hidden(equation: Any) -> Iterator[str]:
    """What an operation does, or a program inside of it, that is another thing at each run, or by a
    key of its own."""
    name = equation.primitive.name
    if name in _CALLBACKS:
        yield f"what Python computes ({name})"
    for inner in core.jaxprs_in_params(equation.params):
        for step in inner.eqns:
            if step.primitive.name in _KEYS:
                yield f"draws in {name} by a key that is made there"
            yield from _hidden(step)


def _spreads(equation: Any, values: list[Value]) -> bool:
    """Whether a draw that is one number, or few, becomes many: a scalar beside an array."""
    size = math.prod(equation.outvars[0].aval.shape)
    return any(
        not isinstance(value, Fixed | Key | Unknown) and math.prod(atom.aval.shape) < size
        for value, atom in zip(values, equation.invars, strict=True)
    )


def _share(inputs: Sequence[Seen]) -> bool:
    """Whether two of them are made of one draw."""
    return len(frozenset().union(*(seen.draws for seen in inputs))) < sum(
        len(seen.draws) for seen in inputs
    )


def _are_words(values: list[Value]) -> bool:
    return all(isinstance(value, Key | Fixed) for value in values)


def _of_numbers(equation: Any, values: list[Value]) -> Value:
    """One number of one number each, as JAX computes it; other numbers are computed at the end."""
    name = equation.primitive.name
    if name in _SAME or name in _SHAPES:
        return values[0]
    if name in _JOINS:
        return _side_by_side(equation, [Seen(value) for value in values])
    numbers = [value.value for value in values if isinstance(value, Fixed)]
    if None in numbers or name not in _ARITHMETIC:
        return Fixed()
    scalars = [
        jnp.asarray(number, atom.aval.dtype)
        for number, atom in zip(numbers, equation.invars, strict=True)
    ]
    return constant(equation.primitive.bind(*scalars, **equation.params))


def _of_two(name: str, one: Seen, other: Seen) -> Value:
    """A value and a number; or two values of one draw."""
    found: Value
    match one.value, other.value:
        case Fixed(float(number)), value if name == "sub":
            found = each(value, lambda v: _drawn.plus(_drawn.times(v, -1.0), number))
        case Fixed(float(number)), value if name != "div":
            found = each(value, lambda v: _WITH[name](v, number))
        case value, Fixed(float(number)) if number or name != "div":
            found = each(value, lambda v: _WITH[name](v, number))
        case Parts() | Key(), _:
            found = unknown(name, one.value, other.value)
        case _, Parts() | Key():
            found = unknown(name, other.value, one.value)
        case first, second if name == "add" and one.draws == other.draws:
            found = _drawn.added(first, second)
        case _:
            found = unknown(name, one.value, other.value)
    return found


def _reshaped(equation: Any, value: Value) -> Value:
    """The same values in another shape, or some of them."""
    name = equation.primitive.name
    before, after = (tuple(v.aval.shape) for v in (equation.invars[0], equation.outvars[0]))
    if isinstance(value, Key | Fixed | Unknown):
        return value
    if math.prod(after) > math.prod(before):
        return REPEATED
    turned = name == "transpose" and len(after) == 2
    moved = name == "transpose" and equation.params["permutation"][-1:] != (len(after) - 1,)
    if isinstance(value, Orthogonal) and value.stack > 1:  # of which the axes in front stay there
        turned = name == "transpose" and tuple(equation.params["permutation"]) == (0, 2, 1)
        moved = name == "transpose"
    rows = name != "slice" and (turned or (after[-1:] == before[-1:] and not moved))
    if isinstance(value, Given) or (isinstance(value, Orthogonal) and not rows):
        return Unknown(f"a part or another order of {describe(value)}")
    if isinstance(value, Parts):
        long = [[axis for axis, n in enumerate(shape) if n != 1] for shape in (before, after)]
        same = [before[axis] for axis in long[0]] == [after[axis] for axis in long[1]]
        if not same or name in ("rev", "slice", "transpose") or value.axis not in long[0]:
            return unknown("another shape", value)
        return Parts(long[1][long[0].index(value.axis)], value.parts)
    return value


def _side_by_side(equation: Any, inputs: Sequence[Seen]) -> Value:
    """The parts of one array."""
    joined = equation.primitive.name
    axis = equation.params[_JOINS[joined]]
    if _share(inputs):
        return REPEATED
    parts: list[tuple[Drawn, int]] = []
    for (value, *_), atom in zip(inputs, equation.invars, strict=True):
        if isinstance(value, Key):
            return Key()
        if isinstance(value, Parts) and (joined == "stack" or value.axis != axis):
            return Unknown("parts along several axes")
        size = 1 if joined == "stack" else atom.aval.shape[axis]
        parts += value.parts if isinstance(value, Parts) else [(value, size)]
    parts = [(part, size) for part, size in parts if size]
    laws = {part for part, _ in parts}
    if Fixed() in laws and all(isinstance(law, Fixed) for law in laws):
        return Fixed()
    if Fixed() in laws or any(isinstance(law, Unknown) for law in laws):
        return unknown("numbers beside parts", *laws)
    return _parts(axis, parts)


def _parts(axis: int, parts: list[tuple[Drawn, int]]) -> Value:
    """Parts along an axis; one value where they are all of one law, which a matrix is not."""
    merged: list[tuple[Drawn, int]] = []
    for value, size in parts:
        if merged and merged[-1][0] == value and not isinstance(value, Orthogonal | Given):
            merged[-1] = value, merged[-1][1] + size
        elif size:
            merged.append((value, size))
    return merged[0][0] if len(merged) == 1 else Parts(axis, tuple(merged))


def _overwritten(equation: Any, inputs: Sequence[Seen]) -> Value:
    """What an array holds, a part of which along one axis was written anew."""
    name, shape = equation.primitive.name, equation.invars[0].aval.shape
    values = [seen.value for seen in inputs]
    old, new = values[0], values[1 if name == "dynamic_update_slice" else 2]
    window = _window(equation, values)
    short = [axis for axis, (_, size) in enumerate(window or ()) if size < shape[axis]]
    if window is not None and not short:
        return new
    if _share(inputs):
        return REPEATED
    plain = not isinstance(new, Key | Parts | Unknown) and new != Fixed() and old != Fixed()
    if window is None or len(short) > 1 or not plain or isinstance(old, Key | Unknown):
        return unknown(name, *values)
    (axis,) = short
    begin, size = window[axis]
    if isinstance(old, Orthogonal | Given) or (isinstance(old, Parts) and old.axis != axis):
        return unknown(name, *values)
    parts: list[tuple[Drawn, int]] = (
        list(old.parts) if isinstance(old, Parts) else [(old, shape[axis])]
    )
    before, after = _cut(parts, 0, begin), _cut(parts, begin + size, shape[axis])
    if any(isinstance(value, Orthogonal | Given) for value, _ in (*before, *after)):
        return unknown(name, *values)  # which are whole no more, perhaps
    assert not isinstance(new, Key | Parts)
    return _parts(axis, [*before, (new, size), *after])


def _cut(parts: list[tuple[Drawn, int]], first: int, last: int) -> list[tuple[Drawn, int]]:
    """What lies between two places of an axis."""
    found, at = [], 0
    for value, size in parts:
        low, high = max(first, at), min(last, at + size)
        found += [(value, high - low)] if low < high else []
        at += size
    return found


def _window(equation: Any, values: list[Value]) -> list[tuple[int, int]] | None:
    """(begin, size) along each axis of the one box that is written; None where it is not known."""
    shape = equation.invars[0].aval.shape
    if equation.primitive.name == "dynamic_update_slice":
        sizes = list(equation.invars[1].aval.shape)
        places = [value.value if isinstance(value, Fixed) else None for value in values[2:]]
    else:
        numbers = equation.params["dimension_numbers"]
        at, written = equation.invars[1].aval.shape, equation.invars[2].aval.shape
        applied = equation.params["update_jaxpr"] is not None  # a function of what is there
        if applied or numbers.operand_batching_dims or math.prod(at[:-1]) != 1:
            return None
        sizes = [1 if axis in numbers.inserted_window_dims else 0 for axis in range(len(shape))]
        for axis, along in zip(
            [axis for axis, size in enumerate(sizes) if not size],
            numbers.update_window_dims,
            strict=True,
        ):
            sizes[axis] = written[along]
        place = values[1].value if isinstance(values[1], Fixed) else None
        scattered = numbers.scatter_dims_to_operand_dims
        places = [place if axis in scattered else 0.0 for axis in range(len(shape))]
    found = []
    for place, size, count in zip(places, sizes, shape, strict=True):
        if place is None or not 0 <= place <= count - size:
            return None
        found.append((int(place), size))
    return found
