# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 without TensorFlow: its recorded numbers, seeds, state, names and errors."""

import doctest
import functools
import importlib
import itertools
import json
import math
import random
import re
import runpy
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import _kernel
from glorot.compat import v1
from glorot.replay.tensorflow import _kernels as replay
from glorot.replay.tensorflow._arguments import FLOAT_DTYPES, INTEGER_DTYPES

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    line
    for law in ("uniform", "normal")
    for line in (ROOT / "tests" / "vectors" / f"tensorflow-v1-{law}.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if not line.startswith("#")
]
CALLS = [row for row in ROWS if not row.startswith("kernel")]
KERNELS = [row for row in ROWS if row.startswith("kernel")]
M = 2**31 - 1

k = v1.keras.initializers
glorot_uniform = k.glorot_uniform


@pytest.fixture(autouse=True)
def fresh():
    """Every test starts, and leaves, without a graph seed and without kernel state."""
    v1.set_random_seed(None)
    yield
    v1.set_random_seed(None)


def bits(array):
    """The elements as hexadecimal text, most significant byte first."""
    width = array.dtype.itemsize
    data = array.tobytes()
    return [data[i : i + width][::-1].hex() for i in range(0, len(data), width)]


# --- the numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["native", "reference"])
def test_recorded_calls_are_reproduced(target):
    """Every call TensorFlow 2.4.4 and 2.21 were recorded making gives the same bytes here, from
    the compiled kernel (if there is one) and from the NumPy reference."""
    with _kernel.forced("reference" if target == "reference" else _kernel.target()):
        for _, rows in itertools.groupby(CALLS, key=lambda row: row.split(" ")[:6]):
            calls = [row.split(" ") for row in rows]
            mode, graph_seed, name, options, shape, dtype = calls[0][:6]
            make = v1
            for part in name.split("."):
                make = getattr(make, part)
            options = json.loads(options)
            if isinstance(make, FunctionType) and not name.startswith("initializers."):
                init = functools.partial(make, **options)
            else:
                init = make(**options)
            sizes = () if shape == "-" else tuple(map(int, shape.split("x")))
            for run, same_run in itertools.groupby(calls, key=lambda cells: int(cells[6])):
                if mode == "eager":
                    v1.set_random_seed(json.loads(graph_seed))
                    got = [init(sizes, dtype=dtype) for _ in same_run]
                else:
                    with v1.Graph(run, seed=json.loads(graph_seed)).as_default():
                        got = [init(sizes, dtype=dtype) for _ in same_run]
                want = [cells[8:] for cells in calls if int(cells[6]) == run]
                assert [bits(value.reshape(-1)[:8]) for value in got] == want, calls[0]


@pytest.mark.parametrize("target", ["native", "reference"])
def test_kernel_rows_are_reproduced(target):
    """The kernel's counter carries past 32, 64 and 128 bits, from any start, as in plain Python."""
    with _kernel.forced("reference" if target == "reference" else _kernel.target()):
        for row in KERNELS:
            law, *cells = row.removeprefix("kernel ").split(" ")
            draw = {"normal": replay.random_normal, "truncated": replay.truncated_normal}.get(law)
            if draw is None:
                draw, cells = replay.random_uniform, [law, *cells]
            seed, seed2, offset, start, dtype, first, second, *want = cells
            got = draw(
                (int(start) + len(want),), json.loads(first), json.loads(second), dtype,
                seed=(int(seed), int(seed2)), offset=int(offset),
                shard=slice(int(start), None),
            )  # fmt: skip
            assert bits(got) == want, row


def test_kernel_rows_are_the_oracles():
    """The recorded kernel rows are what an implementation in plain Python integers gives."""
    oracle = runpy.run_path(str(ROOT / "tests" / "oracle" / "tensorflow_philox.py"))
    uniform = [row for row in KERNELS if not row.startswith(("kernel normal", "kernel truncated"))]
    assert list(oracle["rows"]()) == uniform


