# SPDX-License-Identifier: Apache-2.0
"""Configs and folders that are refused, with what to do; what loads, loads without a network."""

import numpy as np
import pytest
import safetensors.numpy
from source_cases import CONFIGS, LLAMA, config_of, invoke

import glorot

pytestmark = pytest.mark.frameworks


REFUSED = {
    "an unknown type": ({"model_type": "lama"}, "has no model type 'lama'. Near: "),
    "an unknown type and code": (
        {"model_type": "zzzzzz", "auto_map": {"AutoConfig": "evil.Config"}},
        "It names code of its own (`auto_map`), which is never run.",
    ),
    "an unknown class": (
        {**LLAMA, "architectures": ["LlamaForCausalLMs"]},
        "names 'LlamaForCausalLMs', which transformers",
    ),
    "an unknown class alone": ({"architectures": ["Nothing"]}, "has no model called 'Nothing'"),
    "no class of models": (
        {**LLAMA, "architectures": ["LlamaConfig"]}, "names 'LlamaConfig', which transformers",
    ),
    "the class of another type": (
        {**LLAMA, "architectures": ["GPT2LMHeadModel"]}, "is no model of the type 'llama'",
    ),
    "sizes that do not fit": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "hidden_size": -32},
        "transformers",
    ),
    "sizes that are text": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "hidden_size": "wide"}, "transformers",
    ),
    "sizes that overflow": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "vocab_size": 2**70}, "transformers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ["llama-tied", "gpt2", "t5"])
def test_the_folder_loads(tmp_path, case):
    """`from_pretrained` of what `init` wrote: the config is there, no key is missing, the weights
    are those of the file in its dtype."""
    import transformers

    path = config_of(tmp_path, CONFIGS[case])
    out = tmp_path / "out"
    result = invoke("init", path, "--seed", 0, "--out", out, "--dtype", "bfloat16")
    assert result.exit_code == 0, result.stderr
    cls = getattr(transformers, CONFIGS[case]["architectures"][0])
    model, found = cls.from_pretrained(out, dtype="auto", output_loading_info=True)
    assert not any(found[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    state = model.state_dict()
    for name, values in stored.items():
        assert str(state[name].dtype) == "torch.bfloat16"
        assert state[name].float().numpy().tobytes() == values.astype(np.float32).tobytes()


def test_a_folder_of_float8_loads(tmp_path):
    """transformers has no model of float8: the config keeps the model's dtype, which holds every
    value."""
    import safetensors.torch
    import torch
    import transformers

    out = tmp_path / "out"
    path = config_of(tmp_path, CONFIGS["llama"])
    line = ("init", path, "--seed", 0, "--out", out, "--dtype", "float8_e4m3fn")
    assert invoke(*line).exit_code == 0
    model = transformers.LlamaForCausalLM.from_pretrained(out)
    for name, values in safetensors.torch.load_file(out / "model.safetensors").items():
        assert values.dtype == torch.float8_e4m3fn
        assert torch.equal(model.state_dict()[name].double(), values.double())


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("case", REFUSED)
def test_configs_that_are_refused(tmp_path, case):
    """One line, with the file's name; nothing is written, and nothing asked of the network."""
    content, text = REFUSED[case]
    path = config_of(tmp_path, content)
    result = invoke("init", path, "--recipe", "llama", "--seed", 0, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert text in line
    assert "config.json" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_network")
def test_code_of_a_config_is_never_run(tmp_path):
    """`auto_map` beside a known type: transformers' own classes are taken; the file is not."""
    victim = tmp_path / "victim"
    (tmp_path / "evil.py").write_text(f"open({str(victim)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    source = glorot.sources.read(config_of(tmp_path, {**CONFIGS["llama"], "auto_map": auto}))
    assert source.preset == "llama"
    assert not victim.exists()


@pytest.mark.usefixtures("no_network")
def test_backbones_are_not_downloaded(tmp_path):
    """A config that asks for another model's trained weights gets the model without them."""
    content = {"model_type": "detr", "architectures": ["DetrForObjectDetection"],
               "use_timm_backbone": True, "backbone": "resnet18", "use_pretrained_backbone": True,
               "encoder_layers": 1, "decoder_layers": 1, "d_model": 32}  # fmt: skip
    source = glorot.sources.read(config_of(tmp_path, content))
    assert any(name.endswith("layer1.0.conv1.weight") for name in source.shapes)
