# SPDX-License-Identifier: Apache-2.0
"""What the replay of TensorFlow and of Keras 2 promises."""

import dataclasses

from glorot.replay._guarantee import Guarantee

VERSIONS = ("2.4.4", "2.21.0")
_HALF_AND_SINGLE = ("float16", "bfloat16", "float32")
_FLOATS = (*_HALF_AND_SINGLE, "float64")
_ANY = (*_FLOATS, "int32", "int64", "bool")
_LINUX = "CPU, not compiled by XLA"
_NORMAL = f"{_LINUX}; Linux with glibc 2.28 or later"
_DOUBLE = "FMA"
_CHOICE = (
    f"{_LINUX}; Linux with glibc 2.36 or later; `arithmetic` gives what older ones and processors "
    "without FMA do, other last bits in 6 values of 10,000"
)
_NO_CHOICE = (
    f"{_LINUX}; Linux with glibc 2.36 or later: older ones, and processors without FMA, give other "
    "last bits in 6 values of 10,000"
)
_QR = "of gain: 1.3e-5 in float32, 1.7e-14 in float64, the most seen in square matrices up to 512"


def _names(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names.split())


def _uniform(functions: tuple[str, ...], cases: int, seekable: bool = True) -> Guarantee:
    return Guarantee(
        "TensorFlow", VERSIONS, functions, _FLOATS, seekable=seekable, cases=cases, note=_LINUX,
        distribution="uniform",
    )  # fmt: skip


def _normals(
    functions: tuple[str, ...], cases: int, double: str, seekable: bool = True
) -> tuple[Guarantee, ...]:
    """float64 is a row of its own: it depends on the processor."""
    single = Guarantee(
        "TensorFlow", VERSIONS, functions, _HALF_AND_SINGLE, seekable=seekable, cases=cases,
        note=_NORMAL, distribution="normal, truncated normal",
    )  # fmt: skip
    return single, dataclasses.replace(single, dtypes=("float64",), arithmetic=_DOUBLE, note=double)


def _near(functions: tuple[str, ...], cases: int) -> Guarantee:
    return Guarantee(
        "TensorFlow", VERSIONS, functions, ("float32", "float64"), exact=False, tolerance=_QR,
        seekable=False, cases=cases, note="the normals that are factorised are exact",
        distribution="orthogonal",
    )  # fmt: skip


def _constants(functions: tuple[str, ...], cases: int) -> Guarantee:
    return Guarantee("TensorFlow", VERSIONS, functions, _ANY, cases=cases, distribution="constants")


_V1, _KERAS_V1 = "compat.v1", "compat.v1.keras.initializers"
_INITIALIZERS = "compat.v1.initializers"
_KERAS = "tensorflow.keras.initializers"
_CALLS = 10_000  # random calls, or sequences of calls, compared with each version

_KERNELS = (
    _uniform(("tensorflow.random_uniform",), _CALLS),
    *_normals(_names("tensorflow", "random_normal truncated_normal"), _CALLS, _CHOICE),
    Guarantee(
        "TensorFlow",
        VERSIONS,
        ("tensorflow.random_uniform",),
        ("int32", "int64"),
        distribution="integers",
        cases=_CALLS,
    ),
)

_STATELESS = (
    _uniform(("tensorflow.random.stateless_uniform", "tensorflow.stateless_uniform"), _CALLS),
    *_normals(
        _names("tensorflow.random", "stateless_normal stateless_truncated_normal")
        + _names("tensorflow", "stateless_normal stateless_truncated_normal"),
        _CALLS,
        _CHOICE,
    ),
    Guarantee(
        "TensorFlow",
        VERSIONS,
        ("tensorflow.random.stateless_uniform", "tensorflow.stateless_uniform"),
        ("int32", "int64", "uint32", "uint64"),
        distribution="integers",
        cases=_CALLS,
        note=f"{_LINUX}; the unsigned ones were compared with 2.21.0 alone",
    ),
    Guarantee(
        "TensorFlow",
        VERSIONS,
        ("tensorflow.random.split", "tensorflow.random.fold_in"),
        ("int32", "int64"),
        distribution="seeds",
        seekable=False,
        cases=500,
        note="in 2.4 tf.random.experimental.stateless_split and stateless_fold_in",
    ),
)

_COMPAT = (
    _uniform(
        _names(_V1, "glorot_uniform_initializer random_uniform_initializer random_uniform")
        + _names(_V1, "uniform_unit_scaling_initializer random.uniform")
        + _names(_INITIALIZERS, "glorot_uniform he_uniform lecun_uniform random_uniform")
        + _names(_INITIALIZERS, "uniform_unit_scaling")
        + _names(_KERAS_V1, "RandomUniform glorot_uniform he_uniform lecun_uniform")
        + _names(_KERAS_V1, "random_uniform uniform"),
        _CALLS,
        seekable=False,
    ),
    *_normals(
        _names(_V1, "glorot_normal_initializer random_normal_initializer random_normal")
        + _names(_V1, "truncated_normal_initializer truncated_normal")
        + _names(_V1, "variance_scaling_initializer random.normal random.truncated_normal")
        + _names(_INITIALIZERS, "glorot_normal he_normal lecun_normal random_normal")
        + _names(_INITIALIZERS, "truncated_normal variance_scaling")
        + _names(_KERAS_V1, "RandomNormal TruncatedNormal VarianceScaling glorot_normal he_normal")
        + _names(_KERAS_V1, "lecun_normal normal random_normal truncated_normal"),
        _CALLS,
        _NO_CHOICE,
        seekable=False,
    ),
    Guarantee(
        "TensorFlow",
        VERSIONS,
        _names(_V1, "random_uniform_initializer random_uniform"),
        ("int32", "int64"),
        distribution="integers",
        seekable=False,
        cases=_CALLS,
    ),
    _constants(
        _names(_V1, "constant_initializer ones_initializer zeros_initializer")
        + _names(_INITIALIZERS, "constant identity ones zeros")
        + _names(_KERAS_V1, "Constant Identity Ones Zeros constant identity ones zeros"),
        _CALLS,
    ),
    _near(
        (
            f"{_V1}.orthogonal_initializer",
            f"{_INITIALIZERS}.orthogonal",
            *_names(_KERAS_V1, "Orthogonal orthogonal"),
        ),
        1163,
    ),
)

_KERAS_ROWS = (
    _uniform(
        _names(_KERAS, "GlorotUniform HeUniform LecunUniform RandomUniform")
        + _names(_KERAS, "glorot_uniform he_uniform lecun_uniform random_uniform"),
        _CALLS,
    ),
    *_normals(
        _names(_KERAS, "GlorotNormal HeNormal LecunNormal RandomNormal TruncatedNormal")
        + _names(_KERAS, "glorot_normal he_normal lecun_normal random_normal truncated_normal")
        + _names(_KERAS, "VarianceScaling variance_scaling"),
        _CALLS,
        _NO_CHOICE,
    ),
    _constants(_names(_KERAS, "Constant Identity Ones Zeros constant identity ones zeros"), _CALLS),
    _near(_names(_KERAS, "Orthogonal orthogonal"), 20),
)

ROWS = (
    *_KERNELS,
    *_STATELESS,
    *_COMPAT,
    *(
        dataclasses.replace(row, framework="Keras 2", versions=("2.4.0", "2.21.0"))
        for row in _KERAS_ROWS
    ),
)
