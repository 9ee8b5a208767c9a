# SPDX-License-Identifier: Apache-2.0
"""`tf.compat.v1.random`: seeds, and the draws that initializers make."""

from glorot.compat.v1._draws import random_normal as normal
from glorot.compat.v1._draws import random_uniform as uniform
from glorot.compat.v1._draws import truncated_normal
from glorot.compat.v1._state import get_seed, set_random_seed

__all__ = ["get_seed", "normal", "set_random_seed", "truncated_normal", "uniform"]
