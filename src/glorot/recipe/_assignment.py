# SPDX-License-Identifier: Apache-2.0
"""What a recipe gives one parameter, and how it came to that."""

from dataclasses import dataclass

from glorot._base import Initializer
from glorot.recipe._law import describe_law
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What one block of a fused parameter gets: its shape alone, fans, law, stddev and gain."""

    name: str
    shape: tuple[int, ...]
    fans: tuple[float, float]
    law: str
    stddev: float
    gain: float


@dataclass(frozen=True)
class Assignment:
    """What a recipe gives one parameter.

    Attributes:
        name, shape, dtype: of the parameter; `dtype` is a name such as "float32".
        rule: the rule that matched first.
        initializer: the one to call, every scale and block included.
        fans: (fan_in, fan_out) as the initializer counts them; of the largest block.
        stddev: what the values' standard deviation should be, before rounding to the dtype.
        gain: what the rule multiplies the standard deviation with, in all; of the largest block.
        roles: of the axes, one letter each: I input, O output, N both, B batch, G group, S spatial.
        blocks: of a fused parameter, in order.
        why: how it came to this, a few words a step.
        spec: what was known of the parameter.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    rule: Rule
    initializer: Initializer
    fans: tuple[float, float]
    stddev: float
    gain: float
    roles: str
    blocks: tuple[BlockPlan, ...]
    why: tuple[str, ...]
    spec: TensorSpec

    @property
    def law(self) -> str:
        """The law in a few characters: "N(0, 0.02)", "U(-0.1, 0.1)", "Zeros"."""
        return describe_law(self.initializer, self.shape)

    def named(self, name: str) -> "Assignment":
        """Return the same for another parameter: in a quarter of the time that `__init__` takes,
        since most parameters of a model differ in their names alone."""
        other = object.__new__(Assignment)
        other.__dict__.update(self.__dict__, name=name)
        return other
