# SPDX-License-Identifier: Apache-2.0
"""Which framework a value is of, without importing any: one that is not loaded made no value."""

import sys
from typing import Any


def is_a(value: Any, module: str, path: str) -> bool:
    """Whether `value` is of a class of a framework, which is loaded if so.

    Examples:
        >>> from fractions import Fraction
        >>> is_a(Fraction(1, 2), "fractions", "Fraction"), is_a(1, "not_loaded", "nn.Module")
        (True, False)
    """
    owner: Any = sys.modules.get(module)
    for part in path.split("."):
        owner = getattr(owner, part, None)
    return isinstance(owner, type) and isinstance(value, owner)
