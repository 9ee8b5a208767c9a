# SPDX-License-Identifier: Apache-2.0
"""orthogonal_ and sparse_: what is drawn is worked on as a matrix."""

import math
from typing import Any

import numpy as np

from glorot._check import parse_shape, show
from glorot._dtypes import dtype_name
from glorot.replay.torch import _normal, _randperm
from glorot.replay.torch._arguments import FLOAT32, FLOAT64, Array, dtype_of, number
from glorot.replay.torch._generator import Generator, resolve


def orthogonal(
    shape: Any, gain: float = 1, generator: Generator | None = None, *, dtype: Any = None
) -> Array:
    """What `torch.nn.init.orthogonal_` makes: a (semi-)orthogonal matrix (Saxe et al., 2013).

    The normals it starts from are torch's to the bit.  The QR factorisation is not: torch's is
    LAPACK's in the dtype, whose last bits are its own; here it is NumPy's in float64, rounded once.

    Args:
        shape: 2 axes or more; all but the first are flattened.
        gain: a factor.
        generator: as `uniform`.
        dtype: float32 (also for None) or float64; torch has no QR of the half types.

    Returns:
        A new array, within 8 * gain * eps * (the condition number of the matrix drawn) of torch's,
        eps being 2**-23 or 2**-52.  The largest differences seen, gain 1: 1.3e-6 and 3.9e-15 over
        300 shapes up to 512 x 512; 3.8e-6 and 1.2e-14 over 6000 of up to 12 x 12.

    Raises:
        TypeError, RuntimeError: as `uniform`; TypeError for a half type.
        ValueError: `shape` has fewer than 2 axes.

    Replays PyTorch 2.13.0: near; `glorot.replay.guarantee` says how near.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> q = orthogonal((2, 2), generator=Generator().manual_seed(42), dtype="float64")
        >>> bool(abs(q @ q.T - [[1, 0], [0, 1]]).max() < 1e-15)
        True
    """
    sizes, factor, found = parse_shape(shape), number("gain", gain), dtype_of(dtype)
    if len(sizes) < 2:
        raise ValueError(
            f"Only tensors with 2 or more dimensions are supported, got `shape` {show(sizes)}."
        )
    out = np.zeros(sizes, dtype=found)
    if out.size == 0:
        return out
    if found not in (FLOAT32, FLOAT64):
        raise TypeError(
            f"`dtype` must be float32 or float64, got {dtype_name(found)}: torch has no QR "
            "factorisation of the half types."
        )
    rows, columns = sizes[0], out.size // sizes[0]
    drawn = _normal.normal((rows, columns), 0.0, 1.0, found, resolve(generator))
    tall = (drawn.T if rows < columns else drawn).astype(np.float64)
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diagonal(r))
    out[...] = ((q.T if rows < columns else q) * factor).reshape(sizes)
    return out


def _chooser() -> Generator:
    """The default generator, which `sparse` needs whatever generator it is given."""
    try:
        return resolve(None)
    except RuntimeError:
        raise RuntimeError(
            "torch draws which entries of `sparse` are 0 from the default generator, whatever "
            "`generator` is, and that one has no seed. Call "
            "glorot.replay.torch.manual_seed(seed) first."
        ) from None


def sparse(
    shape: Any,
    sparsity: float,
    std: float = 0.01,
    generator: Generator | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """What `torch.nn.init.sparse_` draws: normals, some of each column set to 0 (Martens, 2010).

    torch draws which entries are 0 from the DEFAULT generator, whatever `generator` is given, so
    that one must be seeded here too.

    Args:
        shape: (rows, columns).
        sparsity: the fraction of each column that is 0, rounded up; a negative one keeps that
            fraction, as a slice does.
        std: of the others.
        generator, dtype: as `uniform`.

    Returns:
        A new array.

    Raises:
        TypeError, ValueError, RuntimeError: as `normal`; ValueError for other than 2 axes;
            RuntimeError where the default generator has no seed.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> (sparse((4, 3), 0.5) == 0).sum(axis=0)
        array([2, 2, 2])
    """
    sizes, fraction = parse_shape(shape), number("sparsity", sparsity)
    if len(sizes) != 2:
        raise ValueError(
            f"Only tensors with 2 dimensions are supported, got `shape` {show(sizes)}."
        )
    rows, columns = sizes
    zero = math.ceil(fraction * rows)
    spread, found, source = number("std", std), dtype_of(dtype), resolve(generator)
    chooser = _chooser() if columns else source
    out = _normal.normal(sizes, 0.0, spread, found, source)
    for column in range(columns):
        out[_randperm.randperm(rows, generator=chooser)[:zero], column] = 0
    return out
