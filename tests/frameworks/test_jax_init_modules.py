# SPDX-License-Identifier: Apache-2.0
"""`glorot.jax.init` fills the trees of flax, equinox and haiku by the names of their leaves."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import Transformer
from jax_init_cases import KERNEL, RECIPE, SEED, bits, is_value

import glorot
import glorot.jax
from glorot.jax import _names

pytestmark = pytest.mark.frameworks


class LinenMLP(nn.Module):
    """Two layers, a norm with statistics, and a layer whose kernel is annotated."""

    @nn.compact
    def __call__(self, x):
        """Through all of them."""
        annotated = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "model"))
        x = nn.relu(nn.Dense(16, kernel_init=annotated)(x))
        x = nn.BatchNorm(use_running_average=True)(x)
        return nn.Dense(4, param_dtype=jnp.bfloat16)(x)


def test_flax_linen():
    """Collections and modules make the names; what nn.Partitioned adds does not."""
    x = jnp.ones((2, 8))
    abstract = jax.eval_shape(LinenMLP().init, jax.random.key(0), x)
    recipe = glorot.Recipe([glorot.Rule("batch_stats.*.var", "ones"),
                            glorot.Rule("batch_stats.*.mean", "zeros"), *RECIPE.rules[:2],
                            RECIPE.rules[3]])  # fmt: skip

    variables = glorot.jax.init(abstract, recipe, seed=SEED)

    params = variables["params"]
    assert jax.tree.structure(variables) == jax.tree.structure(abstract)
    assert is_value(params["Dense_0"]["kernel"].value, KERNEL, "params.Dense_0.kernel")
    assert is_value(params["Dense_1"]["kernel"], KERNEL, "params.Dense_1.kernel")
    assert params["Dense_1"]["kernel"].dtype == jnp.bfloat16
    assert (variables["batch_stats"]["BatchNorm_0"]["var"] == 1).all()
    assert LinenMLP().apply(variables, x).shape == (2, 4)


def test_flax_linen_takes_the_keyed_initializer():
    """kernel_init=glorot.jax.initializer(...): eager and jitted init agree."""
    model = nn.Dense(16, kernel_init=glorot.jax.initializer("glorot_uniform"))
    x, key = jnp.ones((2, 8)), jax.random.key(3)

    eager, jitted = model.init(key, x), jax.jit(model.init)(key, x)

    kernel = eager["params"]["kernel"]
    assert bits(kernel) == bits(jitted["params"]["kernel"])
    assert abs(np.asarray(kernel)).max() < (6 / 24) ** 0.5


def test_specs_say_what_the_layers_are():
    """The flax preset, which asks for types, and attention's axes; names may change beside it; the
    audit of the filled module finds what it promises."""
    model = nnx.eval_shape(lambda: Transformer(nnx.Rngs(0)))
    state, specs = nnx.state(model, nnx.Param), glorot.sources.read(model).shapes
    filled = glorot.jax.init(state, "flax", seed=SEED, specs=specs)
    expected = {
        a.name: a.initializer(a.shape, seed=SEED, name=a.name)
        for a in glorot.recipe.load("flax").resolve(specs)
    }
    found = {leaf.name: leaf.value for leaf in _names.leaves(filled)}
    assert {n: np.asarray(v).tobytes() for n, v in found.items()} == {
        name: values.tobytes() for name, values in expected.items()
    }
    query = "blocks.0.attn.query.kernel"
    by_shape = glorot.jax.explain(state, "lecun_normal")
    by_layer = glorot.jax.explain(state, "lecun_normal", specs=specs)
    fans = [next(a.fans for a in got if a.name == query) for got in (by_shape, by_layer)]
    assert (
        fans[0] != fans[1] == (float(state["blocks"][0]["attn"]["query"]["kernel"].shape[0]),) * 2
    )

    concrete = Transformer(nnx.Rngs(0))
    nnx.update(concrete, filled)
    assert glorot.audit(concrete, "flax", SEED).ok
    renamed = glorot.jax.explain(state, "flax", specs=specs, names={query: "q.kernel"})
    assert next(a.fans for a in renamed if a.name == "q.kernel") == fans[1]


class Layer(nn.Module):
    """One of several equal layers."""

    @nn.compact
    def __call__(self, x, _=None):
        """What `nn.scan` carries on, and nothing that it collects."""
        x = nn.Dense(4)(x)
        x = nn.Conv(4, (2,), feature_group_count=2)(x)
        return nn.MultiHeadDotProductAttention(2)(x), None


def scanned(axis):
    """Three layers, their weights stacked along an axis."""
    stacked = nn.scan(Layer, variable_axes={"params": axis}, split_rngs={"params": True}, length=3)
    return nn.remat(stacked)()


@pytest.mark.parametrize("axis", [0, 1])
def test_stacked_linen_layers_have_the_axes_of_one(axis):
    """nn.scan puts the weights of its layers into one array, of which each keeps its fans."""
    module, x = scanned(axis), jnp.ones((1, 5, 4))
    specs = glorot.sources.read((module, x)).shapes
    one = glorot.sources.read((Layer(), x)).shapes
    tree = jax.eval_shape(module.init, jax.random.key(0), x)
    found = {a.name: a for a in glorot.jax.explain(tree, "flax", specs=specs)}
    alone = {a.name: a for a in glorot.recipe.load("flax").resolve(one)}
    assert len(found) == len(alone) == 12
    for name, single in alone.items():
        if name.endswith("kernel"):
            assert found[name].fans == single.fans, name
            assert found[name].law == single.law, name
            assert specs[name].type == one[name].type


def test_a_linen_model_that_was_traced_before():
    """JAX keeps what it traced while the function lives, and the layers still say what they are."""
    module, x = Layer(), jnp.ones((1, 5, 4))
    start = jax.jit(module.init)
    start(jax.random.key(0), x)
    specs = glorot.sources.read((module, x)).shapes
    assert specs["params.Dense_0.kernel"].type == "Dense"
    name = "params.MultiHeadDotProductAttention_0.query.kernel"
    assert (specs[name].type, specs[name].layout) == ("DenseGeneral", "IOO")


def test_stacked_nnx_layers_have_the_axes_of_one():
    """nnx.vmap does the same."""

    class Layers(nnx.Module):
        """Of all kinds that have a kernel."""

        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 6, rngs=rngs)
            self.conv = nnx.Conv(4, 6, (2,), feature_group_count=2, rngs=rngs)
            self.up = nnx.ConvTranspose(4, 6, (2,), transpose_kernel=True, rngs=rngs)
            self.general = nnx.LinearGeneral((4, 2), (3, 6), axis=(-2, -1), rngs=rngs)
            self.embed = nnx.Embed(7, 6, rngs=rngs)

    make = nnx.split_rngs(splits=3)(nnx.vmap(Layers, in_axes=0, out_axes=0))
    specs = glorot.sources.read(nnx.eval_shape(lambda: make(nnx.Rngs(0)))).shapes
    one = glorot.sources.read(nnx.eval_shape(lambda: Layers(nnx.Rngs(0)))).shapes
    found, alone = (
        {a.name: a.fans for a in glorot.recipe.load("flax").resolve(of)} for of in (specs, one)
    )
    kernels = [name for name in alone if name.endswith(("kernel", "embedding"))]
    assert len(kernels) == 5
    assert {name: found[name] for name in kernels} == {name: alone[name] for name in kernels}


def test_flax_nnx_transformer():
    """Abstract first, filled after: nnx.Param alone, or all state with the rest left out."""
    model = nnx.eval_shape(lambda: Transformer(nnx.Rngs(0)))
    expected = {"embed.embedding", "norm.scale", "blocks.1.attn.query.kernel", "blocks.0.up.bias"}

    explained = {a.name: a for a in glorot.jax.explain(nnx.state(model, nnx.Param), RECIPE)}
    params = glorot.jax.init(nnx.state(model, nnx.Param), RECIPE, seed=SEED)

    assert expected <= set(explained)
    assert explained["norm.scale"].law == "Ones"
    assert is_value(params["blocks"][1]["up"]["kernel"][...], KERNEL, "blocks.1.up.kernel")
    assert is_value(params["blocks"][1]["attn"]["query"]["kernel"][...], KERNEL,
                    "blocks.1.attn.query.kernel")  # fmt: skip

    concrete = Transformer(nnx.Rngs(0))
    nnx.update(concrete, params)
    logits = nnx.jit(lambda model, tokens: model(tokens))(concrete, jnp.arange(6)[None])
    assert logits.shape == (1, 6, 32)
    assert bool(jnp.isfinite(logits).all())

    everything = nnx.state(model)
    recipe = glorot.Recipe([glorot.Rule("*rngs*", None), *RECIPE.rules])
    filled = glorot.jax.init(everything, recipe, seed=SEED)
    assert bits(filled["embed"]["embedding"][...]) == bits(params["embed"]["embedding"][...])
    with pytest.raises(TypeError, match=r"rngs.*' of key<fry> is no weight.*nnx\.Param"):
        glorot.jax.init(everything, RECIPE, seed=SEED)


def test_an_nnx_variable_in_two_places_is_refused():
    """A module's state holds it once, a walk over the module twice."""

    class Tied(nnx.Module):
        def __init__(self, rngs):
            self.embed = nnx.Embed(4, 3, rngs=rngs)
            self.table = self.embed.embedding

    model = nnx.eval_shape(lambda: Tied(nnx.Rngs(0)))
    with pytest.raises(ValueError, match=r"'embed.embedding' and 'table'.*one flax variable"):
        glorot.jax.init(model, "normal", seed=SEED)

    graph, state = nnx.split(model)
    merged = nnx.merge(graph, glorot.jax.init(state, "normal", seed=SEED))
    assert merged.table is merged.embed.embedding


