# SPDX-License-Identifier: Apache-2.0
"""`glorot.jax.init` of plain trees: recipes, aliases, other names, and what is refused."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from jax_init_cases import KERNEL, RECIPE, SEED, is_value

import glorot
import glorot.jax

pytestmark = pytest.mark.frameworks


def test_shapes_are_those_that_init_sees():
    """Names, shapes and dtypes of the weights, renamed ones too; keys and text are no weights."""
    array = jax.ShapeDtypeStruct((4, 8), "bfloat16")
    tree = {"a": {"kernel": array}, "key": jax.random.key(0), "kind": "relu"}
    assert glorot.jax.shapes(tree) == {"a.kernel": glorot.recipe.TensorSpec((4, 8), "bfloat16")}
    renamed = glorot.jax.shapes(tree, names={"a.kernel": "b"})
    recipe = glorot.Recipe([glorot.Rule("key", None), glorot.Rule("*", "he_normal")])
    found = glorot.jax.explain(tree, recipe, names={"a.kernel": "b"})
    assert [(a.name, a.shape) for a in found] == [(n, spec.shape) for n, spec in renamed.items()]


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


@pytest.mark.parametrize("given", ["one", "tree", "prefix"])
def test_shardings_of_trees_that_hold_none(given):
    """None in a tree is no leaf, as a missing bias or a part of a module; in shardings it is one:
    the default device."""
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    tree = {"w": abstract(kernel=(8, 4), bias=(4,)) | {"scale": None}, "gone": None}
    shardings = {
        "one": here,
        "tree": {"w": {"kernel": here, "bias": None, "scale": None}, "gone": None},
        "prefix": {"w": here, "gone": None},
    }[given]
    made = glorot.jax.init(tree, KERNEL, seed=SEED, shardings=shardings)
    assert is_value(made["w"]["kernel"], KERNEL, "w.kernel")
    assert is_value(made["w"]["bias"], KERNEL, "w.bias")
    assert (made["w"]["scale"], made["gone"]) == (None, None)
    assert made["w"]["kernel"].sharding == here
