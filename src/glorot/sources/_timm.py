# SPDX-License-Identifier: Apache-2.0
"""`timm:NAME`: a model of timm by its name there, built without memory and without its weights."""

from collections.abc import Callable
from typing import Any

from glorot import _check
from glorot.sources._frameworks import building, meta, require, said
from glorot.sources._source import Source
from glorot.sources._torch import of_module

PREFIX = "timm:"
KIND = "timm model"


def read(name: str) -> Source:
    """Return the parameters of timm's model of this name, the tag after its dot included or not.

    Raises:
        ImportError: timm or torch is not installed.
        ValueError: timm has no such model, or cannot build it.
    """
    build = builder(name)
    try:
        with building(), meta():
            module = build()
    except Exception as error:
        raise ValueError(f"timm cannot build {name!r} ({said(error)}).") from None
    return of_module(module, KIND, model=f"{PREFIX}{name.partition('.')[0]}")


def builder(name: str) -> Callable[[], Any]:
    """Return a function that builds the model, on torch's device of the moment.

    Raises:
        ImportError, ValueError: as `read`.
    """
    require("torch", KIND, "timm")
    timm = require("timm", KIND)
    plain = name.partition(".")[0]
    if not plain or not timm.is_model(plain):
        known = timm.list_models()
        near = _check.near(plain, known)
        there = near if near.startswith("Near") else f"timm.list_models() has all {len(known)}."
        raise ValueError(f"timm {timm.__version__} has no model {plain!r}. {there}")
    return lambda: timm.create_model(name, pretrained=False)
