# SPDX-License-Identifier: Apache-2.0
"""One process of a job of JAX on CPUs; test_jax_processes.py starts them, with RANK WORLD PORT.

Prints JSON: what `check_processes` says, and what a tree on the devices of all processes holds.
"""

import json
import sys

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import glorot
import glorot.jax
from glorot import _kernel

SHAPE, NAME = (8, 12), "up.kernel"
RECIPE = glorot.Recipe([glorot.Rule("*", "he_normal")])


def said(*arguments, **options):
    """What a check raises, or None."""
    try:
        return glorot.jax.check_processes(*arguments, **options)
    except ValueError as error:
        return str(error)


def main():
    """Check, fill, and print."""
    rank, world, port = map(int, sys.argv[1:])
    jax.distributed.initialize(f"localhost:{port}", world, rank)
    tree = {"up": {"kernel": jax.ShapeDtypeStruct(SHAPE, "float32")}}
    other = {"up": {"kernel": jax.ShapeDtypeStruct((8, 12 + rank), "float32")}}
    found = {
        "agreed": said(RECIPE, seed=2**63, tree=tree),
        "seeds": said(RECIPE, seed=rank),
        "recipes": said("he_normal" if rank else "glorot_uniform", seed=1),
        "trees": said(RECIPE, seed=1, tree=other),
        "some": said(RECIPE, seed=1, tree=tree if rank else None),
    }
    wanted = glorot.HeNormal()(SHAPE, seed=42, name=NAME)
    filled = []
    fill = _kernel.fill
    _kernel.fill = lambda out, *a, **k: (filled.append(out.size), fill(out, *a, **k))[1]
    mesh = jax.make_mesh((world, jax.local_device_count()), ("x", "y"))
    made = glorot.jax.init(tree, RECIPE, seed=42, shardings=NamedSharding(mesh, P("x")))
    parts = made["up"]["kernel"].addressable_shards
    found |= {
        "computed": filled,
        "rows": sorted({part.index[0].start or 0 for part in parts}),
        "equal": [bool((np.asarray(part.data) == wanted[part.index]).all()) for part in parts],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
