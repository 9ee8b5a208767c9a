# SPDX-License-Identifier: Apache-2.0
"""Verifying directories of torch.distributed.checkpoint, without torch: what differs, is missing or
cut off, and metadata and archives that are not to be trusted. tests/frameworks/test_dcp_verify.py
does it to what torch writes."""

import io
import itertools
import json
import math
import pickle
import runpy
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import glorot
from glorot import Recipe, Rule
from glorot._shard import boxes
from glorot._tiling import tiled
from glorot.checkpoint import _box, _dcp, _dcp_item, _dcp_metadata, verify
from glorot.cli._app import app
from glorot.recipe import TensorSpec

FOLDERS = runpy.run_path(str(Path(__file__).with_name("dcp_folders.py")))
RECIPE, SHAPES = FOLDERS["RECIPE"], FOLDERS["SHAPES"]
metadata, save = FOLDERS["metadata"], FOLDERS["save"]
Evil, named, plain = FOLDERS["Evil"], FOLDERS["named"], FOLDERS["plain"]
record, size = FOLDERS["record"], FOLDERS["size"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A directory of 3 files, tensors in up to 8 pieces each, and where these are; not to be
    changed."""
    folder = tmp_path_factory.mktemp("written") / "dcp"
    return folder, save(folder, parts=2)


@pytest.fixture
def copy(written, tmp_path):
    """A copy of it."""
    return shutil.copytree(written[0], tmp_path / "copy")


def offset(folder, piece):
    """Where the values of a piece begin in its file."""
    path = folder / piece[3]
    with path.open("rb") as file:
        return _dcp_item.read(file, path, *piece[4:]).offset


def problem(folder, **options):
    """The one thing that is wrong."""
    report = verify(folder, RECIPE, 42, **options)
    assert not report.equal
    (check,) = report.problems
    return check


def test_a_whole_in_another_order_is_not_the_whole_as_it_is():
    """A box of the tensor's shape is all of it in its order only where its axes are."""
    assert _box.Box((0, 0), (3, 3), (0, 1)).whole((3, 3))
    assert not _box.Box((0, 0), (3, 3), (1, 0)).whole((3, 3))
    assert not _box.Box((0, 0), (2, 3), (0, 1)).whole((3, 3))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_equal(tmp_path, parts):
    """Whole or in pieces over any axes, each tensor is compared and equal; of another seed those
    that draw are not. Shapes that are given are held to."""
    save(tmp_path / "dcp", parts=parts)
    for path in (tmp_path / "dcp", tmp_path / "dcp" / ".metadata"):
        report = verify(path, RECIPE, 42, block_size=1000)
        assert report.equal, report.problems
        assert {check.name for check in report.tensors} == set(SHAPES)
        assert report.parameters == sum(int(np.prod(shape)) for shape in SHAPES.values())
        assert "checked only the 7 tensors there; give --shapes" in report.note
    assert verify(tmp_path / "dcp", RECIPE, 42, shapes=SHAPES).note == ""
    other = verify(tmp_path / "dcp", RECIPE, 43)
    assert {check.name for check in other.problems} == {"a", "o.w", "scalar", "cube", "c"}
    assert {check.status for check in other.problems} == {"trained"}


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_one_bit_is_found(written, tmp_path_factory, data):
    """One flipped bit of any value of any piece: its tensor, its index in the whole, both
    values."""
    source, pieces = written
    folder = shutil.copytree(source, tmp_path_factory.mktemp("poke") / "copy")
    piece = data.draw(st.sampled_from([p for p in pieces if np.prod(p[2]) and p[0] != "o.w"]))
    name, begin, extent, file = piece[:4]
    at = data.draw(st.integers(0, int(np.prod(extent)) - 1))
    where = offset(folder, piece) + 4 * at
    content = bytearray((folder / file).read_bytes())
    content[where] ^= 1
    (folder / file).write_bytes(content)
    check = problem(folder, block_size=data.draw(st.integers(300, 5000)))
    index = tuple(i + j for i, j in zip(begin, np.unravel_index(at, extent), strict=True))
    assert (check.name, check.index, check.differing) == (name, index, 1)
    assert check.found == float(np.frombuffer(content[where : where + 4], np.float32)[0])
    init = {a.name: a.initializer for a in RECIPE.resolve(SHAPES)}[name]
    assert check.expected == float(init(SHAPES[name], seed=42, name=name)[index])


def test_the_first_of_all_pieces_is_named(written, copy):
    """Whichever file it is in: the smallest index of the tensor."""
    pieces = [piece for piece in written[1] if piece[0] == "a"]
    for piece in reversed(pieces[1:]):
        content = bytearray((copy / piece[3]).read_bytes())
        content[offset(copy, piece)] ^= 1
        (copy / piece[3]).write_bytes(content)
    check = problem(copy)
    assert (check.index, check.differing) == ((0, 15), 3)


def test_truncated_and_missing_files(written, copy):
    """A file that is cut short: what it lacks of which tensors; one that is not there: those it
    held. All others are compared as ever."""
    path = copy / "__1_0.distcp"
    inside = [piece for piece in written[1] if piece[3] == path.name]
    keep = inside[len(inside) // 2][4] + 10
    full = path.read_bytes()
    path.write_bytes(full[:keep])
    checks = {check.name: check for check in verify(copy, RECIPE, 42).tensors}
    cut = {piece[0] for piece in inside if piece[4] + piece[5] > keep}
    assert {name for name, check in checks.items() if check.status == "truncated"} == cut
    assert {check.status for name, check in checks.items() if name not in cut} == {"equal"}
    lacking = sum(p[4] + p[5] - keep for p in inside if p[0] == "c" and p[4] + p[5] > keep)
    assert f"the file lacks its last {lacking} bytes" in checks["c"].note
    for name in cut:  # the elements of a piece that is cut count once
        gone = [p[2] for p in inside if p[0] == name and p[4] + p[5] > keep]
        assert checks[name].differing == sum(map(math.prod, gone))
    path.write_bytes(b"")
    report = verify(copy, RECIPE, 42)
    assert {c.name for c in report.problems} == {piece[0] for piece in inside}
    path.unlink()
    report = verify(copy, RECIPE, 42)
    assert {(c.name, c.status, c.note) for c in report.problems} == {
        (piece[0], "missing", ".metadata puts it in __1_0.distcp") for piece in inside
    }
    for file in copy.glob("*.distcp"):
        file.unlink()
    assert verify(copy, RECIPE, 42).note == "it holds no tensors"


def test_missing_extra_shape_and_dtype(copy):
    """Against shapes and a dtype that are given, as of safetensors."""
    shapes = {**SHAPES, "more": (3,), "cube": (6, 4, 5)}
    del shapes["none"]
    report = verify(copy, RECIPE, 42, shapes=shapes)
    assert {c.name: (c.status, c.note) for c in report.problems} == {
        "more": ("missing", "`shapes` names it"),
        "none": ("extra", "`shapes` does not name it"),
        "cube": ("shape", "shape (4, 6, 5), not (6, 4, 5)"),
    }
    report = verify(copy, RECIPE, 42, dtype="bfloat16")
    assert {c.status for c in report.problems} == {"dtype"}
    fewer = Recipe([Rule("[abc]*", "zeros"), Rule("o*", "ones"), Rule("x", "ones")])
    checks = {c.name: c.note for c in verify(copy, fewer, 42).problems}
    assert checks["scalar"] == checks["none"] == "no rule matches it"
    assert checks["x"] == "the rule with this pattern finds no tensor"


W = {"w": (4, 5)}
ALL = ("w", (0, 0), (4, 5), "f.distcp", 0)
ITEM = _dcp.items({"w": TensorSpec((4, 5), "float32")})["w"]
DATA = np.zeros((4, 5), np.float32).tobytes()
ARCHIVE = ITEM.head + DATA + ITEM.tail(zlib.crc32(DATA))
FULL = (*ALL, len(ARCHIVE))


def refused(folder, said, archive=ARCHIVE):
    """The one line of the command about a directory of this .metadata and one file."""
    folder.mkdir(exist_ok=True)
    (folder / ".metadata").write_bytes(said)
    (folder / "f.distcp").write_bytes(archive)
    (folder / "recipe.json").write_text(Recipe([Rule("*", "zeros")]).to_json())
    line = ["verify", str(folder), "--recipe", str(folder / "recipe.json"), "--seed", "1"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def test_the_command(tmp_path):
    """`glorot verify DIR` exits with 0; of a changed byte it says which, and exits with 1."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".metadata").write_bytes(metadata(W, [FULL]))
    (tmp_path / "d" / "f.distcp").write_bytes(ARCHIVE)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(Recipe([Rule("*", "zeros")]).to_json())
    line = ["verify", str(tmp_path / "d"), "--recipe", str(recipe), "--seed", "1"]
    assert CliRunner().invoke(app, line).exit_code == 0
    changed = bytearray(ARCHIVE)
    changed[ITEM.entry.offset + 4 * 7] = 1
    (tmp_path / "d" / "f.distcp").write_bytes(changed)
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 1
    assert "first at [1, 2]: 0 expected, 1.40129846e-45 found" in result.stdout + result.stderr
    found = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
    assert (found["equal"], found["tensors"][0]["index"]) == (False, [1, 2])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (metadata(W, [("w", (0, 0), (4, 5), "../f.distcp", 0, 9)]),
         "it puts 'w' in '../f.distcp'; the name of a file in the same folder is needed"),
        (metadata(W, [("w", (0, 0), (4, 5), "/etc/passwd", 0, 9)]), "it puts 'w' in '/etc/passwd'"),
        (metadata(W, [("w", (0, 0), (4, 5), "..", 0, 9)]), "it puts 'w' in '..'"),
        (metadata(W, [("w", (0, 0), (4, 5), 7, 0, 9)]), "it puts 'w' in 7;"),
        (metadata(W, [(*ALL, -1)]), "-1 bytes long; files end before byte 2**63"),
        (metadata(W, [(*ALL[:4], 2**63 - 1, 5)]), "files end before byte 2**63"),
        (metadata(W, [(*ALL[:4], True, 5)]), "it puts 'w' at byte True of f.distcp"),
        (metadata(W, [(*FULL, ["ZStandard"])]), "'w' is stored by ['ZStandard'], which is"),
        (metadata(W, []), "the pieces of 'w' do not make up shape [4, 5]"),
        (metadata(W, [("w", (0, 0), (2, 5), *FULL[3:])]), "the pieces of 'w' do not make up"),
        (metadata(W, [("w", (0, 0), (2, 5), *FULL[3:]), ("w", (1, 0), (2, 5), *FULL[3:])]),
         "some of it is in none, or in two"),
        (metadata(W, [("w", (1, 0), (4, 5), *FULL[3:])]),
         "a piece of 'w' at [1, 0] of shape [4, 5] is no part of a tensor of shape [4, 5]"),
        (metadata(W, [("w", (0,), (20,), *FULL[3:])]), "is no part of a tensor of shape [4, 5]"),
        (metadata({"w": (2**40, 2**22)}, [("w", (0, 0), (2**40, 2**22), *FULL[3:])]),
         "holds a float32 of shape [4, 5] where .metadata says that 'w' is"),
        (metadata({"w": (2**62, 8)}, []), "has more than 2**63 elements"),
        (metadata(W, [FULL], {"w": "bfloat16"}), "a bfloat16 of shape [4, 5]"),
        (metadata({"v": (4, 5), "w": (4, 5)}, [FULL, ("v", *FULL[1:])]),
         "'v' and 'w' lie over one another in f.distcp"),
        (metadata({"v": (4, 5), "w": (4, 5)}, [(*ALL[:4], 9, 9), ("v", *ALL[1:4], 0, 10)]),
         "'v' and 'w' lie over one another in f.distcp"),
        (metadata({"v": (4, 5), "w": (4, 5)}, [(*ALL[:4], 0, 10), ("v", *ALL[1:4], 9, 9)]),
         "'w' and 'v' lie over one another in f.distcp"),
        (metadata(W, [(*ALL[:4], 5, 4100)]), "hold no tensor that torch saved"),
        (metadata(W, [(*ALL, 0)]), "bytes 0 to 0 hold no tensor that torch saved"),
        (metadata(W, [FULL]).replace(b"storage_data", b"storage_dat_"), "it has no `storage_data`"),
        (pickle.dumps(Evil(exec, "raise SystemExit(0)"), 2), "nothing of it was run"),
    ],
)  # fmt: skip
def test_metadata_that_is_refused(tmp_path, said, text):
    """Paths that leave the folder, absurd sizes and places, pieces that do not make up a tensor or
    lie over one another, programs: one line each."""
    assert text in refused(tmp_path / "d", said)


def zipped(records, compression=zipfile.ZIP_STORED):
    """A zip archive of these records."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    return file.getvalue()


def described(dtype="FloatStorage", count=20, first=0, shape=(4, 5), strides=(5, 1),
              call=b"ctorch._utils\n_rebuild_tensor_v2\n"):  # fmt: skip
    """The pickle of a tensor."""
    cls = dtype if isinstance(dtype, bytes) else named("torch", dtype)
    storage = b"(" + plain("storage") + cls + b"".join(map(plain, ("0", "cpu", count))) + b"tQ"
    hooks = named("collections", "OrderedDict") + b")R"
    return (b"\x80\x02" + call + b"(" + storage + plain(first) + plain(shape) + plain(strides)
            + plain(False) + hooks + b"tR.")  # fmt: skip


GOOD = {"data.pkl": described(), "byteorder": b"little", "data/0": DATA, "version": b"3\n"}


@pytest.mark.parametrize(
    ("archive", "text"),
    [
        (b"", None),
        (b"x" * 5000, "File is not a zip file"),
        (zipped({}), "archive"),
        (zipped({**GOOD, "data.pkl": b"junk"}), "hold no tensor"),
        (zipped({**GOOD, "data.pkl": pickle.dumps(Evil(exec, "1/0"), 2)}), "nothing of it was run"),
        (zipped({**GOOD, "data.pkl": b"\x80\x02K\x01."}), "describes something else"),
        (zipped({**GOOD, "data.pkl": described(call=named("torch", "load"))}), "for 'torch.load'"),
        (zipped({**GOOD, "data.pkl": described("FooStorage")}), "asks for 'torch.FooStorage'"),
        (zipped({**GOOD, "data.pkl": described("float32")}), "KeyError"),
        (zipped({**GOOD, "data.pkl": described(first=1)}), "a part of a storage of 20 elements"),
        (zipped({**GOOD, "data.pkl": described(count=10**9)}), "a part of a storage of 1000000000"),
        (zipped({**GOOD, "data.pkl": described(shape=(-4, -5))}), "its sizes are none"),
        (zipped({**GOOD, "data.pkl": described(shape=(2**62, 5))}), "a part of a storage"),
        (zipped({**GOOD, "data.pkl": described(strides=(1, 1))}), "its strides [1, 1] leave gaps"),
        (zipped({**GOOD, "data.pkl": described(strides=(5, 2))}), "its strides [5, 2] leave gaps"),
        (zipped({**GOOD, "data.pkl": described(strides=(5,))}), "hold no tensor"),
        (zipped({**GOOD, "data.pkl": b"x" * 2_000_000}), "of a size that is read"),
        (zipped({**GOOD, "byteorder": b"big"}), "not little-endian"),
        (zipped({**GOOD, "data/0": DATA[:-4]}), "it holds 76 bytes for a float32 of shape [4, 5]"),
        (zipped({k: v for k, v in GOOD.items() if k != "data/0"}), "it holds no values"),
        (zipped({k: v for k, v in GOOD.items() if k != "data.pkl"}), "'archive/data.pkl'"),
        (zipped(GOOD, zipfile.ZIP_DEFLATED), "of a size that is read"),
        (zipped({**GOOD, **{f"{i:0200}": b"" for i in range(5000)}}), "a directory of"),
    ],
)  # fmt: skip
def test_archives_that_are_refused(tmp_path, archive, text):
    """What is no tensor of torch, or describes more than it holds: one line each."""
    said = metadata(W, [(*ALL, len(archive) if archive else 9)])
    if text is None:
        folder = tmp_path / "d"
        folder.mkdir()
        (folder / ".metadata").write_bytes(said)
        (folder / "f.distcp").write_bytes(archive)
        assert verify(folder, Recipe([Rule("*", "zeros")]), 1).problems[0].status == "truncated"
    else:
        assert text in refused(tmp_path / "d", said, archive)


def test_a_damaged_archive(tmp_path):
    """A changed byte of what describes the tensor is found by its CRC-32."""
    changed = ARCHIVE.replace(b"FloatStorage", b"HalfStorage_")
    assert "Bad CRC-32" in refused(tmp_path / "d", metadata(W, [FULL]), changed)


def outcome(call, *arguments, **options):
    """(what it returns, ""), or (None, what its ValueError says)."""
    try:
        return call(*arguments, **options), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_fuzzed_archives(tmp_path_factory, data):
    """An archive with bytes changed is read or refused in one line, and little is read of it."""
    changed = bytearray(ARCHIVE)
    heads = [*range(900), *range(ITEM.entry.offset + len(DATA), len(ARCHIVE))]
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.sampled_from(heads))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "f.distcp"
    path.write_bytes(changed)
    with path.open("rb") as file:
        found, said = outcome(_dcp_item.read, file, path, 0, len(changed))
    assert len(said.splitlines()) == 1 or 0 < found.offset <= len(changed) - len(DATA)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_fuzzed_metadata(data):
    """Metadata with bytes changed is read or refused in one line; what is read makes up tensors."""
    changed = bytearray(
        metadata(W, [("w", (0, 0), (2, 5), "f", 0, 9), ("w", (2, 0), (2, 5), "f", 9, 9)])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    found, said = outcome(_dcp_metadata.parse, "it", bytes(changed), places=True)
    if found is None:
        assert len(said.splitlines()) == 1
        return
    for name, spec in found.shapes.items():
        assert sum(math.prod(at.shape) for at in found.places[name]) == math.prod(spec.shape)


@given(st.data())
def test_tilings(data):
    """`tiled` is right of random cuts, grids or not, with a piece moved, doubled or left out."""
    shape = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)))

    def split(begin, extent, depth):
        axis = data.draw(st.integers(0, 1))
        if not depth or extent[axis] < 2:
            return [(begin, extent)]
        cut = data.draw(st.integers(1, extent[axis] - 1))
        first = tuple(cut if a == axis else n for a, n in enumerate(extent))
        rest = tuple(n - cut if a == axis else n for a, n in enumerate(extent))
        after = tuple(i + cut if a == axis else i for a, i in enumerate(begin))
        return split(begin, first, depth - 1) + split(after, rest, depth - 1)

    pieces = split((0, 0), shape, 3)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(pieces) - 1))
        extent = pieces[at][1]
        moved = tuple(data.draw(st.integers(0, n - m)) for n, m in zip(shape, extent, strict=True))
        pieces[at] = (moved, extent)
    if data.draw(st.booleans()):
        pieces.append(((0, 0), (0, 3)))
    pieces = data.draw(st.permutations(pieces))
    times = np.zeros(shape, int)
    for (i, j), (n, m) in pieces:
        times[i : i + n, j : j + m] += 1
    assert tiled(shape, pieces) == bool((times == 1).all())


