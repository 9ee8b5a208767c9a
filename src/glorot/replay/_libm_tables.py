# SPDX-License-Identifier: Apache-2.0
"""Tables of float64 constants, each one file for the NumPy code and for the native code."""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@functools.cache
def table(name: str) -> NDArray[np.float64]:
    """Rows of src/glorot/tables/NAME.inc, the initialiser list that the native code includes."""
    path = Path(__file__).parents[1] / "tables" / f"{name}.inc"
    lines = path.read_text(encoding="ascii").splitlines()
    rows = [line.strip(" {},").split(",") for line in lines if line.startswith("{")]
    values = np.array([[float.fromhex(cell) for cell in row] for row in rows])
    values.flags.writeable = False
    return values
