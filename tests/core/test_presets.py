# SPDX-License-Identifier: Apache-2.0
"""Built-in recipes without their frameworks: files, the models they cover, types, the command."""

import doctest
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import glorot
from glorot.cli._app import app
from glorot.recipe import Recipe, _presets, describe, load, preset, preset_for, presets

PAGE = Path(__file__).parents[2] / "docs" / "presets.md"
FILES = Path(_presets.__file__).parent / "presets"
SHAPES = {path.stem: path for path in (Path(__file__).parents[1] / "vectors/presets").iterdir()}
# Models that no preset of their own name is for; the others are named by their preset.
PRESETS = json.loads((Path(__file__).parents[1] / "vectors/presets.json").read_text())


def resolve(name):
    """What its preset gives a stored model."""
    chosen, variables = PRESETS[name]
    return preset(chosen, **variables).resolve(
        glorot.recipe.shapes_from_json(SHAPES[name].read_bytes())
    )


@pytest.mark.parametrize("name", presets())
def test_reads_and_comes_back(name):
    """Each file is read, is named in the list of models, says its source, and comes back equal
    from JSON and TOML; its comments say what it is for."""
    found = describe(name)
    assert found.recipe == load(name) == preset(name)
    assert found.models
    assert re.search(r"models/\w|\w\.py|section \d|keras/src/layers", found.recipe.source)  # where
    assert Recipe.from_json(found.recipe.to_json()) == found.recipe
    assert Recipe.from_toml(found.recipe.to_toml()) == found.recipe
    if name != "gpt2":  # of the schema's first version, and never changed
        assert found.text.startswith("# SPDX-License-Identifier: Apache-2.0\n# ")
        assert max(map(len, found.text.partition("format =")[0].splitlines())) <= 100


def test_lists():
    """The names, the files and the table of models are the same; every type's preset exists."""
    assert set(presets()) == set(_presets.MODELS) == {path.stem for path in FILES.iterdir()}
    assert set(_presets.MODEL_TYPES.values()) <= set(presets())
    assert {name for _, name in _presets.TIMM} <= set(presets())
    assert set(SHAPES) == set(PRESETS)
    assert {chosen for chosen, _ in PRESETS.values()} == set(presets())


@pytest.mark.parametrize("name", SHAPES)
def test_covers_its_models(name):
    """Every parameter of every stored model has a rule, and every rule that must has one."""
    found = resolve(name)
    assert len(found) == len(json.loads(SHAPES[name].read_text()))
    assert {a.name: a.spec.dtype for a in found if a.spec.dtype} == {
        a.name: a.dtype for a in found if a.spec.dtype
    }
    assert all(assignment.stddev >= 0.0 for assignment in found)
    assert any(assignment.stddev > 0.0 for assignment in found)


# What a config switches on: stored models, the parameters that come with it and those that go.
SWITCHED = {
    "attention_bias of Qwen 3": (
        "qwen3", {f"model.layers.0.self_attn.{p}_proj.bias": 96 for p in "qkvo"}, "nothing",
    ),
    "attention_bias of Gemma": (
        "gemma", {f"model.layers.1.self_attn.{p}_proj.bias": 96 for p in "qkvo"}, "nothing",
    ),
    "no layer scale in ConvNeXt": ("convnext", {}, "layer_scale_parameter"),
}  # fmt: skip


@pytest.mark.parametrize("case", SWITCHED)
def test_covers_what_configs_switch(case):
    """Biases of attention are zeros where a config asks for them; layer scale may be absent."""
    name, more, without = SWITCHED[case]
    shapes = glorot.recipe.shapes_from_json(SHAPES[name].read_bytes())
    shapes = {key: spec for key, spec in shapes.items() if not key.endswith(without)}
    chosen, variables = PRESETS[name]
    found = preset(chosen, **variables).resolve({**shapes, **{k: (n,) for k, n in more.items()}})
    assert {a.law for a in found if a.name in more} <= {"Zeros"}
    assert len(found) == len(shapes | more)


def laws(name, **variables):
    """Names without the layer's number to laws, with other variables."""
    chosen, own = PRESETS[name]
    recipe = preset(chosen, **{**own, **variables})
    shapes = glorot.recipe.shapes_from_json(SHAPES[name].read_bytes())
    return {found.name: found.law for found in recipe.resolve(shapes)}


