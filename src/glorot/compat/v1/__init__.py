# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N813 -- the lowercase names of classes are TensorFlow's
"""TensorFlow 1's initializers and random functions: names, seeds, state and numbers, exactly.

Where a value comes from, in TensorFlow and here:

- A graph seed (`set_random_seed`) and an operation seed (the initializer's) make a pair, each
  modulo 2**31 - 1. With the operation seed alone, the graph seed is 87654321. With the graph seed
  alone, each call gets the next operation seed in turn. With neither, values are drawn from the
  system's entropy and no two runs agree, as in TensorFlow: this namespace is the one place in
  glorot where that can happen, and the one place with global state.
- Outside a `Graph`, calls have TensorFlow's eager semantics: all calls with one pair of seeds and
  one dtype share a state, so a second call, even by another initializer, gives new values.
  `set_random_seed` starts all of them again.
- Within `with Graph().as_default():` they have a session's semantics: see `Graph`. A call made
  while TensorFlow itself builds a graph, as in `tf.compat.v1.get_variable(initializer=...)`,
  takes that graph's seeds and gives the value of its first run.

`random.uniform`, `random.normal` and `random.truncated_normal` are TensorFlow 2's functions of
those names too, with `set_random_seed` for its `tf.random.set_seed`.  Of `Orthogonal` the draw is
exact, and the factorisation is not: see there.
"""

from glorot.compat.v1 import initializers as initializers
from glorot.compat.v1 import keras as keras
from glorot.compat.v1 import random as random
from glorot.compat.v1._constants import Constant as constant_initializer
from glorot.compat.v1._constants import Ones as ones_initializer
from glorot.compat.v1._constants import Zeros as zeros_initializer
from glorot.compat.v1._draws import random_normal, random_uniform, truncated_normal
from glorot.compat.v1._initializers import GlorotNormal as glorot_normal_initializer
from glorot.compat.v1._initializers import GlorotUniform as glorot_uniform_initializer
from glorot.compat.v1._initializers import RandomNormal as random_normal_initializer
from glorot.compat.v1._initializers import RandomUniform as random_uniform_initializer
from glorot.compat.v1._initializers import TruncatedNormal as truncated_normal_initializer
from glorot.compat.v1._initializers import UniformUnitScaling as uniform_unit_scaling_initializer
from glorot.compat.v1._initializers import VarianceScaling as variance_scaling_initializer
from glorot.compat.v1._orthogonal import Orthogonal as orthogonal_initializer
from glorot.compat.v1._state import Graph, get_seed, set_random_seed

__all__ = [
    "Graph",
    "constant_initializer",
    "get_seed",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "initializers",
    "keras",
    "ones_initializer",
    "orthogonal_initializer",
    "random",
    "random_normal",
    "random_normal_initializer",
    "random_uniform",
    "random_uniform_initializer",
    "set_random_seed",
    "truncated_normal",
    "truncated_normal_initializer",
    "uniform_unit_scaling_initializer",
    "variance_scaling_initializer",
    "zeros_initializer",
]
