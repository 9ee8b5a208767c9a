# SPDX-License-Identifier: Apache-2.0
"""What each tensor of a checkpoint should be, and which are missing, extra or of another shape."""

from collections.abc import Mapping
from typing import Any

from glorot.checkpoint._found import Found
from glorot.checkpoint._report import TensorCheck
from glorot.checkpoint._written import Written
from glorot.recipe import Assignment, Recipe, TensorSpec


def by_shapes(
    recipe: Recipe,
    expected: dict[str, TensorSpec],
    dtype: Any,
    found: dict[str, Found],
    checks: dict[str, TensorCheck],
    source: str,
) -> dict[str, Assignment]:
    """Return what each tensor that can be compared should be by the shapes that `source` gives;
    `checks` gets the rest.

    A recipe that does not fit them is an error.
    """
    resolved = {a.name: a for a in recipe.resolve(expected, dtype=dtype)}
    for name in found.keys() - resolved.keys():
        note = "the recipe leaves it out" if name in expected else f"{source} does not name it"
        checks[name] = TensorCheck(name, "extra", note)
    for name in resolved.keys() - found.keys() - checks.keys():
        checks[name] = TensorCheck(name, "missing", f"{source} names it")
    return _comparable(resolved, expected, dtype, found, checks)


def by_files(
    recipe: Recipe,
    written: Written,
    dtype: Any,
    found: dict[str, Found],
    checks: dict[str, TensorCheck],
) -> dict[str, Assignment]:
    """Return the same by what the files say was written or, where they say nothing, by what they
    hold.

    A recipe that does not fit them is one more thing to report.
    """
    specs = {name: TensorSpec(f.shape, f.dtype) for name, f in found.items()}
    for name in written.shapes.keys() - found.keys() - checks.keys():
        checks[name] = TensorCheck(name, "missing", "the file says that it was written")
    if None not in written.plans:
        for name in found.keys() - written.shapes.keys():
            checks[name] = TensorCheck(name, "extra", "the file does not say that it was written")
    specs |= {name: spec for name, spec in written.shapes.items() if name in found}
    # Depth scaling counts the layers of all names, those that are lost among them.
    known = {**written.shapes, **specs}
    everything: dict[str, TensorSpec | None] = {name: known.get(name) for name in (*specs, *checks)}
    matches = recipe._match(everything, dtype)
    for rule in matches.idle:
        note = "the rule with this pattern finds no tensor"
        checks[rule.pattern] = TensorCheck(rule.pattern, "missing", note)
    for name in found:
        if name not in matches.rules:
            checks[name] = TensorCheck(name, "extra", "no rule matches it")
        elif matches.rules[name].initializer is None:
            checks[name] = TensorCheck(name, "extra", "the recipe leaves it out")
    specs = {name: spec for name, spec in specs.items() if name not in checks}
    try:
        resolved = {a.name: a for a in recipe._assign(specs, matches.rules, dtype, known)}
    except ValueError as error:
        if everything.keys() <= known.keys():
            raise
        raise ValueError(f"{error} Of lost tensors the shapes are wanted: --shapes.") from None
    return _comparable(resolved, specs, dtype, found, checks)


def _comparable(
    resolved: dict[str, Assignment],
    specs: Mapping[str, TensorSpec],
    dtype: Any,
    found: dict[str, Found],
    checks: dict[str, TensorCheck],
) -> dict[str, Assignment]:
    """The tensors that have the shape and dtype they should; the others are noted."""
    comparable = {}
    for name, assignment in resolved.items():
        if name not in found:
            continue
        there = found[name]
        stated = specs[name].dtype if dtype is None else assignment.dtype
        if there.shape != assignment.shape:
            note = f"shape {there.shape}, not {assignment.shape}"
            checks[name] = TensorCheck(name, "shape", note)
        elif stated is not None and there.dtype != stated:
            note = f"dtype {there.dtype}, not {stated}"
            checks[name] = TensorCheck(name, "dtype", note)
        else:
            comparable[name] = assignment
    return comparable