def test_variables_give_the_other_choice():
    """What the first lines of the presets offer instead is what they say."""
    neox = laws(
        "gpt-neox", input_std="sqrt(2 / (5 * hidden_size))",
        output_std="2 / (num_hidden_layers * sqrt(hidden_size))",
    )  # fmt: skip
    assert neox["gpt_neox.layers.0.attention.query_key_value.weight"] == "N(0, 0.06455)"
    assert neox["gpt_neox.layers.1.mlp.dense_4h_to_h.weight"] == "N(0, 0.1021)"
    for name in (
        "llama",
        "mixtral",
        "qwen3",
        "qwen3-moe",
        "gemma2",
        "deepseek-v2",
        "gpt-oss",
        "qwen3-next",
    ):
        scaled = laws(name, residual_gain="1 / sqrt(2 * num_hidden_layers)")
        deep = {n for n, law in scaled.items() if law == "N(0, 0.01)"}
        matrices = {n for n in scaled if not n.endswith("bias")}
        assert deep == {n for n in matrices if re.search("[.](o|out|down)_proj", n)}
    clip = laws("clip", text_query_gain=1, text_output_gain="1 / sqrt(2 * text_layers)")
    tower = "text_model.encoder.layers.0.self_attn."
    assert clip[tower + "q_proj.weight"] == "N(0, 0.1021)"
    assert clip[tower + "out_proj.weight"] == "N(0, 0.04167)"
    separate = laws("vit-jax", qkv_gain="sqrt(2)")["blocks.0.attn.qkv.weight"]
    assert separate == laws("vit-moco")["blocks.0.attn.qkv.weight"]
    assert laws("resnet-timm")["layer1.0.bn3.weight"] == "Constant(value=0.0)"
    assert laws("resnet-timm", last_gamma=1)["layer1.0.bn3.weight"] == "Constant(value=1.0)"
    assert laws("mamba")["backbone.layers.0.mixer.A_log"] == "LogArange(axis=-1)"
    rates = "LogOfUniform(minval={}, maxval={})"
    name = "model.layers.0.linear_attn.A_log"
    assert laws("qwen3-next")[name] == rates.format(0.01, 16.0)
    assert laws("olmo-hybrid", linear_a_log_max=4)[name] == rates.format(0.0, 4.0)
    gate = "model.layers.0.self_attn.forget_gate."
    assert laws("kimi-linear")[gate + "A_log"] == rates.format(1.0, 16.0)
    assert laws("bamba")["model.layers.0.mamba.A_log"] == "LogArange(axis=-1)"
    deep = laws("nemotron-h")["model.layers.0.mixer.out_proj.weight"]
    assert deep == f"U({-((5 * 384) ** -0.5):.4g}, {(5 * 384) ** -0.5:.4g})"
    waves = laws("wav2vec2")
    assert waves["wav2vec2.encoder.pos_conv_embed.conv.weight"] == "U(-0.0625, 0.0625)"
    assert waves["project_hid.weight"] == waves["project_hid.bias"] == "U(-0.125, 0.125)"
    assert laws("unispeech")["project_hid.weight"] == "N(0, 0.02)"
    assert laws("hubert")["hubert.feature_extractor.conv_layers.1.conv.weight"] == "N(0, 0.1179)"
    dit, block = laws("dit"), "blocks.1.adaLN_modulation.1.weight"
    assert dit["x_embedder.proj.weight"] == "U(-0.2315, 0.2315)"  # as of a matrix (96, 4 2 2)
    assert dit[block] == dit["final_layer.linear.weight"] == "Zeros"
    separate = laws("dit", qkv_gain="sqrt(2)")["blocks.0.attn.qkv.weight"]
    assert separate == dit["blocks.0.attn.proj.weight"] != dit["blocks.0.attn.qkv.weight"]
    wide = laws("dit", embedding_std=0.1)
    assert {n for n, law in wide.items() if law == "N(0, 0.1)"} == {
        "t_embedder.mlp.0.weight",
        "t_embedder.mlp.2.weight",
        "y_embedder.embedding_table.weight",
    }
    whisper, tower = laws("whisper", init_std=0.03), "model.{}.embed_positions.weight"
    exact = "Sinusoids(base=10000.0, endpoint=True, interleaved=False)"
    assert whisper[tower.format("encoder")] == exact
    assert whisper[tower.format("decoder")] == "N(0, 0.03)"
    assert laws("whisper-audio")["layer_weights"] == f"Constant(value={1 / 3})"
    pegasus = laws("pegasus")
    for side in ("encoder", "decoder"):
        assert pegasus[tower.format(side)] == exact.replace("True", "False")
    assert laws("informer")[tower.format("encoder")] == exact.replace("True", "False")
    places = laws("fsmt-padding")[tower.format("decoder")]
    assert places == f"{exact} | Zeros | {exact[:-1]}, first=5)"
    table, words = "transformer.position_embeddings.weight", "transformer.embeddings.weight"
    assert laws("xlm")[table] == "N(0, 0.0221)"
    interleaved = exact.replace("True, interleaved=False", "False, interleaved=True")
    assert laws("xlm", sinusoidal_embeddings=1)[table] == interleaved
    assert laws("xlm")[words] == "N(0, 0.0221) | Zeros | N(0, 0.0221)"
    assert laws("gpt2")["transformer.h.0.mlp.c_proj.weight"] == "N(0, 0.008165)"
    assert laws("gpt2-unscaled")["transformer.h.0.mlp.c_proj.weight"] == "N(0, 0.02)"


