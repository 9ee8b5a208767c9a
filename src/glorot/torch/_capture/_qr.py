# SPDX-License-Identifier: Apache-2.0
"""Of a QR of normals: Q times the signs of R's diagonal is uniform, and Q alone is not."""

import torch

from glorot._captured._drawn import Drawn, Normal, Orthogonal, Unknown, describe, draw_of, of_draw
from glorot.torch._capture._calls import Call

_Q = Unknown("the Q of a QR, without the signs of R's diagonal")
_R = Unknown("the R of a QR")
_DIAGONAL = Unknown("the diagonal of the R of a QR")
_SIGNS = Unknown("the signs of R")


def factors(value: Drawn, matrix: torch.Tensor) -> tuple[Drawn, Drawn]:
    """What Q and R of a matrix are that holds such values."""
    if isinstance(value, Normal) and value == Normal(0.0, value.stddev) and matrix.dim() == 2:
        return of_draw(_Q, value.draw), of_draw(_R, value.draw)
    of = Unknown(f"a QR of {describe(value)}")
    return of, of


def of_r(call: Call, value: Drawn) -> Drawn | None:
    """What a function makes of R: its diagonal, and the signs of that; None where it is neither."""
    read = call.read[0]
    if call.name in ("diag", "diagonal_copy"):
        main = value == _R and read.dim() == 2 and call.arguments(offset=0) == [0]
        return of_draw(_DIAGONAL, draw_of(value)) if main else None
    seen = read.dim() == 1 and read.stride(0) == read.numel() + 1 and not read.storage_offset()
    if call.name in ("sign", "sgn") and (value == _DIAGONAL or (value == _R and seen)):
        return of_draw(_SIGNS, draw_of(value))
    return None


def signed(call: Call, values: list[Drawn]) -> Drawn | None:
    """What Q becomes times the signs of its columns; None of what is no such product."""
    if call.name != "mul" or _Q not in values or _SIGNS not in values:
        return None
    q, signs = call.read if values[0] == _Q else call.read[::-1]
    columns = signs.dim() > 0 and signs.numel() == signs.shape[-1] == q.shape[-1]
    turned = q.shape[0] == q.shape[1] and q.stride(0) > q.stride(1)
    if q.shape != call.target.shape or not columns or turned:
        return Unknown("the Q of a QR, with signs that are not its columns'")
    return Orthogonal(tuple(q.shape), draw=draw_of(values[values.index(_Q)]))
