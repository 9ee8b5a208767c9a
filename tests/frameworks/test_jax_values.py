# SPDX-License-Identifier: Apache-2.0
"""`glorot.jax.values`: the bytes of NumPy, eagerly and inside of JAX's transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

import glorot
import glorot.jax
from glorot import _kernel, _stream
from glorot.jax import _paired, _programs, _traced

pytestmark = pytest.mark.frameworks

NAME = "encoder.kernel"
SHAPE = (37, 52)
NARROW = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
LAWS = {  # the contract has them all; here JAX's transformations are at stake
    "uniform": glorot.GlorotUniform(seed=42),
    "limits": glorot.RandomUniform(-0.25, 2.0, seed=2**64 - 1),
    "normal": glorot.RandomNormal(stddev=0.02, seed=42),
    "mean": glorot.RandomNormal(mean=0.5, stddev=0.02, seed=42),
    "truncated": glorot.GlorotNormal(seed=2**40 + 1),
    "cut": glorot.TruncatedNormal(mean=-1.0, seed=3, lower=-1.0, upper="inf"),
    "canonical": glorot.HeUniform(seed=1, layout="torch.linear", order="canonical"),
    "constant": glorot.Constant(0.1),
    "sparse": glorot.Sparse(0.3, seed=1),
    "orthogonal": glorot.Orthogonal(seed=1),
}
RANDOM = ("uniform", "limits", "normal", "mean", "truncated", "cut", "canonical")
PATHS = {"native": None, "traced": False}


def bits(array):
    """Bytes, so that signed zeros and every last bit count."""
    return np.asarray(array).tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (7,), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("law", ["uniform", "truncated", "constant"])
def test_every_rank_and_the_empty(law, shape, path):
    """Scalars, empty arrays and many axes."""
    init = LAWS[law]

    made = glorot.jax.values(init, shape, name=NAME, native=PATHS[path])

    assert made.shape == shape
    assert bits(made) == init(shape, name=NAME).tobytes()


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_constants_have_integers(dtype):
    """Counters and masks are constants of integer types."""
    made = glorot.jax.values("ones", (3, 4), dtype=dtype)

    assert made.dtype == dtype
    assert bits(made) == glorot.Ones()((3, 4), dtype).tobytes()


@pytest.mark.parametrize("init", [glorot.Constant, glorot.Identity])
def test_narrow_constants_round_as_everywhere(init):
    """Rounded from float64 at once, this one would be the other neighbour in float16."""
    tie = init(1 + 2**-11 + 2**-30)
    made = glorot.jax.values(tie, (2, 2), dtype="float16")

    assert bits(made) == tie((2, 2), "float16").tobytes()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("law", RANDOM)
def test_one_compilation_serves_every_seed_and_name(law, path):
    """Seed and name are arguments: a second weight of a shape compiles nothing."""
    init = LAWS[law].replace(seed=None)
    traces = []

    @jax.jit
    def make(seed, name):
        traces.append(None)
        return glorot.jax.values(init, SHAPE, seed=seed, name=name, native=PATHS[path])

    for seed, name in ((0, ""), (2**64 - 1, "a"), (2**32, "Ünïcode.层.0")):
        made = make(glorot.jax.seed_words(seed), glorot.jax.name_words(name))

        assert bits(made) == init(SHAPE, seed=seed, name=name).tobytes()
    assert len(traces) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("law", [*RANDOM, "orthogonal", "sparse", "constant"])
def test_vmap_stacks_the_layers(law, path):
    """A name an element: the stacked weights of a scanned model."""
    init = LAWS[law]
    names = [f"h.{i}.kernel" for i in range(3)]
    tags = np.stack([glorot.jax.name_words(name) for name in names])

    stacked = jax.vmap(lambda tag: glorot.jax.values(init, SHAPE, name=tag, native=PATHS[path]))(
        tags
    )

    expected = np.stack([init(SHAPE, name=name) for name in names])
    assert bits(stacked) == expected.tobytes()


def test_scan_and_grad_pass_by():
    """In a scanned body and under differentiation the values are the same."""
    init = LAWS["truncated"]
    tags = np.stack([glorot.jax.name_words(str(i)) for i in range(4)])
    expected = np.stack([init(SHAPE, name=str(i)) for i in range(4)])

    _, scanned = jax.lax.scan(
        lambda carry, tag: (carry, glorot.jax.values(init, SHAPE, name=tag)), 0, tags
    )
    gradient = jax.grad(lambda x: (x * glorot.jax.values(init, SHAPE, name="0")).sum())(1.0)

    assert bits(scanned) == expected.tobytes()
    assert float(gradient) == pytest.approx(float(expected[0].sum()), rel=1e-4)


@pytest.mark.parametrize("dtype", NARROW[1:])
def test_the_narrow_value_is_rounded_even_where_it_is_widened_again(dtype):
    """XLA may keep excess precision inside of one program; these values are rounded all the same.

    jax.random.normal in bfloat16 differs between eager and jit for that reason.
    """
    init = LAWS["truncated"]

    @jax.jit
    def widened():
        made = glorot.jax.values(init, SHAPE, name=NAME, dtype=dtype, native=False)
        return made.astype(jnp.float32) * 1.0

    assert bits(widened()) == init(SHAPE, dtype, name=NAME).astype(np.float32).tobytes()


def temporaries(init, dtype, shape=(512, 1024)):
    """(temporary bytes, output bytes) of the compiled traced law."""
    compiled = (
        jax.jit(lambda seed, tag: glorot.jax.values(
            init, shape, seed=seed, name=tag, dtype=dtype, native=False))
        .lower(glorot.jax.seed_words(1), glorot.jax.name_words("w"))
        .compile()
    )  # fmt: skip
    memory = compiled.memory_analysis()
    return memory.temp_size_in_bytes, memory.output_size_in_bytes


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_uniform_takes_no_memory_beyond_its_output(dtype):
    """But for the scalars of the key: jax.random.uniform takes three outputs more."""
    temporary, output = temporaries(LAWS["uniform"], dtype)

    assert output == 512 * 1024 * np.dtype(jnp.dtype(dtype)).itemsize
    assert temporary < 4096


@pytest.mark.parametrize("law", ["normal", "mean", "truncated"])
def test_normals_take_at_most_one_output_more(law):
    """The table's rows are gathered in the loop that writes."""
    temporary, output = temporaries(LAWS[law], "float32")

    assert temporary <= output + 4096


