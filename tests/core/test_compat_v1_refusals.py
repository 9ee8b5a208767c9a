# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 refuses what TensorFlow does, in its words; and its documents are true."""

import doctest
import importlib
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import glorot
from glorot.compat import v1
from glorot.replay.tensorflow import _kernels as replay

pytestmark = pytest.mark.usefixtures("no_graph_seed")
ROOT = Path(__file__).resolve().parents[2]

k = v1.keras.initializers
glorot_uniform = k.glorot_uniform


class Unsized:
    """What a symbolic tensor looks like as a shape."""

    def __len__(self):
        raise TypeError("len is not well defined for a symbolic Tensor")


vs = k.VarianceScaling
uniform_vs = {"distribution": "uniform"}

REFUSALS = [
    (TypeError, "`seed` must be an integer or None, got 'a'", lambda: glorot_uniform("a")),
    (ValueError, "`seed` must be finite, got nan", lambda: glorot_uniform(math.nan)),
    (TypeError, "`seed` must be an integer or None", lambda: v1.set_random_seed("1")),
    (TypeError, "`seed` must be an integer or None", lambda: glorot_uniform(np.array([7, 8]))),
    (TypeError, "`op_seed` must be an integer or None", lambda: v1.get_seed([1])),
    (TypeError, "`run` must be an integer, got True", lambda: v1.Graph(True)),
    (ValueError, "`run` must be 0 or more, got -1", lambda: v1.Graph(-1)),
    (TypeError, "`scale` must be positive float", lambda: vs("a", **uniform_vs)),
    (ValueError, "`scale` must be positive float. Received: scale=0", lambda: vs(0, **uniform_vs)),
    (ValueError, "`scale` must be positive float", lambda: vs(math.nan, **uniform_vs)),
    (ValueError, "Invalid `mode` argument: fan. Use one of", lambda: vs(1, "fan", "uniform")),
    (ValueError, "Invalid `distribution` argument: foo", lambda: vs(distribution="foo")),
    (ValueError, "Expected floating point type, got <dtype: 'int32'>",
     lambda: glorot_uniform(dtype="int32")),
    (ValueError, "Expected floating point type", lambda: k.Identity(dtype="int32")),
    (TypeError, "Cannot convert value 'junk' to a TensorFlow DType", lambda: k.Zeros("junk")),
    (TypeError, "Cannot convert value None to a TensorFlow DType", lambda: k.Ones(None)),
    (TypeError, "Cannot convert value [] to a TensorFlow DType", lambda: k.Zeros([])),
    (TypeError, "Cannot convert -1.2247448713915", lambda: glorot_uniform()((2, 2), "int32")),
    (TypeError, "to EagerTensor of dtype int32", lambda: glorot_uniform()((2, 2), "int32")),
    (ValueError, "Invalid dtype tf.bool", lambda: glorot_uniform()((2, 2), bool)),
    (ValueError, "Invalid dtype tf.int8", lambda: k.RandomUniform(0, 1, dtype="int8")((2,))),
    (ValueError, "Must specify maxval for integer dtype tf.int32",
     lambda: v1.random_uniform_initializer(dtype="int32")((2,))),
    (ValueError, "Need minval < maxval, got 5 >= 5",
     lambda: k.RandomUniform(5, 5, dtype="int32")((2,))),
    (ValueError, "2147483648 does not fit int32",
     lambda: k.RandomUniform(0, 2**31, dtype="int32")((2,))),
    (TypeError, "Cannot convert 2.5 to EagerTensor of dtype int64",
     lambda: k.RandomUniform(0, 2.5, dtype="int64")((2,))),
    (TypeError, "Cannot convert 'a' to EagerTensor of dtype float32",
     lambda: k.RandomUniform("a")((2,))),
    (ValueError, "must be finite and no further apart than the largest float16",
     lambda: k.RandomUniform(-4e4, 4e4)((2,), "float16")),
    (ValueError, "must be finite", lambda: k.RandomUniform(0, math.inf)((2,))),
    (TypeError, "object of type 'int' has no len(): `shape` must be a list or tuple",
     lambda: glorot_uniform()(5)),
    (TypeError, "len is not well defined for a symbolic Tensor",
     lambda: glorot_uniform()(Unsized())),
    (TypeError, "must be an integer, not 'NoneType'", lambda: glorot_uniform()((None, 2))),
    (TypeError, "must be an integer, not 'float'", lambda: glorot_uniform()((2.0, 2))),
    (TypeError, "must be an integer, not 'bool'", lambda: glorot_uniform()((True, 2))),
    (ValueError, "Dimension -1 must be >= 0", lambda: glorot_uniform()((2, -1))),
    (TypeError, "an array as `shape` must be a vector of int32 or int64",
     lambda: glorot_uniform()(np.array([2.0]))),
    (TypeError, "an array as `shape` must be a vector", lambda: glorot_uniform()(np.array([[2]]))),
    (TypeError, "`shape` must be a list or tuple of sizes, got ''", lambda: glorot_uniform()("")),
    (TypeError, "`shape` must be a list or tuple of sizes, got b'23'",
     lambda: k.Zeros()(b"23")),
    (TypeError, "`shape` must be a list or tuple of sizes, got {2: 3}",
     lambda: v1.random_normal({2: 3})),
    (TypeError, "`shape` must be a list or tuple of sizes, got {2}", lambda: k.Identity()({2})),
    (TypeError, "must be an integer, not 'tuple'", lambda: k.Constant(1)(((1, 2), 3))),
    (AttributeError, "full_shape", lambda: glorot_uniform()((2,), partition_info={})),
    (TypeError, "unexpected keyword argument 'gain'",
     lambda: glorot_uniform.from_config({"gain": 1})),
    (TypeError, "Invalid type for initial value: <class 'dict'> (expected Python scalar",
     lambda: k.Constant({})),
    (TypeError, "value has 3 elements, shape is (5,) with 5 elements",
     lambda: k.Constant([1, 2, 3])((5,))),
    (TypeError, "Expected Tensor's shape: (2, 2), got (2,)",
     lambda: k.Constant([1, 2])((2, 2), verify_shape=True)),
    (TypeError, "Expected Tensor's shape: (3, 1), got (3,)",
     lambda: k.Constant([1, 2, 3], verify_shape=True)((3, 1))),
    (TypeError, "value has 2 elements, shape is (0,) with 0 elements",
     lambda: k.Constant([1, 2])((0,))),
    (TypeError, "Cannot convert 1.5 to EagerTensor of dtype int32",
     lambda: k.Constant(1.5)((2,), "int32")),
    (ValueError, "300 does not fit uint8", lambda: k.Constant(300)((2,), "uint8")),
    (ValueError, "Identity matrix initializer can only be used for 2D matrices",
     lambda: k.Identity()((3,))),
    (ValueError, "leaves the full shape (4, 4)",
     lambda: k.Identity()(
         (3, 3), partition_info=SimpleNamespace(full_shape=(4, 4), var_offset=(2, 0)))),
    (ValueError, "the part of shape (3, 3) at (0, -1) leaves the full shape (4, 4)",
     lambda: k.Identity()(
         (3, 3), partition_info=SimpleNamespace(full_shape=(4, 4), var_offset=(0, -1)))),
    (ValueError, "Unknown initializer: foo. Use one of Constant, GlorotNormal",
     lambda: k.get("foo")),
    (ValueError, "Could not interpret initializer identifier: 5", lambda: k.get(5)),
    (ValueError, "Improper config format: {}", lambda: k.deserialize({})),
    (ValueError, "it has no get_config()", lambda: k.serialize(5)),
    (TypeError, "`seed` must be TensorFlow's pair (seed, seed2), got 5",
     lambda: replay.random_uniform((2,), seed=5)),
    (ValueError, "asks TensorFlow's kernels for entropy",
     lambda: replay.random_uniform((2,), seed=(0, 0))),
    (ValueError, "`seed` must be a pair of 64-bit integers",
     lambda: replay.random_uniform((2,), seed=(2**64, 0))),
    (ValueError, "`offset` must be a number of blocks, 0 or more, got -1",
     lambda: replay.random_uniform((2,), seed=(1, 1), offset=-1)),
    (TypeError, "`dtype` must be one of float16, bfloat16, float32, float64, int32, int64, got",
     lambda: replay.random_uniform((2,), seed=(1, 1), dtype="float8_e5m2")),
    (TypeError, "`dtype` must be one of float16, bfloat16, float32, float64, got int32",
     lambda: replay.random_normal((2,), seed=(1, 1), dtype="int32")),
    (ValueError, "Must specify maxval for integer dtype tf.int64",
     lambda: replay.random_uniform((2,), seed=(1, 1), dtype="int64")),
    (ValueError, "must hold less than 2**57 elements",
     lambda: replay.truncated_normal((2**57,), seed=(1, 1), shard=slice(0, 3))),
    (ValueError, "must hold less than 2**62 elements",
     lambda: replay.random_normal((2**62,), seed=(1, 1), shard=slice(0, 3))),
    (ValueError, "`shard` must lie inside of shape (4,)",
     lambda: replay.random_normal((4,), seed=(1, 1), shard=glorot.Shard((2,), (5,)))),
    (TypeError, "`stddev` must be one number, got an array of shape (2,)",
     lambda: replay.random_normal((2,), 0.0, [1.0, 2.0], seed=(1, 1))),
    (ValueError, "must keep every value finite in float16, got values up to 7.949e+04",
     lambda: v1.random_normal((2,), 0, 14000, "float16", seed=1)),
    (ValueError, "must keep every value finite", lambda: v1.random_normal((2,), math.nan)),
    (ValueError, "Invalid dtype tf.int32. TensorFlow draws normal float16",
     lambda: v1.truncated_normal((2,), 0, 1, "int32")),
    (TypeError, "Cannot convert 0.0 to EagerTensor of dtype int32",
     lambda: v1.random_normal((2,), dtype="int32")),
    (TypeError, "`seed` must be an integer or None", lambda: v1.random_normal((2,), seed="1")),
    (ValueError, "The tensor to initialize must be at least two-dimensional. Received shape=(3,)",
     lambda: v1.orthogonal_initializer()((3,))),
    (TypeError, "`dtype`=bfloat16: TensorFlow has no QR of bfloat16",
     lambda: v1.orthogonal_initializer()((3, 3), "bfloat16")),
    (ValueError, "Expected floating point type", lambda: v1.orthogonal_initializer(dtype="int8")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), REFUSALS, ids=[text for _, text, _ in REFUSALS])
