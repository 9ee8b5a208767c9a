# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.jax and .flax equal the installed JAX and flax, byte for byte."""

import inspect
import json
import os
import platform
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glorot import replay
from glorot.replay.flax.nnx import _rngs

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
JAX_CASES = runpy.run_path(str(ORACLE / "jax_cases.py"))
JAX_CPU = runpy.run_path(str(ORACLE / "jax_cpu.py"))
FLAX_CASES = runpy.run_path(str(ORACLE / "flax_cases.py"))

pytestmark = pytest.mark.frameworks


@pytest.fixture(scope="module")
def jax():
    """JAX, on CPU, replayed as on this kind of CPU."""
    import jax

    with replay.jax.float16_fma(JAX_CPU["float16_fma"](jax)):
        yield jax


HALVES = """
import hashlib, runpy, sys
import numpy as np
import jax
from glorot import replay

fused = runpy.run_path(sys.argv[1])["float16_fma"](jax)
for low, high in ((-0.1, 0.1), (0.3, 1.7), (-3.0, 0.001)):
    drawn = np.asarray(jax.random.uniform(jax.random.key(5), (70000,), "float16", low, high))
    found = {}
    for option in (False, True):
        with replay.jax.float16_fma(option):
            key = replay.jax.random.key(5)
            found[option] = replay.jax.random.uniform(key, (70000,), "float16", low, high)
    assert found[fused].tobytes() == drawn.tobytes(), (low, high)
    assert found[not fused].tobytes() != drawn.tobytes(), (low, high)
# A limit in float64, 1e-9 above the middle of two float16.
with jax.enable_x64(True), replay.jax.enable_x64(True), replay.jax.float16_fma(fused):
    low = -1.01220703125 - 1e-9
    drawn = np.asarray(jax.random.uniform(jax.random.key(5), (999,), "float16", low, 3.5))
    found = replay.jax.random.uniform(replay.jax.random.key(5), (999,), "float16", low, 3.5)
    assert found.tobytes() == drawn.tobytes()
print(fused)
"""


