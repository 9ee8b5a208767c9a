# SPDX-License-Identifier: Apache-2.0
"""One parameter of a model, wherever its values are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot.recipe import TensorSpec

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that can be read a run at a time.

    Attributes:
        spec: its shape and dtype, and what the layer around it says of its axes.
        read: (start, stop) -> elements [start, stop) of it, flattened row-major, as a 1-D array.
        memory: equal for two names of the same memory; None where each has its own.
        broken: what is wrong with where it is stored; it is not read then.
        refused: why its values cannot be audited; raised unless a rule leaves it out.
    """

    name: str
    spec: TensorSpec
    read: Callable[[int, int], Array]
    memory: object = None
    broken: str = ""
    refused: Exception | None = None
