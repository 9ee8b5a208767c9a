# SPDX-License-Identifier: Apache-2.0
"""Recipes of what JAX code gives the arrays of a model."""

import functools
import math
import random

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import glorot
import glorot.jax
from glorot.jax import capture

pytestmark = pytest.mark.frameworks
INITS = jax.nn.initializers
KEY = jax.random.key(0)
RNGS = nnx.Rngs(0)  # of no trace
SHAPE = (96, 64)


def law_of(make, shape=SHAPE, key=KEY):
    """The initializer of one array that `make(key, shape)` gives."""
    recipe = capture(lambda: {"w": make(key, shape)})
    (found,) = recipe.resolve({"w": shape})
    return found.initializer


def steps(key, shape):
    """Log-uniform numbers."""
    low, high = math.log(0.001), math.log(0.1)
    return jnp.maximum(jnp.exp(jax.random.uniform(key, shape) * (high - low) + low), 1e-4)


def softplus_steps(key, shape, other=None):
    """Mamba's time steps: what softplus makes log-uniform numbers of; or two such put together."""
    dt = steps(key, shape)
    return (dt if other is None else steps(other, shape)) + jnp.log(-jnp.expm1(-dt))


def halves(key, shape):
    """Draws beside ones, along the second axis."""
    half = (shape[0], shape[1] // 2)
    return jnp.concatenate([jax.random.normal(key, half) / 2, jnp.ones(half)], axis=1)


keys = jax.random.split


def twice(key, shape):
    """Two draws put together, and one of them once more."""
    one, other = (jax.random.normal(k, (32, 64)) for k in jax.random.split(key))
    return jnp.concatenate([jnp.concatenate([one, other]), other])


NORMAL = glorot.RandomNormal(stddev=0.5)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (INITS.zeros, glorot.Zeros()),
        (INITS.ones, glorot.Ones()),
        (INITS.constant(0.3), glorot.Constant(0.3)),
        (lambda key, shape: jnp.eye(*shape), glorot.Identity()),
        (lambda key, shape: jnp.asarray(np.eye(*shape, dtype=np.float32)), glorot.Identity()),
        (INITS.uniform(0.3), glorot.RandomUniform(0.0, 0.3)),
        (lambda k, s: 3 - jax.random.uniform(k, s), glorot.RandomUniform(2.0, 3.0)),
        (lambda k, s: jax.random.uniform(k, s, minval=-2, maxval=3),
         glorot.RandomUniform(-2.0, 3.0)),
        (lambda k, s: 1 - 2 * jax.random.uniform(k, s), glorot.RandomUniform(-1.0, 1.0)),
        (lambda k, s: jax.random.uniform(k, s) / 4 - 1, glorot.RandomUniform(-1.0, -0.75)),
        (INITS.normal(0.5), NORMAL),
        (lambda k, s: jax.random.normal(k, s[::-1]).T / 2, NORMAL),
        (lambda k, s: -0.5 * jax.random.normal(k, (math.prod(s),)).reshape(s), NORMAL),
        (lambda k, s: jax.random.normal(k, (*s, 3))[..., 1] * 0.5, NORMAL),
        (lambda k, s: 1 + 0.5 * jax.random.normal(k, s), glorot.RandomNormal(1.0, 0.5)),
        (lambda k, s: jnp.clip(jax.random.normal(k, s), -9, 9) / 2, NORMAL),
        (lambda k, s: jax.vmap(lambda k: jax.random.normal(k, s[1:]) / 2)(jax.random.split(k, 96)),
         NORMAL),
        (lambda k, s: jax.jit(jax.checkpoint(lambda k: jax.random.normal(k, s) / 2))(k), NORMAL),
        (INITS.truncated_normal(0.5), glorot.TruncatedNormal(stddev=0.5)),
        (INITS.truncated_normal(0.5, lower=-1.0, upper=3.0),
         glorot.TruncatedNormal(stddev=0.5, lower=-1.0, upper=3.0)),
        (INITS.glorot_uniform(), glorot.VarianceScaling(1.0, "fan_avg", "uniform")),
        (INITS.lecun_normal(), glorot.VarianceScaling(1.0, "fan_in", "truncated_normal")),
        (INITS.he_normal(), glorot.VarianceScaling(2.0, "fan_in", "truncated_normal")),
        (INITS.variance_scaling(2.0, "fan_out", "normal"),
         glorot.VarianceScaling(2.0, "fan_out", "untruncated_normal")),
        (INITS.orthogonal(1.5), glorot.Orthogonal(1.5)),
        (lambda k, s: jnp.log(jax.random.uniform(k, s, minval=1.0, maxval=16.0)),
         glorot.LogOfUniform(1.0, 16.0)),
        (softplus_steps, glorot.TimeStep(0.001, 0.1)),
        (lambda k, s: jnp.log(jnp.broadcast_to(jnp.arange(1.0, s[1] + 1), s)), glorot.LogArange(1)),
        (lambda k, s: jnp.zeros(s).at[:].set(2.0), glorot.Constant(2.0)),
        (lambda k, s: jnp.concatenate([jax.random.normal(k, (32, 64)) / 2, jnp.ones((64, 64))]),
         glorot.Blocks([NORMAL, glorot.Ones()], [1, 2], axis=0)),
        (lambda k, s: halves(k, s)[:, None].reshape(1, *s)[0] * 2,
         glorot.Blocks([glorot.RandomNormal(stddev=1.0), glorot.Constant(2.0)], [1, 1], axis=1)),
        (lambda k, s: jnp.concatenate([jnp.zeros((96, 16)), jnp.ones((96, 48))], 1),
         glorot.Blocks([glorot.Zeros(), glorot.Ones()], [1, 3], axis=1)),
        (lambda k, s: jnp.stack([jax.random.normal(i, (64,)) for i in jax.random.split(k, 96)]) / 2,
         NORMAL),
        (lambda k, s: jnp.stack([jax.random.normal(k, s[:1]) / 2, *[jnp.ones(96)] * 63], 1),
         glorot.Blocks([NORMAL, glorot.Ones()], [1, 63], axis=1)),
        (lambda k, s: (jax.random.normal(k, s) / 2).at[0].set(0.0),
         glorot.Blocks([glorot.Zeros(), NORMAL], [1, 95], axis=0)),
        (lambda k, s: (jax.random.normal(k, s) / 2).at[:, 8:24].set(0.0).at[:, 16:32].set(1.0),
         glorot.Blocks([NORMAL, glorot.Zeros(), glorot.Ones(), NORMAL], [1, 1, 2, 4], axis=1)),
        (lambda k, s: jnp.ones(s).at[32:].set(jax.random.normal(k, (64, 64)) / 2),
         glorot.Blocks([glorot.Ones(), NORMAL], [1, 2], axis=0)),
        (lambda k, s: jax.lax.dynamic_update_slice(jnp.ones(s), jnp.zeros((3, 64)), (93, 0)),
         glorot.Blocks([glorot.Ones(), glorot.Zeros()], [31, 1], axis=0)),
        (lambda k, s: jnp.concatenate([INITS.orthogonal()(i, (96, 32)) for i in keys(k)], 1),
         glorot.Blocks([glorot.Orthogonal(), glorot.Orthogonal()], [1, 1], axis=1)),
    ],
)  # fmt: skip
def test_laws(make, wanted):
    """Each initializer of JAX, and what code makes of draws; what JAX draws fits it."""
    found = law_of(make)
    assert found == wanted
    drawn = {"w": make(jax.random.key(7), SHAPE)}
    assert not glorot.audit(drawn, glorot.Recipe([glorot.Rule("*", found)])).problems


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda k, s: jax.random.normal(k, s) * jax.random.normal(k, s), "mul of Normal"),
        (lambda k, s: jax.random.normal(k, s) ** 2, "integer_pow of Normal|square of Normal"),
        (lambda k, s: jax.random.gamma(k, 2.0, s), "random_gamma of a key"),
        (jax.random.exponential, "log1p of times -1 of Uniform|log1p of Uniform"),
        (lambda k, s: jax.random.normal(k, s) * jnp.arange(64.0), "mul of Normal"),
        (lambda k, s: jnp.broadcast_to(jax.random.normal(k, s[1:]), s), "draws that are repeated"),
        (lambda k, s: jnp.tile(jax.random.normal(k, (1, 64)), (96, 1)), "draws that are repeated"),
        (lambda k, s: jax.random.normal(k, ()) * jnp.ones(s), "draws that are repeated"),
        (lambda k, s: jnp.zeros(s) + jax.random.uniform(k), "draws that are repeated"),
        (lambda k, s: jnp.clip(jnp.ones(s) - jax.random.uniform(k), -9, 9), "repeated"),
        (lambda k, s: jax.random.bits(k, s).astype(jnp.float32), "of a key"),
        (lambda k, s: jax.random.normal(k, s).at[0, 0].set(0.0), "scatter of Normal"),
        (lambda k, s: jax.random.normal(k, s).at[0].set(0.0).at[:, 1].set(0.0), "of several parts"),
        (lambda k, s: jax.random.normal(k, s).at[jnp.array([0, 3])].set(0.0), "scatter of Normal"),
        (lambda k, s: jax.random.normal(k, s).at[0].add(1.0), "scatter-add of Normal|scatter_add"),
        (lambda k, s: INITS.orthogonal()(k, s).at[0].set(0.0), "scatter of Orthogonal"),
        (lambda k, s: jax.random.normal(k, s).at[0].apply(jnp.exp), "scatter of Normal"),
        (lambda k, s: jax.random.normal(k, s).at[:].apply(jnp.exp), "exp of N|scatter of Normal"),
        (lambda k, s: jax.lax.map(lambda c: c * jax.random.normal(k, s[1:]), jnp.full(96, 0.5)),
         "draws that are repeated"),
        (lambda k, s: jnp.ones(s).at[0].set(jax.random.normal(k)), "draws that are repeated"),
        (lambda k, s: (w := jax.random.normal(k, s)).at[0].set(w[1]), "draws that are repeated"),
        (twice, "draws that are repeated"),
        (jax.random.gumbel, "times -1 of times -1 of LogOfUniform"),
        (lambda k, s: jax.nn.one_hot(jax.random.categorical(k, jnp.zeros((96, 64))), 64), "times"),
        (lambda k, s: jnp.where(jnp.ones(64) > 3, jax.random.normal(k, s), 0), "select_n of N"),
        (lambda k, s: jax.random.uniform(k, s, maxval=jnp.arange(64.0)), "numbers that differ"),
        (lambda k, s: jnp.concatenate([jax.random.normal(k, (48, 64))] * 2), "repeated"),
        (lambda k, s: jnp.stack([jax.random.normal(k, s[1:])] * 96), "repeated"),
        (lambda k, s: jnp.concatenate([jax.random.normal(k, (48, 64)) / 2] * 2), "repeated"),
        (lambda k, s: softplus_steps(k, s, jax.random.key(1)), "the sum of|add of"),
        (lambda k, s: halves(k, (s[1], s[0])).T, "another shape of values of several parts"),
        (lambda k, s: halves(k, (48, 128)).reshape(s), "another shape of values of several parts"),
        (lambda k, s: jnp.clip(jax.random.normal(k, s), -1, 1), "a clamp of Normal"),
        (lambda k, s: jax.random.normal(k, s) + jax.random.normal(k, s), "the sum of|add of"),
        (lambda k, s: jnp.linspace(0, 1, 6144).reshape(s), "numbers that are computed"),
        (lambda k, s: INITS.orthogonal()(k, s)[:, ::-1].reshape(64, 96).T, "orthogonal|Orthogonal"),
        (lambda k, s: jnp.cumsum(jax.random.normal(k, s), 0), "cumsum of Normal"),
        (lambda k, s: jax.random.orthogonal(k, 64, (96,), jnp.complex64).real[:, 0], "unitary"),
    ],
)  # fmt: skip
def test_what_no_initializer_gives(make, why):
    """Is an error that says what was seen, and left out if asked."""
    with pytest.raises(
        ValueError, match=f"no initializer does what the code does for 'w': .*({why})"
    ):
        law_of(make)
    recipe = capture(lambda: {"w": make(KEY, SHAPE), "b": jnp.zeros(3)}, leave_out=True)
    assert [found.name for found in recipe.resolve({"w": SHAPE, "b": (3,)})] == ["b"]
    first = glorot.Rule("w", "ones")
    recipe = capture(lambda: {"w": make(KEY, SHAPE), "b": jnp.zeros(3)}, rules=[first])
    assert recipe.resolve({"w": SHAPE, "b": (3,)})[0].initializer == glorot.Ones()


