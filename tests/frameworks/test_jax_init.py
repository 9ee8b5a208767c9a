# SPDX-License-Identifier: Apache-2.0
"""`glorot.jax.init` fills the trees of every JAX framework by the names of their leaves."""

import dataclasses
from pathlib import Path

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import Transformer
from jax.sharding import NamedSharding, PartitionSpec

import glorot
import glorot.jax
from glorot.jax import _names

pytestmark = pytest.mark.frameworks

SEED = 42
KERNEL = glorot.HeNormal()
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*.bias", "zeros"),
        glorot.Rule("*.scale", "ones"),
        glorot.Rule("*.embedding", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*", KERNEL),
    ]
)


def bits(array):
    """Its bytes."""
    return np.asarray(array).tobytes()


def is_value(array, init, name):
    """Whether it holds what NumPy has under this name."""
    expected = init(array.shape, array.dtype, seed=SEED, name=name)
    return array.dtype == expected.dtype and bits(array) == expected.tobytes()


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


def test_shapes_are_those_that_init_sees():
    """Names, shapes and dtypes of the weights, renamed ones too; keys and text are no weights."""
    array = jax.ShapeDtypeStruct((4, 8), "bfloat16")
    tree = {"a": {"kernel": array}, "key": jax.random.key(0), "kind": "relu"}
    assert glorot.jax.shapes(tree) == {"a.kernel": glorot.recipe.TensorSpec((4, 8), "bfloat16")}
    renamed = glorot.jax.shapes(tree, names={"a.kernel": "b"})
    recipe = glorot.Recipe([glorot.Rule("key", None), glorot.Rule("*", "he_normal")])
    found = glorot.jax.explain(tree, recipe, names={"a.kernel": "b"})
    assert [(a.name, a.shape) for a in found] == [(n, spec.shape) for n, spec in renamed.items()]


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

    make = nnx.split_rngs(splits=3)(nnx.vmap(Layers, in_axes=0, out_axes=0))
    specs = glorot.sources.read(nnx.eval_shape(lambda: make(nnx.Rngs(0)))).shapes
    one = glorot.sources.read(nnx.eval_shape(lambda: Layers(nnx.Rngs(0)))).shapes
    found, alone = (
        {a.name: a.fans for a in glorot.recipe.load("flax").resolve(of)} for of in (specs, one)
    )
    kernels = [name for name in alone if name.endswith("kernel")]
    assert len(kernels) == 4
    assert {name: found[name] for name in kernels} == {name: alone[name] for name in kernels}


def test_specs_of_another_model():
    """Another shape is refused, and so are specs that know no leaf; leaves that it does not know
    are by their shape."""
    tree = {
        "a": jax.ShapeDtypeStruct((4, 6), "float32"),
        "b": jax.ShapeDtypeStruct((3,), "float32"),
    }
    with pytest.raises(ValueError, match=r"`specs` says that 'a' has the shape \(6, 4\)"):
        glorot.jax.init(tree, "he_normal", seed=0, specs={"a": (6, 4)})
    spec = glorot.recipe.TensorSpec((4, 6), layout="torch.linear")
    with pytest.raises(
        ValueError, match=r"`specs` knows no array of `tree`: 'params\.a' is .* 'a'"
    ):
        glorot.jax.init(tree, "he_normal", seed=0, specs={"params.a": spec})
    (one, two) = glorot.jax.explain(tree, "he_normal", specs={"a": spec, "c": (9,)})
    assert (one.fans, two.fans) == ((6.0, 4.0), (3.0, 3.0))


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


def abstract(**shapes):
    """Float32 leaves of these shapes."""
    return {name: jax.ShapeDtypeStruct(shape, "float32") for name, shape in shapes.items()}


def test_plain_trees_and_every_kind_of_recipe(tmp_path):
    """Lists, tuples, dataclasses; a Recipe, a file, a path, a built-in name, one initializer."""
    kind = dataclasses.make_dataclass("Pair", ["weight", "rest"])
    jax.tree_util.register_dataclass(kind, ["weight", "rest"], [])
    leaf = jax.ShapeDtypeStruct((4, 3), jnp.float16)
    tree = kind(leaf, [leaf, (leaf, None, "text", 3)])
    path = Path(tmp_path) / "recipe.json"
    path.write_text(glorot.Recipe([glorot.Rule("*", KERNEL)]).to_json())

    for recipe in (KERNEL, "he_normal", glorot.Recipe([glorot.Rule("*", KERNEL)]), path, str(path)):
        made = glorot.jax.init(tree, recipe, seed=SEED)

        assert is_value(made.weight, KERNEL, "weight")
        assert is_value(made.rest[1][0], KERNEL, "rest.1.0")
        assert made.rest[1][1:] == (None, "text", 3)


