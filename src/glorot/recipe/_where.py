# SPDX-License-Identifier: Apache-2.0
"""Conditions of a rule on more than the name: ndim, shape, dtype, module type, tags."""

import fnmatch
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glorot import _check
from glorot.recipe._shapes import TensorSpec
from glorot.recipe._template import CONDITIONS

ANY = "*"


@dataclass(frozen=True, slots=True)
class Where:
    """What a parameter must be besides its name; each condition that is given must hold.

    Args:
        ndim: how many axes, one number or several of which one must fit.
        shape: a size or "*" an axis.
        dtype: a glob over the dtype's name, or several: "float32", "*float*". A parameter of which
            nobody says the dtype counts as float32.
        type: a glob over the module's or layer's type, or several: "Linear", "*Norm". Whoever
            lists the parameters says it: adapters, or "type" in a shapes file.
        tag: a glob that one of the parameter's tags must match, or several. They too are said by
            whoever lists the parameters.

    Examples:
        >>> from glorot.recipe import TensorSpec
        >>> Where(ndim=[3, 4], type="Conv*").holds(TensorSpec((8, 4, 3), type="Conv1d"))
        True
    """

    ndim: tuple[int, ...] = ()
    shape: tuple[int | str, ...] | None = None
    dtype: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()

    def __init__(
        self, *, ndim: Any = None, shape: Any = None, dtype: Any = None, type: Any = None,
        tag: Any = None,
    ) -> None:  # fmt: skip
        found: dict[str, Any] = {
            "ndim": _numbers("ndim", ndim),
            "shape": None if shape is None else _sizes(shape),
            "dtype": _globs("dtype", dtype),
            "type": _globs("type", type),
            "tag": _globs("tag", tag),
        }
        if shape is None and not any(found.values()):
            raise ValueError(f"`where` must hold a condition; there are {', '.join(CONDITIONS)}.")
        for key, value in found.items():
            object.__setattr__(self, key, value)

    def holds(self, spec: TensorSpec) -> bool:
        """Return whether all conditions hold for a parameter."""
        if self.ndim and len(spec.shape) not in self.ndim:
            return False
        if self.shape is not None and not (
            len(self.shape) == len(spec.shape)
            and all(a in (ANY, b) for a, b in zip(self.shape, spec.shape, strict=True))
        ):
            return False
        return (
            _fits(self.dtype, [spec.dtype or "float32"])
            and _fits(self.type, [spec.type])
            and _fits(self.tag, spec.tags)
        )

    def config(self) -> dict[str, Any]:
        """Return the conditions as JSON can hold them."""
        found = {key: getattr(self, key) for key in CONDITIONS}
        return {
            key: list(value) if len(value) != 1 or key == "shape" else value[0]
            for key, value in found.items()
            if value or (key == "shape" and value is not None)
        }

    def __str__(self) -> str:
        return ", ".join(f"{key}={value!r}" for key, value in self.config().items())


def parse_where(where: Any) -> Where | None:
    """Return the conditions that `where` holds: None, a `Where`, or a dict of them."""
    if where is None or isinstance(where, Where):
        return where
    if not isinstance(where, Mapping):
        raise TypeError(
            "`where` must be a dict of conditions, such as {'ndim': 2, 'type': 'Linear'}; got "
            f"{_check.show(where)}."
        )
    unknown = [key for key in where if key not in CONDITIONS]
    if unknown:
        raise ValueError(
            f"`where` has the unknown condition {_check.show(unknown[0])}. There are "
            f"{', '.join(CONDITIONS)}."
        )
    return Where(**where)


def _fits(globs: tuple[str, ...], values: Iterable[str]) -> bool:
    return not globs or any(fnmatch.fnmatchcase(v, glob) for v in values for glob in globs)


def _listed(value: Any) -> list[Any]:
    alone = isinstance(value, (str, Mapping)) or not isinstance(value, Iterable)
    return [value] if alone else list(value)


def _numbers(argument: str, value: Any) -> tuple[int, ...]:
    found = [] if value is None else _listed(value)
    for number in found:
        if not _is_size(number):
            raise TypeError(
                f"`{argument}` in `where` must be a number of axes, or several; got "
                f"{_check.show(value)}."
            )
    return _some(argument, value, [*map(int, found)])


def _globs(argument: str, value: Any) -> tuple[str, ...]:
    found = [] if value is None else _listed(value)
    for glob in found:
        if not isinstance(glob, str) or not glob:
            raise TypeError(
                f"`{argument}` in `where` must be a name or glob, or several; got "
                f"{_check.show(value)}."
            )
    return _some(argument, value, found)


def _some(argument: str, value: Any, found: list[Any]) -> tuple[Any, ...]:
    """The choices of a condition; none at all would hold for nothing, or look as if not said."""
    if value is not None and not found:
        raise ValueError(f"`{argument}` in `where` must name at least one, got none.")
    return tuple(found)


def _sizes(shape: Any) -> tuple[int | str, ...]:
    found = _listed(shape)
    for size in found:
        if not _is_size(size) and size != ANY:
            raise TypeError(
                "`shape` in `where` must hold a size or '*' for each axis, got "
                f"{_check.show(shape)}."
            )
    return tuple(size if size == ANY else int(size) for size in found)


def _is_size(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 0
