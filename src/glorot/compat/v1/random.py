# SPDX-License-Identifier: Apache-2.0
"""`tf.compat.v1.random`, as far as seeds go."""

from glorot.compat.v1._state import get_seed, set_random_seed

__all__ = ["get_seed", "set_random_seed"]
