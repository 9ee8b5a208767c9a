# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras without Keras: recorded numbers, laws and shards."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from replay_cases import KERAS_BACKENDS, SEEKABLE

import glorot
from glorot.replay import jax, keras, tensorflow, torch
from glorot.replay.keras._scale import compute_fans

ROOT = Path(__file__).resolve().parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "oracle" / "keras_cases.py"))
ROWS = [
    row
    for row in (ROOT / "tests" / "vectors" / "keras-3.15.txt").read_text("utf-8").splitlines()
    if row[0] != "#"
]
k, r = keras.initializers, keras.random
pytestmark = pytest.mark.usefixtures("no_keras_settings")


def hexes(array, count=4):
    """The first elements as C99 hexadecimal."""
    return [float(value).hex() for value in array.reshape(-1)[:count]]


@pytest.mark.parametrize("of", [*KERAS_BACKENDS, "jax-x64"])
def test_recorded_cases_are_reproduced(of):
    """What Keras 3.15.1 gave, value rows and whole sessions, refusals included."""
    rows = [row for row in ROWS if row.split(" ")[1] == of]
    backend, _, x64 = of.partition("-")
    with jax.enable_x64(bool(x64)):
        for row in rows:
            kind, _, rest = row.split(" ", 2)
            if kind == "value":
                case, end = json.JSONDecoder().raw_decode(rest)
                answers = CASES["run_ours"](case, backend)
                assert answers != "refused", row
                assert CASES["words"](answers[-1]) == rest[end:].split(), row
            else:
                digest, text = rest.split(" ", 1)
                answers = CASES["run_ours"](json.loads(text), backend)
                assert CASES["digest"](answers) == digest, row
    assert len(rows) > 30


GLOROT_UNIFORM = {  # of seed 42, (3, 4), as measured
    "tensorflow": ["-0x1.9c86280000000p-2", "-0x1.8038000000000p-9"],
    "jax": ["0x1.fa195a0000000p-4", "-0x1.9be08e0000000p-1"],
    "torch": ["0x1.6a68100000000p-1", "0x1.8970b40000000p-1"],
}


@pytest.mark.parametrize("backend", GLOROT_UNIFORM)
def test_glorot_uniform_of_42(backend):
    """One seed, three backends, three matrices; and neighbours that it must not be."""
    got = k.GlorotUniform(seed=42, backend=backend)((3, 4))
    assert hexes(got, 2) == GLOROT_UNIFORM[backend]
    bound = (6 / 7) ** 0.5
    wrong = {
        "jax": lambda: jax.random.uniform(jax.random.key(42), (3, 4), None, -bound, bound),
        "torch": lambda: torch.nn.init.uniform(
            (3, 4), -bound, bound, torch.Generator().manual_seed(42)
        ),
        "tensorflow": lambda: tensorflow.stateless_uniform((3, 4), (42, 1), -bound, bound),
    }[backend]()
    assert (got != wrong).any()


def test_tensorflows_limits_go_through_float32():
    """In float64 too; those of a normal do not."""
    got = k.RandomUniform(-0.1, 0.3, seed=1, backend="tensorflow")((5,), "float64")
    limits = float(np.float32(-0.1)), float(np.float32(0.3))
    assert (got == tensorflow.stateless_uniform((5,), (1, 0), *limits, "float64")).all()
    assert (got != tensorflow.stateless_uniform((5,), (1, 0), -0.1, 0.3, "float64")).any()
    normal = k.RandomNormal(0.1, 0.3, seed=1, backend="tensorflow")((5,), "float64")
    assert (normal == tensorflow.stateless_normal((5,), (1, 0), 0.1, 0.3, "float64")).all()


def test_tensorflows_constants_are_float32_tensors_first():
    """One that float32 does not hold is refused, one that is subnormal there is 0 in float64."""
    assert k.Constant(6.8e-39, backend="tensorflow")((2,), "float64").tolist() == [0, 0]
    assert not k.Identity(6.8e-39, backend="tensorflow")((2, 2)).any()
    with pytest.raises(ValueError, match="must fit a float32"):
        k.Constant(-1e39, backend="tensorflow")((2,), "bfloat16")


def test_subnormal_constants_are_zero_on_tensorflow_and_jax():
    """With their sign; float16 is computed in float32, and torch and NumPy keep them."""
    for backend in ("tensorflow", "jax"):
        for dtype in ("float32", "bfloat16"):
            for found in (
                k.Constant(-6.8e-39, backend=backend)((2, 2), dtype),
                k.Constant(np.array([-6.8e-39], "f"), backend=backend)((2, 2), dtype),
                k.Identity(-6.8e-39, backend=backend)((2, 2), dtype),
            ):
                assert not found.any()
                assert np.signbit(found.astype("f")).all()
        assert k.Constant(6e-8, backend=backend)((2,), "float16").all()
    assert not k.Constant(6.8e-39, backend="tensorflow")((2,), "bool").any()
    assert k.Constant(6.8e-39, backend="jax")((2,), "bool").all()
    for backend in ("torch", "numpy"):
        assert k.Constant(6.8e-39, backend=backend)((2,))[0] == np.float32(6.8e-39)


def test_torchs_uniform_is_not_torchs_own():
    """Keras multiplies and adds in two roundings; uniform_ fuses them."""
    ours = r.uniform((1000,), -0.1, 0.25, seed=7, backend="torch")
    theirs = torch.nn.init.uniform((1000,), -0.1, 0.25, torch.Generator().manual_seed(7))
    assert 0 < (ours != theirs).mean() < 0.8
    assert abs(ours - theirs).max() < 1e-7


