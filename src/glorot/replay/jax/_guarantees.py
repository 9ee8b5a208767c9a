# SPDX-License-Identifier: Apache-2.0
"""What the replay of JAX promises."""

from glorot.replay._guarantee import Guarantee
from glorot.replay.jax.nn.initializers._orthogonal import TOLERANCE

VERSIONS = ("0.10.2",)
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_NUMBERS = (*_FLOATS, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
# There XLA multiplies and adds in float16 with one rounding, elsewhere with two.
HALF = (
    "float16: as where the processor has no AVX512-FP16 (Intel's servers have it since Sapphire "
    "Rapids); with `float16_fma`, glorot.replay.jax's option, as where it has"
)


def _initializers(*names: str) -> tuple[str, ...]:
    return tuple(f"jax.nn.initializers.{name}" for name in names)


ROWS = (
    Guarantee(
        "JAX",
        VERSIONS,
        ("jax.random.key", "jax.random.PRNGKey", "jax.random.split", "jax.random.fold_in"),
        ("uint32",),
        distribution="keys",
        seekable=False,
        cases=10000,
        note="Both layouts, partitionable and legacy.",
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        ("jax.random.bits",),
        ("uint8", "uint16", "uint32", "uint64"),
        distribution="bits",
        cases=10000,
        note="Both layouts, partitionable and legacy.",
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        ("jax.random.uniform",),
        _FLOATS,
        distribution="uniform",
        arithmetic="FMA",
        cases=10000,
        note="Limits (0, 1) and (-1, 1) need no FMA, nor do float16 and bfloat16. Other limits in "
        f"{HALF}.",
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        ("jax.random.normal", "jax.random.truncated_normal"),
        _FLOATS,
        distribution="normal, truncated normal",
        arithmetic="FMA",
        cases=10000,
        note="float32 normal and truncated_normal(-2, 2): also all 2**23 mantissas. float64: where "
        "JAX calls glibc's log, and truncated at multiples of 0.5 up to 4, at 5, 6, 8.5 and more. "
        "Inside of jit truncated_normal at 1.5, 3.5, 4 and some other limits has other numbers: "
        "XLA takes erf of a constant from elsewhere. At 1, 2, 2.5 and 3 they are the same. "
        f"Truncated in {HALF}.",
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        _initializers("zeros", "ones", "constant"),
        _NUMBERS,
        distribution="constants",
        cases=10000,
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        _initializers("uniform", "glorot_uniform", "lecun_uniform", "he_uniform"),
        _FLOATS,
        distribution="uniform",
        cases=10000,
    ),
    Guarantee(
        "JAX",
        VERSIONS,
        _initializers(
            "normal",
            "truncated_normal",
            "variance_scaling",
            "glorot_normal",
            "lecun_normal",
            "he_normal",
        ),
        _FLOATS,
        distribution="normal, truncated normal",
        arithmetic="FMA",
        cases=10000,
        note="variance_scaling of 'uniform' needs no FMA. float64: where JAX calls glibc's log. "
        f"Truncated in {HALF}.",
    ),
    *(
        Guarantee(
            "JAX",
            VERSIONS,
            _initializers("orthogonal", "delta_orthogonal"),
            (dtype,),
            distribution="orthogonal",
            arithmetic="FMA",
            exact=False,
            tolerance=f"{tolerance} at a scale of 1",
            seekable=False,
            cases=60,
            note="The draw is exact; the factorisation is LAPACK's in float64, rounded once.",
        )
        for dtype, tolerance in TOLERANCE.items()
    ),
)
