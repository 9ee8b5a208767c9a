# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch: known answers, the generator's state, and the same bytes on every target."""

import json
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
from kernel_cases import EVERYWHERE
from replay_cases import seeded

from glorot import _kernel
from glorot._dtypes import parse_dtype
from glorot.replay import torch
from glorot.replay.torch import Generator
from glorot.replay.torch._arguments import DTYPES
from glorot.replay.torch._generator import STATE_BYTES
from glorot.replay.torch._normal import normal
from glorot.replay.torch._uniform import uniform

TESTS = Path(__file__).parents[1]
VECTORS = TESTS / "vectors" / "torch-2.13.txt"
CASES = runpy.run_path(str(TESTS / "oracle" / "torch_cases.py"))
CAPABILITIES = ("AVX2", "DEFAULT")


def sequence(seed, capability):
    """Draws of every kind, size and dtype in turn, as bytes, with the state they leave."""
    g = seeded(seed, cpu_capability=capability)
    rng = np.random.default_rng(seed)
    drawn = []
    for dtype in DTYPES.values():
        for size in (0, 1, 5, 15, 16, 17, 100, 623, 1024, 2100):
            low, width = rng.uniform(-2, 2), rng.choice([0.0, 1e-6, 1.0, 3.0])
            drawn.append(uniform((size,), low, low + width, dtype, g))
            std = rng.choice([0.0, 1e-30, 0.02, 2.0, 3e4])
            drawn.append(normal((size,), rng.uniform(-1, 1), std, dtype, g))
    drawn.append(torch.randperm(1000, generator=g))
    return [x.tobytes() for x in drawn] + [g.get_state().tobytes()]


@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("seed", [0, 2**32 + 7])
def test_every_target_gives_the_references_bytes(seed, capability):
    """Native code and NumPy draw the same numbers and leave the same state."""
    with _kernel.forced("reference"):
        expected = sequence(seed, capability)
    for target in EVERYWHERE:
        with _kernel.forced(target):
            assert sequence(seed, capability) == expected, target


def recorded(kind):
    """The rows of a kind in tests/vectors/torch-2.13.txt, split into their cells."""
    lines = VECTORS.read_text(encoding="utf-8").splitlines()
    return [line.split(" ", 2)[1:] for line in lines if line.startswith(kind + " ")]


@pytest.mark.parametrize("target", [EVERYWHERE[0], "reference"])
def test_recorded_values(target):
    """The first values of calls on fresh generators, as torch 2.13.0 gave them."""
    rows = recorded("value")
    assert len(rows) > 40
    for capability, rest in rows:
        seed, text = rest.split(" ", 1)
        call, end = json.JSONDecoder().raw_decode(text)
        expected = [float.fromhex(x) for x in text[end:].split()]
        with _kernel.forced(target):
            first, *_ = CASES["our_values"]((int(seed), "float32", [call]), capability)
        dtype = parse_dtype(call[1]["dtype"], floating=False)
        assert np.frombuffer(first, dtype)[: len(expected)].tolist() == expected, text


@pytest.mark.slow
@pytest.mark.parametrize("target", [EVERYWHERE[0], "reference"])
def test_recorded_cases(target):
    """Sequences of calls and of layers: every byte drawn, and the state after the last."""
    rows = recorded("case")
    assert len(rows) > 100
    for capability, rest in rows:
        digest, text = rest.split(" ", 1)
        with _kernel.forced(target), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = CASES["our_values"](json.loads(text), capability)
        assert CASES["digest"](found) == digest, text


def test_capabilities_differ():
    """Without FMA some values differ in their last bits, by no more; [0, 1) is the same."""
    fused, plain = (seeded(cpu_capability=c) for c in CAPABILITIES)
    assert (torch.rand(999, generator=fused) == torch.rand(999, generator=plain)).all()
    a, b = (torch.randn(9999, generator=g) for g in (fused, plain))
    assert 0 < np.abs(a - b).max() < 2e-6
    limits = (-0.3, 0.4, DTYPES["float64"])
    a, b = (uniform((9999,), *limits, g) for g in (fused, plain))
    assert 0 < np.abs(a - b).max() < 1e-15


def test_the_c_library_matters_in_float64():
    """An older glibc, or a processor without FMA, changes last bits of float64 normals, and of
    fewer than 16 of any dtype; not those of others."""
    new, old = ({}, {"glibc": (2, 35)})
    without = {"cpu_capability": "DEFAULT", "fma": False}
    for first, second in ((new, old), ({"cpu_capability": "DEFAULT"}, without)):
        a, b = (torch.randn(99999, generator=seeded(**o), dtype="float64") for o in (first, second))
        assert 0 < np.abs(a - b).max() < 1e-14
        a, b = (torch.randn(99999, generator=seeded(**o)) for o in (first, second))
        assert (a == b).all()
        few = []
        for options in (first, second):
            g = seeded(**options)
            few.append([torch.randn(15, generator=g, dtype="float64") for _ in range(300)])
        assert 0 < np.abs(np.subtract(*few)).max() < 1e-14


