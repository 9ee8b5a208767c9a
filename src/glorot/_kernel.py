# SPDX-License-Identifier: Apache-2.0
"""Fill arrays with a law's values: check the array, then call the native kernel or the reference.

Element (i, j, ...) of the array gets the value of index  start + i * strides[0] + ...;  whole
tensors, shards and permuted orders differ in `start` and `strides` alone.
"""

import contextlib
import functools
import importlib
import math
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glorot import _laws, _reference
from glorot._dtypes import FLOATS, dtype_name
from glorot._memory import address, row_major
from glorot._stream import INDEX_BITS, Stream

if TYPE_CHECKING:
    from glorot._batch import Batch

_WORDS = np.dtype(np.uint32)
# The codes that native/laws.h knows; uint32 is the raw words.
_DTYPE_CODES = {dtype: code for code, dtype in enumerate((*FLOATS.values(), _WORDS))}
_LAW_CODES = {"words": 0, "uniform": 1, "normal": 2, "truncated_normal": 3}
_LAW_STRUCT = struct.Struct("<4I6d5Q")
_LOW = 0xFFFFFFFFFFFFFFFF
_NO_BOUNDS = (-math.inf, math.inf)

Array = np.ndarray[Any, np.dtype[Any]]


class _Unusable:
    """Stands where the kernel would: each use of it raises what is wrong with GLOROT_TARGET.

    So `import glorot` never fails, and the command line can tell the error in one line.
    """

    def __init__(self, error: str) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise ValueError(self._error)


def load_native() -> Any:
    """The compiled kernel, or None where the package was installed without a compiler.

    GLOROT_TARGET forces an instruction set (avx512, avx2, neon, portable) or, with `reference`,
    the NumPy code; asking for one that is not there is an error at first use, never a silent
    change.
    """
    wanted = os.environ.get("GLOROT_TARGET", "")
    if wanted == "reference":
        return None
    try:
        native = importlib.import_module("glorot._native")
    except ImportError:
        if wanted:
            return _Unusable(
                f"GLOROT_TARGET={wanted!r} needs the compiled kernel, and this installation has "
                "none. Reinstall glorot where a C++20 compiler is found, or unset GLOROT_TARGET."
            )
        return None
    if wanted and wanted not in native.targets():
        return _Unusable(
            f"GLOROT_TARGET={wanted!r} cannot run here. This machine has "
            f"{', '.join(native.targets())} and reference (the NumPy code); unset it for the first."
        )
    if wanted:
        native.set_target(wanted)
    return native


_native = load_native()


def target() -> str:
    """The kernel in use: an instruction set of the native one, or "reference"."""
    return str(_native.target()) if _native is not None else "reference"


MOST_THREADS = 1024


@functools.cache
def _threads_allowed(setting: str) -> int:
    if not setting:
        return min(usable_cpus(), MOST_THREADS)
    digits = setting.lstrip("0")
    if (
        not (setting.isascii() and setting.isdecimal())
        or len(digits) > 4
        or not 1 <= int(setting) <= MOST_THREADS
    ):
        shown = setting if len(setting) <= 20 else f"{setting[:20]}..."
        raise ValueError(
            f"GLOROT_THREADS must be a whole number from 1 to {MOST_THREADS}, got {shown!r}. "
            "Unset it to use every CPU that this process may run on."
        )
    return int(setting)


def usable_cpus() -> int:
    """How many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def allowed_threads() -> int:
    """How many threads a fill may use: GLOROT_THREADS, else the CPUs this process may run on."""
    return _threads_allowed(os.environ.get("GLOROT_THREADS", ""))


class _Fills(threading.local):
    """What holds for the fills of one thread."""

    alone = False


_fills = _Fills()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Fills by this thread are not split: each of many threads has its own to do."""
    before, _fills.alone = _fills.alone, True
    try:
        yield
    finally:
        _fills.alone = before


def check_environment() -> None:
    """Raise now what a fill would raise of GLOROT_TARGET and GLOROT_THREADS."""
    target()
    allowed_threads()


