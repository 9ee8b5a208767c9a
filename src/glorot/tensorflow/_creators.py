# SPDX-License-Identifier: Apache-2.0
"""Variables filled as they are made: `custom_getter` for v1, `variable_creator` for v2.

Both see the variable's name, which is the weight's name, and give it the recipe's initializer.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from glorot import _check
from glorot._renaming import Names, Renaming
from glorot._report import InitReport, ParameterReport, report_all, report_parameter
from glorot._stream import check_seed
from glorot.recipe import Assignment, Recipe, Rule, TensorSpec, _coverage
from glorot.recipe._argument import read_recipe
from glorot.recipe._shapes import check_parameter_name
from glorot.tensorflow._initializer import VariableInitializer
from glorot.tensorflow._values import known_dtype, refuse_dtype

# What a strategy calls the replicas of a variable after the first.
_COPY = re.compile(r"/replica_\d+/?$")


class _Rules:
    """A recipe used one variable at a time, and what was made so far."""

    def __init__(self, recipe: Any, seed: int, names: Names) -> None:
        self.recipe: Recipe = read_recipe(recipe)
        self.seed = check_seed(seed)
        self.renamed = Renaming(names)
        _check_local(self.recipe)
        self.specs: dict[str, TensorSpec] = {}
        self.rules: dict[str, Rule] = {}
        self.made: dict[str, Assignment] = {}
        self.left_out: list[str] = []
        self.buffers: list[str] = []

    def initializer(self, name: str, shape: Any, dtype: Any) -> VariableInitializer | None:
        """What fills the variable; None where the recipe leaves it out."""
        name = check_parameter_name(self.renamed(name))
        spec = TensorSpec(_check.parse_shape(shape), known_dtype(dtype))
        known = self.specs.get(name, spec)
        if known != spec:
            raise ValueError(
                f"the variable {name!r} is asked for as {spec.dtype} of shape {spec.shape} and "
                f"was made as {known.dtype} of shape {known.shape}."
            )
        if name not in self.specs:
            self._decide(name, spec, dtype)
        found = self.made.get(name)
        return None if found is None else VariableInitializer(found.initializer, self.seed, name)

    def _decide(self, name: str, spec: TensorSpec, dtype: Any) -> None:
        found = self.recipe._match({name: spec})._replace(idle=[])
        problems = _coverage.problems(found, self.recipe.rules, {name: spec})
        if problems:
            raise ValueError(" ".join(problems))
        if spec.dtype is None and found.rules[name].initializer is not None:
            refuse_dtype(name, dtype)
        self.rules |= found.rules
        assigned = self.recipe._assign({name: spec}, self.rules, None, self.specs)
        self.specs[name] = spec
        if assigned:
            self.made[name] = assigned[0]
        else:
            self.left_out.append(name)

    def report(self) -> InitReport:
        """Return what was made, once everything is.

        Raises:
            ValueError: a rule that matched no variable.
        """
        found = self.recipe._match(self.specs)
        problems = _coverage.problems(found, self.recipe.rules, self.specs)
        if problems:
            raise ValueError(" ".join(problems))
        parameters: list[ParameterReport] = [
            report_parameter(assignment, [name]) for name, assignment in self.made.items()
        ]
        return report_all(self.recipe, self.seed, parameters, self.left_out, self.buffers)


def _check_local(recipe: Recipe) -> None:
    """Refuse what needs to know of all weights before the first is made."""
    counted = [n for n, variable in recipe.variables.items() if variable.count or variable.size]
    if counted:
        raise ValueError(
            f"the recipe's variable {counted[0]!r} is counted over all weights, which are not "
            f"there yet. Set it, recipe.set({counted[0]}=...), or make the variables first and "
            "fill them by glorot.tensorflow.init."
        )
    for rule in recipe.rules:
        if isinstance(rule.layers, str):
            raise ValueError(
                f"the rule for {rule} counts layers by {rule.layers!r} over all weights, which are "
                "not there yet. Give their number, or make the variables first and fill them by "
                "glorot.tensorflow.init."
            )


class CustomGetter(_Rules):
    """A `custom_getter` of `tf.compat.v1.variable_scope`. Made by `custom_getter`."""

    def __call__(self, getter: Any, name: str, *args: Any, **options: Any) -> Any:
        """Get the variable, with the recipe's initializer for its name."""
        if args:
            raise TypeError("TensorFlow passes a custom getter keywords alone, got others.")
        given: Any = options.get("initializer")
        shape = options.get("shape")
        if shape is None and given is not None and not callable(given):
            value = _typed(given)  # its values give way to the recipe's
            shape, options["dtype"] = value.shape, value.dtype
        if options.get("trainable") is False:
            self.buffers.append(self.renamed(name))
        elif shape is not None:
            found = self.initializer(name, shape, options.get("dtype") or tf.float32)
            if found is not None:
                options |= {"initializer": found, "shape": shape}
        elif options.get("reuse") is not True:
            raise ValueError(
                f"the variable {name!r} must be given its `shape`, so that it can be filled."
            )
        return getter(name, **options)


