# SPDX-License-Identifier: Apache-2.0
"""What an audit found, as values that JSON can hold and lines that people can read."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from glorot._words import counted

# What can be wrong, the worst first.
KINDS = (
    "unreadable",  # a file that is cut off, a tensor that is not where the index says
    "coverage",  # a parameter without a rule, a rule without a parameter
    "not finite",
    "uninitialised",
    "repeated",  # equal shards, equal tensors, draws used twice
    "constant",  # another value than the rule's
    "stddev",
    "mean",
    "outside",  # beyond the law's bounds
    "precision",  # quantised values, or those that a narrow type drew, not rounded to
    "shape",  # another law of the same mean and stddev
    "matrix",  # not orthogonal
    "norms",  # of other values than the weight's
    "untied",
    "seed",  # other values than the seed's
)

MOST_NAMES = 3  # that a line shows


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, with all parameters that have it for the same reason.

    Attributes:
        kind: one of "unreadable", "coverage", "not finite", "uninitialised", "repeated",
            "constant", "stddev", "mean", "outside", "precision", "shape", "matrix", "norms",
            "untied", "seed"; the worst first.
        names: of the parameters (of the pattern, for a rule that finds none).
        text: in a line: what was found, what was promised, and the likely cause.
        log_p: a bound on the chance that this happens by itself, as a natural logarithm; -inf
            where it cannot.
    """

    kind: str
    names: tuple[str, ...]
    text: str
    log_p: float = -math.inf

    def __str__(self) -> str:
        if not self.names:
            return self.text
        few = self.names if len(self.names) <= MOST_NAMES else self.names[:1]
        more = f" and {len(self.names) - len(few)} more" if len(few) < len(self.names) else ""
        return f"{', '.join(few)}{more}: {self.text}"


@dataclass(frozen=True, slots=True)
class ParameterReport:
    """One parameter, or one block of a fused one.

    Attributes:
        block: the name of the block; empty for a whole parameter.
        pattern, law: of the rule and what it gives; empty without a recipe.
        mean, stddev, smallest, largest: of the finite values; None where there are none.
        zeros, nans, infinities: how many.
        distinct: how many different values, for types of 16 bits and fewer.
        expected_mean, expected_stddev: what the rule promises, as stored in the dtype.
        z_mean, z_variance: how many standard errors the values are from that.
        distance: Kolmogorov's and Smirnov's, from the law.
        fans: (fan_in, fan_out) as the rule counts them.
        effective_fan: the fan that would give this stddev by the rule's own scale and gain;
            without a rule, 1 / variance.
        singular: (smallest, largest) singular value, of a delta-orthogonal weight those of the
            centre tap; exact_singular: whether they are exact.
        differing: how many elements are not the seed's, None without a seed.
        tests: how many tests were made of it.
    """

    name: str
    block: str
    shape: tuple[int, ...]
    dtype: str
    pattern: str
    law: str
    count: int
    mean: float | None
    stddev: float | None
    smallest: float | None
    largest: float | None
    zeros: int
    nans: int
    infinities: int
    distinct: int | None
    expected_mean: float | None
    expected_stddev: float | None
    z_mean: float | None
    z_variance: float | None
    distance: float | None
    fans: tuple[float, float] | None
    effective_fan: float | None
    singular: tuple[float, float] | None
    exact_singular: bool | None
    differing: int | None
    tests: int

    @property
    def title(self) -> str:
        """The name, with that of the block."""
        return f"{self.name}[{self.block}]" if self.block else self.name


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `glorot.audit` found; it is true when nothing is wrong.

    Attributes:
        problems: what is wrong, one line each, the worst first.
        notes: what is to be known and is not wrong: tied groups, what could not be judged.
        parameters: one row a parameter, or a block of a fused one, in the model's order.
        tests: how many tests were made; false_alarms: the chance, at most, that a correct model
            has a problem that rests on one of them; limit: the same for one test.
        recipe, seed: the recipe's fingerprint and the seed, None where none was given.
    """

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    parameters: tuple[ParameterReport, ...]
    tests: int
    false_alarms: float
    limit: float
    recipe: str | None
    seed: int | None
    seconds: float
    histograms: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def __bool__(self) -> bool:
        return self.ok

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def count(self) -> int:
        """How many elements were read."""
        return sum(parameter.count for parameter in self.parameters)

    def __str__(self) -> str:
        names = {parameter.name for parameter in self.parameters}
        lines = [str(problem) for problem in self.problems]
        verdict = "nothing wrong" if self.ok else counted(len(lines), "problem")
        return "\n".join(
            [
                *lines,
                *self.notes,
                f"{verdict}: {counted(len(names), 'parameter')}, "
                f"{counted(self.count, 'element')}, {counted(self.tests, 'test')}; "
                f"a correct model fails one in {1 / self.false_alarms:,.0f} times",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold; what is not a finite number is None."""
        content = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "histograms"
        }
        content["problems"] = [dataclasses.asdict(problem) for problem in self.problems]
        content["parameters"] = [dataclasses.asdict(row) for row in self.parameters]
        plain: dict[str, Any] = _finite({"ok": self.ok, **content})
        return plain


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