@pytest.mark.parametrize("law", ["normal", "truncated"])
def test_large_normals_take_no_memory_beyond_their_output(law):
    """Nor do those of short dtypes, of which the words alone would be twice the output."""
    for dtype, shape in (("float32", (2048, 2050)), ("bfloat16", (512, 1024))):
        temporary, _ = temporaries(LAWS[law], dtype, shape)

        assert temporary < 4096


@pytest.mark.parametrize(
    ("extent", "strides", "origin"),
    [((8,), (1,), 0), ((3, 4), (4, 1), 0), ((5, 2, 6), (12, 6, 1), 2), ((1, 4), (3, 1), 2**33 + 6),
     ((2, 4), (2**40, 1), 2**62), ((4, 8), (2, 1), 0)],
)  # fmt: skip
@pytest.mark.parametrize("lane", [0, 2])
def test_pairs_of_words(extent, strides, origin, lane):
    """Where elements 2 i and 2 i + 1 are two words of a block, they are those of the stream."""
    assert _paired.fits(extent, strides, origin)
    stream = _stream.stream(2**64 - 3, NAME, lane)
    seed, tag = (_traced.halves(number) for number in (2**64 - 3, _stream.tag(NAME)))
    found = jax.jit(lambda: _paired.words(extent, strides, origin, seed, tag, lane))()
    expected = np.empty(extent, np.uint32)
    _kernel.fill(expected, None, stream, origin, strides)

    assert bits(found) == expected.tobytes()


@pytest.mark.parametrize(
    ("extent", "strides", "origin"),
    [((), (), 0), ((3,), (1,), 0), ((4,), (2,), 0), ((4,), (1,), 1), ((2, 4), (5, 1), 0),
     ((4, 2), (1, 4), 0), ((0, 2), (2, 1), 0)],
)  # fmt: skip
def test_elements_that_are_no_pairs(extent, strides, origin):
    """An odd size, step, row or beginning: each word by itself."""
    assert not _paired.fits(extent, strides, origin)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("law", ["uniform", "truncated", "canonical"])
def test_a_part_of_more_than_four_billion_elements(law, path):
    """Indices have 63 bits, without 64-bit types."""
    init, shape = LAWS[law], (2**20, 2**13)
    corner = glorot.Shard((2**20 - 3, 2**13 - 5), shape)
    across = glorot.Shard((2**19 - 2, 11), (2**19 + 2, 30))  # over index 2**32

    for shard in (corner, across):
        made = glorot.jax.values(init, shape, name=NAME, shard=shard, native=PATHS[path])

        assert bits(made) == init(shape, name=NAME, shard=shard).tobytes()


def test_blocks_share_one_compilation():
    """Parts of one shape are one program: where a part begins is an argument."""
    shape, init = (48, 16), LAWS["uniform"]
    options = {"name": NAME, "native": False}
    parts = [glorot.jax.values(init, shape, shard=slice(0, 8), **options)]

    before = _programs.program.cache_info().misses
    for i in range(8, 48, 8):
        parts.append(glorot.jax.values(init, shape, shard=slice(i, i + 8), **options))

    assert _programs.program.cache_info().misses == before
    assert bits(np.concatenate(parts)) == init(shape, name=NAME).tobytes()


