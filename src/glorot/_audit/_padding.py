# SPDX-License-Identifier: Apache-2.0
"""The row of an embedding that its layer set to 0: torch's `padding_idx`, which no name says."""

import math

from glorot._audit._distribution import Distribution
from glorot._audit._measure import RUN, Measure
from glorot._audit._parameter import Parameter

_BY_CHANCE = 1e-12  # a row of so few values, in so few bits, that it may as well be drawn
_NAMES = ("emb", "wte")


def padding_row(parameter: Parameter, found: Measure, law: Distribution) -> int | None:
    """Return the only row of an embedding of which all values are 0, or None.

    Only embeddings have one: such a row of another layer is a fault.
    """
    spec = parameter.spec
    if len(spec.shape) != 2 or not _is_embedding(parameter):
        return None
    rows, columns = spec.shape
    if rows < 2 or not 0 < columns <= found.zeros or found.zeros == found.count:
        return None
    if law.zero and columns * math.log(law.zero) + math.log(rows) > math.log(_BY_CHANCE):
        return None
    empty: list[int] = []
    step = max(1, RUN // columns)
    for row in range(0, rows, step):
        last = min(rows, row + step)
        values = parameter.read(row * columns, last * columns).reshape(-1, columns)
        empty += [row + int(i) for i in (~values.astype(bool).any(axis=1)).nonzero()[0]]
        if len(empty) > 1:
            return None
    return empty[0] if empty else None


def _is_embedding(parameter: Parameter) -> bool:
    spec, name = parameter.spec, parameter.name.lower()
    return "Embed" in (spec.type or "") or any(part in name for part in _NAMES)
