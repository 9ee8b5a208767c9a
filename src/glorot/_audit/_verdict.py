# SPDX-License-Identifier: Apache-2.0
"""From the measures of one segment to what is wrong with it, in words."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from glorot._audit._bytes import unit
from glorot._audit._causes import factor_words, likely_causes
from glorot._audit._distribution import Distribution
from glorot._audit._facts import Facts, Finding
from glorot._audit._measure import Measure
from glorot._audit._norms import judge_norms
from glorot._audit._promise import CONSTANT, LAW, MATRIX, NORMS, SPARSE, Segment, tolerance
from glorot._audit._sparsity import judge_zeros
from glorot._audit._tests import Outcome, distinct, scores
from glorot._words import digits_apart
from glorot.recipe import describe_law

MEMORY = "memory that nothing wrote (torch.empty)?"
_BITS = "rounded towards 0 (truncated bits), clipped, or drawn in few bits?"
_WILD = 1e4  # stddevs that no law reaches
_TINY_SHARE = 0.01
_FEW_VALUES = 0.9
_HALF = 0.5  # of the values: above it another law, of lighter tails, has so few too
_MANY = 20  # values, of which half by chance are not a few
_NO_ZEROS = 1e-6  # the probability of 0 below which another scale gives no zeros either
_HARDLY_ANY = 0.05  # of the values that a law has: other laws' values differ among themselves
# How far the mean, in stddevs, and the log of the root mean square of values may be off that a
# narrow type drew: in 3 bits of mantissa, rounded down, they lose a sixteenth.
_NEAR_MEAN, _NEAR_SPREAD = 0.2, 0.2
_FAR = 12.0  # stddevs at which no normal value lies


def judge_alone(found: Measure) -> Finding | None:
    """Return what is wrong whatever was promised: values that are no numbers."""
    wrong = found.nans + found.infinities
    if not wrong:
        return None
    parts = [(found.nans, "NaN"), (found.infinities, "infinite")]
    what = " and ".join(f"{count:,} {word}" for count, word in parts if count)
    text = f"{what} of {found.count:,} values: {MEMORY}"
    return Finding("not finite", (), text, -math.inf)


def judge(facts: Facts, limit: float) -> Finding | None:
    """Return the worst that is wrong with a segment, or None; `limit` is log p of one test."""
    found, segment = facts.found, facts.segment
    if not found.count:
        return None
    wrong = judge_alone(found)
    if wrong is not None:
        return wrong
    if segment.kind == CONSTANT:
        return _constant(facts)
    if segment.kind in (LAW, SPARSE, MATRIX, NORMS):
        for check in (_rounded_away, _untouched, judge_zeros, _square, judge_norms, _tests):
            wrong = check(facts, limit)
            if wrong is not None:
                return wrong
    return None


def without_zeros(found: Measure, most: int | None = None) -> Measure:
    """The measure of the values that are not 0, or of all but `most` zeros."""
    gone = found.zeros if most is None else min(most, found.zeros)
    rest = found.finite - gone
    if not rest or not gone:
        return found
    mean = found.mean * found.finite / rest
    square = found.square(0.0) * found.finite / rest
    counts, left = found.counts.copy(), gone
    sign = 1 << 8 * found.width - 1
    for place in np.flatnonzero((found.patterns & (sign - 1)) == 0):  # 0, then -0
        taken = min(left, int(counts[place]))
        counts[place] -= taken
        left -= taken
    kept = counts > 0
    return dataclasses.replace(
        found, count=found.count - gone, zeros=found.zeros - gone, mean=mean,
        stddev=math.sqrt(max(0.0, square - mean * mean)),
        patterns=found.patterns[kept], counts=counts[kept],
    )  # fmt: skip


def _law(segment: Segment) -> str:
    return describe_law(segment.initializer, segment.shape)


def _constant(facts: Facts) -> Finding | None:
    found, segment = facts.found, facts.segment
    value = float(segment.mean)  # of whole numbers no float64 beyond their ends is cast
    if facts.dtype.kind not in "iu":
        value = float(np.asarray(value).astype(facts.dtype).astype(np.float64))
    if found.smallest == found.largest == value:
        return None
    wild = abs(found.largest) > 1e6 or abs(found.smallest) > 1e6 or found.tiny
    if found.smallest == found.largest:
        digits = digits_apart((found.smallest, value), least=6)
        text = f"all {found.smallest:.{digits}g} where {value:.{digits}g} is promised"
        return Finding("constant", (text,), text, -math.inf)
    digits = digits_apart((found.smallest, found.largest))
    low, high = (f"{end:.{digits}g}" for end in (found.smallest, found.largest))
    span = f"from {low} to {high}, stddev {found.stddev:.4g}"
    hint = MEMORY if wild else "another rule's values, or a trained model?"
    kind = "uninitialised" if wild else "constant"
    return Finding(kind, (hint,), f"{span}, where {value:g} is promised: {hint}", -math.inf)


def _unlikely_equal(facts: Facts, limit: float) -> bool:
    """Whether so many values of the law are not all one by chance."""
    most = 2.0**-7
    if facts.law is not None:
        most = max(most, float(facts.law.table.probability.max()), facts.law.zero)
    return most < 1.0 and (facts.found.count - 1) * math.log(most) < limit


def _all_one(facts: Facts, log_p: float) -> Finding:
    value, law = facts.found.smallest, _law(facts.segment)
    text = f"all {value:.6g} where {law} is promised: nothing initialised it?"
    return Finding("uninitialised", ("one value",), text, log_p)


def _rounded_away(facts: Facts, limit: float) -> Finding | None:
    """Other values of a law whose every value the dtype rounds to one: no test has a scale. Who
    adds a mean in another way may have the value beside it."""
    del limit
    found, law = facts.found, facts.law
    if law is None or law.variance:
        return None
    away = max(found.largest - law.mean, law.mean - found.smallest)
    if away <= unit(facts.dtype) * abs(law.mean):
        return None
    digits = digits_apart((found.smallest, law.mean), (found.largest, law.mean))
    low, high, value = (f"{x:.{digits}g}" for x in (found.smallest, found.largest, law.mean))
    span = f"all {low}" if low == high else f"from {low} to {high}"
    text = f"{span} where {_law(facts.segment)} is promised, which {facts.dtype} rounds to {value}"
    return Finding("constant", (text,), text, -math.inf)


def _untouched(facts: Facts, limit: float) -> Finding | None:
    found, segment = facts.found, facts.segment
    if not segment.stddev or found.count < 2:
        return None
    if found.smallest == found.largest and _unlikely_equal(facts, limit):
        return _all_one(facts, -math.inf)
    reach = max(abs(found.smallest), abs(found.largest))
    tiny = found.tiny / found.count if segment.stddev > 1e-20 else 0.0
    if reach > _WILD * (segment.stddev + abs(segment.mean)) or tiny > _TINY_SHARE:
        text = (
            f"from {found.smallest:.3g} to {found.largest:.3g}, {found.tiny:,} of {found.count:,} "
            f"below 1e-30, where {_law(segment)} is promised: {MEMORY}"
        )
        return Finding("uninitialised", ("memory",), text, -math.inf)
    return None


def _square(facts: Facts, limit: float) -> Finding | None:
    """A matrix that is known as a whole has its mean square and singular values exactly. A wrong
    gain leaves these equal; where they are not, it is no factor that is wrong."""
    del limit
    found, segment = facts.found, facts.segment
    if segment.kind != MATRIX:
        return None
    if facts.taps is not None and facts.taps.astray:
        text = (
            f"{facts.taps.astray:,} of {facts.taps.others:,} values beside the centre tap are not "
            f"0, where {_law(segment)} is promised: another tap, or all of them?"
        )
        return Finding("matrix", ("taps",), text, -math.inf)
    near = tolerance(facts.dtype)
    ratio = math.sqrt(found.square(0.0)) / segment.stddev
    off = abs(ratio - 1) > near
    gain = getattr(segment.initializer, "gain", None)
    if gain is None or facts.spectrum is None:
        return _stddev(facts, ratio, -math.inf) if off else None
    low, high = facts.spectrum.smallest / gain, facts.spectrum.largest / gain
    if off and high - low <= 2 * near * high:
        return _stddev(facts, ratio, -math.inf)
    if off or low < 1 - near or high > 1 + near:
        digits = digits_apart((low, high), (low, 1.0), (high, 1.0))
        text = (
            f"singular values from {low * gain:.{digits}g} to {high * gain:.{digits}g} where all "
            f"{gain:g} are promised: not orthogonal"
        )
        return Finding("matrix", (), text, -math.inf)
    return None


def _stddev(facts: Facts, ratio: float, log_p: float) -> Finding:
    found, segment, law = facts.found, facts.segment, facts.law
    kurtosis = law.kurtosis if law is not None else 3.0
    error = math.sqrt(max(kurtosis - 1, 0.1) / 4 / max(found.finite, 1))
    if segment.kind == MATRIX:
        error = 1e-4
    expected = math.sqrt(law.variance) if law is not None else segment.stddev
    z = f", z {scores(found, law).variance:+.0f}" if law is not None else ""
    digits = digits_apart((ratio * expected, expected))
    both = f"{ratio * expected:.{digits}g}, {expected:.{digits}g} promised{z}"
    few = 2.0 ** -{"float16": 10, "bfloat16": 7}.get(facts.dtype.name, 0)
    if 0 < 1 - ratio < few < 1:
        text = f"stddev is {100 * (1 - ratio):.2g} % too small ({both}): {_BITS}"
        return Finding("precision", ("cause", "bits"), text, log_p)
    causes = tuple(likely_causes(facts.promise, segment, ratio, error))
    text = f"stddev is {factor_words(ratio, error)} ({both})"
    return Finding("stddev", ("ratio", f"{ratio:.2g}"), text, log_p, causes)


def _tests(facts: Facts, limit: float) -> Finding | None:
    """The tests that failed, of which one is said: the others follow from it, or say less."""
    failed = {o.kind: o for o in facts.outcomes if o.log_p < limit}
    found, law = facts.found, facts.law
    if law is None:
        return None
    if failed and "distinct" not in failed and found.patterns.size > 2 and _quantised(found, law):
        # no test of wide types, nor sure of very many values, but why others failed
        worst = min(outcome.log_p for outcome in failed.values())
        failed["distinct"] = distinct(found, law)._replace(log_p=worst)
    checks: list[Callable[[Facts, dict[str, Outcome]], Finding | None]] = [_one_value, _left_zero]
    checks += [_outside, _few_values, _one_far_out, _failed_stddev, _failed_mean, _failed_shape]
    return next((f for f in (check(facts, failed) for check in checks) if f is not None), None)


def _quantised(found: Measure, law: Distribution) -> bool:
    """Whether far fewer values are there than the law has in so many draws."""
    few = distinct(found, law)
    return few.expected > _MANY and few.seen < _HALF * few.expected


def _one_value(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    """A few equal values, too few for `_untouched`, that some test refuses; one alone only where
    it is 0, or the mean, so that no factor says how much too small its stddev is."""
    found, law = facts.found, facts.law
    if not failed or found.smallest != found.largest:
        return None
    if found.count < 2 and found.largest and (law is None or found.square(law.mean)):
        return None
    return _all_one(facts, min(outcome.log_p for outcome in failed.values()))


def _left_zero(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    """Zeros of which the law has none, or that are too many while all other values fit."""
    found, law = facts.found, facts.law
    assert law is not None
    if not failed or facts.segment.kind != LAW or found.zeros == found.count:
        return None
    more = found.zeros - round(found.finite * law.zero)
    if more <= 10 + 10 * math.sqrt(found.finite * law.zero):
        return None
    rest = without_zeros(found, more)
    if found.zeros < 4 * rest.counts.max() and _quantised(rest, law):  # 0 is one value of a few
        return None
    off = (rest.mean - law.mean) / math.sqrt(law.variance) * math.sqrt(rest.finite)
    spread = math.sqrt(rest.square(law.mean) / law.variance)
    error = math.sqrt((law.kurtosis - 1.0) / 4.0 / rest.finite)
    fits = abs(off) < 6 and abs(spread - 1.0) < 6 * error
    if not fits and law.zero > _NO_ZEROS:
        return None
    others = "the others fit" if fits else f"the others have a stddev of {rest.stddev:.4g}"
    text = (
        f"{found.zeros:,} of {found.count:,} values are 0 where {_law(facts.segment)} is promised, "
        f"and {others}: a part that nothing wrote, rows that were padded, or pruned?"
    )
    return Finding("uninitialised", ("zeros",), text, min(o.log_p for o in failed.values()))


def _outside(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    law, found = facts.law, facts.found
    assert law is not None
    if "stddev" in failed:
        return None
    room = max(abs(law.lower), abs(law.upper)) * (2.0**-6 if facts.dtype.itemsize < 4 else 1e-5)
    if facts.dtype.itemsize == 1:
        room = max(abs(law.lower), abs(law.upper)) * 0.125
    below, above = found.smallest < law.lower - room, found.largest > law.upper + room
    if not (below or above):
        return None
    digits = digits_apart(
        *[(found.smallest, law.lower)] * below, *[(found.largest, law.upper)] * above
    )
    text = (
        f"values from {found.smallest:.{digits}g} to {found.largest:.{digits}g}, and "
        f"{_law(facts.segment)} ends at {law.lower:.{digits}g} and {law.upper:.{digits}g}: not cut "
        "off, or another law of the same stddev?"
    )
    return Finding("outside", (), text, -math.inf)


def _few_values(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    few = failed.get("distinct")
    if few is None or few.seen > _FEW_VALUES * few.expected:
        return None
    law, narrow = facts.law, facts.dtype.itemsize <= 2
    assert law is not None
    if few.seen > _HALF * few.expected and "shape" in failed:
        return None
    off = (facts.found.mean - law.mean) / math.sqrt(law.variance)
    spread = math.sqrt(facts.found.square(law.mean) / law.variance)
    few_words = (
        f"{few.seen:.0f} different {'values' if narrow else 'leading 16 bits'} where "
        f"{few.expected:.0f} are expected, mean {100 * off:+.2f} % of a stddev"
    )
    if abs(off) < _NEAR_MEAN and abs(math.log(spread)) < _NEAR_SPREAD:
        drawn = f"drawn in {facts.dtype.name} and not rounded to it, or " if narrow else ""
        hint = f"{drawn}quantised?"
        return Finding("precision", (), f"{few_words}: {hint}", few.log_p)
    if abs(off) < _NEAR_MEAN or few.seen > _HARDLY_ANY * few.expected:
        return None  # the law is another, which its stddev or mean says
    hint = f"a constant or two, or {MEMORY}"
    return Finding("uninitialised", ("few",), f"{few_words}: {hint}", few.log_p)


def _one_far_out(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    """A normal law's only fault is one value, which alone makes the stddev too large."""
    law, found = facts.law, facts.found
    assert law is not None
    if "stddev" not in failed or law.law.kind != "normal" or found.finite < 2:
        return None
    value = max(found.smallest, found.largest, key=lambda end: abs(end - law.mean))
    off = abs(value - law.mean) / math.sqrt(law.variance)
    rest = (found.finite * found.square(law.mean) / law.variance - off * off) / (found.finite - 1)
    error = math.sqrt((law.kurtosis - 1.0) / found.finite)
    if off < _FAR or abs(rest - 1.0) > 6 * error:
        return None
    text = (
        f"one value is {value:.4g}, {off:.3g} stddevs from the mean, and the others fit "
        f"{_law(facts.segment)}: a trunc_normal_ whose uniform draw was 0, and gave its bound?"
    )
    return Finding("outside", ("far out",), text, -math.inf)


