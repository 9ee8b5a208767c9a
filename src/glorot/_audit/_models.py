# SPDX-License-Identifier: Apache-2.0
"""The weights of frameworks' models, under the names and with the axes that the adapters give them,
so that a recipe promises what `init` of the same model would give.

The adapters are imported for models of theirs alone: their framework is loaded already.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glorot._loaded import is_a


class Weight(NamedTuple):
    """A weight: its names, its value, and what its layer says."""

    names: list[str]
    value: Any
    said: dict[str, Any]


def weights(model: Any) -> Iterator[Weight] | None:
    """Return the weights of a model of torch, Keras, TensorFlow or flax.nnx; None of what is none.
    A list of TensorFlow's variables, or a mapping to them, is such a model, as it is to `init`.

    Raises:
        ValueError: as the adapter's `init`: layers that are not built, variables of a graph.
    """
    if is_a(model, "keras", "Layer"):  # on Keras' torch backend a torch module, too
        return _of_keras(model)
    if is_a(model, "torch", "nn.Module"):
        return _of_torch(model)
    if is_a(model, "tensorflow", "Module") or _are_variables(model):
        return _of_tensorflow(model)
    if is_a(model, "flax.nnx", "Module"):
        return _of_nnx(model)
    return None


def _are_variables(model: Any) -> bool:
    """Whether it is a list of TensorFlow's variables, which have names of their own, or a mapping
    to such."""
    if not isinstance(model, (Sequence, Mapping)) or not len(model):
        return False
    held = model.values() if isinstance(model, Mapping) else model
    return all(is_a(each, "tensorflow", "Variable") for each in held)


def _of_torch(module: Any) -> Iterator[Weight]:
    from glorot.torch._layers import described
    from glorot.torch._memory import check_known
    from glorot.torch._names import parametrized, walk
    from glorot.torch._parametrized import as_filled

    for prefix, owner in walk(module, inside=True):
        held = {name: value for name, value in owner._parameters.items() if value is not None}
        held |= {name: as_filled(source) for name, source in parametrized(owner).items()}
        for name, value in held.items():
            check_known(value, f"the parameter '{prefix}{name}'")
            yield Weight([f"{prefix}{name}"], value, described(owner, name, value.dim()))


def _of_keras(model: Any) -> Iterator[Weight]:
    from glorot.keras._init import spec_of
    from glorot.keras._names import collect

    for place in collect(model).parameters:
        yield Weight(place.names, place.variable, spec_of(place).extras())


def _of_tensorflow(module: Any) -> Iterator[Weight]:
    from glorot.tensorflow._collect import collect

    for weight in collect(module).weights:
        first, shard = weight.parts[0]
        value = first if shard is None else _joined(weight)
        yield Weight(weight.names, value, {"type": weight.owner})


def _joined(weight: Any) -> Any:
    whole = np.empty(weight.shape, weight.parts[0].variable.dtype.as_numpy_dtype)
    for variable, shard in weight.parts:
        place = zip(shard.start, shard.stop, strict=True)
        whole[tuple(slice(start, stop) for start, stop in place)] = variable.numpy()
    return whole


def _of_nnx(module: Any) -> Iterator[Weight]:
    from glorot.sources._flax import variables

    for name, value, spec in variables(module, "Param")[0]:
        yield Weight([name], value, spec.extras())
