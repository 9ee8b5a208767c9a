# SPDX-License-Identifier: Apache-2.0
"""What the tests of ranks share."""

import json
import os
import sys

from checkpoint_cases import StopError

from glorot import Recipe, Rule
from glorot.checkpoint import write

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("o.*", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (80, 130 + i) for i in range(6) for part in ("weight", "bias")}
SHAPES |= {"o.1": (30, 20), "none": (0, 5), "o.2": (60, 50)}
SHARDED = {"max_shard_size": 150_000}


def one(folder, rank, size, *, seed=42, stop=None, **options):
    """Run one rank; `stop` kills it after so much of its share."""

    def progress(done, total):
        if stop is not None and done > stop * total:
            raise StopError

    return write(
        options.pop("shapes", SHAPES), options.pop("recipe", RECIPE), folder, seed=seed, rank=rank,
        world_size=size, progress=progress, **options,
    )  # fmt: skip


def command(folder, *arguments, **environ):
    """The command line, in a process of its own."""
    (folder / "shapes.json").write_text(json.dumps({n: {"shape": s} for n, s in SHAPES.items()}))
    (folder / "recipe.json").write_text(RECIPE.to_json())
    line = [sys.executable, "-m", "glorot", "init", str(folder / "shapes.json"), "--seed", "42"]
    line += ["--recipe", str(folder / "recipe.json"), "--out", str(folder / "out"), *arguments]
    return {"args": line, "env": os.environ | environ, "text": True}
