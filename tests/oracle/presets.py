# SPDX-License-Identifier: Apache-2.0
"""The presets against the code of their sources: the table of docs/presets.md, and the names and
shapes of the small models, tests/vectors/presets/.

    python tests/oracle/presets.py --write     # both files; shapes only gain files
    python tests/oracle/presets.py             # prints the table; exit code 1 if any is refused
"""

import argparse
import json
import sys
from pathlib import Path

import preset_statistics
from preset_sources import SOURCES

import glorot

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "presets.md"
SHAPES = ROOT / "tests" / "vectors" / "presets"
BEGIN, END = "<!-- measured: make presets -->\n", "<!-- end -->\n"


def check(name, seed):
    """Return (specs, one `Measured` a block, problems) of one source."""
    source = SOURCES[name]
    built = source.build(seed)
    recipe = glorot.recipe.preset(source.preset, **source.variables)
    specs = {key: spec for key, (spec, _) in built.items()}
    measured = [
        result
        for found in recipe.resolve(specs)
        for result in preset_statistics.measure(found.initializer, built[found.name][1], found.name)
    ]
    return specs, measured


def shapes_text(specs):
    """A shapes file, one parameter a line."""
    rows = []
    for name, spec in specs.items():
        dtype = {} if spec.dtype in (None, "float32") else {"dtype": spec.dtype}
        content = {"shape": list(spec.shape), **dtype} | {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in spec.extras().items()
        }
        rows.append(f"  {json.dumps(name)}: {json.dumps(content)}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="the page and the shapes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("names", nargs="*", help="of sources; all by default")
    options = parser.parse_args()
    rows, failed = [], 0
    for name in options.names or SOURCES:
        specs, measured = check(name, options.seed)
        problems = [(m.what, text) for m in measured for text in m.problems]
        failed += bool(problems)
        largest = max((abs(m.z) for m in measured if m.z is not None), default=None)
        said = "" if largest is None else f"{largest:.1f}"
        set_to = ", ".join(
            f"{k} = {v if isinstance(v, str) else format(v, '.6g')}"
            for k, v in SOURCES[name].variables.items()
        )
        rows.append(
            f"| {SOURCES[name].preset} | {SOURCES[name].what}{f'; {set_to}' if set_to else ''} | "
            f"{len(specs)} | {sum(m.count for m in measured):,} | {said} |"
        )
        print(rows[-1], *problems, sep="\n    ", flush=True)
        path = SHAPES / f"{name}.json"
        if options.write and not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(shapes_text(specs))
    if options.write and not options.names:
        chosen = {name: [s.preset, s.variables] for name, s in SOURCES.items()}
        lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in chosen.items())
        SHAPES.with_suffix(".json").write_text(f"{{\n{lines}\n}}\n")
    if options.write and not options.names and not failed:
        table = "\n".join([
            "| preset | source | parameters | values | largest z |", "|---|---|---|---|---|",
            *sorted(rows),
        ])  # fmt: skip
        page = PAGE.read_text()
        before, rest = page.split(BEGIN)
        PAGE.write_text(before + BEGIN + table + "\n" + END + rest.split(END)[1])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
