# SPDX-License-Identifier: Apache-2.0
"""A small model, every way to shard it, and what each rank finds after filling it."""

import warnings

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.distributed.tensor.placement_types import Partial, _StridedShard

import glorot
import glorot.torch

RECIPE = glorot.Recipe(
    [
        glorot.Rule("embed.weight", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*weight", "ones", where={"type": "LayerNorm"}),  # FSDP makes new classes
        glorot.Rule("*bias", glorot.RandomUniform()),
        glorot.Rule("down.weight", glorot.Orthogonal(layout="torch.linear")),
        glorot.Rule("conv.weight", glorot.HeNormal(layout="torch.conv", order="canonical")),
        glorot.Rule("*", glorot.GlorotUniform(layout="torch.linear")),
    ]
)
SEED = 42
NORMAL = glorot.RandomNormal()


class Model(nn.Module):
    """Sizes that 2, 3 and 4 do not divide, a parameter of fewer rows than ranks, a tied head."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(37, 24)
        self.norm = nn.LayerNorm(24)
        self.up = nn.Linear(24, 50)
        self.down = nn.Linear(50, 24)
        self.wide = nn.Linear(24, 3, dtype=torch.bfloat16)
        self.conv = nn.Conv1d(5, 6, 3)
        self.head = nn.Linear(24, 37, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        """Through the layers that take part."""
        x = self.norm(self.embed(x))
        return self.head(self.down(self.up(x).relu()))


def _sharded(model, **options):
    for layer in (model.up, model.down):
        fully_shard(layer, **options)
    return fully_shard(model, **options)


def _tensor_parallel(model, mesh):
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    return parallelize_module(model, mesh, plan)


def _by_columns(parameter):
    even = parameter.dim() > 1 and parameter.shape[1] % distributed.get_world_size() == 0
    return Shard(1) if even else Shard(0)  # FSDP does not divide columns unevenly


def layouts(world):
    """{name: a function that shards a model} of a job of this size."""
    found = {
        "fsdp": _sharded,
        "fsdp, one group": fully_shard,
        "fsdp by columns": lambda m: _sharded(m, shard_placement_fn=_by_columns),
        "fsdp, offloaded": lambda m: _sharded(m, offload_policy=CPUOffloadPolicy(pin_memory=False)),
        "tp": lambda m: _tensor_parallel(m, init_device_mesh("cpu", (world,))),
        "compiled fsdp": lambda m: torch.compile(_sharded(m), backend="eager"),
        "ddp": nn.parallel.DistributedDataParallel,
        "plain": lambda m: m,
    }
    for rows in range(1, world + 1):
        if world % rows == 0 and world > 1:
            shape = (rows, world // rows)
            found[f"hsdp {shape}"] = lambda m, shape=shape: _sharded(m, mesh=_replicated(shape))
            found[f"fsdp+tp {shape}"] = lambda m, shape=shape: _two(m, shape)
    if world == 4:
        for shape in ((1, 2, 2), (2, 1, 2), (2, 2, 1)):
            found[f"hsdp+tp {shape}"] = lambda m, shape=shape: _three(m, shape)
    return found


def _replicated(shape):
    return init_device_mesh("cpu", shape, mesh_dim_names=("replicate", "shard"))


def _two(model, shape):
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("dp", "tp"))
    return _sharded(_tensor_parallel(model, mesh["tp"]), mesh=mesh["dp"])


def _three(model, shape):
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("replicate", "shard", "tp"))
    return _sharded(_tensor_parallel(model, mesh["tp"]), mesh=mesh["replicate", "shard"])


def whole(tensor):
    """The whole of a parameter as torch gathers it, as bytes."""
    tensor = tensor.detach()
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.contiguous().view(torch.uint8).numpy().tobytes()


def contents(model):
    """{name: bytes} of all parameters, and {name: bytes} of what is here."""
    names = {
        glorot.torch.canonical_name(n.removeprefix("module.")): p for n, p in _parameters(model)
    }
    return {name: whole(parameter) for name, parameter in names.items()}


def _parameters(model):
    return model.named_parameters()


def poisoned(model):
    """Fill what is here with NaN, so that what is not written shows."""
    with torch.no_grad():
        for _, parameter in model.named_parameters():
            local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
            local.fill_(float("nan"))
    return model


def ways(world, shard):
    """{way: a filled model}: in place, from the meta device, and as a checkpoint that is loaded."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_model_state_dict

    model = poisoned(shard(Model()))
    with CommDebugMode() as communication:
        report = glorot.torch.init_(model, RECIPE, seed=SEED)
    assert communication.get_total_counts() == 0
    yield "init_", model, report
    model = poisoned(shard(Model()))
    reader = glorot.torch.VirtualCheckpoint(RECIPE, SEED, model)
    dcp.load(get_model_state_dict(model), storage_reader=reader)
    yield "load", model, None
    if shard is not nn.parallel.DistributedDataParallel:  # which needs values
        with torch.device("meta"):
            model = Model()
        model = shard(model)
        with CommDebugMode() as communication:
            report = glorot.torch.materialize(model, RECIPE, seed=SEED)
        assert communication.get_total_counts() == 0
        yield "materialize", model, report


def fill_every_layout(rank, world):
    """{layout: {way: (fingerprint, {name: bytes of the whole}, elements filled here)}}."""
    found = {}
    for layout, shard in layouts(world).items():
        found[layout] = {}
        for way, model, report in ways(world, shard):
            count = None if report is None else sum(p.count for p in report.parameters)
            tied = {id(m.weight) for n, m in model.named_modules() if n.endswith(("embed", "head"))}
            assert len(tied) == 1, (layout, way)
            found[layout][way] = glorot.torch.fingerprint(model), contents(model), count
    return found


# --- single tensors -------------------------------------------------------------------------------

SHAPES = [(8, 16), (5, 7), (50, 3), (7, 4), (3, 2), (12,), (2, 3, 4)]


def placements(rank_count, dims):
    """Placements to try, for a mesh of `rank_count` dimensions."""
    one = [
        [Shard(0)],
        [Shard(dims - 1)],
        [Replicate()],
        [_StridedShard(0, split_factor=2)],
        [_StridedShard(dims - 1, split_factor=3)],
    ]
    if rank_count == 1:
        return one
    two = [first + second for first in one[:3] for second in one[:3]]
    two += [
        [_StridedShard(0, split_factor=2), Shard(0)],
        [_StridedShard(dims - 1, split_factor=2), Shard(dims - 1)],
        [Shard(0), _StridedShard(0, split_factor=2)],
        [Replicate(), _StridedShard(0, split_factor=2)],
    ]
    return two


def fill_every_placement(rank, world, meshes):
    """[(what, whether the local part is that of the whole as torch distributes it)]: torch refuses
    to distribute some strided ones that do not divide; those are left out."""
    found = []
    for mesh_shape in meshes:
        mesh = init_device_mesh("cpu", mesh_shape)
        for shape in SHAPES:
            value = torch.from_numpy(NORMAL(shape, seed=SEED, name="w"))
            for placed in placements(len(mesh_shape), len(shape)):
                try:
                    wanted = distribute_tensor(value, mesh, placed).to_local()
                except AssertionError:
                    assert any(isinstance(p, _StridedShard) for p in placed)
                    continue
                tensor = DTensor.from_local(
                    torch.full_like(wanted, float("nan")),
                    mesh,
                    placed,
                    run_check=False,
                    shape=value.shape,
                    stride=value.stride(),
                )
                version = tensor._version
                assert glorot.torch.init_(tensor, NORMAL, seed=SEED, name="w") is tensor
                assert tensor._version > version
                found.append(
                    (f"{mesh_shape} {shape} {placed}", torch.equal(tensor.to_local(), wanted))
                )
    return found


def torchs_own(rank, world):
    """What torch.nn.init does to a sharded weight when every rank has the same seed, and the same
    weight filled by us: (its local part, ours, our whole)."""
    mesh = init_device_mesh("cpu", (world,))
    weight = distribute_tensor(torch.zeros(8, 6), mesh, [Shard(0)])
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        torch.nn.init.xavier_uniform_(weight)
    theirs = weight.to_local().clone()
    glorot.torch.xavier_uniform_(weight, seed=0, name="w")
    return theirs.numpy(), weight.to_local().numpy(), weight.full_tensor().numpy()


def verbs(rank, world):
    """Every verb of torch.nn.init on a sharded weight, whole: those that torch gets wrong too."""
    mesh = init_device_mesh("cpu", (world,))
    found = {}
    for verb in torch.nn.init.__all__:
        if verb.endswith("_"):
            shape = (6, 3, 3) if verb == "dirac_" else (7, 5)
            options = {"sparse_": {"sparsity": 0.5}, "constant_": {"val": 2.0}}.get(verb, {})
            for axis in range(2):
                tensor = distribute_tensor(torch.full(shape, 7.0), mesh, [Shard(axis)])
                getattr(glorot.torch, verb)(tensor, **options, seed=SEED, name="w")
                found[verb, axis] = tensor.full_tensor().numpy()
    return found


def refusals(rank, world):
    """The errors of what must be refused, by case."""
    mesh = init_device_mesh("cpu", (world,))
    local = torch.zeros(4, 6)
    cases = {
        "partial": lambda: glorot.torch.init_(
            DTensor.from_local(local, mesh, [Partial()]), NORMAL, seed=1, name="w"
        ),
        "partial module": lambda: glorot.torch.init_(_holding_partial(mesh), NORMAL, seed=1),
        "uneven local": lambda: glorot.torch.init_(
            DTensor.from_local(
                local, mesh, [Shard(0)], run_check=False, shape=(11, 6), stride=(6, 1)
            ),
            NORMAL,
            seed=1,
            name="w",
        ),
        "shard of a DTensor": lambda: glorot.torch.init_(
            distribute_tensor(local, mesh, [Shard(0)]),
            NORMAL,
            seed=1,
            name="w",
            shape=(8, 6),
            shard=slice(4),
        ),
        "seeds": lambda: glorot.torch.check_ranks(RECIPE, seed=rank),
        "recipes": lambda: glorot.torch.check_ranks(
            RECIPE if rank else glorot.Recipe(RECIPE.rules[:2]), seed=1
        ),
        "modules": lambda: glorot.torch.check_ranks(
            RECIPE, seed=1, module=nn.Linear(3, 3 + rank), names=lambda name: f"a.{name}"
        ),
        "strided load": lambda: _load_strided(mesh),
        "replicas": lambda: glorot.torch.fingerprint(_differing(rank)),
        "agreed": lambda: glorot.torch.check_ranks(RECIPE, seed=1, module=Model()),
    }
    found = {}
    for case, call in cases.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found[case] = f"returned {call()}"
            except BaseException as error:  # torch's CheckpointException is no Exception
                found[case] = f"{type(error).__name__}: {error}"
    assert (local == 0).all()
    return found


def chunks_of_its_own(rank, world):
    """A DTensor whose local part says itself where it lies, as sharding libraries of uneven shards
    do: (its values, the whole's there, the error when it says something that is not known)."""
    from torch.distributed.checkpoint.metadata import ChunkStorageMetadata

    mesh = init_device_mesh("cpu", (world,))
    tensor = distribute_tensor(torch.zeros(8, 3), mesh, [Shard(0)])
    local = tensor._local_tensor
    first, count = (1, 4) if rank == 0 else (4, 4)
    said = [ChunkStorageMetadata(torch.Size((first, 0)), torch.Size((count, 3)))]
    local.__create_chunk_list__ = lambda: said
    glorot.torch.init_(tensor, NORMAL, seed=SEED, name="w")
    wanted = NORMAL((8, 3), seed=SEED, name="w")[first : first + count]
    local.__create_chunk_list__ = lambda: said * 2
    try:
        glorot.torch.init_(tensor, NORMAL, seed=SEED, name="w")
        error = ""
    except ValueError as found:
        error = str(found)
    return local.numpy().copy(), wanted, error


def _holding_partial(mesh):
    module = nn.ParameterDict({"a": torch.zeros(2)})
    module["b"] = nn.Parameter(DTensor.from_local(torch.zeros(3), mesh, [Partial()]))
    return module


def _load_strided(mesh):
    import torch.distributed.checkpoint as dcp

    value = torch.zeros(2 * 2 * mesh.size(), 3)
    tensor = distribute_tensor(value, mesh, [_StridedShard(0, split_factor=2)])
    reader = glorot.torch.VirtualCheckpoint(NORMAL, 1, {"w": tensor})
    dcp.load({"w": tensor}, storage_reader=reader)


def _differing(rank):
    module = nn.ParameterDict({"a": torch.zeros(3)})
    with torch.no_grad():
        module["a"][1] = rank
    return module


def resave(rank, world, folder):
    """Save a sharded model that we filled; another job loads it."""
    import torch.distributed.checkpoint as dcp

    model = _sharded(Model())
    glorot.torch.init_(model, RECIPE, seed=SEED)
    dcp.save({"model": model.state_dict()}, checkpoint_id=folder)
    distributed.barrier()


def after_a_step(rank, world):
    """Fill a model again after it has run forward, when FSDP has left it unsharded: (fingerprint,
    fingerprint of the same model that was not sharded)."""
    model = fully_shard(Model().to(torch.float32), reshard_after_forward=False)
    glorot.torch.init_(model, RECIPE, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(torch.arange(6)[None])
    assert not isinstance(model.up.weight, DTensor)
    glorot.torch.init_(model, RECIPE, seed=SEED)
    plain = Model().to(torch.float32)
    glorot.torch.init_(plain, RECIPE, seed=SEED)
    return glorot.torch.fingerprint(model), glorot.torch.fingerprint(plain)


def fsdp1(rank, world):
    """What FSDP 1 says of its flat pieces, and the fingerprint of the whole that is filled while it
    is there, before and after a forward pass."""
    from torch.distributed.fsdp import FullyShardedDataParallel

    found = []
    for original in (True, False):
        options = {"use_orig_params": original, "device_id": torch.device("cpu")}
        model = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 5))
        model[0] = FullyShardedDataParallel(model[0], **options)
        model = FullyShardedDataParallel(model, **options)
        try:
            glorot.torch.init_(model, NORMAL, seed=SEED)
        except ValueError as error:
            found.append(str(error))
        with FullyShardedDataParallel.summon_full_params(model):
            glorot.torch.init_(model, NORMAL, seed=SEED)
        for _ in range(2):
            with FullyShardedDataParallel.summon_full_params(model):
                found.append(glorot.torch.fingerprint(model))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model(torch.ones(2, 5))
    return found


def empty_columns(rank, world):
    """{way: (shape of the local part, the whole's fingerprint)} of an embedding of fewer columns
    than tensor parallelism has ranks, so that FSDP has nothing to shard on the last."""
    import torch.distributed.checkpoint as dcp

    mesh = init_device_mesh("cpu", (1, world), mesh_dim_names=("dp", "tp"))
    found = {}
    for way in ("init_", "materialize", "load"):
        with torch.device("meta" if way == "materialize" else "cpu"):
            model = nn.Sequential(nn.Embedding(11, 6))
        parallelize_module(model, mesh["tp"], {"0": ColwiseParallel()})
        fully_shard(model, mesh=mesh["dp"])
        if way == "load":
            reader = glorot.torch.VirtualCheckpoint(NORMAL, SEED, model)
            dcp.load(model.state_dict(), storage_reader=reader)
        elif way == "init_":
            glorot.torch.init_(model, NORMAL, seed=SEED)
        else:
            glorot.torch.materialize(model, NORMAL, seed=SEED)
        found[way] = tuple(model[0].weight.to_local().shape), glorot.torch.fingerprint(model)
    return found
