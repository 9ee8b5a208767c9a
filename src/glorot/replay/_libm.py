# SPDX-License-Identifier: Apache-2.0
"""The C library's log, sin and cos as the frameworks' normals use them, on any machine.

`logf` and `sincosf` are glibc's of float32.  Plain NumPy float64 arithmetic, so every machine gives
the same bits.
"""

from glorot.replay._libm32 import logf, sincosf

__all__ = ["logf", "sincosf"]
