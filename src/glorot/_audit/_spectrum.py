# SPDX-License-Identifier: Apache-2.0
"""The range of a weight's singular values.

Exact where the shorter side is small: the eigenvalues of its Gram matrix, added up row by row, so
that a singular value is within 1e-8 of the largest.  Else by Lanczos' method from a random vector,
whose largest is good and whose smallest is at most somewhat too large.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from glorot._audit._measure import Array
from glorot._audit._parameter import Parameter
from glorot._fans import permutation

GRAM = 256  # the shorter side, up to which the range is exact
HELD = 1 << 22  # elements of a stack that is held in float64; larger ones are read in rows
_STEPS = 20
_MATRICES = 8  # of a stack, by Lanczos' method
_MOST = 1e70  # beyond which squares of squares overflow, and nothing was initialised


class Spectrum(NamedTuple):
    """The smallest and the largest singular value, over the matrices of a stack."""

    smallest: float
    largest: float
    exact: bool


def spectrum(parameter: Parameter, roles: str) -> Spectrum | None:
    """Return the range, or None for what is no matrix, or holds what is no number or has no square;
    `roles` are those of the axes, or "".

    Of a stack that is not exact the first 8 matrices count; a tensor too large to be held is the
    matrix of its first or last axis, whichever is the output, against the others.
    """
    shape = parameter.spec.shape
    count = math.prod(shape)
    if len(shape) < 2 or not count:
        return None
    axes, (number, rows, columns) = _matrices(shape, roles)
    if min(rows, columns) < 2:
        return None
    if count > HELD:
        first = shape[0] if axes[-1] == 0 else math.prod(shape[:-1])
        with np.errstate(over="ignore", invalid="ignore"):
            return _of_rows(parameter, first, count // first)
    with np.errstate(invalid="ignore"):
        whole = parameter.read(0, count).astype(np.float64).reshape(shape)
    stack = whole.transpose(axes).reshape(number, rows, columns)
    if not max(stack.max(), -stack.min()) < _MOST:
        return None
    if min(rows, columns) <= GRAM:
        turned = stack.transpose(0, 2, 1)
        gram = turned @ stack if columns <= rows else stack @ turned
        values = np.linalg.eigvalsh(gram)
        return _roots(values.min(), values.max(), exact=True)
    ends = [_of_matrix(matrix) for matrix in stack[:_MATRICES]]
    return _roots(min(low for low, _ in ends), max(high for _, high in ends), exact=False)


def _roots(low: float, high: float, *, exact: bool) -> Spectrum:
    return Spectrum(math.sqrt(max(0.0, low)), math.sqrt(max(0.0, high)), exact)


def _matrices(shape: tuple[int, ...], roles: str) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    """The axes in the order (stack, rows, columns), and the sizes of these."""
    if "O" not in roles or not {"I", "S"} & set(roles):
        return tuple(range(len(shape))), (1, math.prod(shape[:-1]), shape[-1])
    number, rows, columns = (
        math.prod(n for n, role in zip(shape, roles, strict=True) if role in group)
        for group in ("BG", "SIN", "O")
    )
    return permutation(roles, "BGSINO"), (number, rows, columns)


def _of_matrix(matrix: Array) -> tuple[float, float]:
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    return _lanczos(lambda v: tall.T @ (tall @ v), tall.shape[1])


def _of_rows(parameter: Parameter, rows: int, columns: int) -> Spectrum | None:
    """Of a matrix that is read again for each step, some rows at a time."""
    held = max(1, (1 << 20) // columns)

    def blocks() -> Iterator[tuple[slice, Array]]:
        for first in range(0, rows, held):
            last = min(rows, first + held)
            with np.errstate(invalid="ignore"):
                values = parameter.read(first * columns, last * columns).astype(np.float64)
            yield slice(first, last), values.reshape(-1, columns)

    def tall(v: Array) -> Array:
        total = np.zeros(columns)
        for _, block in blocks():
            total += block.T @ (block @ v)
        return total

    def wide(u: Array) -> Array:
        inner = np.zeros(columns)
        for where, block in blocks():
            inner += block.T @ u[where]
        return np.concatenate([block @ inner for _, block in blocks()])

    if columns <= GRAM:
        gram = np.zeros((columns, columns))
        for _, block in blocks():
            gram += block.T @ block
        if not np.isfinite(gram).all():
            return None
        values = np.linalg.eigvalsh(gram)
        return _roots(float(values[0]), float(values[-1]), exact=True)
    low, high = _lanczos(tall, columns) if rows >= columns else _lanczos(wide, rows)
    return _roots(low, high, exact=False) if math.isfinite(high) else None


def _lanczos(product: Callable[[Array], Array], size: int) -> tuple[float, float]:
    """The outermost eigenvalues of a symmetric matrix that is only multiplied."""
    start = np.random.default_rng(0).standard_normal(size)
    basis = [start / np.linalg.norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(_STEPS, size)):
        image = product(basis[-1])
        if not np.isfinite(image).all():
            return math.nan, math.nan
        diagonal.append(float(image @ basis[-1]))
        for _ in range(2):  # twice is enough to stay orthogonal
            for vector in basis:
                image = image - (image @ vector) * vector
        length = float(np.linalg.norm(image))
        if not math.isfinite(length):
            return math.nan, math.nan
        if length <= 1e-12 * max(abs(d) for d in diagonal):
            break
        beside.append(length)
        basis.append(image / length)
    beside = beside[: len(diagonal) - 1]
    matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    values = np.linalg.eigvalsh(matrix)
    return float(values[0]), float(values[-1])