def test_tilings_of_many_flat_shards():
    """Shares of flat memory, thousands of them and no grid: FSDP's of a weight."""
    rows, columns, ranks = 5000, 77, 3000
    ends = [rows * columns * rank // ranks for rank in range(ranks + 1)]
    pieces = [box for pair in itertools.pairwise(ends) for box in boxes((rows, columns), *pair)]
    assert len(pieces) > 6000
    assert tiled((rows, columns), pieces)
    pieces[7] = pieces[8 + [p[1] for p in pieces[8:]].index(pieces[7][1])]
    assert not tiled((rows, columns), pieces)


def test_boxes_of_any_order():
    """A box fills the elements that it holds, in the order in which they are stored."""
    init, shape = glorot.HeNormal(), (5, 6, 7)
    whole = init(shape, seed=1, name="w")
    for axes in itertools.permutations(range(3)):
        box = _box.Box((1, 2, 3), (3, 4, 2), axes)
        stored = whole[1:4, 2:6, 3:5].transpose(axes).ravel()
        out = np.empty(13, np.float32)
        box.fill(init, shape, out, 8, 1, "w")
        assert (out == stored[8:21]).all()
        assert all(whole[box.place(at)] == stored[at] for at in range(24))
        numbers = np.arange(8, 21)
        assert box.place(int(numbers[box.first(numbers)])) == min(map(box.place, numbers.tolist()))


def test_memory_is_bounded(tmp_path):
    """A tensor in pieces of 8 MB is compared in blocks of 64 KiB: no more than a few are held."""
    shapes = {"a": (2048, 2048)}
    recipe = Recipe([Rule("*", "he_normal")])
    save(tmp_path / "dcp", parts=2, shapes=shapes, recipe=recipe)
    verify(tmp_path / "dcp", recipe, 42, block_size=1 << 16)
    tracemalloc.start()
    report = verify(tmp_path / "dcp", recipe, 42, block_size=1 << 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.equal
    assert peak < 4 << 20


def test_no_torch_is_loaded(written):
    """It works where no framework is."""
    code = (
        "import sys, glorot; from glorot import Recipe, Rule; from glorot.checkpoint import verify;"
        "r = verify(sys.argv[1], Recipe.from_json(sys.argv[2]), 42);"
        "print(r.equal, sorted({'torch', 'jax', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, written[0], RECIPE.to_json()],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "True []\n"
