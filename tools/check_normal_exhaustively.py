# SPDX-License-Identifier: Apache-2.0
"""Check the 32-bit normal law on every one of its 2**32 words.

    python tools/check_normal_exhaustively.py [--target NAME] [--processes N]   (make exhaustive)

For each word w in the lower half, by arithmetic wide enough that nothing can wrap:
  - no step of Horner's scheme leaves [0, 2**32), so 32-bit arithmetic gives the same;
  - the magnitude is within 2e-7 of the true quantile (scipy's ndtri of the exact probability);
  - the value is the magnitude's float32, negative, and that of ~w its mirror image, as the kernel
    computes them: the one in use, or an instruction set of it, or `reference`, the NumPy code;
  - the bounds between which the kernel first looks for the values in bfloat16 hold the
    magnitude, with room for every rounding on the way to a value;
  - as the word rises, no value falls more than 2 units of 2**-29 (4e-9 stddevs) below one before
    it: each step of Horner's scheme rounds down, which is coarser than the words near the middle.
Exits 1 when any of this fails, and prints the largest error with its word.
"""

import argparse
import functools
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri  # type: ignore[import-untyped]

from glorot import _kernel, _laws

Array = np.ndarray[Any, Any]
Values = Callable[[Array], Array]  # uint32 words -> the law's signed integers as float32
Bounds = Callable[[Array], tuple[Array, Array]]  # the one nearer to zero, the other

HALF = 1 << 31
OCTAVES = 32
UNIT = 2.0**-29
LARGEST_ERROR = 2e-7  # of the fixed-point quantile, in stddevs
LARGEST_FALL = 2  # below the largest quantile of the words before, in units
OVERLAP = 256  # words of the block before that a block repeats, to see falls between them
BLOCK = 1 << 16  # words at a time, so that temporaries stay in cache
CHUNK = 1 << 24  # words between two lines of progress
# Of the magnitude: its own float32, its product, a bound's scale and a bound are rounded once each.
ROOM = 4 * 2.0**-24


@dataclass
class Result:
    """What a check of some words found: the extremes, and sentences for what must not be."""

    error: float = 0.0
    word: int = 0
    largest: int = 0
    smallest: int = 1 << 62
    fall: int = 0
    steps: tuple[int, int] = (1 << 62, 0)
    words: int = 0
    asked: int = 0
    room: float = 1.0
    faults: list[str] = field(default_factory=list)

    def merge(self, other: "Result") -> "Result":
        """Both results as one."""
        worst = max(self, other, key=lambda result: result.error)
        return Result(
            error=worst.error,
            word=worst.word,
            largest=max(self.largest, other.largest),
            smallest=min(self.smallest, other.smallest),
            fall=max(self.fall, other.fall),
            steps=(min(self.steps[0], other.steps[0]), max(self.steps[1], other.steps[1])),
            words=self.words + other.words,
            asked=self.asked + other.asked,
            room=min(self.room, other.room),
            faults=(self.faults + other.faults)[:20],
        )


def reference_values(words: Array) -> Array:
    """The law as `glorot._laws` defines it."""
    values: Array = _laws.Normal(1.0).integer(np, words, 32)
    return values


def native_values(words: Array) -> Array:
    """The same from the native kernel: at a stddev of 2**29 the values are the integers."""
    return _kernel.apply(_laws.Normal(2.0**29), words)


def native_bounds(words: Array) -> tuple[Array, Array]:
    """Bounds of those integers, opposite where the kernel computes the value by itself."""
    inner, outer = (np.empty(words.shape, dtype=np.float32) for _ in range(2))
    constants = _kernel._encode(_laws.Normal(2.0**29), inner.dtype)
    found = _kernel._native.normal_bounds(
        constants, words.ctypes.data, words.size, inner.ctypes.data, outer.ctypes.data
    )
    return (inner, outer) if found else reference_bounds(words)


def reference_bounds(words: Array) -> tuple[Array, Array]:
    """Where there are no bounds but the values."""
    values = reference_values(words)
    return values, values


def on_target(target: str) -> tuple[Values, Bounds]:
    """What computes values, and bounds of them, on a target, set for this process."""
    if target == "reference":
        return reference_values, reference_bounds
    _kernel._native.set_target(target)
    return native_values, native_bounds


