# SPDX-License-Identifier: Apache-2.0
"""Which of how many processes this one is, as it is told or as its launcher says."""

import numbers
import os
from collections.abc import Mapping
from typing import Any

from glorot import _check

# A launcher's variables: the rank, and how many there are.
LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "MPI": ("PMI_RANK", "PMI_SIZE"),
    "SLURM": ("SLURM_PROCID", "SLURM_NTASKS"),
}
MOST_RANKS = 99_999  # five digits number them


def check_ranks(rank: Any, world_size: Any) -> tuple[int, int]:
    """Return (rank, world size) as given to `write`; (0, 1) where neither is.

    Raises:
        ValueError: only one of them; a rank that is negative, or not below the world size.
        TypeError: no whole numbers.
    """
    if rank is None and world_size is None:
        return 0, 1
    if rank is None or world_size is None:
        lacking = "rank" if rank is None else "world_size"
        raise ValueError(f"`rank` and `world_size` go together; `{lacking}` is missing.")
    size = _check.count("world_size", world_size)
    if size > MOST_RANKS:
        raise ValueError(f"`world_size` must be at most {MOST_RANKS}, got {size}.")
    if isinstance(rank, bool) or not isinstance(rank, numbers.Integral):
        raise TypeError(
            f"`rank` must be a whole number, got {_check.show(rank)} of {type(rank).__name__}."
        )
    number = int(rank)
    if not 0 <= number < size:
        raise ValueError(
            f"`rank` must be at least 0 and below `world_size`={size}, got {_check.show(number)}."
        )
    return number, size


def ranks_from_environment(environ: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Return (rank, world size) as the variables of torchrun, Open MPI, MPI's PMI or SLURM say.

    `write` reads no variables by itself: a shell inside of a SLURM job has them too, and there a
    single process must not write a part of a checkpoint and leave the rest to nobody.

    Args:
        environ: the variables, in place of the process's own.

    Raises:
        ValueError: no launcher's variables; one of a pair; no whole numbers; launchers that
            contradict each other (but torchrun, which says so by TORCHELASTIC_RUN_ID, is believed
            before the one that started it).

    Examples:
        >>> ranks_from_environment({"RANK": "3", "WORLD_SIZE": "8"})
        (3, 8)
    """
    known = os.environ if environ is None else environ
    said = {}
    for launcher, names in LAUNCHERS.items():
        there = [name for name in names if known.get(name, "") != ""]
        if len(there) == 1:
            lacking = names[there[0] == names[0]]
            raise ValueError(
                f"{there[0]} is set and {lacking} is not. Set both, or give `rank` and "
                "`world_size` (--rank, --world-size)."
            )
        if there:
            said[launcher] = check_ranks(*(_number(name, known[name]) for name in names))
        if launcher == "torchrun" and launcher in said and known.get("TORCHELASTIC_RUN_ID"):
            return said[launcher]  # whatever a batch script's own variables say, or lack
    if not said:
        pairs = ", ".join(f"{a} and {b}" for a, b in LAUNCHERS.values())
        raise ValueError(
            f"no launcher says which rank this is: none of {pairs} is set. Give `rank` and "
            "`world_size` (--rank, --world-size)."
        )
    if len(set(said.values())) > 1:
        claims = ", ".join(f"{name} rank {r} of {n}" for name, (r, n) in said.items())
        raise ValueError(
            f"launchers contradict each other: {claims}. Give `rank` and `world_size` (--rank, "
            "--world-size)."
        )
    return next(iter(said.values()))


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{name} must be a whole number, 0 or more; it is {_check.show(text)}.")
    return int(text)
