# SPDX-License-Identifier: Apache-2.0
"""Layouts: what letters, names of frameworks and einsum equations say of a weight's axes."""

from collections.abc import Sequence

from glorot import _check

# The roles, in canonical order: batch, spatial, channel group, in, both, out.
BATCH, SPATIAL, GROUP, INPUT, BOTH, OUTPUT = CANONICAL = "BSGINO"

# What a layout's letters mean: framework names for spatial and channel axes among them.
LETTERS = {
    "B": BATCH,
    "G": GROUP,
    "C": GROUP,
    "I": INPUT,
    "O": OUTPUT,
    "N": BOTH,
    "H": SPATIAL,
    "W": SPATIAL,
    "D": SPATIAL,
    "L": SPATIAL,
    "T": SPATIAL,
    "*": "*",
}

LAYOUTS = {
    "dense": "IO",
    "bias": "N",
    "embedding": "BN",
    "keras.dense": "IO",
    "keras.conv": "*IO",
    "keras.conv_transpose": "*OI",
    "keras.depthwise_conv": "*GO",
    "keras.attention_qkv": "IOO",
    "keras.attention_out": "IIO",
    "torch.linear": "OI",
    "torch.bilinear": "OII",
    "torch.conv": "OI*",
    "torch.conv_transpose": "IO*",
    "transformers.conv1d": "IO",
    "flax.dense": "IO",
    "flax.conv": "*IO",
    "flax.conv_transpose": "*IO",
    "flax.conv_transpose.transpose_kernel": "*OI",
    "flax.attention_qkv": "IOO",
    "flax.attention_out": "IIO",
    "mlx.linear": "OI",
    "mlx.conv": "O*I",
    "mlx.conv_transpose": "O*I",
}

# Grouped convolutions store the channels of one group on one axis and those of all groups on the
# other, which `groups` divides: the output axis, but the input axis in these.
GROUPS_DIVIDE_INPUT = {"torch.conv_transpose"}


def parse_layout(layout: str) -> str:
    """The roles that a layout's letters mean, with its "*" kept."""
    if not isinstance(layout, str):
        raise TypeError(
            f"`layout` must be a string, got {_check.show(layout)} of {type(layout).__name__}."
        )
    letters = LAYOUTS.get(layout, layout)
    if not set(letters) <= set(LETTERS):
        raise ValueError(
            f"`layout` must be one letter an axis of {''.join(LETTERS)}, or a named layout; got "
            f"{layout!r}. {_check.near(layout, tuple(LAYOUTS))}"
        )
    if letters.count("*") > 1:
        raise ValueError(f"`layout` can hold one *, got {layout!r}.")
    return "".join(LETTERS[letter] for letter in letters)


def parse_equation(equation: str) -> str:
    """The roles of the axes of an einsum's second operand, the weight.

    Examples:
        >>> parse_equation("btd,dhk->bthk"), parse_equation("ebd,edf->ebf")
        ('IOO', 'BIO')
    """
    if not isinstance(equation, str):
        raise TypeError(f"`equation` must be a string, got {_check.show(equation)}.")
    operands, arrow, result = equation.replace(" ", "").replace("...", "").partition("->")
    inputs, comma, weight = operands.partition(",")
    terms = inputs + weight + result
    elided = "..." in equation.partition(",")[2].partition("->")[0]
    if not (arrow and comma) or elided or (terms and not terms.isalpha()):
        raise ValueError(
            "`equation` must be an einsum of two operands, the weight second and without "
            f"ellipsis, such as 'btd,dhk->bthk'; got {equation!r}."
        )
    for term, of in ((weight, "the weight"), (inputs, "the input"), (result, "the result")):
        if len(set(term)) < len(term):
            raise ValueError(f"`equation` must name each axis of {of} once, got {equation!r}.")
    nowhere = [axis for axis in result if axis not in inputs + weight]
    if nowhere:
        raise ValueError(
            f"axis {nowhere[0]!r} of the result in `equation` {equation!r} must also be in the "
            "input or in the weight."
        )
    roles = {(True, True): BATCH, (True, False): INPUT, (False, True): OUTPUT}
    unused = [axis for axis in weight if axis not in inputs + result]
    if unused:
        raise ValueError(
            f"axis {unused[0]!r} of the weight in `equation` {equation!r} must also be in the "
            "input or in the result."
        )
    return "".join(roles[axis in inputs, axis in result] for axis in weight)


def expand(letters: str, shape: Sequence[int], given: str | None) -> str:
    """The roles of the axes of `shape`, the "*" replaced by as many spatial ones as it takes."""
    missing = len(shape) - len(letters) + letters.count("*")
    if missing < 0 or ("*" not in letters and missing):
        raise ValueError(
            f"{given!r} names {len(letters.replace('*', ''))} axes"
            f"{' and any number more' if '*' in letters else ''}; shape {tuple(shape)} has "
            f"{len(shape)}."
        )
    return letters.replace("*", SPATIAL * missing)
