# SPDX-License-Identifier: Apache-2.0
"""E[f(z)^2] and E[f'(z)^2] for z ~ N(0, 1): adaptive Gauss-Legendre quadrature on panels.

A panel is halved while its integral and the sum of its halves' differ; a kink ends up in a panel
so narrow that it does not count.  Derivatives come from the polynomial through a panel's nodes,
so that any function will do.
"""

import functools
import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_NODES = 20
_REACH = 38.0  # beyond it the density is below the smallest float64
_TOLERANCE = 1e-13  # of the whole; what is promised is 1e-10
_MOST_HALVINGS = 4000
_NARROWEST = 2.0**-60  # long before, a kink's or a jump's panel counts for nothing


def mean_square(function: Callable[[Array], Array], *, derivative: bool = False) -> float:
    """Return E[f(z)^2], or E[f'(z)^2], for a standard normal z.

    Raises:
        ValueError: values that are not finite, or an integral that does not settle: the function
            jumps, or grows too fast.
    """
    # Where activations have their kinks, a panel begins.
    inner = [k / 2 for k in range(-16, 17)]
    edges = [-_REACH, -24.0, -16.0, -12.0, *inner, 12.0, 16.0, 24.0, _REACH]
    panels: list[tuple[float, float, float, tuple[float, ...]]] = []

    def push(low: float, high: float, value: float) -> tuple[float, float]:
        middle = (low + high) / 2
        left = _panel(function, low, middle, derivative)
        right = _panel(function, middle, high, derivative)
        error = abs(value - left - right)
        heapq.heappush(panels, (-error, low, high, (left, right)))
        return left + right, error

    total = doubt = 0.0

    def count(found: tuple[float, float]) -> None:
        nonlocal total, doubt
        total, doubt = total + found[0], doubt + found[1]

    for low, high in itertools.pairwise(edges):
        count(push(low, high, _panel(function, low, high, derivative)))
    for _ in range(_MOST_HALVINGS):
        if doubt <= _TOLERANCE * abs(total):
            return math.fsum(part for panel in panels for part in panel[3])
        error, low, high, (left, right) = heapq.heappop(panels)
        if high - low < _NARROWEST:
            break
        count((-left - right, error))
        count(push(low, (low + high) / 2, left))
        count(push((low + high) / 2, high, right))
    raise ValueError(
        "its mean square under a normal input does not settle: it jumps, or grows too fast"
        + (", so that it has no gain backward." if derivative else ".")
    )


@functools.cache
def _rule() -> tuple[Array, Array, Array]:
    """(nodes, weights, differentiation matrix) on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    apart = nodes[:, None] - nodes[None, :] + np.eye(_NODES)
    scale = np.prod(apart, axis=1)  # barycentric: f'(x_i) = sum_j D_ij f(x_j)
    matrix = scale[:, None] / scale[None, :] / apart
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return nodes, weights, matrix


def _panel(function: Callable[[Array], Array], low: float, high: float, derivative: bool) -> float:
    nodes, weights, matrix = _rule()
    half = (high - low) / 2
    z = (low + high) / 2 + half * nodes
    values = _values(function, z)
    if derivative:
        values = matrix @ values / half
    with np.errstate(under="ignore"):
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        return float(half * (weights @ (values * values * density)))


def _values(function: Callable[[Array], Array], z: Array) -> Array:
    with np.errstate(under="ignore"):
        found = np.asarray(function(z))
    if found.shape != z.shape or found.dtype.kind not in "fiub":
        raise TypeError(
            f"`activation` must map an array of numbers to one of the same shape; for shape "
            f"{z.shape} it gave {found.dtype} of shape {found.shape}."
        )
    values = found.astype(np.float64)
    if not np.isfinite(values).all() or abs(values).max() > 1e150:
        at = z[np.argmax(~np.isfinite(values) | (abs(values) > 1e150))]
        raise ValueError(f"its value at {at:.6g} is not finite, or beyond 1e150.")
    return values