class VariableCreator(_Rules):
    """A creator of `tf.variable_creator_scope`. Made by `variable_creator`."""

    def __call__(self, next_creator: Any, **options: Any) -> Any:
        """Make the variable, with the recipe's initial value for its name."""
        given = options.get("initial_value")
        if _COPY.search(options.get("name") or "") and tf.distribute.has_strategy():
            return next_creator(**options)  # its initial value is what the first replica holds
        if hasattr(given, "checkpoint_position"):  # restored from a checkpoint as it is made
            return next_creator(**options)
        if not options.get("name") and _is_no_weight(options):  # as Keras 2 makes counters
            return next_creator(**options)
        name = self._name(options)
        if options.get("trainable") is False:
            self.buffers.append(name)
            return next_creator(**options)
        if self.renamed(name) in self.specs:
            raise ValueError(
                f"a second variable is called {name!r}; it would be given the values of the first. "
                "Make it in a tf.name_scope of its own, or give it another name."
            )
        declared, dtype = options.get("shape"), options.get("dtype")
        shape = declared
        if dtype is None or not tf.TensorShape(shape).is_fully_defined():
            value = tf.convert_to_tensor(given() if callable(given) else given, dtype=dtype)
            shape, dtype = value.shape, value.dtype
        found = self.initializer(name, shape, dtype)
        if found is not None:
            dtype = tf.dtypes.as_dtype(dtype)
            options |= {
                "initial_value": functools.partial(found, shape=shape, dtype=dtype),
                "shape": tf.TensorShape(shape if declared is None else declared),
                "dtype": dtype,
            }
        return next_creator(**options)

    def _name(self, options: Mapping[str, Any]) -> str:
        name = options.get("name")
        if not name:
            raise ValueError(
                "a variable has no name, from which its values would come. Give it one: "
                "tf.Variable(..., name='kernel')."
            )
        scope = tf.get_current_name_scope()
        full = f"{scope}/{name}" if scope else str(name)
        if re.search(r"/part_\d+$", full):
            raise ValueError(
                f"{full!r} is a part of a partitioned variable, which this creator cannot see. Use "
                "custom_getter=glorot.tensorflow.custom_getter(...) with partitioners."
            )
        return full


def _typed(value: Any) -> Any:
    """A constant with a shape and a dtype; numbers and lists get TensorFlow's, in a graph of their
    own, since the operations of the one around are counted, and seeds follow from that."""
    if hasattr(value, "shape"):
        return value
    with tf.Graph().as_default():
        return tf.convert_to_tensor(value)


def _is_no_weight(options: Mapping[str, Any]) -> bool:
    """Whether a variable is not trained: it is said so, or it counts."""
    if options.get("trainable") is False:
        return True
    dtype, value = options.get("dtype"), options.get("initial_value")
    if dtype is None:
        dtype = tf.convert_to_tensor(value() if callable(value) else value).dtype
    found = tf.dtypes.as_dtype(dtype)
    return bool(found.is_integer or found.is_bool)


def custom_getter(recipe: Any, *, seed: int, names: Names = None) -> CustomGetter:
    """Return a `custom_getter` that fills every variable by its name, partitioned ones too.

    The weight's name is the variable's full name, "encoder/layer_0/kernel". Variables that are not
    trainable, and those that the recipe leaves out, keep the initializer they have.
    `report()` says what was made, and finds rules that matched nothing.

    Args:
        recipe: a `glorot.Recipe`, the name or path of one, or one initializer for all. What counts
            over the whole model (layers, sizes) must be set to numbers.
        seed: 0 <= seed < 2**64.
        names: other names: a mapping from the variables' names, or a function of one.

    Examples:
        >>> import glorot, glorot.tensorflow, tensorflow as tf
        >>> getter = glorot.tensorflow.custom_getter("he_normal", seed=42)
        >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ...     with tf.compat.v1.variable_scope("up", custom_getter=getter):
        ...         w = tf.compat.v1.get_variable("kernel", (4, 3))
        ...     session.run(w.initializer)
        ...     found = session.run(w)
        >>> bool((found == glorot.HeNormal()((4, 3), seed=42, name="up/kernel")).all())
        True
    """
    return CustomGetter(recipe, seed, names)


def variable_creator(recipe: Any, *, seed: int, names: Names = None) -> VariableCreator:
    """Return a creator for `tf.variable_creator_scope` that fills every variable by its name.

    The weight's name is the variable's, with the name scopes around it: "up/kernel".  Under
    `ParameterServerStrategy` each shard is computed alone.  Variables that are not trainable, that
    a checkpoint restores, that the recipe leaves out, and counters without a name keep the value
    they have.

    Args:
        recipe, seed, names: as for `custom_getter`.

    Examples:
        >>> import glorot, glorot.tensorflow, tensorflow as tf
        >>> creator = glorot.tensorflow.variable_creator("he_normal", seed=42)
        >>> with tf.variable_creator_scope(creator), tf.name_scope("up"):
        ...     w = tf.Variable(tf.zeros((4, 3)), name="kernel")
        >>> [(p.name, p.law) for p in creator.report().parameters]
        [('up/kernel', 'TN(0, 0.8039, ±2)')]
    """
    return VariableCreator(recipe, seed, names)
