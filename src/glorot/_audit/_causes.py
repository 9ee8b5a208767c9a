# SPDX-License-Identifier: Apache-2.0
"""From a ratio of standard deviations to what probably went wrong, by the rule's own numbers.

Each known mistake has a factor that it would multiply the standard deviation with.  Those that
match what was measured, within its own error, are said; the more specific first.
"""

import math
from collections.abc import Iterator

from glorot._audit._promise import Promise, Segment
from glorot._fans import Axes
from glorot._laws import TruncatedNormal, Uniform
from glorot._layouts import BATCH, GROUP, SPATIAL
from glorot._variance_scaling import TRUNCATED_STDDEV, VarianceScaling

Candidate = tuple[float, str]


def likely_causes(promise: Promise, segment: Segment, ratio: float, error: float) -> list[str]:
    """Return the causes, in words, of a stddev that is `ratio` times what it should be.

    Args:
        error: the relative standard error of the ratio.
    """
    if not (0 < ratio < math.inf) or error > 0.1:
        return []
    margin = 4 * error + 0.002
    found: dict[str, str] = {}  # by what they say, whoever counts that way
    for factor, words in _candidates(promise, segment):
        if factor > 0 and abs(math.log(factor)) > margin and abs(math.log(ratio / factor)) < margin:
            found.setdefault(words.partition(", as ")[0], words)
    return list(found.values())


def factor_words(ratio: float, error: float) -> str:
    """A ratio in words: "sqrt(3) too small", "12 times too large", "3.1 % too small"."""
    way = "small" if ratio < 1 else "large"
    factor = max(ratio, 1 / ratio) if ratio else math.inf
    square = factor * factor
    near = round(square)
    margin = 0.001 + 6 * error * square
    if 2 <= near <= 512 and margin < 0.35 and abs(square - near) < margin:
        root = math.isqrt(near)
        return f"{root if root * root == near else f'sqrt({near})'} times too {way}"
    if factor < 1.2:
        return f"{100 * abs(ratio - 1):.2g} % too {way}"
    return f"{factor:.3g} times too {way}"


def _candidates(promise: Promise, segment: Segment) -> Iterator[Candidate]:
    init = segment.initializer
    yield from _of_depth(promise)
    if isinstance(init, VarianceScaling):
        yield from _of_fans(promise, segment, init)
        yield from _of_scale(init)
    yield from _of_gain(promise, init)
    if isinstance(init, VarianceScaling):
        yield from _of_schemes(segment, init)
    yield from _of_law(segment)
    yield from _of_defaults(promise, segment)


def _of_depth(promise: Promise) -> Iterator[Candidate]:
    rule, gain = promise.assignment.rule, promise.assignment.gain
    if rule.layers is None or gain in (0.0, 1.0):
        return
    why = next((w for w in promise.assignment.why if w.startswith("depth scaling")), "")
    scaling = why.removeprefix("depth scaling ").partition(" =")[0] or f"{gain:.4g}"
    yield 1 / gain, f"depth scaling missing ({scaling})?"
    yield gain, "depth scaling applied twice?"
    yield math.sqrt(rule.branches), f"depth scaling without the {rule.branches} branches a layer?"
    yield gain**-0.5, "depth scaling with the fourth root, or of the variance?"


def _of_fans(promise: Promise, segment: Segment, init: VarianceScaling) -> Iterator[Candidate]:
    axes, shape, whole = init._axes, segment.shape, promise.assignment.shape
    fan_in, fan_out = axes.fans(shape)
    right = max(1.0, init._fan(fan_in, fan_out))

    def factor(fans: tuple[float, float]) -> float:
        return math.sqrt(right / max(1.0, init._fan(*fans)))

    def raw(letters: str, of: tuple[int, ...]) -> tuple[float, float]:
        return Axes(layout=letters).fans(of)

    roles = axes.roles(shape)
    conventions = [("*IO", "Keras and TensorFlow count"), ("OI*", "torch.nn.init counts")]
    if len(promise.segments) > 1:
        names = [s.block for s in promise.segments]
        what = f"fused weight of {len(names)} blocks"
        words = f"{'fused QKV' if names == ['q', 'k', 'v'] else what} initialised as one matrix?"
        yield factor(axes.fans(whole)), words
        if len(whole) >= 2:
            yield from ((factor(raw(letters, whole)), words) for letters, _ in conventions)
    elif len(shape) >= 2:
        for parts in (3, 2, 4):
            thinner = axes.fans(shape)[0], fan_out / parts
            yield factor(thinner), f"initialised as {parts} separate matrices?"
    layout = f"{getattr(init, 'layout', None) or promise.assignment.spec.layout or ''}"
    for letters, whose in conventions if len(shape) >= 2 else ():
        yield (
            factor(raw(letters, shape)),
            _misread(roles, layout, getattr(init, "groups", 1), whose),
        )
    yield factor((fan_out, fan_in)), "fan_in and fan_out exchanged?"
    if SPATIAL in roles:
        field = math.prod(n for n, role in zip(shape, roles, strict=True) if role == SPATIAL)
        yield factor((fan_in / field, fan_out / field)), "the receptive field left out of the fans?"
    modes = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    for mode, other in modes.items():
        if mode != init.mode:
            yield math.sqrt(right / max(1.0, other)), f"{mode} in place of {init.mode}?"


