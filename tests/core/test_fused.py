# SPDX-License-Identifier: Apache-2.0
"""`Blocks`: each block of a fused weight is what it would be alone, at the index of the whole."""

import math
import re

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Blocks

NAMED = {"seed": 7, "name": "w"}
LAWS = [
    glorot.GlorotUniform(),
    glorot.HeNormal(gain=0.5),
    glorot.RandomNormal(stddev=0.02),
    glorot.RandomUniform(-1.0, 2.0),
    glorot.VarianceScaling(1.0, "fan_out", "untruncated_normal"),
]
OTHERS = [glorot.Zeros(), glorot.Constant(3), glorot.Orthogonal(2.0), glorot.Sparse(0.5)]


def within(values, stddev):
    """Whether the root mean square of values is within 5 standard errors of `stddev`."""
    squares = np.square(np.asarray(values, np.float64))
    error = squares.std() / math.sqrt(squares.size)
    return abs(squares.mean() - stddev**2) <= 5 * error


@pytest.mark.parametrize(
    ("layout", "shape", "axis"), [("torch.linear", (900, 200), 0), ("dense", (200, 900), 1)]
)
@pytest.mark.parametrize("make", [glorot.GlorotUniform, glorot.GlorotNormal])
def test_fused_qkv_has_the_scale_of_three(make, layout, shape, axis):
    """q, k and v of one weight have the stddev of three weights apart; one Xavier over the fused
    shape, or fans swapped with its own, is rejected. (torch#166378)"""
    init = Blocks(make(layout=layout), 3)
    w = init(shape, **NAMED)
    alone = math.sqrt(2 / (200 + 300))
    for block in np.split(w, 3, axis=axis):
        assert within(block, alone)
        for wrong in (math.sqrt(2 / (200 + 900)), math.sqrt(1 / 200), math.sqrt(1 / 300)):
            assert not within(block, wrong)
    assert init.expected_stddev(shape) == pytest.approx(alone, rel=1e-6)
    assert init.fans(shape) == (200.0, 300.0)


def test_grouped_query_blocks_are_unequal():
    """8 query heads and 2 key and value heads: each block has its own fan_out."""
    init = Blocks(glorot.GlorotUniform(layout="torch.linear"), [8, 2, 2])
    assert [b.shape for b in init.blocks((768, 512))] == [(512, 512), (128, 512), (128, 512)]
    w = init((768, 512), **NAMED)
    for block, fan_out in ((w[:512], 512), (w[512:640], 128), (w[640:], 128)):
        assert within(block, math.sqrt(2 / (512 + fan_out)))
        for wrong in (math.sqrt(2 / (512 + 768)), math.sqrt(2 / (512 + 640 - fan_out))):
            assert not within(block, wrong)
    assert init.fans((768, 512)) == (512.0, 512.0)
    assert init.law((768, 512)) is None
    assert init.expected_stddev((768, 512)) == pytest.approx(
        math.sqrt((512 * 2 / 1024 + 256 * 2 / 640) / 768), rel=1e-12
    )


def test_heads_side_by_side():
    """With `repeat`, q, k and v of each head follow one another: the fans are those of all heads,
    and the rows those of each."""
    init = Blocks(
        [glorot.Constant(1), glorot.Constant(2), glorot.Constant(3)], [1, 1, 1], axis=0, repeat=4
    )
    column = init((24, 1))[:, 0].tolist()
    assert column == [1, 1, 2, 2, 3, 3] * 4
    laws = [glorot.GlorotUniform(layout="torch.linear"), "zeros", "zeros"]
    assert Blocks(laws, 3, repeat=4).fans((48, 100)) == (100.0, 16.0)  # not 4, nor 48


