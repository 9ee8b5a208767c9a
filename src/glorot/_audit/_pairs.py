# SPDX-License-Identifier: Apache-2.0
"""Pairs the parameters of two models, of two frameworks perhaps, and compares their values in
canonical order: whatever the layouts, a kernel is the same matrix."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from glorot import _check
from glorot._audit._bytes import unit
from glorot._audit._measure import Array
from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL, FLOATS
from glorot._fans import Axes, permutation
from glorot._layouts import BATCH, BOTH, GROUP, INPUT, OUTPUT, SPATIAL
from glorot.recipe._pattern import matcher, parse_pattern

# What the frameworks call the same thing, by the last part of a name.
_SYNONYMS = {
    "kernel": "weight",
    "embedding": "weight",
    "embeddings": "weight",
    "scale": "weight",
    "gamma": "weight",
    "beta": "bias",
}


def pair(
    first: list[Parameter], second: list[Parameter], names: Mapping[str, str]
) -> list[tuple[Parameter, Parameter]]:
    """Return the parameters that stand for the same one.

    Names are compared as `names` changes those of the first, then without what the frameworks
    write differently: "params/dense/kernel" and "dense.weight" are the same.

    Raises:
        ValueError: `names` names what is not there.
        AssertionError: parameters that only one of the models has.
    """
    known = {p.name for p in first}
    for name in names:
        if name not in known:
            near = _check.near(name, tuple(known))
            raise ValueError(f"`names` names {name!r}, which the first model does not have. {near}")
    there = {p.name: p for p in second}
    plain = {_plain(p.name): p for p in second}
    pairs, alone = [], []
    for parameter in first:
        wanted = names.get(parameter.name, parameter.name)
        other = there.pop(wanted, None)
        if other is None and parameter.name not in names:
            other = plain.get(_plain(wanted))
            other = there.pop(other.name, None) if other is not None else None
        if other is None:
            alone.append(wanted)
        else:
            pairs.append((parameter, other))
    if alone or there:
        raise AssertionError(_unpaired(alone, list(there)))
    return pairs


def _unpaired(first: list[str], second: list[str]) -> str:
    parts = []
    for names, whose in ((first, "first"), (second, "second")):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"only the {whose} model has {', '.join(map(repr, names[:3]))}{more}")
    return f"{'; '.join(parts)}. Say with `names` what they are called in the second model."


def _plain(name: str) -> str:
    parts = name.replace("/", ".").split(".")
    if parts[0] == "params" and len(parts) > 1:
        parts = parts[1:]
    return ".".join([*parts[:-1], _SYNONYMS.get(parts[-1], parts[-1])])


def find_layout(parameter: Parameter, layouts: Mapping[str, str]) -> str | None:
    """The layout of a parameter: what is given for its name, what its layer says, or, for a
    `kernel` of a tree, that of Keras and flax."""
    for pattern, layout in layouts.items():
        if matcher(parse_pattern(pattern))(parameter.name):
            return layout
    if parameter.spec.layout is not None:
        return parameter.spec.layout
    kernel = parameter.name.replace("/", ".").split(".")[-1] == "kernel"
    return "*IO" if kernel and len(parameter.spec.shape) >= 2 else None


def difference(
    one: Parameter, other: Parameter, layouts: Mapping[str, str], atol: float
) -> str | None:
    """Return in words how the values of two parameters differ, or None where they do not."""
    mine, theirs = find_layout(one, layouts), find_layout(other, layouts)
    canonical = mine is not None and theirs is not None
    sizes = [_sizes(p, lay) for p, lay in ((one, mine), (other, theirs))] if canonical else []
    if canonical and sizes[0] != sizes[1]:
        return (
            f"shape {one.spec.shape} as {mine} and {other.spec.shape} as {theirs} are not the same "
            "kernel: give `layouts` if one of them is another"
        )
    if not canonical and one.spec.shape != other.spec.shape:
        return (
            f"shape {one.spec.shape} and {other.spec.shape}, and no layout says how one becomes "
            "the other: give `layouts`"
        )
    values = [
        _canonical(p, lay) if canonical else _whole(p).reshape(-1)
        for p, lay in ((one, mine), (other, theirs))
    ]
    return _compare(values[0], values[1], atol)


def _compare(one: Array, other: Array, atol: float) -> str | None:
    """Floats of unlike dtypes are equal when the finer ones, rounded once, are the others; integers
    are rounded to nothing."""
    floats = one.dtype in FLOATS.values() and other.dtype in FLOATS.values()
    if floats and one.dtype != other.dtype:
        one, other = _rounded(one, other.dtype), _rounded(other, one.dtype)
    if one.dtype == other.dtype and one.tobytes() == other.tobytes():
        return None
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinities
        apart = np.abs(a - b) if floats else _exactly_apart(one, other)
    unequal = ~(apart <= atol)
    if floats:
        unequal &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    count = int(unequal.sum())
    if not count:
        return None
    at = int(unequal.argmax())
    known = apart[~np.isnan(apart)]
    most = f", by at most {known.max():.3g}" if known.size else ""
    return (
        f"{count:,} of {one.size:,} values differ{most}; the first in canonical order is "
        f"{_shown(one[at])} and {_shown(other[at])}"
    )


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values in a float dtype that holds fewer digits than theirs; in another as they are."""
    if unit(dtype) <= unit(values.dtype):
        return values
    with np.errstate(over="ignore"):
        found: Array = values.astype(dtype)
    return found


