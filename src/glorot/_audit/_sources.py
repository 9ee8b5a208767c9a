# SPDX-License-Identifier: Apache-2.0
"""Where parameters come from: a checkpoint's path, a tree of arrays, a model of a framework.

No framework is imported here: a model of one that is not loaded cannot have been passed.
"""

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from glorot import _check
from glorot._audit._checkpoint import read_checkpoint
from glorot._audit._models import Weight, weights
from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL
from glorot._loaded import is_a
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._file_checks import told_shapes
from glorot.recipe import Recipe, TensorSpec, parse_shapes
from glorot.recipe._shapes import said_of

Array = np.ndarray[Any, np.dtype[Any]]


class Model(NamedTuple):
    """The parameters of a model, in its own order, and what is to be said of where they were."""

    parameters: list[Parameter]
    notes: tuple[str, ...] = ()


def read_model(model: Any, specs: Any = None) -> Model:
    """Return the parameters of whatever `model` is, with what `specs` says of them.

    Raises:
        TypeError: nothing that holds parameters; an array whose dtype is not supported.
        ValueError: no parameters, or two of one name; parameters without values; a malformed
            checkpoint; specs of another model.
        OSError: a checkpoint that cannot be read.
    """
    notes: tuple[str, ...] = ()
    if isinstance(model, (str, os.PathLike)):
        found, notes = read_checkpoint(_check.path("model", model))
    elif (held := weights(model)) is not None:
        found = [parameter for weight in held for parameter in _of_weight(weight)]
    else:
        found, notes = _of_tree(model)
    if not found:
        raise ValueError("`model` holds no parameters: there is nothing to audit.")
    return Model(found if specs is None else _with_specs(found, specs), notes)


def shapes_beside(model: Any, recipe: Recipe) -> dict[str, TensorSpec]:
    """Return what the manifest of a checkpoint says of the whole model, where it is of this recipe
    and the files do not say it."""
    if not isinstance(model, (str, os.PathLike)):
        return {}
    place = _check.path("model", model)
    return told_shapes(place.parent if place.name == METADATA else place, recipe) or {}


def _with_specs(found: list[Parameter], specs: Any) -> list[Parameter]:
    said = said_of(specs, "model", {p.name: p.spec for p in found})
    return [dataclasses.replace(p, spec=said.get(p.name, p.spec)) for p in found]


# --- arrays --------------------------------------------------------------------------------------


def parameter(name: str, value: Any, **extras: Any) -> Parameter:
    """Return the parameter that an array of any framework is.

    Raises:
        TypeError: its dtype is not supported.
        ValueError: it has no values yet.
    """
    if is_a(value, "torch", "Tensor"):
        return _torch_parameter(name, value, extras)
    if not isinstance(value, np.ndarray):
        value = value.numpy() if hasattr(value, "numpy") else _as_numpy(name, value)
    array = np.asarray(value)
    spec = parse_shapes({name: {"shape": array.shape, "dtype": array.dtype, **extras}})[name]
    flat = array.reshape(-1) if array.flags.c_contiguous else array.flat

    def read(start: int, stop: int) -> Array:
        values: Array = flat[start:stop]
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))

    address = array.__array_interface__["data"][0]
    memory = (address, array.shape, array.strides) if array.size else None
    return Parameter(name, spec, read, memory)


