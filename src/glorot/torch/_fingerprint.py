# SPDX-License-Identifier: Apache-2.0
"""The fingerprint of a module, whole or sharded: only sums travel between processes."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import distributed

from glorot._dtypes import dtype_name
from glorot._fingerprint import Fingerprint
from glorot._renaming import Names
from glorot._shard import Shard
from glorot.torch._collect import collect
from glorot.torch._dtensor import Part, is_dtensor, local_parts
from glorot.torch._memory import DTYPES, view


@torch.no_grad()
def fingerprint(module: torch.nn.Module, *, names: Names = None, group: Any = None) -> str:
    """Return the fingerprint of a module's parameters, `glorot.fingerprint` of their whole values.

    It is the same for a module that is whole, compiled, wrapped, sharded in any way over any number
    of processes, or of another framework with the same names.  A tied parameter counts once, under
    the first of its names; buffers do not count.

    Where torch.distributed is initialised this is a collective: every process of `group` calls it,
    and each gives the sums of its own parts.

    Args:
        module: its parameters need values.
        names: as for `init_`.
        group: a process group, all processes by default.

    Raises:
        ValueError: replicas that differ; parts that no process has; a meta or lazy parameter.
        TypeError: a parameter of a dtype that no initializer writes.

    Examples:
        >>> import glorot, torch
        >>> import glorot.torch
        >>> layer = torch.nn.Linear(3, 2)
        >>> report = glorot.torch.init_(layer, glorot.RandomNormal(), seed=42)
        >>> arrays = {name: p.detach().numpy() for name, p in layer.named_parameters()}
        >>> glorot.torch.fingerprint(layer) == glorot.fingerprint(arrays)
        True
    """
    found = Fingerprint()
    for name, tensor in _stored(module, names):
        what = f"the parameter {name!r}"
        shape = tuple(tensor.shape)
        local: torch.Tensor = tensor
        parts: Sequence[Part] = [Part((0,) * len(shape), shape, None)]
        if is_dtensor(tensor):
            local, parts = local_parts(tensor, what)
        _check_values(local, what)
        values = view(local.detach().cpu().resolve_neg().contiguous(), what)
        for start, extent, place in parts:
            shard = Shard(start, [i + n for i, n in zip(start, extent, strict=True)])
            part = values if place is None else values[place]
            found.add(name, part, shape=shape, shard=shard)
    if not (distributed.is_available() and distributed.is_initialized()):
        return found.hexdigest()
    gathered: list[Any] = [None] * distributed.get_world_size(group)
    distributed.all_gather_object(gathered, found, group=group)
    whole = Fingerprint()
    for each in gathered:
        whole.merge(each)
    return whole.hexdigest()


def _stored(module: torch.nn.Module, names: Names) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of each parameter once; of a parametrized one, what it is computed from."""
    for group in collect(module, names).parameters:
        name = group.places[0].name
        if group.source is None:
            yield name, group.tensor
            continue
        attribute = group.places[0].attribute
        path = f"{name.removesuffix(attribute)}parametrizations.{attribute}"
        for original, tensor in group.source._parameters.items():
            yield f"{path}.{original}", tensor


def _check_values(tensor: torch.Tensor, what: str) -> None:
    if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
        raise ValueError(f"{what} has no values yet. Fill the module first.")
    if tensor.layout is not torch.strided:
        raise TypeError(
            f"{what} must be dense, got the layout {tensor.layout}, which has no fingerprint. Give "
            "glorot.fingerprint the arrays of the other parameters."
        )
    if tensor.dtype not in DTYPES:
        raise TypeError(
            f"{what} is of {tensor.dtype}, which has no fingerprint; those that have one are "
            f"{', '.join(map(dtype_name, DTYPES.values()))}. Give glorot.fingerprint the arrays of "
            "the other parameters."
        )