def test_refusals():
    """What cannot be had is said before anything is computed."""
    init = glorot.GlorotUniform()
    with pytest.raises(ValueError, match="`seed` is missing"):
        glorot.jax.values(init, (3, 4))
    with pytest.raises(ValueError, match=r"Pass `seed % 2\*\*64`"):
        glorot.jax.values(init, (3, 4), seed=-1)
    with pytest.raises(TypeError, match=r"`dtype` float64 needs JAX's 64-bit types.*float32"):
        glorot.jax.values(init, (3, 4), seed=1, dtype="float64")
    with pytest.raises(TypeError, match="`dtype` int64 needs JAX's 64-bit types"):
        glorot.jax.values("ones", (3, 4), dtype="int64")
    with pytest.raises(TypeError, match="Only floating point types"):
        glorot.jax.values(init, (3, 4), seed=1, dtype=jnp.int32)
    with pytest.raises(TypeError, match=r"`initializer` must be one of glorot's.*got <function"):
        glorot.jax.values(jax.nn.initializers.glorot_uniform(), (3, 4), seed=1)
    with pytest.raises(TypeError, match=r"`seed` as an array must be two uint32 words.*seed_words"):
        glorot.jax.values(init, (3, 4), seed=np.zeros(3, np.uint32))
    with pytest.raises(TypeError, match=r"`seed` as an array must be two uint32.*\(\) of int32"):
        jax.jit(lambda seed: glorot.jax.values(init, (3, 4), seed=seed))(5)
    with pytest.raises(TypeError, match=r"`name` as an array must be two uint32.*name_words"):
        glorot.jax.values(init, (3, 4), seed=1, name=np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="`name` must be a string"):
        glorot.jax.values(init, (3, 4), seed=1, name=5)
    with pytest.raises(ValueError, match="`shard` must lie inside"):
        glorot.jax.values(init, (3, 4), seed=1, shard=glorot.Shard((0, 0), (4, 4)))
    with pytest.raises(ValueError, match=r"inside of jax\.shard_map alone.*out_sharding"):
        glorot.jax.values(init, (3, 4), seed=1, shard=jax.P("x"))
    with pytest.raises(ValueError, match="more entries than the 1 axes"):
        glorot.jax.values(init, (3,), seed=1, shard=jax.P(None, "x"))
    with pytest.raises(ValueError, match=r"begins at \(4294967296,\).*initializer itself"):
        glorot.jax.values(init, (2**33,), seed=1, shard=slice(2**32, 2**32 + 8))
    with pytest.raises(ValueError, match=r"axis of 2\*\*32 elements or more.*`shard`"):
        glorot.jax.values(init, (2**32,), seed=1)
    with pytest.raises(TypeError, match="`out_sharding` must be a NamedSharding"):
        glorot.jax.values(init, (3, 4), seed=1, out_sharding="x")
    with pytest.raises(ValueError, match=r"names axes of no mesh.*set_mesh"):
        glorot.jax.values(init, (3, 4), seed=1, out_sharding=jax.P("x"))
    with pytest.raises(ValueError, match="overflows float16"):
        glorot.jax.values(glorot.RandomNormal(stddev=1e5), (3, 4), seed=1, dtype="float16")


@pytest.mark.parametrize("axis", ["outside", "inside"])
def test_shard_map_over_one_device(axis):
    """Where the kernel could be called, and where what varies over the mesh keeps it away."""
    init, mesh = LAWS["truncated"], jax.make_mesh((1,), ("x",))
    tag = jax.device_put(glorot.jax.name_words(NAME)[None], NamedSharding(mesh, jax.P("x")))

    def part(tag):
        """This device's."""
        name = tag[0] if axis == "inside" else NAME
        return glorot.jax.values(init, SHAPE, name=name, shard=jax.P("x"))

    def whole(tag):
        """All of it."""
        name = tag[0] if axis == "inside" else NAME
        return glorot.jax.values(init, SHAPE, name=name)

    for function, spec in ((part, jax.P("x")), (whole, jax.P("x" if axis == "inside" else None))):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=jax.P("x"), out_specs=spec)
        assert bits(mapped(tag)) == init(SHAPE, name=NAME).tobytes()


BLOCKS = {
    "one law": glorot.Blocks(glorot.GlorotUniform(), 3, seed=42),
    "two laws": glorot.Blocks([glorot.HeNormal(), glorot.GlorotUniform()], [2, 1], seed=42),
    "gates": glorot.Blocks(
        [glorot.HeUniform(), glorot.Ones(), glorot.RandomNormal(1.0)], [1, 1, 2], seed=7, axis=0
    ),
    "heads": glorot.Blocks(
        [
            glorot.GlorotUniform(layout="OI", order="canonical"),
            glorot.Zeros(),
            glorot.HeNormal(layout="OI", order="canonical"),
        ],
        [4, 2, 3],
        repeat=4,
        seed=1,
    ),
    "matrices": glorot.Blocks([glorot.Orthogonal(), glorot.HeNormal()], [1, 1], seed=3),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_fused_weights(blocks, path):
    """Blocks of a fused weight, whole, in part and in a tree."""
    init, shape = BLOCKS[blocks], (36, 24)
    whole = init(shape, name=NAME)

    made = glorot.jax.values(init, shape, name=NAME, native=PATHS[path])
    part = glorot.jax.values(
        init, shape, name=NAME, shard=(slice(5, 30), slice(3, 20)), native=PATHS[path]
    )
    tree = glorot.jax.init({NAME: made}, init.replace(seed=None), seed=init.seed)

    assert bits(made) == bits(tree[NAME]) == whole.tobytes()
    assert bits(part) == whole[5:30, 3:20].tobytes()
