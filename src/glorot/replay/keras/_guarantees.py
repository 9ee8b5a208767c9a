# SPDX-License-Identifier: Apache-2.0
"""What the replay of Keras 3 promises, backend by backend."""

from glorot.replay._guarantee import Guarantee
from glorot.replay.jax._guarantees import HALF

VERSIONS = ("3.15.1",)
_HALF_AND_SINGLE = ("float16", "bfloat16", "float32")
_FLOATS = (*_HALF_AND_SINGLE, "float64")
_NARROW = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
_MATRICES = 1000

# Orthogonal of a gain of 1 differs from Keras' by less than this, times the epsilon of the dtype
# and the condition number of the normals; 1.7 was seen.
ORTHOGONAL = 3.0
_SEEN = {"float32": "1.7e-5", "float64": "2.5e-14"}


def _initializers(names: str) -> tuple[str, ...]:
    return tuple(f"keras.initializers.{name}" for name in names.split())


_UNIFORM = (
    "keras.random.uniform",
    *_initializers("GlorotUniform HeUniform LecunUniform RandomUniform"),
    *_initializers("glorot_uniform he_uniform lecun_uniform random_uniform"),
)
_NORMAL = (
    "keras.random.normal",
    "keras.random.truncated_normal",
    *_initializers("GlorotNormal HeNormal LecunNormal RandomNormal TruncatedNormal"),
    *_initializers("glorot_normal he_normal lecun_normal random_normal truncated_normal"),
    *_initializers("VarianceScaling variance_scaling"),
)
_INTEGERS = ("keras.random.randint",)
_SEEDS = ("keras.random.SeedGenerator", "keras.random.draw_seed")
_CONSTANT = _initializers("Constant Ones Zeros constant ones zeros")
_IDENTITY = _initializers("Identity IdentityInitializer identity")
_ORTHOGONAL = _initializers("Orthogonal OrthogonalInitializer orthogonal")
_DISTRIBUTION = {
    _UNIFORM: "uniform",
    _NORMAL: "normal, truncated normal",
    _INTEGERS: "integers",
    _SEEDS: "seeds",
    _CONSTANT: "constants",
    _IDENTITY: "constants",
}


def _row(
    backend: str,
    below: str,
    functions: tuple[str, ...],
    dtypes: tuple[str, ...],
    *,
    seekable: bool = True,
    arithmetic: str = "any",
    tolerance: str = "",
    note: str = "",
) -> Guarantee:
    told = f"with {below}" + (f"; {note}" if note else "")
    return Guarantee(
        f"Keras 3 on {backend}", VERSIONS, functions, dtypes, arithmetic=arithmetic,
        exact=not tolerance, tolerance=tolerance, seekable=seekable,
        cases=_SESSIONS[below], note=told, backend=backend.lower(),
        distribution=_DISTRIBUTION[functions],
    )  # fmt: skip


def _orthogonal(backend: str, below: str, *dtypes: str) -> Guarantee:
    seen = ", ".join(f"{_SEEN[dtype]} in {dtype}" for dtype in dtypes)
    return Guarantee(
        f"Keras 3 on {backend}", VERSIONS, _ORTHOGONAL, dtypes, exact=False, seekable=False,
        tolerance=f"of gain: {ORTHOGONAL:.0f} epsilons times the condition number of the normals; "
        f"{seen}, the most seen in square matrices up to 512",
        cases=_MATRICES, backend=backend.lower(),
        note=f"with {below}; the normals that are factorised are exact",
        distribution="orthogonal",
    )  # fmt: skip


_TENSORFLOW = "TensorFlow 2.21.0 on CPU, eagerly"
_GLIBC = "Linux with glibc 2.28 or later"
_CHOICE = "Linux with glibc 2.36 or later, or what `arithmetic` says"
_CHOICE_OF_TORCH = (
    "Linux with glibc 2.39 or later, or Debian 12's 2.36, or what `arithmetic` says: among others "
    '"fma-2.36" for other 2.36 to 2.38, "aten-default" where ATen does not use AVX2'
)
_TORCH = "torch 2.13.0 on x86-64 CPU"
_JAX = "jax 0.10.2 on CPU"
_JAX64 = f"{_JAX} and `jax_enable_x64`, which is glorot.replay.jax's option too"
_LOG = "where JAX calls glibc's log"
_NUMPY = "NumPy's own generator as installed, 2.4.6"
# Random sessions compared, one to six draws each.
_SESSIONS = {_TENSORFLOW: 10_000, _JAX: 10_000, _JAX64: 10_000, _TORCH: 10_000, _NUMPY: 10_000}

