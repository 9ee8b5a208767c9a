# SPDX-License-Identifier: Apache-2.0
"""Code that is watched does what it would do on the CPU, wherever its tensors are."""

import random
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from capture_cases import captured
from torch import nn

import glorot
from glorot.torch import capture, shapes

pytestmark = pytest.mark.frameworks

init = nn.init

SAYS_CPU = {
    "is_meta": lambda w: not w.is_meta,
    "is_cpu": lambda w: w.is_cpu,
    "type": lambda w: w.device.type == "cpu",
    "device": lambda w: w.device == torch.device("cpu"),
    "text": lambda w: str(w.device) == "cpu",
    "another's": lambda w: torch.empty(0).device.type != "meta",
    "default": lambda w: torch.get_default_device().type != "meta",
    "moved": lambda w: w.cpu() is w and w.to("cpu") is w and not w.to(w.device).is_meta,
}


@pytest.mark.parametrize("case", SAYS_CPU)
def test_where_tensors_are(case):
    """Code that skips initialisation elsewhere than on the CPU does not skip it."""

    def write(w):
        init.normal_(w)
        if SAYS_CPU[case](w):
            init.ones_(w)

    assert captured(write) == glorot.Ones()
    assert torch.empty(0, device="meta").device.type == "meta"


def test_devices_that_are_given():
    """The CPU, said by name, in a context, or by another tensor, is the same place."""

    def write(w):
        with torch.device("cpu"):
            scale = torch.full((6, 1), 2.0, device="cpu")[0, 0] * torch.ones((), device=w.device)
        return torch.randn(6, 4, device="cpu") * scale + torch.zeros((), device=w.device)

    assert captured(write) == glorot.RandomNormal(0.0, 2.0)


def test_numbers_that_python_asks_for():
    """Those that nothing drew are known on the meta device too, however they were given."""

    def write(w):
        first, second = torch.linspace(0, 1, 3).tolist()[1:]
        third = float(np.asarray(w.new_tensor([3.0]))[0]) + torch.tensor(data=1.0).numpy()
        w.fill_(first + second + float(third))

    assert captured(write) == glorot.Constant(5.5)


def test_truncated_normals_of_others():
    """Draws of another thread are drawn while code is watched, as are those on the CPU."""
    drawn = torch.zeros(100)

    def build():
        other = threading.Thread(target=init.trunc_normal_, args=(drawn,))
        other.start()
        other.join()
        net = nn.Linear(3, 3)
        init.trunc_normal_(net.weight, std=2.0)
        if torch.randn(()).item() > 1e9 or (net.weight == 0).all():  # not on the meta device
            init.zeros_(net.weight)
        return net

    found = {a.name: a.law for a in capture(build).resolve(shapes(build()))}
    assert found["weight"] == "TN(0, 2, ±1)"
    assert drawn.std() > 0.5


def test_captures_at_once():
    """Threads that capture do not change one another's torch."""
    own = init._no_grad_trunc_normal_
    laws = {}

    def run(number):
        def build():
            net = nn.Linear(3, 3, bias=False)
            init.trunc_normal_(net.weight, std=number)
            return net

        laws[number] = capture(build).resolve(shapes(build()))[0].initializer.stddev

    threads = [threading.Thread(target=run, args=(float(i),)) for i in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert laws == {float(i): float(i) for i in range(1, 9)}
    assert init._no_grad_trunc_normal_ is own


IMPORTS = """
import sys
from glorot.torch import capture

def build():
    from transformers import GPT2Config, GPT2Model
    return GPT2Model(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=9, initializer_range=0.5))

sys.modules["torchvision"] = None  # one beside a CPU build of torch cannot be imported
assert "transformers" not in sys.modules
print(capture(build).to_toml())
"""


def test_transformers_that_the_code_imports():
    """Their models initialise themselves, whoever imports them."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert "stddev = 0.5" in done.stdout


def test_numbers_that_python_draws():
    """A constant that is another one when the code runs again is none: drawn by Python, by NumPy,
    or looked at by the code."""
    drawn = {
        "python": lambda w: w.fill_(random.random()),
        "numpy": lambda w: torch.full((6, 4), float(np.random.rand())),
        "torch": lambda w: w.fill_(torch.rand(1).item()),
    }
    for write in drawn.values():
        with pytest.raises(ValueError, match=r"'w': Constant.*, and Constant.* when it ran again"):
            captured(write)
    assert isinstance(captured(lambda w: w.fill_(random.Random(0).random())), glorot.Constant)

    def build():
        random.random()
        return nn.BatchNorm1d(8)

    assert capture(build) == capture(lambda: nn.BatchNorm1d(8))


def test_memory_that_numpy_writes():
    """Values that no operator of torch wrote are not those of the law that one did write."""

    def build():
        net = nn.ModuleList([nn.Linear(20, 20), nn.Linear(20, 20)])
        net[1].weight = net[0].weight
        net[0].weight.data.numpy()[:] = np.random.randn(20, 20)
        net[0].weight.data.mul_(1.0)  # by an operator, of values that none has seen
        return net

    with pytest.raises(ValueError, match=r"'0.weight': RandomUniform.*, which its values are not"):
        capture(build)
    found = capture(build, rules=[glorot.Rule("*.weight", "ones")])
    assert [rule.pattern for rule in found.rules] == ["*.weight", "*"]
