# SPDX-License-Identifier: Apache-2.0
"""Cases on meshes of eight CPU devices, run by test_jax_mesh.py: sharded is whole, to the byte."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import Transformer
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import glorot
import glorot.jax
from glorot import _kernel
from glorot._base import _prepared
from glorot._dtypes import ALL
from glorot.jax import _place, _programs

SEED, NAME, SHAPE = 42, "h.0.mlp.kernel", (32, 48)
LAWS = {
    "uniform": glorot.GlorotUniform(seed=42),
    "limits": glorot.RandomUniform(-0.25, 2.0, seed=7, dtype="bfloat16"),
    "truncated": glorot.HeNormal(seed=2**40),
    "canonical": glorot.LecunUniform(seed=1, layout="torch.linear", order="canonical"),
    "orthogonal": glorot.Orthogonal(seed=3),
    "sparse": glorot.Sparse(0.5, seed=3),
    "identity": glorot.Identity(2.0),
    "blocks": glorot.Blocks([glorot.HeNormal(), glorot.Zeros()], [2, 1], seed=3),
    "constant": glorot.Constant(0.1, dtype="float16"),
    "time steps": glorot.TimeStep(seed=3),
    "logarithms": glorot.LogArange(),
    "logarithms of draws": glorot.LogOfUniform(seed=3),
    "blocks of time steps": glorot.Blocks([glorot.TimeStep(), glorot.HeNormal()], [2, 1], seed=3),
}
# What is no law of words: computed on the host for accelerators too.
BY_HOST = (
    "orthogonal", "sparse", "time steps", "logarithms", "logarithms of draws",
    "blocks of time steps",
)  # fmt: skip
SPECS = {
    "replicated": P(),
    "rows": P("x"),
    "columns": P(None, "y"),
    "both": P("x", "y"),
    "swapped": P("y", "x"),
    "rows by both": P(("x", "y")),
    "columns by both": P(None, ("y", "x")),
}


@pytest.fixture(scope="module", params=["Explicit", "Auto"])
def mesh(request):
    """4 x 2 devices, under both kinds of axes."""
    assert len(jax.devices()) == 8
    kind = getattr(AxisType, request.param)
    return jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind, kind))


def bits(array):
    """Bytes of the whole."""
    return np.asarray(array).tobytes()


def under_jit(init, sharding):
    """jit with out_shardings."""
    return jax.jit(lambda: glorot.jax.values(init, SHAPE, name=NAME), out_shardings=sharding)()


def by_out_sharding(init, sharding):
    """The adapter's own argument."""
    return glorot.jax.values(init, SHAPE, name=NAME, out_sharding=sharding)


def by_shard_map(init, sharding):
    """Each device asks for its part."""
    spec = sharding.spec

    def here():
        """This device's part."""
        return glorot.jax.values(init, SHAPE, name=NAME, shard=spec)

    # What the host computes could differ between devices, for all that shard_map knows.
    replicas_known = _programs.traceable(_prepared(init, SHAPE, ALL[init.dtype]))
    return jax.shard_map(
        here, mesh=sharding.mesh, in_specs=(), out_specs=spec, check_vma=replicas_known
    )()


def by_init(init, sharding):
    """A tree of one leaf."""
    tree = {NAME: jax.ShapeDtypeStruct(SHAPE, init.dtype)}
    plain = init.replace(seed=None) if init.random else init
    return glorot.jax.init(tree, plain, seed=init.seed or 0, shardings=sharding)[NAME]


WAYS = {f.__name__: f for f in (under_jit, by_out_sharding, by_shard_map, by_init)}


