# SPDX-License-Identifier: Apache-2.0
"""Directories for torch.distributed.checkpoint: torch loads what is written without it."""

import io
import json
import pickle
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
import zlib

import dcp_ranks
import pytest
import safetensors.torch
import torch
import torch.distributed.checkpoint as dcp
import torch_world
from checkpoint_cases import contents
from cli_cases import invoke
from dcp_cases import RECIPE, SHAPES, SHARDED
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import _dcp, _share, plan, read_shapes, verify, write
from glorot.recipe import TensorSpec

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning"),
]
KINDS = sorted(_dcp.STORAGES)


def load(folder, shapes, dtype=torch.float32):
    """What `dcp.load` reads of tensors of these shapes."""
    state = {name: torch.full(shape, 7).to(dtype) for name, shape in shapes.items()}
    dcp.load(state, checkpoint_id=folder, no_dist=True)
    return state


@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_torch_loads_it(tmp_path, options, dtype):
    """Every tensor that `dcp.load` reads is, to the byte, that of the safetensors file."""
    report = write(SHAPES, RECIPE, tmp_path / "dcp", seed=42, dtype=dtype, format="dcp", **options)
    write(SHAPES, RECIPE, tmp_path / "st", seed=42, dtype=dtype)
    expected = safetensors.torch.load_file(tmp_path / "st" / "model.safetensors")
    found = load(tmp_path / "dcp", SHAPES, getattr(torch, dtype))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
    assert bool(options) == (len(report.files) > 1)
    files = set(contents(tmp_path / "dcp"))
    assert files == {*report.files, ".metadata", "glorot.json"}
    assert all(name == f"__0_{i}.distcp" for i, name in enumerate(report.files))


def test_torch_turns_it_into_its_own(tmp_path):
    """torch's own converter, which knows nothing of the model, reads all names and values."""
    write(SHAPES, RECIPE, tmp_path / "dcp", seed=42, format="dcp", **SHARDED)
    dcp_to_torch_save(tmp_path / "dcp", tmp_path / "model.pt")
    found = torch.load(tmp_path / "model.pt", weights_only=True)
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == SHAPES
    expected = load(tmp_path / "dcp", SHAPES)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_sharded_ranks_load_it(tmp_path):
    """Two processes that each hold a part of every tensor load their rows of it."""
    shapes = {name: shape for name, shape in SHAPES.items() if name.endswith("weight")}
    recipe = Recipe([Rule("*", "he_normal")])
    options = {"seed": 42, "dtype": "bfloat16", **SHARDED}
    write(shapes, recipe, tmp_path / "dcp", format="dcp", **options)
    found = torch_world.run(2, dcp_ranks.load, str(tmp_path / "dcp"), shapes)
    for name, shape in shapes.items():
        whole = glorot.HeNormal()(shape, "bfloat16", seed=42, name=name)
        assert b"".join(part[name] for part in found) == whole.tobytes()


def test_a_model(tmp_path):
    """A module's state dict, its tied head once: what the module then computes with."""
    body = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Linear(8, 8))
    shapes = {name: tuple(tensor.shape) for name, tensor in body.state_dict().items()}
    recipe = Recipe([Rule("*.bias", "zeros"), Rule("*", "he_normal")])
    write(shapes, recipe, tmp_path, seed=1, format="dcp")
    state = body.state_dict()
    dcp.load(state, checkpoint_id=tmp_path, no_dist=True)
    expected = glorot.HeNormal()((50, 8), seed=1, name="0.weight")
    assert torch.equal(body[0].weight, torch.from_numpy(expected))
    assert not body[1].bias.any()
    tied = torch.nn.Linear(8, 50, bias=False)
    tied.weight = body[0].weight
    model = torch.nn.Sequential(*body, tied)
    dcp.load({n: t for n, t in model.state_dict().items() if n in shapes}, checkpoint_id=tmp_path,
             no_dist=True)  # fmt: skip
    assert torch.equal(model[2].weight, torch.from_numpy(expected))
    assert sum(len(f.read_bytes()) for f in tmp_path.glob("*.distcp")) < 2 * 50 * 8 * 4 + 3 * 5000


