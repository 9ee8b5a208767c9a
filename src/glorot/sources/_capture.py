# SPDX-License-Identifier: Apache-2.0
"""The recipe of what a model's own code does, for the sources that run code."""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from glorot import _check
from glorot._loaded import is_a
from glorot.recipe import Recipe, Rule
from glorot.sources import _callable, _flax, _timm, _transformers
from glorot.sources._apart import runs_code
from glorot.sources._frameworks import building, meta, require, said


def capture(source: Any, *, rules: Iterable[Rule] | Recipe = (), leave_out: bool = False) -> Recipe:
    """Return a recipe of the laws by which a model's own code gives its parameters values.

    For models that no preset is for: of transformers, of timm, and your own.

    Args:
        source: a Hugging Face `config.json` or a folder that has one; "timm:NAME";
            "package.module:callable", a callable that returns a torch module, a Keras model, or
            what `glorot.jax.capture` takes.
        rules, leave_out: as `glorot.torch.capture` takes them.

    Raises:
        ValueError: another source; as `capture` of `glorot.torch`, `glorot.keras` or `glorot.jax`.
        TypeError: a callable that returns something else.
        ImportError: a framework that this source needs is not installed.
        OSError: a file that is not there, or cannot be read.
    """
    path = _check.path("source", source, needed="the path or name of a model's code")
    if not runs_code(os.fspath(source)):
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist.")
        raise ValueError(
            f"{path} has no code to watch: give a Hugging Face config.json, timm:NAME, or "
            "package.module:callable. A checkpoint's own values are what `glorot inspect` shows."
        )
    with _builder(os.fspath(source), path) as (framework, build):
        require(framework, "captured model")
        watch = importlib.import_module(f"glorot.{framework}").capture
        try:
            recipe: Recipe = watch(build, rules=rules, leave_out=leave_out)
        except (ValueError, TypeError) as error:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(f"{source}: {error}") from None
        except Exception as error:
            raise ValueError(f"{source} cannot be built ({said(error)}).") from None
    return recipe


def _framework(source: str, build: Callable[[], Any]) -> str:
    """The framework of what `build` returns, which may import it when it is called."""
    if "jax" in sys.modules and "keras" not in sys.modules and _is_tree(build):
        return "jax"
    value = _callable.call(source, build)
    if is_a(value, "keras", "Layer"):
        return "keras"
    if is_a(value, "torch", "nn.Module"):
        return "torch"
    if "jax" in sys.modules and (_flax.is_module(value) or _holds_arrays(value)):
        return "jax"
    raise TypeError(
        f"{source} must return a torch module, a Keras model, a flax or Equinox module, or a tree "
        f"of JAX's arrays; got {_check.show(value)} of {type(value).__name__}."
    )


def _is_tree(build: Callable[[], Any]) -> bool:
    """Whether it returns a tree of JAX's arrays, which then need no memory."""
    jax = sys.modules["jax"]
    try:
        with meta():
            found = jax.eval_shape(build)
    except Exception:  # the callable's own errors come again when it is called
        return False
    return not any(leaf is found for leaf in jax.tree.leaves(found))


def _holds_arrays(value: Any) -> bool:
    """Whether a tree, as an Equinox module is, has arrays."""
    leaves = sys.modules["jax"].tree.leaves(value)
    return any(hasattr(leaf, "dtype") for leaf in leaves)


@contextlib.contextmanager
def _builder(source: str, path: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(the framework, what builds the model)."""
    if source.startswith(_timm.PREFIX):
        with building():
            yield "torch", _timm.builder(source.removeprefix(_timm.PREFIX))
    elif path.exists():
        with building():
            config = path / _transformers.NAME if path.is_dir() else path
            yield "torch", _transformers.builder(config)
    else:
        with _callable.builder(source) as build:
            yield _framework(source, build), build
