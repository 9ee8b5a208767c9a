# SPDX-License-Identifier: Apache-2.0
"""One network in four frameworks, whole and sharded, holds one set of matrices."""

import canonical_models
import pytest
import torch_world

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def numpys():
    """What all must hold."""
    return canonical_models.in_numpy()


def check(found, wanted):
    """The same names, and under each the same bytes."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("way", ["in_torch", "in_flax", "in_keras", "in_tensorflow"])
def test_one_network_in_four_frameworks(numpys, way):
    """torch's (out, in, ...) transposed is flax's, Keras' and TensorFlow's (..., in, out): computed
    by each in its own layout, not copied."""
    check(getattr(canonical_models, way)(), numpys)


@pytest.mark.parametrize("world", [2, 3])
def test_sharded_over_ranks(numpys, world):
    """So do the shards of torch's, uneven ones too, each filled where it is."""
    for found in torch_world.run(world, canonical_models.on_ranks):
        check(found, numpys)


def test_without_canonical_order_they_differ(numpys):
    """In stored order torch's matrix is another: the comparison could have failed."""
    wanted = numpys["up.kernel"]
    init = canonical_models.RECIPE.rules[-1].initializer.replace(
        order="stored", layout="torch.linear"
    )
    stored = init(wanted.shape[::-1], seed=canonical_models.SEED, name="up.kernel")

    assert sorted(stored.ravel()) == sorted(wanted.ravel())
    assert (wanted != stored.T).any()