CASES = [
    *(("truncated", spec) for spec in SPECS),
    *((law, "both") for law in LAWS if law != "truncated"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("law", "spec"), CASES)
def test_sharded_is_whole(mesh, law, spec, way):
    """Row, column and two-dimensional meshes, replicas among them, by every way there is."""
    init, sharding = LAWS[law], NamedSharding(mesh, SPECS[spec])

    made = WAYS[way](init, sharding)

    assert made.sharding.is_equivalent_to(sharding, len(SHAPE))
    assert bits(made) == init(SHAPE, name=NAME).tobytes()


@pytest.mark.parametrize("law", ["uniform", "truncated"])
def test_each_device_may_have_a_name_of_its_own(law):
    """Whole weights whose names differ from device to device, and from row to row of a `vmap`."""
    init, names = LAWS[law], [f"expert.{i}" for i in range(8)]
    mesh = jax.make_mesh((8,), ("e",), axis_types=(jax.sharding.AxisType.Auto,))
    tags = jnp.stack([glorot.jax.name_words(name) for name in names])

    def one(tag):
        return glorot.jax.values(init, SHAPE, name=tag, native=False)

    spread = jax.shard_map(
        lambda tag: one(tag[0])[None], mesh=mesh, in_specs=P("e"), out_specs=P("e")
    )
    for made in (spread(tags), jax.vmap(one)(tags)):
        for values, name in zip(np.asarray(made), names, strict=True):
            assert bits(values) == init(SHAPE, name=name).tobytes()


def test_under_set_mesh_a_spec_is_enough():
    """PartitionSpecs alone, for values, keyed initializers and trees, eagerly and under jit."""
    mesh = jax.make_mesh((4, 2), ("x", "y"))
    init = LAWS["truncated"]
    keyed = glorot.jax.initializer(init.replace(seed=None))
    expected = init(SHAPE, name=NAME).tobytes()
    with jax.set_mesh(mesh):
        eager = glorot.jax.values(init, SHAPE, name=NAME, out_sharding=P("x", "y"))
        traced = jax.jit(
            lambda: glorot.jax.values(init, SHAPE, name=NAME, out_sharding=P("x", "y"))
        )()
        free = jax.jit(lambda: glorot.jax.values(init, SHAPE, name=NAME))()
        by_key = keyed(jax.random.key(5), SHAPE, jnp.float32, P("y", "x"))
        tree = {NAME: jax.ShapeDtypeStruct(SHAPE, jnp.float32)}
        filled = glorot.jax.init(
            tree, init.replace(seed=None), seed=init.seed, shardings=P(None, "x")
        )

    assert bits(eager) == bits(traced) == bits(free) == bits(filled[NAME]) == expected
    assert eager.sharding.spec == traced.sharding.spec == P("x", "y")
    assert by_key.sharding.spec == P("y", "x")
    assert filled[NAME].sharding.spec == P(None, "x")
    assert bits(by_key) == init(SHAPE, seed=5).tobytes()


@pytest.mark.parametrize("law", ["uniform", "truncated", "identity", "orthogonal"])
def test_stacked_weights_under_explicit_axes(law):
    """A vmap over names, each weight laid out by a spec: as layers of a scanned model are made."""
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(AxisType.Explicit,) * 2)
    init, names = LAWS[law], [f"h.{i}.kernel" for i in range(3)]
    tags = jnp.stack([glorot.jax.name_words(name) for name in names])

    def one(tag):
        return glorot.jax.values(init, SHAPE, name=tag, out_sharding=P("x", "y"))

    with jax.set_mesh(mesh):
        stacked = jax.vmap(one)(tags), jax.jit(jax.vmap(one))(tags)
    for made in stacked:
        assert made.sharding.spec == P(None, "x", "y")
        for values, name in zip(np.asarray(made), names, strict=True):
            assert bits(values) == init(SHAPE, name=name).tobytes()


@pytest.mark.parametrize("law", ["uniform", "truncated"])
@pytest.mark.parametrize("spec", ["rows", "columns", "both"])
def test_each_device_computes_its_part_and_no_more(mesh, law, spec):
    """The compiled program of a device has its part as output and no memory beside it."""
    shape, sharding = (1024, 512), NamedSharding(mesh, SPECS[spec])
    program = jax.jit(
        lambda seed, tag: glorot.jax.values(LAWS[law], shape, seed=seed, name=tag),
        out_shardings=sharding,
    )
    compiled = program.lower(glorot.jax.seed_words(1), glorot.jax.name_words(NAME)).compile()
    memory = compiled.memory_analysis()

    part = 4 * int(np.prod(sharding.shard_shape(shape)))
    assert memory.output_size_in_bytes == part
    assert memory.temp_size_in_bytes < (4096 if law == "uniform" else part + 4096)
    assert not any(op in compiled.as_text() for op in ("all-gather", "all-reduce", "all-to-all"))


@pytest.mark.parametrize(("spec", "blocks"), [("replicated", 1), ("rows", 4), ("both", 8)])
def test_each_block_is_computed_once(mesh, spec, blocks, monkeypatch):
    """Replicas share what the process computed, and its memory is the array's own."""
    filled = []
    fill = _kernel.fill

    def counted(out, *rest, **more):
        filled.append(out)
        fill(out, *rest, **more)

    monkeypatch.setattr(_kernel, "fill", counted)

    made = by_init(LAWS["uniform"], NamedSharding(mesh, SPECS[spec]))

    assert len(filled) == blocks
    memory = {out.__array_interface__["data"][0] for out in filled}
    assert {shard.data.unsafe_buffer_pointer() for shard in made.addressable_shards} == memory


