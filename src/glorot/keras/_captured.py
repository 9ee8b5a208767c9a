# SPDX-License-Identifier: Apache-2.0
"""The initializer that has the law of a Keras initializer, for a weight of known axes."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

import glorot
from glorot import _base
from glorot._captured import _drawn
from glorot._captured._initializers import initializer_of
from glorot.keras import _private
from glorot.keras._base import Initializer
from glorot.keras._tensors import Array, to_numpy
from glorot.recipe import Recipe, Rule, TensorSpec

_SCHEMES = {
    (1.0, "fan_avg", "uniform"): glorot.GlorotUniform,
    (1.0, "fan_avg", "truncated_normal"): glorot.GlorotNormal,
    (2.0, "fan_in", "uniform"): glorot.HeUniform,
    (2.0, "fan_in", "truncated_normal"): glorot.HeNormal,
    (1.0, "fan_in", "uniform"): glorot.LecunUniform,
    (1.0, "fan_in", "truncated_normal"): glorot.LecunNormal,
}
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def laws_of(init: Any, spec: TensorSpec) -> list[_base.Initializer]:
    """Return the law by which a Keras initializer gives a weight its values: the ways to say it,
    the plainest first.

    Raises:
        ValueError: no initializer here does; why.
    """
    call = _call(type(init))
    if call is Initializer.__call__:
        own = init._for(spec.shape)
        own = own.replace(dtype="float32", **({"seed": None} if own.random else {}))
        return _as_drawn(own, lambda shape: own, (), spec)
    if call is _KERAS.VarianceScaling.__call__:
        return _by_fans(init, spec)
    if call is _KERAS.Orthogonal.__call__ and init.gain:
        matrix = glorot.Orthogonal(abs(float(init.gain)))
        return _as_drawn(matrix, lambda shape: matrix, (), spec)
    return [_without_fans(init, call, spec) or _called(init, spec)]


def _without_fans(init: Any, call: Any, spec: TensorSpec) -> _base.Initializer | None:
    if call in _DRAWN:
        return initializer_of(_DRAWN[call](init), spec.shape, None)
    if call is _KERAS.Constant.__call__ and isinstance(init.value, (int, float, np.generic)):
        return initializer_of(_drawn.Fixed(), spec.shape, np.asarray(init.value))
    return glorot.Identity(float(init.gain)) if call is _KERAS.Identity.__call__ else None


def _call(cls: Any) -> Any:
    """What a class does when it is called; subclasses may change the options alone."""
    return cls.__call__


def _uniform(init: Any) -> _drawn.Drawn:
    low, high = init.minval, init.maxval
    if low > high and keras.backend.backend() == "jax":
        raise ValueError(f"RandomUniform({low}, {high}), which is {low} everywhere on JAX")
    return _drawn.uniform(*sorted((low, high)))


def _truncated(init: Any) -> _drawn.Drawn:
    mean, stddev = init.mean, abs(init.stddev)
    return _drawn.normal(mean, stddev, mean - 2 * stddev, mean + 2 * stddev)


_KERAS = keras.initializers
_DRAWN: dict[Any, Callable[[Any], _drawn.Drawn]] = {
    _KERAS.Zeros.__call__: lambda init: _drawn.Fixed(0.0),
    _KERAS.Ones.__call__: lambda init: _drawn.Fixed(1.0),
    _KERAS.RandomUniform.__call__: _uniform,
    _KERAS.RandomNormal.__call__: lambda init: _drawn.normal(init.mean, abs(init.stddev)),
    _KERAS.TruncatedNormal.__call__: _truncated,
}


def numbers_law(numbers: Array) -> _base.Initializer:
    """Return what gives known numbers: a constant, a table, or parts of them along an axis.

    Raises:
        ValueError: nothing here does; why.
    """
    if numbers.dtype.kind not in "iub" and numbers.dtype != np.float64:
        numbers = numbers.astype(np.float32)  # what NumPy does not know
    return initializer_of(_drawn.Fixed(), numbers.shape, numbers)


def _called(init: Any, spec: TensorSpec) -> _base.Initializer:
    """What gives the numbers that a function returns."""
    name = getattr(init, "__qualname__", None) or type(init).__qualname__
    # Nothing that it may look at has a value: a seed generator of the model's, above all.
    with keras.StatelessScope(), _private.valueless_variables():
        one, other = (
            to_numpy(keras.ops.convert_to_tensor(init(spec.shape, dtype=spec.dtype), spec.dtype))
            for _ in range(2)
        )
    if one.shape != spec.shape:
        raise ValueError(f"{name} gives numbers of shape {one.shape}")
    if one.tobytes() != other.tobytes():
        raise ValueError(f"{name} draws other numbers at each call, by a law that it does not say")
    try:
        return numbers_law(one)
    except ValueError as error:
        raise ValueError(f"{name} gives {error}") from None


def _by_fans(init: Any, spec: TensorSpec) -> list[_base.Initializer]:
    """Keras' law by the fans that Keras counts, which are those of the shape and not the layer's
    but where a layer says the axes."""
    inner, outer = getattr(init, "input_axes", None), getattr(init, "output_axes", None)
    axes = {} if inner is None or outer is None else {"input_axes": inner, "output_axes": outer}
    known = (init.scale, init.mode, init.distribution)
    plain = _SCHEMES[known]() if known in _SCHEMES else glorot.VarianceScaling(*known)

    def drawn(shape: tuple[int, ...]) -> _base.Initializer:
        fan_in, fan_out = _private.compute_fans(shape, **axes)
        return plain.replace(fan_in=fan_in, fan_out=fan_out)

    ways: list[dict[str, Any]] = []
    if axes:
        ndim = len(spec.shape)
        said = {key: tuple(axis % ndim for axis in each) for key, each in axes.items()}
        rest = set(range(ndim)) - {*said["input_axes"], *said["output_axes"]}
        ways.append({**said, "batch_axes": tuple(sorted(rest))})
    return _as_drawn(plain, drawn, ways, spec)


def _as_drawn(
    init: Any,
    drawn: Callable[[tuple[int, ...]], _base.Initializer],
    ways: Any,
    spec: TensorSpec,
) -> list[_base.Initializer]:
    """The initializer, with the axes said where it would otherwise draw by another number: of the
    layer's axes, or where nobody knows the layer. Those that do so for this shape alone are not
    among the ways where others are.

    Args:
        init: with no axes said.
        drawn: what gives a weight of a shape its values.
        ways: options that say the axes.
        spec: of the weight.
    """
    if not init.random or "layout" not in init.axes_options:
        return [init]
    options: list[dict[str, Any]] = [{}, {"layout": "*IO"}, *ways]
    if isinstance(init, glorot.VarianceScaling):
        fans = drawn(spec.shape).fans(spec.shape)
        options.append(dict(zip(("fan_in", "fan_out"), fans, strict=True)))
    # Of another shape too, so that it is no coincidence of this one.
    other = tuple(prime * spec.groups for prime in _PRIMES[: len(spec.shape)])
    for shapes in ((spec.shape, other), (spec.shape,)):
        laws = [init.replace(**said) if said else init for said in options]
        found = [law for law in laws if all(_agree(law, drawn(s), spec, s) for s in shapes)]
        if found:
            return found
    raise ValueError(f"{init} for other axes than those of {spec.shape} here")


def _agree(
    init: _base.Initializer, drawn: _base.Initializer, spec: TensorSpec, shape: tuple[int, ...]
) -> bool:
    """Whether a rule gives a weight these values, whether or not its layer is known; gates that
    it has fused are one draw."""
    rules = Recipe([Rule("*", init, blocks=None if spec.blocks is None else 1)])
    known = dataclasses.replace(spec, shape=shape)
    return all(_same(found, drawn, shape) for found in _resolved(rules, (known, TensorSpec(shape))))


def _resolved(rules: Recipe, specs: tuple[TensorSpec, ...]) -> Iterator[_base.Initializer | None]:
    for spec in specs:
        try:
            (found,) = rules.resolve({"weight": spec})
        except ValueError:  # axes that the shape does not have
            yield None
        else:
            yield found.initializer


def _same(one: _base.Initializer | None, other: _base.Initializer, shape: tuple[int, ...]) -> bool:
    if one is None:
        return False
    laws = one.law(shape), other.law(shape)
    if laws != (None, None):
        return laws[0] == laws[1]
    return bool((one(shape, seed=0) == other(shape, seed=0)).all())
