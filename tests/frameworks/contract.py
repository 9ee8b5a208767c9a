# SPDX-License-Identifier: Apache-2.0
"""The contract that every framework's adapter keeps: the bytes of a weight are NumPy's.

A test module of an adapter makes an `Adapter` and a subclass of `Contract`:

    class TestMine(contract.Contract):
        adapter = MyAdapter()

contract_matrix.py runs the same comparisons of all adapters, and prints a matrix.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import pytest

import glorot
from glorot._dtypes import FLOATS, dtype_name

SEED, NAME = 2**40 + 42, "encoder.layers.0.weight"

LAWS: dict[str, glorot.Initializer] = {
    "uniform": glorot.RandomUniform(-0.25, 0.75),
    "normal": glorot.RandomNormal(0.5, 0.02),
    "truncated_normal": glorot.TruncatedNormal(stddev=0.02),
    "truncated_open": glorot.TruncatedNormal(mean=-1.0, stddev=0.5, lower=-1.0, upper="inf"),
    "glorot_uniform": glorot.GlorotUniform(layout="torch.linear"),
    "glorot_normal": glorot.GlorotNormal(layout="torch.linear", gain=1.5),
    "he_uniform": glorot.HeUniform(layout="torch.linear", order="canonical"),
    "he_normal": glorot.HeNormal(layout="torch.linear", order="canonical"),
    "lecun_uniform": glorot.LecunUniform(fan_in=7),
    "lecun_normal": glorot.LecunNormal(),
    "variance_scaling": glorot.VarianceScaling(2.0, "fan_geo_avg", "untruncated_normal"),
    "orthogonal": glorot.Orthogonal(gain=1.25),
    "sparse": glorot.Sparse(0.5, 0.1),
    "zeros": glorot.Zeros(),
    "ones": glorot.Ones(),
    "constant": glorot.Constant(0.375),
    "identity": glorot.Identity(0.5),
    "log_arange": glorot.LogArange(axis=0),
    "log_of_uniform": glorot.LogOfUniform(0.0, 16.0),
    "time_step": glorot.TimeStep(0.002, 0.5),
    "blocks": glorot.Blocks(
        [glorot.HeNormal(), glorot.Zeros(), glorot.GlorotUniform()], [20, 8, 1], axis=1
    ),
    "blocks_alone": glorot.Blocks(
        [glorot.TimeStep(), glorot.LogArange(0), glorot.RandomNormal()], [4, 7, 18], axis=1
    ),
    "blocks_orthogonal": glorot.Blocks(
        [glorot.Orthogonal(), glorot.RandomUniform()], [11, 18], axis=1
    ),
}
# Of more axes or fewer than a matrix, which all of the above are made for.
FIELDS: dict[str, tuple[glorot.Initializer, tuple[int, ...]]] = {
    "sampling_offsets": (glorot.SamplingOffsets(5, (2, 1)), (30,)),
    "sin_cos_grid": (glorot.SinCosGrid((5, 4)), (2, 20, 12)),
    "sinusoids": (glorot.Sinusoids(interleaved=True), (2, 20, 13)),
    "dirac": (glorot.Dirac(groups=2, layout="torch.conv"), (6, 3, 3, 3)),
    "delta_orthogonal": (glorot.DeltaOrthogonal(layout="torch.conv"), (7, 5, 3, 3)),
    "conv": (glorot.HeNormal(layout="torch.conv", groups=2), (6, 3, 3, 5)),
    "conv_canonical": (glorot.GlorotUniform(layout="torch.conv", order="canonical"), (5, 7, 3, 2)),
    "vector": (glorot.GlorotUniform(), (37,)),
    "scalar": (glorot.RandomNormal(), ()),
    "experts": (glorot.HeUniform(layout="BIO"), (3, 8, 5)),
    "qkv": (
        glorot.Blocks(glorot.GlorotUniform(layout="torch.linear"), [4, 1, 1], axis=0, repeat=2),
        (24, 10),
    ),
    "forget_bias": (glorot.Blocks(["zeros", "ones", "zeros", "zeros"], 4), (12,)),
}
QR = {"orthogonal", "delta_orthogonal", "blocks_orthogonal"}
# Each element of these is computed alone, so that a tensor too large for memory has parts (whose
# axes no blocks of the above divide).
ALONE = [name for name in LAWS if name not in {"orthogonal", "sparse"} and "blocks" not in name]

SHAPE = (37, 29)
EMPTY = [(0,), (0, 5), (5, 0), (3, 0, 2)]
PARTS = {
    "rows": (slice(5, 21), slice(None)),
    "columns": (slice(None), slice(3, 8)),
    "block": (slice(7, 30), slice(11, 28)),
    "element": (slice(36, 37), slice(28, 29)),
    "nothing": (slice(4, 4), slice(None)),
}
HUGE = (2**17, 2**16 + 3)  # more than 2**33 elements
HUGE_PARTS = {
    "across 2**32": ((65533, 65532), (3, 7)),
    "beyond 2**33": ((131066, 5), (5, 11)),
    "the last": ((2**17 - 1, 2**16 + 2), (1, 1)),
}


class Adapter:
    """What an adapter's tests supply: functions that return NumPy arrays."""

    name: ClassVar[str]  # framework and device, such as "torch cpu"
    dtypes: ClassVar[tuple[str, ...]] = tuple(FLOATS)  # those that the framework has
    tolerance: ClassVar[float] = 0.0  # of the laws in QR, where the device has a LAPACK of its own

    def whole(self, initializer: Any, shape: Any, dtype: str, *, seed: int, name: str) -> Any:
        """The whole weight."""
        raise NotImplementedError

    def part(
        self, initializer: Any, shape: Any, dtype: str, shard: Any, *, seed: int, name: str
    ) -> Any:
        """The part `shard` (a `glorot.Shard`) of a weight, computed alone."""
        raise NotImplementedError

    def forms(self) -> Mapping[str, Callable[..., Any]]:
        """Other ways to have the whole, each called as `whole` is: memory of other strides, inside
        of the framework's own tracing, sharded by the framework."""
        return {}


