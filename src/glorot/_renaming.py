# SPDX-License-Identifier: Apache-2.0
"""`names` of adapters: other names for a model's weights."""

from collections.abc import Callable, Mapping

from glorot import _check

Names = Mapping[str, str] | Callable[[str], str] | None


def renaming(names: Names) -> Callable[[str], str]:
    """The function from names to names that `names` means."""
    if names is None:
        return lambda name: name
    if isinstance(names, Mapping):
        return lambda name: names.get(name, name)
    if callable(names):
        return names
    raise TypeError(
        "`names` must be a mapping from names to names, or a function of a name; got "
        f"{_check.show(names)} of {type(names).__name__}."
    )
