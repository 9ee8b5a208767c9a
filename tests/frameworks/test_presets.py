# SPDX-License-Identifier: Apache-2.0
"""Each preset is its source's own initialisation, by statistics of every parameter."""

import math
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import glorot
from glorot.recipe import _presets

pytestmark = pytest.mark.frameworks

ORACLE = Path(__file__).parents[1] / "oracle"
SOURCES = runpy.run_path(str(ORACLE / "preset_sources.py"))["SOURCES"]
LAYERS = runpy.run_path(str(ORACLE / "framework_sources.py"))
STATISTICS = runpy.run_path(str(ORACLE / "preset_statistics.py"))
SHAPES = Path(__file__).parents[1] / "vectors" / "presets"
ENOUGH = 3000  # values for which each wrong answer is refused


@pytest.fixture(scope="module")
def built():
    """What each source's own code draws, made once."""
    found = {}

    def build(name):
        if name not in found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the libraries' own
                found[name] = SOURCES[name].build(0)
        return found[name]

    return build


def resolve(name, built):
    """The assignments of a source's model, and its values by name."""
    source = SOURCES[name]
    model = built(name)
    recipe = glorot.recipe.preset(source.preset, **source.variables)
    found = recipe.resolve({key: spec for key, (spec, _) in model.items()})
    return found, {key: value for key, (_, value) in model.items()}


def test_every_preset_has_a_source():
    """A preset that cannot be tested against its source is not there, nor a model of none."""
    assert {source.preset for source in SOURCES.values()} == set(glorot.recipe.presets())
    assert set(SOURCES) == {path.stem for path in SHAPES.iterdir()}


def test_every_model_type_has_a_source():
    """What `preset_for` gives a type of transformers is the preset that its model is measured
    with."""
    import transformers

    for source in SOURCES.values():
        if source.config:
            model_type = getattr(transformers, source.config).model_type
            assert glorot.recipe.preset_for(model_type) == source.preset, model_type
    measured = {getattr(transformers, s.config).model_type for s in SOURCES.values() if s.config}
    assert measured == set(_presets.MODEL_TYPES)


@pytest.mark.parametrize("name", SOURCES)
def test_is_the_sources_own(name, built):
    """Mean, standard deviation, extremes and distribution of each parameter, or block of one, are
    those promised; constants are equal; none is left out."""
    found, values = resolve(name, built)
    assert {assignment.name for assignment in found} == set(values)
    problems = [
        (result.what, text)
        for assignment in found
        for result in STATISTICS["measure"](
            assignment.initializer, values[assignment.name], assignment.name
        )
        for text in result.problems
    ]
    assert problems == []


def wrong(initializer, shape):
    """What a block might have got instead, all of which must be refused."""
    law = initializer.law(shape)
    spread = law.stddev
    truncation = 0.87962566103423978
    others = {
        "truncation not corrected": initializer.scaled(truncation),
        "corrected though not cut": initializer.scaled(1 / truncation),
        "uniform": glorot.RandomUniform(-math.sqrt(3) * spread, math.sqrt(3) * spread),
        "normal": glorot.RandomNormal(stddev=spread),
        "truncated_normal": glorot.TruncatedNormal(stddev=spread / truncation),
    }
    del others[law.kind]
    fan_in, fan_out = initializer.fans(shape)
    mode = getattr(initializer, "mode", "")
    if mode in ("fan_in", "fan_out") and max(fan_in, fan_out) > 1.3 * min(fan_in, fan_out):
        others["fans swapped"] = initializer.scaled(
            math.sqrt(fan_in / fan_out) ** (1 if mode == "fan_in" else -1)
        )
    return others


@pytest.mark.parametrize(
    "name", {s.preset + s.what.split()[0]: name for name, s in SOURCES.items()}.values()
)
def test_wrong_answers_are_refused(name, built):
    """The same statistics refuse each wrong law, scale and fan, of whatever is large enough."""
    found, values = resolve(name, built)
    tried = set()
    for assignment in found:
        for init, part in STATISTICS["blocks"](assignment.initializer, values[assignment.name]):
            if not init.random or init.law(part.shape) is None or part.size < ENOUGH:
                continue
            if (repr(init), part.shape) in tried:
                continue
            tried.add((repr(init), part.shape))
            some = part.astype(np.float64).ravel()[:10_000]
            for what, other in wrong(init, part.shape).items():
                result = STATISTICS["measure_law"](other.law(part.shape), some)
                assert result.problems, (assignment.name, what)
    assert tried


