# SPDX-License-Identifier: Apache-2.0
"""Every float32 that a normal draw of JAX can start from, and erf over all of them, to the bit.

    python tests/oracle/jax_exhaustive.py

A float32 draw has 2**23 mantissas.  JAX's own compiled samplers are given all of them in place of
random bits, and so are glorot.replay.jax's laws.
"""

import os
import sys

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")

COUNT = 1 << 23
PART = 1 << 16
CUTS = [(-2.0, 2.0), (0.0, np.inf), (-np.inf, 0.0), (-1.0, 3.0), (2.5, 4.0)]


def jax_values(jax, sampler, *limits):
    """The sampler's values where the bits are 0, 1 << 9, 2 << 9, ...

    The limits are arguments of what is compiled, as when a sampler is called by itself: of
    constants XLA computes erf while it compiles, with another erf.
    """
    from jax._src.random import core

    bits = jax.numpy.arange(COUNT, dtype="uint32") << 9
    before = core._random_bits
    core._random_bits = lambda key, width, shape: bits.reshape(shape)
    try:
        return np.asarray(jax.jit(sampler)(jax.random.key(0), *limits))
    finally:
        core._random_bits = before


def replay_values(law):
    """The law's values for the same bits, by the NumPy reference."""
    from glorot.replay.jax import _laws

    class AllBits(_laws.NormalLaw):
        def _bits(self, stream, block, width):
            return block << np.uint64(9)

    every = AllBits(law.total, law.low, law.span, law.scale, law.shift, law.least, law.most)
    dtype, found = np.dtype(np.float32), np.empty(COUNT, dtype=np.float32)
    for start in range(0, COUNT, PART):
        places = np.arange(start, start + PART, dtype=np.uint64).reshape(-1, 4)
        found[start : start + PART] = every.blocks(dtype, None, places).reshape(-1)
    return found


def main():
    import jax

    from glorot.replay.jax import _constants, _xla32

    dtype, shape, wrong = np.dtype(np.float32), (COUNT,), 0

    def compare(what, found, expected):
        differ = int(np.count_nonzero(found.view(np.uint32) != expected.view(np.uint32)))
        print(f"{what}: {found.size - differ} of {found.size} agree")
        return differ

    wrong += compare(
        "normal",
        replay_values(_constants.normal_law(0, dtype)),
        jax_values(jax, lambda key: jax.random.normal(key, shape)),
    )
    for low, high in CUTS:
        wrong += compare(
            f"truncated_normal({low}, {high})",
            replay_values(_constants.truncated_law(0, dtype, low, high)),
            jax_values(
                jax, lambda key, a, b: jax.random.truncated_normal(key, a, b, shape), low, high
            ),
        )
    # Every 61st float32 but the tiny ones, which XLA takes for 0 and no limit is.
    x = np.arange(0, 1 << 32, 61, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x) & (np.abs(x) > 1e-37)]
    found = np.concatenate([_xla32.erf(part) for part in np.array_split(x, 64)])
    wrong += compare("erf", found, np.asarray(jax.jit(jax.lax.erf)(x)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
