# SPDX-License-Identifier: Apache-2.0
"""Weights on a mesh of eight CPU devices: sharded is whole, to the byte; by test_jax_mesh.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P
from jax_mesh_cases import (
    BY_HOST,
    LAWS,
    NAME,
    SHAPE,
    SPECS,
    bits,
    by_init,
    by_out_sharding,
    by_shard_map,
    under_jit,
)

import glorot
import glorot.jax
from glorot import _kernel
from glorot.jax import _place

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
