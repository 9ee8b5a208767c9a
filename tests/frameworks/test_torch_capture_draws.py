# SPDX-License-Identifier: Apache-2.0
"""Which draws are in a parameter: what is done to them, and whether they come again."""

import pytest
import torch
from capture_cases import captured

import glorot

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_draws_that_change_one_number_in_place(shape):
    """It is no constant then, though a number is all that the weight has."""
    for write, wanted in (
        (lambda w: w.fill_(2).add_(torch.randn(shape)), glorot.RandomNormal(2.0, 1.0)),
        (lambda w: w.fill_(2).sub_(torch.rand(shape)), glorot.RandomUniform(1.0, 2.0)),
        (lambda w: w.fill_(2).mul_(torch.randn(shape)), glorot.RandomNormal(0.0, 2.0)),
    ):
        assert captured(write, shape) == wanted