def test_a_function_of_the_users_own_of_a_name_of_jaxs():
    """Is read, and not taken for what JAX's draws."""

    @jax.jit
    def _uniform(key, low, high):
        return jax.random.normal(key, SHAPE) * (high - low)

    found = law_of(lambda key, shape: _uniform(key, 1.0, 1.5))
    assert found == NORMAL


class Linen(nn.Module):
    """Layers of flax.linen with their own initializers, stacked ones, and parameters of its own."""

    @nn.compact
    def __call__(self, x):  # noqa: D102
        x = nn.Embed(500, 64)(x)
        x = nn.Dense(96, kernel_init=INITS.orthogonal(1.5), bias_init=INITS.normal(1e-6))(x)
        x = nn.LayerNorm()(x)
        x = nn.MultiHeadDotProductAttention(4)(x, x)
        x = nn.Conv(64, (3,))(x)
        x = nn.DenseGeneral((4, 24), axis=-1, kernel_init=INITS.he_uniform())(x).reshape(2, 7, 96)
        x = nn.BatchNorm(use_running_average=False)(x)
        self.param("decay", lambda key, shape: jnp.log(jnp.arange(1.0, 1 + shape[0])), (8,))
        stack = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=5)
        x, _ = stack(96)(x, None)
        return nn.RNN(nn.OptimizedLSTMCell(64))(x)


