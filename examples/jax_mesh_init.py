# SPDX-License-Identifier: Apache-2.0
"""One model on a mesh of every device there is: the fingerprint of examples/fsdp2_init.py.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python examples/jax_mesh_init.py
    python examples/jax_mesh_init.py                                   # no sharding at all

Any number of devices prints one line "<fingerprint>  <mesh>", the same fingerprint, and so does
PyTorch on any number of processes: the trees' names, shapes and rules are the same.
"""

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import glorot
import glorot.jax

SEED = 42
VOCABULARY, WIDTH, HIDDEN, LAYERS = 1000, 96, 256, 3

# Weights are (out, in) here, as PyTorch and equinox store them.
RECIPE = glorot.Recipe(
    [
        glorot.Rule("embed.weight", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*norm.weight", "ones"),
        glorot.Rule("*norm.bias", "zeros"),
        glorot.Rule("*up.weight", glorot.GlorotUniform(layout="torch.linear")),
        glorot.Rule(
            "*down.weight", glorot.RandomNormal(stddev=0.02), layers="layers.*.", branches=1
        ),
    ]
)


def weight(*shape: int) -> dict[str, jax.Array]:
    """A matrix alone."""
    return {"weight": jnp.zeros(shape)}


def norm() -> dict[str, jax.Array]:
    """A scale and a bias."""
    return {"weight": jnp.zeros(WIDTH), "bias": jnp.zeros(WIDTH)}


def layer() -> dict[str, dict[str, jax.Array]]:
    """A feed-forward layer with a residual."""
    return {"norm": norm(), "up": weight(HIDDEN, WIDTH), "down": weight(WIDTH, HIDDEN)}


def model() -> dict[str, object]:
    """Tokens to scores; the head is the embedding."""
    return {
        "embed": weight(VOCABULARY, WIDTH),
        "layers": [layer() for _ in range(LAYERS)],
        "norm": norm(),
    }


def mesh_of_all_devices() -> jax.sharding.Mesh:
    """data x model: two columns where the number of devices is even."""
    count = jax.device_count()
    columns = 2 if count % 2 == 0 else 1
    return jax.make_mesh((count // columns, columns), ("data", "model"))


def main() -> None:
    """Fill the model on the mesh and print its fingerprint."""
    mesh = mesh_of_all_devices()
    tree = jax.eval_shape(model)  # shapes alone: nothing is allocated
    specs = {1: P("model"), 2: P("data", "model")}  # vectors over one axis, matrices over both
    shardings = jax.tree.map(lambda leaf: NamedSharding(mesh, specs[leaf.ndim]), tree)
    params = glorot.jax.init(tree, RECIPE, seed=SEED, shardings=shardings)
    sizes = " x ".join(f"{size} {axis}" for axis, size in mesh.shape.items())
    print(f"{glorot.jax.fingerprint(params)}  {sizes}")


if __name__ == "__main__":
    main()