@pytest.mark.parametrize(
    "name",
    ["whisper", "whisper-audio", "pegasus", "marian", "roformer", "xlm-sinusoids", "time-series",
     "autoformer"],
)  # fmt: skip
def test_wrong_tables_are_refused(name, built):
    """The sinusoids of the source are those of the preset, to what float32 angles are worth, for
    the statistics and for the audit; one with the halves exchanged, interleaved, a place further,
    or of the other frequencies is not."""
    found, values = resolve(name, built)
    recipe = glorot.recipe.preset(SOURCES[name].preset, **SOURCES[name].variables)
    assert glorot.audit(values, recipe).ok
    tables = [
        (assignment.name, init)
        for assignment in found
        for init, _ in STATISTICS["blocks"](assignment.initializer, values[assignment.name])
        if isinstance(init, glorot.Sinusoids)
    ]
    assert tables
    for table, init in tables:
        right = values[table]
        assert init.endpoint == name.startswith("whisper")
        wrong = {
            "exchanged": np.roll(right, right.shape[1] // 2, axis=1),
            "a place further": np.roll(right, 1, axis=0),
            "interleaved or not": init.replace(interleaved=not init.interleaved)(right.shape),
            "other frequencies": init.replace(endpoint=not init.endpoint)(right.shape),
        }
        for what, other in wrong.items():
            (result,) = STATISTICS["measure"](init, other)
            assert result.problems, what
            report = glorot.audit({**values, table: other}, recipe)
            ((said,),) = [problem.names for problem in report.problems]
            assert said.partition("[")[0] == table, what


@pytest.mark.parametrize(
    ("preset", "model", "config"),
    [("wav2vec2", "Wav2Vec2Model", "Wav2Vec2Config"), ("wavlm", "WavLMModel", "WavLMConfig"),
     ("hubert", "HubertModel", "HubertConfig")],
)  # fmt: skip
def test_weight_norm_is_set_with_its_weight(preset, model, config):
    """The convolution of the positions is drawn as in the source, and what it is computed from is
    the weight and its norm, as torch has it when it begins."""
    import transformers

    sizes = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "conv_dim": [32],
        "num_attention_heads": 4, "conv_kernel": [5], "conv_stride": [2],
        "num_feat_extract_layers": 1, "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }  # fmt: skip
    module = getattr(transformers, model)(getattr(transformers, config)(**sizes))
    assert glorot.audit(module, preset).ok  # as transformers draws it
    glorot.torch.init_(module, preset, seed=1)
    assert glorot.audit(module, preset, seed=1).ok
    conv = module.encoder.pos_conv_embed.conv
    name = "encoder.pos_conv_embed.conv.weight"
    own = glorot.RandomUniform(-1 / 16, 1 / 16)((64, 16, 16), seed=1, name=name)
    norm, direction = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
    assert np.array_equal(direction.detach().numpy(), own)
    assert norm.shape == (1, 1, 16)
    assert np.allclose(norm.detach().numpy(), np.sqrt((own**2).sum((0, 1))), rtol=1e-6)
    assert np.allclose(conv.weight.detach().numpy(), own, rtol=1e-6)


@pytest.mark.parametrize("width", [384, 768, 1280])
def test_whispers_table_is_as_far_as_the_page_says(width):
    """docs/presets.md: transformers' table of 1,500 places is within 1.1e-4 of the exact one, and
    half a unit of float32 is all that ours is."""
    from transformers.models.whisper.modeling_whisper import sinusoids

    exact = glorot.Sinusoids(endpoint=True)((1500, width), "float64")
    assert 5e-5 < np.abs(sinusoids(1500, width).numpy() - exact).max() < 1.1e-4
    assert np.abs(glorot.Sinusoids(endpoint=True)((1500, width)) - exact).max() <= 2**-25


@pytest.mark.parametrize("name", SOURCES)
def test_stored_shapes_are_the_sources(name, built):
    """tests/vectors/presets/ has the names, shapes, types and layouts that the source has."""
    stored = glorot.recipe.shapes_from_json((SHAPES / f"{name}.json").read_bytes())
    model = {key: spec for key, (spec, _) in built(name).items()}
    assert list(stored) == list(model)
    for key, spec in model.items():
        assert (stored[key].shape, stored[key].dtype or "float32", stored[key].extras()) == (
            spec.shape, spec.dtype or "float32", spec.extras()
        ), key  # fmt: skip


def test_torch_modules_say_what_the_presets_ask_for():
    """The adapter's types, layouts and groups are those that the presets were measured with, so
    that any framework's defaults can be had in a torch module."""
    module = LAYERS["torch_layers"]()
    expected = LAYERS["torch_specs"](module)
    for name, spec in glorot.torch.shapes(module).items():
        if spec.type.startswith("Embedding"):
            continue  # whose layout the presets say themselves
        assert spec.extras() == expected[name][0].extras(), name
    glorot.torch.init_(module, "torch", seed=0)
    values = {name: value.detach().numpy() for name, value in module.named_parameters()}
    for found in glorot.recipe.preset("torch").resolve(glorot.torch.shapes(module)):
        if found.name in values:
            for result in STATISTICS["measure"](found.initializer, values[found.name], found.name):
                assert result.problems == []


@pytest.mark.parametrize("chosen", ["torch", "keras", "flax", "haiku"])
def test_a_layer_alone_has_the_laws_that_it_has_in_a_model(chosen):
    """Names are then the attributes alone, without a dot before."""
    module = LAYERS["torch_layers"]()
    if chosen != "torch":  # the others do not have all of torch's layers
        module = torch.nn.ModuleDict({name: module[name] for name in ("conv1", "cross", "gru")})
    whole = {found.name: found.law for found in glorot.torch.explain(module, chosen)}
    for part, layer in module.items():
        for found in glorot.torch.explain(layer, chosen):
            assert found.law == whole[f"{part}.{found.name}"], found.name


def test_statistics_of_one_seed_are_not_of_all():
    """What the statistics promise they keep: of 200 draws of each law none is refused."""
    for init in (glorot.GlorotUniform(), glorot.HeNormal(), glorot.RandomNormal(stddev=3.0)):
        for seed in range(200):
            (result,) = STATISTICS["measure"](init, init((40, 50), seed=seed))
            assert result.problems == [], (init, seed)
    assert STATISTICS["measure"](glorot.Ones(), np.ones((2, 3), np.float32))[0].problems == []
    assert STATISTICS["measure"](glorot.Ones(), np.ones((2, 3)) * 1.5)[0].problems != []
