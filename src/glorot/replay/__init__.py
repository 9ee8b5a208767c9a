# SPDX-License-Identifier: Apache-2.0
"""The frameworks' own draws, bit for bit, without the frameworks.

Each package here has the names its framework has, and imports none of it.  `guarantee` says what
each function promises.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glorot.replay._guarantee import PACKAGES, Guarantee, guarantee

if TYPE_CHECKING:
    from glorot.replay import flax as flax
    from glorot.replay import jax as jax
    from glorot.replay import keras as keras
    from glorot.replay import tensorflow as tensorflow
    from glorot.replay import torch as torch

__all__ = ["Guarantee", "guarantee"]


def __getattr__(name: str) -> Any:
    if name in PACKAGES:  # imported when first used, so that one of them does not pay for the rest
        return importlib.import_module(f"glorot.replay.{name}")
    raise AttributeError(f"module 'glorot.replay' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *PACKAGES])
