# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 without TensorFlow: seeds, their state, graphs and threads."""

import itertools
import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from glorot.compat import v1
from glorot.replay.tensorflow import _kernels as replay

pytestmark = pytest.mark.usefixtures("no_graph_seed")
M = 2**31 - 1

k = v1.keras.initializers
glorot_uniform = k.glorot_uniform


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


def test_each_law_counts_its_own_values():
    """What one law has drawn from a pair of seeds moves no other: TensorFlow keeps a generator an
    operation. Recorded with TensorFlow 2.21."""
    v1.set_random_seed(7)
    first = v1.random.normal((3,), seed=5)
    truncated = v1.random.truncated_normal((3,), seed=5)
    assert truncated == pytest.approx([0.00727805, 0.53435814, 0.18353333], abs=1e-8)
    second = v1.random.normal((3,), seed=5)
    assert second == pytest.approx([-0.03867206, 0.6674042, 0.32648373], abs=1e-7)
    v1.set_random_seed(7)
    assert (v1.random.truncated_normal((3,), seed=5) == truncated).all()
    assert (v1.random.normal((3,), seed=5) == first).all()


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