def test_the_cached_normal():
    """An odd number of normals below 16 leaves one for the next such call, whatever is between."""
    once = torch.randn(6, generator=seeded(), dtype="float64")
    g = seeded()
    first = torch.randn(3, generator=g, dtype="float64")
    torch.randn(32, generator=g)
    torch.randn(0, generator=g)
    assert torch.randn(1, generator=g, dtype="float64") == once[3]
    assert (first == once[:3]).all()
    torch.randn(1, generator=g)
    g.manual_seed(42)
    assert (torch.randn(6, generator=g, dtype="float64") == once).all()


def test_methods_of_few_and_many_differ():
    """15 and 16 normals of a seed share no value; 17 redraw all but the first of 16."""
    few, many, more = (torch.randn(n, generator=seeded()) for n in (15, 16, 17))
    assert not np.isin(few, many).any()
    assert more[0] == many[0]
    assert not np.isin(more[1:], many).any()


def test_uniforms_stay_below_their_upper_limit():
    """What rounds to the upper limit becomes the lower one."""
    for dtype in DTYPES.values():
        drawn = uniform((200_000,), 1.0, 1.0625, dtype, seeded())
        assert drawn.min() >= 1.0
        assert drawn.max() < 1.0625
        if dtype.itemsize == 2:  # the lower limit's half share and the upper's make a whole one
            counts = np.unique(drawn, return_counts=True)[1]
            assert 0.9 < counts[0] / counts[1] < 1.1
    assert (uniform((9,), 2.0, 2.0, DTYPES["float32"], seeded()) == 2.0).all()


@pytest.mark.parametrize("target", EVERYWHERE)
def test_skipping_is_drawing(target):
    """`skip` leaves the state that drawing as many words leaves, across twists."""
    with _kernel.forced(target):
        for words in (0, 1, 623, 624, 625, 2000, 12345):
            skipped, drawn = seeded(), seeded()
            skipped.skip(words)
            torch.rand(words, generator=drawn)
            assert torch.rand(3, generator=skipped).tobytes() == (
                torch.rand(3, generator=drawn).tobytes()
            )
            assert (skipped.get_state() == drawn.get_state()).all()


def test_state_goes_out_and_in():
    """A state taken at any place goes on with the same stream, the cached normal included."""
    for words, normals in [(0, 0), (1, 0), (624, 1), (700, 3)]:
        g = seeded(-5)
        torch.rand(words, generator=g)
        torch.randn(normals, generator=g)
        state, clone = g.get_state(), g.clone_state()
        expected = torch.randn(7, generator=g), torch.rand(700, generator=g)
        again = Generator()
        again.set_state(state)
        for other in (again, clone):
            assert other.initial_seed() == 2**64 - 5
            assert (other.get_state() == state).all()
            found = torch.randn(7, generator=other), torch.rand(700, generator=other)
            assert all((x == y).all() for x, y in zip(found, expected, strict=True))


def test_seeds():
    """Negative seeds wrap around; only the low 32 bits choose the stream."""
    assert Generator().initial_seed() == 67280421310721
    assert seeded(-1).initial_seed() == 2**64 - 1
    a, b = (torch.rand(5, generator=seeded(s)) for s in (7, 7 + 2**40))
    assert (a == b).all()


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (2**64, ValueError, r"must lie in \[-2\*\*63, 2\*\*64\), got 18446744073709551616"),
        (-(2**63) - 1, ValueError, "torch would overflow"),
        (True, TypeError, "expected an int, got True of bool"),
        (np.int64(3), TypeError, "of int64"),
        (1.0, TypeError, "of float"),
        ("3", TypeError, "of str"),
    ],
)
def test_seeds_refused(seed, error, message):
    """What torch.Generator.manual_seed refuses is refused."""
    g = seeded()
    with pytest.raises(error, match=message):
        g.manual_seed(seed)
    assert g.initial_seed() == 42


def damaged(place, value):
    """A state with some bytes overwritten."""
    state = seeded().get_state()
    state[place : place + len(value)] = np.frombuffer(value, np.uint8)
    return state


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.zeros(3), TypeError, "must be a uint8 array, got float64"),
        (np.zeros(3, np.uint8), ValueError, "5056 bytes of a CPU generator's get_state.*got 3"),
        (np.zeros(STATE_BYTES, np.uint8), ValueError, "invalid mt19937 state: its counters"),
        (damaged(8, b"\x71\x02"), ValueError, "its counters are out of range"),
        (damaged(8, b"\x05\x00"), ValueError, "5 words left after 0 of 624"),
    ],
)
def test_states_refused(state, error, message):
    """States that no generator is in are refused, and leave the generator as it was."""
    g = seeded()
    with pytest.raises(error, match=message):
        g.set_state(state)
    assert g.initial_seed() == 42


