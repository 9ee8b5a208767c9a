# SPDX-License-Identifier: Apache-2.0
"""What every linen module here can do: give its parameters for a key and the shape of an input."""

from collections.abc import Sequence
from typing import Any

from glorot._check import parse_shape, show
from glorot.replay.flax.linen._scope import Scope, parse_path, root_key

Shape = tuple[int, ...]


def _shape(value: Any) -> Shape:
    if isinstance(value, tuple | list):
        return parse_shape(value)
    if not hasattr(value, "shape"):
        raise TypeError(f"`inputs` must be arrays, or shapes, got {show(value)}.")
    return parse_shape(value.shape)


class Module:
    """A module of flax.linen, of which only the parameters are here."""

    def init(self, rngs: Any, *inputs: Any, path: str | Sequence[str] = ()) -> dict[str, Any]:
        """Return what flax's `init` returns: nested dicts of arrays, "params" at the top.

        Args:
            rngs: a key, or a dict with one for "params".
            inputs: arrays, anything else with a `shape`, or shapes.
            path: the names of the modules around this one, as ("encoder", "Dense_0"): its
                parameters are then those that it has there.

        Raises:
            TypeError: no input, or one without a shape; no key.
            ValueError: no key for "params"; a shape that the module cannot take.
        """
        if not inputs:
            raise TypeError("init must have the module's input after the key: an array or a shape.")
        scope = Scope(root_key(rngs), parse_path(path))
        shapes = tuple(map(_shape, inputs))
        self.parameters(scope, *shapes)
        params = _filled(scope.params)
        return ({"params": params} if params else {}) | self.state(*shapes)

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """Make the parameters, in flax's order."""
        raise NotImplementedError

    def state(self, *shapes: Shape) -> dict[str, Any]:
        """Variables that are no parameters, by collection."""
        return {}


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without modules that have no parameters."""
    pairs = ((name, _filled(x) if isinstance(x, dict) else x) for name, x in tree.items())
    return {name: x for name, x in pairs if not (isinstance(x, dict) and not x)}
