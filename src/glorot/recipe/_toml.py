# SPDX-License-Identifier: Apache-2.0
"""Recipes as TOML: read by the standard library, written one rule a line."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from glorot.recipe._shapes import decode

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read(text: str | bytes, what: str) -> Any:
    """Return what TOML text holds.

    Raises:
        ValueError: not UTF-8, or not TOML.
    """
    content = decode(text, what)
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply to be one.") from None
    except ValueError as error:
        raise ValueError(f"{what} cannot be read as TOML: {error}.") from None


def write(content: Mapping[str, Any]) -> str:
    """Return a recipe's content as TOML: variables and rules one a line, the rest in one."""
    lines = []
    for key, value in content.items():
        if key == "rules":
            rules = "".join(f"  {_value(rule)},\n" for rule in value)
            lines.append(f"rules = [\n{rules}]")
        elif key == "variables":
            lines += [f"variables.{_key(name)} = {_value(item)}" for name, item in value.items()]
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        # TOML has no null: an option of an initializer that is None is left out, as a default is.
        rows = [f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None]
        return "{ " + ", ".join(rows) + " }" if rows else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)  # numbers, true and false are written alike