def wide_magnitudes(words: Array, table: Array) -> tuple[Array, int, int]:
    """Magnitudes of words below 2**31, with the least and greatest step of Horner's scheme.

    Another way to the same integers: octave and fraction from float64's exponent and mantissa,
    steps in 64 bits.  `table` is (32 octaves * segments, degree + 1).
    """
    segments = len(table) // OCTAVES
    mantissa, exponent = np.frexp(2.0 * words + 1.0)
    place = (2.0 * mantissa - 1.0) * segments
    segment = np.floor(place)
    t = ((place - segment) * 2.0**32).astype(np.uint64)
    row = (OCTAVES - exponent) * segments + segment.astype(np.int64)
    columns = np.ascontiguousarray(table.T).astype(np.int64)
    step = columns[-1][row]
    least, most = int(step.min()), int(step.max())
    for column in columns[-2::-1]:
        product = (t * step.view(np.uint64)) >> np.uint64(32)
        step = column[row] - product.view(np.int64)
        least, most = min(least, int(step.min())), max(most, int(step.max()))
        if least < 0 or most >= 1 << 32:
            break  # the next product would not fit 64 bits
    return step | 1, least, most


def check(
    words: Array,
    table: Array,
    values: Values = reference_values,
    bounds: Bounds = reference_bounds,
) -> Result:
    """Check increasing uint32 words below 2**31 and their mirror images."""
    magnitude, least, most = wide_magnitudes(words, table)
    result = Result(steps=(least, most), words=2 * len(words))
    if least < 0 or most >= 1 << 32:
        result.faults.append(f"a step leaves 32 bits: {least}..{most}, {_where(words)}")
        return result
    result.smallest, result.largest = int(magnitude.min()), int(magnitude.max())

    quantile = ndtri((2.0 * words + 1.0) * 2.0**-33)
    error = np.abs(magnitude * UNIT + quantile)
    result.word = int(words[error.argmax()])
    result.error = float(error.max())
    if result.error > LARGEST_ERROR:
        result.faults.append(f"error {result.error:.3g} at word {result.word:#010x}")

    result.fall = int((magnitude - np.minimum.accumulate(magnitude)).max())
    if result.fall > LARGEST_FALL:
        result.faults.append(f"the quantile falls by {result.fall} units, {_where(words)}")

    below = values(words)
    inner, outer = (-bound.astype(np.float64) for bound in bounds(words))
    asked = (inner == -outer) | ((inner == -below) & (outer == -below))
    result.asked = 2 * int(asked.sum())
    room = np.minimum(magnitude - inner, outer - magnitude) / magnitude
    room[asked] = 1.0
    result.room = float(room.min())
    mirrored = np.stack(bounds(~words)) == np.stack([inner, outer])
    for what, fails in (
        ("value is not between its bounds, with room for roundings", room < ROOM),
        ("bounds are not the mirror image", ~mirrored.all(axis=0)),
        ("value is not the quantile's float32", below != -(magnitude.astype(np.float32))),
        ("value is not the mirror image", values(~words) != -below),
    ):
        if fails.any():
            result.faults.append(f"{what}: {fails.sum()} words, {_where(words[fails])}")
    return result


def _where(words: Array) -> str:
    return f"from word {int(words[0]):#010x}"


def check_range(start: int, *, stop: int, table: Array, target: str) -> Result:
    """Check the words from `start`, one chunk."""
    result, functions = Result(), on_target(target)
    for begin in range(start, min(start + CHUNK, stop), BLOCK):
        words = np.arange(max(0, begin - OVERLAP), begin + BLOCK, dtype=np.uint32)
        result = result.merge(check(words, table, *functions))
    return result


def main() -> int:
    """Check all words and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--stop", type=int, default=HALF, help="check words below this alone")
    parser.add_argument("--target", default=_kernel.target(), help="default: the kernel in use")
    arguments = parser.parse_args()
    began = time.monotonic()
    result = Result()
    starts = range(0, arguments.stop, CHUNK)
    table = _laws.normal_table(32)
    job = functools.partial(check_range, stop=arguments.stop, table=table, target=arguments.target)
    workers = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, mp_context=workers) as pool:
        parts = as_completed([pool.submit(job, start) for start in starts])
        for done, part in enumerate(parts, 1):
            result = result.merge(part.result())
            print(
                f"{done}/{len(starts)} chunks, {time.monotonic() - began:.0f} s, "
                f"largest error {result.error:.4g}, {len(result.faults)} faults",
                flush=True,
            )
    print(
        f"target {arguments.target}, {2 * arguments.stop} words\n"
        f"largest error {result.error:.6g} stddevs at word {result.word:#010x}\n"
        f"steps of Horner's scheme between {result.steps[0]:#x} and {result.steps[1]:#x}\n"
        f"magnitudes between {result.smallest * UNIT:.6g} and {result.largest * UNIT:.9f} stddevs\n"
        f"largest fall below an earlier word's value: {result.fall} units of 2**-29\n"
        f"least room between a magnitude and its bounds: {result.room * 2**24:.3g} of its 2**-24; "
        f"words without bounds: {result.asked / result.words:.3g} of all"
    )
    for fault in result.faults:
        print(f"FAULT: {fault}")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
