# SPDX-License-Identifier: Apache-2.0
"""`glorot.torch.init_` of tensors: filled in place, and which tensors and arguments are refused."""

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import stateless
from torch_init_cases import NORMAL, RECIPE, WEIGHT, expected, init_, mlp

import glorot

pytestmark = pytest.mark.frameworks


def test_requires_grad_stays_and_autograd_is_told():
    """A leaf keeps `requires_grad`, its version goes up by one, and a graph that saved the old
    values refuses to be run back, as after torch's own operations in place."""
    w = nn.Parameter(torch.ones(4))
    loss = (w * w).sum()
    version, address = w._version, w.data_ptr()
    assert init_(w, NORMAL, seed=42, name="w") is w
    assert (w.requires_grad, w.is_leaf, w._version, w.data_ptr()) == (
        *(True, True, version + 1),
        address,
    )
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    view = w.detach()
    init_(view, NORMAL, seed=42, name="w")
    assert w._version == version + 2


@pytest.mark.parametrize("initializer", ["glorot_uniform", glorot.HeNormal, {"class_name": "Ones"}])
def test_initializers_by_name_class_and_config(initializer):
    """What `glorot.get` reads is read."""
    w = init_(torch.empty(4, 3), initializer, seed=42, name="w")
    assert torch.equal(w, expected("w", (4, 3), glorot.get(initializer)))


def test_the_initializers_own_seed():
    """A seed of the initializer serves where the call gives none."""
    w = init_(torch.empty(3), glorot.RandomNormal(seed=7), name="w")
    assert torch.equal(w, expected("w", (3,), NORMAL, seed=7))


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.uint8])
def test_constants_write_integers(dtype):
    """Constants fill integers and bool, as in NumPy."""
    w = init_(torch.zeros(3, dtype=dtype), glorot.Ones(), name="steps")
    assert w.dtype is dtype
    assert w.tolist() == [1, 1, 1]


def test_a_shard_of_a_plain_tensor():
    """`shape` and `shard` say which part of a whole a plain tensor is; fans are the whole's."""
    rows = torch.empty(2, 6)
    init_(rows, WEIGHT, seed=42, name="w", shape=(8, 6), shard=(slice(3, 5),))
    assert torch.equal(rows, expected("w", (8, 6))[3:5])
    assert not torch.equal(rows, expected("w", (2, 6)))


