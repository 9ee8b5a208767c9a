# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.jax without JAX: known answers, every target alike, parts alike, wrong answers."""

import functools
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernel_cases import EVERYWHERE, TARGETS

import glorot
from glorot import _kernel
from glorot._dtypes import FLOATS
from glorot.replay import jax
from glorot.replay.jax import _constants, _laws, _xla32
from glorot.replay.jax.nn.initializers._variance import compute_fans

ROOT = Path(__file__).parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "oracle" / "jax_cases.py"))
values, same = CASES["values"], CASES["same"]


def rows(name):
    """The cases of a file of known answers, each with its bits."""
    lines = (ROOT / "tests" / "vectors" / name).read_text("ascii").splitlines()
    parts = [line.partition("} ") for line in lines if not line.startswith("#")]
    return [(json.loads(head + "}"), tail.split()) for head, _, tail in parts]


ROWS = rows("jax-0.10.txt")
FLOAT16_FMA_ROWS = rows("jax-0.10-float16-fma.txt")
KEY = jax.random.key(42)
DTYPES = ["float16", "bfloat16", "float32"]


def shown(array):
    """The values that a row of the file shows, as it writes them."""
    bits = array.reshape(-1).view(f"<u{array.dtype.itemsize}")
    bits = bits if bits.size <= 12 else np.concatenate([bits[:10], bits[-2:]])
    return [f"{int(word):0{2 * array.dtype.itemsize}x}" for word in bits]


@pytest.mark.parametrize("target", EVERYWHERE)
def test_known_answers(target):
    """Every recorded value of JAX, on every target."""
    with _kernel.forced(target):
        wrong = [json.dumps(case) for case, bits in ROWS if shown(values(jax, case)) != bits]

    assert len(ROWS) > 150
    assert {len(bits) for _, bits in ROWS} >= {2, 12}
    assert not wrong


@pytest.mark.parametrize("target", EVERYWHERE)
def test_known_answers_of_a_cpu_that_computes_float16(target):
    """The option gives what JAX drew on such a CPU; without it, limits (0, 1) and (-1, 1) alone do,
    and limits of which one is 0."""
    with _kernel.forced(target):
        with jax.float16_fma(True):
            wrong = [json.dumps(c) for c, bits in FLOAT16_FMA_ROWS if shown(values(jax, c)) != bits]
        other = [c for c, bits in FLOAT16_FMA_ROWS if shown(values(jax, c)) != bits]

    assert len(FLOAT16_FMA_ROWS) == 42
    assert not wrong
    assert len(other) > 15
    unit = [{"minval": 0, "maxval": 1}, {"minval": -1, "maxval": 1}]
    assert not any(case["options"] in unit for case in other)


@pytest.mark.parametrize("target", TARGETS)
@settings(deadline=None, max_examples=60)
@given(limits=st.lists(st.floats(-60000, 60000, width=16), min_size=2, max_size=2))
def test_a_sum_of_float16_is_rounded_once(target, limits):
    """The kernel rounds to odd and then to float16, which is float64's sum rounded to float16:
    limits of all sizes, subnormal ones too, and all 1024 mantissas."""
    low, high = (np.float16(x) for x in limits)
    with np.errstate(over="ignore"):
        assume(np.isfinite(high - low))
    with jax.float16_fma(True):
        law = _constants.uniform_law(0, FLOATS["float16"], low, high)
    found = {}
    for name in ("reference", target):
        found[name] = np.empty(20000, dtype=np.float16)
        with _kernel.forced(name):
            _kernel.fill(found[name], law, _laws.key_stream(jax.random.key_data(KEY)), 0, None)
    assert found["reference"].tobytes() == found[target].tobytes()


LAWS = {
    "uniform": lambda total, dtype: _constants.uniform_law(
        total, dtype, -0.3, 0.9, dtype.type(0.7)
    ),
    "unit": lambda total, dtype: _constants.uniform_law(total, dtype, 0, 1),
    "normal": lambda total, dtype: _constants.normal_law(total, dtype, dtype.type(0.02), 0.5),
    "truncated": lambda total, dtype: _constants.truncated_law(total, dtype, -1, 4),
    "saturated": lambda total, dtype: _constants.truncated_law(total, dtype, -20, 20),
}


