# SPDX-License-Identifier: Apache-2.0
"""A checkpoint without files: torch.distributed.checkpoint reads, and the values are computed."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    StorageMeta,
    TensorProperties,
    TensorStorageMetadata,
)
from torch.distributed.checkpoint.planner import LoadItemType, LoadPlan, LoadPlanner
from torch.distributed.checkpoint.storage import StorageReader
from torch.futures import Future

from glorot._check import show
from glorot._dtypes import ALL
from glorot._renaming import Names, Renaming
from glorot._shard import Shard
from glorot._stream import check_name, check_seed
from glorot.recipe import Assignment, parse_shapes
from glorot.recipe._argument import read_recipe
from glorot.torch._collect import Group, collect, memory_key
from glorot.torch._dtensor import is_dtensor, local_parts
from glorot.torch._memory import DTYPES
from glorot.torch._names import Place, canonical_key, canonical_name
from glorot.torch._parametrized import kept_tensors
from glorot.torch._plan import make_plan, spec_of
from glorot.torch._target import Target

_TORCH = {dtype: kind for kind, dtype in DTYPES.items()}


class _Entry(NamedTuple):
    """What stands under one key: what the recipe gives it, or a buffer's own values."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    assignment: Assignment | None
    values: torch.Tensor | None = None


class VirtualCheckpoint(StorageReader):
    """What `torch.distributed.checkpoint.load` reads as a checkpoint of a model's first values.

    Nothing is stored: each rank computes the parts that it asks for, of any sharding.  What can
    load a checkpoint thus starts from a recipe, without a seed checkpoint that one process writes:

        dcp.load(state_dict, storage_reader=glorot.torch.VirtualCheckpoint(recipe, seed, model))

    The values are those of `init_` with the same names.  A rule of None leaves a parameter out of
    the checkpoint; loading it then fails as a missing key, unless the planner allows that.

    Args:
        recipe: as for `init_`.
        seed: 0 <= seed < 2**64.
        model: the module, which may be on the meta device, sharded or compiled; or its state dict,
            or any mapping from keys to shapes (`glorot.recipe.parse_shapes`).  A module says which
            parameters are tied, and lends the values of its persistent buffers; of a mapping every
            key needs a rule.
        names: as for `init_`, for the names that the recipe and the values go by.
        prefix: what the keys begin with and the names do not, such as "model." for the state dict
            {"model": model.state_dict()}.

    Raises:
        ValueError, TypeError: as `init_`, when it is made.

    Examples:
        >>> import glorot, torch
        >>> import glorot.torch
        >>> import torch.distributed.checkpoint as dcp
        >>> layer = torch.nn.Linear(3, 2)
        >>> reader = glorot.torch.VirtualCheckpoint(glorot.RandomNormal(), 42, layer)
        >>> dcp.load(layer.state_dict(), storage_reader=reader, no_dist=True)
        >>> wanted = glorot.RandomNormal()((2, 3), seed=42, name="weight")
        >>> bool((layer.weight.detach().numpy() == wanted).all())
        True
    """

    def __init__(
        self, recipe: Any, seed: int, model: Any, *, names: Names = None, prefix: str = ""
    ) -> None:
        super().__init__()
        self.recipe = read_recipe(recipe)
        self.seed = check_seed(seed)
        self.prefix = check_name(prefix)
        if isinstance(model, torch.nn.Module):
            named = _of_module(model, names)
        elif isinstance(model, Mapping):
            named = _of_mapping(model, self.prefix, names)
        else:
            raise TypeError(
                "`model` must be a torch.nn.Module, its state dict, or a mapping from keys to "
                f"shapes; got {show(model)} of {type(model).__name__}."
            )
        keys = {id(group): found for group, found in named}
        self._entries = {
            f"{self.prefix}{key}": _Entry(found.shape, _TORCH[ALL[found.dtype]], found)
            for group, found in make_plan([group for group, _ in named], self.recipe).parameters
            for key in keys[id(group)]
        }
        if isinstance(model, torch.nn.Module):
            self._entries |= {
                f"{self.prefix}{key}": _Entry(tuple(buffer.shape), buffer.dtype, None, buffer)
                for key, buffer in _buffers(model)
            }

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """Begin another load; there is nothing to forget."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """Return what the checkpoint holds: every tensor as one chunk, the whole."""
        return Metadata(
            state_dict_metadata={
                key: TensorStorageMetadata(
                    properties=TensorProperties(dtype=entry.dtype),
                    size=torch.Size(entry.shape),
                    chunks=[
                        ChunkStorageMetadata(
                            offsets=torch.Size((0,) * len(entry.shape)),
                            sizes=torch.Size(entry.shape),
                        )
                    ],
                )
                for key, entry in self._entries.items()
            },
            planner_data={key: self._path(key) for key in self._entries},
            storage_meta=StorageMeta(),
        )

    def _path(self, key: str) -> tuple[str, ...]:
        """Where a key is in a nested state dict: `prefix` says what is around the model's."""
        around = self.prefix.removesuffix(".").split(".") if self.prefix else []
        return (*around, key.removeprefix(self.prefix))

    def set_up_storage_reader(
        self, metadata: Metadata, is_coordinator: bool, *_: Any, **__: Any
    ) -> None:
        """Nothing is opened."""

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        """Return the plan as it is."""
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        """Return the plans as they are."""
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> "Future[None]":
        """Compute every block that this rank asks for, in the memory that is to have it."""
        blocks = []
        for item in plan.items:
            key = item.storage_index.fqn
            if item.type != LoadItemType.TENSOR:
                raise ValueError(f"{key!r} is no tensor, and a recipe gives it no value.")
            _check_one_block(planner, item.dest_index.fqn)
            tensor = planner.resolve_tensor(item).detach()
            blocks.append((item, self._entries[key], tensor, self._target(item, tensor)))
        for item, entry, tensor, (target, writer) in blocks:
            if entry.values is not None:
                places = zip(item.storage_offsets, item.lengths, strict=True)
                part = entry.values.detach()[tuple(slice(i, i + n) for i, n in places)]
                tensor.copy_(part)
            elif entry.assignment is not None:
                target.fill(writer, self.seed, entry.assignment.name)
            planner.commit_tensor(item, tensor)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _target(self, item: Any, tensor: torch.Tensor) -> Any:
        entry = self._entries[item.storage_index.fqn]
        if entry.assignment is None:
            return None, None
        ends = [i + n for i, n in zip(item.storage_offsets, item.lengths, strict=True)]
        shard = Shard(item.storage_offsets, ends)
        target = Target(tensor, f"{item.storage_index.fqn!r}", entry.shape, shard)
        return target, target.writer(entry.assignment.initializer)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        """Return False: no path means this checkpoint."""
        return False