def test_refusals(kind, text, call):
    """Bad input is refused with a text that says what came and what to do, TensorFlow's first
    where it has one."""
    with pytest.raises(kind, match=re.escape(text)):
        call()


def test_refusals_of_graphs():
    """A graph refuses some things in other words, as in TensorFlow."""
    with v1.Graph().as_default():
        with pytest.raises(TypeError, match=r"Expected int32, got -1.2247448.* of type 'float'"):
            glorot_uniform()((2, 2), "int32")
        with pytest.raises(ValueError, match=r"Too many elements provided. Needed at most 2, but"):
            k.Constant([1, 2, 3])((2,))


def test_no_framework_is_imported():
    """`import glorot` reaches the whole namespace, and neither it nor any module of the replay
    imports TensorFlow, Keras or another framework."""
    code = (
        "import sys, glorot; glorot.compat.v1.keras.initializers.glorot_uniform(1)((2,));"
        "glorot.replay.tensorflow.random_uniform((2,), seed=(1, 2));"
        "import importlib, pkgutil;"
        "[importlib.import_module(found.name) for found in"
        " pkgutil.walk_packages(glorot.replay.__path__, 'glorot.replay.')];"
        "print(sorted({'tensorflow', 'keras', 'tf_keras', 'torch', 'jax', 'flax', 'scipy'}"
        " & set(sys.modules)))"
    )
    paths = f"import sys; sys.path[:] = {sys.path!r};"
    done = subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    "module",
    ["replay.tensorflow._kernels", "replay.tensorflow._stateless", "compat.v1._state",
     "compat.v1._draws", "compat.v1._initializers", "compat.v1._orthogonal",
     "compat.v1._constants", "compat.v1.initializers", "compat.v1.keras.initializers"],
)  # fmt: skip
def test_examples(module):
    """The examples in the documentation are true."""
    result = doctest.testmod(importlib.import_module(f"glorot.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_migrating_document():
    """The examples of docs/migrating.md are true."""
    result = doctest.testfile(str(ROOT / "docs" / "migrating.md"), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_what_contrib_drew():
    """docs/migrating.md: tf.contrib.layers' formulas, which are no functions of compat.v1, and the
    laws that are written for them."""
    shape, scale = (300, 400), 2 / (300 + 400)
    bound = math.sqrt(3.0 * scale)
    drawn = v1.random_uniform(shape, -bound, bound, seed=42)
    cut = v1.truncated_normal(shape, 0.0, math.sqrt(1.3 * scale), seed=42)

    assert bound == pytest.approx(math.sqrt(3) * glorot.GlorotUniform().expected_stddev(shape))
    assert drawn.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert cut.std() == pytest.approx(
        1.003 * glorot.GlorotNormal().expected_stddev(shape), rel=0.01
    )
