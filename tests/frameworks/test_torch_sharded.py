# SPDX-License-Identifier: Apache-2.0
"""Sharded modules: on 1, 2, 3 and 4 processes, in every layout, the single process's bytes."""

import functools
import itertools
import re

import numpy as np
import pytest
import torch
import torch_layouts
import torch_world
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.placement_types import _StridedShard

import glorot
import glorot.torch
from glorot.torch import _dtensor

pytestmark = pytest.mark.frameworks

WORLDS = [1, 2, 3, 4]


@functools.cache
def run(world, function):
    """What the ranks return, or the error, once for all tests that look at it."""
    try:
        return torch_world.run(world, function)
    except AssertionError as error:
        return error


def results(world, function):
    """What the ranks return."""
    found = run(world, function)
    if isinstance(found, AssertionError):
        raise found
    return found


@functools.cache
def single():
    """The model in this process: (fingerprint, {name: bytes}, elements)."""
    model = torch_layouts.Model()
    report = glorot.torch.init_(model, torch_layouts.RECIPE, seed=torch_layouts.SEED)
    count = sum(p.count for p in report.parameters)
    return glorot.torch.fingerprint(model), torch_layouts.contents(model), count


def test_the_single_process_is_numpys():
    """What all layouts are compared with is NumPy's."""
    _, contents, count = single()
    total = 0
    shapes = glorot.torch.shapes(torch_layouts.Model())
    for found in torch_layouts.RECIPE.resolve(shapes):
        wanted = found.initializer(found.shape, dtype=found.dtype, seed=42, name=found.name)
        assert contents[found.name] == wanted.tobytes()
        total += wanted.size
    assert count == total
    assert len(contents) == len(shapes) == 11


@pytest.mark.parametrize("world", WORLDS)
def test_every_layout_is_the_single_process(world):
    """FSDP2, HSDP, tensor parallel, their combinations on meshes of 1, 2 and 3 dimensions, DDP:
    filled in place, from the meta device or through a checkpoint, torch gathers the very bytes of
    one process on every rank, and the fingerprint is the same; nothing is communicated."""
    fingerprint, contents, _ = single()
    for found in results(world, torch_layouts.fill_every_layout):
        assert found.keys() == torch_layouts.layouts(world).keys()
        for layout, by_way in found.items():
            assert len(by_way) == (2 if layout == "ddp" else 3)
            for way, (theirs, gathered, _) in by_way.items():
                assert gathered == contents, (layout, way)
                assert theirs == fingerprint, (layout, way)


@pytest.mark.parametrize("world", WORLDS)
def test_each_rank_fills_its_own_part(world):
    """FSDP's ranks fill every element once between them; HSDP's once a replica; DDP's all."""
    _, _, count = single()
    ranks = results(world, torch_layouts.fill_every_layout)
    for layout in ranks[0]:
        times = {"ddp": world, "plain": world}.get(layout, 1)
        if layout.startswith("hsdp ("):
            times = int(layout[6])
        if "tp" in layout:
            continue  # what is not parallelised is filled by each
        for way in ("init_", "materialize"):
            if way in ranks[0][layout]:
                total = sum(found[layout][way][2] for found in ranks)
                assert total == times * count, (layout, way)


@pytest.mark.parametrize(
    "meshes", [(1, [(1,)]), (2, [(2,), (2, 1)]), (3, [(3,)]), (4, [(4,), (2, 2)])]
)
def test_every_placement(meshes):
    """Shard, Replicate and _StridedShard on every axis, even, uneven and empty: the local part is
    the one that torch deals out of the whole."""
    world, shapes = meshes
    for found in torch_world.run(world, torch_layouts.fill_every_placement, shapes):
        assert len(found) > 20
        assert [what for what, equal in found if not equal] == []


def torchs_indices(size, mesh, coordinate, placements):
    """The indices of axis 0 that torch itself gives a rank, without any process."""
    from torch.distributed.tensor._utils import _get_shard_size_and_offsets

    count, indices = size, torch.arange(size)
    for dimension, placement in enumerate(placements):
        if not isinstance(placement, Replicate):
            count, chosen = _get_shard_size_and_offsets(
                count, mesh[dimension], coordinate[dimension], placement, indices, size, False
            )
            indices = chosen if count else indices[:0]
    return indices[:count].tolist()


@pytest.mark.parametrize("mesh", [(2,), (3,), (4,), (2, 2), (3, 2), (2, 2, 2)])
def test_runs_are_torchs_indices(mesh):
    """Of every rank of every mesh, strided and uneven ones that torch cannot distribute included,
    an axis's runs are the indices that torch computes."""
    kinds = [Replicate(), Shard(0), _StridedShard(0, split_factor=2), _StridedShard(0, sf=3)]
    compared = 0
    for placements in itertools.product(kinds, repeat=len(mesh)):
        for coordinate in itertools.product(*map(range, mesh)):
            for size in (1, 2, 5, 7, 9, 12, 17):
                runs = [(0, size)]
                for dimension, placement in enumerate(placements):
                    if not isinstance(placement, Replicate):
                        split = getattr(placement, "split_factor", 1)
                        index = coordinate[dimension]
                        runs = _dtensor.shard_axis(runs, mesh[dimension], index, split)
                found = [i for first, last in runs for i in range(first, last)]
                assert found == torchs_indices(size, mesh, coordinate, placements)
                compared += 1
    assert compared >= 4 * 2 * 7


