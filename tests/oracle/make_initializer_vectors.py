# SPDX-License-Identifier: Apache-2.0
"""Known answers of whole initializers: options and shape -> fans, scale, index order, values.

    python tests/oracle/make_initializer_vectors.py [--check]

Beside make_vectors.py, in the same way: written from docs/stream.md and docs/initializers.md, in
exact arithmetic, sines in 300 bits, without NumPy or glorot.  Fans and canonical orders are written
out by hand for each case, so that they do not come from the code they test.
"""

import json
import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
from make_vectors import FORMATS, Law, encoded, rounded, stream_word, value, write_or_check

SEED, NAME = 20101031, "encoder.Schicht-ß.kernel"
CORRECTION = 0.87962566103423978


class Case(NamedTuple):
    """One initializer on one shape; `canonical` lists the axes in canonical order, and `sparse` is
    the sparsity and the axis of the incoming weights it thins out."""

    initializer: str
    options: dict[str, Any]
    shape: tuple[int, ...]
    law: Law
    canonical: tuple[int, ...] | None = None
    sparse: tuple[float, int] | None = None


def scaled(distribution: str, scale: float, fan: float, gain: float = 1.0) -> Law:
    """Variance scaling's law, by the formulas of docs/stream.md."""
    fan = max(1.0, fan)
    if distribution == "uniform":
        return Law("uniform", gain * math.sqrt(3.0 * scale / fan))
    stddev = gain * math.sqrt(scale / fan)
    if distribution == "normal":
        return Law("normal", stddev)
    return Law("truncated_normal", stddev / CORRECTION, lower=-2.0, upper=2.0)