def test_wrong_streams_are_rejected():
    """The recorded numbers reject the mistakes an imitator would make."""
    want = next(row for row in CALLS if "glorot_uniform" in row).split(" ")[8:]
    bound = math.sqrt(3 / 3.5)

    def uniform(bound=bound, seed=(87654321, 42), start=0, **more):
        values = replay.random_uniform((13,), -bound, bound, seed=seed, **more)
        return bits(values[start : start + 8])

    assert uniform() == want
    wrong = {
        "fan_in for the mean of both fans": uniform(bound=math.sqrt(3 / 3)),
        "fan_out": uniform(bound=math.sqrt(3 / 4)),
        "seeds exchanged": uniform(seed=(42, 87654321)),
        "no graph seed": uniform(seed=(0, 42)),
        "one block on": uniform(offset=1),
        "one element on": uniform(start=1),
        "bound of float64": bits(
            replay.random_uniform((12,), -bound, bound, "float64", seed=(87654321, 42))
            .astype(np.float32)[:8]
        ),
    }  # fmt: skip
    for mistake, values in wrong.items():
        assert values != want, mistake


DRAWS = [
    *itertools.product([replay.random_uniform], [*FLOAT_DTYPES, *INTEGER_DTYPES]),
    *itertools.product([replay.random_normal, replay.truncated_normal], FLOAT_DTYPES),
]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**66),
    st.sampled_from(DRAWS),
    st.lists(st.integers(0, 40), min_size=1, max_size=5),
    st.integers(1, 5),
    st.sampled_from([0, 1]),
    st.randoms(use_true_random=False),
)
def test_any_split_gives_the_whole(seed, seed2, offset, draw, counts, width, axis, rng):
    """Shards cut anywhere along either axis, computed in any order, are the values of the whole."""
    draw, dtype = draw
    shape = (sum(counts), width) if axis == 0 else (width, sum(counts))
    draw = functools.partial(draw, shape, -7, 9, dtype, seed=(seed, seed2), offset=offset)
    stops = list(itertools.accumulate(counts))
    pieces = list(zip([0, *stops], stops, strict=False))
    rng.shuffle(pieces)
    joined = np.empty(shape, dtype=draw().dtype)
    for piece in pieces:
        place = (slice(None),) * axis + (slice(*piece),)
        joined[place] = draw(shard=place)
    assert joined.tobytes() == draw().tobytes()


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_compiled_kernel_equals_the_reference(dtype):
    """The compiled kernel gives the reference's bytes for counts around its chunks, any start,
    any strides, numbers of either sign, subnormal values, and laws that differ in the sign of a
    zero alone."""
    dtype = FLOAT_DTYPES[dtype]
    stream = replay.kernel_stream((3, 4), offset=2**64 - 40)
    limits = [(0, -1), (0.0, -1), (-0.5, 0.5), (0.1, 3), (2, -60.0), (0.0, 3e-8)]
    laws = [replay.uniform_law(*pair, dtype) for pair in limits]
    laws += [
        replay.normal_law(*pair, dtype, truncated=truncated, graph=graph)
        for pair in limits[2:]
        for truncated in (False, True)
        for graph in (False, True)
    ]
    assert len(set(laws)) == len(limits) + 3 * 2 + 2 * 2  # the sign of a zero tells two apart
    for law in laws:
        for count, start in itertools.product([0, 1, 3, 4, 31, 129, 1000], [0, 1, 6, 2**40 - 9]):
            for strides in (None, (1,), (3,)):
                out, want = np.empty(count, dtype), np.empty(count, dtype)
                _kernel.fill(out, law, stream, start, strides)
                with _kernel.forced("reference"):
                    _kernel.fill(want, law, stream, start, strides)
                assert out.tobytes() == want.tobytes(), (law, count, start, strides)


