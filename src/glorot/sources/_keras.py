# SPDX-License-Identifier: Apache-2.0
"""Keras 3 models: weights under `glorot.keras`'s names, of models that have no values yet."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from glorot.sources._frameworks import require
from glorot.sources._source import Source

KIND = "Keras model"


@contextlib.contextmanager
def valueless() -> Iterator[None]:
    """Let Keras build models whose variables get no values, and so no memory; nothing where Keras
    is not loaded, or is one that cannot."""
    keras: Any = sys.modules.get("keras")
    try:
        scope = keras.StatelessScope(initialize_variables=False)
    except (AttributeError, TypeError):
        yield
        return
    from glorot.keras._private import valueless_variables

    with valueless_variables(), scope:
        yield


def of_model(model: Any) -> Source:
    """Return the weights of a built model.

    Raises:
        ValueError: a layer that is not built; no weights.
    """
    require("keras", KIND)
    from glorot.keras import _init
    from glorot.keras._names import collect

    shapes = _init.shapes(model)
    if not shapes:
        raise ValueError("the Keras model has no weights: there is nothing to write.")
    contents = collect(model)
    aliases = {other: p.names[0] for p in contents.parameters for other in p.names[1:]}
    count = len(contents.state)
    notes = [f"left out: {count} variables that no layer trains"] if count else []
    return Source(shapes, KIND, aliases=aliases, notes=tuple(notes))