@functools.lru_cache(maxsize=4096)
def _encode(law: Any, dtype: np.dtype[Any]) -> bytes:
    """The law's constants as native/laws.h reads them."""
    if law is None:
        return _LAW_STRUCT.pack(0, 0, 0, 0, *[0.0] * 6, *[0] * 5)
    if _reference.is_block_law(law):
        reals, integers = law.native()
        return _LAW_STRUCT.pack(
            *(law.code, 0, 0, 0),
            *(*reals, *[0.0] * (6 - len(reals))),
            *(*integers, *[0] * (5 - len(integers))),
        )
    bits = 64 if dtype == FLOATS["float64"] else 32
    integers = (0, 0, 0, 0, 0)
    if law.kind == "truncated_normal":
        integers = (law.first, law.words, *law.cuts(bits))
    multiplier = law.multiplier(bits)
    real = np.float64 if bits == 64 else np.float32
    peak = float(real(law.peak(bits)) * real(multiplier)) if law.mean else 0.0
    return _LAW_STRUCT.pack(
        _LAW_CODES[law.kind],
        int(law.mean != 0.0),
        0,
        0,
        multiplier,
        peak,
        law.mean,
        *(law.bounds or _NO_BOUNDS),
        0.0,
        *integers,
    )


def fill(
    out: "np.ndarray[Any, np.dtype[Any]]",
    law: Any,
    stream: Stream,
    start: int = 0,
    strides: Sequence[int] | None = None,
    threads: int | None = None,
    batch: "Batch | None" = None,
) -> None:
    """Write the law's values into `out`, in place.

    Args:
        out: the memory: any shape, any strides, any alignment, a float dtype of `_dtypes.FLOATS`
            (uint32 when `law` is None).
        law: a law of `_laws`, a `_reference.BlockLaw`, or None for the raw words.
        stream: of the tensor, from `_stream.stream`.
        start: the index of out[0, 0, ...], 0 <= start < 2**63.
        strides: index step along each axis of `out`, not negative; row-major when None.
        threads: at most so many; `allowed_threads()` when None. The bytes never depend on it.
        batch: with which it may wait.
    """
    if out.dtype not in _DTYPE_CODES or (law is None) != (out.dtype == _WORDS):
        raise TypeError(f"cannot fill an array of dtype {dtype_name(out.dtype)} with this law.")
    if not out.flags.writeable:
        raise ValueError("`out` must be writeable, got a read-only array. Pass a copy.")
    if out.size == 0:
        return
    straight = strides is None and out.flags.c_contiguous
    steps: tuple[int, ...] = ()
    if straight:  # nearly every call: nothing is computed of the axes
        last = start + out.size - 1
    else:
        steps = row_major(out.shape) if strides is None else tuple(strides)
        last = start + sum((n - 1) * step for n, step in zip(out.shape, steps, strict=True))
    if start < 0 or (steps and min(steps) < 0) or last >> INDEX_BITS:
        raise ValueError(f"indices {start}..{last} leave the stream's range [0, 2**63).")
    if _native is None:
        allowed_threads()  # a setting that the kernel would refuse is refused here too
        with np.errstate(over="ignore"):
            _reference.fill(out, law, stream, start, steps or row_major(out.shape))
        return
    begin = address(out)
    if straight or (batch is not None and _consecutive(out, steps)):
        fill_straight(begin, out.dtype, out.size, law, stream, start, threads, batch, out)
        return
    if batch is not None:
        batch.before(out)
    _native.fill_strided(
        begin, _DTYPE_CODES[out.dtype], _encode(law, out.dtype), stream.key,
        stream.counter & _LOW, stream.counter >> 64, start, out.shape, steps, out.strides,
        threads_for(threads),
    )  # fmt: skip