def test_signed_zeros_are_tensorflows():
    """An integer 0 is never added to the product, so -0.0 comes out; 0.0 is, but not in a graph."""
    shape, dtype = (4096,), "bfloat16"

    def negative_zeros(minval):
        v1.set_random_seed(5)
        values = v1.random_uniform_initializer(minval, -1, seed=7, dtype=dtype)(shape)
        return int(np.sum((values == 0) & np.signbit(values.astype(np.float32))))

    assert negative_zeros(0) > 0
    assert negative_zeros(0.0) == 0
    with v1.Graph().as_default():
        assert negative_zeros(0.0) > 0


def test_float16_limits_round_as_in_eager_mode_and_in_graphs():
    """A Python float reaches float16 through float32 eagerly, directly in a graph; a NumPy one
    always directly; the value is one on which the ways differ."""
    tie = 1 + 2**-11 + 1e-12
    init, numpy_init = (v1.constant_initializer(x) for x in (tie, np.array(tie)))
    assert init((1,), "float16")[0] == 1.0
    assert numpy_init((1,), "float16")[0] == 1 + 2**-10
    with v1.Graph().as_default():
        assert init((1,), "float16")[0] == 1 + 2**-10


# --- seeds and state -----------------------------------------------------------------------------


def test_pairs_of_seeds():
    """Graph and operation seeds make TensorFlow's pair: Python's modulo, 87654321, (0, M)."""
    assert v1.get_seed(None) == (None, None)
    assert v1.get_seed(42) == (87654321, 42)
    assert v1.get_seed(-1) == (87654321, M - 1)
    assert v1.get_seed(2**31) == (87654321, 1)
    assert v1.get_seed(M) == (87654321, 0)
    assert v1.get_seed(2.7) == (87654321, 2)
    v1.random.set_random_seed(2**32 + 1)
    assert v1.random.get_seed(5) == (3, 5)
    v1.set_random_seed(0)
    assert v1.get_seed(0) == (0, M)
    v1.set_random_seed(M)
    assert v1.get_seed(np.int64(M)) == (0, M)


def test_unseeded_calls_take_their_seeds_in_turn():
    """With a graph seed, eager calls draw theirs from Python's generator, a graph counts them."""
    v1.set_random_seed(1234)
    turn = random.Random(1234)
    assert [v1.get_seed(None)[1] for _ in range(3)] == [turn.randint(0, M) % M for _ in range(3)]
    with v1.Graph(seed=1234).as_default() as graph:
        glorot_uniform(seed=9)((2,))  # a seeded call is not counted
        glorot_uniform()((2,))
        assert v1.get_seed(None) == (1234, 1)
        v1.set_random_seed(6)
        assert graph.seed == 6
        assert v1.get_seed(None) == (6, 2)
    assert v1.get_seed(1) == (1234, 1)


def test_nothing_seeded_never_repeats():
    """Without any seed the values come from entropy, in eager mode and in graphs."""
    seen = [glorot_uniform()((4,)) for _ in range(3)]
    with v1.Graph().as_default():
        seen += [glorot_uniform()((4,)) for _ in range(3)]
    assert len({values.tobytes() for values in seen}) == 6
    assert all(np.abs(values).max() < math.sqrt(0.75) for values in seen)


def test_eager_calls_share_a_state():
    """Calls with one pair of seeds and one dtype go on where the last stopped, whichever the
    initializer; another dtype, an int64 shape or integers have a state of their own."""
    first = glorot_uniform(seed=7)((3, 2))
    second = glorot_uniform(seed=7)((3, 2))
    other = k.he_uniform(seed=7 + M)((3, 2))
    assert not (first == second).any()
    bound = math.sqrt(3 * 1.0 / 2.5)
    want = [
        replay.random_uniform((3, 2), -bound, bound, seed=(87654321, 7), offset=256 * 6 * i)
        for i in range(2)
    ]
    assert (np.stack([first, second]) == np.stack(want)).all()
    bound = math.sqrt(3 * (2.0 / 3))
    want = replay.random_uniform((3, 2), -bound, bound, seed=(87654321, 7), offset=256 * 12)
    assert (other == want).all()
    fresh = first
    assert (glorot_uniform(seed=7)(np.array([3, 2])) == fresh).all()
    assert (glorot_uniform(seed=7)(np.array([3, 2], np.int32)) != fresh).all()
    unit = v1.random_uniform_initializer(seed=7, dtype="float64")((2,))
    assert (unit == replay.random_uniform((2,), 0, 1, "float64", seed=(87654321, 7))).all()


