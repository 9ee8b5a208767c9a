# SPDX-License-Identifier: Apache-2.0
"""What a layer says of its parameters: its type, and which axes are in and out, for rules that do
not say it themselves."""

import functools
import sys
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

_Weights = tuple[str, ...]

# (class, the beginnings of its matrices' names, their layout); the first that fits counts.
_LAYOUTS: tuple[tuple[type, _Weights, str], ...] = (
    (_ConvTransposeNd, ("weight",), "torch.conv_transpose"),
    (_ConvNd, ("weight",), "torch.conv"),
    (nn.Linear, ("weight",), "torch.linear"),
    (nn.Bilinear, ("weight",), "torch.bilinear"),
    (nn.Embedding, ("weight",), "embedding"),
    (nn.EmbeddingBag, ("weight",), "embedding"),
    (nn.RNNBase, ("weight_",), "torch.linear"),
    (nn.RNNCellBase, ("weight_",), "torch.linear"),
    (
        nn.MultiheadAttention,
        ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
        "torch.linear",
    ),
)
_GROUPED = ("torch.conv", "torch.conv_transpose")
_CONV1D = "transformers.pytorch_utils", "Conv1D"  # GPT-2's dense layer, stored (in, out)


def layer_type(module: nn.Module) -> str:
    """The name of a module's class, before scripting, sharding or parametrizing made another of it.

    Examples:
        >>> layer_type(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
        'Linear'
    """
    return _layer(module)[1]


def _layer(module: nn.Module) -> tuple[type, str]:
    """Its class before that, and the class's name."""
    own: type = type(module)
    found = _bare(own)
    if found is not None:
        return found
    own = _scripted_class(module) or own
    if issubclass(own, torch.jit.ScriptModule):  # loaded where its class is not
        return own, str(getattr(module, "original_name", own.__name__))
    return own, own.__name__


@functools.lru_cache(maxsize=4096)
def _bare(found: type) -> tuple[type, str] | None:
    """The same of a class; None of a scripted one, which stands for many."""
    if issubclass(found, torch.jit.ScriptModule):
        return None
    while found.__name__.startswith(("FSDP", "Parametrized")) and len(found.__bases__) <= 2:
        base = found.__bases__[-1]  # FSDPLinear(FSDPModule, Linear), ParametrizedLinear(Linear)
        if found.__name__ not in (f"FSDP{base.__name__}", f"Parametrized{base.__name__}"):
            break
        found = base
    return found, found.__name__


def _scripted_class(module: Any) -> type | None:
    """The class that a scripted or traced module was made of, which its type is called after:
    `__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear`."""
    script = getattr(module, "_c", None)  # not of a ScriptModule that is being written by hand
    if script is None:
        return None
    _, *path, name = script._type().qualified_name().split(".")
    place = ".".join(part for part in path if not part.startswith("___torch_mangle_"))
    found = getattr(sys.modules.get(place), name, None)
    return found if isinstance(found, type) else None


def described(module: nn.Module, attribute: str, dimensions: int) -> dict[str, Any]:
    """The fields of `TensorSpec` that a parameter's module knows: `type`, `layout` and `groups`.

    Examples:
        >>> described(nn.Conv2d(8, 8, 3, groups=8), "weight", 4)
        {'type': 'Conv2d', 'layout': 'torch.conv', 'groups': 8}
        >>> described(nn.Linear(3, 2), "bias", 1)
        {'type': 'Linear'}
    """
    own, name = _layer(module)
    found: dict[str, Any] = {"type": name}
    layout = _layout(own, attribute) if dimensions >= 2 else None
    if layout is not None:
        found["layout"] = layout
        groups = _groups(module, attribute) if layout in _GROUPED else 1
        if groups > 1:
            found["groups"] = groups
    return found


def _groups(module: Any, attribute: str) -> int:
    """A convolution's groups; a traced one has them in its operation alone."""
    groups = getattr(module, "groups", None)
    if groups is not None:
        return int(groups)
    for node in module.graph.nodes():
        at = {"aten::_convolution": 8, "aten::_convolution_mode": -1}.get(node.kind())
        if at is not None:
            return int(list(node.inputs())[at].toIValue())
    raise ValueError(
        f"the convolution of the parameter {attribute!r} is traced and was not called then, so "
        "that nobody knows its groups. Fill the module before it is traced."
    )


@functools.lru_cache(maxsize=4096)
def _layout(own: type, attribute: str) -> str | None:
    if (own.__module__, own.__name__) == _CONV1D:
        return "transformers.conv1d"
    for cls, names, layout in _LAYOUTS:
        if issubclass(own, cls) and attribute.startswith(names):
            return layout
    return None
