# SPDX-License-Identifier: Apache-2.0
"""A small transformer, initialised on a mesh of every device there is; prints its fingerprint.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python examples/jax_mesh_init.py

Any number of devices prints the same, and so does examples/fsdp2_init.py, which builds the same
model in PyTorch: there a `weight` is (out, in), here a `kernel` is (in, out), and with
order="canonical" one is the other's transpose.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import glorot
import glorot.jax

VOCABULARY, WIDTH, HIDDEN, LAYERS, SEED = 96, 48, 192, 2, 42


def dense(inputs, outputs):
    """A kernel (in, out) and a bias."""
    return {
        "kernel": jax.ShapeDtypeStruct((inputs, outputs), jnp.float32),
        "bias": jax.ShapeDtypeStruct((outputs,), jnp.float32),
    }


def norm():
    """A scale and a bias."""
    vector = jax.ShapeDtypeStruct((WIDTH,), jnp.float32)
    return {"scale": vector, "bias": vector}


def layer():
    """Attention and feed-forward."""
    return {
        "norm1": norm(),
        "attn": {part: dense(WIDTH, WIDTH) for part in ("q", "k", "v", "out")},
        "norm2": norm(),
        "up": dense(WIDTH, HIDDEN),
        "down": dense(HIDDEN, WIDTH),
    }


MODEL = {
    "embed": {"embedding": jax.ShapeDtypeStruct((VOCABULARY, WIDTH), jnp.float32)},
    "layers": [layer() for _ in range(LAYERS)],
    "norm": norm(),
    "head": {"kernel": jax.ShapeDtypeStruct((WIDTH, VOCABULARY), jnp.float32)},
}

# Over the names that PyTorch gives, so that one recipe (and one seed) serves both: there layout is
# "torch.linear", (out, in).
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*.bias", "zeros"),
        glorot.Rule("*norm*.weight", "ones"),
        glorot.Rule("embed.weight", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*.down.weight", glorot.HeNormal(layout="IO", order="canonical")),
        glorot.Rule("*.weight", glorot.GlorotUniform(layout="IO", order="canonical")),
    ]
)
WEIGHT = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


def torch_names(tree):
    """{a leaf's name: its name in PyTorch}."""
    names = {}
    for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        layer, _, last = name.rpartition(".")
        names[name] = f"{layer}.{WEIGHT.get(last, last)}"
    return names


def mesh_of_all_devices():
    """data x model: two columns where the number of devices is even."""
    count = jax.device_count()
    columns = 2 if count % 2 == 0 else 1
    return jax.make_mesh((count // columns, columns), ("data", "model"))


def sharding(mesh, leaf):
    """Matrices over both axes, vectors over one."""
    return NamedSharding(mesh, P("data", "model") if len(leaf.shape) == 2 else P("model"))


def fingerprint(params, names):
    """Of the weights as PyTorch stores them, from the blocks on this process's devices."""
    found = glorot.Fingerprint()
    for path, array in jax.tree_util.tree_flatten_with_path(params)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        turned = name.endswith("kernel")
        shape = array.shape[::-1] if turned else array.shape
        for part in array.addressable_shards:
            block = np.asarray(part.data)
            place = part.index[::-1] if turned else part.index
            found.add(names[name], block.T if turned else block, shape=shape, shard=place)
    return found.hexdigest()


def main():
    """Initialise and print."""
    mesh = mesh_of_all_devices()
    names = torch_names(MODEL)
    shardings = jax.tree.map(lambda leaf: sharding(mesh, leaf), MODEL)
    params = glorot.jax.init(MODEL, RECIPE, seed=SEED, shardings=shardings, names=names)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{count} parameters on {dict(mesh.shape)}")
    print(fingerprint(params, names))


if __name__ == "__main__":
    main()