def test_equinox():
    """Attributes and positions make the names; activations stay what they are."""
    abstract = eqx.filter_eval_shape(eqx.nn.MLP, 3, 4, 5, 2, key=jax.random.key(0))
    init = glorot.GlorotUniform(layout="torch.linear")
    recipe = glorot.Recipe([RECIPE.rules[0], glorot.Rule("layers.*.weight", init)])

    model = glorot.jax.init(abstract, recipe, seed=SEED)

    assert is_value(model.layers[1].weight, init, "layers.1.weight")
    assert model.activation is abstract.activation
    assert jax.jit(jax.vmap(model))(jnp.ones((2, 3))).shape == (2, 4)


def test_haiku():
    """A module's path, slashes and all, and the parameter's name."""
    network = hk.transform(lambda x: hk.nets.MLP([4, 5])(x))  # noqa: PLW0108
    x = jnp.ones((2, 3))
    abstract = jax.eval_shape(network.init, jax.random.key(0), x)
    recipe = glorot.Recipe([glorot.Rule("*.b", "zeros"), glorot.Rule("*.w", KERNEL)])

    params = glorot.jax.init(abstract, recipe, seed=SEED)

    assert is_value(params["mlp/~/linear_1"]["w"], KERNEL, "mlp/~/linear_1.w")
    assert network.apply(params, None, x).shape == (2, 5)