def test_a_matrix_that_needs_the_whole_is_computed_once(mesh, monkeypatch):
    """One QR for all blocks of it."""
    calls = []
    qr = np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: (calls.append(1), qr(matrix))[1])

    made = by_init(LAWS["orthogonal"], NamedSharding(mesh, P("x", "y")))

    assert len(calls) == 1
    assert bits(made) == LAWS["orthogonal"](SHAPE, name=NAME).tobytes()


@pytest.mark.parametrize("law", LAWS)
def test_on_accelerators_the_traced_law_fills_the_tree(mesh, law, monkeypatch):
    """Where devices are no CPUs, init compiles; here CPUs stand for them."""
    monkeypatch.setattr(_place, "_default_platform", lambda: "gpu")
    by_host = _place._by_host
    seen = []

    def pretend(work, default):
        """What it would be for a device that is no CPU."""
        seen.append(by_host(work._replace(sharding=None), default))
        return seen[-1]

    monkeypatch.setattr(_place, "_by_host", pretend)
    init = LAWS[law]
    made = by_init(init, NamedSharding(mesh, P("x", "y")))
    alone = by_init(init, None)

    assert seen == [law in BY_HOST] * 2
    assert bits(made) == bits(alone) == init(SHAPE, name=NAME).tobytes()


def test_what_the_host_computes_keeps_its_bits(mesh):
    """A float8's negative zeros among them, which XLA's exchange of that dtype makes positive."""
    init = glorot.Sparse(0.4, seed=1, dtype="float8_e4m3fn")
    expected = init(SHAPE, name=NAME)
    assert (expected.view(np.uint8) == 0x80).any()
    assert bits(under_jit(init, NamedSharding(mesh, P("x", "y")))) == expected.tobytes()


def test_blocks_beyond_two_to_the_32():
    """This device's part of a weight of 2**33 elements, of which a few rows are looked at."""
    init, shape = LAWS["truncated"], (2**20, 2**13)
    mesh = jax.make_mesh((8,), ("x",))

    def last_rows():
        """The last two rows of this device's part."""
        block = glorot.jax.values(init, shape, name=NAME, shard=P("x"))
        return block[-2:]

    mapped = jax.shard_map(last_rows, mesh=mesh, in_specs=(), out_specs=P("x"))
    program = jax.jit(mapped).lower().compile()
    assert program.memory_analysis().temp_size_in_bytes < 2**20  # the rest is never computed
    made = np.asarray(program())

    for device in range(8):
        stop = (device + 1) * 2**17
        expected = init(shape, name=NAME, shard=slice(stop - 2, stop))
        assert bits(made[2 * device : 2 * device + 2]) == expected.tobytes()


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


def test_jax_itself_repeats_shards_inside_of_shard_map():
    """One key on every device gives eight copies of one block; folding the device in gives another
    weight for each number of devices.  Here a name gives the same weight on any."""

    def drawn(devices, fold):
        """What JAX draws."""
        mesh = jax.make_mesh((devices,), ("x",), devices=jax.devices()[:devices])

        def block(key):
            """On one device."""
            if fold:
                key = jax.random.fold_in(key, jax.lax.axis_index("x"))
            return jax.random.uniform(key, (32 // devices, 48))

        return np.asarray(
            jax.shard_map(block, mesh=mesh, in_specs=P(), out_specs=P("x"), check_vma=False)(
                jax.random.key(0)
            )
        )

    def ours(devices):
        """What glorot gives."""
        mesh = jax.make_mesh((devices,), ("x",), devices=jax.devices()[:devices])
        return bits(by_shard_map(LAWS["uniform"], NamedSharding(mesh, P("x"))))

    copies = drawn(8, fold=False).reshape(8, 4, 48)
    assert (copies == copies[0]).all()
    assert len({drawn(n, fold=True).tobytes() for n in (1, 2, 4, 8)}) == 4
    assert len({ours(n) for n in (1, 2, 4, 8)}) == 1


def test_rbg_keys_are_not_invariant_and_ours_are():
    """jax#40232: with rbg keys what JAX draws for a batch of keys is not what it draws for each."""
    keys = jax.random.split(jax.random.key(0, impl="rbg"), 4)
    init = glorot.jax.initializer("glorot_uniform")

    def apart(draw):
        """One key after the other."""
        return np.stack([np.asarray(draw(key)) for key in keys])

    def theirs(key):
        """What JAX draws for one key."""
        return jax.random.uniform(key, (4, 4))

    assert (np.asarray(jax.vmap(theirs)(keys)) != apart(theirs)).any()
    assert (
        bits(jax.vmap(lambda key: init(key, (4, 4)))(keys))
        == apart(lambda key: init(key, (4, 4))).tobytes()
    )