CASES = (
    Case("GlorotUniform", {}, (784, 256), scaled("uniform", 1.0, (784 + 256) / 2.0)),
    Case("GlorotUniform", {}, (), scaled("uniform", 1.0, 1.0)),
    Case("GlorotUniform", {}, (7,), scaled("uniform", 1.0, 7.0)),
    Case("GlorotUniform", {}, (3, 3, 64, 128), scaled("uniform", 1.0, (576 + 1152) / 2.0)),
    Case("GlorotUniform", {"gain": 1.5}, (5, 9), scaled("uniform", 1.0, 7.0, gain=1.5)),
    Case("GlorotNormal", {}, (300, 517), scaled("truncated", 1.0, (300 + 517) / 2.0)),
    Case("HeUniform", {}, (3, 3, 8, 16), scaled("uniform", 2.0, 72.0)),
    Case("HeNormal", {}, (1001, 3), scaled("truncated", 2.0, 1001.0)),
    Case("LecunUniform", {}, (11, 5), scaled("uniform", 1.0, 11.0)),
    Case("LecunNormal", {}, (2, 3, 5), scaled("truncated", 1.0, 6.0)),
    Case(
        "VarianceScaling",
        {"scale": 0.7, "mode": "fan_out", "distribution": "untruncated_normal"},
        (40, 30),
        scaled("normal", 0.7, 30.0),
    ),
    Case(
        "VarianceScaling",
        {"scale": 1.3, "mode": "fan_geo_avg", "distribution": "uniform"},
        (40, 30),
        scaled("uniform", 1.3, math.sqrt(40.0 * 30.0)),
    ),
    Case("RandomUniform", {}, (6, 6), Law("uniform", 0.05)),
    Case(
        "RandomUniform",
        {"minval": 0.1, "maxval": 1.0},
        (6, 6),
        Law("uniform", (1.0 - 0.1) / 2, mean=(1.0 + 0.1) / 2, bounds=(0.1, 1.0)),
    ),
    Case("RandomNormal", {"mean": 1.0, "stddev": 0.02}, (6, 7), Law("normal", 0.02, mean=1.0)),
    Case("TruncatedNormal", {}, (6, 7), Law("truncated_normal", 0.05, lower=-2.0, upper=2.0)),
    Case(
        "TruncatedNormal",
        {"stddev": 0.3, "lower": -1.0, "upper": 3.0},
        (6, 7),
        Law("truncated_normal", 0.3, lower=-1.0, upper=3.0),
    ),
    # Layouts: the fans of the layer, not of the shape.
    Case(
        "GlorotUniform",
        {"layout": "torch.linear"},
        (256, 784),
        scaled("uniform", 1.0, (784 + 256) / 2.0),
    ),
    Case(
        "GlorotUniform",
        {"layout": "torch.linear", "order": "canonical"},
        (256, 784),
        scaled("uniform", 1.0, (784 + 256) / 2.0),
        canonical=(1, 0),
    ),
    Case(
        "HeNormal",
        {"layout": "torch.conv", "order": "canonical"},
        (16, 8, 3, 5),
        scaled("truncated", 2.0, 8 * 15.0),
        canonical=(2, 3, 1, 0),
    ),
    Case(
        "GlorotUniform",
        {"layout": "torch.conv_transpose"},
        (32, 64, 3, 3),
        scaled("uniform", 1.0, (288 + 576) / 2.0),
    ),
    Case(
        "GlorotUniform",
        {"layout": "keras.depthwise_conv"},
        (3, 3, 4, 2),
        scaled("uniform", 1.0, (9 + 18) / 2.0),
    ),
    Case(
        "GlorotUniform",
        {"batch_axes": 0},
        (8, 200, 100),
        scaled("uniform", 1.0, (200 + 100) / 2.0),
    ),
    Case(
        "GlorotNormal",
        {"equation": "btd,dhk->bthk"},
        (20, 4, 5),
        scaled("truncated", 1.0, 20.0),
    ),
    Case("GlorotUniform", {"fan_out": 64}, (64, 192), scaled("uniform", 1.0, 64.0)),
    # Zeros where the second lane's words are smallest among an output's incoming weights.
    Case(
        "Sparse",
        {"sparsity": 0.55, "stddev": 0.02},
        (9, 7),
        Law("normal", 0.02),
        sparse=(0.55, 0),
    ),
    Case(
        "Sparse",
        {"sparsity": 0.4, "layout": "torch.linear", "order": "canonical"},
        (7, 9),
        Law("normal", 0.01),
        canonical=(1, 0),
        sparse=(0.4, 1),
    ),
)
DTYPES = "float32", "float64", "bfloat16", "float16", "float8_e4m3fn"
# Sinusoids: options, shape.  Their float64 is near the exact sine, not rounded to the bit.
POSITIONS: tuple[tuple[dict[str, Any], tuple[int, ...]], ...] = (
    ({}, (512, 96)),
    ({}, (9, 7)),
    ({"interleaved": True}, (2, 512, 64)),
    ({"interleaved": True, "base": 100.0}, (40, 9)),
    ({"endpoint": True}, (1500, 384)),
    ({"endpoint": True, "interleaved": True}, (30, 10)),
)
# SamplingOffsets: heads, points, levels.
OFFSETS: tuple[tuple[int, int | list[int], int], ...] = (
    (8, 4, 4),
    (12, 3, 1),
    (7, [3, 6, 2], 1),
    (1, 2, 1),
)


def index_of(case: Case, place: tuple[int, ...]) -> int:
    """The element's index: row-major over the axes in their order."""
    index = 0
    for axis in case.canonical or range(len(case.shape)):
        index = index * case.shape[axis] + place[axis]
    return index


def is_zero(case: Case, place: tuple[int, ...]) -> bool:
    """Whether `Sparse` put a zero there."""
    if case.sparse is None:
        return False
    sparsity, axis = case.sparse
    draws = [
        stream_word(SEED, NAME, 1, index_of(case, (*place[:axis], i, *place[axis + 1 :])))
        for i in range(case.shape[axis])
    ]
    return draws[place[axis]] in sorted(draws)[: math.ceil(sparsity * len(draws))]


