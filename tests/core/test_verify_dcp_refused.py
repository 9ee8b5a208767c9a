# SPDX-License-Identifier: Apache-2.0
"""What of a directory of torch.distributed.checkpoint is not trusted: metadata and archives that
lie, or that are programs; and what the command says, of one tensor."""

import io
import json
import math
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from cli_cases import invoke
from dcp_folders import metadata
from dcp_pickles import Evil, named, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot import Recipe, Rule
from glorot.checkpoint import _dcp, _dcp_item, _dcp_metadata, verify
from glorot.recipe import TensorSpec

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
    result = invoke(*line)
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
    assert invoke(*line).exit_code == 0
    changed = bytearray(ARCHIVE)
    changed[ITEM.entry.offset + 4 * 7] = 1
    (tmp_path / "d" / "f.distcp").write_bytes(changed)
    result = invoke(*line)
    assert result.exit_code == 1
    assert "first at [1, 2]: 0 expected, 1.40129846e-45 found" in result.stdout + result.stderr
    found = json.loads(invoke(*line, "--json").stdout)
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