def test_a_built_in_recipe_by_its_name():
    """GPT-2 in a plain tree: names are what a checkpoint of it has, depth scaling included."""
    linear = {"weight": (4, 4), "bias": (4,)}
    norm = {"weight": (4,), "bias": (4,)}
    layer = {
        "ln_1": norm,
        "attn": {"c_attn": linear, "c_proj": linear},
        "ln_2": norm,
        "mlp": {"c_fc": linear, "c_proj": linear},
    }
    shapes = {"wte": {"weight": (8, 4)}, "wpe": {"weight": (6, 4)}, "h": [layer] * 2, "ln_f": norm}
    tree = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, "float32"),
        shapes,
        is_leaf=lambda node: isinstance(node, tuple),
    )

    made = glorot.jax.init(tree, "gpt2", seed=SEED)

    scaled = glorot.RandomNormal(stddev=0.02).scaled(1 / (2 * 2) ** 0.5)
    assert is_value(made["h"][1]["mlp"]["c_proj"]["weight"], scaled, "h.1.mlp.c_proj.weight")
    assert (made["ln_f"]["weight"] == 1).all()


def test_integers_and_what_a_rule_leaves_out():
    """A counter is a constant's; a rule of None leaves a leaf as it is."""
    tree = {"w": jax.ShapeDtypeStruct((3,), "float32"), "step": jax.ShapeDtypeStruct((), "int32"),
            "mask": jax.ShapeDtypeStruct((2,), "bool")}  # fmt: skip
    recipe = glorot.Recipe([glorot.Rule("step", glorot.Constant(7)), glorot.Rule("mask", None),
                            glorot.Rule("*", "normal")])  # fmt: skip

    made = glorot.jax.init(tree, recipe, seed=SEED)

    assert made["step"].dtype == jnp.int32
    assert int(made["step"]) == 7
    assert made["mask"] is tree["mask"]
    with pytest.raises(TypeError, match=r"'mask' of shape .* cannot be initialised.*floating"):
        glorot.jax.init(tree, "normal", seed=SEED)


def test_aliases_are_one_array():
    """A tied head is the embedding's array, under the embedding's name."""
    tree = {"embed": abstract(table=(8, 4)), "head": abstract(table=(8, 4))}

    made = glorot.jax.init(tree, "normal", seed=SEED, aliases={"head.table": "embed.table"})

    assert made["head"]["table"] is made["embed"]["table"]
    assert is_value(made["embed"]["table"], glorot.RandomNormal(), "embed.table")
    for aliases, text in (
        ({"head": "embed.table"}, r"`aliases` names 'head', which is no array.*head.table"),
        ({"head.table": "embed"}, "`aliases` names 'embed'"),
        ({"head.table": "embed.table", "embed.table": "head.table"}, "which is an alias itself"),
    ):
        with pytest.raises(ValueError, match=text):
            glorot.jax.init(tree, "normal", seed=SEED, aliases=aliases)
    other = tree | {"head": abstract(table=(4, 8))}
    with pytest.raises(ValueError, match=r"of \(4, 8\) float32 the array 'embed.table'"):
        glorot.jax.init(other, "normal", seed=SEED, aliases={"head.table": "embed.table"})
    with pytest.raises(TypeError, match="`aliases` must be a mapping"):
        glorot.jax.init(tree, "normal", seed=SEED, aliases=["head.table"])


def test_other_names():
    """Recipe and stream know a leaf under the name that is given; aliases keep the tree's."""
    tree = {"up": abstract(kernel=(4, 8), copy=(4, 8))}
    names = {"up.kernel": "up.weight"}
    recipe = glorot.Recipe([glorot.Rule("up.weight", KERNEL)])

    made = glorot.jax.init(tree, recipe, seed=SEED, names=names, aliases={"up.copy": "up.kernel"})

    assert is_value(made["up"]["kernel"], KERNEL, "up.weight")
    assert made["up"]["copy"] is made["up"]["kernel"]
    with pytest.raises(ValueError, match=r"`names` names 'up.bias', which is no array"):
        glorot.jax.init(tree, recipe, seed=SEED, names={"up.bias": "b"})
    with pytest.raises(ValueError, match=r"`names` gives two leaves the name 'up.copy'"):
        glorot.jax.init(tree, recipe, seed=SEED, names={"up.kernel": "up.copy"})
    with pytest.raises(TypeError, match="`names` must be a mapping"):
        glorot.jax.init(tree, recipe, seed=SEED, names={"up.kernel": 3})


