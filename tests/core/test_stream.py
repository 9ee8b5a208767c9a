# SPDX-License-Identifier: Apache-2.0
"""Stream 1: its words equal the published and the independent answers, and its document."""

import hashlib
import json
import re
import runpy
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot import _kernel, _laws, _reference, _stream
from glorot._dtypes import FLOATS

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors"
DOCUMENT = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")
ORACLE = runpy.run_path(str(ROOT / "tests" / "oracle" / "make_vectors.py"))

uint32s = st.integers(0, 2**32 - 1)
uint64s = st.integers(0, 2**64 - 1)


def rows(name: str) -> list[str]:
    """The lines of a vector file that are not comments."""
    lines = (VECTORS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def document_rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of docs/stream.md, code marks taken off."""
    section = DOCUMENT.split(f"\n### {heading}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def philox(counter: list[int], key: list[int]) -> list[int]:
    """The library's Philox on one block of Python ints."""
    as_arrays = [
        tuple(np.array([word], dtype=np.uint32) for word in words) for words in (counter, key)
    ]
    return [int(word[0]) for word in _stream.philox4x32(np, *as_arrays)]


def word(seed: int, name: str, lane: int, index: int) -> int:
    """One word, through the entry that every initializer uses."""
    out = np.zeros(1, dtype=np.uint32)
    _kernel.fill(out, None, _stream.stream(seed, name, lane), index)
    return int(out[0])


@pytest.mark.parametrize("row", rows("philox4x32.txt"))
def test_philox_gives_the_published_answers(row):
    """The three rows of Random123's known-answer file hold."""
    numbers = [int(cell, 16) for cell in row.split()]

    assert philox(numbers[:4], numbers[4:6]) == numbers[6:]


@given(st.lists(uint32s, min_size=4, max_size=4), st.lists(uint32s, min_size=2, max_size=2))
@settings(deadline=None)
def test_philox_equals_the_independent_implementation(counter, key):
    """Any counter and key give what plain integer arithmetic gives."""
    assert philox(counter, key) == ORACLE["philox4x32"](counter, key)


def test_words_equal_the_vectors():
    """Every line of stream-v1.txt is what `fill` writes."""
    wrong = []
    for row in rows("stream-v1.txt"):
        seed, lane, index, expected, name = row.split(" ", 4)
        found = word(int(seed), json.loads(name), int(lane), int(index))
        if found != int(expected, 16):
            wrong.append((row, f"{found:08x}"))

    assert wrong == []


def test_vectors_are_what_the_independent_implementation_computes():
    """No line of the vector files was written or changed by hand."""
    for name, lines in ORACLE["FILES"].items():
        assert (VECTORS / name).read_text(encoding="utf-8").splitlines() == list(lines()), name


@given(uint64s, st.text(max_size=8), st.sampled_from([0, 1, 2]), st.integers(0, 2**63 - 9))
@settings(deadline=None)
def test_words_equal_the_independent_implementation(seed, name, lane, start):
    """Nine words from anywhere, in one run and element by element, equal plain integers."""
    expected = [ORACLE["stream_word"](seed, name, lane, start + i) for i in range(9)]
    stream = _stream.stream(seed, name, lane)
    run = np.zeros(9, dtype=np.uint32)
    _kernel.fill(run, None, stream, start)
    single = _reference.words(stream, np.arange(9, dtype=np.uint64) + np.uint64(start))

    assert run.tolist() == expected
    assert single.tolist() == expected


@given(uint64s, uint64s, st.sampled_from([32, 64]))
@settings(deadline=None)
def test_wide_products_are_exact(a, b, bits):
    """Half-width pieces lose no carry: (high, low) is the whole product."""
    dtype, mask = (np.uint32, 2**32 - 1) if bits == 32 else (np.uint64, 2**64 - 1)
    a, b = a & mask, b & mask
    high, low = _stream.multiply_wide(np, np.array([a], dtype), np.array([b], dtype), bits)

    assert int(high[0]) << bits | int(low[0]) == a * b


@given(st.integers(0, 2**128 - 1), uint64s)
@settings(deadline=None)
def test_counters_carry_through_all_128_bits(counter, block):
    """counter + block is addition modulo 2**128, carries past 2**64 included."""
    arrays = [np.array([block >> shift & 0xFFFFFFFF], dtype=np.uint32) for shift in (0, 32)]
    digits = _stream.add_block(np, _stream.digits(np, counter, 4), *arrays)

    assert sum(int(d[0]) << 32 * i for i, d in enumerate(digits)) == (counter + block) % 2**128


def test_all_ones_carry_to_zero():
    """2**128 - 1 plus one block is 0: the longest carry there is."""
    one, zero = np.array([1], dtype=np.uint32), np.array([0], dtype=np.uint32)
    digits = _stream.add_block(np, _stream.digits(np, 2**128 - 1, 4), one, zero)

    assert [int(d[0]) for d in digits] == [0, 0, 0, 0]


def test_names_are_taken_as_given():
    """Composed and decomposed forms of one text are two names, and so two streams."""
    composed = "Ünïcode.層.0"
    composed, decomposed = (unicodedata.normalize(f, composed) for f in ("NFC", "NFD"))

    assert composed != decomposed
    assert _stream.tag(composed) != _stream.tag(decomposed)


def test_the_tag_is_blake2b_with_the_version_as_person():
    """The tag reads the eight bytes of the digest little-endian, and the version separates it."""
    digest = hashlib.blake2b("層".encode(), digest_size=8, person=b"glorot.v1").digest()
    wrong = [
        int.from_bytes(digest, "big"),
        int.from_bytes(hashlib.blake2b("層".encode(), digest_size=8).digest(), "little"),
        int.from_bytes(hashlib.blake2b("層".encode(), person=b"glorot.v1").digest()[:8], "little"),
    ]

    assert _stream.tag("層") == int.from_bytes(digest, "little")
    assert _stream.tag("層") not in wrong


def test_lanes_never_meet():
    """The last block of a lane, carried by one, would be the first of the next: none is."""
    last = (2**63 - 1) // 4
    ends = [(_stream.stream(7, "w", lane).counter & 2**64 - 1) + last for lane in (0, 1, 2)]

    assert [end >> _stream.LANE_SHIFT for end in ends] == [0, 1, 2]


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(7), np.uint64(2**64 - 1), np.int8(1)])
def test_seeds_are_python_or_numpy_integers(seed):
    """A seed of any integer type is the same number as a Python int."""
    checked = _stream.check_seed(seed)

    assert type(checked) is int
    assert checked == int(seed)


