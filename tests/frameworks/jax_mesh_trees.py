# SPDX-License-Identifier: Apache-2.0
"""Trees and models on a mesh of eight CPU devices; by test_jax_mesh.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import Transformer
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from jax_mesh_cases import LAWS, NAME, SEED, SHAPE, SPECS, bits, by_init

import glorot
import glorot.jax


def test_uneven_parts_are_refused_before_anything_is_computed(mesh):
    """JAX has even shards alone."""
    init, sharding = LAWS["uniform"].replace(seed=None), NamedSharding(mesh, P("x"))
    tree = {
        "even": jax.ShapeDtypeStruct((8, 3), "float32"),
        "odd": jax.ShapeDtypeStruct((50,), "float32"),
    }
    with pytest.raises(ValueError, match=r"`shardings` of 'odd', shape \(50,\)"):
        glorot.jax.init(tree, init, seed=1, shardings=sharding)
    with pytest.raises(ValueError, match=r"must split shape \(50, 3\) evenly.*50 goes to 4"):
        jax.shard_map(
            lambda: glorot.jax.values(init, (50, 3), seed=1, shard=P("x")),
            mesh=mesh, in_specs=(), out_specs=P("x"),
        )()  # fmt: skip


def test_shardings_of_a_tree(mesh):
    """A prefix of the tree, specs in place of shardings, and what the leaves say themselves."""
    rows, columns = NamedSharding(mesh, P("x")), NamedSharding(mesh, P(None, "y"))
    matrix, vector = (jax.ShapeDtypeStruct(shape, "float32") for shape in ((8, 4), (4,)))
    tree = {
        "a": {"kernel": matrix, "bias": vector},
        "b": {"kernel": jax.ShapeDtypeStruct((8, 4), "float32", sharding=columns)},
    }
    recipe = "he_normal"

    own = glorot.jax.init(tree, recipe, seed=1)
    given = glorot.jax.init(tree, recipe, seed=1, shardings={"a": rows, "b": {"kernel": None}})

    assert own["b"]["kernel"].sharding == columns
    assert len(own["a"]["bias"].sharding.device_set) == 1
    assert not own["a"]["bias"].committed
    assert given["a"]["kernel"].sharding == given["a"]["bias"].sharding == rows
    assert len(given["b"]["kernel"].sharding.device_set) == 1
    assert jax.tree.all(jax.tree.map(lambda x, y: bits(x) == bits(y), own, given))
    with pytest.raises(ValueError, match="`shardings` must be one sharding or a tree of them"):
        glorot.jax.init(tree, recipe, seed=1, shardings={"a": rows})
    with pytest.raises(ValueError, match=r"'a.bias' names axes of no devices.*set_mesh"):
        glorot.jax.init(tree, recipe, seed=1, shardings=P())
    with pytest.raises(TypeError, match=r"`shardings` gives 'a.bias' 'x'"):
        glorot.jax.init(tree, recipe, seed=1, shardings={"a": "x", "b": None})


def test_flax_modules_on_a_mesh(mesh):
    """linen's partitioned parameters and nnx variables lie as their annotations say."""
    import flax.linen as nn

    kernel_init = nn.with_partitioning(nn.initializers.lecun_normal(), (None, "y"))
    linen = jax.eval_shape(
        nn.Dense(16, kernel_init=kernel_init).init, jax.random.key(0), jnp.zeros((2, 8))
    )
    specs = nn.get_partition_spec(linen)
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    recipe = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", "lecun_normal")])

    params = glorot.jax.init(linen, recipe, seed=1, shardings=shardings)["params"]

    kernel = params["kernel"].value
    assert kernel.sharding.spec == P(None, "y")
    assert bits(kernel) == glorot.LecunNormal()((8, 16), seed=1, name="params.kernel").tobytes()

    model = nnx.eval_shape(lambda: nnx.Linear(8, 16, rngs=nnx.Rngs(0)))
    state = nnx.state(model)
    filled = glorot.jax.init(state, recipe, seed=1, shardings=NamedSharding(mesh, P("y")))
    nnx.update(model, filled)
    assert bits(model.kernel[...]) == glorot.LecunNormal()((8, 16), seed=1, name="kernel").tobytes()
    assert model.kernel[...].sharding.spec == P("y")


def test_a_transformer_sharded_is_whole(mesh):
    """Each weight cut along its first axis, its last or both, as its sizes allow: the bytes of the
    model on one device, which are NumPy's by each name."""
    model = nnx.eval_shape(lambda: Transformer(nnx.Rngs(0)))
    state = nnx.state(model, nnx.Param)
    recipe = glorot.Recipe(
        [
            glorot.Rule("*.bias", "zeros"),
            glorot.Rule("*.scale", "ones"),
            glorot.Rule("*.embedding", "random_normal", stddev=0.02),
            glorot.Rule("*", "he_normal"),
        ]
    )

    def sharding(leaf):
        first = "x" if leaf.shape[0] % 4 == 0 else None
        last = ["y"] if leaf.ndim > 1 and leaf.shape[-1] % 2 == 0 else []
        return NamedSharding(mesh, P(first, *[None] * (leaf.ndim - 1 - len(last)), *last))

    shardings = jax.tree.map(sharding, state)
    whole = glorot.jax.init(state, recipe, seed=SEED)
    sharded = glorot.jax.init(state, recipe, seed=SEED, shardings=shardings)

    wanted = {
        a.name: a.initializer(a.shape, seed=SEED, name=a.name)
        for a in glorot.jax.explain(state, recipe)
    }
    cut = 0
    for each in (whole, sharded):
        found = {".".join(map(str, path)): value[...] for path, value in nnx.to_flat_state(each)}
        assert {name: bits(value) for name, value in found.items()} == {
            name: value.tobytes() for name, value in wanted.items()
        }
        cut += sum(not value.sharding.is_fully_replicated for value in found.values())
    assert cut >= 20
    assert jax.tree.map(lambda leaf: leaf.sharding, sharded) == shardings
    assert glorot.jax.fingerprint(sharded) == glorot.fingerprint(wanted)


def test_the_fingerprint_is_that_of_the_whole(mesh):
    """From blocks, replicas included; differing replicas and absent values are refused."""
    init = LAWS["truncated"]
    expected = glorot.fingerprint({NAME: init(SHAPE, name=NAME), "n": np.zeros(2)})
    for spec in SPECS.values():
        tree = {NAME: by_init(init, NamedSharding(mesh, spec)), "n": np.zeros(2), "f": len}
        assert glorot.jax.fingerprint(tree) == expected
    assert glorot.jax.fingerprint(tree, names={"n": "m"}) != expected
    with pytest.raises(TypeError, match=r"'w' in `tree` has no values.*glorot\.jax\.init"):
        glorot.jax.fingerprint({"w": jax.ShapeDtypeStruct((2,), "float32")})

    blocks = iter(np.arange(16.0, dtype=np.float32).reshape(8, 2))
    wrong = jax.make_array_from_single_device_arrays(
        (2,),
        NamedSharding(mesh, P()),
        [jax.device_put(next(blocks), device) for device in mesh.devices.flat],
    )
    with pytest.raises(ValueError, match="two replicas of 'w' differ"):
        glorot.jax.fingerprint({"w": wrong})
