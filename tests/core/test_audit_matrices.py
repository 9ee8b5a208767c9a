# SPDX-License-Identifier: Apache-2.0
"""What is promised of a weight as a whole: orthogonal matrices, a centre tap, the zeros of a sparse
weight."""

import numpy as np
import pytest
from audit_cases import only

import glorot
from glorot import Recipe, Rule
from glorot._audit import _centre
from glorot._dtypes import ALL

DTYPES = ["float32", "float64", "bfloat16", "float16", "float8_e4m3fn"]


def audit(init, values):
    """The report of one weight."""
    return glorot.audit({"w": values}, Recipe([Rule("*", init)]), singular_values=False)


def normals(shape, like=None):
    """Plain normals, of the norm that another weight has."""
    values = np.random.default_rng(0).standard_normal(shape)
    if like is not None:
        values *= np.linalg.norm(like.astype(np.float64)) / np.linalg.norm(values)
    return values.astype(np.float32)


# --- orthogonal matrices -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(96, 96), (40, 24), (260, 300)])
def test_normals_are_no_orthogonal_matrix(shape):
    """Whatever their stddev is, the first that is wrong with them is that; a wrong gain is told as
    a factor, since it leaves the singular values equal."""
    init = glorot.Orthogonal(1.5)
    right = init(shape, seed=1, name="w")
    for factor in (1.0, 1.0016, 0.5, 3.0):
        report = audit(init, normals(shape, right) * np.float32(factor))
        assert "where all 1.5 are promised: not orthogonal" in only(report, "matrix").text
        report = audit(init, right * np.float32(factor))
        if factor == 1.0:
            assert report.ok, str(report)
        else:
            assert "too" in only(report, "stddev").text
    assert "1.5 times too small" in only(audit(init, right / np.float32(1.5)), "stddev").text


# --- delta-orthogonal ----------------------------------------------------------------------------

DELTA = glorot.DeltaOrthogonal(layout="torch.conv")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((64, 32, 3, 3), "torch.conv"),
        ((16, 16, 4), "torch.conv"),
        ((3, 2, 8, 16), "*IO"),
        ((5, 1, 16), "*IO"),
        ((8, 3, 16), "I*O"),
        ((4, 16, 8, 3), "BOI*"),
        ((8, 6, 5, 1), "OI*"),
    ],
)
def test_delta_orthogonal_weights_are_right(shape, layout, dtype, monkeypatch):
    """Of even and odd taps, axes in any order and batches, read in pieces of a few values."""
    init = glorot.DeltaOrthogonal(1.5, layout=layout)
    values = init(shape, dtype, seed=1, name="w")
    for run in (1 << 18, 50):
        monkeypatch.setattr(_centre, "RUN", run)
        report = audit(init, values)
        assert report.ok, str(report)
        (row,) = report.parameters
        if row.singular is not None and ALL[dtype].itemsize > 2:
            assert row.singular == pytest.approx((1.5, 1.5), rel=2e-5)


def test_what_is_no_delta_orthogonal_weight():
    """Another tap, all taps, a tap that is no orthogonal matrix, one value: each of the right norm,
    and told. A wrong gain is a factor."""
    shape = (64, 32, 3, 3)
    right = DELTA(shape, seed=1, name="w")
    tap = np.zeros(shape, np.float32)
    tap[:, :, 1, 1] = normals((64, 32), right)
    report = audit(DELTA, tap)
    assert "where all 1 are promised: not orthogonal" in only(report, "matrix").text
    stray = right.copy()
    stray[5, 6, 0, 2] = 1e-7
    wrong = {
        "2,048 of 16,384": np.roll(right, 1, (2, 3)),
        "16,384 of 16,384": normals(shape, right),
        "1 of 16,384": stray,
    }
    for words, values in wrong.items():
        text = only(audit(DELTA, values), "matrix").text
        assert text.startswith(f"{words} values beside the centre tap are not 0, where DeltaOrth")
    assert "2 times too large" in only(audit(DELTA, 2 * right), "stddev").text
    square = glorot.Orthogonal(layout="torch.conv")((32, 32, 3, 3), seed=1, name="w")
    only(audit(DELTA, square), "matrix")


# --- sparse --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stddev", [0.05, 3e-6])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((256, 250), {}),
        ((40, 60), {"layout": "torch.linear"}),
        ((16, 8, 3, 3), {"layout": "torch.conv"}),
        ((5, 12, 20), {"layout": "BIO"}),
        ((1, 9), {}),
        ((300, 1), {}),
    ],
)
def test_sparse_weights_are_right(shape, options, stddev, dtype):
    """Of any axes, in every precision, those that round kept values to 0 too, alone and in a block
    of a fused weight."""
    for sparsity in (0.0, 0.3, 0.9, 1.0):
        init = glorot.Sparse(sparsity, stddev, **options)
        for seed in range(3):
            report = audit(init, init(shape, dtype, seed=seed, name="w"))
            assert report.ok, str(report)
    if len(shape) == 2:
        fused = glorot.Blocks([init, glorot.Sparse(0.5, stddev, **options)], [1, 1], axis=1)
        wide = (shape[0], 2 * shape[1])
        report = audit(fused, fused(wide, dtype, seed=1, name="w"))
        assert report.ok, str(report)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_zeros_of_other_units(dtype, monkeypatch):
    """So many in all, and of the units, inputs or axis none as they should be, in runs too."""
    init, shape = glorot.Sparse(0.5, 0.01), (256, 250)
    drawn = np.random.default_rng(0).normal(0.0, 0.01, shape)
    rows, columns = np.ogrid[:256, :250]
    turned = glorot.Sparse(0.5, 0.01, layout="torch.linear")(shape, seed=1, name="w")
    wrong = [
        (np.where(columns % 2 == 0, 0.0, drawn), "0 zeros among the weights of an output unit"),
        (turned, " zeros among the weights of an output unit where 128 are promised of each: "),
        (np.where(rows < 128, 0.0, drawn), "is 0 in 100 % of the output units, where 50 % are"),
    ]
    for run in (1 << 18, 1000):
        monkeypatch.setattr(glorot._audit._measure, "RUN", run)
        for made, words in wrong:
            values = made.astype(ALL[dtype])
            assert words in only(audit(init, values), "shape").text
            fused = np.concatenate([values, values[:, ::-1] * 0], axis=1)
            blocks = glorot.Blocks([init, "zeros"], 2, axis=1)
            report = audit(blocks, fused)
            assert words in only(report, "shape").text
            assert report.problems[0].names == ("w[0]",)


def test_a_sparse_weight_of_no_stddev():
    """Zeros are promised, and normals are none."""
    init = glorot.Sparse(0.5, 0.0)
    assert audit(init, init((8, 8), seed=1, name="w")).ok
    only(audit(init, normals((8, 8))), "constant")


def test_one_zero_too_few_in_a_unit():
    """Exactly so many in 32 and 64 bits: one moved to another unit is told."""
    init = glorot.Sparse(0.5, 0.01)
    for dtype in ("float32", "float64"):
        values = init((64, 30), dtype, seed=1, name="w")
        zero = int(np.flatnonzero(values[:, 3] == 0)[0])
        kept = int(np.flatnonzero(values[:, 4])[0])
        values[zero, 3], values[kept, 4] = values[kept, 4], 0.0
        text = only(audit(init, values), "shape").text
        assert text.startswith("31 zeros among the weights of an output unit where 32 are")
