# SPDX-License-Identifier: Apache-2.0
"""`Sparse`: exactly so many zeros for each output unit, the same ones everywhere."""

import math

import numpy as np
import pytest

import glorot
from glorot import _kernel
from glorot._stream import LANE_SECOND, stream


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(7, 5), (3, 3, 4, 8), (1, 9)])
def test_each_output_has_exactly_so_many_zeros(sparsity, shape):
    """ceil(sparsity * n_in) zeros among each output unit's incoming weights."""
    w = glorot.Sparse(sparsity, seed=1)(shape, name="w").reshape(-1, shape[-1])

    assert ((w == 0).sum(axis=0) == math.ceil(sparsity * w.shape[0])).all()


def test_kept_weights_are_the_normal_laws():
    """What is not zero equals RandomNormal of the same seed and name."""
    sparse = glorot.Sparse(0.3, stddev=0.02, seed=1)((40, 30), name="w")
    normal = glorot.RandomNormal(stddev=0.02, seed=1)((40, 30), name="w")

    assert (sparse[sparse != 0] == normal[sparse != 0]).all()


def test_zeros_are_the_smallest_second_draws():
    """The mask is that of the documented rule: the second lane's words, ranked in each column."""
    words = np.empty((40, 30), np.uint32)
    _kernel.fill(words, None, stream(1, "w", LANE_SECOND))
    cut = np.sort(words, axis=0)[11]

    w = glorot.Sparse(0.3, seed=1)((40, 30), name="w")

    assert ((w == 0) == (words <= cut)).all()


def test_zeros_are_spread_evenly():
    """Which weights are zero is independent of their place and of their value's sign."""
    w = glorot.Sparse(0.5, seed=1)((200, 200), name="w")
    normal = glorot.RandomNormal(stddev=0.01, seed=1)((200, 200), name="w")

    assert abs((w == 0).sum(axis=1) - 100).max() < 5 * math.sqrt(50)
    assert abs((normal[w == 0] > 0).mean() - 0.5) < 4 * 0.5 / math.sqrt(20000)


def test_canonical_order_joins_layouts():
    """A Linear in canonical order is the transpose of a Dense, zeros included."""
    dense = glorot.Sparse(0.4, seed=1)((6, 4), name="w")

    linear = glorot.Sparse(0.4, seed=1, layout="OI", order="canonical")((4, 6), name="w")

    assert (dense == linear.T).all()


def test_parts_are_slices_of_the_whole():
    """Shards and ranges hold the bytes of the whole."""
    init = glorot.Sparse(0.4, seed=1, layout="torch.linear")
    whole = init((6, 8), name="w")
    run = np.empty(10, np.float32)

    init.fill_range(run, (6, 8), 15, name="w")

    assert ((whole == 0).sum(axis=1) == math.ceil(0.4 * 8)).all()
    assert (init((6, 8), name="w", shard=np.s_[1:3, 2:]) == whole[1:3, 2:]).all()
    assert (run == whole.ravel()[15:25]).all()


def test_expected_stddev_counts_the_zeros():
    """The root mean square of 10**5 values is as promised, within 4 standard errors; where the
    sparsity is no whole number of weights, it counts the next one too."""
    init = glorot.Sparse(0.75, stddev=2.0, seed=1)
    w = init((1000, 100), "float64")

    assert init.expected_stddev((1000, 100)) == 1.0
    assert abs(math.sqrt(np.mean(w**2)) - 1.0) < 4 * math.sqrt(0.5 / (0.25 * w.size))
    assert glorot.Sparse(0.1, stddev=2.0).expected_stddev((4, 5)) == 2.0 * math.sqrt(3 / 4)
    assert glorot.Sparse(0.1, stddev=2.0).expected_stddev((0, 5)) == 2.0


def test_vectors_are_refused():
    """A weight without input and output axes has no incoming weights to thin out."""
    with pytest.raises(ValueError, match=r"shape \(4,\) is no matrix"):
        glorot.Sparse(0.5, seed=1)((4,))