def test_torchs_truncated_normal_takes_the_first_of_four():
    """Of 4 normals each; a value beyond two is only where all four are."""
    got = r.truncated_normal((500,), seed=3, backend="torch")
    four = torch.randn(500, 4, generator=torch.Generator().manual_seed(3))
    want = [next((x for x in row if -2 < x < 2), row[0]) for row in four]
    assert (got == np.array(want)).all()
    assert (got != four[:, 0]).any()


@pytest.mark.parametrize("backend", KERAS_BACKENDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_moments(backend, dtype):
    """Means and deviations are those of the laws, to four standard errors.

    A scale left out, or a truncated law without its correction (0.88), would be seen.
    """
    n, options = 40_000, {"seed": 11, "backend": backend}
    with jax.enable_x64(True):
        laws = {
            "uniform": (r.uniform((n,), -2, 4, dtype, **options), 1.0, 3**0.5),
            "normal": (r.normal((n,), 1, 3, dtype, **options), 1.0, 3.0),
            "truncated": (r.truncated_normal((n,), 1, 3, dtype, **options), 1.0, 3 * 0.8796256610),
            "glorot": (k.GlorotNormal(**options)((200, 200), dtype), 0.0, (1 / 200) ** 0.5),
        }
    for name, (values, mean, stddev) in laws.items():
        wide = values.astype(np.float64)
        rough = 0.02 if dtype == "bfloat16" else 0.0  # JAX's has 128 values
        assert abs(wide.mean() - mean) < (4 / n**0.5 + rough) * stddev, name
        assert abs(wide.std() - stddev) < (4 / (2 * n) ** 0.5 + rough) * stddev, name


@pytest.mark.parametrize("backend", KERAS_BACKENDS)
def test_orthogonal_is_orthogonal(backend):
    """Rows or columns are orthonormal times gain, and it is Q of the very normals drawn."""
    for shape in ((5, 5), (2, 3, 4), (3, 7)):
        q = k.Orthogonal(2.0, seed=1234, backend=backend)(shape)
        flat = q.reshape(-1, shape[-1]).astype(np.float64)
        small = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
        assert q.shape == shape
        assert abs(small - 4 * np.eye(len(small))).max() < 1e-5
    normal = r.normal((5, 5), seed=1234, backend=backend)
    upper = k.Orthogonal(seed=1234, backend=backend)((5, 5)).T @ normal
    assert abs(np.tril(upper, -1)).max() < 1e-5
    assert (np.diagonal(upper) > 0).all()


@pytest.mark.parametrize("backend", KERAS_BACKENDS)
def test_keras_own_claims(backend):
    """What its random_initializers_test claims of one seed each, said of ours."""
    keras.config.set_backend(backend)
    values = k.RandomUniform(-1.0, 1.0, seed=1234)((5, 5))
    assert values.min() >= -1
    assert values.max() < 1
    assert abs(k.RandomNormal(0.0, 1.0, seed=1234)((25, 20)).std() - 1) < 0.1
    for mode, fan in (("fan_in", 25), ("fan_out", 20)):
        init = k.VarianceScaling(2.0, mode, seed=1234)
        assert abs(init((25, 20)).std() - (2 / fan) ** 0.5) < 0.1
    for axes, fan in (({"input_axes": [0], "output_axes": [1, 2]}, 32), ({}, 128)):
        init = k.VarianceScaling(2.0, seed=1234, **axes)
        assert abs(init((32, 4, 16)).std() - (2 / fan) ** 0.5) < 0.02
    tensor = r.uniform((5, 5), seed=1)
    assert (k.get(tensor)((5, 5)) == tensor).all()


@pytest.mark.parametrize("backend", SEEKABLE)
def test_a_shard_is_that_part_of_the_whole(backend):
    """For each law, and for what is not random."""
    part = glorot.Shard((1, 2), (5, 6))
    options = {"seed": 3, "backend": backend}
    for init in (
        k.GlorotUniform(**options), k.GlorotNormal(**options), k.RandomNormal(**options),
        k.Orthogonal(**options), k.Constant([1.0, 2, 3, 4, 5, 6, 7], backend=backend),
        k.Identity(backend=backend), k.Ones(),
    ):  # fmt: skip
        assert (init((6, 7), shard=part) == init((6, 7))[1:5, 2:6]).all(), init
    whole = r.randint((6, 7), 0, 100, seed=1, backend=backend)
    assert (r.randint((6, 7), 0, 100, seed=1, backend=backend, shard=part) == whole[1:5, 2:6]).all()


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_sequential_streams_have_no_shards(backend):
    """They say so, for each law; Orthogonal, which needs the whole anyway, cuts it."""
    options = {"seed": 3, "backend": backend}
    for law in (r.uniform, r.normal, r.truncated_normal):
        with pytest.raises(ValueError, match="`shard` must be None on " + backend):
            law((4,), shard=slice(1, 2), **options)
    whole = k.Orthogonal(**options)((3, 3))
    assert (k.Orthogonal(**options)((3, 3), shard=slice(1, 2)) == whole[1:2]).all()


def test_fans_from_axes():
    """Keras' own two examples: the query and output projections of attention."""
    assert compute_fans((512, 8, 64), [0], [1, 2]) == (512, 512)
    assert compute_fans((512, 8, 64), [0, 1], [2]) == (4096, 64)
    assert compute_fans((512, 8, 64), [0, 1]) == (512 * 8, 512 * 64)
    with pytest.raises(IndexError, match=r"`input_axes`=\[0, 5\] has an axis out of range"):
        compute_fans((2, 3), [0, 5], [1])