class Block(nn.Module):
    """A layer of a stack."""

    width: int

    @nn.compact
    def __call__(self, x, _):  # noqa: D102
        return x + nn.Dense(self.width, kernel_init=INITS.xavier_uniform())(x), None


class Nnx(nnx.Module):
    """Layers of flax.nnx, and a stack that `nnx.vmap` makes."""

    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(64, 64, rngs=rngs) for _ in range(3)])
        self.norm = nnx.BatchNorm(64, rngs=rngs)
        self.cell = nnx.GRUCell(64, 96, rngs=rngs)
        self.conv = nnx.Conv(16, 96, (3, 3), rngs=rngs, kernel_init=INITS.he_normal())
        self.embed = nnx.Embed(300, 96, rngs=rngs)
        self.scale = nnx.Param(0.1 * jax.random.normal(rngs.params(), (96, 64)))

        @nnx.split_rngs(splits=4)
        @nnx.vmap(in_axes=(0,))
        def make(rngs):
            return nnx.Linear(64, 96, rngs=rngs, kernel_init=INITS.glorot_normal())

        self.stack = make(rngs)


class Own(eqx.Module):
    """Layers of Equinox, and an array of its own."""

    mlp: eqx.nn.MLP
    conv: eqx.nn.Conv2d
    scale: jax.Array

    def __init__(self, key):
        one, two, three = jax.random.split(key, 3)
        self.mlp = eqx.nn.MLP(64, 96, 128, 2, key=one)
        self.conv = eqx.nn.Conv2d(16, 32, 3, key=two)
        self.scale = jax.random.truncated_normal(three, -2.0, 2.0, (64, 64)) * 0.02