def _misread(roles: str, layout: str, groups: int, whose: str) -> str:
    """What it means that the axes were counted by a framework's rule for plain weights."""
    if BATCH in roles and len(roles) > 2:
        return (
            "the experts' axis (or that of stacked layers) counted as receptive field or channels, "
            f"as {whose} it?"
        )
    if GROUP in roles or groups > 1:
        return f"a depthwise or grouped kernel's channels all counted as inputs, as {whose} them?"
    if "transpose" in layout:
        return (
            "a transposed convolution's fans exchanged: its kernel is stored with in and out the "
            f"other way round, and this is what {whose}?"
        )
    if BATCH in roles:
        return "the vocabulary counted as a fan?"
    return f"the layout taken for another, as {whose} fans?"


def _of_scale(init: VarianceScaling) -> Iterator[Candidate]:
    if init.scale == 2.0:
        yield math.sqrt(0.5), "the factor 2 of He's scheme missing?"
    elif init.scale == 1.0:
        yield math.sqrt(2.0), "He's scheme in its place (a factor of 2 in the variance)?"


def _of_gain(promise: Promise, init: object) -> Iterator[Candidate]:
    rule = promise.assignment.rule
    total = promise.assignment.gain
    if rule.layers is None and total not in (0.0, 1.0):
        text = getattr(rule.gain, "text", "")
        shown = f"{text} = {total:.4g}" if text else f"{total:.4g}"
        yield 1 / total, f"the rule's gain missing ({shown})?"
        yield total, f"the rule's gain applied twice ({shown})?"
        yield total**-0.5, f"the rule's gain ({shown}) taken for a factor of the variance?"
        count = round(total**-2)
        if count > 2 and count % 2 == 0 and abs(total * total * count - 1) < 1e-6:
            yield math.sqrt(2), f"depth scaling by {count // 2} layers, and not by twice as many?"
    own = getattr(init, "gain", 1.0)
    if own not in (0.0, 1.0, total):
        yield 1 / own, f"the gain missing ({own:.4g})?"
        yield own**-0.5, f"the gain ({own:.4g}) taken for a factor of the variance?"


def _of_schemes(segment: Segment, init: VarianceScaling) -> Iterator[Candidate]:
    """The schemes that have names, with the rule's fans and without its gain."""
    fan_in, fan_out = (max(1.0, fan) for fan in init._axes.fans(segment.shape))
    for variance, name in (
        (2 / fan_in, "He's scheme"),
        (2 / fan_out, "He's scheme by fan_out"),
        (1 / fan_in, "LeCun's scheme"),
        (2 / (fan_in + fan_out), "Glorot's scheme"),
    ):
        yield math.sqrt(variance) / segment.stddev, f"{name} in its place?"


def _of_law(segment: Segment) -> Iterator[Candidate]:
    law, cut = segment.law, TRUNCATED_STDDEV
    if law is None:
        return
    if isinstance(segment.initializer, VarianceScaling) and isinstance(law, TruncatedNormal):
        yield cut, "truncated at 2 stddevs without the correction (0.8796)?"
        yield 1 / cut, "the truncation's correction (1 / 0.8796) without truncation, or twice?"
    elif isinstance(law, TruncatedNormal):
        yield law.scale / law.stddev, "a normal that is not truncated?"
    else:
        yield cut, "truncated at 2 stddevs without the correction (0.8796)?"
        yield 1 / cut, "the truncation's correction (1 / 0.8796) without truncation?"
    if isinstance(law, Uniform):
        yield math.sqrt(3), "a normal law with the uniform's bound for its stddev?"
    yield 1 / math.sqrt(3), "a uniform law with the stddev for its bound?"


def _of_defaults(promise: Promise, segment: Segment) -> Iterator[Candidate]:
    """What frameworks give a layer that nothing else initialises."""
    if not segment.stddev:
        return
    shape, spec = promise.assignment.shape, promise.assignment.spec
    if len(shape) >= 2:
        fan_in = Axes(layout="OI*").fans(shape)[0]
        stddev = 1 / math.sqrt(3 * max(1.0, fan_in))
        yield stddev / segment.stddev, "torch's default of nn.Linear and convolutions?"
        fans = Axes(layout="*IO").fans(shape)
        stddev = math.sqrt(2 / max(1.0, sum(fans)))
        yield stddev / segment.stddev, "Keras' default, glorot_uniform?"
        yield math.sqrt(1 / max(1.0, fans[0])) / segment.stddev, "flax's default, lecun_normal?"
    if spec.type in ("", "Embedding", "EmbeddingBag"):
        yield 1 / segment.stddev, "torch's default of nn.Embedding, N(0, 1)?"
    yield 0.02 / segment.stddev, "a stddev of 0.02 for all weights alike?"