def test_refusals_come_before_anything_is_computed(monkeypatch):
    """Coverage, shapes, dtypes, seeds and trees that cannot be."""
    from glorot import _kernel

    def fail(*_, **__):
        raise AssertionError("computed")

    monkeypatch.setattr(_kernel, "fill", fail)
    tree = {"up": abstract(kernel=(4, 8), bias=(8,))}

    def refused(error, match, tree=tree, recipe="he_normal", seed=1, **options):
        with pytest.raises(error, match=match):
            glorot.jax.init(tree, recipe, seed=seed, **options)

    only = glorot.Recipe([glorot.Rule("*.kernel", KERNEL)])
    spare = glorot.Recipe([*RECIPE.rules])
    refused(ValueError, r"no rule matches 'up.bias'.*Rule\('up.bias', None\)", recipe=only)
    refused(ValueError, r"no parameter is matched by the rules for '\*.scale'", recipe=spare)
    refused(ValueError, "`initializer` must have no seed", recipe=glorot.HeNormal(1))
    refused(ValueError, r"the name of a built-in one \(.*gpt2.*got 'gpt3'", recipe="gpt3")
    refused(FileNotFoundError, "missing.json", recipe="missing.json")
    refused(TypeError, "`initializer` must be an initializer", recipe=jax.nn.initializers.zeros)
    refused(ValueError, "`seed` must lie in", seed=-1)
    refused(TypeError, "`seed` must be an integer", seed=jax.random.key(0))
    refused(ValueError, "`tree` must hold arrays", tree={"f": len})
    refused(ValueError, "`tree` is one array without a name", tree=tree["up"]["bias"])
    refused(ValueError, r"two leaves of the name 'a\.b'", tree={"a.b": tree["up"]["bias"],
            "a": {"b": tree["up"]["bias"]}})  # fmt: skip
    refused(
        ValueError, "leaves out every parameter", recipe=glorot.Recipe([glorot.Rule("*", None)])
    )
    refused(TypeError, "`dtype` float64 needs JAX's 64-bit types",
            tree={"w": np.zeros((2, 2))})  # fmt: skip
    refused(TypeError, "'steps' of shape .* cannot be initialised.*Only floating point types",
            tree=tree | {"steps": jax.ShapeDtypeStruct((2,), "int32")})  # fmt: skip
    refused(TypeError, "'w' of complex64 is no weight, .*Weights are of float32, .*float8_e5m2",
            tree={"w": jax.ShapeDtypeStruct((2,), "complex64")})  # fmt: skip
    refused(ValueError, r"`shardings` of 'step', shape \(\): .* more entries than the 0 axes",
            tree={"step": jax.ShapeDtypeStruct((), "int32")}, recipe="zeros",
            shardings=NamedSharding(jax.make_mesh((1,), ("x",)), PartitionSpec("x")))  # fmt: skip
    refused(ValueError, "'up.bias' of shape .* cannot be initialised", recipe="orthogonal")
    with pytest.raises(TypeError, match=r"is being traced.*glorot\.jax\.values"):
        jax.jit(lambda x: glorot.jax.init({"w": x}, "he_normal", seed=1))(jnp.zeros((2, 2)))


def test_keys_do_not_count_in_a_fingerprint():
    """A whole nnx state has one too, under any seed of its streams."""
    prints = {
        glorot.jax.fingerprint({"w": jnp.ones(3), "rest": nnx.state(nnx.Dropout(0.1, rngs=rngs))})
        for rngs in (nnx.Rngs(0), nnx.Rngs(1))
    }
    count = np.zeros((), np.uint32)
    assert prints == {glorot.fingerprint({"w": np.ones(3, np.float32), "rest.rngs.count": count})}


def test_arrays_are_read_for_shape_and_dtype_alone():
    """A concrete tree is as good as an abstract one, and is not written."""
    tree = {"w": jnp.ones((3, 4), jnp.bfloat16), "v": np.ones((2,), np.float32)}

    made = glorot.jax.init(tree, KERNEL, seed=SEED)

    assert is_value(made["w"], KERNEL, "w")
    assert is_value(made["v"], KERNEL, "v")
    assert bool((tree["w"] == 1).all())
    assert isinstance(made["v"], jax.Array)
    assert not made["w"].committed
