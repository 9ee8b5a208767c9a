# SPDX-License-Identifier: Apache-2.0
"""One model, any number of processes: the same fingerprint.

    torchrun --nproc-per-node 4 examples/fsdp2_init.py                 # FSDP2, HSDP and FSDP2 + TP
    torchrun --nproc-per-node 3 examples/fsdp2_init.py --layout fsdp
    python examples/fsdp2_init.py                                      # no sharding at all

Each rank builds the model on the meta device, shards it, and gives its own shards memory and first
values: nothing is communicated, no rank ever holds the whole, and every layout prints one line
"<fingerprint>  <layout>", the same fingerprint on any number of processes.
"""

import argparse
import os
from collections.abc import Callable

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

import glorot
import glorot.torch

SEED = 42
VOCABULARY, WIDTH, HIDDEN, LAYERS = 1000, 96, 256, 3

# "*" of a rule stands for any text, so these serve the model under the names of every framework.
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


class Layer(nn.Module):
    """A feed-forward layer with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x + down(gelu(up(norm(x))))."""
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Model(nn.Module):
    """Tokens to scores; the head is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(batch, length) -> (batch, length, vocabulary)."""
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def shard(model: Model, mesh: object) -> Model:
    """FSDP2, a layer at a time; HSDP on a mesh of (replicate, shard)."""
    for layer in model.layers:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def split(model: Model, mesh: object) -> Model:
    """Tensor parallelism of the feed-forward layers."""
    for layer in model.layers:
        parallelize_module(layer, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
    return model


def layouts(world: int, device: str) -> dict[str, Callable[[Model], Model]]:
    """{name: what shards the model}."""
    inner = 2 if world % 2 == 0 else world  # ranks of the inner dimension of two
    outer = world // inner

    def mesh(shape: tuple[int, ...], *names: str) -> object:
        return init_device_mesh(device, shape, mesh_dim_names=names)

    def two(model: Model) -> Model:
        both = mesh((outer, inner), "dp", "tp")
        return shard(split(model, both["tp"]), both["dp"])

    return {
        "fsdp": lambda model: shard(model, mesh((world,), "dp")),
        "hsdp": lambda model: shard(model, mesh((outer, inner), "replicate", "shard")),
        "fsdp+tp": two,
    }


def main() -> None:
    """Fill the model in each layout and print its fingerprint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=["fsdp", "hsdp", "fsdp+tp"], help="only this one")
    wanted = parser.parse_args().layout
    if "RANK" not in os.environ:
        with torch.device("meta"):
            model = Model()
        glorot.torch.materialize(model, RECIPE, seed=SEED)
        print(glorot.torch.fingerprint(model), " one process")
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    glorot.torch.check_ranks(RECIPE, seed=SEED)
    for name, sharded in layouts(distributed.get_world_size(), device).items():
        if wanted in (None, name):
            with torch.device("meta"):
                model = Model()
            model = sharded(model)
            glorot.torch.materialize(model, RECIPE, seed=SEED, device=device)
            found = glorot.torch.fingerprint(model)
            if distributed.get_rank() == 0:
                print(f"{found}  {name} on {distributed.get_world_size()} processes")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