def test_setting_the_seed_starts_again():
    """set_random_seed, with any value, forgets all states and the turn of unseeded calls."""
    v1.set_random_seed(3)
    first = [glorot_uniform()((5,)), glorot_uniform(seed=1)((5,)), glorot_uniform()((5,))]
    v1.set_random_seed(3)
    again = [glorot_uniform()((5,)), glorot_uniform(seed=1)((5,)), glorot_uniform()((5,))]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[2])


def test_constants_use_no_seed():
    """Zeros, ones, constants and identities move no state."""
    v1.set_random_seed(3)
    first = [glorot_uniform()((5,)) for _ in range(2)]
    v1.set_random_seed(3)
    again = [glorot_uniform()((5,))]
    for init in (k.Zeros(), k.Ones(), k.Constant(2), k.Identity()):
        init((5, 5) if isinstance(init, k.Identity) else (25,))
    assert np.array_equal(first, [*again, glorot_uniform()((5,))])


def test_a_refused_call_uses_no_seed():
    """A call that raises leaves the state as it was."""
    v1.set_random_seed(3)
    first = glorot_uniform()((5,))
    v1.set_random_seed(3)
    for call in (
        lambda: glorot_uniform()((5.5,)),
        lambda: glorot_uniform()((5,), "int32"),
        lambda: k.RandomUniform(0, 1e300)((5,)),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
    assert np.array_equal(first, glorot_uniform()((5,)))


def test_graphs_have_a_kernel_for_each_call():
    """In a graph equal seeds give equal values, each run goes on, a new graph starts again."""
    init = glorot_uniform(seed=11)
    with v1.Graph().as_default():
        first, second = init((4,)), init((4,))
    with v1.Graph(run=2).as_default():
        third = init((4,))
    bound = math.sqrt(0.75)
    later = replay.random_uniform((4,), -bound, bound, seed=(87654321, 11), offset=256 * 4 * 2)
    assert (first == second).all()
    assert (third == later).all()
    assert (init((4,)) == first).all()  # the eager kernel has not been used yet


def test_graphs_nest_and_belong_to_a_thread():
    """The innermost graph counts; another thread is in eager mode."""
    outer, inner = v1.Graph(seed=1), v1.Graph(seed=2)
    with outer.as_default():
        with inner.as_default() as entered:
            assert entered is inner
            assert v1.get_seed(4) == (2, 4)
        assert v1.get_seed(4) == (1, 4)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(v1.get_seed, 4).result() == (87654321, 4)
    assert v1.get_seed(4) == (87654321, 4)


def test_threads_share_the_state_without_losing_a_call():
    """Many threads calling one seed get, together, the values of as many calls in a row."""
    barrier = threading.Barrier(8)

    def work(_):
        barrier.wait()
        return [glorot_uniform(seed=5)((3,)).tobytes() for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        together = sorted(itertools.chain.from_iterable(pool.map(work, range(8))))
    v1.set_random_seed(None)
    assert together == sorted(glorot_uniform(seed=5)((3,)).tobytes() for _ in range(400))


# --- shapes, dtypes, partitions, configs ---------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((4,), (4, 4)), ((4, 6), (4, 6)), ((3, 4, 8), (12, 24)), ((0, 3), (0, 3)),
     ((3, 3, 4, 8), (36, 72))],
)  # fmt: skip
def test_bounds_follow_tensorflows_fans(shape, fans):
    """The bound is that of TensorFlow's fans: the last two axes are in and out."""
    init = glorot_uniform(seed=1)
    bound = math.sqrt(3 / max(1.0, sum(fans) / 2))
    want = replay.random_uniform(shape, -bound, bound, seed=(87654321, 1))
    got = init(list(shape))
    assert got.shape == shape
    assert got.tobytes() == want.tobytes()
    for wrong in (fans[0], fans[1], sum(fans)):
        if got.size and max(1.0, wrong) != max(1.0, sum(fans) / 2):
            other = math.sqrt(3 / max(1.0, wrong))
            assert (got != replay.random_uniform(shape, -other, other, seed=(87654321, 1))).any()


