# SPDX-License-Identifier: Apache-2.0
"""Known answers are append-only: a line may come after those that are recorded here, none may go or
change."""

import hashlib
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "vectors"

# File: how many lines it had when they were last counted, and the digest of these. A change of the
# library and of the programs that make the files would go unseen without it. Lines that were added
# may be counted too; a number is never lowered.
RECORDED = {
    "flax-0.12.txt": (77, "4f5f07e126b76ebb9ec7217c40a29abf"),
    "initializers-v1.txt": (657, "92c0a8a3861088fd51fb468d0fe06abe"),
    "jax-0.10.txt": (239, "1119b41714ac5e6788d722072b3f7bdf"),
    "jax-0.10-float16-fma.txt": (45, "0486643a3b146aa16f70e050676ae17b"),
    "keras-3.15.txt": (522, "66798f730dd393ca59a7e6723586cca6"),
    "laws-v1.txt": (3624, "f9219507156f2ea45fc9d795d9259bcb"),
    "philox4x32.txt": (5, "e6719553164531e16c65c865b8f61eab"),
    "stream-v1.txt": (469, "839883c4a5f13c2fe956e125113eaa5f"),
    "tensorflow-stateless.txt": (30, "7ef95a3a6bf2aef7be425bd50bf506cb"),
    "tensorflow-v1-normal.txt": (721, "524552f6ff3fcf5f92c89f7c2635a20e"),
    "tensorflow-v1-uniform.txt": (406, "5a403902240bf89176d599bb8915034e"),
}


def digest(lines):
    """128 bits of the SHA-256 of some lines."""
    return hashlib.sha256(b"".join(lines)).hexdigest()[:32]


def lines_of(name):
    """A file's lines, as they are on every system."""
    return [line + b"\n" for line in (VECTORS / name).read_bytes().splitlines()]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_lines_stand(name):
    """The first lines are those that were recorded; one that is missing or changed is seen."""
    count, recorded = RECORDED[name]
    found = digest(lines_of(name)[:count])
    assert found == recorded, f"a line of {name} was changed: add lines, or a new stream"


def test_every_file_that_says_so_is_recorded():
    """The first lines of such a file say that it is append-only."""
    said = {
        path.name
        for path in VECTORS.glob("*.txt")
        if b"append-only" in b"".join(lines_of(path.name)[:4])
    }
    assert said == set(RECORDED)
