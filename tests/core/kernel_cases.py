# SPDX-License-Identifier: Apache-2.0
"""What computes laws here, for the tests that ask all of it."""

from glorot import _kernel

NATIVE = _kernel._native
TARGETS = list(NATIVE.targets()) if NATIVE is not None else []  # the kernel's, best first
EVERYWHERE = [*TARGETS, "reference"]