@pytest.mark.parametrize("kind", KINDS)
def test_items_are_what_torch_saves(tmp_path, kind):
    """Of every dtype: an archive that torch and any reader of zip files opens, with right CRCs, its
    tensor as contiguous as the one that torch saves, its values on a page."""
    dtype = getattr(torch, kind)
    for shape in ((), (3,), (2, 3), (0, 4), (2, 0), (1, 1, 300), (70_000,)):
        entry_of = _dcp.items({"w": TensorSpec(shape, kind)})["w"]
        tensor = torch.arange(max(1, torch.Size(shape).numel())).to(dtype)
        tensor = tensor[: torch.Size(shape).numel()].reshape(shape)
        data = tensor.contiguous().view(torch.uint8).numpy().tobytes() if shape else (
            tensor.reshape(1).view(torch.uint8).numpy().tobytes()
        )  # fmt: skip
        archive = entry_of.head + data + entry_of.tail(zlib.crc32(data))
        assert entry_of.entry.offset == len(entry_of.head) == 4096
        assert entry_of.stop == len(archive)
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            assert file.testzip() is None
            assert file.read("archive/data/0") == data
            theirs = io.BytesIO()
            torch.save(tensor.clone(), theirs)
            theirs = zipfile.ZipFile(theirs)
            for name in ("archive/version", "archive/byteorder"):
                assert file.read(name) == theirs.read(name)
        found = torch.load(io.BytesIO(archive), weights_only=True)
        assert found.dtype == dtype
        assert found.shape == tensor.shape
        assert torch.equal(found, tensor)
        reference = io.BytesIO()
        torch.save(tensor.clone(), reference)
        reference.seek(0)
        assert found.stride() == torch.load(reference, weights_only=True).stride()


def test_an_archive_of_more_than_4_gib():
    """Sizes that need 64 bits: a reader of zip files finds the directory and the record."""
    item = _dcp.items({"w": TensorSpec((5 * 2**28,), "float32")})["w"]

    class Sparse(io.RawIOBase):
        """The archive without its values in memory."""

        at = 0

        def readable(self):
            return True

        def seekable(self):
            return True

        def seek(self, offset, whence=0):
            self.at = offset + (0, self.at, item.stop)[whence]
            return self.at

        def tell(self):
            return self.at

        def readinto(self, buffer):
            found = bytearray()
            tail = item.stop - len(item.tail(5))
            while len(found) < len(buffer) and self.at + len(found) < item.stop:
                at = self.at + len(found)
                if at < len(item.head):
                    found += item.head[at:]
                elif at < tail:
                    found += bytes(min(tail - at, len(buffer) - len(found)))
                else:
                    found += item.tail(5)[at - tail :]
            found = found[: len(buffer)]
            buffer[: len(found)] = found
            self.at += len(found)
            return len(found)

    with zipfile.ZipFile(Sparse()) as file:
        info = file.getinfo("archive/data/0")
        assert (info.file_size, info.CRC) == (5 * 2**30, 5)
        with file.open(info) as record:
            assert record.read(10) == bytes(10)
        assert file.read("archive/version") == b"3\n"


@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("after", [0.0, 0.5, 0.99])
def test_cut_off_then_resume(tmp_path, options, after):
    """The same bytes after a write that was cut off, and on any threads and blocks."""
    write(SHAPES, RECIPE, tmp_path / "calm", seed=42, format="dcp", **options)

    def stop(done, total):
        if done > after * total:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    for size in (512, 700):
        with pytest.raises(KeyboardInterrupt):
            write(SHAPES, RECIPE, out, seed=42, format="dcp", block_size=size, resume=True,
                  progress=stop, **options)  # fmt: skip
        assert all(name.endswith(".partial") for name in contents(out))
    write(SHAPES, RECIPE, out, seed=42, format="dcp", resume=True, **options)
    assert contents(out) == contents(tmp_path / "calm")
    report = write(SHAPES, RECIPE, out, seed=42, format="dcp", resume=True, **options)
    assert report.written == 0
    assert contents(out) == contents(tmp_path / "calm")


@pytest.mark.parametrize("size", [2, 5])
def test_ranks(tmp_path, monkeypatch, size):
    """Ranks write whole files each, the same bytes together."""
    monkeypatch.setattr(_share, "PAGE", 512)
    write(SHAPES, RECIPE, tmp_path / "alone", seed=42, format="dcp", **SHARDED)
    for rank in reversed(range(size)):
        report = write(SHAPES, RECIPE, tmp_path / "out", seed=42, format="dcp", rank=rank,
                       world_size=size, **SHARDED)  # fmt: skip
    assert report.complete
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_one_format_replaces_the_other(tmp_path):
    """`force` leaves nothing of the other format, and each is refused where the other is."""
    ways = [{}, {"format": "dcp"}, {"format": "dcp", **SHARDED}, SHARDED, {"format": "dcp"}]
    fresh = []
    for number, options in enumerate(ways):
        write(SHAPES, RECIPE, tmp_path / str(number), seed=42, **options)
        fresh.append(contents(tmp_path / str(number)))
    out = tmp_path / "out"
    for number, options in enumerate(ways):
        if number:
            for asked in ({}, {"resume": True}):
                with pytest.raises(FileExistsError, match=r"--force"):
                    write(SHAPES, RECIPE, out, seed=42, **options, **asked)
            assert contents(out) == fresh[number - 1]
        write(SHAPES, RECIPE, out, seed=42, force=True, **options)
        assert contents(out) == fresh[number]


