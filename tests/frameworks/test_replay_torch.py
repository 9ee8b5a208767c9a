# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch equals the installed torch, byte for byte, in both arithmetics."""

import inspect
import itertools
import math
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from glorot import _kernel
from glorot.replay import torch as ours

ROOT = Path(__file__).resolve().parents[2]
ORACLE = ROOT / "tests" / "oracle"
DRAWS = runpy.run_path(str(ORACLE / "torch_draws.py"))
BOX_MULLER = runpy.run_path(str(ORACLE / "torch_box_muller.py"))
CAPABILITY = torch.backends.cpu.get_cpu_capability()

pytestmark = pytest.mark.frameworks


def test_random_sequences_of_calls_agree():
    """600 cases: random seeds, shapes, dtypes and functions, calls on one generator in turn, and
    layers built in turn; every byte, and the state that is left."""
    cases = DRAWS["CASES"]["make_cases"](600, seed=20)
    wrong, refused = DRAWS["compare"](cases)
    assert not wrong, f"{len(wrong)} of {len(cases)} differ, first: {wrong[0]}"
    assert refused < 6
    called = {call[0] for case in cases for call in case[2]}
    assert called >= {*DRAWS["CASES"]["CALLS"], *DRAWS["CASES"]["LAYERS"]}


def test_the_other_arithmetic_agrees():
    """The same with torch as on a CPU without AVX2, which it decides when it is loaded."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            ORACLE / "torch_draws.py",
            "--cases",
            "300",
            "--seed",
            "9",
        ],
        env=os.environ | {"ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "DEFAULT: 0 of 300 cases differ" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("target", BOX_MULLER["TARGETS"])
def test_sampled_uniforms_through_box_muller(target):
    """65536 radii and as many angles through torch's own kernel; `make oracle` takes all 2**24."""
    rng = np.random.default_rng(5)
    some = rng.integers(0, 1 << 24, 1 << 16)
    some[:3] = 0, 1, (1 << 24) - 1
    for first, second in ((some, some * 0), (some * 0 + BOX_MULLER["radius_one"](), some)):
        assert BOX_MULLER["mismatches"](first, second, [target]) == 0


def test_box_muller_can_tell_the_arithmetics_apart(monkeypatch):
    """The comparison above fails for the other arithmetic, so it is one."""
    monkeypatch.setitem(BOX_MULLER["mismatches"].__globals__, "CAPABILITY", "DEFAULT")
    some = np.arange(1 << 14) << 10
    assert BOX_MULLER["mismatches"](some, some, [_kernel.target()]) > 100


