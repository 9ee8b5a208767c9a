# SPDX-License-Identifier: Apache-2.0
"""glorot.torch: the cost of a tensor, a module against torch.nn.init, and ranks' shares."""

import functools
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import glorot
from benchmarks._harness import Contender, WrongBytesError, alternate, targets
from benchmarks._peers import STDDEV, installed
from glorot import _kernel, _stream
from glorot._batch import Batch

TENSORS = 1000
MODULES = ((TENSORS, 512), (16, 4096))  # (tensors, side): 1 GiB of float32 each
SMALL = 8
WORLDS = (2, 4)
LAWS: dict[str, glorot.Initializer] = {
    "uniform": glorot.GlorotUniform(layout="torch.linear"),
    "normal": glorot.RandomNormal(stddev=STDDEV),
    "truncated": glorot.TruncatedNormal(stddev=STDDEV),
}


def _module(tensors: int, side: int) -> Any:
    import torch

    return torch.nn.ParameterList([torch.zeros(side, side) for _ in range(tensors)])


def _checker(law: str, module: Any) -> Callable[[Any], None]:
    """Some of the parameters are the initializer's of their names, by the reference."""

    def check(_: Any) -> None:
        names = list(dict(module.named_parameters()))
        for name in (names[0], names[len(names) // 2], names[-1]):
            found = getattr(module, name).detach().numpy()
            with _kernel.forced("reference"):
                wanted = LAWS[law](found.shape, seed=42, name=name)
            if not (found == wanted).all():
                raise WrongBytesError(f"{law}: parameter {name} is not the reference's")

    return check


def _torchs(law: str, parameter: Any) -> None:
    import torch

    if law == "uniform":
        torch.nn.init.xavier_uniform_(parameter)
    elif law == "normal":
        torch.nn.init.normal_(parameter, std=STDDEV)
    else:
        torch.nn.init.trunc_normal_(parameter, std=STDDEV, a=-2 * STDDEV, b=2 * STDDEV)


def _each(parameters: list[Any], law: str) -> None:
    for parameter in parameters:
        _torchs(law, parameter)


def _kernel_alone(law: str, module: Any) -> Callable[[], None]:
    """The kernel on the same memory, all of it together, with nothing around it."""
    arrays = [parameter.detach().numpy() for parameter in module.parameters()]
    words = [_stream.stream(42, str(number)) for number in range(len(arrays))]
    found = LAWS[law].law(arrays[0].shape)

    def run() -> None:
        batch = Batch()
        for array, stream in zip(arrays, words, strict=True):
            _kernel.fill(array, found, stream, batch=batch)
        batch.run()

    return run


def _modules(quick: bool, target: str, tensors: int, side: int) -> Iterator[dict[str, Any]]:
    import torch

    import glorot.torch

    torch.set_num_threads(glorot.config()["threads"])
    module = _module(tensors, side)
    parameters = list(module.parameters())
    for law, init in LAWS.items():
        check = _checker(law, module)
        contenders = [
            Contender(
                "glorot.torch.init_",
                functools.partial(glorot.torch.init_, module, init, seed=42),
                "glorot",
                target=target,
                check=check,
            ),
            Contender("the kernel alone", _kernel_alone(law, module), "bare", target=target),
            Contender("torch.nn.init", functools.partial(_each, parameters, law), "peer"),
        ]
        yield from alternate(
            contenders,
            nbytes=tensors * side * side * 4,
            rounds=2 if quick else 9,
            seconds=0.2 if quick else 4.0,
            law=law,
            dtype="float32",
            shape=(tensors, side, side),
            part="module",
        )


def _costs(quick: bool, target: str) -> Iterator[dict[str, Any]]:
    """What a tensor costs where the kernel has next to nothing to do: 64 elements."""
    import torch

    import glorot.torch

    tensor = torch.zeros(SMALL, SMALL)
    module = _module(TENSORS, SMALL)
    init = LAWS["uniform"]
    contenders = [
        Contender(
            "init_(tensor)",
            functools.partial(glorot.torch.init_, tensor, init, seed=42, name="w"),
            "glorot",
            target=target,
        ),
        Contender(
            "xavier_uniform_",
            functools.partial(glorot.torch.xavier_uniform_, tensor, seed=42, name="w"),
            "glorot",
            target=target,
        ),
        Contender(
            f"init_(module), {TENSORS} tensors",
            functools.partial(glorot.torch.init_, module, init, seed=42),
            "glorot",
            target=target,
            check=_checker("uniform", module),
            tensors=TENSORS,
        ),
        Contender(
            "the kernel alone",
            _kernel_alone("uniform", module),
            "bare",
            target=target,
            tensors=TENSORS,
        ),
        Contender(
            "torch xavier_uniform_",
            functools.partial(torch.nn.init.xavier_uniform_, tensor),
            "peer",
        ),
    ]
    yield from alternate(
        contenders,
        nbytes=SMALL * SMALL * 4,
        rounds=5 if quick else 50,
        seconds=2.0,
        law="uniform",
        dtype="float32",
        shape=(SMALL, SMALL),
        part="cost",
    )


def _rank(sender: Any, store: str, rank: int, world: int, side: int, rounds: int) -> None:
    """CPU seconds of filling this rank's shards: other ranks' work on the same CPUs does not
    count, and neither does what runs beside the benchmark."""
    import torch
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    import glorot.torch

    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=world
    )
    module = torch.nn.Sequential(*(torch.nn.Linear(side, side, bias=False) for _ in range(16)))
    fully_shard(module)
    taken = []
    for _ in range(rounds + 1):
        begin = time.process_time()
        glorot.torch.init_(module, LAWS["uniform"], seed=42)
        taken.append(time.process_time() - begin)
    found = glorot.torch.fingerprint(module)
    distributed.destroy_process_group()
    sender.send((taken[1:], found))


def _shares(quick: bool) -> Iterator[dict[str, Any]]:
    side, rounds = (256, 2) if quick else (4096, 7)
    context = multiprocessing.get_context("spawn")
    prints = set()
    for world in (1, *WORLDS):
        with tempfile.TemporaryDirectory() as folder:
            pipes = []
            for rank in range(world):
                receiver, sender = context.Pipe(duplex=False)
                arguments = (sender, f"{folder}/store", rank, world, side, rounds)
                context.Process(target=_rank, args=arguments, daemon=True).start()
                sender.close()  # so that a rank that fails is an error here, and not a wait
                pipes.append(receiver)
            answers = [pipe.recv() for pipe in pipes]
        prints |= {found for _, found in answers}
        if len(prints) > 1:
            raise WrongBytesError(f"{world} ranks fill another model than one")
        slowest = max((taken for taken, _ in answers), key=min)
        yield {
            "part": "shares",
            "law": "uniform",
            "dtype": "float32",
            "shape": (16, side, side),
            "who": "one rank" if world == 1 else f"the slowest of {world} ranks",
            "kind": "glorot",
            "note": "CPU seconds of FSDP2 over gloo",
            "bytes": math.ceil(16 * side * side * 4 / world),
            "calls_a_round": 1,
            "rounds": [round(seconds, 10) for seconds in slowest],
            "world": world,
        }


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of one tensor, of a module and of ranks; none without torch."""
    if not installed("torch"):
        return
    target = (targets() or ["reference"])[0]
    yield from _costs(quick, target)
    for tensors, side in MODULES:
        yield from _modules(quick, target, tensors, side // 16 if quick else side)
    yield from _shares(quick)