def fake():
    """A FakeTensor."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode().from_tensor(torch.empty(3))


def cut():
    """A tensor whose storage is too short for it."""
    tensor = torch.zeros(6, 4)[2:]
    tensor.untyped_storage().resize_(40)
    return tensor


def freed():
    """A tensor whose storage has been given back."""
    tensor = torch.empty(3)
    tensor.untyped_storage().resize_(0)
    return tensor


def inference():
    """A tensor of inference mode."""
    with torch.inference_mode():
        return torch.empty(3)


class Wrapper(torch.Tensor):
    """A tensor whose values are elsewhere."""

    @staticmethod
    def __new__(cls, inner):
        """A shape, and no memory."""
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        """Nothing works."""
        raise AssertionError(func)


REFUSED = {
    "complex": (
        lambda: torch.empty(3, dtype=torch.complex64),
        (TypeError, r"`tensor` must have one of the dtypes float32, .*real and imaginary parts"),
    ),
    "integer": (
        lambda: torch.empty(3, dtype=torch.int64),
        (TypeError, r"`dtype` must be one of float32, .*Only floating point"),
    ),
    "another float8": (
        lambda: torch.empty(3, dtype=torch.float8_e4m3fnuz),
        (TypeError, "got torch.float8_e4m3fnuz"),
    ),
    "conjugated": (
        lambda: torch.empty(3, dtype=torch.complex64).conj().imag,
        (ValueError, "conjugated or negated view: its memory does not hold its values"),
    ),
    "expanded": (
        lambda: torch.empty(3, 1).expand(3, 4),
        (ValueError, r"each element in memory of its own, got shape \(3, 4\) with strides"),
    ),
    "overlapping": (
        lambda: torch.empty(9).as_strided((3, 3), (2, 1)),
        (ValueError, r"tensor.clone\(\)"),
    ),
    "meta": (
        lambda: torch.empty(3, device="meta"),
        (ValueError, r"no memory. Use glorot.torch.materialize\(module"),
    ),
    "sparse": (
        lambda: torch.eye(3).to_sparse(),
        (TypeError, "must be dense, got the layout torch.sparse_coo"),
    ),
    "lazy": (lambda: nn.LazyLinear(3).weight, (ValueError, "lazy: it has no shape yet. Run")),
    "fake": (fake, (TypeError, "is a FakeTensor, which has a shape and no values")),
    "freed": (freed, (ValueError, r"memory taken away \(its storage has 0 bytes\)")),
    "cut": (cut, (ValueError, r"memory taken away \(its storage has 40 bytes\)")),
    "nested": (
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        (TypeError, "is a nested tensor, which has no shape. Fill the tensors in it"),
    ),
    "inference": (inference, (ValueError, "made in inference mode")),
    "wrapper": (
        lambda: Wrapper(torch.empty(3)),
        (TypeError, "`tensor` is a Wrapper, which keeps its values in other tensors"),
    ),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_tensors(case):
    """Each is refused for what it is, and told what to do."""
    make, (error, text) = REFUSED[case]
    with pytest.raises(error, match=text):
        init_(make(), NORMAL, seed=42, name="w")


def test_inference_tensors_in_inference_mode():
    """Where torch lets them be written, so do we."""
    with torch.inference_mode():
        w = init_(torch.empty(3), NORMAL, seed=42, name="w")
        assert torch.equal(w, expected("w", (3,), NORMAL))


def test_an_empty_freed_or_expanded_tensor_is_nothing_to_fill():
    """Without elements there is no memory to be wrong."""
    empty = torch.empty(0, 1).expand(0, 4)
    assert init_(empty, NORMAL, seed=42, name="w") is empty


def test_inside_transforms_and_tracing():
    """torch.func and make_fx see no writes of ours, so we refuse; the tensor is as it was."""
    from torch.fx.experimental.proxy_tensor import make_fx

    w = torch.zeros(3)

    def loss(x):
        init_(x, NORMAL, seed=42, name="w")
        return x.sum()

    with pytest.raises(TypeError, match=r"inside of a torch.func transform"):
        torch.func.grad(loss)(w)
    with pytest.raises(RuntimeError, match="what torch is tracing here"):
        make_fx(loss)(w)
    assert (w == 0).all()

    layer = nn.Linear(3, 3)

    def loss_of(weights):
        with stateless._reparametrize_module(layer, weights):
            init_(layer, RECIPE, seed=42)

    with pytest.raises(TypeError, match=r"'weight' is inside of a torch.func transform"):
        torch.func.grad(loss_of)(dict(layer.named_parameters()))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((torch.empty(3), NORMAL), {"seed": 1}, TypeError, "`name` is missing"),
        ((torch.empty(3), NORMAL), {"name": "w"}, ValueError, "`seed` is missing"),
        ((torch.empty(3), NORMAL), {"seed": -1, "name": "w"}, ValueError, "`seed` must lie in"),
        ((torch.empty(3), sum), {"seed": 1, "name": "w"}, TypeError, "`initializer` must be one"),
        ((np.empty(3), NORMAL), {"seed": 1, "name": "w"}, TypeError, "init_ fills a torch.Tensor"),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "names": {}},
            TypeError,
            "`names` is for a module",
        ),
        ((mlp(), RECIPE), {"seed": 1, "name": "w"}, TypeError, "`name` is for a tensor"),
        (
            (mlp(), RECIPE),
            {"seed": 1, "shard": slice(1)},
            TypeError,
            "`shard` is for a tensor",
        ),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "shard": slice(3)},
            TypeError,
            "give both or neither",
        ),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "shape": (8,), "shard": slice(2, 4)},
            ValueError,
            r"must have the shape of the shard, \(2,\), got \(3,\)",
        ),
        ((mlp(), RECIPE), {}, TypeError, "`seed` must be an integer"),
        ((mlp(), 3), {"seed": 1}, TypeError, "`recipe` must be a glorot.Recipe"),
        (
            (mlp(), "no such"),
            {"seed": 1},
            ValueError,
            r"the name of a built-in one \(.*got .no such.",
        ),
        ((mlp(), RECIPE), {"seed": 1, "names": 3}, TypeError, "`names` must be a mapping"),
        ((nn.ReLU(), RECIPE), {"seed": 1}, ValueError, "has no parameters"),
    ],
)
def test_refused_arguments(arguments, options, error, text):
    """Each wrong argument is named."""
    with pytest.raises(error, match=text):
        init_(*arguments, **options)


def test_import_glorot_imports_no_torch():
    """`import glorot` does not load torch; `glorot.torch` is loaded when it is asked for."""
    code = "import sys, glorot; assert 'torch' not in sys.modules; glorot.torch; print(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_without_torch():
    """Without PyTorch the error says what to install, and is no other error of an import."""
    code = """
import sys
sys.modules["torch"] = None
import glorot
try:
    import glorot.torch
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "glorot.torch needs PyTorch, which is not installed: pip install" in done.stdout


def test_float8_and_bfloat16_round_once():
    """The 8-bit and 16-bit values are the float32 value rounded once, from NumPy's own types."""
    whole = NORMAL((64,), seed=42, name="w")
    for name in ("float8_e4m3fn", "float8_e5m2", "bfloat16"):
        w = init_(torch.empty(64, dtype=getattr(torch, name)), NORMAL, seed=42, name="w")
        rounded = whole.astype(getattr(ml_dtypes, name)).astype("f4")
        assert torch.equal(w.float(), torch.from_numpy(rounded))