def test_stacked_experts_with_gate_and_up():
    """Batch axes stay batch axes inside of blocks: (experts, in, gate and up)."""
    init = Blocks(glorot.HeNormal(layout="BIO"), 2)
    assert init.fans((4, 100, 600)) == (100.0, 300.0)
    w = init((4, 100, 600), **NAMED)
    assert within(w, math.sqrt(2 / 100))
    assert not within(w, math.sqrt(2 / 400))  # experts counted as inputs


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("order", ["stored", "canonical"])
def test_laws_keep_the_index_of_the_whole(dtype, order):
    """A block whose law is the whole's has the whole's bits; another law has the same words, and
    transposed layouts hold transposed values in canonical order."""
    shape, options = (12, 10), {"layout": "torch.linear", "order": order}
    plain = glorot.RandomNormal(stddev=0.5, **options)
    whole = plain(shape, dtype, **NAMED)
    mixed = Blocks([plain, plain.scaled(2.0), plain], [1, 2, 3])(shape, dtype, **NAMED)
    assert (mixed[:2] == whole[:2]).all()
    assert (mixed[2:6] == whole[2:6] * 2).all()  # a power of two is exact
    assert (mixed[6:] == whole[6:]).all()
    assert (Blocks(plain, 3)(shape, dtype, **NAMED) == whole).all()
    turned = glorot.RandomNormal(stddev=0.5, layout="dense", order=order)
    other = Blocks([turned, turned.scaled(2.0), turned], [1, 2, 3])(shape[::-1], dtype, **NAMED)
    assert (mixed == other.T).all() == (order == "canonical")


def test_a_block_that_needs_a_matrix_has_its_own():
    """Each block is orthogonal alone; fused columns are the matrices of a stack of the same name,
    rows too in torch's layout, and a single block is the plain weight."""
    columns = Blocks(glorot.Orthogonal(2.0), 3)((8, 24), "float64", **NAMED)
    stack = glorot.Orthogonal(2.0, batch_axes=0)((3, 8, 8), "float64", **NAMED)
    rows = Blocks(glorot.Orthogonal(2.0, layout="torch.linear"), 3)((24, 8), "float64", **NAMED)
    for i in range(3):
        block = columns[:, 8 * i : 8 * (i + 1)]
        assert np.allclose(block.T @ block, 4 * np.eye(8))
        assert (block == stack[i]).all()
    assert (columns == rows.T).all()
    assert not np.allclose(columns @ columns.T, 4 * np.eye(8))  # one matrix for all would be
    plain = glorot.Orthogonal()((8, 24), **NAMED)
    assert (Blocks(glorot.Orthogonal(), 1)((8, 24), **NAMED) == plain).all()


def test_no_word_serves_two_blocks():
    """Beside blocks that follow a law, a matrix is drawn from indices after the whole weight's."""
    init = Blocks([glorot.Orthogonal(), glorot.RandomNormal(stddev=1.0)], 2)
    w = init((6, 12), "float64", **NAMED)
    after = glorot.RandomNormal(stddev=1.0)((24, 6), "float64", **NAMED)[12:18]
    q, r = np.linalg.qr(after)
    assert (w[:, :6] == q * np.where(np.diagonal(r) < 0, -1.0, 1.0)).all()
    words = glorot.RandomNormal(stddev=1.0)((6, 12), "float64", **NAMED)
    assert (w[:, 6:] == words[:, 6:]).all()


def test_forget_gates():
    """Constants of their own a block, integers too; the stddev is of the whole bias."""
    init = Blocks(["zeros", "ones", "zeros", "zeros"], [1] * 4)
    assert init((8,)).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert init((8,), "int32").dtype == np.int32
    assert not init.random
    assert init.expected_mean((8,)) == 0.25
    assert init.expected_stddev((8,)) == init((8,), "float64").std()
    assert Blocks("zeros", 2).scaled(0.5) == Blocks("zeros", 2)


@st.composite
def fused(draw):
    """(initializer, shape): blocks of any kinds and proportions along any axis."""
    ndim = draw(st.integers(2, 3))
    axis = draw(st.integers(0, ndim - 1))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    repeat = draw(st.integers(1, 3))
    shape = [draw(st.integers(1, 4)) for _ in range(ndim)]
    shape[axis] = sum(sizes) * repeat * draw(st.integers(0, 2))
    kinds = [draw(st.sampled_from(LAWS + OTHERS)) for _ in sizes]
    return Blocks(kinds, sizes, axis=axis, repeat=repeat), tuple(shape)


