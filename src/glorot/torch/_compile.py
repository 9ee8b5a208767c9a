# SPDX-License-Identifier: Apache-2.0
"""torch.compile and what fills memory: it runs as it is, between two compiled graphs."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def uncompiled(function: Function) -> Function:
    """Have torch.compile break its graph at this function, and not look inside of it."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # only then: loading the compiler takes seconds
            from glorot.torch._uncompiled import run

            return run(function, *args, **kwargs)
        return function(*args, **kwargs)

    return cast(Function, call)
