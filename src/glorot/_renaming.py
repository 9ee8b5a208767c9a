# SPDX-License-Identifier: Apache-2.0
"""`names` of adapters: other names for a model's weights."""

from collections.abc import Callable, Mapping

from glorot import _check

Names = Mapping[str, str] | Callable[[str], str] | None


class Renaming:
    """The function from names to names that `names` means."""

    def __init__(self, names: Names) -> None:
        if not (names is None or isinstance(names, Mapping) or callable(names)):
            raise TypeError(
                "`names` must be a mapping from names to names, or a function of a name; got "
                f"{_check.show(names)} of {type(names).__name__}."
            )
        self._names = names
        self._met: dict[str, None] = {}

    def __call__(self, name: str) -> str:
        if self._names is None:
            return name
        if isinstance(self._names, Mapping):
            self._met[name] = None
            return self._names.get(name, name)
        return self._names(name)

    def check(self, model: str) -> None:
        """Refuse a mapping from a name that nothing in `model` has: its weight would be drawn
        under another name than the one meant.

        Raises:
            ValueError: there is such a name; near ones are listed.
        """
        for name in self._names if isinstance(self._names, Mapping) else ():
            if name not in self._met:
                raise ValueError(
                    f"`names` has {_check.show(name)}, which nothing in {model} is called. "
                    f"{_check.near(str(name), tuple(self._met))}"
                )
