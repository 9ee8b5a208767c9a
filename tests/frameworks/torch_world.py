# SPDX-License-Identifier: Apache-2.0
"""Processes that are the ranks of a torch.distributed job: gloo, on loopback, for tests."""

import multiprocessing
import os
import tempfile
import traceback
from pathlib import Path

_PRELOAD = ["torch.distributed.fsdp", "torch.distributed.tensor.parallel", "glorot.torch"]


def run(world, function, *arguments):
    """Return what `function(rank, world, *arguments)` returns on each of `world` ranks.

    The function is importable by its name: of a module, not of a test file.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)  # torch is loaded once for all ranks of all tests
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        pipes, processes = [], []
        for rank in range(world):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(sender, store, rank, world, function, arguments), daemon=True
            )
            process.start()
            sender.close()
            pipes.append(receiver)
            processes.append(process)
        try:
            found = []
            for rank, pipe in enumerate(pipes):
                assert pipe.poll(120), f"rank {rank} of {world} does not answer"
                failed, value = pipe.recv()
                assert not failed, f"rank {rank} of {world}:\n{value}"
                found.append(value)
        finally:
            for process in processes:
                process.join(10 if len(found) == world else 0)
                process.kill()
                process.join()
    return found


def _work(sender, store, rank, world, function, arguments):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.environ["LOCAL_RANK"] = os.environ["RANK"] = str(rank)
    os.environ["WORLD_SIZE"] = str(world)
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    try:
        distributed.init_process_group(
            "gloo", init_method=f"file://{store}", rank=rank, world_size=world
        )
        try:
            value = function(rank, world, *arguments)
        finally:
            distributed.destroy_process_group()
        sender.send((False, value))
    except BaseException:
        sender.send((True, traceback.format_exc()))
