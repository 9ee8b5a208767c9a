# SPDX-License-Identifier: Apache-2.0
"""docs/migrating.md: what it writes for calls of torch, JAX and TensorFlow 1 has their laws."""

from pathlib import Path

import jax
import numpy as np
import pytest
import torch

import glorot

pytestmark = pytest.mark.frameworks

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")
SHAPE = (300, 500)
TORCH = torch.nn.init
JAX = jax.nn.initializers

# What the page says to write, numbers for its names, and the call it is for.
IN_TORCH = [
    ('glorot.GlorotUniform(gain=gain, layout="torch.linear")', {"gain": 1.7},
     lambda w: TORCH.xavier_uniform_(w, gain=1.7)),
    ('glorot.VarianceScaling(1.0, "fan_avg", "untruncated_normal", gain=gain, layout=...)',
     {"gain": 0.5}, lambda w: TORCH.xavier_normal_(w, gain=0.5)),
    ('glorot.HeUniform(layout="torch.conv")', {},
     lambda w: TORCH.kaiming_uniform_(w, nonlinearity="relu")),
    ('glorot.VarianceScaling(2.0, "fan_in", "untruncated_normal", layout=...)', {},
     lambda w: TORCH.kaiming_normal_(w, nonlinearity="relu")),
    ('glorot.VarianceScaling(1 / 3, "fan_in", "uniform", layout=...)', {},
     lambda w: TORCH.kaiming_uniform_(w, a=5**0.5)),
    ("glorot.RandomUniform(a, b)", {"a": -1.0, "b": 3.0}, lambda w: TORCH.uniform_(w, -1.0, 3.0)),
    ("glorot.RandomNormal(mean, std)", {"mean": 1.0, "std": 0.5},
     lambda w: TORCH.normal_(w, 1.0, 0.5)),
    ("glorot.TruncatedNormal(mean, std, lower=(a - mean) / std, upper=(b - mean) / std)",
     {"mean": 0.1, "std": 0.5, "a": -0.4, "b": 1.0},
     lambda w: TORCH.trunc_normal_(w, 0.1, 0.5, -0.4, 1.0)),
    ("glorot.Sparse(sparsity, std)", {"sparsity": 0.3, "std": 0.02},
     lambda w: TORCH.sparse_(w, 0.3, 0.02)),
]  # fmt: skip
IN_JAX = [
    ("glorot.HeNormal()", {}, JAX.he_normal()),
    ("glorot.LecunNormal()", {}, JAX.lecun_normal()),
    ("glorot.GlorotNormal()", {}, JAX.glorot_normal()),
    ('glorot.VarianceScaling(s, mode, "untruncated_normal")', {"s": 3.0, "mode": "fan_out"},
     JAX.variance_scaling(3.0, "fan_out", "normal")),
    ("glorot.RandomUniform(0, scale)", {"scale": 0.2}, JAX.uniform(0.2)),
    ("glorot.RandomNormal(0.0, stddev)", {"stddev": 0.01}, JAX.normal()),
    ("glorot.TruncatedNormal(0.0, stddev, lower=lower, upper=upper)",
     {"stddev": 0.3, "lower": -1.0, "upper": 2.5},
     JAX.truncated_normal(0.3, lower=-1.0, upper=2.5)),
    ("glorot.Constant(v)", {"v": 0.25}, JAX.constant(0.25)),
]  # fmt: skip
IN_TENSORFLOW = [
    ("glorot.GlorotUniform(seed)", "glorot_uniform_initializer", {}),
    ("glorot.VarianceScaling(s, mode, distribution)", "variance_scaling_initializer",
     {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"}),
    ("glorot.RandomUniform(0, 1)", "random_uniform_initializer", {}),
    ("glorot.RandomNormal(0.0, 1.0)", "random_normal_initializer", {}),
    ('glorot.VarianceScaling(factor**2, "fan_in", "uniform")', "uniform_unit_scaling_initializer",
     {"factor": 1.5}),
]  # fmt: skip


def written(code, **names):
    """The initializer that the page writes."""
    assert f"`{code}`" in PAGE, code
    code = code.replace("layout=...", 'layout="torch.linear"').replace("torch.conv", "torch.linear")
    return eval(code, {"glorot": glorot, **names})


def alike(ours, theirs):
    """Whether two draws of one shape have one law: mean, spread, ends, zeros, quantiles."""
    count = np.sqrt(ours.size)
    spread = max(ours.std(), 1e-30)
    near = [
        abs(ours.mean() - theirs.mean()) < 7 * spread / count,
        abs(ours.std() / max(theirs.std(), 1e-30) - 1) < 7 / count or ours.std() == 0,
        abs((ours == 0).mean() - (theirs == 0).mean()) < 0.01,
    ]
    at = (0.0001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.9999)
    apart = np.abs(np.quantile(ours, at) - np.quantile(theirs, at)) / spread
    return all(near) and bool((apart < (0.6, 0.1, 0.03, 0.03, 0.03, 0.1, 0.6)).all())


@pytest.mark.parametrize(("code", "names", "call"), IN_TORCH)
def test_torch(code, names, call):
    """With the layout that torch stores, and the numbers that its call had."""
    torch.manual_seed(0)
    theirs = call(torch.empty(SHAPE)).double().numpy()
    init = written(code, **names)
    ours = init(SHAPE, seed=1).astype(np.float64)

    assert alike(ours, theirs)
    assert not alike(1.05 * ours, theirs)
    if hasattr(init, "layout") and init.layout:
        assert alike(init.replace(layout=None)(SHAPE, seed=1), theirs) == ("fan_avg" in init.mode)


@pytest.mark.parametrize(("code", "names", "call"), IN_JAX)
def test_jax(code, names, call):
    """The same, of (in, out)."""
    theirs = np.asarray(call(jax.random.key(0), SHAPE), np.float64)
    ours = written(code, **names)(SHAPE, seed=1).astype(np.float64)

    assert alike(ours, theirs)
    assert not alike(1.05 * ours, theirs)


@pytest.mark.parametrize(("code", "name", "options"), IN_TENSORFLOW)
def test_tensorflow(code, name, options):
    """TensorFlow 1's numbers, which glorot.compat.v1 has, follow the law that is written beside."""
    theirs = getattr(glorot.compat.v1, name)(seed=5, **options)(SHAPE).astype(np.float64)
    names = {"s": options.get("scale"), **options, "seed": 1}
    ours = written(code, **names)(SHAPE, seed=1).astype(np.float64)

    assert alike(ours, theirs)
    assert not alike(1.05 * ours, theirs)