@pytest.mark.slow
@given(fused(), st.data())
@settings(deadline=None, max_examples=150)
def test_any_part_is_that_part_of_the_whole(case, data):
    """Shards and runs of the flattened weight equal the whole indexed by them."""
    init, shape = case
    whole = init(shape, **NAMED)
    ends = [sorted((data.draw(st.integers(0, n)), data.draw(st.integers(0, n)))) for n in shape]
    shard = tuple(slice(start, stop) for start, stop in ends)
    assert (init(shape, shard=shard, **NAMED) == whole[shard]).all()
    start, stop = sorted(data.draw(st.integers(0, whole.size)) for _ in range(2))
    run = np.empty(stop - start, np.float32)
    init.fill_range(run, shape, start, **NAMED)
    assert (run == whole.reshape(-1)[start:stop]).all()
    out = np.zeros((*shape[:-1], 2 * shape[-1]), np.float32)[..., ::2]
    assert (init(shape, out=out, **NAMED) == whole).all()


@given(fused())
@settings(deadline=None, max_examples=60)
def test_each_block_is_its_initializer_s(case):
    """Constants are themselves; a law is the block's own, at the index of the whole."""
    init, shape = case
    whole = init(shape, "float64", **NAMED)
    starts = np.cumsum([0, *init.sizes])
    unit = shape[init.axis] // init.repeat // sum(init.sizes)
    rows = np.arange(shape[init.axis]) % max(1, shape[init.axis] // init.repeat)
    for number, (alone, block_shape) in enumerate(init.blocks(shape)):
        mine = (rows >= starts[number] * unit) & (rows < starts[number + 1] * unit)
        block = np.compress(mine, whole, init.axis)
        assert block.shape == block_shape
        law = alone.law(block_shape)
        if law is None:
            assert alone.random or (block == alone.value).all()
            continue
        kinds = {"uniform": glorot.RandomUniform(-law.scale, law.scale)}
        kinds["normal"] = glorot.RandomNormal(stddev=law.scale)
        kinds["truncated_normal"] = glorot.TruncatedNormal(stddev=law.scale)
        plain = kinds[law.kind](shape, "float64", **NAMED)
        assert np.allclose(block - law.mean, np.compress(mine, plain, init.axis), 1e-14, 1e-15)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Blocks("zeros", []), ValueError, "`sizes` must hold at least one block"),
        (lambda: Blocks("zeros", 0), ValueError, "`sizes` must be at least 1, got 0"),
        (lambda: Blocks("zeros", [1, -1]), ValueError, "`sizes` must be at least 1, got -1"),
        (lambda: Blocks("zeros", "3"), TypeError, "`sizes` must be a whole number, got '3'"),
        (lambda: Blocks(["zeros"], 2), ValueError, "one for each of the 2 blocks; got 1"),
        (
            lambda: Blocks([len], 1),
            TypeError,
            "must hold initializers, got <built-in function len>",
        ),
        (lambda: Blocks(Blocks("zeros", 2), 2), TypeError, "a block is not cut again"),
        (lambda: Blocks(glorot.HeNormal(seed=1), 2), ValueError, "must have no seed of their own"),
        (lambda: Blocks("zeros", 2, seed=1), ValueError, "`seed`=1 changes nothing"),
        (lambda: Blocks("zeros", 2, axis="x"), TypeError, "`axis` must be an integer, got 'x'"),
        (lambda: Blocks("zeros", 2, axis=True), TypeError, "`axis` must be an integer, got True"),
        (lambda: Blocks("zeros", 2, repeat=0), ValueError, "`repeat` must be at least 1"),
        (lambda: Blocks("he_normal", 2, dtype="int8"), TypeError, "Only floating point"),
        (lambda: Blocks("zeros", 2, stream=2), ValueError, "`stream` must be 1"),
        (
            lambda: Blocks([glorot.HeNormal(), glorot.HeNormal(order="canonical")], 2),
            ValueError,
            "`initializers` must have one `order`",
        ),
        (lambda: Blocks("zeros", 2, axis=1).blocks((4,)), ValueError, "`axis`=1 is outside of"),
        (
            lambda: Blocks("zeros", [4, 1], repeat=2).blocks((4, 12)),
            ValueError,
            "axis 1 of shape (4, 12) cannot be cut in the proportions 4 : 1, 2 times: its size "
            "must be a multiple of 10.",
        ),
        (
            lambda: Blocks(glorot.HeNormal(layout="IOO"), 2).blocks((4, 4, 4)),
            ValueError,
            "`axis` must say which axis of shape (4, 4, 4) is cut",
        ),
        (lambda: Blocks("ones", 2).scaled(0.5), TypeError, "Ones has no spread to scale"),
        (lambda: Blocks("orthogonal", 2, seed=1)((4,)), ValueError, "is no matrix"),
    ],
)
def test_refusals(make, error, text):
    """What cannot be cut says what would do."""
    with pytest.raises(error, match=re.escape(text)):
        make()


