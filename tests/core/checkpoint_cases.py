# SPDX-License-Identifier: Apache-2.0
"""What the tests of checkpoints share."""

import glorot
from glorot import Recipe, Rule

# Several laws, layouts and dtypes, a scalar and an empty tensor.
MODEL_RECIPE = Recipe(
    [
        Rule("*.bias", "zeros"),
        Rule("norm*", "ones"),
        Rule("out.weight", glorot.Orthogonal()),
        Rule("conv.weight", glorot.HeNormal(layout="torch.conv", order="canonical")),
        Rule("h.*.weight", glorot.RandomNormal(stddev=0.02), layers="h.*."),
        Rule("*", "glorot_uniform"),
    ]
)
MODEL = {
    "embed": {"shape": [500, 30], "dtype": "float32"},
    "h.0.weight": {"shape": [300, 100], "dtype": "bfloat16"},
    "h.1.weight": {"shape": [300, 100], "dtype": "float64"},
    "h.0.bias": {"shape": [100], "dtype": "float16"},
    "conv.weight": {"shape": [8, 4, 3, 3], "dtype": "float32"},
    "norm": {"shape": [], "dtype": "float32"},
    "norm.steps": {"shape": [3], "dtype": "int64"},
    "out.weight": {"shape": [60, 40], "dtype": "float32"},
    "none": {"shape": [0, 5], "dtype": "float32"},
}
ONES = Recipe([Rule("*", "ones")])
# Tensors of one dtype, enough for several files.
RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (40, 30 + i) for i in range(6) for part in ("weight", "bias")}
SHARDED = {"max_shard_size": 20_000}
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MANIFEST = "glorot.json"


def contents(folder):
    """All files of a folder, hidden ones included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class StopError(Exception):
    """Stands for a process that is killed."""
