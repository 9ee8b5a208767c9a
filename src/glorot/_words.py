# SPDX-License-Identifier: Apache-2.0
"""Words that go with numbers."""


def counted(number: int, noun: str) -> str:
    """A number of things.

    Examples:
        >>> counted(1, "file"), counted(1351, "test")
        ('1 file', '1,351 tests')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
