# SPDX-License-Identifier: Apache-2.0
"""The first value of every weight of every model, a pure function of (seed, name, index)."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._constants import Constant, Dirac, Identity, Ones, Zeros
from glorot._orthogonal import DeltaOrthogonal, Orthogonal
from glorot._positions import SinCosGrid, Sinusoids
from glorot._random import RandomNormal, RandomUniform, TruncatedNormal
from glorot._registry import deserialize, get, serialize
from glorot._sampling_offsets import SamplingOffsets
from glorot._scope import Scope
from glorot._shard import Shard
from glorot._sparse import Sparse
from glorot._state_space import LogArange, LogOfUniform, TimeStep
from glorot._variance_scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

if TYPE_CHECKING:  # what __getattr__ below loads
    from glorot import checkpoint, compat, recipe, replay, sources, testing
    from glorot import jax as jax
    from glorot import keras as keras
    from glorot import tensorflow as tensorflow
    from glorot import torch as torch
    from glorot._audit import audit
    from glorot._fingerprint import Fingerprint, fingerprint
    from glorot._gain import gain
    from glorot.recipe import Recipe, Rule

    __version__: str

__all__ = [
    "Blocks",
    "Constant",
    "DeltaOrthogonal",
    "Dirac",
    "Fingerprint",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "LogArange",
    "LogOfUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "Recipe",
    "Rule",
    "SamplingOffsets",
    "Scope",
    "Shard",
    "SinCosGrid",
    "Sinusoids",
    "Sparse",
    "TimeStep",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "audit",
    "checkpoint",
    "compat",
    "config",
    "deserialize",
    "fingerprint",
    "gain",
    "get",
    "recipe",
    "replay",
    "serialize",
    "sources",
    "testing",
]

# Loaded at first use, so that `import glorot` stays light.
_LAZY_MODULES = {
    "checkpoint",
    "compat",
    "jax",
    "keras",
    "recipe",
    "replay",
    "sources",
    "tensorflow",
    "testing",
    "torch",
}
_LAZY_NAMES = {
    "Fingerprint": "_fingerprint",
    "Recipe": "recipe",
    "Rule": "recipe",
    "audit": "_audit",
    "fingerprint": "_fingerprint",
    "gain": "_gain",
}


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("glorot")
    except metadata.PackageNotFoundError:
        return "0+source"  # run from a source tree that is not installed


if not TYPE_CHECKING:  # to which every name would be there, a misspelt one too

    def __getattr__(name: str) -> Any:
        if name in _LAZY_MODULES:
            return importlib.import_module(f"glorot.{name}")
        if name in _LAZY_NAMES:
            return getattr(importlib.import_module(f"glorot.{_LAZY_NAMES[name]}"), name)
        if name == "__version__":
            return _version()
        # With both, Python says which name is near.
        raise AttributeError(
            f"module 'glorot' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def config() -> dict[str, Any]:
    """Return what this installation uses: versions, kernel and threads.

    Examples:
        >>> import glorot
        >>> list(glorot.config())
        ['version', 'stream', 'target', 'threads', 'numpy']
    """
    import numpy as np

    from glorot import _kernel, _stream

    return {
        "version": _version(),
        "stream": _stream.STREAM_VERSION,
        "target": _kernel.target(),
        "threads": _kernel.allowed_threads(),
        "numpy": np.__version__,
    }
