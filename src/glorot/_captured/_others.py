# SPDX-License-Identifier: Apache-2.0
"""What says that code draws where no framework is watched: by Python's or NumPy's generators."""

import random
from typing import Any

import numpy as np

from glorot._blocks import Blocks


def drawn_by_others() -> Any:
    """Return what changes when Python or NumPy draw from their global generators."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), state[2:]


def is_table(init: Any) -> bool:
    """Whether an initializer is several numbers, which a generator of the code's own may have
    drawn: nobody sees that but in a run that draws others."""
    return isinstance(init, Blocks) and not init.random
