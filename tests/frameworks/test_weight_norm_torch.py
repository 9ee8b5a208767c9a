# SPDX-License-Identifier: Apache-2.0
"""Weight norm in torch: modules, files and virtual checkpoints hold the same two tensors."""

import pytest
import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import parametrizations

import glorot
from glorot import checkpoint
from glorot.torch import VirtualCheckpoint, init_

pytestmark = pytest.mark.frameworks

RECIPE = glorot.Recipe([glorot.Rule("*.bias", "zeros"), glorot.Rule("*.weight", "he_normal")])


class Vocoder(nn.Module):
    """Layers with weight norm along each axis, along none, and one without."""

    def __init__(self):
        super().__init__()
        self.up = parametrizations.weight_norm(nn.ConvTranspose1d(8, 4, 5))
        self.down = parametrizations.weight_norm(nn.Conv2d(4, 6, 3, groups=2), dim=3)
        self.whole = parametrizations.weight_norm(nn.Linear(6, 5), dim=None)
        self.last = nn.Linear(5, 2)


def equal(one, other):
    """Whether two state dicts hold the same bytes."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def filled():
    """What `init_` gives."""
    module = Vocoder()
    init_(module, RECIPE, seed=3)
    return module.state_dict()


def test_a_module(filled):
    """The length is the norm of the weight, by our sums: torch's own may end in another bit."""
    layouts = {"up": "torch.conv_transpose", "down": "torch.conv", "whole": "torch.linear"}
    for layer, layout in layouts.items():
        v = filled[f"{layer}.parametrizations.weight.original1"]
        g = filled[f"{layer}.parametrizations.weight.original0"]
        groups = {"groups": 2} if layer == "down" else {}
        law = glorot.HeNormal(layout=layout, **groups)
        assert torch.equal(v, torch.from_numpy(law(v.shape, seed=3, name=f"{layer}.weight")))
        axes = [axis for axis, n in enumerate(g.shape) if n == 1] or None
        exact = v.double().square().sum(axes).sqrt().reshape(g.shape)
        assert torch.equal(g, exact.float())


def test_a_file(filled, tmp_path):
    """Written from the module's shapes, a state dict."""
    source = glorot.sources.read(Vocoder())
    checkpoint.write(source.shapes, RECIPE, tmp_path / "out", seed=3)
    held = load_file(tmp_path / "out" / "model.safetensors")
    assert equal(held, dict(filled))
    module = Vocoder()
    module.load_state_dict(held)
    assert glorot.audit(module, RECIPE, seed=3).ok


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_virtual_checkpoint(filled):
    """Loaded as if it were there, by keys of the module and of one that is compiled."""
    for module in (Vocoder(), torch.compile(Vocoder(), backend="eager")):
        state = module.state_dict()
        dcp.load(state, storage_reader=VirtualCheckpoint(RECIPE, 3, module))
        module.load_state_dict(state)
        plain = getattr(module, "_orig_mod", module)
        assert equal(plain.state_dict(), filled)


def test_the_older_hook(tmp_path):
    """A file for a module with `torch.nn.utils.weight_norm`, whose weight is then the recipe's."""
    with pytest.warns(FutureWarning):
        module = nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 5)))
    shapes = {key: {"shape": tuple(value.shape), "layout": "torch.linear"}
              for key, value in module.state_dict().items()}  # fmt: skip
    checkpoint.write(shapes, RECIPE, tmp_path / "out", seed=3)
    module.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
    module(torch.zeros(1, 6))
    law = glorot.HeNormal(layout="torch.linear")
    wanted = torch.from_numpy(law((5, 6), seed=3, name="0.weight"))
    assert torch.allclose(module[0].weight, wanted, rtol=1e-6, atol=0)


def test_a_speech_model(tmp_path):
    """transformers loads what is written of a config alone, and it is what `init_` gives."""
    import transformers

    config = transformers.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        conv_dim=[32] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        vocab_size=20, architectures=["Wav2Vec2ForCTC"],
    )  # fmt: skip
    config.save_pretrained(tmp_path)
    source = glorot.sources.read(tmp_path)
    checkpoint.write(source.shapes, source.recipe(), tmp_path / "out", seed=1)
    config.save_pretrained(tmp_path / "out")
    model, info = transformers.Wav2Vec2ForCTC.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not any(info.values()), info
    assert glorot.audit(model, source.recipe(), seed=1).ok
    assert glorot.audit(tmp_path / "out", source.recipe(), seed=1).ok
    filled = transformers.Wav2Vec2ForCTC(config)
    init_(filled, source.recipe(), seed=1)
    assert equal(model.state_dict(), filled.state_dict())
