# SPDX-License-Identifier: Apache-2.0
"""What kind of CPU JAX computes on here, as far as its numbers depend on it."""

import platform

import numpy as np

# The environment of a JAX that computes float16 in float32, as the recorded rows have it: on x86-64
# it is held to instructions without float16.  (They were recorded there.)
IN_FLOAT32 = (
    {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"} if platform.machine() in ("x86_64", "AMD64") else {}
)


def float16_fma(jax):
    """Whether XLA fuses a product and a sum of float16: the CPU computes in that dtype itself.

    Asked of three numbers, not of a draw: (1 + 2**-10)**2 - (1 + 2**-9) is 2**-20, and 0 when the
    product is rounded first.
    """
    x, minus = np.float16(1 + 2**-10), np.float16(-1 - 2**-9)
    return bool(jax.jit(lambda a, b, c: a * b + c)(x, x, minus))
