# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.flax without flax: known answers, paths and counters, what is refused."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from glorot.replay import flax, jax

ROOT = Path(__file__).parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "oracle" / "flax_cases.py"))
ROWS = [
    line
    for line in (ROOT / "tests" / "vectors" / "flax-0.12.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
KEY = jax.random.key(42)
nnx, linen = flax.nnx, flax.linen


def test_known_answers():
    """Every recorded module of flax, in name, shape, dtype and bytes."""
    wrong = []
    for line in ROWS:
        case = json.loads(line[: line.rindex("}") + 1])
        found = CASES["values"](flax, jax, case, CASES["replay_init"])
        if CASES["row"](case, found) != line:
            wrong.append(line[:200])

    assert len(ROWS) > 60
    assert not wrong, wrong[0]


def test_a_path_is_hashed_name_by_name_and_count_by_count():
    """Names in order, the count last; without the separator two paths are one, with it two."""
    data = jax.random.key_data
    key = linen.param_key(KEY, ("a", "bc"), 2)

    assert data(key).tolist() == data(linen.param_key(KEY, "a/bc", 2)).tolist()
    assert key == linen.param_key(KEY, ("ab", "c"), 2)
    assert key != linen.param_key(KEY, ("a", "bc"), 1)
    assert key != linen.param_key(KEY, ("bc", "a"), 2)
    assert linen.param_key(KEY, (), 256) != linen.param_key(KEY, (), 1)
    flax.config.update("flax_fix_rng_separator", True)
    try:
        apart = [linen.param_key(KEY, path, 2) for path in (("a", "bc"), ("ab", "c"))]
    finally:
        flax.config.update("flax_fix_rng_separator", False)
    assert apart[0] != apart[1]
    assert key not in apart
    raw = linen.param_key(jax.random.PRNGKey(42), ("a", "bc"), 2)
    assert raw.tolist() == data(key).tolist()


def test_a_part_of_a_parameter_alone():
    """The key of a parameter and its initializer give any shard of it."""
    layer = linen.Dense(300, param_dtype="bfloat16")
    kernel = layer.init({"params": KEY}, np.zeros((1, 70)), path="net/Dense_3")["params"]["kernel"]
    part = linen.initializers.lecun_normal()(
        linen.param_key(KEY, "net/Dense_3"), (70, 300), "bfloat16", shard=np.s_[10:20, 200:]
    )

    assert part.tobytes() == kernel[10:20, 200:].tobytes()


def test_a_slope_without_a_dtype_has_its_own():
    """PReLU's number becomes an array as JAX makes one: an integer stays an integer."""
    for slope, dtype, found in (
        (1, None, "int32"), (True, None, "bool"), (0.25, None, "float32"),
        (np.float16(0.1), None, "float16"), (1, "bfloat16", "bfloat16"),
        (1e-40, "float32", "float32"),
    ):  # fmt: skip
        params = linen.PReLU(dtype, slope).init(KEY, (2, 3))["params"]
        for value in (params["negative_slope"], nnx.PReLU(slope, dtype).negative_slope):
            assert value.dtype == found
            assert value == np.array(slope).astype(found)
    with jax.enable_x64(True):
        assert nnx.PReLU(2**40, None).negative_slope.dtype == "int64"


def test_sizes_may_be_numpys():
    """As flax's, which looks whether they are sequences."""
    for size in (4, np.int64(4)):
        shape = linen.DenseGeneral(size).init(KEY, (1, 3))["params"]["kernel"].shape
        assert shape == nnx.LinearGeneral(3, size, rngs=nnx.Rngs(0)).kernel.shape == (3, 4)


def test_streams_count_and_fall_back():
    """A stream's n-th key has n folded in; a missing stream is the default's next key."""
    rngs = nnx.Rngs(params=KEY, default=7)

    assert [int(rngs.params() == jax.random.fold_in(KEY, n)) for n in range(3)] == [1, 1, 1]
    assert rngs.params.count == 3
    assert rngs.dropout() == jax.random.fold_in(jax.random.key(7), 0)
    assert rngs() == jax.random.fold_in(jax.random.key(7), 1)
    assert rngs["noise"] is rngs.default
    assert (list(rngs), len(rngs), "params" in rngs, "noise" in rngs) == (
        ["params", "default"], 2, True, False,
    )  # fmt: skip
    assert rngs.params.fork()() == jax.random.fold_in(jax.random.fold_in(KEY, 3), 0)
    assert nnx.Rngs({"a": jax.random.PRNGKey(1)}).a() == nnx.Rngs(a=rngs.params and 1).a()
    assert nnx.Rngs(params=rngs.params).params.count == 0


def test_wrong_keys_are_seen():
    """The root key, the path's order, the counter from 0 and the bias first give other kernels."""
    kernel = linen.Dense(8).init(KEY, (1, 4), path="a/b")["params"]["kernel"]
    init = linen.initializers.lecun_normal()
    for key in (
        KEY,
        linen.param_key(KEY, "b/a"),
        linen.param_key(KEY, "a/b", 2),
        jax.random.fold_in(KEY, 1),
    ):
        assert not np.array_equal(init(key, (4, 8)), kernel)
    assert np.array_equal(init(linen.param_key(KEY, "a/b"), (4, 8)), kernel)

    attention = linen.MultiHeadDotProductAttention(2).init(KEY, (1, 3, 8))["params"]
    query = attention["query"]["kernel"]
    assert not np.array_equal(init(linen.param_key(KEY, "query"), (8, 2, 4)), query)
    assert np.array_equal(init(linen.param_key(KEY, "query"), (8, 8)).reshape(8, 2, 4), query)


REFUSED = [
    (lambda: linen.Einsum((3, 4), use_bias=False).init(KEY, (2, 3)), ValueError, "`einsum_str`"),
    (lambda: linen.DenseGeneral(()).init(KEY, (1, 3)), TypeError, "cannot reshape a kernel"),
    (lambda: nnx.LinearGeneral(3, (), rngs=nnx.Rngs(0)), TypeError, "cannot reshape a kernel"),
    (lambda: linen.DenseGeneral(2, axis=7).init(KEY, (2, 3)), IndexError, "leave the 2 axes of"),
    (
        lambda: linen.DenseGeneral(2, -1, (0, 1, 2)).init(KEY, (2, 3)),
        IndexError,
        "leave the 2 axes",
    ),
    (lambda: linen.LayerNorm(feature_axes=5).init(KEY, (2, 3)), IndexError, "leave the 2 axes of"),
    (lambda: linen.BatchNorm(True, axis=2).init(KEY, (2, 3)), IndexError, "leave the 2 axes of"),
    (lambda: linen.Dense(2).init(KEY), TypeError, "init must have the module's input"),
    (lambda: linen.PReLU("int32", 2**31).init(KEY, (2,)), OverflowError, "out of bounds"),
    (lambda: linen.param_key(KEY, ("a", 3)), TypeError, "`path` must hold the names of modules"),
    (lambda: linen.param_key(KEY, "a//b"), TypeError, "`path` must hold"),
    (lambda: linen.param_key(KEY, "a", 0), ValueError, "`count` must be 1 for a module's first"),
    (lambda: linen.Dense(2).init(KEY, 3), TypeError, "`inputs` must be arrays, or shapes, got 3"),
    (lambda: linen.Dense(2).init({"dropout": KEY}, (1, 3)), ValueError, "needs a PRNG for 'par"),
    (lambda: linen.Dense(2).init(3, (1, 3)), TypeError, "`key` must be a key of jax.random.key"),
    (lambda: linen.DenseGeneral(2, batch_dims=(1,)).init(KEY, (1, 3)), ValueError, "consecutive"),
    (lambda: linen.Einsum((2, 3), "ab,bc").init(KEY, (1, 2)), ValueError, "`einsum_str` must be"),
    (lambda: linen.Conv(2, 3, feature_group_count=2).init(KEY, (1, 3)), ValueError, "must divide"),
    (lambda: linen.Conv(3, 3, feature_group_count=2).init(KEY, (1, 4)), ValueError, "3 output"),
    (lambda: linen.DenseGeneral(2, axis=(0, -2)).init(KEY, (2, 3)), TypeError, "each axis of"),
    (lambda: linen.DenseGeneral(2, -1, (0,)).init(KEY, (3,)), TypeError, "each axis of"),
    (lambda: linen.GroupNorm().init(KEY, (1, 6)), ValueError, "`num_groups`=32 must divide the 6"),
    (lambda: linen.GroupNorm(2, 3).init(KEY, (1, 6)), ValueError, "Either `num_groups` or `group"),
    (lambda: linen.GroupNorm(None, 4).init(KEY, (1, 6)), ValueError, "`group_size`=4 must divide"),
    (lambda: linen.InstanceNorm(feature_axes=-2).init(KEY, (3, 6)), ValueError, "is the batch"),
    (lambda: linen.MultiHeadAttention(3).init(KEY, (1, 8)), ValueError, "divisible by number of"),
    (lambda: nnx.Rngs(params=0).noise, AttributeError, "No RngStream named 'noise'.*has params"),
    (
        lambda: nnx.Rngs(0).split(3),
        AttributeError,
        "'split' is a method of flax's Rngs that is not",
    ),
    (lambda: nnx.Rngs()["noise"], KeyError, "No RngStream named 'noise' found"),
    (lambda: nnx.Linear(2, 3, rng=1, rngs=nnx.Rngs(0)), TypeError, "unexpected arguments rng"),
    (lambda: nnx.LinearGeneral((2, 3), 4, rngs=nnx.Rngs(0)), ValueError, "have the same length"),
    (lambda: nnx.LinearGeneral(2, 4, batch_axis={1: 2}, rngs=nnx.Rngs(0)), ValueError, "leading"),
    (lambda: nnx.GroupNorm(6, rngs=nnx.Rngs(0)), ValueError, "`num_groups`=32 must divide the 6"),
    (lambda: nnx.GroupNorm(6, None, 4, rngs=nnx.Rngs(0)), ValueError, "`group_size`=4 must div"),
    (lambda: nnx.GroupNorm(6, None, rngs=nnx.Rngs(0)), ValueError, "Either `num_groups` or `group"),
    (lambda: nnx.Einsum("ab,bc", (2, 3), rngs=nnx.Rngs(0)), ValueError, "must be explicit"),
    (lambda: nnx.MultiHeadAttention(3, 8, rngs=nnx.Rngs(0)), ValueError, "must be divisible by"),
    (lambda: nnx.MultiHeadAttention(3, 9, num_kv_heads=2, rngs=nnx.Rngs(0)), ValueError, "num_h"),
    (lambda: flax.config.update("flax_filter_frames", True), AttributeError, "Unrecognized config"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_is_refused(call, error, message):
    """Each refusal names the argument or flax's own rule."""
    with pytest.raises(error, match=message):
        call()
