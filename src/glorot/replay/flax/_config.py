# SPDX-License-Identifier: Apache-2.0
"""The one option of flax that changes its numbers."""

from glorot.replay.jax._config import Config, Option

# True keeps ("ab", "c") and ("a", "bc") apart where flax hashes a path; False is flax's default.
fix_rng_separator = Option("flax_fix_rng_separator", False)

config = Config(fix_rng_separator)