def test_dit_with_gates_of_zeros_alone():
    """The rule that the first lines of `dit` offer, in the place that they say, is the paper's:
    shift and scale are drawn, and the gates are zeros, so that each block is the identity."""
    head, text = describe("dit").text.split("\nformat =")
    rule = "".join(line[1:] for line in head.split("adaLN_modulation:\n")[1].splitlines())
    zeros = '{ pattern = "*block*.adaLN_modulation.1.weight", initializer = "zeros" },'
    assert text.count(zeros) == 1
    recipe = Recipe.from_toml("format =" + text.replace(zeros, rule.strip()))
    shapes = glorot.recipe.shapes_from_json(SHAPES["dit"].read_bytes())
    (found,) = (a for a in recipe.resolve(shapes) if a.name == "blocks.2.adaLN_modulation.1.weight")
    values = found.initializer(found.shape, seed=0, name=found.name).reshape(6, 96, 96)
    assert [bool(part.any()) for part in values] == [True, True, False] * 2
    assert abs(values[0]).max() <= (6 / (96 + 96)) ** 0.5 < 1.01 * abs(values[0]).max()


@pytest.mark.parametrize(
    ("chosen", "model"),
    [("resnet", "resnet-basic-timm"), ("resnet-basic", "resnet-timm"), ("vit", "vit-timm"),
     ("llama", "qwen3-moe"), ("llama", "mixtral"), ("bert", "gpt2"), ("dit", "vit-timm"),
     ("vit-timm", "dit"), ("pegasus", "bart"), ("whisper", "pegasus"), ("pegasus", "whisper"),
     ("bamba", "mamba2"), ("hubert", "wavlm"), ("nemotron-h", "zamba2"),
     ("qwen3-next", "olmo-hybrid"), ("qwen", "qwen3-next"), ("bamba", "zamba2")],
)  # fmt: skip
def test_another_architecture_is_refused(chosen, model):
    """A preset for other blocks or experts says what it does not cover."""
    shapes = glorot.recipe.shapes_from_json(SHAPES[model].read_bytes())
    with pytest.raises(ValueError, match=r"no rule matches|matches no parameter"):
        preset(chosen).resolve(shapes)


FRAMEWORKS = ("torch", "keras", "flax", "haiku", "equinox")
LAYERS = ("torch", "keras", "linen", "nnx", "haiku", "equinox")
# What the other frameworks have no layer for, and so no default.
ALONE = {
    "torch": {"bilinear.weight", "bilinear.bias", "lstm_projected.weight_hr_l0",
              "attention.bias_k", "attention.bias_v", "prelu.weight"},
    "keras": {"p_re_lu/alpha"}, "linen": {"15/params/negative_slope"}, "nnx": set(),
    "haiku": {"12/bias/b"}, "equinox": {"prelu.negative_slope"},
}  # fmt: skip


def layers(model):
    """The specs of a stored framework's layers."""
    return glorot.recipe.shapes_from_json(SHAPES[model].read_bytes())


@pytest.mark.parametrize("chosen", FRAMEWORKS)
@pytest.mark.parametrize("model", LAYERS)
def test_defaults_in_another_framework(chosen, model):
    """Each framework's defaults cover the layers of each other one, except those that it lacks."""
    shapes = layers(model)
    missing = set(preset(chosen).match(shapes).unmatched)
    assert missing <= ALONE[model]
    if chosen == PRESETS[model][0]:
        assert not missing
    found = preset(chosen).resolve({k: v for k, v in shapes.items() if k not in missing})
    assert len(found) == len(shapes) - len(missing)