def haiku_net(x):
    """Layers of haiku."""
    return hk.Sequential([hk.Linear(128), hk.LayerNorm(-1, True, True), hk.Linear(64)])(x)


def of_haiku(key=KEY):
    """The parameters of `haiku_net`."""
    return hk.transform(haiku_net).init(key, jnp.ones((2, 96)))


TOKENS = jax.ShapeDtypeStruct((2, 7), jnp.int32)
MODELS = {
    "linen": (
        lambda: (Linen(), TOKENS),
        lambda key: Linen().init(key, jnp.ones((2, 7), jnp.int32)),
    ),
    "nnx": (lambda: Nnx(nnx.Rngs(0)), lambda key: Nnx(nnx.Rngs(params=key))),
    "equinox": (lambda: Own(KEY), Own),
    "haiku": (of_haiku, of_haiku),
}


@pytest.mark.parametrize("kind", MODELS)
def test_models(kind):
    """What their own code draws fits the recipe, of any key, and fits no other; filled by it, they
    have its laws."""
    build, draw = MODELS[kind]
    recipe = capture(build)
    drawn = draw(jax.random.key(5))
    tree = nnx.state(drawn, (nnx.Param, nnx.BatchStat)) if kind == "nnx" else drawn
    specs = glorot.jax.shapes(drawn) if kind == "haiku" else glorot.sources.read(build()).shapes
    report = glorot.audit(drawn, recipe)
    assert not report.problems
    assert report.tests > 80
    arrays = eqx.filter(tree, eqx.is_array)
    made = glorot.jax.init(arrays, recipe, seed=1, specs=specs)
    named = {
        leaf.name: np.asarray(leaf.value) for leaf in glorot.jax._names.leaves(made) if leaf.name
    }
    assert named.keys() == specs.keys()
    for assignment in recipe.resolve(specs):
        init, shape = assignment.initializer, assignment.shape
        wanted = init(shape, seed=1, name=assignment.name, dtype=assignment.dtype)
        if not init.needs_matrix:
            np.testing.assert_array_equal(named[assignment.name], wanted)
    for number, rule in enumerate(recipe.rules):
        if not rule.initializer.random:
            continue
        rules = list(recipe.rules)
        rules[number] = glorot.Rule(
            rule.pattern, rule.initializer.scaled(3.0), fans_of=rule.fans_of or None
        )
        assert glorot.audit(drawn, glorot.Recipe(rules)).problems


