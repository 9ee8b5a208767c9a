# SPDX-License-Identifier: Apache-2.0
"""`package.module:callable`: the model that a function of the user's returns, or a class makes.

It is called without arguments, and in such a way that the model takes no memory: on torch's meta
device, under flax's abstract evaluation, without values for Keras' variables.
"""

import contextlib
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from glorot import _check
from glorot.sources import _equinox, _flax, _keras
from glorot.sources._frameworks import building, meta, said
from glorot.sources._models import is_model, of_model
from glorot.sources._source import Source

FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def read(text: str) -> Source:
    """Return the parameters of the model that `package.module:callable` returns.

    Raises:
        ValueError: no such module or callable, one that raises, or that returns something else.
        TypeError: it is there and cannot be called.
    """
    with building(offline=False), _here():
        found = _look_up(text)
        if not is_model(found):
            if not callable(found):
                raise TypeError(
                    f"{text} must be a callable that returns a model, got {_check.show(found)} of "
                    f"{type(found).__name__}."
                )
            found = call(text, found)
        try:
            return of_model(found)
        except TypeError as error:
            raise TypeError(f"{text} returned what is no model: {error}") from None
        except ValueError as error:
            raise ValueError(f"{text}: {error}") from None


@contextlib.contextmanager
def builder(text: str) -> Iterator[Callable[[], Any]]:
    """Within it, the callable itself can be called.

    Raises:
        ValueError: no such module or callable.
        TypeError: it is there and cannot be called.
    """
    with building(offline=False), _here():
        found = _look_up(text)
        if is_model(found) or not callable(found):
            raise TypeError(
                f"{text} must be a callable that returns a model: what its code writes is seen "
                f"while it runs. Got {_check.show(found)} of {type(found).__name__}."
            )
        yield found


@contextlib.contextmanager
def _here() -> Iterator[None]:
    """Let modules of the current folder be found, as `python -m` finds them."""
    before = list(sys.path)
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if sys.path[:1] == [""] and sys.path[1:] == before:
            sys.path[:] = before


def _look_up(text: str) -> Any:
    module, _, path = text.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{text}: no module is called {error.name!r}, neither installed nor in the "
                "current folder."
            ) from None
        raise ValueError(f"{text}: {module} cannot be imported ({said(error)}).") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{text}: {module} cannot be imported ({said(error)}).") from None
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            names = [name for name in dir(found) if not name.startswith("_")]
            near = f" {_check.near(part, names)}" if names else ""
            raise ValueError(f"{text}: there is no {part!r}.{near}") from None
    return found


def call(text: str, build: Any) -> Any:
    """Return what the callable returns, built without memory if that is possible.

    Raises:
        ValueError: it raised something.
    """
    try:
        with meta(), _keras.valueless():
            if "keras" in sys.modules:  # which counts its layers: it is called once
                return build()
            abstract = _flax.abstract(build)
            if abstract is None:
                abstract = _equinox.abstract(build)
            return build() if abstract is None else abstract
    except (Exception, SystemExit) as error:
        if not _for_want_of_values(error):
            raise ValueError(f"{text} raised {said(error)}") from None
    try:
        return build()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{text} raised {said(error)}") from None


def _for_want_of_values(error: BaseException) -> bool:
    """Whether an error may come from there being no values, which the callable looks at."""
    return "keras" in sys.modules or ("torch" in sys.modules and "meta" in str(error).lower())
