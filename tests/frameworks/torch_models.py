# SPDX-License-Identifier: Apache-2.0
"""Real models, small: two of transformers', timm's vision transformer, another and a residual
network in plain torch.nn; with recipes, and what sharded ranks find."""

import sys
import types

import cpu_torchvision  # noqa: F401
import torch
from torch import nn
from torch.distributed.fsdp import fully_shard

import glorot
import glorot.torch

# As conftest.py, which ranks have not run: torchvision, which timm and transformers
# import, registers operators that a CPU build of torch may lack.
sys.modules.setdefault(
    "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations")
)

SEED = 42
NORMAL = glorot.RandomNormal(stddev=0.02)


def llama():
    """transformers' Llama, its head tied to its embedding."""
    import transformers

    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            hidden_size=32,
            intermediate_size=52,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=101,
            tie_word_embeddings=True,
        )
    )


def gpt2():
    """transformers' GPT-2."""
    import transformers

    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            **{"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 101, "n_positions": 20},
            bos_token_id=1,
            eos_token_id=1,
        )
    )


def timm_vit():
    """timm's vision transformer."""
    import timm

    return timm.models.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, num_classes=7
    )


class VisionTransformer(nn.Module):
    """Dosovitskiy et al., ICLR 2021, with torch's own attention and a fixed sine table."""

    def __init__(self, width=24, depth=2, heads=3, patch=4, size=16, classes=7):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, patch, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        self.places, self.width = (size // patch) ** 2 + 1, width
        self.register_buffer("positions", torch.empty(self.places, width), persistent=False)
        self.reset_buffers()

    def reset_buffers(self):
        """The table of sines."""
        at = torch.arange(self.places)[:, None] / 10000 ** (torch.arange(self.width) / self.width)
        self.positions.copy_(at.sin())

    def forward(self, x):
        """(batch, 3, size, size) -> (batch, classes)."""
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Basic(nn.Module):
    """A basic block of He et al., CVPR 2016."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        """With its shortcut."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.downsample(x)).relu()


class ResNet(nn.Module):
    """A stem, two stages and a head, in channels-last memory."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(10)
        self.layer1 = Basic(10, 10, 1)
        self.layer2 = Basic(10, 22, 2)
        self.fc = nn.Linear(22, 5)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        """(batch, 3, height, width) -> (batch, 5)."""
        x = self.layer2(self.layer1(self.bn1(self.conv1(x)).relu()))
        return self.fc(x.mean((2, 3)))


def tokens():
    """Input of a language model."""
    return torch.arange(12).reshape(2, 6)


def image():
    """Input of a vision model."""
    return torch.linspace(-1, 1, 2 * 3 * 16 * 16).reshape(2, 3, 16, 16)


VIT = glorot.Recipe(
    [
        glorot.Rule("cls_token", NORMAL),
        glorot.Rule("patch_embed.weight", glorot.LecunNormal(layout="torch.conv")),
        glorot.Rule("*norm*.weight", "ones"),
        glorot.Rule("*bias", "zeros"),
        # q, k and v in one matrix: each has the fans of its own third
        glorot.Rule("*in_proj_weight", glorot.GlorotUniform(layout="torch.linear", fan_out=24)),
        glorot.Rule("*", glorot.GlorotUniform(layout="torch.linear")),
    ]
)
RESNET = glorot.Recipe(
    [
        glorot.Rule("*bn?.weight", "ones"),
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("fc.weight", glorot.RandomNormal(stddev=0.01)),
        glorot.Rule(
            "*",
            glorot.VarianceScaling(2.0, "fan_out", "untruncated_normal", layout="torch.conv"),
        ),
    ]
)
LLAMA = glorot.Recipe([glorot.Rule("*norm.weight", "ones"), glorot.Rule("*", NORMAL)])

MODELS = {
    "llama": (llama, LLAMA, tokens),
    "gpt2": (gpt2, "gpt2", tokens),
    "timm": (timm_vit, "vit-timm", image),
    "vit": (VisionTransformer, VIT, image),
    "resnet": (ResNet, RESNET, image),
}


def on_meta(make):
    """The model, built on the meta device."""
    with torch.device("meta"):
        return make()


def sharded(model):
    """FSDP2 over its layers, which it wants in contiguous memory."""
    model = model.to(memory_format=torch.contiguous_format)
    for layer in [*model.modules()]:
        if isinstance(layer, (nn.TransformerEncoderLayer, Basic)) or hasattr(layer, "mlp"):
            fully_shard(layer)
    return fully_shard(model)


def fingerprints(rank, world):
    """{model: (fingerprint in place, fingerprint from the meta device, buffers)}."""
    found = {}
    for name, (make, recipe, _) in MODELS.items():
        model = sharded(make())
        glorot.torch.init_(model, recipe, seed=SEED)
        lazy = sharded(on_meta(make))
        glorot.torch.materialize(lazy, recipe, seed=SEED)
        buffers = {at: buffer.tolist() for at, buffer in lazy.named_buffers()}
        found[name] = glorot.torch.fingerprint(model), glorot.torch.fingerprint(lazy), buffers
    return found
