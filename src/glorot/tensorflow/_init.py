# SPDX-License-Identifier: Apache-2.0
"""`init`: gives variables that are there already their first values, by name."""

from collections.abc import Iterator
from typing import Any

from glorot import _base
from glorot._batch import Batch
from glorot._dtypes import ALL
from glorot._fingerprint import Fingerprint
from glorot._memory import aligned
from glorot._renaming import Names
from glorot._report import InitReport, report_all, report_parameter
from glorot._stream import check_seed
from glorot._writers import Writer
from glorot.recipe import Assignment, Recipe, TensorSpec
from glorot.recipe._argument import read_recipe
from glorot.recipe._tied import choose
from glorot.tensorflow._collect import Weight, collect
from glorot.tensorflow._values import Array, assign_all, known_dtype, refuse_dtype


def init(target: Any, recipe: Any, *, seed: int, names: Names = None) -> InitReport:
    """Fill the trainable variables of a module, a list or a mapping, in place by name.

    A variable of a `tf.Module` is called by the way to it, "layers.0.kernel"; one in a list by its
    own name without ":0"; one in a mapping by its key.  Of sharded and partitioned variables each
    part is computed alone.  Variables that are not trainable stay as they are.  Everything is
    checked before any variable is changed.

    Args:
        target: a `tf.Module`, or variables; a layer or model of `tf.keras` (Keras 2) too.
        recipe: a `glorot.Recipe`, the name or path of one, or one initializer for all.
        seed: 0 <= seed < 2**64.
        names: other names: a mapping from names, or a function of one.

    Raises:
        ValueError: a variable that no rule matches, or a rule that matches none; two variables of
            one name; variables of a graph; a shape or law that cannot be had.
        TypeError: no variables; a dtype that the rule's initializer does not have.

    Examples:
        >>> import glorot, glorot.tensorflow, tensorflow as tf
        >>> class Dense(tf.Module):
        ...     def __init__(self):
        ...         self.kernel = tf.Variable(tf.zeros((784, 256)))
        ...         self.bias = tf.Variable(tf.zeros((256,)))
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("*bias", "zeros"), glorot.Rule("*", "glorot_uniform"),
        ... ])
        >>> report = glorot.tensorflow.init(Dense(), recipe, seed=42)
        >>> [(p.name, p.law) for p in report.parameters]
        [('bias', 'Zeros'), ('kernel', 'U(-0.07596, 0.07596)')]
    """
    rules = read_recipe(recipe)
    number = check_seed(seed)
    contents = collect(target, names)
    if not contents.weights:
        raise ValueError("`target` has no trainable variables: there is nothing to fill.")
    weights = contents.weights
    chosen, left_out, assignments = _plan(rules, weights)
    works = []
    for assignment in assignments:
        writer = _base._prepared(assignment.initializer, assignment.shape, ALL[assignment.dtype])
        works.append((weights[chosen[assignment.name]], assignment, writer))
    with Batch() as batch:
        assign_all((value for work in works for value in _values(*work, number, batch)), batch)
    reports = []
    for weight, assignment, _ in works:
        shards = [shard for _, shard in weight.parts if shard is not None]
        reports.append(report_parameter(assignment, weight.names, shards or None))
    left = [weights[i].names[0] for i in left_out]
    return report_all(rules, number, reports, left, contents.state)


def explain(target: Any, recipe: Any, *, names: Names = None) -> list[Assignment]:
    """Return what `init` would do with each variable: its rule, initializer, fans and law.

    Nothing is filled; what the recipe leaves out is left out.

    Args:
        target, recipe, names: as for `init`.

    Raises:
        ValueError, TypeError: as `init`.

    Examples:
        >>> import glorot.tensorflow, tensorflow as tf
        >>> kernel = tf.Variable(tf.zeros((300, 300)), name="w")
        >>> [(a.name, a.law) for a in glorot.tensorflow.explain([kernel], "glorot_uniform")]
        [('w', 'U(-0.1, 0.1)')]
    """
    rules = read_recipe(recipe)
    return _plan(rules, collect(target, names).weights)[2]


def shapes(target: Any, *, names: Names = None) -> dict[str, TensorSpec]:
    """Return what is known of each trainable variable, whole ones of parts: what
    `Recipe.resolve` takes.

    Args:
        target, names: as for `init`.

    Raises:
        ValueError, TypeError: as `init`, of names and variables.
        TypeError: also a dtype that no initializer writes.

    Examples:
        >>> import glorot.tensorflow, tensorflow as tf
        >>> kernel = tf.Variable(tf.zeros((784, 256)), name="kernel")
        >>> glorot.tensorflow.shapes([kernel])
        {'kernel': TensorSpec(shape=(784, 256), dtype='float32')}
    """
    found = {weight.names[0]: (weight, _spec(weight)) for weight in collect(target, names).weights}
    for name, (weight, spec) in found.items():
        if spec.dtype is None:
            refuse_dtype(name, weight.parts[0].variable.dtype.base_dtype)
    return {name: spec for name, (_, spec) in found.items()}


def _plan(
    rules: Recipe, weights: list[Weight]
) -> tuple[dict[str, int], list[int], list[Assignment]]:
    """(which weight has each name that is chosen, those that are left out, what the others get)."""
    specs = {name: _spec(weight) for weight in weights for name in weight.names}
    chosen, left_out, rules_of = choose(rules, [weight.names for weight in weights], specs)
    wanted = {name: specs[name] for name in chosen}
    for name, number in chosen.items():
        if specs[name].dtype is None:
            refuse_dtype(name, weights[number].parts[0].variable.dtype.base_dtype)
    return chosen, left_out, list(rules._assign(wanted, rules_of, None))


def _values(
    weight: Weight, assignment: Assignment, writer: Writer, seed: int, batch: Batch
) -> Iterator[tuple[Any, Array]]:
    """Each variable that is the weight, or a part of it, and what its value is when the batch has
    run."""
    dtype = ALL[assignment.dtype]
    for variable, shard in weight.parts:
        if shard is None:
            array, start = aligned(weight.shape, dtype), None
        else:
            array, start = aligned(tuple(variable.shape.as_list()), dtype), shard.start
        writer.part_of(batch, array, start, seed, assignment.name)
        yield variable, array


def fingerprint(target: Any, *, names: Names = None) -> str:
    """Return the fingerprint of trainable variables, `glorot.fingerprint` of their whole values.

    It is the same for sharded and partitioned variables, and in another framework with the same
    names and shapes.

    Args:
        target, names: as for `init`.

    Examples:
        >>> import glorot, glorot.tensorflow, tensorflow as tf
        >>> kernel = tf.Variable(tf.zeros((4, 6)), name="w")
        >>> report = glorot.tensorflow.init([kernel], "he_normal", seed=42)
        >>> wanted = glorot.HeNormal()((4, 6), seed=42, name="w")
        >>> glorot.tensorflow.fingerprint([kernel]) == glorot.fingerprint({"w": wanted})
        True
    """
    found = Fingerprint()
    for weight in collect(target, names).weights:
        for variable, shard in weight.parts:
            shape = None if shard is None else weight.shape
            found.add(weight.names[0], variable.numpy(), shape=shape, shard=shard)
    return found.hexdigest()


def _spec(weight: Weight) -> TensorSpec:
    """What is known of a weight; no dtype where no initializer writes it."""
    dtype = weight.parts[0].variable.dtype.base_dtype
    name = dtype.name if dtype.name in ALL else known_dtype(dtype)
    return TensorSpec(weight.shape, name, weight.owner)