def _as_numpy(name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except Exception as error:
        raise ValueError(
            f"{name!r} has no values that can be read ({' '.join(str(error).split())[:200]}). "
            "Materialise it, or gather it on this process, first."
        ) from None


def _torch_parameter(name: str, tensor: Any, extras: dict[str, Any]) -> Parameter:
    torch = sys.modules["torch"]
    if hasattr(tensor, "full_tensor"):  # a DTensor: the whole is wanted, on every rank
        tensor = tensor.full_tensor()
    shape = tuple(tensor.shape)
    try:
        _check_torch(torch, name, tensor)
        spec = parse_shapes({name: {"shape": shape, "dtype": tensor.dtype, **extras}})[name]
    except TypeError as error:
        return Parameter(name, TensorSpec(shape, **extras), _unread, refused=error)
    tensor = tensor.detach()
    dtype = ALL[spec.dtype or ""]
    memory = (tensor.data_ptr(), shape, tensor.stride()) if tensor.numel() else None
    if tensor.device.type != "cpu":
        carrier = {1: torch.uint8, 2: torch.int16}.get(tensor.element_size())
        small = carrier is not None and tensor.is_floating_point()
        flat = (tensor.view(carrier) if small else tensor).reshape(-1)
        return Parameter(name, spec, lambda i, j: flat[i:j].cpu().numpy().view(dtype), memory)
    from glorot.torch._memory import view

    array = view(tensor.resolve_neg(), repr(name))
    flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
    return Parameter(name, spec, lambda i, j: flat[i:j].view(dtype), memory)


def _unread(start: int, stop: int) -> Array:
    raise AssertionError


def _check_torch(torch: Any, name: str, tensor: Any) -> None:
    """Refuse a tensor without values, or whose values are not in its own memory."""
    if tensor.is_meta:
        raise ValueError(
            f"{name!r} is on the meta device and has no values. Materialise the model first."
        )
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        raise TypeError(
            f"{name!r} is a {type(tensor).__name__}, which has no values, or keeps them in other "
            "tensors. Audit plain tensors."
        )
    if tensor.layout is not torch.strided:
        raise TypeError(
            f"{name!r} must be dense, got the layout {tensor.layout}. Audit tensor.to_dense()."
        )
    if tensor.numel() and not tensor.untyped_storage().nbytes():
        raise ValueError(
            f"{name!r} has had its memory taken away (its storage has 0 bytes), as sharding "
            "wrappers do between steps. Audit it while its values are there."
        )


def _of_weight(weight: Weight) -> Iterator[Parameter]:
    """A parameter for each name of a weight; several have the same memory."""
    first = parameter(weight.names[0], weight.value, **weight.said)
    memory = first.memory if len(weight.names) == 1 else (id(weight.value), "shared")
    for name in weight.names:
        yield dataclasses.replace(first, name=name, memory=memory)


def _of_tree(tree: Any) -> tuple[list[Parameter], tuple[str, ...]]:
    leaves = list(_leaves(tree))
    seen: set[str] = set()
    for name, _ in leaves:
        if name in seen:  # by which both would be judged, and each is looked up
            raise ValueError(
                f"`model` has two arrays of the name {name!r}: a key holds a dot, or two keys are "
                "written alike. Rename one."
            )
        seen.add(name)
    keys = [name for name, value in leaves if str(value.dtype).startswith("key<")]
    found = [parameter(name, value) for name, value in leaves if name not in keys]
    return found, ((f"no weights, but JAX keys: {', '.join(keys)}",) if keys else ())


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """(names joined by dots, arrays) of nested mappings, or of what JAX takes for a tree."""
    jax: Any = sys.modules.get("jax")
    if isinstance(tree, Mapping):
        yield from _nested(tree, "")
        return
    found = [(name, value) for name, value in _parts(tree) if name]  # a leaf has no name
    if jax is None or not found:
        raise TypeError(
            "`model` must be the path of a checkpoint, a mapping of names to arrays, a torch, "
            "flax.nnx or TensorFlow module, a Keras model or a JAX tree; got "
            f"{_check.show(tree)} of {type(tree).__name__}."
        )
    for name, value in found:
        if _is_array(value):
            yield name, value


def _nested(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _nested(value, f"{name}.")
        elif _is_array(value):
            yield name, value
        else:
            for below, part in _parts(value):
                if _is_array(part):
                    yield f"{name}.{below}" if below else name, part


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(names, leaves) of what is no mapping: by JAX, with the boxes that flax puts around arrays,
    or of lists and tuples alone."""
    if "jax" in sys.modules:
        from glorot.jax._names import _join, _paths

        yield from ((_join(path), leaf) for path, leaf in _paths(value, {}))
    elif isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", range(len(value)))
        yield from _nested(dict(zip(names, value, strict=True)), "")


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")
