# SPDX-License-Identifier: Apache-2.0
"""The names TensorFlow has and this namespace has not: every one says what to use instead."""

from collections.abc import Callable
from typing import Any

from glorot.compat.v1._initializers import NORMALS_ABSENT

NORMAL_NAMES = {
    "GlorotNormal": "GlorotNormal",
    "HeNormal": "HeNormal",
    "LecunNormal": "LecunNormal",
    "Orthogonal": "Orthogonal",
    "RandomNormal": "RandomNormal",
    "TruncatedNormal": "TruncatedNormal",
    "glorot_normal": "GlorotNormal",
    "he_normal": "HeNormal",
    "lecun_normal": "LecunNormal",
    "normal": "RandomNormal",
    "orthogonal": "Orthogonal",
    "random_normal": "RandomNormal",
    "truncated_normal": "TruncatedNormal",
}


def explanation(name: str) -> str | None:
    """Why `name` is missing, if TensorFlow has it: all of these draw normals."""
    ours = NORMAL_NAMES.get(name.removesuffix("_initializer"))
    if ours is None:
        return None
    return f"{NORMALS_ABSENT}, or glorot.{ours}, whose normals are glorot's own."


def module_getattr(module: str) -> Callable[[str], Any]:
    """A module's `__getattr__` that explains the names it lacks."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        why = explanation(name)
        message = f"module {module!r} has no attribute {name!r}"
        raise AttributeError(f"{message}: {why}" if why else message)

    return __getattr__
