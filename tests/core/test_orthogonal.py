# SPDX-License-Identifier: Apache-2.0
"""Orthogonal initializers: orthonormal, Haar-distributed, and slices of the whole."""

import math

import numpy as np
import pytest

import glorot
from glorot import _kernel, _laws
from glorot._stream import stream


@pytest.mark.parametrize("shape", [(8, 8), (20, 5), (5, 20), (3, 3, 4, 8), (2, 1), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_the_shorter_side_is_orthonormal(shape, gain):
    """Flattened as Keras does, the shorter side's vectors are orthonormal times gain."""
    w = glorot.Orthogonal(gain, seed=1)(shape, "float64", name="w").reshape(-1, shape[-1])
    w = w if w.shape[0] >= w.shape[1] else w.T

    assert np.allclose(w.T @ w, gain**2 * np.eye(w.shape[1]), atol=1e-12)


def test_the_documented_construction():
    """Householder QR of the normal law's matrix, signs from R's diagonal, one rounding."""
    unsigned = 0
    for seed in range(5):
        normal = np.empty((12, 5))
        _kernel.fill(normal, _laws.Normal(1.0), stream(seed, "w"))
        q, r = np.linalg.qr(normal)

        tall = glorot.Orthogonal(seed=seed)((12, 5), name="w")
        wide = glorot.Orthogonal(seed=seed)((5, 12), name="w")

        assert (tall == (q * np.sign(np.diag(r))).astype(np.float32)).all()
        assert (wide == tall.T).all()
        unsigned += (tall == q.astype(np.float32)).all()
    assert unsigned < 5  # without the signs the law is not uniform


def precise_qr(matrix):
    """Q of Householder's QR with R's diagonal positive, in the machine's longest float."""
    r = matrix.astype(np.longdouble)
    reflectors = []
    for k in range(r.shape[1]):
        v = r[k:, k].copy()
        v[0] += np.copysign(np.sqrt((v * v).sum()), v[0])
        v /= np.sqrt((v * v).sum())
        r[k:, k:] -= 2 * np.outer(v, v @ r[k:, k:])
        reflectors.append(v)
    q = np.eye(*r.shape, dtype=np.longdouble)
    for k, v in reversed(list(enumerate(reflectors))):
        q[k:] -= 2 * np.outer(v, v @ q[k:])
    return q * np.where(np.diagonal(r) < 0, -1, 1)


@pytest.mark.parametrize("shape", [(1, 1), (40, 40), (60, 20)])
def test_the_stated_tolerance(shape):
    """LAPACK's values lie within 1e-12 of those of a longer float; one sign wrong is far off."""
    for seed in range(5):
        normal = np.empty(shape)
        _kernel.fill(normal, _laws.Normal(1.0), stream(seed, "w"))
        w = glorot.Orthogonal(seed=seed)(shape, "float64", name="w")

        assert abs(w - precise_qr(normal)).max() < 1e-12


def test_the_law_is_haar():
    """Over 2000 seeds the trace of a 3 x 3 matrix has mean 0 and variance 1, as under Haar
    measure; QR without the sign correction, whose diagonal is biased, has not."""
    init = glorot.Orthogonal()
    traces = np.array([np.trace(init((3, 3), "float64", seed=seed)) for seed in range(2000)])

    assert abs(traces.mean()) < 4 / math.sqrt(2000)
    assert abs(traces.var() - 1) < 4 * math.sqrt(2 / 2000)
    raw = [
        np.trace(np.linalg.qr(glorot.RandomNormal(stddev=1)((3, 3), "float64", seed=seed))[0])
        for seed in range(200)
    ]
    assert abs(np.mean(raw)) > 4 / math.sqrt(200)


def test_layouts_move_the_axes_of_one_matrix():
    """A torch Linear is the transpose of a Dense, a torch conv the moved axes of a Keras one."""
    dense = glorot.Orthogonal(seed=1)((6, 4), name="w")
    conv = glorot.Orthogonal(seed=1)((3, 2, 4, 8), name="w")

    linear = glorot.Orthogonal(seed=1, layout="torch.linear")((4, 6), name="w")
    torch_conv = glorot.Orthogonal(seed=1, layout="torch.conv")((8, 4, 3, 2), name="w")

    assert (dense == linear.T).all()
    assert (torch_conv.transpose(2, 3, 1, 0) == conv).all()


def test_batch_axes_hold_matrices_of_their_own():
    """Each slice of a batch axis is orthogonal, all differ, and the first is the matrix alone."""
    w = glorot.Orthogonal(seed=1, batch_axes=0)((3, 6, 4), "float64", name="w")

    for matrix in w:
        assert np.allclose(matrix.T @ matrix, np.eye(4), atol=1e-12)
    assert (w[0] == glorot.Orthogonal(seed=1)((6, 4), "float64", name="w")).all()
    assert abs(w[0] - w[1]).max() > 0.1


def test_depthwise_channels_hold_matrices_of_their_own():
    """A channel group axis numbers matrices as a batch axis does."""
    w = glorot.Orthogonal(seed=1, layout="keras.depthwise_conv")((3, 3, 4, 2), "float64")

    for channel in range(4):
        matrix = w[:, :, channel].reshape(9, 2)
        assert np.allclose(matrix.T @ matrix, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("cls", [glorot.Orthogonal, glorot.DeltaOrthogonal])
def test_parts_are_slices_of_the_whole(cls):
    """Shards, ranges and `out` hold the bytes of the whole."""
    init = cls(2.0, seed=1, layout="torch.conv")
    whole = init((8, 4, 3, 3), name="w")
    run = np.empty(50, np.float32)
    out = np.empty((3, 3, 4, 8), np.float32).transpose()

    init.fill_range(run, (8, 4, 3, 3), 60, name="w")
    shard = init((8, 4, 3, 3), name="w", shard=np.s_[2:5, 1:])
    empty = init((8, 4, 3, 3), name="w", shard=np.s_[2:2])
    init((8, 4, 3, 3), name="w", out=out)

    assert (run == whole.ravel()[60:110]).all()
    assert (shard == whole[2:5, 1:]).all()
    assert empty.shape == (0, 4, 3, 3)
    assert (out == whole).all()


@pytest.mark.parametrize(
    "init", [glorot.Orthogonal(2.0, seed=1), glorot.DeltaOrthogonal(2.0, seed=1)]
)
def test_expected_stddev_is_the_root_mean_square(init):
    """The promised standard deviation is exact: the rows have a fixed length."""
    w = init((3, 3, 4, 8), "float64")

    assert init.expected_stddev((3, 3, 4, 8)) == pytest.approx(math.sqrt(np.mean(w**2)), rel=1e-12)
    assert init.law((3, 3, 4, 8)) is None


def test_delta_orthogonal_keeps_lengths():
    """The centre tap is (k - 1) // 2 and has orthonormal rows; all other taps are zero."""
    w = glorot.DeltaOrthogonal(1.5, seed=1)((3, 4, 5, 7), "float64")

    assert np.allclose(w[1, 1] @ w[1, 1].T, 1.5**2 * np.eye(5), atol=1e-12)
    assert np.count_nonzero(w) == 35


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3, 0, 4, 8)])
def test_empty_weights(shape):
    """Weights without elements are fine."""
    assert glorot.Orthogonal(seed=1)(shape).shape == shape


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (
            glorot.Orthogonal(),
            (4,),
            r"shape \(4,\) is no matrix: at least one input and one output",
        ),
        (glorot.Orthogonal(layout="embedding"), (4, 3), "is no matrix"),
        (glorot.DeltaOrthogonal(), (4, 8), "needs a receptive field, and shape"),
        (glorot.DeltaOrthogonal(), (3, 8, 4), "got 8 inputs and 4 outputs"),
        (glorot.Orthogonal(1e6, dtype="float16"), (4, 8), "`gain`=1000000.0 overflows float16"),
    ],
)
def test_what_cannot_be_orthogonal_is_refused(init, shape, message):
    """Refused before anything is drawn."""
    with pytest.raises(ValueError, match=message):
        init(shape, seed=1)
