# SPDX-License-Identifier: Apache-2.0
"""Other libraries' interfaces, imitated to the end: `glorot.compat.v1` is TensorFlow's."""

from glorot.compat import v1 as v1