def expected(initializer: Any, shape: Any, dtype: str, shard: Any = None) -> Any:
    """What NumPy has."""
    return initializer(shape, dtype=dtype, seed=SEED, name=NAME, shard=shard)


def as_bytes(array: Any) -> Any:
    """The bytes of an array as unsigned integers, so that -0.0 and NaNs compare by their bits."""
    array = np.ascontiguousarray(array)
    return array.view(f"u{array.dtype.itemsize}")


def same(found: Any, wanted: Any, tolerance: float = 0.0) -> bool:
    """Whether two arrays have one dtype, shape and bytes (or values within `tolerance`)."""
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        return False
    if tolerance:  # and then one rounding to the dtype
        real = wanted.astype("f8")
        allowed = tolerance + np.abs(real) * float(ml_dtypes.finfo(wanted.dtype).eps)
        return bool((np.abs(found.astype("f8") - real) <= allowed).all())
    return bool((as_bytes(found) == as_bytes(wanted)).all())


def part_of(place: str) -> Any:
    """The part of SHAPE that `PARTS` has under this name, as a `glorot.Shard`."""
    bounds = [place.indices(size) for place, size in zip(PARTS[place], SHAPE, strict=True)]
    return glorot.Shard([first for first, _, _ in bounds], [last for _, last, _ in bounds])