class Around(nn.Module):
    """A module that has the scope of another, as adapters around a layer have."""

    base: nn.Module

    def setup(self):
        """Its variables are named as the other's."""
        nn.share_scope(self, self.base)

    def __call__(self, x):
        """The other's."""
        return self.base(x)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.ConvTranspose(6, (3, 3), transpose_kernel=True), jnp.ones((1, 8, 8, 4))),
        (nn.DenseGeneral((2, 6)), jnp.ones((1, 4))),
        (nn.vmap(nn.Dense, variable_axes={"params": None}, split_rngs={"params": False})(6),
         jnp.ones((3, 1, 4))),
    ],
)  # fmt: skip
def test_what_made_a_variable_says_what_it_is(layer, x):
    """Also where another module has its name, or a transformation its class."""
    alone, shared = (glorot.sources.read((m, x)).shapes for m in (layer, Around(layer)))
    assert alone["params.kernel"] == shared["params.kernel"]
    assert alone["params.kernel"].layout is not None
    assert alone["params.kernel"].type == type(layer).__name__.removeprefix("Vmap")
    fans = [a.fans for of in (alone, shared) for a in glorot.recipe.load("flax").resolve(of)[:1]]
    assert fans[0] == fans[1]


@pytest.mark.parametrize(
    ("layer", "x", "fans"),
    [
        (nn.Einsum((4, 2, 3), "bi,ijk->bjk"), (5, 4), (4.0, 6.0)),
        (nn.Einsum((5, 4, 3), "bei,eio->beo"), (2, 5, 4), (4.0, 3.0)),
        (nn.ConvLocal(6, (3, 3)), (1, 8, 8, 4), (36.0, 6.0)),
    ],
)
def test_einsums_and_local_convolutions(layer, x, fans):
    """Axes by the equation that the layer has; each place of a local convolution stands alone."""
    shapes = glorot.sources.read((layer, jnp.ones(x))).shapes
    recipe = glorot.Recipe([glorot.Rule("*.kernel", "he_normal"), glorot.Rule("*", "zeros")])
    found = {a.name: a.fans for a in recipe.resolve(shapes)}
    assert found["params.kernel"] == fans


def test_an_einsum_whose_equation_the_call_gives():
    """Its axes are not known."""

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Einsum((4, 2, 3))(x, "bi,ijk->bjk")

    assert (
        glorot.sources.read((Net(), jnp.ones((5, 4)))).shapes["params.Einsum_0.kernel"].layout
        is None
    )
