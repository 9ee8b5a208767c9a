# SPDX-License-Identifier: Apache-2.0
"""Verifying directories that torch.distributed.checkpoint writes, and those written for it."""

import dcp_ranks
import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
import torch_world
from cli_cases import invoke
from dcp_cases import RECIPE, SHAPES, SHARDED

from glorot import Recipe, Rule
from glorot._dtypes import ALL
from glorot.checkpoint import verify, write
from glorot.torch._memory import DTYPES

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning"),
]


def model(shapes=SHAPES, dtype=None):
    """The recipe's values as tensors of torch."""
    found = {}
    for a in RECIPE.resolve(shapes, dtype=dtype):
        values = a.initializer(a.shape, a.dtype, seed=42, name=a.name)
        small = {1: np.uint8, 2: np.int16}.get(values.dtype.itemsize)
        tensor = torch.from_numpy(values.view(small) if small else values)
        found[a.name] = tensor.view(getattr(torch, str(values.dtype)))
    return found


def poke(path, at):
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_what_glorot_writes(tmp_path, options, dtype):
    """It is equal, with the recipe and seed that are given and with those of the manifest; a byte
    of any part of any file that differs is found by the manifest, one of a value also without."""
    write(SHAPES, RECIPE, tmp_path, seed=42, dtype=dtype, format="dcp", **options)
    assert verify(tmp_path, RECIPE, 42).equal
    report = verify(tmp_path)
    assert report.equal
    note = verify(tmp_path, RECIPE, 43).note
    assert note.endswith("; it says that it was written with seed 42, not 43")
    assert {check.name for check in report.files} == {
        path.name for path in tmp_path.iterdir() if path.name != "glorot.json"
    }
    path = tmp_path / "__0_0.distcp"
    size = path.stat().st_size
    poke(path, size - 22)  # where the last archive's end is marked
    with pytest.raises(ValueError, match="hold no tensor that torch saved"):
        verify(tmp_path)
    poke(path, size - 22)
    for at in (3000, size - 1):  # what pads an archive, and the length of its comment
        poke(path, at)
        assert verify(tmp_path, RECIPE, 42).equal
        (check,) = [file for file in verify(tmp_path).files if file.status != "equal"]
        assert (check.name, check.status) == ("__0_0.distcp", "checksum")
        poke(path, at)
    poke(path, 4096 + 10 * ALL[dtype].itemsize)
    (check,) = verify(tmp_path, RECIPE, 42).problems
    assert (check.index, check.differing) == ((0, 10), 1)


@pytest.mark.parametrize("key", ["", "model"])
def test_what_torch_writes(tmp_path, key):
    """All of a state dict, alone or under a key beside other things, in any order of memory."""
    state = model()
    state["0.weight"] = state["0.weight"].t().contiguous().t()
    state["cube"] = state["cube"].permute(2, 0, 3, 1).contiguous().permute(1, 3, 0, 2)
    saved = {key: state, "step": 3} if key else state
    dcp.save(saved, checkpoint_id=tmp_path, no_dist=True)
    report = verify(tmp_path, RECIPE, 42, block_size=700)
    assert report.equal, report.problems
    assert {check.name for check in report.tensors} == set(SHAPES)
    assert ("names are those in 'model'" in report.note) == bool(key)
    state["cube"][1, 0, 3, 1] = state["cube"][1, 0, 2, 3] = 7
    state["0.weight"][4, 3] = state["0.weight"][3, 4] = 8
    dcp.save(saved, checkpoint_id=tmp_path / "changed", no_dist=True)
    found = {c.name: c for c in verify(tmp_path / "changed", RECIPE, 42).problems}
    assert {n: (c.index, c.found, c.differing) for n, c in found.items()} == {
        "cube": ((1, 0, 2, 3), 7.0, 2), "0.weight": ((3, 4), 8.0, 2)
    }  # fmt: skip


@pytest.mark.parametrize("dtype", [str(dtype).removeprefix("torch.") for dtype in DTYPES])
def test_every_dtype(tmp_path, dtype):
    """Also those that torch stores without a class of their own."""
    recipe = Recipe([Rule("*", "zeros")])
    kind = getattr(torch, dtype)
    state = {"w": torch.zeros(3, 5).to(kind), "s": torch.zeros(()).to(kind)}
    dcp.save(state, checkpoint_id=tmp_path, no_dist=True)
    shapes = {name: {"shape": tuple(t.shape), "dtype": dtype} for name, t in state.items()}
    report = verify(tmp_path, recipe, 1, shapes=shapes)
    assert report.equal, report.problems
    state["w"] = torch.ones(3, 5).to(kind)
    dcp.save(state, checkpoint_id=tmp_path / "changed", no_dist=True)
    (check,) = verify(tmp_path / "changed", recipe, 1).problems
    assert (check.name, check.status, check.index) == ("w", "trained", (0, 0))