def inner(shape: tuple[int, ...]) -> tuple[Any, tuple[slice, ...]]:
    """A part from inside of any shape, as a `glorot.Shard` and as slices."""
    bounds = [(size // 3, max(size // 3 + 1, 2 * size // 3)) for size in shape]
    shard = glorot.Shard([first for first, _ in bounds], [last for _, last in bounds])
    return shard, tuple(slice(*pair) for pair in bounds)


def cases() -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """(name, initializer, shape) of every law."""
    for name, initializer in LAWS.items():
        yield name, initializer, SHAPE
    for name, (initializer, shape) in FIELDS.items():
        yield name, initializer, shape


class Contract:
    """The tests; a subclass names its adapter."""

    adapter: ClassVar[Adapter]

    @pytest.fixture(autouse=True)
    def _has_dtype(self, request):
        """Dtypes that the framework lacks are no cases of it."""
        callspec = getattr(request.node, "callspec", None)
        self.has_dtype = callspec is None or callspec.params.get("dtype") in {
            None,
            *self.adapter.dtypes,
        }

    def fill(self, how: Callable[..., Any], initializer: Any, *args: Any) -> Any:
        """Call a function of the adapter; of a dtype that the framework lacks, see it refused."""
        if self.has_dtype:
            return how(initializer, *args, seed=SEED, name=NAME)
        with pytest.raises((TypeError, ValueError)):
            how(initializer, *args, seed=SEED, name=NAME)
        return None

    def check(self, law: str, found: Any, wanted: Any) -> None:
        """The bytes are NumPy's."""
        if found is not None:
            tolerance = self.adapter.tolerance if law in QR else 0.0
            assert same(found, wanted, tolerance), (law, dtype_name(wanted.dtype))

    @pytest.mark.parametrize("dtype", FLOATS)
    @pytest.mark.parametrize(
        ("law", "initializer", "shape"), [pytest.param(*case, id=case[0]) for case in cases()]
    )
    def test_whole(self, law, initializer, shape, dtype):
        """Every law, in every dtype: the bytes are NumPy's."""
        found = self.fill(self.adapter.whole, initializer, shape, dtype)
        self.check(law, found, expected(initializer, shape, dtype))

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize("law", LAWS)
    def test_part(self, law, part, dtype):
        """A part computed alone is that slice of the whole."""
        initializer = LAWS[law]
        found = self.fill(self.adapter.part, initializer, SHAPE, dtype, part_of(part))
        self.check(law, found, expected(initializer, SHAPE, dtype)[PARTS[part]])

    @pytest.mark.parametrize("law", FIELDS)
    def test_part_of_other_ranks(self, law):
        """So is one of a convolution, of stacked experts, of heads side by side."""
        initializer, shape = FIELDS[law]
        shard, index = inner(shape)
        found = self.fill(self.adapter.part, initializer, shape, "float32", shard)
        self.check(law, found, expected(initializer, shape, "float32")[index])

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
    @pytest.mark.parametrize("part", HUGE_PARTS)
    @pytest.mark.parametrize("law", ALONE)
    def test_part_of_more_than_2_to_the_32(self, law, part, dtype):
        """Indices of 64 bits: parts of a tensor of 2**33 elements are NumPy's."""
        start, extent = HUGE_PARTS[part]
        shard = glorot.Shard(start, [i + n for i, n in zip(start, extent, strict=True)])
        found = self.fill(self.adapter.part, LAWS[law], HUGE, dtype, shard)
        self.check(law, found, expected(LAWS[law], HUGE, dtype, shard))

    @pytest.mark.parametrize("shape", EMPTY)
    @pytest.mark.parametrize("law", ["uniform", "normal", "truncated_normal", "zeros"])
    def test_empty(self, law, shape):
        """A weight without elements has its shape and dtype."""
        found = self.fill(self.adapter.whole, LAWS[law], shape, "float32")
        self.check(law, found, expected(LAWS[law], shape, "float32"))
        assert found.shape == shape

    def test_every_form(self):
        """Every other way the adapter has to hold a weight gives NumPy's bytes, in every dtype."""
        for form, how in self.adapter.forms().items():
            for law, initializer, shape in cases():
                for dtype in self.adapter.dtypes:
                    found = how(initializer, shape, dtype, seed=SEED, name=NAME)
                    tolerance = self.adapter.tolerance if law in QR else 0.0
                    wanted = expected(initializer, shape, dtype)
                    assert same(found, wanted, tolerance), (form, law, dtype)

    def test_the_comparison_can_fail(self):
        """Another seed, another name, swapped axes and a value off by one bit are told apart."""
        initializer = LAWS["glorot_uniform"]
        wanted = expected(initializer, (8, 8), "float32")
        wrong = wanted.copy()
        as_bytes(wrong)[3, 5] ^= 1
        assert same(wanted, wanted.copy())
        for found in (
            wrong,
            wanted.T,
            initializer((8, 8), seed=SEED + 1, name=NAME),
            initializer((8, 8), seed=SEED, name=NAME + "x"),
            wanted.astype("float64"),
        ):
            assert not same(found, wanted)
        assert math.prod(HUGE) > 2**32