def test_numbers_beside_arrays():
    """Stay as they are, as `init` leaves them."""
    recipe = capture(lambda: {"w": INITS.ones(KEY, SHAPE), "rate": 0.5, "name": None})
    assert [(rule.pattern, rule.initializer) for rule in recipe.rules] == [("*", glorot.Ones())]


def test_rules_are_few():
    """A hundred layers of one kind are one rule."""

    def build():
        keys = jax.random.split(KEY, 100)
        return {
            f"layer_{i}": {"kernel": INITS.lecun_normal()(key, (64 + i, 32)), "bias": jnp.zeros(32)}
            for i, key in enumerate(keys)
        }

    recipe = capture(build)
    assert [(rule.pattern, rule.initializer) for rule in recipe.rules] == [
        ("*.bias", glorot.Zeros()),
        ("*.kernel", glorot.VarianceScaling(1.0, "fan_in", "truncated_normal")),
    ]


def test_the_rule_of_layers_that_are_square():
    """Several rules give its number; flax's own is the one."""
    (rule,) = capture(lambda: {"kernel": INITS.lecun_normal()(KEY, (96, 96))}).rules
    assert rule.initializer == glorot.VarianceScaling(1.0, "fan_in", "truncated_normal")


def test_nothing_is_drawn_and_there_is_no_memory():
    """Of arrays that no machine holds."""

    def build():
        return {"w": 0.02 * jax.random.normal(KEY, (1 << 18, 1 << 18)), "b": jnp.ones((1 << 40,))}

    recipe = capture(build)
    laws = {a.name: a.initializer for a in recipe.resolve(glorot.jax.shapes(jax.eval_shape(build)))}
    assert laws == {"w": glorot.RandomNormal(stddev=0.02), "b": glorot.Ones()}


