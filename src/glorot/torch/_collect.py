# SPDX-License-Identifier: Apache-2.0
"""What a module holds: its parameters with all their names, and its buffers.

A tied parameter, one that several names lead to, is one group: the same `Parameter`, or two that
share their memory.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch

from glorot._renaming import Names, Renaming
from glorot.torch._dtensor import is_dtensor
from glorot.torch._memory import is_lazy, is_transformed
from glorot.torch._names import Place, parametrized, walk


class Group(NamedTuple):
    """One parameter and its names, in the order of the module.

    `source` is the ParametrizationList that computes it, for a parametrized one; `tensor` then
    is what it is computed to, on the meta device.
    """

    tensor: torch.Tensor
    places: list[Place]
    source: Any = None


class Contents(NamedTuple):
    """The parameters and the buffers of a module."""

    parameters: list[Group]
    buffers: list[Group]


def collect(module: torch.nn.Module, names: Names = None, *, whole: bool = False) -> Contents:
    """Return the groups of a module, under canonical names changed by `names`.

    Args:
        module, names: as for `init_`.
        whole: the module is no part of another, and so `names` may have no other name.

    Raises:
        ValueError: sharding that hides what is whole; a name that stands for two tensors; a
            parametrization that the meta device does not compute; with `whole`, a name in `names`
            that is none here.
    """
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"`module` must be a torch.nn.Module, got {type(module).__name__}.")
    renamed = Renaming(names)
    parameters: dict[object, Group] = {}
    buffers: dict[object, Group] = {}
    for prefix, owner in walk(module, inside=True):
        _check_owner(prefix, owner)
        _add(parameters, prefix, owner, owner._parameters, renamed)
        for attribute, source in parametrized(owner).items():
            place = Place(renamed(f"{prefix}{attribute}"), owner, attribute)
            if id(source) not in parameters:  # a module that is used twice comes twice
                parameters[id(source)] = Group(_computed(source, place.name), [], source)
            parameters[id(source)].places.append(place)
        _add(buffers, prefix, owner, owner._buffers, renamed)
    if whole:
        renamed.check("the module")
    for groups in (parameters, buffers):
        _check_names(groups.values())
    return Contents(list(parameters.values()), list(buffers.values()))


def _add(
    groups: dict[object, Group],
    prefix: str,
    owner: torch.nn.Module,
    held: Mapping[str, torch.Tensor | None],
    renamed: Renaming,
) -> None:
    for attribute, tensor in held.items():
        if tensor is not None:
            place = Place(renamed(f"{prefix}{attribute}"), owner, attribute)
            key = memory_key(tensor)
            if key in groups:
                # `names` may call both what is one.
                if all(place.name != other.name for other in groups[key].places):
                    groups[key].places.append(place)
            else:
                groups[key] = Group(tensor, [place])


def memory_key(tensor: torch.Tensor) -> object:
    """What is equal for two tensors of the same memory, shape and dtype, while both are alive."""
    if is_lazy(tensor) or tensor.is_meta:
        return id(tensor)
    local = tensor.to_local() if is_dtensor(tensor) else tensor
    address = local.data_ptr() if _has_address(local) else 0
    # Not the id of `local`: it may be a new object each time, and so be gone.
    return (address, local.dtype, local.shape, local.stride()) if address else id(tensor)


_PLAIN_DISPATCH = torch.Tensor.__torch_dispatch__


def _has_address(tensor: torch.Tensor) -> bool:
    """Whether torch can say where the memory is: asked of a sparse tensor, it raises."""
    return (
        type(tensor).__torch_dispatch__ is _PLAIN_DISPATCH
        and tensor.layout is torch.strided
        and not tensor.is_nested
        and not is_transformed(tensor)
    )


def _computed(source: Any, name: str) -> torch.Tensor:
    """What a ParametrizationList computes, on the meta device: nothing is run or changed."""
    import copy

    with torch.no_grad():
        try:
            found: torch.Tensor = copy.deepcopy(source).to("meta")()
        except Exception as error:
            kinds = ", ".join(type(step).__name__ for step in source)
            raise ValueError(
                f"the parameter {name!r} is parametrized by {kinds}, which does not compute it on "
                f"the meta device ({' '.join(str(error).split())[:200]}). Parametrize the module "
                "once it has memory: materialize it first."
            ) from error
    return found


def _check_names(groups: Iterable[Group]) -> None:
    seen: set[str] = set()
    for group in groups:
        for place in group.places:
            if place.name in seen:
                raise ValueError(
                    f"two tensors are called {place.name!r} once wrappers are left out of their "
                    "names; they would be given the same values. Tell them apart with `names`."
                )
            seen.add(place.name)


# --- what wrappers do to parameters ---------------------------------------------------------------


def _check_owner(prefix: str, owner: torch.nn.Module) -> None:
    """Refuse parameters that are not whole and do not say so; have FSDP 2 put its shards back."""
    what = f"the module {prefix.removesuffix('.')!r}" if prefix else "the module"
    fsdp = sys.modules.get("torch.distributed.fsdp")
    if fsdp is not None:
        if isinstance(owner, fsdp.FSDPModule):
            owner.reshard()
        if isinstance(owner, fsdp.FullyShardedDataParallel) and not _summoned(owner):
            raise ValueError(
                f"{what} is wrapped by FullyShardedDataParallel (FSDP 1), whose parameters are "
                "flat pieces that do not say what they are pieces of. Fill the module before it "
                "is wrapped, or under FullyShardedDataParallel.summon_full_params(module); or use "
                "fully_shard (FSDP 2), whose shards are filled where they are."
            )
    for hook in owner._forward_pre_hooks.values():
        if isinstance(hook, _LEGACY):
            raise ValueError(
                f"{what} has the hook {type(hook).__name__}, which computes a weight before each "
                "forward pass from parameters of other names. Fill the module before it is added, "
                "or use torch.nn.utils.parametrizations in its place."
            )
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(owner, getattr(keras, "Layer", ())):
        raise ValueError(
            f"{what} is a Keras layer, whose names for torch count what the process made before: "
            "its values would too. Fill it with glorot.keras.init, and the torch modules beside it "
            "each by itself."
        )
    for name, parameter in owner._parameters.items():
        if hasattr(parameter, "ds_shape"):
            raise ValueError(
                f"the parameter '{prefix}{name}' is partitioned by DeepSpeed ZeRO 3. Fill it under "
                "deepspeed.zero.GatheredParameters(module.parameters(), modifier_rank=0)."
            )


def _legacy_hooks() -> tuple[type, ...]:
    from torch.nn.utils import prune, spectral_norm, weight_norm

    modules = sys.modules  # the functions of the last two hide their modules
    found = [prune.BasePruningMethod]
    for function, cls in ((spectral_norm, "SpectralNorm"), (weight_norm, "WeightNorm")):
        found.append(getattr(modules[function.__module__], cls))
    return tuple(found)


_LEGACY = _legacy_hooks()


def _summoned(owner: Any) -> bool:
    handle = owner._handle
    return handle is None or handle._training_state.name == "SUMMON_FULL_PARAMS"