def fill(name, dtype, total=0, count=3000, start=0, strides=None, seed=7):
    """Values of a law on the target in use."""
    law = _laws.BitsLaw(total) if name == "bits" else LAWS[name](total, FLOATS[dtype])
    words = jax.random.key_data(jax.random.key(seed))
    out = np.empty(count, dtype=FLOATS[dtype])
    _kernel.fill(out, law, _laws.key_stream(words), start, strides)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", [*LAWS, "bits"])
def test_every_target_gives_the_references_bytes(name, target):
    """Runs and strided lists, both layouts, across a block's edge, a draw's end and where an index
    takes its 64th bit into the counter's other word."""
    for dtype in [*DTYPES, "float64", *(["float8_e5m2"] if name == "bits" else [])]:
        places = [(0, 0, None), (0, 2**32 - 7, None), (0, 2**61 + 1, (3,)), (5001, 3, None),
                  (6000, 1, (2,)),
                  # Legacy draws whose two halves the run has in part, in whole, and at odd ends.
                  (1507, 3, None), (1101, 1, None), (1100, 0, None)]  # fmt: skip
        for total, start, strides in places:
            with _kernel.forced("reference"):
                pure = fill(name, dtype, total, 1100, start, strides)
            with _kernel.forced(target):
                found = fill(name, dtype, total, 1100, start, strides)
            assert pure.tobytes() == found.tobytes(), (dtype, total, start)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_shard_is_that_part_of_the_whole(data):
    """Any rectangle of any draw, in any layout, is what the whole has there."""
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    start = [data.draw(st.integers(0, size - 1)) for size in shape]
    stop = [data.draw(st.integers(i, size)) for i, size in zip(start, shape, strict=True)]
    dtype = data.draw(st.sampled_from(DTYPES))
    key = jax.random.fold_in(KEY, data.draw(st.integers(0, 2**32 - 1)))
    init = data.draw(
        st.sampled_from(
            [
                lambda **kw: jax.random.uniform(key, shape, dtype, -0.5, 2.0, **kw),
                lambda **kw: jax.random.normal(key, shape, dtype, **kw),
                lambda **kw: jax.random.bits(key, shape, "uint8", **kw),
                lambda **kw: jax.random.bits(key, shape, "uint16", **kw),
                lambda **kw: jax.nn.initializers.truncated_normal()(key, shape, dtype, **kw),
                lambda **kw: jax.nn.initializers.zeros(key, shape, dtype, **kw),
                lambda **kw: jax.nn.initializers.constant(3)(key, shape, dtype, **kw),
            ]
        )
    )
    place = tuple(slice(i, j) for i, j in zip(start, stop, strict=True))
    with jax.threefry_partitionable(data.draw(st.booleans())):
        whole = init()
        for shard in (glorot.Shard(start, stop), place):
            part = init(shard=shard)
            assert part.tobytes() == whole[place].tobytes()
            assert part.shape == whole[place].shape