def _of_module(model: torch.nn.Module, names: Names) -> list[tuple[Group, list[str]]]:
    """The parameters of a module under their names, and the keys that a state dict has for each:
    canonical ones, and of a wrapped module those with its wrappers' words."""
    words: dict[str, list[str]] = {}
    for key in model.state_dict():
        words.setdefault(canonical_key(model, key), []).append(key)
    named = []
    pairs = zip(collect(model).parameters, collect(model, names).parameters, strict=True)
    for canonical, group in pairs:
        if group.source is not None:
            found = list(zip(_kept(canonical), _kept(group), strict=True))
        else:
            found = [(canonical, group)]
        for own, each in found:
            paths = [place.name for place in own.places]
            keys = [key for path in paths for key in (path, *words.get(path, ()))]
            named.append((each, list(dict.fromkeys(keys))))
    return named


def _kept(group: Group) -> list[Group]:
    """What a state dict holds of a parametrized one."""
    spec = spec_of(group.places[0], group.tensor)
    return [Group(tensor, [place]) for place, tensor in kept_tensors(group, spec)]


def _of_mapping(
    model: Mapping[str, Any], prefix: str, names: Names
) -> list[tuple[Group, list[str]]]:
    """The tensors of a state dict, those of one memory together, or of a mapping of shapes."""
    renamed = Renaming(names)
    found: dict[object, tuple[Group, list[str]]] = {}
    owner = torch.nn.Module()
    for key, spec in parse_shapes(model).items():
        if not key.startswith(prefix):
            raise ValueError(f"the key {key!r} of `model` must begin with `prefix`={prefix!r}.")
        path = key.removeprefix(prefix)
        tensor = model[key]
        if not isinstance(tensor, torch.Tensor):
            dtype = _TORCH[ALL[spec.dtype or "float32"]]
            tensor = torch.empty(spec.shape, dtype=dtype, device="meta")
        group, keys = found.setdefault(memory_key(tensor), (Group(tensor, []), []))
        known = spec if spec.dtype else dataclasses.replace(spec, dtype="float32")
        group.places.append(Place(renamed(canonical_name(path)), owner, path, known))
        keys.append(path)
    return list(found.values())


def _buffers(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The persistent buffers that have values, under the keys of the state dict."""
    held = {id(buffer) for buffer in model.buffers()}
    for key, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) in held and not tensor.is_meta:
            yield key, tensor
            if canonical_key(model, key) != key:
                yield canonical_key(model, key), tensor


def _check_one_block(planner: Any, key: str) -> None:
    """Refuse a DTensor that torch.distributed.checkpoint takes for one block and that is not."""
    tensor = getattr(planner, "state_dict", {}).get(key)
    if tensor is not None and is_dtensor(tensor):
        _, parts = local_parts(tensor, repr(key))
        if len(parts) > 1:
            raise ValueError(
                f"{key!r} is a DTensor of placements {tuple(tensor.placements)}, whose local part "
                f"is {len(parts)} blocks of the whole; torch.distributed.checkpoint reads it as "
                "one, which is wrong. Fill it with glorot.torch.init_."
            )
