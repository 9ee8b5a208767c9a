# SPDX-License-Identifier: Apache-2.0
"""Models of timm as sources."""

import numpy as np
import pytest
import safetensors.numpy
from source_cases import described, invoke, said

import glorot

pytestmark = pytest.mark.frameworks


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18.a1_in1k", "convnext_atto"])
def test_timm(tmp_path, name):
    """The state dict of timm's model, the preset for it, and a checkpoint that it loads."""
    import timm
    import torch

    source = glorot.sources.read(f"timm:{name}")
    model = timm.create_model(name, pretrained=False)
    assert said(source) == described(model.state_dict())
    assert source.preset == glorot.recipe.preset_for(f"timm:{name}")
    result = invoke("init", f"timm:{name}", "--seed", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert f"recipe {source.preset}, for the timm model" in result.stderr
    stored = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in stored.items()}
    model.load_state_dict(tensors, strict=True)
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            assert bool((value == 1).all())
        if key.endswith(("running_mean", "num_batches_tracked")):
            assert not value.any()


def test_a_timm_model_without_a_preset():
    """The error lists the recipes."""
    result = invoke("explain", "timm:mobilenetv2_035")
    assert result.exit_code == 1
    assert "no built-in recipe is for 'timm:mobilenetv2_035'" in result.stderr


def test_unknown_names_of_timm(tmp_path):
    """The nearest names; nothing is written."""
    for name, text in (("resnet19", "Near: resnet18"), ("", "timm.list_models()"),
                       ("qqqqqqqqqqqqqq", "timm.list_models() has all")):  # fmt: skip
        out = tmp_path / "out"
        result = invoke("init", f"timm:{name}", "--recipe", "resnet", "--seed", 1, "--out", out)
        assert result.exit_code == 1
        assert text in result.stderr
        assert not out.exists()
