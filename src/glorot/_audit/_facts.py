# SPDX-License-Identifier: Apache-2.0
"""What is known of a segment, and what is found to be wrong with it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glorot._audit._centre import Taps
from glorot._audit._distribution import Distribution
from glorot._audit._measure import Measure
from glorot._audit._promise import Promise, Segment
from glorot._audit._spectrum import Spectrum
from glorot._audit._tests import Outcome


class Finding(NamedTuple):
    """One segment that is wrong: those of one kind, rule and cause share a line, and of the likely
    `causes` that is said which most have."""

    kind: str
    group: tuple[Any, ...]
    text: str
    log_p: float
    causes: tuple[str, ...] = ()


class Facts(NamedTuple):
    """What is known of a segment."""

    promise: Promise
    segment: Segment
    found: Measure
    law: Distribution | None
    outcomes: Sequence[Outcome]
    spectrum: Spectrum | None
    dtype: np.dtype[Any]
    taps: Taps | None = None
