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
