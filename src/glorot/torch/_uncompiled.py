# SPDX-License-Identifier: Apache-2.0
"""Calls that torch.compile must not look into; importing this loads the compiler."""

from collections.abc import Callable
from typing import Any

import torch


@torch.compiler.disable(reason="glorot.torch fills memory in place: call it outside of the graph")
def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return `function(*args, **kwargs)`."""
    return function(*args, **kwargs)
