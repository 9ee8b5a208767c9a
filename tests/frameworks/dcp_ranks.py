# SPDX-License-Identifier: Apache-2.0
"""What each rank of a job does in test_dcp_write.py: load its parts of a directory."""

import warnings


def load(rank, world, folder, shapes):
    """The bytes of this rank's part of each tensor, sharded over the first axis."""
    import torch
    import torch.distributed.checkpoint as dcp
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, zeros

    warnings.simplefilter("ignore")
    mesh = init_device_mesh("cpu", (world,))
    state = {
        name: zeros(*shape, device_mesh=mesh, placements=[Shard(0)], dtype=torch.bfloat16)
        for name, shape in shapes.items()
    }
    dcp.load(state, checkpoint_id=folder)
    return {n: t.to_local().view(torch.uint8).numpy().tobytes() for n, t in state.items()}


def save(rank, world, folder, shapes, recipe, seed):
    """Write a model's first values as FSDP and tensor parallelism shard them: the names' ends say
    along which axes."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    import glorot

    warnings.simplefilter("ignore")
    mesh = init_device_mesh("cpu", (2, world // 2))
    ways = {"rows": [Shard(0), Replicate()], "columns": [Replicate(), Shard(1)],
            "both": [Shard(0), Shard(1)], "twice": [Shard(0), Shard(0)]}  # fmt: skip
    state = {}
    for found in glorot.Recipe.from_json(recipe).resolve(shapes):
        values = found.initializer(found.shape, seed=seed, name=found.name)
        placements = ways.get(found.name.rpartition(".")[2], [Replicate(), Replicate()])
        state[found.name] = distribute_tensor(_tensor(values), mesh, placements)
    dcp.save({"model": state}, checkpoint_id=folder)


def _tensor(values):
    import torch

    return torch.from_numpy(values)
