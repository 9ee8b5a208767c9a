# SPDX-License-Identifier: Apache-2.0
"""Gates that a layer fuses into one weight: a rule that does not say how they are cut has it from
the layer."""

import copy

from glorot.recipe import Rule
from glorot.recipe._split import parse_split
from glorot.recipe._template import Template, takes


def with_blocks(rule: Rule, blocks: str | None, made: dict[tuple[Rule, str], Rule]) -> Rule:
    """The rule, or where it draws fused gates and does not say how they are cut, one that does.

    Args:
        rule: of the weight.
        blocks: what the layer calls its gates, such as "keras.lstm"; None where it has none.
        made: the rules made so far, and this one.
    """
    init = rule.initializer
    if blocks is None or init is None or rule.blocks is not None or rule.fans_of:
        return rule
    random = isinstance(init, Template) or init.random
    if not random or not takes(init, "layout"):
        return rule
    if (rule, blocks) not in made:
        copied = copy.copy(rule)
        object.__setattr__(copied, "blocks", parse_split({"parts": blocks, "axis": -1}))
        made[rule, blocks] = copied
    return made[rule, blocks]
