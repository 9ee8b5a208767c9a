# SPDX-License-Identifier: Apache-2.0
"""`jax.nn`: its initializers."""

from glorot.replay.jax.nn import initializers as initializers

__all__ = ["initializers"]
