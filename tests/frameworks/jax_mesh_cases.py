# SPDX-License-Identifier: Apache-2.0
"""What the cases on meshes share: laws, specs, and the ways to a sharded weight."""

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

import glorot
import glorot.jax
from glorot._base import _prepared
from glorot._dtypes import ALL
from glorot.jax import _programs

SEED, NAME, SHAPE = 42, "h.0.mlp.kernel", (32, 48)
LAWS = {
    "uniform": glorot.GlorotUniform(seed=42),
    "limits": glorot.RandomUniform(-0.25, 2.0, seed=7, dtype="bfloat16"),
    "truncated": glorot.HeNormal(seed=2**40),
    "canonical": glorot.LecunUniform(seed=1, layout="torch.linear", order="canonical"),
    "orthogonal": glorot.Orthogonal(seed=3),
    "sparse": glorot.Sparse(0.5, seed=3),
    "identity": glorot.Identity(2.0),
    "blocks": glorot.Blocks([glorot.HeNormal(), glorot.Zeros()], [2, 1], seed=3),
    "constant": glorot.Constant(0.1, dtype="float16"),
    "time steps": glorot.TimeStep(seed=3),
    "logarithms": glorot.LogArange(),
    "logarithms of draws": glorot.LogOfUniform(seed=3),
    "blocks of time steps": glorot.Blocks([glorot.TimeStep(), glorot.HeNormal()], [2, 1], seed=3),
}
# What is no law of words: computed on the host for accelerators too.
BY_HOST = (
    "orthogonal", "sparse", "time steps", "logarithms", "logarithms of draws",
    "blocks of time steps",
)  # fmt: skip
SPECS = {
    "replicated": P(),
    "rows": P("x"),
    "columns": P(None, "y"),
    "both": P("x", "y"),
    "swapped": P("y", "x"),
    "rows by both": P(("x", "y")),
    "columns by both": P(None, ("y", "x")),
}


def bits(array):
    """Bytes of the whole."""
    return np.asarray(array).tobytes()


def under_jit(init, sharding):
    """jit with out_shardings."""
    return jax.jit(lambda: glorot.jax.values(init, SHAPE, name=NAME), out_shardings=sharding)()


def by_out_sharding(init, sharding):
    """The adapter's own argument."""
    return glorot.jax.values(init, SHAPE, name=NAME, out_sharding=sharding)


def by_shard_map(init, sharding):
    """Each device asks for its part."""
    spec = sharding.spec

    def here():
        """This device's part."""
        return glorot.jax.values(init, SHAPE, name=NAME, shard=spec)

    # What the host computes could differ between devices, for all that shard_map knows.
    replicas_known = _programs.traceable(_prepared(init, SHAPE, ALL[init.dtype]))
    return jax.shard_map(
        here, mesh=sharding.mesh, in_specs=(), out_specs=spec, check_vma=replicas_known
    )()


def by_init(init, sharding):
    """A tree of one leaf."""
    tree = {NAME: jax.ShapeDtypeStruct(SHAPE, init.dtype)}
    plain = init.replace(seed=None) if init.random else init
    return glorot.jax.init(tree, plain, seed=init.seed or 0, shardings=sharding)[NAME]