def test_an_optimizer_is_left_out(tmp_path):
    """Its tensors are no parameters; the report says how many there were."""
    linear = torch.nn.Linear(5, 3)
    optimizer = torch.optim.Adam(linear.parameters())
    linear(torch.zeros(1, 5)).sum().backward()
    optimizer.step()
    shapes = {name: tuple(value.shape) for name, value in linear.named_parameters()}
    recipe = Recipe([Rule("bias", "zeros"), Rule("*", "he_normal")])
    with torch.no_grad():
        for a in recipe.resolve(shapes):
            values = a.initializer(a.shape, seed=42, name=a.name)
            linear.get_parameter(a.name).copy_(torch.from_numpy(values))
    state = {"model": linear.state_dict(), "optim": optimizer.state_dict()}
    dcp.save(state, checkpoint_id=tmp_path, no_dist=True)
    report = verify(tmp_path, recipe, 42)
    assert report.equal
    assert "left out: 6 tensors of the optimizer 'optim'" in report.note


def test_what_ranks_write(tmp_path):
    """Four processes that hold rows, columns, both, or rows of rows of uneven tensors: each piece
    is compared where it lies, and a byte in any rank's file is named by its place in the whole."""
    shapes = {f"{i}.{way}": (5 + 4 * i, 7 + 3 * i) for i in range(2)
              for way in ("rows", "columns", "both", "twice", "whole")}  # fmt: skip
    recipe = Recipe([Rule("*", "he_normal", layout="torch.linear")])
    folder = tmp_path / "dcp"
    torch_world.run(4, dcp_ranks.save, str(folder), shapes, recipe.to_json(), 42)
    files = sorted(folder.glob("*.distcp"))
    assert len(files) == 4
    report = verify(folder, recipe, 42, block_size=100)
    assert report.equal, report.problems
    assert {check.name for check in report.tensors} == set(shapes)
    assert {c.status for c in verify(folder, recipe, 43).tensors} == {"trained"}
    for file in files:
        whole = np.concatenate([
            a.initializer(a.shape, seed=42, name=a.name).ravel() for a in recipe.resolve(shapes)
        ])  # fmt: skip
        data = bytearray(file.read_bytes())
        at = next(i for v in whole if (i := data.find(v.tobytes())) >= 0)
        data[at] ^= 1
        file.write_bytes(data)
    found = verify(folder, recipe, 42).problems
    assert sum(check.differing for check in found) == 4
    for check in found:
        right = recipe.resolve(shapes)
        init = next(a for a in right if a.name == check.name).initializer
        assert check.expected == float(
            init(shapes[check.name], seed=42, name=check.name)[check.index]
        )
    files[3].unlink()
    lost = {c.name for c in verify(folder, recipe, 42).problems if c.status == "missing"}
    assert {"0.both", "1.twice"} <= lost < set(shapes)


def test_what_layers_are_is_in_the_manifest(tmp_path):
    """A directory of torch's says no types and no axes: the manifest does, so that it verifies by
    what stands there; sharded too, and by another recipe as before."""
    shapes = {
        "up.weight": {"shape": (96, 32), "type": "Linear", "layout": "torch.linear"},
        "up.bias": {"shape": (96,), "type": "Linear"},
        "mask": {"shape": (3,), "dtype": "bool"},
    }
    rules = [
        Rule("mask", None),
        Rule("*.weight", "he_normal", where={"type": "Linear"}),
        Rule("*.bias", "lecun_uniform", fans_of="weight"),
    ]
    recipe = Recipe(rules)
    write(shapes, recipe, tmp_path, seed=1, format="dcp", max_shard_size=9000)
    for arguments in ((), (recipe, 1)):
        assert verify(tmp_path, *arguments).equal
    assert {c.status for c in verify(tmp_path, recipe, 2).problems} == {"trained"}
    other = Recipe([Rule("*", "he_normal")])
    assert not verify(tmp_path, other, 1).equal


def test_a_dcp_directory_is_held_to_its_own_recipe(tmp_path):
    """By what the manifest says of its layers, which the directory does not; `explain` goes by what
    stands there, and says that it takes no recipe from it."""
    shapes = {"up.weight": {"shape": (96, 64), "type": "Linear", "layout": "torch.linear"}}
    recipe = Recipe([Rule("*", "lecun_normal", where={"type": "Linear"})])
    write(shapes, recipe, tmp_path, seed=1, format="dcp")
    found = invoke("inspect", tmp_path)
    assert found.exit_code == 0, found.output
    assert f"recipe {recipe.fingerprint[:8]}" in found.stdout
    assert "nothing wrong" in found.stdout
    (tmp_path / "recipe.json").write_text(recipe.to_json())
    given = invoke("inspect", tmp_path, "--recipe", tmp_path / "recipe.json", "--seed", 1)
    assert (given.exit_code, given.stderr) == (0, "")
    refused = invoke("explain", tmp_path)
    assert refused.exit_code == 1
    assert "glorot.json is not taken" in refused.stderr