def test_a_shard_of_a_weight_too_large_to_hold():
    """Fans are the whole's, and indices beyond 2**32 are counted in both of a counter's words."""
    shape = (2**20, 2**20)
    init = jax.nn.initializers.glorot_uniform()
    corner = init(KEY, shape, shard=glorot.Shard((2**20 - 2, 2**20 - 3), shape))
    words = jax.random.key_data(KEY)
    index = np.array([[2**40 - 2**20 - 3 + j, 2**40 - 3 + j] for j in range(3)], dtype=np.uint64).T
    x, y = threefry(words, (index >> np.uint64(32)), index & np.uint64(2**32 - 1))
    unit = ((x ^ y) >> np.uint32(9) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    limit = np.sqrt(np.float32(3) * np.float32(2.0**-20))

    assert same(corner, (unit * np.float32(2) - np.float32(1)) * limit)


def threefry(words, x, y):
    """Threefry2x32 in Python integers, for one counter after another: nothing of the library's."""
    ks = [int(words[0]), int(words[1]), int(words[0]) ^ int(words[1]) ^ 0x1BD11BDA]
    outputs = []
    for pair in zip(x.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True):
        a, b = (pair[0] + ks[0]) % 2**32, (pair[1] + ks[1]) % 2**32
        for i in range(5):
            for bits in ((13, 15, 26, 6), (17, 29, 16, 24))[i % 2]:
                a = (a + b) % 2**32
                b = ((b << bits | b >> 32 - bits) % 2**32) ^ a
            a, b = (a + ks[(i + 1) % 3]) % 2**32, (b + ks[(i + 2) % 3] + i + 1) % 2**32
        outputs.append((a, b))
    words = np.array(outputs, dtype=np.uint32)
    return words[:, 0].reshape(x.shape), words[:, 1].reshape(x.shape)


def test_threefry_known_answer():
    """The Random123 distribution's own vectors."""
    ones, zero = np.full(1, 2**32 - 1, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    from glorot.replay.jax._threefry import threefry2x32

    for key, counter, answer in [
        ([0, 0], (zero, zero), (0x6B200159, 0x99BA4EFE)),
        ([2**32 - 1] * 2, (ones, ones), (0x1CB996FC, 0xBB002BE7)),
    ]:
        words = np.array(key, dtype=np.uint32)
        found = threefry2x32(words, *(c.astype(np.uint32) for c in counter))
        assert [int(word[0]) for word in found] == list(answer)
        assert [int(word[0]) for word in threefry(words, *counter)] == list(answer)


def test_wrong_arithmetic_is_seen():
    """What is nearly right differs: no fusion, NumPy's log1p, NumPy's erf_inv by Newton, a
    float32 draw rounded to bfloat16, the scale before the draw, the neighbour's key."""
    case = {"x64": False, "partitionable": True, "key": {"seed": 7}, "shape": [4000]}
    uniform = dict(case, call="random.uniform", dtype="float32")
    right = values(jax, dict(uniform, options={"minval": -0.3, "maxval": 0.9}))
    unit = values(jax, dict(uniform, options={}))
    low, high = np.float32(-0.3), np.float32(0.9)
    assert not same(unit * (high - low) + low, right)

    lowest = float(np.nextafter(np.float32(-1), np.float32(0)))
    symmetric = values(jax, dict(uniform, options={"minval": lowest, "maxval": 1}))
    normal = values(jax, dict(case, call="random.normal", dtype="float32", options={}))
    root = np.float32(np.sqrt(2))
    assert same(root * _xla32.erf_inv(symmetric), normal)
    for wrong in (
        root * plain_erf_inv(symmetric, _xla32.log1p),  # products and sums apart
        root * plain_erf_inv(symmetric, np.log1p),
        np.float32(2) ** np.float32(0.5) * np.nextafter(_xla32.erf_inv(symmetric), np.float32(9)),
    ):
        assert np.allclose(wrong, normal, rtol=1e-5)
        assert not same(wrong, normal)

    half = values(jax, dict(case, call="random.normal", dtype="bfloat16", options={}))
    assert not same(normal.astype(half.dtype), half)

    init = jax.nn.initializers.glorot_uniform()
    weight = init(KEY, (40, 30))
    limit = np.sqrt(np.float32(3) * np.float32(1 / 35))
    unit = jax.random.uniform(KEY, (40, 30))
    assert not same(unit * (limit + limit) - limit, weight)
    assert not same(init(jax.random.split(KEY)[0], (40, 30)), weight)
    assert not same(init(KEY, (30, 40)).T, weight)
    with jax.threefry_partitionable(False):
        assert not same(init(KEY, (40, 30)), weight)


def plain_erf_inv(u, log1p):
    """erf_inv with each product rounded before it is added."""
    w = -log1p(u * -u)
    near = w < np.float32(5)
    t = np.where(near, w - np.float32(2.5), np.sqrt(w) - np.float32(3))
    value = np.zeros_like(u)
    for a, b in zip(_xla32._NEAR, _xla32._FAR, strict=True):
        value = value * t + np.where(near, a, b)
    return u * value


def test_keys_are_jaxs():
    """Seeds, splits and folds as JAX derives them; high halves count in 64-bit mode alone."""
    data = jax.random.key_data
    assert data(jax.random.key(2**32 + 5)).tolist() == [0, 5]
    assert data(jax.random.key(-1)).tolist() == [0, 2**32 - 1]
    assert data(jax.random.key(np.uint64(2**63 + 7))).tolist() == [0, 7]
    with jax.enable_x64(True):
        assert data(jax.random.key(2**32 + 5)).tolist() == [1, 5]
        assert data(jax.random.key(-1)).tolist() == [2**32 - 1] * 2
        assert data(jax.random.key(np.int32(-1))).tolist() == [0, 2**32 - 1]
        assert data(jax.random.key(np.uint64(2**63 + 7))).tolist() == [2**31, 7]
    assert jax.random.PRNGKey(3).tolist() == [0, 3]
    assert jax.random.split(jax.random.PRNGKey(42)).tolist() == [
        [1832780943, 270669613],
        [64467757, 2916123636],
    ]
    assert jax.random.fold_in(jax.random.PRNGKey(42), np.int64(-(2**32) + 7)).tolist() == [
        2547012911,
        1371500959,
    ]


def test_key_arrays_behave_as_jaxs():
    """Shape, indexing, iteration, comparison; raw keys in, raw keys out."""
    keys = jax.random.split(KEY, (2, 3))

    assert (keys.shape, keys.ndim, keys.size, len(keys)) == ((2, 3), 2, 6, 2)
    assert keys[1, 2].shape == ()
    assert keys[:, 1].shape == keys[..., 1].shape == (2,)
    assert (keys.reshape(3, 2).ravel() == keys.ravel()).all()
    assert (keys.reshape((6,))[4] == keys[1, 1]).item()
    assert [key.shape for key in keys] == [(3,), (3,)]
    assert (keys == keys.reshape(2, 3)).tolist() == [[True] * 3] * 2
    assert not (keys == KEY).any()
    assert repr(KEY) == "Array((), dtype=key<fry>) overlaying:\n[ 0 42]"
    raw = jax.random.key_data(keys)
    assert raw.shape == (2, 3, 2)
    assert (jax.random.wrap_key_data(raw, impl="threefry2x32") == keys).all()
    assert same(jax.random.split(raw[0, 0]), jax.random.key_data(jax.random.split(keys[0, 0])))
    assert same(jax.random.normal(raw[0, 0], 5), jax.random.normal(keys[0, 0], (5,)))
    assert same(jax.random.clone(raw), raw)
    assert jax.random.key_impl(raw) == "threefry2x32"
    assert KEY.dtype == jax.random.key_dtype("threefry2x32")
    assert hash(KEY.dtype) == hash(jax.random.key_dtype())
    raw[...] = 0  # a copy: the keys stay
    assert jax.random.key_data(keys).any()


def test_options_are_of_the_thread_and_the_process():
    """A block's value ends with the block; `config.update` stays."""
    assert (jax.config.jax_enable_x64, jax.config.jax_threefry_partitionable) == (False, True)
    with jax.enable_x64(True):
        assert jax.random.uniform(KEY).dtype == np.float64
        with jax.enable_x64(False):
            assert jax.random.bits(KEY).dtype == np.uint32
        assert jax.random.bits(KEY).dtype == np.uint64
    jax.config.update("jax_enable_x64", True)
    try:
        assert jax.nn.initializers.zeros(KEY, (2,)).dtype == np.float64
    finally:
        jax.config.update("jax_enable_x64", False)
    with pytest.warns(UserWarning, match="will be truncated to dtype float32"):
        assert jax.random.uniform(KEY, (), "float64").dtype == np.float32


def test_dtypes_have_numpys_names():
    """JAX takes each name that NumPy has, and Python's types, for which it warns of nothing."""
    uniform, zeros = jax.random.uniform, jax.nn.initializers.zeros
    for name, dtype in (("half", "float16"), ("e", "float16"), ("f", "float32"), (None, "float32"),
                        (float, "float32"), ("single", "float32")):  # fmt: skip
        assert same(uniform(KEY, (2,), name), uniform(KEY, (2,), dtype))
    for kind, dtype in ((int, "int32"), (bool, "bool"), ("?", "bool"), ("uintc", "uint32")):
        assert zeros(None, (2,), kind).dtype == dtype
    with pytest.warns(UserWarning, match="float64 is not available"):
        assert zeros(None, (2,), "float").dtype == "float32"
    with jax.enable_x64(True):
        for kind in (int, float, "double", "uint"):
            assert zeros(None, (2,), kind).dtype == kind
        assert jax.random.bits(KEY, (2,), "uint").dtype == "uint64"


def test_fans_are_jaxs():
    """Floats, batch axes left out of both fans, several axes multiplied."""
    assert compute_fans((3, 3, 4, 8)) == (36.0, 72.0)
    assert compute_fans((5, 4, 8), batch_axis=0) == (4.0, 8.0)
    assert compute_fans((5, 4, 8), in_axis=(0, 1), out_axis=2) == (20.0, 8.0)
    assert compute_fans((7,), in_axis=0, out_axis=()) == (7.0, 1.0)


def test_orthogonal_is_orthogonal_and_from_the_draw():
    """Columns or rows are orthonormal, R's diagonal of the factorised draw is positive, parts are
    slices; a delta is that matrix at the centre."""
    init = jax.nn.initializers.orthogonal(2.0)
    for shape in ((6, 4), (4, 6), (2, 3, 4)):
        q = init(KEY, shape).reshape(-1, shape[-1]).astype(float) / 2
        q = q if q.shape[0] >= q.shape[1] else q.T
        drawn = jax.random.normal(KEY, q.shape)
        r = q.T @ drawn
        assert np.allclose(q.T @ q, np.eye(q.shape[1]), atol=1e-6)
        assert np.allclose(r, np.triu(r), atol=1e-5)
        assert (np.diagonal(r) > 0).all()
    assert same(init(KEY, (6, 4), shard=np.s_[2:5, 1:]), init(KEY, (6, 4))[2:5, 1:])
    column = jax.nn.initializers.orthogonal(column_axis=0)(KEY, (5, 2, 2))
    assert np.allclose(column.reshape(5, 4).T @ column.reshape(5, 4), np.eye(4), atol=1e-6)
    assert init(KEY, (0, 4)).shape == (0, 4)
    with jax.enable_x64(True):
        for dtype in ("float32", "float64"):
            delta = jax.nn.initializers.delta_orthogonal(2.0)(KEY, (3, 4, 2, 5), dtype)
            assert np.count_nonzero(delta) == 10
            assert same(delta[1, 1], init(KEY, (2, 5), dtype))  # drawn in the call's dtype


def constant(value, dtype=None):
    """A small weight of one value."""
    return jax.nn.initializers.constant(value)(None, (2,), dtype)


def test_integers_are_held_as_jax_holds_them():
    """NumPy's lose their high bits without jax_enable_x64, and are whole with it."""
    uniform = functools.partial(jax.random.uniform, KEY, (5,), "float32", 0)
    assert same(uniform(np.int64(2**40 + 3)), uniform(3))
    assert same(uniform(np.uint64(2**32 - 1)), uniform(float(2**32 - 1)))
    assert same(constant(300, "int8"), constant(44, "int8"))
    with jax.enable_x64(True):
        for limit in (np.int64(2**40), 2**40):
            assert same(uniform(limit), uniform(2.0**40))


def test_a_float16_limit_is_rounded_once_where_the_cpu_can():
    """From float64 by way of float32, or at once on a CPU that computes in float16."""
    above_a_tie = 1.01220703125 + 1e-9
    for fused, x64, nearest in (
        (False, False, 1.01171875), (False, True, 1.01171875),
        (True, False, 1.01171875), (True, True, 1.0126953125),
    ):  # fmt: skip
        with jax.float16_fma(fused), jax.enable_x64(x64):
            assert _constants.limit("minval", above_a_tie, np.dtype("float16")) == nearest


@pytest.mark.parametrize(
    ("limits", "values"),
    [
        ((-2.6, 1.3), ("0x1.1ef992p-2", "0x1.2d4c6ap+0", "-0x1.2f546ap-1")),
        ((5.2, 5.4), ("0x1.52dc6ep+2", "0x1.599998p+2", "0x1.4e1654p+2")),
    ],
)
def test_known_values_at_limits_that_xla_does_not_divide(limits, values):
    """JAX 0.10.2's numbers where a product with 1 / sqrt(2) is not the quotient, and where XLA's
    erf is 1 before its polynomial is."""
    drawn = jax.random.truncated_normal(jax.random.key(7), *limits, (3,))
    assert drawn.tolist() == [float.fromhex(value) for value in values]
