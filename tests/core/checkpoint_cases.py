# SPDX-License-Identifier: Apache-2.0
"""What the tests of checkpoints share."""

from glorot import Recipe, Rule

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
