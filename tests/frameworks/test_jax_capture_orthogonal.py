# SPDX-License-Identifier: Apache-2.0
"""glorot.jax.capture of orthogonal matrices: where their axes are decides what they are."""

import jax
import pytest

import glorot
import glorot.jax
from glorot.jax import capture

pytestmark = pytest.mark.frameworks
INITS = jax.nn.initializers
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: INITS.orthogonal(column_axis=-2)(KEY, (3, 3, 8, 8)),
        lambda: INITS.orthogonal()(KEY, (3, 3, 8, 8)).transpose(0, 1, 3, 2),
        lambda: INITS.orthogonal()(KEY, (8, 8, 8)).swapaxes(0, 2),
    ],
)
def test_an_orthogonal_kernel_whose_axes_are_moved(make):
    """Its sides are others, though as long as before."""
    with pytest.raises(ValueError, match="another order of Orthogonal"):
        capture(lambda: {"w": make()})
    assert capture(lambda: {"w": INITS.orthogonal()(KEY, (8, 8)).T}).rules[0].initializer == (
        glorot.Orthogonal()
    )


STACKS = {
    "vmap": (lambda: jax.vmap(lambda k: 2 * INITS.orthogonal()(k, (4, 8)))(KEYS), "BIO"),
    "two": (
        lambda: jax.vmap(jax.vmap(lambda k: 2 * INITS.orthogonal()(k, (3, 2, 4, 8))))(
            jax.random.split(KEY, (2, 3))
        ),
        "BBLLIO",
    ),
    "scan": (
        lambda: jax.lax.scan(lambda c, k: (c, 2 * INITS.orthogonal()(k, (4, 8))), 0, KEYS)[1],
        "BIO",
    ),
    "turned": (
        lambda: jax.vmap(lambda k: 2 * INITS.orthogonal()(k, (4, 8)))(KEYS).swapaxes(1, 2),
        "BIO",
    ),
}


@pytest.mark.parametrize("way", STACKS)
def test_stacks_of_orthogonal_matrices(way):
    """Each layer of a stack has one of its own, as its recurrent cells do."""
    make, layout = STACKS[way]
    recipe = capture(lambda: {"w": make()})
    assert recipe.rules[0].initializer == glorot.Orthogonal(2.0, layout=layout)
    assert glorot.audit({"w": make()}, recipe).ok


@pytest.mark.parametrize(
    "make",
    [
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (3, 3)), out_axes=1)(KEYS),
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (3, 3)), out_axes=2)(KEYS),
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (4, 8)))(KEYS).reshape(12, 8),
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (4, 8)))(KEYS)[1:],
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (4, 8)))(KEYS).reshape(3, 4, 2, 4),
        lambda: jax.vmap(lambda k: INITS.orthogonal()(k, (4, 4)))(
            jax.random.split(KEY, 8)
        ).reshape(2, 4, 4, 4).swapaxes(1, 2),
    ],
)  # fmt: skip
def test_stacks_of_orthogonal_matrices_in_another_order(make):
    """What is no stack any more is refused."""
    with pytest.raises(ValueError, match=r"a part or another (order|shape) of"):
        capture(lambda: {"w": make()})