@pytest.fixture
def fresh(monkeypatch):
    """A default generator that has not been seeded yet."""
    module = torch._generator
    monkeypatch.setattr(module, "_default", module._DefaultGenerator())
    return monkeypatch


def test_sparse_asks_for_a_seed_of_the_default_generator(fresh):
    """Another generator does not help: torch chooses the zeros by the default one all the same."""
    given = torch.Generator().manual_seed(0)
    with pytest.raises(RuntimeError, match="from the default generator, whatever `generator` is"):
        torch.nn.init.sparse((4, 3), 0.5, generator=given)


def test_the_default_generator(fresh):
    """Nothing is drawn before manual_seed; then calls without `generator` follow one another."""
    for draw in (torch.initial_seed, torch.get_rng_state, lambda: torch.rand(2)):
        with pytest.raises(RuntimeError, match=r"Call glorot\.replay\.torch\.manual_seed\(seed\)"):
            draw()
    g = seeded(3)
    assert torch.manual_seed("3").initial_seed() == torch.initial_seed() == 3
    assert (torch.rand(2) == torch.rand(2, generator=g)).all()
    state = torch.get_rng_state()
    assert (torch.randn(20) == torch.randn(20, generator=g)).all()
    torch.set_rng_state(state)
    for capability, first in (("avx512", "0x1.ed4a52p+0"), ("default", "0x1.ed4a4ep+0")):
        torch.manual_seed(42, cpu_capability=capability)
        assert torch.randn(16)[0] == float.fromhex(first)
    with pytest.raises(ValueError, match="must lie in"):
        torch.manual_seed(2**64)
    with pytest.raises(ValueError, match="cpu_capability"):
        torch.manual_seed(1, cpu_capability="NEON")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Generator("cuda"), ValueError, '`device` must be "cpu"'),
        (lambda: Generator(cpu_capability="SSE"), ValueError, "get_cpu_capability"),
        (lambda: Generator(fma=False), ValueError, 'Give cpu_capability="DEFAULT"'),
        (lambda: Generator(glibc=(2, 17)), ValueError, r"give \(2, 29\) or later"),
        (lambda: Generator().seed(), RuntimeError, "Pass the number that torch's seed"),
        (lambda: Generator().skip(-1), ValueError, "`words` must be 0 or more, got -1"),
        (lambda: torch.rand(2, generator=3), TypeError, "must be a glorot.replay.torch.Generator"),
        (lambda: torch.rand(-1, generator=seeded()), ValueError, "sizes of 0 or more, got -1"),
        (lambda: torch.rand(2.0, generator=seeded()), TypeError, "must hold integers, got 2.0"),
        (
            lambda: torch.rand(2, generator=seeded(), dtype="float8_e5m2"),
            TypeError,
            "draw no other",
        ),
        (lambda: torch.rand(2, generator=seeded(), dtype="int32"), TypeError, "got 'int32'"),
        (lambda: torch.normal(0, -1, (2,), generator=seeded()), ValueError, "found std -1.0"),
        (lambda: torch.normal(0, np.nan, (2,), generator=seeded()), ValueError, "found std nan"),
        (lambda: torch.normal("0", 1, (2,), generator=seeded()), TypeError, "`mean` must be a num"),
        (lambda: torch.randperm(-1, generator=seeded()), ValueError, "`n` must be 0 or more"),
        (lambda: torch.randperm(2**31, generator=seeded()), ValueError, "at most 214748364"),
        (lambda: torch.randperm(2050, generator=seeded(), dtype="float16"), ValueError, "2049"),
        (lambda: torch.randperm(2, generator=seeded(), dtype="bool"), TypeError, "got bool"),
        (lambda: uniform((2,), 2, 1, DTYPES["float32"], seeded()), ValueError, "Swap them"),
        (lambda: uniform((2,), 0, 1e5, DTYPES["float16"], seeded()), ValueError, "out of bounds"),
        (lambda: uniform((2,), -3e38, 3e38, DTYPES["float32"], seeded()), ValueError, "closer"),
        (lambda: uniform((2,), 0, np.nan, DTYPES["float64"], seeded()), ValueError, "out of bou"),
    ],
)
def test_what_torch_refuses_is_refused(call, error, message):
    """Each refusal names the argument and what is needed."""
    with pytest.raises(error, match=message):
        call()


def test_shapes_and_infinities():
    """Sizes come as integers or as one sequence; a standard deviation may be infinite, as there."""
    g = seeded()
    assert torch.rand(2, 3, generator=g).shape == torch.rand((2, 3), generator=g).shape == (2, 3)
    assert torch.rand(generator=g).shape == torch.rand((), generator=g).shape == ()
    assert torch.rand(np.array([2, 0]), generator=g).shape == (2, 0)
    assert np.isinf(torch.normal(0, np.inf, (20,), generator=seeded())).all()
    assert np.isnan(torch.normal(np.nan, 1, (20,), generator=seeded())).all()
    assert np.isinf(torch.normal(0, 1e30, (20,), generator=seeded(), dtype="float16")).all()
