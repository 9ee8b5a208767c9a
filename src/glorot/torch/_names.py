# SPDX-License-Identifier: Apache-2.0
"""Canonical names: a parameter is called the same whatever wraps its module.

The name of a parameter is its path of attributes through the module, as `named_parameters` gives
it, with two changes.  A wrapper that holds one module adds nothing to the path, and a parametrized
tensor has the name of the attribute that it is read by, `weight`, and not those of what it is
computed from, `parametrizations.weight.original0`.
"""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList

from glorot.recipe import TensorSpec

# What compiling, checkpointing activations and FSDP 1 put into the path.
WRAPPED = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module")

# (module where the class is, class) of wrappers that call what they wrap `module`, a name that a
# model may use as well: only these classes' is left out.
_HOLDERS = (
    ("torch.nn.parallel.distributed", "DistributedDataParallel"),
    ("torch.nn.parallel.data_parallel", "DataParallel"),
    ("torch.optim.swa_utils", "AveragedModel"),
)


def canonical_name(name: str) -> str:
    """Return a parameter's name without what compiling and wrapping add to it.

    The `module.` of DistributedDataParallel is kept, since a model may use that word itself;
    `init_` and `named_tensors` know from the module's class, and leave it out.

    Examples:
        >>> import glorot.torch
        >>> glorot.torch.canonical_name("_orig_mod.layers.0._checkpoint_wrapped_module.weight")
        'layers.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in WRAPPED)


class Place(NamedTuple):
    """One name of a tensor: the module that holds it, and by which attribute; or, of a tensor that
    no module holds, what is known of it."""

    name: str
    owner: torch.nn.Module
    attribute: str
    spec: TensorSpec | None = None


def _held(module: torch.nn.Module) -> str | None:
    """The child that is wrapped by this module, if the module is a wrapper."""
    children = module._modules
    if not children:
        return None
    for name in WRAPPED:
        if name in children:
            return name
    for place, cls in _HOLDERS:
        loaded = sys.modules.get(place)
        if loaded is not None and isinstance(module, getattr(loaded, cls)):
            return "module"
    return None


def walk(
    module: torch.nn.Module, prefix: str = "", *, inside: bool = False
) -> Iterator[tuple[str, torch.nn.Module]]:
    """(canonical prefix, module) of a module and all below it, in the order they were registered;
    a module that is used twice comes twice, and what parametrizes a tensor with `inside` alone,
    under the name that a state dict has for it."""
    yield prefix, module
    if not module._modules:  # nearly all of a model's modules
        return
    held = _held(module)
    apart = is_parametrized(module)
    for name, child in module._modules.items():
        if child is None or (apart and name == "parametrizations"):
            continue
        yield from walk(child, prefix if name == held else f"{prefix}{name}.", inside=inside)
    for attribute, source in parametrized(module).items() if inside else ():
        for at, step in source._modules.items():
            yield from walk(step, f"{prefix}parametrizations.{attribute}.{at}.", inside=True)


def canonical_key(module: torch.nn.Module, key: str) -> str:
    """The canonical name of what a key of the module's state dict stands for.

    Some wrappers leave their word in the key, some take it out.
    """
    found = []
    owner: torch.nn.Module | None = module
    for part in key.split("."):
        held = None if owner is None else _held(owner)
        while owner is not None and held is not None and held != part:
            owner = owner._modules[held]
            held = None if owner is None else _held(owner)
        if held is None:
            found.append(part)
        owner = None if owner is None else owner._modules.get(part)
    return ".".join(found)


def is_parametrized(module: torch.nn.Module) -> bool:
    """Whether some tensor of the module itself is computed from others; a model may use the word
    for modules of its own."""
    # Of its own: wrappers hand on what they do not have themselves.
    if "parametrizations" not in module._modules:
        return False
    if not torch.nn.utils.parametrize.is_parametrized(module):
        return False
    lists: Any = module.parametrizations
    return all(isinstance(source, ParametrizationList) for source in lists.values())


def parametrized(module: torch.nn.Module) -> dict[str, Any]:
    """The module's parametrized tensors: {attribute: its ParametrizationList}."""
    if not module._modules or not is_parametrized(module):  # it would be one of them
        return {}
    lists: Any = module.parametrizations
    return dict(lists.items())


def is_weight_norm(source: Any) -> bool:
    """Whether a ParametrizationList is torch's weight norm and nothing else."""
    return len(source) == 1 and isinstance(source[0], _WeightNorm)
