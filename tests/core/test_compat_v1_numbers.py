# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 gives the numbers that TensorFlow was recorded giving, of any split."""

import functools
import itertools
import json
import math
import runpy
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot import _kernel
from glorot.compat import v1
from glorot.replay.tensorflow import _kernels as replay
from glorot.replay.tensorflow._arguments import FLOAT_DTYPES, INTEGER_DTYPES

pytestmark = pytest.mark.usefixtures("no_graph_seed")
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
glorot_uniform = v1.keras.initializers.glorot_uniform


def bits(array):
    """The elements as hexadecimal text, most significant byte first."""
    width = array.dtype.itemsize
    data = array.tobytes()
    return [data[i : i + width][::-1].hex() for i in range(0, len(data), width)]


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    all_strides = itertools.cycle([None, (1,), (3,)])
    ranges = list(itertools.product([0, 1, 3, 4, 31, 129, 1000], [0, 1, 6, 2**40 - 9]))
    assert len(ranges) % 3 == 1  # so each range meets other strides with the next law
    for law in laws:
        for (count, start), strides in zip(ranges, all_strides, strict=False):
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


@pytest.mark.parametrize(("dtype", "mean"), [("float32", 1e-38), ("float64", 1e-310)])
def test_a_subnormal_mean_in_a_graph_is_not_added(dtype, mean):
    """It is taken for 0, of which TensorFlow's graphs drop the sum: products keep their sign."""

    def signs():
        v1.set_random_seed(None)
        return np.signbit(v1.random_normal((64,), mean, 0.0, dtype, seed=3)).sum()

    assert signs() == 0
    with v1.Graph().as_default():
        assert 10 < signs() < 54


def test_float16_limits_round_as_in_eager_mode_and_in_graphs():
    """A Python float reaches float16 through float32 eagerly, directly in a graph; a NumPy one
    always directly; the value is one on which the ways differ."""
    tie = 1 + 2**-11 + 1e-12
    init, numpy_init = (v1.constant_initializer(x) for x in (tie, np.array(tie)))
    assert init((1,), "float16")[0] == 1.0
    assert numpy_init((1,), "float16")[0] == 1 + 2**-10
    with v1.Graph().as_default():
        assert init((1,), "float16")[0] == 1 + 2**-10