def fill_straight(
    begin: int,
    dtype: np.dtype[Any],
    count: int,
    law: Any,
    stream: Stream,
    start: int,
    threads: int | None,
    batch: "Batch | None",
    held: object,
) -> bool:
    """Write `count` consecutive elements at the address `begin`, the first of index `start`: `fill`
    without an array.  Nothing is checked; False, and nothing written, where nothing was compiled.

    Args:
        held: what keeps the memory, for a batch.
    """
    if _native is None:
        return False
    code, constants = _DTYPE_CODES[dtype], _encode(law, dtype)
    low, high = stream.counter & _LOW, stream.counter >> 64
    if batch is not None:
        task = (begin, code, constants, stream.key, low, high, start, count)
        if batch.add(task, count * dtype.itemsize, held):
            return True
        threads = batch.threads
    most = threads_for(threads)
    _native.fill_run(begin, code, constants, stream.key, low, high, start, count, most)
    return True


def together(threads: int) -> Any:
    """What fills for a `Batch`: `add(tasks, held)` takes lists of (address, dtype, law, key,
    counter's halves, start, count), `wait(seconds)` says whether all is done, `stop()` leaves the
    rest undone."""
    return _native.Together(threads)


def threads_for(most: int | None) -> int:
    """How many threads a fill that was given `most` has."""
    if most is not None:
        return most
    return 1 if _fills.alone else allowed_threads()


def _consecutive(out: Array, steps: Sequence[int]) -> bool:
    rows = zip(out.shape, steps, row_major(out.shape), strict=True)
    return out.flags.c_contiguous and all(n == 1 or step == row for n, step, row in rows)


def moments(values: "np.ndarray[Any, np.dtype[Any]]") -> tuple[float, float]:
    """(sum, sum of squares) in float64 of a contiguous array of a float dtype."""
    if _native is None:
        wide = values.astype(np.float64).reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(wide.sum()), float(wide @ wide)
    total, squares = _native.moments(
        values.__array_interface__["data"][0], _DTYPE_CODES[values.dtype], values.size
    )
    return total, squares


class Measured(NamedTuple):
    """The sum and the sum of squares of some values in float64, and the CRC-32 of their bytes."""

    total: float
    squares: float
    crc: int


def fill_measured(out: Array, law: Any, stream: Stream, start: int) -> Measured | None:
    """Fill a contiguous array with the values from index `start` on, on this thread alone, and
    measure each piece while it is in the cache; None, and nothing filled, where that cannot be."""
    native = getattr(_native, "fill_measured", None)
    if native is None:
        return None
    return Measured(
        *native(
            out.__array_interface__["data"][0], _DTYPE_CODES[out.dtype], _encode(law, out.dtype),
            stream.key, stream.counter & _LOW, stream.counter >> 64, start, out.size,
        )
    )  # fmt: skip


def native_crc32() -> Any:
    """The native crc32(before, address, count), or None where zlib is to do it."""
    return getattr(_native, "crc32", None)


def apply(law: Any, words: "np.ndarray[Any, np.dtype[Any]]", dtype: str = "float32") -> Array:
    """The law's values for uint32 words given directly, in any dtype but float64: for checks over
    all words."""
    words = np.ascontiguousarray(words, dtype=np.uint32)
    if _native is None:
        with np.errstate(over="ignore"):
            result: Array = _laws.values(np, law, FLOATS[dtype], words)
        return result
    out = np.empty(words.shape, dtype=FLOATS[dtype])
    _native.apply(
        _encode(law, out.dtype),
        _DTYPE_CODES[out.dtype],
        words.__array_interface__["data"][0],
        words.size,
        out.__array_interface__["data"][0],
    )
    return out


@contextlib.contextmanager
def forced(name: str) -> Iterator[None]:
    """Run the block on one target ("avx2", "portable", "reference", ...): for tests."""
    global _native
    before, before_target = _native, target()
    if name == "reference":
        _native = None
    else:
        _native = importlib.import_module("glorot._native")
        _native.set_target(name)
    try:
        yield
    finally:
        _native = before
        if before is not None:
            before.set_target(before_target)