def test_torch_repeats_shards_and_we_do_not():
    """With one seed on all ranks torch's sharded xavier_uniform_ is one block, repeated; ours is
    the whole weight's rows."""
    ranks = results(2, torch_layouts.torchs_own)
    theirs = [found[0] for found in ranks]
    ours = [found[1] for found in ranks]
    assert (theirs[0] == theirs[1]).all()
    assert theirs[0].std() > 0
    assert not (ours[0] == ours[1]).any()
    init = glorot.GlorotUniform(layout="torch.linear")
    whole = init((8, 6), seed=0, name="w")
    assert (np.concatenate(ours) == whole).all()
    assert all((found[2] == whole).all() for found in ranks)


def test_the_number_of_ranks_changes_torchs_weight_and_not_ours():
    """With one seed, torch's sharded xavier_uniform_ is the plain one on one rank and another
    weight on 2 and on 4, each its first block repeated; ours is one weight."""
    torch.manual_seed(0)
    plain = torch.nn.init.xavier_uniform_(torch.empty(8, 6)).numpy()
    theirs, ours = {}, {}
    for world in (1, 2, 4):
        ranks = results(world, torch_layouts.torchs_own)
        theirs[world] = np.concatenate([found[0] for found in ranks])
        ours[world] = np.concatenate([found[1] for found in ranks])
    assert (theirs[1] == plain).all()
    for world in (2, 4):
        assert (theirs[world] == np.tile(plain[: 8 // world], (world, 1))).all()
        assert (theirs[world] != plain).any()
    assert (theirs[2] != theirs[4]).any()
    assert ours[1].tobytes() == ours[2].tobytes() == ours[4].tobytes()


def test_every_verb_on_a_sharded_weight():
    """All verbs, those included that torch leaves at zero or fails at when sharded (dirac_, eye_,
    sparse_, a wide orthogonal_), give the single tensor's values on 3 ranks."""
    for found in torch_world.run(3, torch_layouts.verbs):
        assert len(found) == 28
        for (verb, axis), whole in found.items():
            shape = (6, 3, 3) if verb == "dirac_" else (7, 5)
            options = {"sparse_": {"sparsity": 0.5}, "constant_": {"val": 2.0}}.get(verb, {})
            wanted = torch.full(shape, 7.0)
            getattr(glorot.torch, verb)(wanted, **options, seed=torch_layouts.SEED, name="w")
            assert (whole == wanted.numpy()).all(), (verb, axis)


REFUSED = {
    "partial": "ValueError: `tensor` is a DTensor of placements .*a Partial one each rank holds",
    "partial module": "ValueError: the parameter 'b' is a DTensor of placements",
    "uneven local": r"ValueError: .*at \(0,\), should hold \(6, 6\); it holds \(4, 6\)",
    "shard of a DTensor": "TypeError: `tensor` is a DTensor, which knows its part. Leave `shard`",
    "seeds": r"ValueError: the processes disagree on the seed: 0 on rank 0; 1 on rank 1\. Give",
    "recipes": "ValueError: the processes disagree on the recipe: .* on rank 0; .* on rank 1",
    "modules": "ValueError: the processes disagree on the names, shapes and dtypes of the model",
    "strided load": "is 2 blocks of the whole; torch.distributed.checkpoint reads it as one",
    "replicas": r"ValueError: two replicas of 'a' differ in Shard\(start=\(0,\), stop=\(3,\)\)",
    "agreed": "returned None",
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    """Every rank says the same, and what to do; nothing is written."""
    ranks = results(2, torch_layouts.refusals)
    assert ranks[0].keys() == REFUSED.keys()
    text = ranks[0][case]
    assert re.search(REFUSED[case], text), text
    if case != "uneven local":  # which says where the rank is
        assert ranks[1][case] == text


def test_local_parts_that_say_where_they_lie():
    """What a local tensor says itself of its place counts; more than one chunk is refused."""
    for found, wanted, error in torch_world.run(2, torch_layouts.chunks_of_its_own):
        assert (found == wanted).all()
        assert "only one chunk of that shape is known" in error


def test_a_module_that_has_run():
    """After a forward pass that left parameters gathered, the shards are filled all the same."""
    for found, plain in torch_world.run(2, torch_layouts.after_a_step):
        assert found == plain


def test_fsdp_of_an_empty_part():
    """A part without elements is filled, though FSDP gives it no size on any axis."""
    values = torch_layouts.NORMAL((11, 6), seed=torch_layouts.SEED, name="0.weight")
    wanted = glorot.fingerprint({"0.weight": values})
    ranks = torch_world.run(4, torch_layouts.empty_columns)
    for way in ("init_", "materialize", "load"):
        assert [found[way][0] for found in ranks] == [(11, 2)] * 3 + [(0, 0)]
        assert [found[way][1] for found in ranks] == [wanted] * 4


def test_fsdp1():
    """FSDP 1's flat pieces are refused; under summon_full_params they are whole and are filled."""
    plain = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Linear(7, 5))
    glorot.torch.init_(plain, torch_layouts.NORMAL, seed=torch_layouts.SEED)
    wanted = glorot.torch.fingerprint(plain)
    for found in torch_world.run(2, torch_layouts.fsdp1):
        for refusal, *fingerprints in (found[:3], found[3:]):
            assert re.search(r"\(FSDP 1\), whose parameters are flat pieces .*summon", refusal)
            assert fingerprints == [wanted] * 2


def test_saved_by_three_and_loaded_by_one(tmp_path):
    """A checkpoint that three ranks save of their shards is, loaded whole, the single model."""
    import torch.distributed.checkpoint as dcp

    torch_world.run(3, torch_layouts.resave, str(tmp_path / "saved"))
    model = torch_layouts.Model()
    with pytest.warns(UserWarning, match="assuming the intent is to load in a single process"):
        dcp.load({"model": model.state_dict()}, checkpoint_id=tmp_path / "saved")
    assert torch_layouts.contents(model) == single()[1]