def scanned(same):
    """A stack of layers, whose keys are one, or one each."""

    def build():
        def layer(carry, key):
            drawn = jax.random.normal(KEY if same else key, (8, 8))
            return carry * 0.5, {"w": drawn, "b": jnp.zeros(8), "depth": carry}

        _, stack = jax.lax.scan(layer, 1.0, jax.random.split(KEY, 9))
        return stack

    return build


def test_what_no_framework_draws():
    """Numbers that Python or NumPy draw, whatever by, are others when the code runs again."""
    for name, draw in {
        "python": lambda: jnp.full((9,), random.random()),
        "numpy": lambda: jnp.asarray(np.random.normal(size=4)),
        "its own": lambda: jnp.asarray(np.random.default_rng().normal(size=4)),
        "scale": lambda: np.random.uniform() * jax.random.normal(KEY, (8, 8)),
    }.items():
        with pytest.raises(ValueError, match=r"'w': .* when it ran again"):
            capture(lambda draw=draw: {"w": draw()})
        kept = capture(lambda draw=draw: {"w": draw(), "b": jnp.ones(3)}, leave_out=True)
        assert kept.match(["b"]).rules["b"].initializer == glorot.Ones(), name
    assert capture(lambda: {"w": jnp.arange(4.0)}).rules[0].initializer.initializers


@pytest.mark.parametrize(
    ("draw", "why"),
    [
        (lambda: jax.lax.cond(True, lambda: jax.random.normal(jax.random.key(1), (4,)),
                              lambda: jnp.zeros(4)), "draws in cond by a key that is made there"),
        (lambda: jax.pure_callback(lambda: np.float32([1, 2]), jnp.zeros(2)),
         r"what Python computes \(pure_callback\)"),
    ],
)  # fmt: skip
def test_draws_that_no_input_shows(draw, why):
    """They are no constants, though all that goes in is."""
    with pytest.raises(ValueError, match=f"'w': {why}"):
        capture(lambda: {"w": draw()})


def test_loops():
    """What changes from round to round is of one law; what does not is repeated."""
    recipe = capture(scanned(False), rules=[glorot.Rule("depth", None)])
    laws = {a.name: a.law for a in recipe.resolve({"w": (9, 8, 8), "b": (9, 8), "depth": (9,)})}
    assert laws == {"w": "N(0, 1)", "b": "Zeros"}
    with pytest.raises(ValueError, match="'w': draws that are repeated"):
        capture(scanned(True), rules=[glorot.Rule("depth", None)])
    with pytest.raises(ValueError, match="'depth': numbers that are computed"):
        capture(scanned(False))


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (3, TypeError, "`build` must be a function that returns the model.*Got 3"),
        (lambda: 3, TypeError, "`build` must return a flax.nnx or Equinox module"),
        (lambda: jnp.ones(3), TypeError, "or a tree of named arrays"),
        (nn.Dense(3), TypeError, "must be a function that returns the model"),
        (eqx.nn.PReLU(), TypeError, "must be a function that returns the model"),
        (lambda: nn.Dense(3), ValueError, "has no parameters before it is called"),
        (lambda: (nn.Dense(3), "x"), ValueError, "Dense cannot be evaluated with these inputs"),
        (lambda: 1 / 0, ZeroDivisionError, "division"),
        (lambda: nnx.Linear(3, 4, rngs=RNGS), ValueError, "TraceContextError.*its own keys and nn"),
        (lambda: {"w": jnp.ones(int(jax.random.normal(KEY)) + 9)}, ValueError, "not look at what"),
        (functools.partial(nnx.Linear, 3, 4, rngs=nnx.Rngs(0))(), TypeError, "a function that ret"),
    ],
)
def test_refusals(build, error, text):
    """Each says what is needed."""
    with pytest.raises(error, match=text):
        capture(build)