def test_dtype_is_the_default_of_the_result():
    """As the page says, and as TensorFlow does not: `ignore_dtype` imitates that."""
    assert glorot_uniform(dtype="float64")((2,)).dtype == np.float64
    assert glorot_uniform(dtype="float64")((2,), "float16").dtype == np.float16
    assert glorot_uniform(dtype="float64").get_config() == {"seed": None, "dtype": "float64"}
    imitation = glorot_uniform(seed=3, dtype="float64", ignore_dtype=True)
    assert imitation((2,)).dtype == np.float32
    assert imitation.get_config() == {"seed": 3, "dtype": "float32"}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [("half", "float16"), ("float", "float32"), ("double", "float64"), (float, "float32"),
     (np.float16, "float16"), (np.dtype(np.float64), "float64"), ("bfloat16", "bfloat16"),
     (SimpleNamespace(as_numpy_dtype=np.float64), "float64")],
)  # fmt: skip
def test_dtypes_are_known_by_tensorflows_names(dtype, name):
    """Strings, Python and NumPy types and TensorFlow's dtype objects all name a dtype."""
    assert k.VarianceScaling(distribution="uniform", dtype=dtype).get_config()["dtype"] == name
    assert k.Zeros(bool)((1,)).dtype == np.bool_
    assert k.Zeros(int)((1,)).dtype == np.int64


def test_partitions_take_their_bound_from_the_whole_and_repeat():
    """A part's bound is that of the full shape, and parts with one seed repeat each other."""
    full = [8, 4]
    first, second = (
        SimpleNamespace(full_shape=full, var_offset=offset) for offset in ([0, 0], [4, 0])
    )
    init = glorot_uniform(seed=1)
    with v1.Graph().as_default():
        part, repeated = init([4, 4], partition_info=first), init([4, 4], partition_info=second)
        whole, alone = init(full), init([4, 4])
    assert (part == repeated).all()
    assert (part == whole[:4]).all()
    assert (part != alone).any()
    unit = v1.uniform_unit_scaling_initializer(seed=1)
    with v1.Graph().as_default():
        assert (unit([4, 4], partition_info=first) == unit(full)[:4]).all()
    eye = k.Identity(2.0)
    assert (eye([4, 4], partition_info=second) == 2 * np.eye(8, 4)[4:]).all()
    assert (eye([3, 2], partition_info=SimpleNamespace(full_shape=[5, 6], var_offset=[1, 3]))
            == 2 * np.eye(5, 6)[1:4, 3:5]).all()  # fmt: skip


def test_integers_stay_below_the_limit_and_reach_all_others():
    """Integer dtypes draw TensorFlow's RandomUniformInt: every value but `maxval`."""
    values = v1.random_uniform_initializer(-3, 4, seed=1, dtype="int32")((500,))
    assert values.dtype == np.int32
    assert set(values.tolist()) == set(range(-3, 4))
    wide = v1.random_uniform_initializer(-(2**63), 2**63 - 1, seed=1, dtype="int64")((500,))
    assert wide.min() < -(2**61)
    assert wide.max() > 2**61


