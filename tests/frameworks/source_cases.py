# SPDX-License-Identifier: Apache-2.0
"""What the tests of sources share: small configs, the command, and what a source says."""

import json
import runpy
from pathlib import Path

from click.testing import CliRunner

from glorot.cli._app import app

ROOT = Path(__file__).parents[2]
LAYERS = runpy.run_path(str(ROOT / "tests" / "oracle" / "framework_sources.py"))
SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4,
}  # fmt: skip
LLAMA = {**SMALL, "model_type": "llama", "num_key_value_heads": 2}
CONFIGS = {
    "llama": {**LLAMA, "architectures": ["LlamaForCausalLM"]},
    "llama-tied": {**LLAMA, "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True},
    "llama-bfloat16": {**LLAMA, "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16"},
    "llama-narrow": {**LLAMA, "initializer_range": 0.003, "architectures": ["LlamaForCausalLM"]},
    "llama-labels": {
        **LLAMA, "architectures": ["LlamaForSequenceClassification"], "num_labels": 3,
    },
    "gpt2": {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 2,
        "n_head": 4, "vocab_size": 50, "n_positions": 16,
    },
    "mixtral": {
        **SMALL, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"],
        "num_key_value_heads": 2, "num_local_experts": 4, "dtype": "bfloat16",
    },
    "bert": {**SMALL, "model_type": "bert", "architectures": ["BertForPreTraining"]},
    "t5": {
        "model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "vocab_size": 50,
        "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
    },
    "resnet": {
        "model_type": "resnet", "architectures": ["ResNetForImageClassification"],
        "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1],
    },
    "mamba": {
        "model_type": "mamba", "architectures": ["MambaForCausalLM"], "vocab_size": 50,
        "hidden_size": 16, "num_hidden_layers": 2,
    },
}  # fmt: skip


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def config_of(folder, content):
    """The path of a config.json with this content."""
    folder.mkdir(exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


def built(path):
    """The model that transformers itself builds of a config, with memory."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(path)
    return getattr(transformers, config.architectures[0])._from_config(config)


def described(state):
    """Shapes and dtypes of a state dict."""
    return {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()}


def said(source):
    """The same of a source."""
    return {name: (spec.shape, spec.dtype) for name, spec in source.shapes.items()}
