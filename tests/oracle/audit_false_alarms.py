# SPDX-License-Identifier: Apache-2.0
"""Counts the audit's false alarms: correct models of many seeds, of which none may be blamed.

Each stored model of tests/vectors/presets as the library draws it, in float32 and bfloat16, and as
its source's own code does; and every kind of promise of the core tests in four dtypes. All go
through a file, as `glorot inspect` reads them.

    python tests/oracle/audit_false_alarms.py --seeds 0:200 --record build/audit.jsonl

Each model audited is one line of the record, and is not audited again: a run that was stopped goes
on, and the records of several, such as of seeds 0:100 and 100:200 on two machines, add up with
`cat`. Lines of other versions of the library or of its peers are left out of the count.
"""

import argparse
import functools
import hashlib
import importlib.metadata
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.numpy

import glorot
from glorot.checkpoint._layout import SHAPES_KEY

TESTS = Path(__file__).resolve().parents[1]
SHAPES = TESTS / "vectors" / "presets"
THEIRS = "its source's draws"
PEERS = ("torch", "transformers", "timm", "tensorflow-cpu", "keras", "jax", "flax", "dm-haiku",
         "equinox", "rectified-flow")  # fmt: skip
sys.path[:0] = [str(TESTS / "core"), str(TESTS / "oracle")]
import presets  # noqa: E402
from audit_cases import ZOO, ZOO_SHAPES, build  # noqa: E402
from preset_sources import SOURCES  # noqa: E402

# What the sources' own code draws otherwise than its law: no false alarms.
TRUE = (
    # timm's trunc_normal_ inverts the distribution at uniform draws of [-1, 1): at -1, one in
    # 2**24, that is an infinity, which it makes its bound, 100 stddevs out.
    ("timm", "one value is -2, 100 stddevs from the mean, and the others fit N(0, 0.02)"),
    # TensorFlow draws float16 in float16, from 10 bits.
    ("tensorflow", "different values where 3623 are expected"),
)


class Case(NamedTuple):
    """A kind of correct model: its recipe, and how one of a seed is made, as (specs, arrays)."""

    kind: str
    name: str
    recipe: glorot.Recipe
    make: Callable[[int], tuple[dict[str, Any], dict[str, Any]]]


def cases(first_of_preset=False):
    """Yield every case, or of each preset's models only the first."""
    chosen = json.loads(SHAPES.with_suffix(".json").read_text())
    missing = set(glorot.recipe.presets()) - {preset for preset, _ in chosen.values()}
    if missing:
        raise SystemExit(f"tests/vectors/presets lacks models of {', '.join(sorted(missing))}.")
    taken = set()
    for name, (preset, variables) in chosen.items():
        if first_of_preset and preset in taken:
            continue
        taken.add(preset)
        recipe = glorot.recipe.preset(preset, **variables)
        shapes = glorot.recipe.shapes_from_json((SHAPES / f"{name}.json").read_bytes())
        for dtype in ("float32", "bfloat16"):
            yield Case(dtype, name, recipe, functools.partial(ours, recipe, shapes, dtype))
        yield Case(THEIRS, name, recipe, functools.partial(theirs, name))
    shapes = glorot.recipe.parse_shapes(ZOO_SHAPES)
    for dtype in ("float32", "bfloat16", "float16", "float8_e4m3fn"):
        yield Case(dtype, "every promise", ZOO, functools.partial(ours, ZOO, shapes, dtype))


def ours(recipe, shapes, dtype, seed):
    """A model as the library draws it."""
    return shapes, build(recipe, shapes, seed, dtype)


def theirs(name, seed):
    """A model as its source's own code draws it."""
    built = SOURCES[name].build(seed)
    return {key: spec for key, (spec, _) in built.items()}, {k: v for k, (_, v) in built.items()}


def check(case, seed, folder):
    """Audit one model; what is to be recorded of it."""
    specs, arrays = case.make(seed)
    path = Path(folder) / "model.safetensors"
    metadata = {SHAPES_KEY: presets.shapes_text(specs)}
    safetensors.numpy.save_file({k: v.copy(order="C") for k, v in arrays.items()}, path, metadata)
    report = glorot.audit(path, case.recipe, singular_values=False)
    source = SOURCES[case.name].what if case.kind == THEIRS else ""
    known = [text for library, text in TRUE if source.startswith(library)]
    said = [str(problem) for problem in report.problems]
    true = [text for text in said if any(part in text for part in known)]
    blamed = {name for problem in report.problems for name in problem.names}
    scores = [
        z for row in report.parameters if row.name not in blamed
        for z in (row.z_mean, row.z_variance) if z is not None
    ]  # fmt: skip
    return {
        "tests": report.tests, "values": sum(row.count for row in report.parameters),
        "z": max(map(abs, scores), default=0.0),
        "problems": [text for text in said if text not in true], "true": true,
    }  # fmt: skip


def versions():
    """What decides the outcome: digits of the library's files and of the models, and the peers."""
    package = Path(glorot.__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(
        [*package.rglob("*.py"), *package.glob("recipe/presets/*"), *SHAPES.iterdir()]
    ):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    peers = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in PEERS)
    return f"glorot {digest.hexdigest()} {peers}"


def recorded(path):
    """The lines of a record, by (kind, name, seed); a last one that was cut off is none."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[row["kind"], row["name"], row["seed"], row["versions"]] = row
    return found


def summary(rows):
    """Print the counts of each kind of model; return how many false alarms there were."""
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        seeds = {row["seed"] for row in some}
        tests = sum(row["tests"] for row in some)
        print(
            f"{kind}: {sum(bool(row['problems']) for row in some)} false alarms in {len(some):,} "
            f"models ({len({row['name'] for row in some})} kinds, {len(seeds)} seeds), "
            f"{sum(row['values'] for row in some):,} values, {tests:,} tests; largest |z| "
            f"{max(row['z'] for row in some):.2f}, a single test's limit about "
            f"{limit(tests / len(some)):.2f}"
        )
    alarms, true = (sum(bool(row[key]) for row in rows) for key in ("problems", "true"))
    print(f"all: {alarms} false alarms in {len(rows):,} models; true ones, of TRUE, in {true}")
    return alarms


def limit(tests):
    """The |z| at which one of so many tests of the mean is failed."""
    return math.sqrt(2 * math.log(2 * tests / 1e-6))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0:200", help="FIRST:END")
    parser.add_argument("--record", type=Path, required=True, help="a file, begun or continued")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument(
        "--first-of-preset", action="store_true", help="of each preset's models only the first"
    )
    options = parser.parse_args()
    first, end = map(int, options.seeds.split(":"))
    known, now = recorded(options.record), versions()
    chosen = [case for case in cases(options.first_of_preset) if options.only in case.name]
    options.record.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, options.record.open("a") as record:
        for seed in range(first, end):  # all cases of a seed first: a part is a run of fewer seeds
            for case in chosen:
                key = (case.kind, case.name, seed, now)
                if key in known:
                    continue
                known[key] = dict(zip(("kind", "name", "seed", "versions"), key, strict=True))
                known[key] |= check(case, seed, folder)
                record.write(json.dumps(known[key]) + "\n")
                record.flush()
                for problem in known[key]["problems"]:
                    print(f"{case.name}, {case.kind}, seed {seed}: {problem}", flush=True)
    return summary([row for key, row in known.items() if key[3] == now])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    raise SystemExit(1 if main() else 0)
