# SPDX-License-Identifier: Apache-2.0
"""Directories of torch.distributed.checkpoint as ranks write them, made without torch."""

import itertools
import zlib

from dcp_pickles import named, plain, record, size

from glorot import Recipe, Rule
from glorot.checkpoint import _dcp
from glorot.recipe import TensorSpec

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("o.*", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {"a": (40, 30), "b.bias": (7,), "o.w": (12, 8), "scalar": (), "none": (0, 3),
          "cube": (4, 6, 5), "c": (300, 70)}  # fmt: skip
FILESYSTEM = "torch.distributed.checkpoint.filesystem"


def place(name, begin, file, start, length, transforms=None):
    """The instructions for one item of `storage_data`."""
    index = record("MetadataIndex", fqn=plain(name), offset=size(*begin), index=plain(0))
    fields = {"relative_path": file, "offset": start, "length": length,
              "transform_descriptors": transforms}  # fmt: skip
    state = {key: plain(value) for key, value in fields.items()}
    return index + record("_StorageInfo", FILESYSTEM, **state)


def metadata(shapes, pieces, dtypes=None):
    """The bytes of .metadata: of shapes, and pieces [(name, begin, shape, file, start, length)]."""
    entries = b""
    for name, shape in shapes.items():
        chunks = b"".join(
            record("ChunkStorageMetadata", offsets=size(*begin), sizes=size(*extent))
            for found, begin, extent, *_ in pieces
            if found == name
        )
        properties = record(
            "TensorProperties", dtype=named("torch", (dtypes or {}).get(name, "float32"))
        )
        entries += plain(name) + record(
            "TensorStorageMetadata", properties=properties, size=size(*shape),
            chunks=b"](" + chunks + b"e",
        )  # fmt: skip
    storage = b"".join(place(name, begin, *rest) for name, begin, _, *rest in pieces)
    whole = record("Metadata", state_dict_metadata=b"}(" + entries + b"u",
                   storage_data=b"}(" + storage + b"u", planner_data=plain(None))  # fmt: skip
    return b"\x80\x02" + whole + b"."


def cuts(shape, parts):
    """The boxes (begin, shape) of a tensor cut in `parts` along each axis."""
    along = []
    for length, number in zip(shape, parts, strict=True):
        step = max(1, -(-length // number))
        along.append([(i, min(step, length - i)) for i in range(0, length, step)] or [(0, 0)])
    for box in itertools.product(*along):
        yield tuple(i for i, _ in box), tuple(n for _, n in box)


def save(folder, seed=42, parts=1, shapes=SHAPES, recipe=RECIPE):
    """Write a directory as ranks would, each tensor cut along each axis, its pieces spread over
    three files; return where each piece is."""
    folder.mkdir()
    files = {f"__{rank}_0.distcp": b"" for rank in range(3)}
    pieces = []
    for found in recipe.resolve(shapes):
        values = found.initializer(found.shape, seed=seed, name=found.name)
        for begin, extent in cuts(found.shape, (parts,) * len(found.shape)):
            file = f"__{len(pieces) % 3}_0.distcp"
            data = values[tuple(slice(i, i + n) for i, n in zip(begin, extent, strict=True))]
            item = _dcp.items({"w": TensorSpec(extent, "float32")})["w"]
            start = len(files[file])
            files[file] += item.head + data.tobytes() + item.tail(zlib.crc32(data.tobytes()))
            pieces.append((found.name, begin, extent, file, start, len(files[file]) - start))
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / ".metadata").write_bytes(metadata(shapes, pieces))
    return pieces
