# SPDX-License-Identifier: Apache-2.0
"""`glorot inspect` names each known failure of the field, and says nothing of the model beside it
that has none."""

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from cli_cases import invoke

import glorot
from glorot import Recipe, Rule

GPT2 = {"wte.weight": (300, 64), "wpe.weight": (40, 64), "ln_f.weight": (64,), "ln_f.bias": (64,)}
for _i in range(3):
    GPT2 |= {
        f"h.{_i}.ln_1.weight": (64,),
        f"h.{_i}.attn.c_attn.weight": (64, 192),
        f"h.{_i}.attn.c_proj.weight": (64, 64),
        f"h.{_i}.ln_2.weight": (64,),
        f"h.{_i}.mlp.c_fc.weight": (64, 256),
        f"h.{_i}.mlp.c_proj.weight": (256, 64),
    }
MLP = Recipe([Rule("*bias", "zeros", optional=True), Rule("*", "glorot_uniform")])


def draw(init, shape, name="w", dtype="float32"):
    """Values of a seed of their own."""
    return glorot.get(init)(shape, seed=5, name=name, dtype=dtype)


def unscaled(model):
    """Residual projections that nobody scaled by depth."""
    return {k: v * np.float32(6**0.5) if "c_proj" in k else v for k, v in model.items()}


def not_written(model):
    """A parameter of torch.empty: what memory held, here the bytes of anything."""
    held = np.random.default_rng(0).bytes(model["h.1.mlp.c_fc.weight"].nbytes)
    values = np.nan_to_num(np.frombuffer(held, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return model | {"h.1.mlp.c_fc.weight": values.reshape(64, 256)}


def equal_shards(model):
    """Four ranks that drew their rows from one seed."""
    return model | {"wte.weight": np.tile(model["wte.weight"][:75], (4, 1))}


def untied(model):
    """A head with values of its own, where it should be the embedding."""
    own = draw(glorot.RandomNormal(stddev=0.02), (300, 64), "lm_head.weight")
    return model | {"lm_head.weight": own}


def by_layout(layout, init):
    """The one weight drawn as if its axes were others."""
    return lambda model: {
        name: draw(glorot.get(init).replace(layout=layout), value.shape)
        for name, value in model.items()
    }


def reused(model):
    """One initializer with a seed, for two kernels."""
    return model | {"b.kernel": model["a.kernel"]}


def cut_off(model):
    """bfloat16 made by dropping the low bits of float32."""
    (value,) = model.values()
    wide = draw("glorot_uniform", value.shape)
    cut = (wide.view(np.uint32) & 0xFFFF0000).view(np.float32)
    return {"w": cut.astype(ml_dtypes.bfloat16)}


# The fault: (recipe, shapes, dtype, the fault, who has it, what the line says of it).
FAULTS = {
    "GPT-2 without depth scaling": (
        "gpt2", GPT2, "float32", unscaled, ".c_proj.weight and 5 more",
        "depth scaling missing (1/sqrt(2 * 3 layers))?"),
    "an uninitialised parameter": (
        "gpt2", GPT2, "float32", not_written, "h.1.mlp.c_fc.weight", "nothing wrote"),
    "fused QKV with one Xavier": (
        Recipe([Rule("qkv", "xavier_uniform", layout="torch.linear", blocks="qkv")]),
        {"qkv": (288, 96)}, "float32", by_layout("torch.linear", "xavier_uniform"),
        "qkv[q], qkv[k], qkv[v]", "fused QKV initialised as one matrix?"),
    "stacked experts with the wrong fan": (
        Recipe([Rule("up", "kaiming_normal", layout="BIO")]),
        {"up": (8, 96, 64)}, "float32", by_layout("OI*", "kaiming_normal"), "up", "experts' axis"),
    "a transposed convolution's fans": (
        Recipe([Rule("up", "kaiming_uniform", layout="torch.conv_transpose")]),
        {"up": (32, 128, 3, 3)}, "float32", by_layout("torch.conv", "kaiming_uniform"),
        "up", "a transposed convolution's fans exchanged"),
    "a depthwise kernel in Keras": (
        Recipe([Rule("deep", "he_normal", layout="keras.depthwise_conv")]),
        {"deep": (3, 3, 40, 4)}, "float32", by_layout("keras.conv", "he_normal"),
        "deep", "a depthwise or grouped kernel's channels"),
    "equal shards": (
        "gpt2", GPT2, "float32", equal_shards, "wte.weight",
        "4 of 4 shards of 75 along axis 0 hold the same values"),
    "a re-used seeded Keras initializer": (
        MLP, {"a.kernel": (40, 30), "a.bias": (30,), "b.kernel": (40, 30)}, "float32", reused,
        "a.kernel, b.kernel", "hold equal values: one seeded initializer"),
    "bf16 truncation bias": (
        MLP, {"w": (1500, 2000)}, "bfloat16", cut_off, "w", "rounded towards 0 (truncated bits)"),
    "an untied head": (
        "gpt2", GPT2, "float32", untied, "lm_head.weight", "of its shape: an untied head?"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_inspect_names_it(fault, tmp_path):
    """Exit code 1 and one line with who and why; of the right model exit code 0 and none."""
    recipe, shapes, dtype, make, who, words = FAULTS[fault]
    options = ["--recipe", recipe]
    if isinstance(recipe, Recipe):
        (tmp_path / "recipe.toml").write_text(recipe.to_toml())
        options = ["--recipe", str(tmp_path / "recipe.toml")]
    glorot.checkpoint.write(shapes, recipe, tmp_path / "right", seed=3, dtype=dtype)
    right = safetensors.numpy.load_file(tmp_path / "right" / "model.safetensors")
    safetensors.numpy.save_file(make(right), tmp_path / "wrong.safetensors")

    found = invoke("inspect", tmp_path / "right", *options)
    assert found.exit_code == 0, found.stdout
    assert "nothing wrong: " in found.stdout.splitlines()[-1]
    found = invoke("inspect", tmp_path / "wrong.safetensors", *options)
    assert (found.exit_code, found.stderr) == (1, "")
    assert found.stdout.splitlines()[-1].startswith("1 problem: ")
    (line,) = (line for line in found.stdout.splitlines() if words in line)
    assert line.split(": ")[0].endswith(who), line
