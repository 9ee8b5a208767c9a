# SPDX-License-Identifier: Apache-2.0
"""What the tests of the laws share: the independent implementation, and the targets there are."""

import runpy
from pathlib import Path

from glorot import _kernel

ROOT = Path(__file__).resolve().parents[2]
ORACLE = runpy.run_path(str(ROOT / "tests" / "oracle" / "make_vectors.py"))


def targets():
    """What computes laws here."""
    native = _kernel._native
    return ["reference", *(native.targets() if native is not None else ())]
