# SPDX-License-Identifier: Apache-2.0
"""`tf.random.experimental`: the older names of `split` and `fold_in`."""

from glorot.replay.tensorflow._stateless import fold_in as stateless_fold_in
from glorot.replay.tensorflow._stateless import split as stateless_split

__all__ = ["stateless_fold_in", "stateless_split"]
