# SPDX-License-Identifier: Apache-2.0
"""`tf.compat.v1.keras`, as far as initializers go."""

from glorot.compat.v1.keras import initializers as initializers
