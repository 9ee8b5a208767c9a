# SPDX-License-Identifier: Apache-2.0
"""The model that the tests of torch's directories write, and the recipe for it."""

from glorot import Recipe, Rule

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("o.*", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (40, 30 + i) for i in range(6) for part in ("weight", "bias")}
SHAPES |= {"o.1": (30, 20), "none": (0, 5), "scalar.bias": (), "cube": (3, 2, 4, 5)}
SHARDED = {"max_shard_size": 15_000}