def test_float16_on_both_kinds_of_cpu():
    """JAX held to AVX2 rounds float16's product first; with all instructions it is as the option
    says that fits the CPU, and the other option's numbers are others."""
    for flags in ("--xla_cpu_max_isa=AVX2", ""):
        done = subprocess.run(
            [sys.executable, "-c", HALVES, str(ORACLE / "jax_cpu.py")],
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if flags and platform.machine() in ("x86_64", "AMD64"):
            assert done.stdout.strip() == "False"


def test_random_cases_agree(jax):
    """250 random calls (key, option, layout, sampler or initializer, shape, dtype) give JAX's
    bytes."""
    cases = JAX_CASES["make_cases"](250, seed=20, few=True)
    wrong = [
        json.dumps(case)
        for case in cases
        if not JAX_CASES["same"](
            JAX_CASES["values"](jax, case), JAX_CASES["values"](replay.jax, case)
        )
    ]

    assert not wrong, f"{len(wrong)} of {len(cases)} differ, first: {wrong[0]}"
    for option in ("partitionable", "x64"):
        assert {case[option] for case in cases} == {True, False}


def test_initializers_under_jit_give_the_same_bytes(jax):
    """Compiled as one program, JAX's initializers are what they are call by call."""
    for name in ("glorot_uniform", "he_normal"):
        for dtype in ("float32", "bfloat16"):
            init = getattr(jax.nn.initializers, name)()
            compiled = jax.jit(lambda key, init=init, dtype=dtype: init(key, (33, 65), dtype))
            found = getattr(replay.jax.nn.initializers, name)()(
                replay.jax.random.key(3), (33, 65), dtype
            )
            assert found.tobytes() == np.asarray(compiled(jax.random.key(3))).tobytes()


def test_truncated_normal_at_any_limits(jax):
    """Limits that are no round numbers, and those from which XLA's erf is 1."""
    rng = np.random.default_rng(5)
    pairs = [(-2.6, 1.3), (-0.3, 0.7), (0.02, 0.21), (5.2, 5.4), (-5.3, 5.29), (-1e-4, 0.1)]
    pairs += np.sort(rng.normal(size=(40, 2)) * 2.0, axis=1).tolist()
    for dtype in ("float32", "bfloat16", "float16"):
        for low, high in pairs:
            both = [
                np.asarray(
                    namespace.random.truncated_normal(
                        namespace.random.key(7), low, high, (999,), dtype
                    )
                )
                for namespace in (jax, replay.jax)
            ]
            assert both[0].tobytes() == both[1].tobytes(), (dtype, low, high)


def test_truncated_normal_under_jit(jax):
    """With limits as constants the same numbers at 1, 2, 2.5 and 3, and others at 1.5 and 4."""
    for limit, same in ((1.0, True), (2, True), (2.5, True), (3.0, True), (1.5, False), (4, False)):
        compiled = jax.jit(
            lambda key, limit=limit: jax.random.truncated_normal(key, -limit, limit, (999,))
        )
        theirs = np.asarray(compiled(jax.random.key(3)))
        key = replay.jax.random.key(3)
        found = replay.jax.random.truncated_normal(key, -limit, limit, (999,))
        assert (found.tobytes() == theirs.tobytes()) == same, limit
        assert np.allclose(found, theirs, rtol=1e-4, atol=1e-6), limit


def test_strange_numbers_agree(jax):
    """Limits and constants of every kind of number, and dtypes by NumPy's names."""
    numbers = (
        np.int64(2**40 + 3),
        np.uint64(2**63 + 5),
        np.int8(-5),
        np.float16(0.1),
        True,
        2**24 + 1,
    )
    for number in numbers:
        for dtype in ("single", "bfloat16", float):
            for x64 in (False, True):
                drawn = []
                for namespace in (jax, replay.jax):
                    with namespace.enable_x64(x64):
                        key = namespace.random.key(1)
                        full = namespace.nn.initializers.constant(number)(key, (3,), dtype)
                        uniform = namespace.random.uniform(key, (9,), dtype, number, 0.5)
                        drawn.append([np.asarray(full), np.asarray(uniform)])
                for theirs, mine in zip(*drawn, strict=True):
                    assert JAX_CASES["same"](theirs, mine), (number, dtype, x64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal_is_within_its_tolerance(jax, dtype):
    """Over 30 matrices; in float32 the tolerance is not a thousand times what is seen.  (In float64
    both may even be one LAPACK's bits.)"""
    row = replay.guarantee("jax.nn.initializers.orthogonal", dtype)
    tolerance, worst = float(row.tolerance.split()[0]), 0.0
    with jax.enable_x64(dtype == "float64"), replay.jax.enable_x64(dtype == "float64"):
        for shape in ((3, 3), (40, 24), (24, 40), (3, 3, 4, 8), (64, 64)):
            for seed in range(6):
                both = [
                    namespace.nn.initializers.orthogonal()(namespace.random.key(seed), shape)
                    for namespace in (jax, replay.jax)
                ]
                assert both[0].dtype == both[1].dtype == dtype
                worst = max(worst, float(np.abs(both[1] - np.asarray(both[0])).max()))
        delta = [
            namespace.nn.initializers.delta_orthogonal()(namespace.random.key(1), (3, 4, 5))
            for namespace in (jax, replay.jax)
        ]

    assert worst < tolerance
    assert worst > tolerance / 1000 or dtype == "float64"
    assert np.allclose(delta[1], np.asarray(delta[0]), rtol=0, atol=tolerance)


def test_what_jax_refuses_is_refused(jax):
    """The same calls fail, with the same kind of error where it is Python's own."""
    both = [(jax, jax.random.key(1)), (replay.jax, replay.jax.random.key(1))]
    for call in (
        lambda jax, key: jax.random.key(2**63),
        lambda jax, key: jax.random.fold_in(key, -1),
        lambda jax, key: jax.random.fold_in(key, 2**32),
        lambda jax, key: jax.random.key(1.0),
        lambda jax, key: jax.random.key(np.array([1])),
        lambda jax, key: jax.random.key(key),
        lambda jax, key: jax.random.key(1, impl="fry"),
        lambda jax, key: jax.random.split(key, 2.0),
        lambda jax, key: jax.random.normal(jax.random.split(key)),
        lambda jax, key: jax.random.normal(np.zeros(3, np.uint32)),
        lambda jax, key: jax.random.normal(5),
        lambda jax, key: jax.random.bits(key, (), "int32"),
        lambda jax, key: jax.nn.initializers.he_normal()(key, (3,)),
        lambda jax, key: jax.nn.initializers.he_normal()(key, (0, 3)),
        lambda jax, key: jax.nn.initializers.orthogonal()(key, (3,)),
        lambda jax, key: jax.nn.initializers.delta_orthogonal()(key, (3, 3)),
        lambda jax, key: jax.nn.initializers.delta_orthogonal()(key, (3, 3, 2)),
    ):
        errors = []
        for namespace, key in both:
            with pytest.raises((TypeError, ValueError, OverflowError, ZeroDivisionError)) as caught:
                call(namespace, key)
            errors.append(caught.type)
        assert errors[0] is errors[1], inspect.getsource(call)


def test_names_and_signatures_are_jaxs(jax):
    """Every initializer of JAX is there, and takes JAX's arguments in JAX's order."""
    theirs, ours = jax.nn.initializers, replay.jax.nn.initializers
    assert set(ours.__all__) == {name for name in dir(theirs) if not name.startswith("_")}
    for name in set(ours.__all__) - {"Initializer"}:
        expected = list(inspect.signature(getattr(theirs, name)).parameters)
        found = list(inspect.signature(getattr(ours, name)).parameters)
        assert [parameter for parameter in found if parameter != "shard"] == expected, name
    for name in replay.jax.random.__all__:
        expected = list(inspect.signature(getattr(jax.random, name)).parameters)
        found = list(inspect.signature(getattr(replay.jax.random, name)).parameters)
        assert [parameter for parameter in found if parameter != "shard"] == expected, name


@pytest.fixture(scope="module")
def flax():
    """flax, linen and nnx imported."""
    import flax
    import flax.linen
    import flax.nnx

    return flax


def test_random_flax_modules_agree(flax, jax):
    """40 random modules at random places have flax's parameters."""
    cases = FLAX_CASES["make_cases"](40, seed=21)
    wrong = [
        json.dumps(case)
        for case in cases
        if not FLAX_CASES["same"](
            FLAX_CASES["values"](flax, jax, case, FLAX_CASES["flax_init"]),
            FLAX_CASES["values"](replay.flax, replay.jax, case, FLAX_CASES["replay_init"]),
        )
    ]

    assert not wrong, f"{len(wrong)} of {len(cases)} differ, first: {wrong[0]}"


def test_linen_fields_are_flaxs(flax):
    """Modules take flax's arguments in flax's order, with flax's defaults where they are plain."""
    for name in set(replay.flax.linen.__all__) - {"Module", "initializers", "param_key"}:
        expected = inspect.signature(getattr(flax.linen, name)).parameters
        found = inspect.signature(getattr(replay.flax.linen, name)).parameters
        assert list(found) == [field for field in expected if field not in ("parent", "name")], name
        for field, parameter in found.items():
            default = expected[field].default
            if isinstance(default, int | float | str | tuple | None):
                assert parameter.default == default, (name, field)


def test_copies_of_nn_vmap_split_the_models_key(flax, jax):
    """Copy i draws with split(key, copies)[i] and the whole path, wherever the module stands."""
    copies = flax.linen.vmap(
        flax.linen.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None,
        axis_size=3,
    )  # fmt: skip

    class Outer(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, x, names=("encoder", "heads")):
            name, *rest = names
            return Outer(name=name)(x, rest) if rest else copies(5, name=name)(x)

    found = Outer().init(jax.random.key(3), np.zeros((2, 4), "f"))["params"]["encoder"]["heads"]
    keys = replay.jax.random.split(replay.jax.random.key(3), 3)
    for i in range(3):
        one = replay.flax.linen.Dense(5).init(keys[i], (2, 4), path="encoder/heads")["params"]
        assert one["kernel"].tobytes() == np.asarray(found["kernel"][i]).tobytes()


def test_a_parameter_of_ones_own_has_its_path_and_count(flax, jax):
    """Shared, under remat, and after make_rng; inside of nn.jit the key is another."""
    nn, init = flax.linen, flax.linen.initializers.lecun_normal()

    class Leaf(nn.Module):
        @nn.compact
        def __call__(self, x):
            self.param("first", init, (4, 4))
            self.make_rng("params")
            return x @ self.param("third", init, (4, 4))

    class Holder(nn.Module):
        leaf: nn.Module

        def __call__(self, x):
            return self.leaf(x)

    class Model(nn.Module):
        def setup(self):
            self.shared = Leaf()
            self.holders = [Holder(self.shared), Holder(self.shared)]
            self.again, self.compiled = nn.remat(Leaf)(), nn.jit(Leaf)()

        def __call__(self, x):
            for holder in self.holders:
                x = holder(x)
            return self.compiled(self.again(x))

    found = Model().init(jax.random.key(3), np.zeros((2, 4), "f"))["params"]
    lecun_normal = replay.jax.nn.initializers.lecun_normal()
    for path, known in (("shared", True), ("again", True), ("compiled", False)):
        for name, count in (("first", 1), ("third", 3)):
            key = replay.flax.linen.param_key(replay.jax.random.key(3), path, count)
            same = lecun_normal(key, (4, 4)).tobytes() == np.asarray(found[path][name]).tobytes()
            assert same == known, (path, name)


def test_nnx_takes_what_flax_takes(flax):
    """Each argument of flax's is an argument or among those that change no parameter."""
    for name in set(replay.flax.nnx.__all__) - {"Module", "initializers", "RngStream", "Rngs"}:
        module = getattr(flax.nnx, name)
        expected = set(inspect.signature(module.__init__).parameters) - {"self"}
        ours = getattr(replay.flax.nnx, name)
        found = set()
        for base in ours.__mro__[:-1]:
            found |= set(inspect.signature(base.__init__).parameters)
        unused = replay.flax.nnx._module._UNUSED
        assert expected <= found | unused, (name, expected - found - unused)
        assert "rngs" in found or name == "PReLU"


def test_streams_of_nnx_draw_by_themselves(jax):
    """Each method that nnx's Rngs and its streams have in common with the replay, forks, and a
    stream of a method's name; what flax has besides is refused."""
    from flax import nnx as theirs

    def draws(nnx):
        rngs = nnx.Rngs(0, params=1, uniform=2)
        forked = rngs.fork()
        yield rngs.params.uniform((3, 4), minval=-1.0)
        yield rngs.normal((5,))
        yield forked.params.truncated_normal(-2.0, 2.0, (5,))
        yield rngs.params.he_normal()((3, 4), "bfloat16")
        yield forked.variance_scaling(2.0, "fan_out", "uniform")((3, 4))
        yield rngs.bits((2,))
        yield dict(rngs.items())["uniform"].normal((2,))
        yield rngs.uniform.fork().uniform((9,))

    for mine, other in zip(draws(replay.flax.nnx), draws(theirs), strict=True):
        assert mine.tobytes() == np.asarray(other).tobytes()
    for cls in (theirs.Rngs, theirs.RngStream):
        public = {name for name in vars(cls) if not name.startswith("_")}
        ours = getattr(replay.flax.nnx, cls.__name__)
        assert public - _rngs._NOT_REPLAYED <= set(dir(ours)), cls
