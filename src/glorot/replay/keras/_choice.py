# SPDX-License-Identifier: Apache-2.0
"""Which backend a call means: the one it is given, or else the one that is set."""

from typing import NamedTuple

from glorot.replay.keras import config
from glorot.replay.keras._backend import BACKENDS, Backend, check_backend, load_backend


class Choice(NamedTuple):
    """A backend in use: what was given, or where nothing was, what is set."""

    name: str
    backend: Backend
    arithmetic: str


def choose(backend: str | None, arithmetic: str | None) -> Choice:
    """The backend meant by the arguments `backend` and `arithmetic` of a call."""
    name = config.backend() if backend is None else check_backend(backend)
    if name is None:
        raise ValueError(
            "`backend` must say whose numbers these are, one of "
            f"{', '.join(BACKENDS)}: the same seed gives other numbers on each. Pass backend=, or "
            "call keras.config.set_backend first."
        )
    if arithmetic is None:
        arithmetic = config.arithmetic() if name == config.backend() else "fma"
    return Choice(name, load_backend(name, arithmetic), arithmetic)
