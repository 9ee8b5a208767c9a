# SPDX-License-Identifier: Apache-2.0
"""What kind of CPU JAX computes on here, as far as its numbers depend on it."""

import numpy as np


def float16_fma(jax):
    """Whether XLA fuses a product and a sum of float16: the CPU computes in that dtype itself.

    Asked of three numbers, not of a draw: (1 + 2**-10)**2 - (1 + 2**-9) is 2**-20, and 0 when the
    product is rounded first.
    """
    x, minus = np.float16(1 + 2**-10), np.float16(-1 - 2**-9)
    return bool(jax.jit(lambda a, b, c: a * b + c)(x, x, minus))
