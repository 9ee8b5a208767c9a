# SPDX-License-Identifier: Apache-2.0
"""Frameworks are imported when a source needs one, and what is missing is said with its extra."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any


def require(framework: str, what: str, extra: str = "") -> Any:
    """Return a framework's module.

    Args:
        framework: its name.
        what: is to be read.
        extra: of this package, that installs all which is needed; "" for the framework's name.

    Raises:
        ImportError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(framework)
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise broken(framework, what, error) from None
        raise ModuleNotFoundError(
            f"a {what} needs {framework}, which is not installed: pip install "
            f"'glorot[{extra or framework}]'.",
            name=framework,
        ) from None
    except Exception as error:
        raise broken(framework, what, error) from None


def broken(framework: str, what: str, error: BaseException) -> ImportError:
    """Return the error for a framework that is there and does not work."""
    return ImportError(
        f"a {what} needs {framework}, which is installed and cannot be imported: {said(error)}"
    )


def said(error: BaseException) -> str:
    """An error of other people's code, on one line.

    Examples:
        >>> said(KeyError("depth"))
        "KeyError: 'depth'"
    """
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:500]}" if text else name


@contextlib.contextmanager
def building(*, offline: bool = True) -> Iterator[None]:
    """Let others build a model: torch's generator stays as it is, what they print goes to stderr,
    and if `offline` nothing is downloaded from Hugging Face's hub."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        if offline:
            stack.enter_context(_offline())
        torch = sys.modules.get("torch")
        if torch is not None:
            stack.enter_context(torch.random.fork_rng(devices=[]))
        yield


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The hub's own switch, which it reads when it is imported, and again at each request."""
    before = os.environ.get("HF_HUB_OFFLINE")
    constants = sys.modules.get("huggingface_hub.constants")
    known = getattr(constants, "HF_HUB_OFFLINE", None)
    os.environ["HF_HUB_OFFLINE"] = "1"
    if known is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[union-attr]
    try:
        yield
    finally:
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before
        loaded = sys.modules.get("huggingface_hub.constants")
        if loaded is not None:
            # One that was imported meanwhile has read the switch as it stands above.
            loaded.HF_HUB_OFFLINE = (  # type: ignore[attr-defined]
                known if known is not None else before in ("1", "ON", "YES", "TRUE")
            )


def meta() -> Any:
    """torch's meta device, where tensors have no memory, as a context; nothing where torch is not
    loaded."""
    torch = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.device("meta")