@given(st.integers(1, 5000), st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_checkpoints_do_not_depend_on_blocks_of_bytes(tmp_path_factory, block_size, threads):
    """However a checkpoint is cut for writing, fused weights hold what their initializer gives."""
    laws = ["glorot_uniform", glorot.RandomNormal(stddev=0.1)]
    rules = {
        "rows": Blocks(laws, [2, 1], axis=0, repeat=2),
        "columns": Blocks(laws, [1, 3], axis=1),
        "matrix": Blocks(["orthogonal", "zeros", *laws], [1, 1, 1, 1], axis=1),
    }
    recipe = glorot.Recipe([glorot.Rule(name, init) for name, init in rules.items()])
    shapes = {"rows": (24, 7), "columns": (9, 16), "matrix": (12, 20)}
    folder = tmp_path_factory.mktemp("fused")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOROT_THREADS", str(threads))
        glorot.checkpoint.write(shapes, recipe, folder, seed=5, block_size=block_size)
        assert glorot.checkpoint.verify(folder, recipe, 5, block_size=1000).equal
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    for name, init in rules.items():
        assert (tensors[name] == init(shapes[name], seed=5, name=name)).all()


def test_gates_that_the_shapes_say(tmp_path):
    """A rule that does not say how gates are cut has it from the shapes, in the checkpoint too; one
    that says blocks = 1, a constant, and a rule of a sibling's fans do not."""
    fused = {"shape": (8, 32), "layout": "keras.dense", "blocks": "keras.lstm"}
    shapes = {"kernel": fused, "recurrent": fused, "whole": fused, "bias": fused | {"shape": (32,)}}
    cut = {"layout": "keras.dense", "blocks": {"parts": "keras.lstm", "axis": -1}}
    recipe = glorot.Recipe(
        [glorot.Rule("kernel", "glorot_uniform"), glorot.Rule("recurrent", "orthogonal"),
         glorot.Rule("whole", "orthogonal", blocks=1), glorot.Rule("bias", "zeros")]
    )  # fmt: skip
    found = {a.name: a.initializer for a in recipe.resolve(shapes)}
    said = glorot.Recipe(
        [
            glorot.Rule("kernel", "glorot_uniform", **cut),
            glorot.Rule("recurrent", "orthogonal", **cut),
        ]
    )
    wanted = {a.name: a.initializer for a in said.resolve({n: (8, 32) for n in found if n in
                                                           ("kernel", "recurrent")})}  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted
    assert found["whole"] == glorot.Orthogonal(layout="keras.dense")
    assert found["bias"] == glorot.Zeros()
    glorot.checkpoint.write(shapes, recipe, tmp_path / "out", seed=5)
    assert glorot.checkpoint.verify(tmp_path / "out").equal
    assert glorot.checkpoint.verify(tmp_path / "out" / "model.safetensors", recipe, 5).equal