def before_2_13(shape, mean, std, a, b, dtype, seed):
    """What trunc_normal_ did then, and timm's does: torch's own operations in turn."""
    low, high = (math.erf((limit - mean) / std / math.sqrt(2)) for limit in (a, b))
    low, high = (2 * ((1 + part) / 2) - 1 for part in (low, high))
    drawn = torch.empty(shape, dtype=dtype)
    drawn.uniform_(low, high, generator=torch.Generator().manual_seed(seed)).erfinv_()
    return drawn.mul_(std * math.sqrt(2)).add_(mean).clamp_(min=a, max=b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_trunc_normal_of_earlier_releases(dtype):
    """200 draws: half types to the bit; of float32 less than 1 in 200 (1 in 3000 where MKL does not
    use AVX-512), of float64 less than 1 in 4, and by no more than 4 units of the last place of what
    was rounded, the mean included."""
    rng = np.random.default_rng(3)
    wrong = total = 0
    for seed in range(200):
        mean, std = rng.normal(), 10.0 ** rng.uniform(-2, 1)
        a, b = mean - std * rng.uniform(-0.5, 3), mean + std * rng.uniform(1, 3)
        shape = (int(rng.integers(1, 3000)),)
        theirs = before_2_13(shape, mean, std, a, b, getattr(torch, dtype), seed).double().numpy()
        mine = ours.nn.init.trunc_normal(
            shape, mean, std, a, b, dtype=dtype, version="2.12",
            generator=ours.Generator(cpu_capability=CAPABILITY).manual_seed(seed),
        )  # fmt: skip
        wrong, total = wrong + int((mine.astype(np.float64) != theirs).sum()), total + mine.size
        if dtype in ("float32", "float64"):
            unit = np.finfo(dtype).eps * (3 * std + abs(mean))
            assert np.abs(mine - theirs).max() <= 4 * unit
    assert wrong <= total * {"float32": 5e-3, "float64": 0.25}.get(dtype, 0.0)
    assert wrong or dtype in ("float16", "bfloat16")


def test_recorded_vectors_are_this_torchs():
    """The vector file is what the installed torch gives."""
    command = [sys.executable, "-W", "ignore", ORACLE / "make_torch_vectors.py", "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_states_pass_between_the_two():
    """A state of either goes on in the other, at any place, cached normal included."""
    for draws in ((), (3,), (700, 5), (16, 1, 624)):
        theirs, mine = torch.Generator().manual_seed(-8), ours.Generator(cpu_capability=CAPABILITY)
        for n in draws:
            torch.randn(n, generator=theirs)
        mine.set_state(theirs.get_state())
        assert mine.initial_seed() == theirs.initial_seed()
        back = torch.Generator()
        back.set_state(torch.from_numpy(mine.get_state()))
        for n in (5, 2000, 2):
            expected = torch.randn(n, generator=theirs).numpy()
            assert (ours.randn(n, generator=mine) == expected).all()
            assert (torch.randn(n, generator=back).numpy() == expected).all()


def test_new_generators_are_equal():
    """A generator that nobody seeded starts as torch's does."""
    assert (ours.Generator().get_state() == torch.Generator().get_state().numpy()).all()


@pytest.mark.parametrize(
    "seed", [2**64, -(2**63) - 1, True, 1.5, "3", np.int64(4), None, 2**64 - 1, -(2**63), 0, -1]
)
def test_seeds_are_taken_and_refused_as_in_torch(seed):
    """manual_seed, of a generator and of the module, takes what torch's takes."""
    for theirs, mine in (
        (torch.Generator().manual_seed, ours.Generator().manual_seed),
        (torch.manual_seed, ours.manual_seed),
    ):
        try:
            expected = theirs(seed).initial_seed()
        except (RuntimeError, TypeError, ValueError) as refusal:
            wanted = (ValueError,) if isinstance(refusal, ValueError) else (TypeError, ValueError)
            with pytest.raises(wanted):
                mine(seed)
        else:
            assert mine(seed).initial_seed() == expected


def test_what_torch_refuses_is_refused():
    """Limits, deviations and shapes that torch's functions refuse, ours refuse; and the reverse."""
    cases = [
        ("uniform_", (3,), "float32", (2, 1)),
        ("uniform_", (0,), "float32", (2, 1)),
        ("uniform_", (3,), "float32", (-3e38, 3e38)),
        ("uniform_", (3,), "float16", (0, 65504)),
        ("uniform_", (3,), "float16", (0, 65505)),
        ("uniform_", (3,), "bfloat16", (0, 3.3895313892515355e38)),
        ("uniform_", (3,), "bfloat16", (0, 3.4e38)),
        ("uniform_", (3,), "float64", (-1e308, 1e308)),
        ("uniform_", (3,), "float64", (0, float("nan"))),
        ("normal_", (0,), "float32", (0, -1)),
        ("normal_", (3,), "float32", (0, float("nan"))),
        ("normal_", (30,), "float32", (0, float("inf"))),
        ("xavier_uniform_", (3,), "float32", ()),
        ("xavier_uniform_", (0, 0), "float32", ()),
        ("xavier_uniform_", (2, 2), "float32", (-1,)),
        ("kaiming_uniform_", (0,), "float32", (0, "nonsense")),
        ("kaiming_uniform_", (2, 2), "float32", (0, "fan")),
        ("kaiming_uniform_", (2, 2), "float32", (True,)),
        ("kaiming_uniform_", (2, 2), "float32", (0, "fan_in", "gelu")),
        ("trunc_normal_", (3,), "float32", (0, 0)),
        ("trunc_normal_", (3,), "float32", (0, -1.0)),
        ("trunc_normal_", (20,), "float32", (0, 1, -float("inf"), float("inf"))),
        ("trunc_normal_", (3,), "float32", (0, 1, 1, float("inf"))),
        ("trunc_normal_", (3,), "float32", (float("nan"),)),
        ("orthogonal_", (3,), "float32", ()),
        ("orthogonal_", (3, 3), "float16", ()),
        ("orthogonal_", (0, 3), "float16", ()),
        ("dirac_", (4, 2), "float32", ()),
        ("dirac_", (4, 2, 3), "float32", (3,)),
        ("dirac_", (4, 2, 0), "float32", ()),
        ("eye_", (2,), "float32", ()),
        ("sparse_", (2,), "float32", (0.5,)),
        ("sparse_", (8, 3), "float32", (-0.3,)),
        ("sparse_", (8, 3), "float32", (2.0,)),
        ("constant_", (2,), "float16", (1e6,)),
    ]
    refused = 0
    for name, shape, dtype, arguments in cases:
        tensor = torch.empty(shape, dtype=getattr(torch, dtype))
        torch.manual_seed(5)
        ours.manual_seed(5, cpu_capability=CAPABILITY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                getattr(torch.nn.init, name)(tensor, *arguments)
            except (RuntimeError, ValueError, ZeroDivisionError, IndexError):
                refused += 1
                with pytest.raises((ValueError, TypeError, ZeroDivisionError, IndexError)):
                    getattr(ours.nn.init, name[:-1])(shape, *arguments, dtype=dtype)
                continue
            found = getattr(ours.nn.init, name[:-1])(shape, *arguments, dtype=dtype)
        assert np.array_equal(found, tensor.float().numpy(), equal_nan=True), (name, arguments)
    assert refused == 25


def test_constants_agree_at_the_limits_of_each_dtype():
    """Values around what each dtype holds are filled, or refused, as in torch."""
    values = [-0.0, -0.5, True, np.float64(0.3), np.int64(-7), -1, 2**53 + 1, 2**60 + 2**36 + 1]
    for bits in (7, 8, 15, 16, 31, 32, 63, 64):
        values += [2**bits - 1, -(2**bits) + 1, -(2**bits), -(2**bits) - 1]
        if bits != 63:  # 2.0**63 as an int64 is undefined in C++
            values += [2.0**bits, 2.0**bits - 0.5]
    values += [65504, 65505, 65519.9, 65520, 3.3895e38, 3.39e38, 3.4028234e38, 3.4028236e38, 1e300]
    values += [-65519.9, -1e39, math.inf, math.nan]
    filled = refused = 0
    for dtype in (*DRAWS["CASES"]["DTYPES"], "uint8", "int8", "int16", "int32", "int64"):
        for value, shape in itertools.product(values, [(), (1,), (3,)]):
            tensor = torch.empty(shape, dtype=getattr(torch, dtype))
            try:
                torch.nn.init.constant_(tensor, value)
            except (RuntimeError, OverflowError, TypeError):
                refused += 1
                with pytest.raises(ValueError, match=r"without overflow|must lie in"):
                    ours.nn.init.constant(shape, value, dtype=dtype)
                continue
            filled += 1
            found = ours.nn.init.constant(shape, value, dtype=dtype)
            assert found.tobytes() == DRAWS["data"](tensor), (dtype, value, shape)
    assert min(filled, refused) > 400


@pytest.mark.parametrize("gain", [np.float16(0.3), np.float32(0.3), np.float64(0.3), np.int8(2)])
@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal"])
def test_a_gain_of_numpys_is_multiplied_in_its_dtype(name, gain):
    """NumPy rounds gain * sqrt(2 / fans) to the gain's dtype, and so the limits."""
    drawn = torch.empty(17, 16)
    getattr(torch.nn.init, f"{name}_")(drawn, gain, generator=torch.Generator().manual_seed(3))
    found = getattr(ours.nn.init, name)((17, 16), gain, generator=ours.Generator().manual_seed(3))

    assert found.tobytes() == drawn.numpy().tobytes()


def test_long_draws_agree():
    """A million values and some, of every dtype and of both distributions."""
    theirs = torch.Generator().manual_seed(1)
    mine = ours.Generator(cpu_capability=CAPABILITY).manual_seed(1)
    for dtype in DRAWS["CASES"]["DTYPES"]:
        tensor = torch.empty(1_000_003, dtype=getattr(torch, dtype))
        for name in ("uniform", "normal"):
            drawn = getattr(ours.nn.init, name)(tensor.shape, -0.1, 1.7, mine, dtype=dtype)
            getattr(tensor, f"{name}_")(-0.1, 1.7, generator=theirs)
            assert drawn.tobytes() == DRAWS["data"](tensor), (name, dtype)


def test_normals_that_are_not_finite():
    """Infinities, and NaNs to their bits, where the mean or std leaves the dtype."""
    scalars = ((0.0, 1e39), (1e39, 2e150), (-math.inf, math.inf), (math.nan, 1.0), (-1e39, 1.0))
    for dtype in DRAWS["CASES"]["DTYPES"]:
        for (mean, std), size in itertools.product(scalars, (3, 15, 16, 17, 1000)):
            tensor = torch.empty(size, dtype=getattr(torch, dtype))
            tensor.normal_(mean, std, generator=torch.Generator().manual_seed(5))
            mine = ours.Generator(cpu_capability=CAPABILITY).manual_seed(5)
            drawn = ours.nn.init.normal((size,), mean, std, mine, dtype=dtype)
            assert drawn.tobytes() == DRAWS["data"](tensor), (dtype, mean, std, size)


def test_every_layer_of_torch_is_there_or_known_to_be_missing():
    """The lazy layers, which have no parameters until they compute; old names; options."""
    missing = {name for name in torch.nn.modules.__all__ if not hasattr(ours.nn, name)}
    assert missing - {name for name in missing if name.startswith("Lazy")} == {
        "Container", "NLLLoss2d", "LinearCrossEntropyOptions",
    }  # fmt: skip


def parameter_containers(nn, array):
    """A model of ParameterList and ParameterDict."""
    made = nn.ModuleDict()
    made["list"] = nn.ParameterList([array([1.0]), nn.Parameter(array([2.0, 3.0])), "text"])
    made["list"] += [array([4.0]), None]
    made["list"][0] = array([5.0])
    made["part"] = made["list"][1:4]
    made["dict"] = nn.ParameterDict({"b": array([1.0]), "a": array([2.0])})
    made["dict"]["0"] = array([3.0])
    made["dict"].update([("z", array([4.0])), ("c", 7)])
    made["copy"] = nn.ParameterDict(made["dict"])
    made["list"][-1] = array([6.0])
    return made


def test_containers_of_parameters():
    """Arrays become parameters; the names and their order are torch's."""
    theirs, mine = (
        parameter_containers(torch.nn, torch.tensor),
        parameter_containers(ours.nn, np.array),
    )
    found, expected = mine.state_dict(), theirs.state_dict()
    assert list(found) == list(expected)
    assert all(found[name].tolist() == value.tolist() for name, value in expected.items())
    parameters = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in mine.named_parameters()] == parameters
    assert mine["part"][0] is mine["list"][1]
    for name in ("list", "part", "dict", "copy"):
        assert len(mine[name]) == len(theirs[name])
        assert [type(v).__name__ for v in getattr(mine[name], "values", mine[name].__iter__)()] == [
            type(v).__name__ for v in getattr(theirs[name], "values", theirs[name].__iter__)()
        ]
    assert list(mine["dict"]) == list(mine["dict"].keys()) == list(theirs["dict"])
    assert [name for name, _ in mine["dict"].items()] == list(theirs["dict"])
    assert "a" in mine["dict"]
    for bad in (5, -6):
        for made in (mine, theirs):
            with pytest.raises(IndexError):
                made["list"][bad]


def test_losses_keep_the_weights_of_classes():
    """Each loss has torch's buffers, and draws nothing."""
    ours.manual_seed(1)
    weight, before = [0.5, 2.0], ours.get_rng_state().tobytes()
    names = set(torch.nn.modules.loss.__all__) - {"LinearCrossEntropyLoss", "NLLLoss2d"}
    for name in names:
        options = inspect.signature(getattr(torch.nn, name)).parameters
        given = [key for key in ("weight", "pos_weight") if key in options]
        for keys in ([], given):
            made = [
                getattr(nn, name)(**{key: array(weight) for key in keys}).state_dict()
                for nn, array in ((torch.nn, torch.tensor), (ours.nn, np.array))
            ]
            assert list(made[0]) == list(made[1]) == keys
            assert all(value.tolist() == weight for value in made[1].values())
    by_place = ours.nn.MultiMarginLoss(1, 1.0, np.array(weight))
    assert by_place.weight.tolist() == weight
    assert ours.get_rng_state().tobytes() == before


class Model:
    """The same code against either package's `nn`."""

    def build(self, nn):
        """A model as users write them."""

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(
                    nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                    nn.MaxPool2d(2), nn.Flatten(),
                )  # fmt: skip
                self.embed = nn.Embedding(10, 6, padding_idx=0)
                self.heads = nn.ModuleDict({"a": nn.Linear(6, 2), "b": nn.Linear(6, 1)})
                self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16) for _ in range(2))

        return Net()


def test_a_users_model_is_built_by_the_same_code():
    """`torch.manual_seed(s)` and a model's own class give the same state dict in both."""
    for seed in (0, 42, 2**40):
        torch.manual_seed(seed)
        ours.manual_seed(seed, cpu_capability=CAPABILITY)
        theirs, mine = (Model().build(nn).state_dict() for nn in (torch.nn, ours.nn))
        assert list(theirs) == list(mine)
        for name, value in theirs.items():
            assert mine[name].tobytes() == DRAWS["data"](value), name