def _failed_stddev(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    if "stddev" not in failed or ("mean" in failed and _spreads_right(facts)):
        return None
    outcome = failed["stddev"]
    return _stddev(facts, outcome.seen / outcome.expected, outcome.log_p)


def _spreads_right(facts: Facts) -> bool:
    """Whether the stddev around the values' own mean is the promised one: the test of the stddev
    is about the promised mean, which may alone be wrong."""
    found, law = facts.found, facts.law
    assert law is not None
    ratio = math.sqrt(found.square(found.mean) / law.variance)
    return abs(ratio - 1.0) < 6.0 * math.sqrt((law.kurtosis - 1.0) / 4.0 / found.finite)


def _failed_mean(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    if "mean" not in failed:
        return None
    law, outcome = facts.law, failed["mean"]
    assert law is not None
    off = (outcome.seen - outcome.expected) / math.sqrt(law.variance)
    hint = "" if facts.dtype.itemsize > 2 else f": drawn in {facts.dtype.name}, or rounded down?"
    digits = digits_apart((outcome.seen, outcome.expected))
    text = (
        f"mean is {outcome.seen:.{digits}g}, {100 * abs(off):.3g} % of a stddev "
        f"{'above' if off > 0 else 'below'} the {outcome.expected:.{digits}g} promised (z "
        f"{scores(facts.found, law).mean:+.1f}){hint}"
    )
    return Finding("mean", (), text, outcome.log_p)


def _failed_shape(facts: Facts, failed: dict[str, Outcome]) -> Finding | None:
    kinds = ("shape", "pile") if "shape" in failed else ("pile", "distinct")
    left = [failed[kind] for kind in kinds if kind in failed]
    if not left:
        return None
    outcome = min(left, key=lambda o: o.log_p)
    law = _law(facts.segment)
    narrow = facts.dtype.itemsize <= 2
    group = ("cause", "bits") if narrow and outcome.kind == "pile" else ()
    if outcome.kind == "shape":
        kind = "shape"
        text = (
            f"not {law}, though mean and stddev fit: its distribution function is "
            f"{outcome.seen:.2g} off (Kolmogorov-Smirnov): another law of the same stddev?"
        )
    elif outcome.kind == "pile":
        kind = "precision" if narrow else "shape"
        text = (
            f"one value in {100 * outcome.seen:.3g} % of the places where {law} has it in "
            f"{100 * outcome.expected:.3g} %: {_BITS if narrow else 'clipped?'}"
        )
    else:
        kind = "precision"
        text = (
            f"{outcome.seen:.0f} different values where {outcome.expected:.0f} are expected: drawn "
            f"in {facts.dtype.name} and not rounded to it?"
        )
    return Finding(kind, group, text, outcome.log_p)