def test_constants():
    """Zeros, ones, constants and identities are TensorFlow's, in eager mode and in graphs."""
    assert k.Zeros("int32")(3).tolist() == [0, 0, 0]
    assert k.Ones()((2,), "bool").tolist() == [True, True]
    assert k.Constant([[1, 2], [3, 4]])((4,)).tolist() == [1, 2, 3, 4]
    assert k.Constant([5])((2, 2)).tolist() == [[5, 5], [5, 5]]
    assert k.Constant(True)((1,)).tolist() == [1.0]
    assert k.Identity(-2.0)((1, 2)).tobytes() == np.array([[-2, -0.0]], np.float32).tobytes()
    assert k.Constant([1, 2], verify_shape=True)((2,)).tolist() == [1, 2]
    with v1.Graph().as_default():
        assert k.Constant([1, 2])((4,)).tolist() == [1, 2, 2, 2]
        assert k.Constant(1)((0, 3)).shape == (0, 3)


def test_names_are_tensorflows():
    """Each name is there under TensorFlow's spellings, and they are one object."""
    assert k.glorot_uniform is v1.glorot_uniform_initializer is v1.initializers.glorot_uniform
    assert glorot_uniform.__name__ == "GlorotUniform"
    assert glorot_uniform.__mro__[1:3] == (k.VarianceScaling, k.Initializer)
    assert k.VarianceScaling is v1.variance_scaling_initializer is v1.initializers.variance_scaling
    assert v1.random_uniform_initializer is v1.initializers.random_uniform
    assert k.RandomUniform is k.random_uniform is k.uniform
    assert issubclass(k.RandomUniform, v1.random_uniform_initializer)
    assert v1.uniform_unit_scaling_initializer is v1.initializers.uniform_unit_scaling
    for name in ("zeros", "ones", "constant"):
        assert getattr(v1, f"{name}_initializer") is getattr(v1.initializers, name)
        assert getattr(k, name) is getattr(k, name.title()) is getattr(v1.initializers, name)
    assert k.identity is k.Identity is v1.initializers.identity
    assert (k.he_uniform.__name__, k.lecun_uniform.__name__) == ("HeUniform", "LecunUniform")
    assert type(v1.initializers.he_uniform()) is k.VarianceScaling
    assert type(v1.initializers.lecun_normal()) is k.VarianceScaling
    assert k.glorot_normal is v1.glorot_normal_initializer is v1.initializers.glorot_normal
    assert k.orthogonal is k.Orthogonal is v1.orthogonal_initializer is v1.initializers.orthogonal
    assert k.RandomNormal is k.random_normal is k.normal
    assert issubclass(k.RandomNormal, v1.random_normal_initializer)
    assert issubclass(k.TruncatedNormal, v1.initializers.truncated_normal)
    assert (k.he_normal.__name__, k.lecun_normal.__name__) == ("HeNormal", "LecunNormal")
    assert v1.random_normal is v1.random.normal
    assert v1.random_uniform is v1.random.uniform
    assert v1.truncated_normal is v1.random.truncated_normal
    init = glorot_uniform(seed=5)
    assert (init.scale, init.mode, init.distribution, init.seed) == (1.0, "fan_avg", "uniform", 5)


def test_defaults_are_those_of_each_namespace():
    """Keras' RandomUniform is -0.05..0.05, TensorFlow's own 0..1."""
    assert k.RandomUniform().get_config() == {
        "minval": -0.05, "maxval": 0.05, "seed": None, "dtype": "float32",
    }  # fmt: skip
    assert v1.initializers.random_uniform().get_config() == {
        "minval": 0, "maxval": None, "seed": None, "dtype": "float32",
    }  # fmt: skip
    values = v1.random_uniform_initializer(seed=1)((100,))
    assert 0 <= values.min() < 0.1
    assert 0.9 < values.max() < 1