def _exactly_apart(one: Array, other: Array) -> Array:
    """How far values are apart, in float64: 0 only for equal ones, integers beyond 2**53 too."""
    (high, low), (other_high, other_low) = _halves(one), _halves(other)
    found: Array = np.abs((high - other_high) * 2.0**32 + (low - other_low))
    return found


def _halves(values: Array) -> tuple[Array, Array]:
    """A multiple of 2**32, as its factor, and the rest of the same sign, whose sum is exactly the
    value: float64 holds each of the two."""
    if values.dtype not in FLOATS.values():
        whole = values if values.dtype == np.uint64 else values.astype(np.int64)
        rest = np.fmod(whole, whole.dtype.type(1 << 32))
        return ((whole - rest) >> whole.dtype.type(32)).astype(np.float64), rest.astype(np.float64)
    wide = values.astype(np.float64)
    low: Array = np.fmod(wide, 2.0**32)
    return (wide - low) / 2.0**32, low


def _shown(value: Any) -> str:
    return f"{float(value):.9g}" if value.dtype in FLOATS.values() else f"{int(value)}"


def _sizes(parameter: Parameter, layout: str | None) -> tuple[int, ...]:
    """What must agree: batch, field, inputs, outputs; channel groups store theirs either way."""
    roles = Axes(layout=layout).roles(parameter.spec.shape)
    groups = parameter.spec.groups

    def size(letters: str) -> int:
        both = zip(parameter.spec.shape, roles, strict=True)
        return math.prod(n for n, role in both if role in letters)

    inputs, outputs = size(INPUT), size(GROUP + OUTPUT + BOTH)
    if groups > 1 and layout == "torch.conv_transpose":
        inputs, outputs = inputs // groups, outputs * groups
    return size(BATCH), size(SPATIAL), inputs, outputs


def _canonical(parameter: Parameter, layout: str | None) -> Array:
    axes = permutation(Axes(layout=layout).roles(parameter.spec.shape))
    found: Array = _whole(parameter).transpose(axes).reshape(-1)
    return found


def _whole(parameter: Parameter) -> Array:
    count = math.prod(parameter.spec.shape)
    values: Any = parameter.read(0, count)
    found: Array = np.asarray(values, ALL[parameter.spec.dtype or ""])
    return found.reshape(parameter.spec.shape)
