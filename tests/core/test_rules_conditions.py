# SPDX-License-Identifier: Apache-2.0
"""Rules that hold under conditions: on the name, the dtype, the type, the tags."""

import pytest

import glorot
from glorot import Recipe, Rule
from glorot.recipe import TensorSpec, Where

SPEC = TensorSpec((8, 4, 3), "bfloat16", type="Conv1d", tags=("decoder", "block.0"))


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"ndim": 3}, True),
        ({"ndim": [2, 3]}, True),
        ({"ndim": 2}, False),
        ({"shape": [8, "*", 3]}, True),
        ({"shape": [8, 5, 3]}, False),
        ({"shape": [8, 4]}, False),
        ({"dtype": "bfloat16"}, True),
        ({"dtype": "*float*"}, True),
        ({"dtype": ["float32", "float64"]}, False),
        ({"type": "Conv*"}, True),
        ({"type": ["Linear", "Conv1d"]}, True),
        ({"type": "conv1d"}, False),
        ({"tag": "decoder"}, True),
        ({"tag": ["x", "block.*"]}, True),
        ({"tag": "encoder"}, False),
        ({"ndim": 3, "type": "Linear"}, False),
    ],
)
def test_conditions(where, holds):
    """Each condition that is given must hold, one of its alternatives must."""
    assert Where(**where).holds(SPEC) is holds
    assert Rule("w", "zeros", where=where).matches("w", SPEC) is holds
    assert not Rule("v", "zeros", where=where).matches("w", SPEC)
    assert not Rule("w", "zeros", where=where).matches("w")  # nothing is known of it


def test_scalars_and_unknown_dtypes():
    """A scalar has 0 axes, and a parameter of no stated dtype counts as float32."""
    assert Where(ndim=0).holds(TensorSpec(()))
    assert Where(shape=[]).holds(TensorSpec(()))
    assert not Where(shape=[]).holds(TensorSpec((1,)))
    assert Where(dtype="float32").holds(TensorSpec((1,)))


@pytest.mark.parametrize("where", [{"shape": []}, {"shape": [0, "*"]}, {"ndim": 0}])
def test_conditions_on_scalars_and_empty_weights_stay_in_the_recipe(where):
    """The shape of a scalar and a size of 0 are conditions too: written, read, held to."""
    recipe = Recipe([Rule("w", "ones", where=Where(**where)), Rule("*", "zeros")])
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.rules[0].where == Where(**where)
    shape = (0, 3) if where.get("shape") else ()
    assert [a.law for a in again.resolve({"w": shape, "v": shape})] == ["Ones", "Zeros"]
    plain = Recipe([Rule("w", "ones"), Rule("*", "zeros")])
    assert recipe.fingerprint != plain.fingerprint


def test_conditions_choose_between_equal_patterns():
    """Two rules of one pattern differ by their conditions; of one condition they are refused."""
    recipe = Recipe([Rule("*", "he_normal", where={"ndim": 2}), Rule("*", "zeros")])
    assert [a.law[0] for a in recipe.resolve({"w": (3, 4), "b": (3,)})] == ["T", "Z"]
    with pytest.raises(ValueError, match=r"the pattern '\*' where ndim=2 twice"):
        Recipe([Rule("*", "ones", where={"ndim": 2}), Rule("*", "zeros", where={"ndim": [2]})])


def test_conditions_see_the_dtype_that_is_written(tmp_path):
    """`dtype` counts before matching, so that a checkpoint verifies by what it holds."""
    rules = [Rule("*", "ones", where={"dtype": "bfloat16"}), Rule("*", "zeros", optional=True)]
    recipe = Recipe(rules)
    (found,) = recipe.resolve({"w": TensorSpec((2,), "float32")}, dtype="bfloat16")
    assert (found.law, found.dtype) == ("Ones", "bfloat16")
    glorot.checkpoint.write({"w": (2,)}, recipe, tmp_path, seed=1, dtype="bfloat16")
    assert glorot.checkpoint.verify(tmp_path, recipe, 1).equal


def test_types_and_layouts_travel_with_the_checkpoint(tmp_path):
    """What the shapes say of types, tags and layouts is kept, so that it verifies alone, and
    another can be written from it."""
    shapes = {
        "a": {"shape": [6, 2, 3], "type": "Conv1d", "layout": "torch.conv", "groups": 2},
        "b": {"shape": [6, 4], "tags": ["first"], "layout": "torch.linear"},
    }
    recipe = Recipe(
        [
            Rule("*", "he_normal", where={"type": "Conv*"}),
            Rule("*", "he_normal", where={"tag": "f*"}),
        ]
    )
    one, two = recipe.resolve(shapes)
    assert (one.fans, two.fans) == ((6.0, 9.0), (4.0, 6.0))  # 9 = 3 taps of 6 / 2 channels
    glorot.checkpoint.write(shapes, recipe, tmp_path, seed=1)
    assert glorot.checkpoint.verify(tmp_path, recipe, 1).equal
    again = recipe.resolve(glorot.checkpoint.read_shapes(tmp_path))
    assert {a.name: a.initializer for a in again} == {"a": one.initializer, "b": two.initializer}


def test_coverage_names_conditions():
    """A gap that a condition makes is told as such, on both sides."""
    recipe = Recipe([Rule("*", "zeros", where={"type": "Linear"})])
    with pytest.raises(ValueError, match=r"no rule matches 'w'") as caught:
        recipe.resolve({"w": (2,)})
    text = str(caught.value)
    assert "The rule for '*' where type='Linear' matches the name 'w', but it has shape=" in text
    assert "no type is said" in text
    assert "Say the types of layers with the shapes" in text
    assert "patterns" not in text  # the name fits one
    assert "matches names, 'w' among them, but its conditions hold for none" in text
    with pytest.raises(ValueError, match=r"`names` must be a dict of names to shapes"):
        recipe.match(["w"])
    assert recipe.match({"w": TensorSpec((2,), type="Linear")}).unmatched == []


def test_optional_rules_may_match_nothing():
    """One that is optional is no error where it is idle, and is used where it is not."""
    recipe = Recipe([Rule("*.q_norm", "ones", optional=True), Rule("*", "zeros")])
    assert [a.law for a in recipe.resolve({"w": (2,)})] == ["Zeros"]
    assert [a.law for a in recipe.resolve({"w": (2,), "a.q_norm": (2,)})] == ["Zeros", "Ones"]
    with pytest.raises(ValueError, match=r"'\*.q_norm'.* or say `optional`"):
        Recipe([Rule("*.q_norm", "ones"), Rule("*", "zeros")]).resolve({"w": (2,)})
