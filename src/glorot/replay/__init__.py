# SPDX-License-Identifier: Apache-2.0
"""The frameworks' own draws, bit for bit, without the frameworks: `glorot.replay.tensorflow`."""

from glorot.replay import tensorflow as tensorflow
