# SPDX-License-Identifier: Apache-2.0
"""Words that go with numbers."""


def counted(number: int, noun: str) -> str:
    """A number of things.

    Examples:
        >>> counted(1, "file"), counted(1351, "test")
        ('1 file', '1,351 tests')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def digits_apart(*pairs: tuple[float, float], least: int = 4) -> int:
    """The fewest significant digits, at least so many, in which no two unlike numbers of a pair
    look alike.

    Examples:
        >>> digits_apart((1.0, 2.0)), digits_apart((1.0, 1.00001), (0.5, 0.5))
        (4, 6)
    """
    digits = least
    while digits < 17 and any(
        (a < b or a > b) and f"{a:.{digits}g}" == f"{b:.{digits}g}" for a, b in pairs
    ):
        digits += 1
    return digits
