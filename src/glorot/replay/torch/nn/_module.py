# SPDX-License-Identifier: Apache-2.0
"""torch.nn.Module, as far as parameters go: attributes become parameters, buffers and children.

Nothing here computes a forward pass.  Code that only builds a model runs unchanged; what it drew is
in `state_dict()`, under torch's names and in torch's order.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.torch._arguments import Array


class Parameter(np.ndarray[Any, np.dtype[Any]]):
    """An array that a module takes as its parameter when it becomes an attribute.

    Args:
        data: an array.
        requires_grad: accepted, and ignored.

    Example:
        >>> import numpy as np
        >>> module = Module()
        >>> module.scale = Parameter(np.ones(2))
        >>> module.state_dict()
        {'scale': array([1., 1.])}
    """

    def __new__(cls, data: Any, requires_grad: bool = True) -> "Parameter":
        return np.asarray(data).view(cls)


class Module:
    """The base of all layers, and of models: a replay of `torch.nn.Module`'s parameters.

    Example:
        >>> from glorot.replay.torch import manual_seed, nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(4, 3)
        ...         self.out = nn.Linear(3, 1, bias=False)
        >>> _ = manual_seed(0)
        >>> {name: value.shape for name, value in Net().state_dict().items()}
        {'hidden.weight': (3, 4), 'hidden.bias': (3,), 'out.weight': (1, 3)}
    """

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Array | None]
    _modules: dict[str, "Module | None"]

    def __init__(self) -> None:
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(self, name, {})

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(
                f"cannot set {name!r} before Module.__init__() call: call super().__init__() first."
            )
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self.add_module(name, value)
        else:
            for kind in (self._parameters, self._buffers, self._modules):
                if name in kind and (value is None or isinstance(value, np.ndarray)):
                    new = (
                        Parameter(value)
                        if kind is self._parameters and value is not None
                        else value
                    )
                    kind[name] = new  # type: ignore[assignment]
                    return
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for kind in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(kind, {})
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _register(self, kind: str, name: str, value: Any) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"`name` must be a string without '.', and not empty, got {show(name)}.")
        for other in ("_parameters", "_buffers", "_modules"):
            if other != kind:
                self.__dict__[other].pop(name, None)
        self.__dict__.pop(name, None)
        self.__dict__[kind][name] = value

    def register_parameter(self, name: str, param: Any) -> None:
        """Add a parameter, an array or None, under a name without dots.

        A `Parameter` stays the object that it is, so that modules can share it.
        """
        kept = param is None or isinstance(param, Parameter)
        self._register("_parameters", name, param if kept else Parameter(param))

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add an array that is no parameter; only a persistent one is in `state_dict()`."""
        value = None if tensor is None else np.asarray(tensor)
        if persistent:
            self._register("_buffers", name, value)
        else:
            object.__setattr__(self, name, value)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Add a child under a name without dots."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"`module` must be a Module, got {show(module)}.")
        self._register("_modules", name, module)

    register_module = add_module

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """(name, module) of this module and all below it, each module once, parents first."""
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _walk(self, prefix: str) -> Iterator[tuple[str, "Module"]]:
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child._walk(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, each once, parents first."""
        return (module for _, module in self.named_modules())

    def children(self) -> Iterator["Module"]:
        """The modules one level below."""
        return iter(dict.fromkeys(child for child in self._modules.values() if child is not None))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) of this module and all below it, each parameter once."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in module._parameters.items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of this module and all below it, each once."""
        return (value for _, value in self.named_parameters())

    def apply(self, fn: Callable[["Module"], object]) -> "Module":
        """Call `fn` with each module below this one, and last with this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def state_dict(self, *, prefix: str = "") -> dict[str, Array]:
        """Every parameter and buffer, as a new dict of NumPy arrays: torch's names and order.

        The arrays are the module's own, not copies.
        """
        found: dict[str, Array] = {}
        for place, module in self._walk(prefix.removesuffix(".")):
            for kind in (module._parameters, module._buffers):
                for name, value in kind.items():
                    if value is not None:
                        found[f"{place}.{name}" if place else name] = value.view(np.ndarray)
        return found
