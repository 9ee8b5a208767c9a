# SPDX-License-Identifier: Apache-2.0
"""What writing and verifying a checkpoint found out, as values that JSON can hold."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TensorReport:
    """One tensor that was written: its rule, its law, and what came out.

    Attributes:
        file: the name of the file it is in.
        pattern: of the rule that it got its initializer from.
        law: in a few characters, such as "N(0, 0.02)".
        expected_stddev: what the initializer promises.
        mean, stddev: of the values written, all of them; None for an empty tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    pattern: str
    law: str
    fan_in: float
    fan_out: float
    expected_stddev: float
    mean: float | None
    stddev: float | None

    @property
    def count(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What `write` did.

    Attributes:
        files: the names of the data files, in `directory`.
        nbytes: the size of the data files together.
        written: how many bytes of tensors were written; less than all after `resume`.
        seconds: how long it took, the last sync included.
        tensors: those of which this process wrote something; what is measured is of its part.
        rank, world_size: which of how many processes this was.
        complete: whether the checkpoint stands; else other ranks are at work, or not yet.
        waiting: the ranks whose records were not there when this one ended.
    """

    directory: str
    seed: int
    recipe: str
    stream: int
    files: tuple[str, ...]
    parameters: int
    nbytes: int
    written: int
    seconds: float
    tensors: tuple[TensorReport, ...]
    rank: int = 0
    world_size: int = 1
    complete: bool = True
    waiting: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One data file that would be written."""

    name: str
    nbytes: int
    tensors: int


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What `write` would do.

    Attributes:
        nbytes: the size of the data files together.
        free: bytes free on the disk of `directory`, for this user.
        needed: bytes that `write` would take of them; with `resume`, less than all.
        threads: how many would compute.
        seconds: how long these would compute, from a measurement; a slower disk decides.
        unmeasured: the tensors left out of `seconds`, such as orthogonal ones: they are computed
            whole, and their time does not grow as their size does.
    """

    directory: str
    seed: int
    recipe: str
    stream: int
    files: tuple[PlannedFile, ...]
    tensors: int
    parameters: int
    nbytes: int
    free: int
    needed: int
    threads: int
    seconds: float
    unmeasured: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether there is room on the disk."""
        return self.needed <= self.free

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return dataclasses.asdict(self) | {"fits": self.fits}


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """One tensor that was compared.

    Attributes:
        status: "equal", "differs", "trained" (more than half of the elements differ),
            "truncated" (the file ends before the tensor does), "shape", "dtype" (another than
            expected), "missing" or "extra".
        index: of the first element that differs, one number an axis.
        expected, found: that element's two values.
        differing: how many elements differ.
        note: the same for people.
    """

    name: str
    status: str
    note: str = ""
    count: int = 0
    differing: int = 0
    index: tuple[int, ...] | None = None
    expected: float | None = None
    found: float | None = None


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file that was compared with the manifest.

    Attributes:
        status: "equal", "missing", "size", "checksum", or "extra" (the manifest does not name it).
        note: the same for people.
    """

    name: str
    status: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found: `equal` is True when every byte is what the recipe and seed give.

    Attributes:
        note: what is to be said of the checkpoint as a whole: that it does not hold the tensors
            that were written, or that nothing tells whether one is missing. Else empty.
        files: the files against the manifest, where that gave the recipe or the seed.
    """

    path: str
    seed: int
    recipe: str
    stream: int
    equal: bool
    parameters: int
    seconds: float
    tensors: tuple[TensorCheck, ...]
    note: str = ""
    files: tuple[FileCheck, ...] = ()

    @property
    def problems(self) -> tuple[TensorCheck, ...]:
        """The tensors that are not equal."""
        return tuple(check for check in self.tensors if check.status != "equal")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold; a value that is no finite number is None, and
        its tensor's `note` says what it is."""
        content = dataclasses.asdict(self)
        for check in content["tensors"]:
            for key in ("expected", "found"):
                if check[key] is not None and not math.isfinite(check[key]):
                    check[key] = None
        return content
