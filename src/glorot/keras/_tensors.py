# SPDX-License-Identifier: Apache-2.0
"""Values as the backend's tensors: from NumPy, or on JAX traced where something is being traced."""

import functools
from typing import Any

import keras
import numpy as np

from glorot import _base, _shard
from glorot._base import Initializer
from glorot._dtypes import ALL, dtype_name, parse_dtype
from glorot._memory import aligned, empty
from glorot.keras import _private, _seeds

Array = np.ndarray[Any, np.dtype[Any]]


def compute(
    initializer: Initializer,
    shape: tuple[int, ...],
    dtype: Any,
    seed: Any,
    name: str,
    layout: Any,
    shard: Any,
) -> Any:
    """The value of one weight; `seed` is an integer, a SeedGenerator, or None for Keras' own."""
    wanted = parse_dtype(dtype, floating=initializer.random)
    check_backend_dtype(wanted)
    if _private.in_symbolic_scope():  # shapes are found out; no value is ever seen
        extent = shape if shard is None else _shard.parse_shard(shard, shape)[1]
        return keras.ops.zeros(extent, dtype_name(wanted))
    fixed = not initializer.random or isinstance(seed, int)
    if keras.backend.backend() == "jax" and (layout is not None or _tracing()):
        import jax.numpy as jnp

        import glorot.jax

        if not fixed:
            seed = jnp.asarray(_seeds.next_words(seed)).astype(jnp.uint32)
        return glorot.jax.values(
            initializer, shape, seed=seed, name=name, dtype=wanted, shard=shard,
            out_sharding=_placement(layout), native=False,
        )  # fmt: skip
    if keras.backend.backend() == "tensorflow" and _in_graph():
        from glorot.tensorflow import _values

        number = seed if fixed else _seeds.seed_of_op(seed)
        return _values.compute(initializer, shape, wanted, number, name, shard)
    number = seed if fixed else _seeds.next_seed(seed)
    start, extent = (None, shape) if shard is None else _shard.parse_shard(shard, shape)
    writer = _base._prepared(initializer, shape, wanted)
    array = (aligned if keras.backend.backend() == "tensorflow" else empty)(extent, wanted)
    writer.part(array, start, number, name)
    tensor = to_tensor(array)
    return tensor if layout is None else keras.distribution.distribute_tensor(tensor, layout)


def to_tensor(array: Array) -> Any:
    """The backend's tensor of an array's bytes, without a copy where it takes the memory; for
    TensorFlow an `aligned` one. Keras' own function costs more and gives the same."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from glorot.tensorflow import _values

        return _values.to_tensor(array)
    if backend == "jax":
        import jax.numpy as jnp

        return jnp.asarray(array)
    return torch_tensor(array).to(_private.torch_device())


def torch_tensor(array: Array) -> Any:
    """A torch tensor of the array's memory."""
    import torch

    bits = {1: np.uint8, 2: np.int16, 4: np.int32, 8: np.int64}[array.itemsize]
    name = dtype_name(array.dtype)
    if not array.shape:  # torch.from_numpy keeps it; a view of another size of item does not
        return torch.from_numpy(array.reshape(1).view(bits)).view(getattr(torch, name)).reshape(())
    return torch.from_numpy(array.view(bits)).view(getattr(torch, name))


def to_numpy(value: Any) -> Array:
    """The values of a variable or tensor of the backend, in their own dtype."""
    if keras.backend.backend() == "tensorflow":  # its scalars give NumPy none of the narrow types
        return np.asarray(value.numpy())
    if keras.backend.backend() == "jax":
        return np.asarray(value)
    import torch

    tensor = value.detach().cpu().contiguous()
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    wanted = ALL[str(tensor.dtype).removeprefix("torch.")]
    found: Array = tensor.reshape(-1).view(bits).numpy().view(wanted).reshape(tuple(tensor.shape))
    return found


def check_backend_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse a dtype that the backend does not have as it is set up."""
    backend = keras.backend.backend()
    if backend == "jax" and dtype.itemsize == 8:
        import jax

        if not jax.config.jax_enable_x64:
            raise TypeError(
                f"`dtype` {dtype_name(dtype)} needs JAX's 64-bit types, which are off. Turn them "
                "on by jax.config.update('jax_enable_x64', True), or use float32."
            )
    if backend not in ("jax", "tensorflow", "torch"):
        raise ValueError(
            f"glorot.keras needs one of Keras' backends jax, tensorflow and torch, got {backend!r}."
        )


def _in_graph() -> bool:
    """Whether TensorFlow builds a graph, in which an array would be a constant of at most 2 GB:
    where `fit` builds layers on their first batch, too."""
    import tensorflow as tf

    return not tf.executing_eagerly()


def _tracing() -> bool:
    """Whether JAX traces what is computed here; outside of all its transformations, which is where
    most models are made, one look tells."""
    import jax

    state = _trace_state()
    if state is not None and state == _untraced():
        return False
    return isinstance(jax.numpy.zeros(()), jax.core.Tracer)


def _trace_state() -> Any:
    """What is equal to another of the same trace; None where this JAX does not tell."""
    import jax.extend

    for place in (jax.extend.core, jax.core):  # the second before JAX 0.10
        look = getattr(place, "get_opaque_trace_state", None)
        if look is not None:
            return look()
    return None


@functools.cache
def _untraced() -> Any:
    """The state outside of all transformations, wherever it is asked for."""
    import jax

    with jax.ensure_compile_time_eval():
        return _trace_state()


def _placement(layout: Any) -> Any:
    """The JAX sharding of what Keras calls a layout: a `TensorLayout`, or one already."""
    return getattr(layout, "backend_layout", layout)
