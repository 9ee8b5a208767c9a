# SPDX-License-Identifier: Apache-2.0
"""What the tests of the laws share: the independent implementation."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ORACLE = runpy.run_path(str(ROOT / "tests" / "oracle" / "make_vectors.py"))