def places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The first element, the last, and two between."""
    for part in (0.0, 0.25, 0.6, 1.0):
        yield tuple(round(part * (n - 1)) for n in shape)


def sinusoid(options: dict[str, Any], shape: tuple[int, ...], place: tuple[int, ...]) -> Fraction:
    """The exact sine or cosine of the float64 angle that docs/stream.md gives."""
    width, column = shape[-1], place[-1]
    if options.get("interleaved"):
        which, cosine = column // 2, column % 2 == 1
    else:
        sines = math.ceil(width / 2)
        which, cosine = column % sines, column >= sines
    with mpmath.workprec(300):
        power = mpmath.mpf(-2 * which) / (width - 2 if options.get("endpoint") else width)
        frequency = float(mpmath.mpf(options.get("base", 10000.0)) ** power)
        found = (mpmath.cos if cosine else mpmath.sin)(place[-2] * frequency)
    sign, digits, exponent, _ = found._mpf_
    return (-1) ** sign * Fraction(int(digits)) * Fraction(2) ** exponent


def sampling_offset(heads: int, levels: list[int], at: int) -> Fraction:
    """The exact step of a head's point along one axis, but for a tangent's last bits."""
    steps = [step for points in levels for step in range(1, points + 1)]
    head, rest = divmod(at, 2 * len(steps))
    step, axis = steps[rest // 2], rest % 2
    with mpmath.workprec(300):
        angle = 2 * mpmath.pi * head / heads
        pair = mpmath.cos(angle), mpmath.sin(angle)
        found = pair[axis] / max(map(abs, pair))
        if abs(found) < mpmath.mpf(2) ** -200:
            return Fraction(0)
        sign, digits, exponent, _ = (step * found)._mpf_
    return (-1) ** sign * Fraction(int(digits)) * Fraction(2) ** exponent


def initializer_lines() -> Iterator[str]:
    yield "# Whole initializers; append-only.  Results as their bits."
    yield "# init  CLASS OPTIONS SHAPE          options and shape are JSON"
    yield f"# value DTYPE PLACE VALUE           seed {SEED}, name {json.dumps(NAME)}"
    for case in CASES:
        options = json.dumps(case.options, separators=(",", ":"))
        shape = json.dumps(case.shape, separators=(",", ":"))
        yield f"init {case.initializer} {options} {shape}"
        for dtype in DTYPES:
            for place in dict.fromkeys(places(case.shape)):
                index = index_of(case, place)
                word, low = (stream_word(SEED, NAME, lane, index) for lane in (0, 2))
                at = json.dumps(place, separators=(",", ":"))
                bits = value(case.law, dtype, word, low)
                yield f"value {dtype} {at} {'0' * len(bits) if is_zero(case, place) else bits}"
    for given, shape in POSITIONS:
        options = json.dumps(given, separators=(",", ":"))
        yield f"init Sinusoids {options} {json.dumps(shape, separators=(',', ':'))}"
        for dtype in DTYPES:
            for place in dict.fromkeys(places(shape)):
                if dtype != "float64":
                    exact = rounded(sinusoid(given, shape, place), FORMATS["float32"])
                    bits = encoded(rounded(exact, FORMATS[dtype]), exact < 0, FORMATS[dtype])
                    at = json.dumps(place, separators=(",", ":"))
                    yield f"value {dtype} {at} {bits}"
    for heads, points, times in OFFSETS:
        levels = points if isinstance(points, list) else [points] * times
        shape = (2 * heads * sum(levels),)
        options = json.dumps({"heads": heads, "points": points}, separators=(",", ":"))
        yield f"init SamplingOffsets {options} {json.dumps(shape, separators=(',', ':'))}"
        for dtype in DTYPES:
            for place in dict.fromkeys((*places(shape), (shape[0] // 3,), (shape[0] // 2 + 1,))):
                if dtype != "float64":
                    exact = rounded(sampling_offset(heads, levels, *place), FORMATS["float32"])
                    bits = encoded(rounded(exact, FORMATS[dtype]), exact < 0, FORMATS[dtype])
                    at = json.dumps(place, separators=(",", ":"))
                    yield f"value {dtype} {at} {bits}"


if __name__ == "__main__":
    sys.exit(write_or_check({"initializers-v1.txt": initializer_lines}))