@pytest.mark.parametrize(
    ("chosen", "model", "name", "law"),
    [
        ("torch", "torch", "linear.bias", f"U({-(60**-0.5):.4g}, {60**-0.5:.4g})"),
        ("torch", "keras", "dense/kernel", f"U({-(60**-0.5):.4g}, {60**-0.5:.4g})"),
        ("torch", "keras", "dense/bias", f"U({-(60**-0.5):.4g}, {60**-0.5:.4g})"),
        ("torch", "nnx", "linear.bias", f"U({-(60**-0.5):.4g}, {60**-0.5:.4g})"),
        ("torch", "torch", "transposed.weight", f"U({-(540**-0.5):.4g}, {540**-0.5:.4g})"),
        ("torch", "keras", "conv2d_transpose/kernel", f"U({-(540**-0.5):.4g}, {540**-0.5:.4g})"),
        ("equinox", "torch", "transposed.weight", f"U({-(144**-0.5):.4g}, {144**-0.5:.4g})"),
        ("torch", "keras", "lstm/lstm_cell/kernel", f"U({-(40**-0.5):.4g}, {40**-0.5:.4g})"),
        ("keras", "torch", "linear.weight", "U(-0.1936, 0.1936)"),
        ("keras", "torch", "linear.bias", "Zeros"),
        ("keras", "torch", "lstm.bias_hh_l0", "Zeros"),
        ("keras", "torch", "lstm.bias_ih_l0", "Zeros | Ones | Zeros | Zeros"),
        ("flax", "torch", "embedding.weight", f"N(0, {50**-0.5:.4g})"),
        ("flax", "torch", "grouped.weight", f"TN(0, {72**-0.5 / 0.87962566:.4g}, ±2)"),
        ("haiku", "torch", "grouped.weight", f"TN(0, {72**-0.5:.4g}, ±2)"),
    ],
)  # fmt: skip
def test_laws_of_defaults(chosen, model, name, law):
    """A layer gets the law that the framework asked for would give it, whoever stores it."""
    shapes = layers(model)
    recipe = preset(chosen)
    missing = set(recipe.match(shapes).unmatched)
    kept = {k: v for k, v in shapes.items() if k not in missing}
    assert {a.name: a.law for a in recipe.resolve(kept)}[name] == law


def test_types():
    """Types of models lead to presets; what is unknown to none."""
    assert preset_for("llama") == "llama"
    assert preset_for("gpt_neox") == "gpt-neox"
    assert preset_for("timm:vit_base_patch16_224.augreg_in21k") == "vit-timm"
    assert preset_for("timm:resnet50") == "resnet"
    assert preset_for("timm:resnet50d") is None
    assert preset_for("timm:") is preset_for("sam") is None
    with pytest.raises(TypeError, match="`model` must be a string, got 3"):
        preset_for(3)
    with pytest.raises(
        ValueError, match=r"`model` must be a model_type .* got 'torchvision:resnet"
    ):
        preset_for("torchvision:resnet50")


def test_refusals():
    """A name or a variable that there is not is named with those near to it."""
    for call in (preset, describe, load):
        with pytest.raises(ValueError, match=r"no built-in recipe is called 'lama'\. Near: llama"):
            call("lama")
    with pytest.raises(ValueError, match=r"no variable 'initialiser_range'.*initializer_range"):
        preset("llama", initialiser_range=0.01)


def test_page():
    """docs/presets.md: its examples run, and its table has every stored model, none refused."""
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert (result.attempted, result.failed) == (8, 0)
    table = PAGE.read_text(encoding="utf-8").split("|---|---|---|---|---|\n")[1]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    assert sorted(row[0].strip() for row in rows) == sorted(name for name, _ in PRESETS.values())
    assert all(float(row[4]) < 5 for row in rows)
    parameters = [len(json.loads(path.read_text())) for path in SHAPES.values()]
    assert sorted(int(row[2]) for row in rows) == sorted(parameters)


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["presets", *arguments])


def test_command():
    """`glorot presets` lists all; `show` prints one that can be saved, changed and read."""
    listed = invoke()
    assert listed.exit_code == 0
    for name in presets():
        assert f"\n{name}: " in "\n" + listed.stdout
    rows = json.loads(invoke("--json").stdout)
    assert [row["name"] for row in rows] == list(presets())
    assert all(row["models"] and row["source"] for row in rows)
    variables = {row["name"]: row["variables"] for row in rows}
    assert variables["convnext"] == ["initializer_range", "layer_scale_init_value"]
    assert variables["flax"] == []
    assert Recipe.from_toml(invoke("show", "llama").stdout) == preset("llama")
    assert Recipe.from_toml(invoke("show", "gpt2").stdout) == preset("gpt2")  # of a JSON file
    assert Recipe.from_json(invoke("show", "llama", "--json").stdout) == preset("llama")
    assert Recipe.from_json(invoke("--json", "show", "llama").stdout) == preset("llama")
    refused = invoke("show", "lama")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "no built-in recipe is called 'lama'" in refused.stderr
    for line in (("--debug", "show", "lama"), ("show", "lama", "--debug")):
        assert isinstance(invoke(*line).exception, ValueError)