@pytest.mark.parametrize("seed", [True, np.True_, 1.0, "1", None, np.array([1, 2])])
def test_seeds_of_other_types_are_refused(seed):
    """Booleans, floats, text and arrays are no seeds."""
    with pytest.raises(TypeError, match="`seed` must be an integer"):
        _stream.check_seed(seed)


@pytest.mark.parametrize("seed", [-1, 2**64, np.int64(-5)])
def test_seeds_out_of_range_are_refused_with_the_remedy(seed):
    """A negative or too large seed is refused, and the text says how to fold it in."""
    with pytest.raises(ValueError, match=r"\[0, 2\*\*64\).*Pass `seed % 2\*\*64`"):
        _stream.check_seed(seed)


def test_names_that_are_no_text_are_refused():
    """Bytes are not decoded by guess, and a lone surrogate has no UTF-8."""
    with pytest.raises(TypeError, match="`name` must be a string, got b'w'"):
        _stream.check_name(b"w")
    with pytest.raises(ValueError, match=r"`name` must be encodable as UTF-8.*lone surrogate"):
        _stream.check_name("\ud800")
    assert _stream.check_name("") == ""


# --- docs/stream.md ------------------------------------------------------------------------------


def test_the_document_prints_the_table_in_use():
    """The 128 rows in docs/stream.md are those of tables/normal32.inc."""
    printed = re.findall(r"^ *(\d+) ([0-3])((?: [0-9a-f]{8}){5})$", DOCUMENT, re.MULTILINE)

    assert [int(o) * 4 + int(s) for o, s, _ in printed] == list(range(128))
    found = [[int(cell, 16) for cell in cells.split()] for _, _, cells in printed]
    assert found == _laws.normal_table(32).tolist()


def test_the_document_s_words_are_the_library_s():
    """The worked examples of the stream hold: tag, counter, key, output and word."""
    examples = document_rows("Worked examples: words")
    for seed, quoted, lane, index, counter, key, output, expected in examples:
        name = json.loads(quoted)
        words = [int(cell, 16) for cell in counter.split()]
        stream = _stream.stream(int(seed), name, int(lane))
        assert stream.counter + int(index) // 4 == sum(w << 32 * i for i, w in enumerate(words))
        keys = [int(cell, 16) for cell in key.split()]
        assert stream.key == keys[0] | keys[1] << 32
        assert philox(words, keys) == [int(cell, 16) for cell in output.split()]
        assert word(int(seed), name, int(lane), int(index)) == int(expected, 16)

    assert len(examples) >= 5


def test_the_document_s_values_are_the_library_s():
    """The worked examples of the laws hold: integer, multiplier and value."""
    examples = document_rows("Worked examples: values")
    for law_text, dtype_text, integer, multiplier, expected, bits in examples:
        law = eval(law_text, dict(vars(_laws)))  # the document's own text
        dtype = FLOATS[dtype_text]
        out = np.zeros(1, dtype=dtype)
        _kernel.fill(out, law, _stream.stream(42, "encoder.kernel"), 5)
        width = 64 if dtype_text == "float64" else 32
        real = np.float64 if width == 64 else np.float32
        high, low = (word(42, "encoder.kernel", lane, 5) for lane in (0, 2))
        joined = np.array([high << 32 | low if width == 64 else high], f"uint{width}")
        found = law.integer(np, joined, width)[0]

        assert found == real(int(integer)), law_text
        assert float(real(law.multiplier(width))).hex() == multiplier
        assert f"{out.view(f'u{dtype.itemsize}')[0]:0{2 * dtype.itemsize}x}" == bits
        assert float(out[0]) == float(dtype.type(float(expected)))

    assert len(examples) >= 10


def test_the_document_s_cuts_are_the_library_s():
    """The examples of a truncated law's integers hold, at both widths."""
    examples = document_rows("Worked examples: cut-offs")
    for lower, upper, width, *integers in examples:
        law = _laws.TruncatedNormal(1.0, lower=float(lower), upper=float(upper))
        assert [law.first, law.words, *law.cuts(int(width))] == [int(cell) for cell in integers]

    assert len(examples) >= 4