ROWS = (
    _row("TensorFlow", _TENSORFLOW, _UNIFORM, _FLOATS),
    _row("TensorFlow", _TENSORFLOW, _NORMAL, _HALF_AND_SINGLE, note=_GLIBC),
    _row("TensorFlow", _TENSORFLOW, _NORMAL, ("float64",), arithmetic="FMA", note=_CHOICE),
    _row("TensorFlow", _TENSORFLOW, _SEEDS, ("int64",), seekable=False),
    _row("TensorFlow", _TENSORFLOW, _INTEGERS, (*_NARROW, "int64", "uint64")),
    _row("TensorFlow", _TENSORFLOW, _CONSTANT, (*_FLOATS, *_NARROW, "int64", "uint64", "bool")),
    _row("TensorFlow", _TENSORFLOW, _IDENTITY, _FLOATS),
    _orthogonal("TensorFlow", _TENSORFLOW, "float32", "float64"),
    _row("JAX", _JAX, _UNIFORM, _HALF_AND_SINGLE, arithmetic="FMA", note=HALF),
    _row("JAX", _JAX, _NORMAL, _HALF_AND_SINGLE, arithmetic="FMA", note=HALF),
    _row("JAX", _JAX, _SEEDS, ("uint32",), seekable=False),
    _row("JAX", _JAX, _INTEGERS, _NARROW),
    _row("JAX", _JAX, _CONSTANT, (*_HALF_AND_SINGLE, *_NARROW, "bool")),
    _row("JAX", _JAX, _IDENTITY, _HALF_AND_SINGLE),
    _orthogonal("JAX", _JAX, "float32"),
    _row("JAX", _JAX64, _UNIFORM, ("float64",), arithmetic="FMA"),
    _row("JAX", _JAX64, _NORMAL, ("float64",), arithmetic="FMA", note=_LOG),
    _row("JAX", _JAX64, _INTEGERS, ("int64", "uint64")),
    _row("JAX", _JAX64, _CONSTANT, ("float64", "int64", "uint64")),
    _row("JAX", _JAX64, _IDENTITY, ("float64",)),
    _orthogonal("JAX", _JAX64, "float64"),
    _row("Torch", _TORCH, _SEEDS, ("int32",), seekable=False),
    _row("Torch", _TORCH, _UNIFORM, _FLOATS, seekable=False),
    _row(
        "Torch", _TORCH, _NORMAL, _FLOATS,
        seekable=False, arithmetic="FMA", note=_CHOICE_OF_TORCH,
    ),
    _row(
        "Torch", _TORCH, ("keras.random.randint",),
        ("int8", "int16", "int32", "int64", "uint8"), seekable=False,
    ),
    _row(
        "Torch", _TORCH, _CONSTANT,
        (*_FLOATS, "int8", "int16", "int32", "int64", "uint8", "bool"),
    ),
    _row("Torch", _TORCH, _IDENTITY, _FLOATS),
    _orthogonal("Torch", _TORCH, "float32", "float64"),
    _row("NumPy", _NUMPY, _SEEDS, ("uint32",), seekable=False),
    _row("NumPy", _NUMPY, _UNIFORM, _FLOATS, seekable=False),
    _row("NumPy", _NUMPY, _NORMAL, _FLOATS, seekable=False),
    _row(
        "NumPy", _NUMPY, _INTEGERS, (*_NARROW, "int64", "uint64"), seekable=False
    ),
    _row("NumPy", _NUMPY, _CONSTANT, (*_FLOATS, *_NARROW, "int64", "uint64", "bool")),
    _row("NumPy", _NUMPY, _IDENTITY, ("float16", "float32", "float64")),
    _orthogonal("NumPy", _NUMPY, "float32"),
)  # fmt: skip
