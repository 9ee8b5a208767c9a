# SPDX-License-Identifier: Apache-2.0
"""Recipes that glorot.torch.capture makes of models' own code, held to what that code draws.

    python tests/oracle/captures.py small      # the torch models that presets are measured by
    python tests/oracle/captures.py types      # which types of transformers' models are captured
    python tests/oracle/captures.py timm       # one model of each of timm's families

The exit code is 1 if a model that its own code draws is not what was captured.
"""

import argparse
import collections
import random
import sys
import warnings

import preset_sources
import torch
import transformers

import glorot
from glorot.torch import capture

ARTEFACT = "100 stddevs from the mean"  # timm's trunc_normal_ of a uniform draw that is 0
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers", "depth")
EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts")
PARTS = ("text_config", "vision_config", "audio_config", "encoder", "decoder", "thinker_config")


def held(name, build, model):
    """What became of one model: "held", or why not."""
    try:
        recipe = capture(build)
    except ValueError as error:
        return f"not captured: {error}"
    if model is None:
        return "captured"
    report = glorot.audit(model, recipe)
    wrong = [problem for problem in report.problems if ARTEFACT not in problem.text]
    return f"WRONG: {wrong[0].names[:2]} {wrong[0].text}" if wrong else "held"


def small():
    """The small models by their sources' own code."""
    for module in [m for name, m in sys.modules.items() if name.endswith("_sources")]:
        if hasattr(module, "torch_model"):
            module.torch_model = lambda model: model  # and not its values
    for name, source in preset_sources.SOURCES.items():
        try:
            model = source.build(0)
        except AttributeError:  # names of its own are given to the values
            continue
        if isinstance(model, torch.nn.Module):
            yield name, held(name, lambda source=source: source.build(0), model)


def shallow(config, depth=0):
    """Make a config's model two layers deep."""
    for names, most in ((LAYERS, 2), (EXPERTS, 4)):
        for name in names:
            try:
                if getattr(config, name, 0) > most:
                    setattr(config, name, most)
            except (AttributeError, TypeError, ValueError):
                continue
    for name in PARTS if depth < 3 else ():
        part = getattr(config, name, None)
        if hasattr(part, "to_dict"):
            shallow(part, depth + 1)


def model_types():
    """Every type of transformers' models, by its default config."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    for name in MODEL_MAPPING_NAMES:
        try:
            config = transformers.CONFIG_MAPPING[name]()
            shallow(config)
            with torch.device("meta"):
                transformers.AutoModel.from_config(config)
        except Exception as error:
            yield name, f"not built: {type(error).__name__}: {' '.join(str(error).split())[:80]}"
            continue
        yield (
            name,
            held(name, lambda config=config: transformers.AutoModel.from_config(config), None),
        )


def families():
    """One model of each of timm's modules."""
    import timm

    found = collections.defaultdict(list)
    for name in timm.list_models():
        found[timm.models.model_entrypoint(name).__module__].append(name)
    chosen = random.Random(1)
    for names in found.values():
        name = chosen.choice(names)
        with torch.device("meta"):
            size = sum(weight.numel() for weight in timm.create_model(name).parameters())
        torch.manual_seed(0)  # of which no weight has the artefact twice
        model = timm.create_model(name) if size <= 60e6 else None
        yield name, held(name, lambda name=name: timm.create_model(name), model)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=("small", "types", "timm"))
    which = parser.parse_args().which
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    counts = collections.Counter()
    for name, what in {"small": small, "types": model_types, "timm": families}[which]():
        counts[what.partition(":")[0]] += 1
        if what not in ("held", "captured"):
            print(f"{name}: {what[:200]}")
    print(dict(counts))
    return 1 if counts["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
