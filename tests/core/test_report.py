# SPDX-License-Identifier: Apache-2.0
"""What a filled model's report prints."""

from glorot import Recipe, Rule, Shard
from glorot._report import report_all, report_parameter

RECIPE = Recipe([Rule("*bias", "zeros"), Rule("*", "random_normal", stddev=0.02)])
SHAPES = {"up.kernel": (784, 256), "up.bias": (256,), "scale": ()}


def report(left_out=(), buffers=(), **shards):
    """Of the shapes above."""
    parameters = [report_parameter(a, [a.name], shards.get(a.name)) for a in RECIPE.resolve(SHAPES)]
    return report_all(RECIPE, 42, parameters, left_out, buffers)


def test_a_report_is_one_line_and_prints_a_table():
    """Of a thousand parameters too."""
    line = (
        "<InitReport: 3 parameters, 200,961 elements here, seed 42, recipe "
        f"{RECIPE.fingerprint[:8]}, stream 1>"
    )
    assert repr(report()) == line
    assert str(report()).splitlines() == [
        "name       shape      dtype    law         rule",
        "up.kernel  784 x 256  float32  N(0, 0.02)  *",
        "up.bias    256        float32  Zeros       *bias",
        "scale      ()         float32  N(0, 0.02)  *",
        line,
    ]


def test_it_counts_what_is_here_and_says_what_is_not():
    """A shard's elements alone; what the recipe leaves out; what is no parameter."""
    part = [Shard((0, 0), (7, 256))]
    found = report(left_out=["head"], buffers=["mean", "steps"], **{"up.kernel": part})
    assert f"{7 * 256 + 257:,} elements here" in repr(found)
    assert "left out: head\nno parameters: mean, steps\n<InitReport" in str(found)