CONFIGS = [
    (lambda: glorot_uniform(3, "float16"), {"seed": 3, "dtype": "float16"}),
    (lambda: k.he_uniform(-4), {"seed": -4}),
    (k.lecun_uniform, {"seed": None}),
    (lambda: k.RandomUniform(-1, 1), {"minval": -1, "maxval": 1, "seed": None, "dtype": "float32"}),
    (lambda: k.VarianceScaling(2, "fan_out", "Uniform", np.int64(7), "double"),
     {"scale": 2, "mode": "fan_out", "distribution": "uniform", "seed": 7, "dtype": "float64"}),
    (lambda: v1.glorot_normal_initializer(3, "float16"), {"seed": 3, "dtype": "float16"}),
    (lambda: k.lecun_normal(2), {"seed": 2}),
    (lambda: k.VarianceScaling(distribution="Normal"),
     {"scale": 1.0, "mode": "fan_in", "distribution": "normal", "seed": None, "dtype": "float32"}),
    (lambda: k.normal(np.float32(1)),
     {"mean": 1.0, "stddev": 0.05, "seed": None, "dtype": "float32"}),
    (v1.truncated_normal_initializer,
     {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "float32"}),
    (lambda: k.Orthogonal(2, seed=4), {"gain": 2, "seed": 4, "dtype": "float32"}),
    (lambda: v1.uniform_unit_scaling_initializer(np.float32(0.5)),
     {"factor": 0.5, "seed": None, "dtype": "float32"}),
    (lambda: k.Zeros("int8"), {"dtype": "int8"}),
    (lambda: k.Constant(np.array([1.5])), {"value": [1.5], "dtype": "float32"}),
    (lambda: k.Identity(2), {"gain": 2, "dtype": "float32"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "config"), CONFIGS)
def test_configs(make, config):
    """get_config is JSON, holds TensorFlow's keys, and from_config reads it back."""
    init = make()
    assert init.get_config() == config
    assert json.loads(json.dumps(config)) == config
    again = type(init).from_config(config)
    assert again.get_config() == config
    assert repr(again) == repr(init)
    shape = (2, 2) if isinstance(init, k.Identity | k.Orthogonal) else (4,)
    with v1.Graph(seed=1).as_default():
        first = init(shape)
    with v1.Graph(seed=1).as_default():
        assert again(shape).tobytes() == first.tobytes()


def test_serialisation():
    """serialize, deserialize and get read each other, and get takes what TensorFlow's takes."""
    init = glorot_uniform(seed=1)
    data = k.serialize(init)
    assert data == {"class_name": "GlorotUniform", "config": {"seed": 1, "dtype": "float32"}}
    assert repr(k.deserialize(data)) == repr(k.get(data)) == repr(init)
    assert k.serialize(None) is None
    assert k.get(None) is None
    assert k.get(init) is init
    assert type(k.get(glorot_uniform)) is glorot_uniform
    for name in ("glorot_uniform", "GlorotUniform", "he_uniform", "lecun_uniform", "uniform",
                 "normal", "truncated_normal", "HeNormal", "orthogonal", "VarianceScaling",
                 "zeros", "zero", "one", "constant", "identity"):  # fmt: skip
        assert isinstance(k.get(name), k.Initializer)

    def mine(shape, dtype=None):
        return np.zeros(shape, dtype)

    assert k.deserialize("mine", {"mine": mine}) is mine


# --- what TensorFlow's own tests claim: python/kernel_tests/init_ops_test.py ----------------------

CLAIMED = {
    "random_normal": functools.partial(v1.random_normal_initializer, 0.0, 1.0),
    "truncated_normal": functools.partial(v1.truncated_normal_initializer, 0.0, 1.0),
    "random_uniform": functools.partial(v1.random_uniform_initializer, 0, 7),
    "uniform_unit_scaling": v1.uniform_unit_scaling_initializer,
    "orthogonal": v1.orthogonal_initializer,
}


@pytest.mark.parametrize("name", CLAIMED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_claims_of_seeds(name, dtype):
    """Equal seeds are equal in two graphs, others are not; one unseeded object used twice in a
    graph with a seed gives two values; a dtype that is no float is a ValueError."""
    make = functools.partial(CLAIMED[name], dtype=dtype)

    def in_a_graph(init):
        with v1.Graph().as_default():
            return init((10, 10)).tobytes()

    assert in_a_graph(make(seed=1)) == in_a_graph(make(seed=1))
    assert in_a_graph(make(seed=1)) != in_a_graph(make(seed=2))
    with v1.Graph(seed=1).as_default():
        init = make()
        assert init((10, 10)).tobytes() != init((10, 10)).tobytes()
    if name != "random_uniform":
        with pytest.raises(ValueError, match="Expected floating point type, got <dtype: 'string'>"):
            CLAIMED[name](dtype="string")


@pytest.mark.parametrize(
    "distribution", ["truncated_normal", "normal", "untruncated_normal", "uniform"]
)
def test_claims_of_variance_scaling(distribution):
    """The mean is 0 and the variance 1 / fan_in, here within 5 standard errors."""
    init = v1.variance_scaling_initializer(distribution=distribution, seed=3)
    values = init((100, 100), "float64")
    assert abs(values.mean()) < 5 * 0.1 / 100
    assert abs(values.var() * 100 - 1) < 5 * math.sqrt(2) / 100
    assert abs(values.var() * 100 / 2 - 1) > 5 * math.sqrt(2) / 100  # he_normal's would be told


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_claims_of_orthogonal(dtype, tolerance):
    """Rows or columns are orthonormal, whichever are fewer, and the gain multiplies them."""
    for shape in [(10, 10), (10, 9, 8), (100, 5, 5), (50, 40), (40, 50)]:
        v1.set_random_seed(1)
        values = v1.orthogonal_initializer(seed=1, dtype=dtype)(shape)
        assert values.shape == shape
        matrix = values.reshape(-1, shape[-1])
        rows, columns = matrix.shape
        product = matrix.T @ matrix if rows > columns else matrix @ matrix.T
        assert np.abs(product - np.eye(min(rows, columns))).max() < tolerance
        v1.set_random_seed(1)
        scaled = v1.orthogonal_initializer(3.14, seed=1, dtype=dtype)(shape)
        assert np.allclose(scaled / 3.14, values, rtol=1e-6, atol=1e-7)


def test_claims_of_constants():
    """Integers, tuples and nested lists fill in order; in a graph the last is repeated where there
    are fewer, and more are refused; zero sizes give zero sizes."""
    assert (v1.constant_initializer(7)((2, 3), "int32") == np.full((2, 3), 7, np.int32)).all()
    assert v1.constant_initializer((10, 20, 30))((3,), "int32").tolist() == [10, 20, 30]
    six = [0, 1, 2, 3, 4, 5]
    with v1.Graph().as_default():
        for value in (six, np.array(six), np.reshape(six, (2, 3))):
            init = v1.constant_initializer(value, dtype="int32")
            assert init((2, 3)).ravel().tolist() == six
            assert init((2, 4)).ravel().tolist() == [*six, 5, 5]
            with pytest.raises(ValueError, match="Too many elements provided"):
                init((2, 2))
    assert v1.uniform_unit_scaling_initializer()((0, 2)).shape == (0, 2)
    assert (v1.initializers.identity(0.9)((10, 5)) == np.float32(0.9) * np.eye(10, 5)).all()
    for shape in ((5, 7, 7), (5,), ()):
        with pytest.raises(ValueError, match="can only be used for 2D matrices"):
            v1.initializers.identity()(shape)


# --- refusals ------------------------------------------------------------------------------------


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
    (TypeError, "Cannot convert 1.5 to EagerTensor of dtype int32",
     lambda: k.Constant(1.5)((2,), "int32")),
    (ValueError, "300 does not fit uint8", lambda: k.Constant(300)((2,), "uint8")),
    (ValueError, "Identity matrix initializer can only be used for 2D matrices",
     lambda: k.Identity()((3,))),
    (ValueError, "leaves the full shape (4, 4)",
     lambda: k.Identity()(
         (3, 3), partition_info=SimpleNamespace(full_shape=(4, 4), var_offset=(2, 0)))),
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
