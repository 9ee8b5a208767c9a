# SPDX-License-Identifier: Apache-2.0
"""Whole initializers give the known answers, which an independent implementation computed."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import glorot
from glorot._dtypes import parse_dtype

TEXT = (Path(__file__).parents[1] / "vectors" / "initializers-v1.txt").read_text("utf-8")
SEED, NAME = 20101031, "encoder.Schicht-ß.kernel"


class Case(NamedTuple):
    """An initializer, a shape, and (dtype, place, bits) of some of its values."""

    initializer: glorot.Initializer
    shape: tuple[int, ...]
    answers: list[tuple[str, tuple[int, ...], int]]


def _read() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    answers: list[Any] = []
    for line in TEXT.splitlines():
        kind, *rest = line.split()
        if kind == "init":
            name, options, shape = rest
            answers = []
            made = glorot.deserialize({"class_name": name, "config": json.loads(options)})
            cases[" ".join(rest)] = Case(made, tuple(json.loads(shape)), answers)
        elif kind == "value":
            dtype, place, bits = rest
            answers.append((dtype, tuple(json.loads(place)), int(bits, 16)))
    return cases


CASES = _read()


def _bits(value: Any) -> int:
    return int(np.asarray(value).view(f"u{np.asarray(value).itemsize}"))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_known_answers(case: Case) -> None:
    """Every value on record, from the whole and computed alone."""
    assert len(case.answers) >= 5
    for dtype in {dtype for dtype, _, _ in case.answers}:
        whole = case.initializer(case.shape, dtype, seed=SEED, name=NAME)
        for _, place, expected in (answer for answer in case.answers if answer[0] == dtype):
            stop = tuple(i + 1 for i in place)
            shard = glorot.Shard(place, stop)
            alone = case.initializer(case.shape, dtype, seed=SEED, name=NAME, shard=shard)

            assert whole.dtype == alone.dtype == parse_dtype(dtype)
            assert _bits(whole[place]) == _bits(alone.reshape(())) == expected


@pytest.mark.parametrize(
    "wrong",
    [{"layout": "torch.conv"}, {"layout": "keras.conv", "order": "canonical"}],
    ids=["stored order", "fans and order of another framework"],
)
def test_answers_tell_layouts_and_orders_apart(wrong: dict[str, Any]) -> None:
    """What the record has of a torch convolution in canonical order, nothing else gives."""
    case = CASES['HeNormal {"layout":"torch.conv","order":"canonical"} [16,8,3,5]']
    whole = glorot.HeNormal(**wrong)(case.shape, "float64", seed=SEED, name=NAME)
    answers = [(place, found) for dtype, place, found in case.answers if dtype == "float64"]

    assert any(_bits(whole[place]) != found for place, found in answers)