def test_resume_never_changes_a_finished_one(tmp_path):
    """A byte of a tensor, of an archive or of the metadata that differs is refused and kept."""
    write(SHAPES, RECIPE, tmp_path / "a", seed=42, format="dcp")
    size = (tmp_path / "a" / "__0_0.distcp").stat().st_size
    for name, at in (("__0_0.distcp", 5000), ("__0_0.distcp", 3), ("__0_0.distcp", size - 1),
                     (".metadata", 200)):  # fmt: skip
        folder = shutil.copytree(tmp_path / "a", tmp_path / f"{name}.{at}")
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1
        (folder / name).write_bytes(data)
        before = contents(folder)
        with pytest.raises(FileExistsError, match=r"--force"):
            write(SHAPES, RECIPE, folder, seed=42, format="dcp", resume=True)
        after = contents(folder)
        assert {n: d for n, d in after.items() if not n.endswith(".partial")} == before


@pytest.mark.parametrize("rows", [2048, 8192])
def test_memory_is_threads_times_block(tmp_path, monkeypatch, rows):
    """Of 16 MB and of 64 the same: the blocks in work, those that wait for the disk among them, and
    no tensor, which torch's own writer holds."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    block, recipe = 1 << 20, Recipe([Rule("*", "he_normal")])
    write({"w": (2,)}, recipe, tmp_path / "first", seed=1, format="dcp")  # imports what it needs
    tracemalloc.start()
    shapes = {"a": (rows, 1024), "b": (1024, rows)}
    write(shapes, recipe, tmp_path / "out", seed=1, format="dcp", block_size=block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert block < peak < 12 * block


def test_the_same_every_time(tmp_path):
    """Two processes write the same bytes, torch's pickle among them."""
    code = (
        "import glorot, sys; from glorot import Recipe, Rule; glorot.checkpoint.write("
        "{'b': (3,), 'a': (4, 5)}, Recipe([Rule('*', 'ones')]), sys.argv[1], seed=1, format='dcp')"
    )
    for seed in "12":
        subprocess.run([sys.executable, "-c", code, tmp_path / seed], check=True,
                       env={"PYTHONHASHSEED": seed})  # fmt: skip
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_the_plan_and_the_command(tmp_path):
    """--format reaches the library, --dry-run tells the files, and `verify` reads what it wrote."""
    planned = plan(SHAPES, RECIPE, tmp_path / "out", seed=1, format="dcp")
    (tmp_path / "shapes.json").write_text(json.dumps({n: {"shape": s} for n, s in SHAPES.items()}))
    (tmp_path / "recipe.json").write_text(RECIPE.to_json())
    line = ["init", tmp_path / "shapes.json", "--recipe", tmp_path / "recipe.json", "--seed", "1"]
    line = [*map(str, line), "--out", str(tmp_path / "out"), "--format"]
    assert "__0_0.distcp" in invoke(*line, "dcp", "--dry-run").stdout
    result = invoke(*line, "dcp")
    assert result.exit_code == 0, result.stderr
    (file,) = planned.files
    assert (tmp_path / "out" / file.name).stat().st_size == file.nbytes
    assert verify(tmp_path / "out").equal
    with pytest.raises(ValueError, match=r"is a directory of torch.distributed.checkpoint"):
        read_shapes(tmp_path / "out")
    result = invoke(*line, "pickle")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "`format` must be one of safetensors, dcp; got 'pickle'" in result.stderr


def test_what_is_refused(tmp_path, monkeypatch):
    """A dtype without a storage, sizes beyond 64 bits, no torch: before anything is written."""
    ones = Recipe([Rule("*", "ones")])
    for shapes, text in (
        ({"w": {"shape": [2], "dtype": "uint16"}}, r"'w' has the dtype uint16, .* dcp does not t"),
        ({"w": {"shape": [2], "dtype": "float8_e5m2"}}, r"it takes float64, float32, "),
        ({"w": (2**60,), "v": (2**60,)}, r"'v' of shape .* ends at or after byte 2\*\*63"),
    ):
        with pytest.raises(ValueError, match=text):
            write(shapes, ones, tmp_path / "out", seed=1, format="dcp")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match=r"needs torch, .* pip install 'glorot\[torch\]'"):
        write({"w": (2,)}, ones, tmp_path / "out", seed=1, format="dcp")
    assert list(tmp_path.iterdir()) == []


def test_the_metadata_is_torch_s(tmp_path):
    """Of the same state dict, torch's own writer leaves equal metadata but for where items are."""
    shapes = {"a.weight": (4, 5), "b": (3,)}
    write(shapes, Recipe([Rule("*", "ones")]), tmp_path / "ours", seed=1, format="dcp")
    dcp.save(load(tmp_path / "ours", shapes), checkpoint_id=tmp_path / "theirs", no_dist=True)
    ours, theirs = (
        pickle.loads((tmp_path / who / ".metadata").read_bytes()) for who in ("ours", "theirs")
    )
    assert ours.state_dict_metadata == theirs.state_dict_metadata
    assert ours.planner_data == theirs.planner_data
    assert ours.version == theirs.version
    assert ours.storage_data.keys() == theirs.storage_data.keys()
