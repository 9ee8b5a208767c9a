# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of initial values: written straight to disk, and verified to the byte."""

from glorot.checkpoint._dry_run import plan
from glorot.checkpoint._file_checks import has_manifest
from glorot.checkpoint._layout import read_shapes
from glorot.checkpoint._ranks import ranks_from_environment
from glorot.checkpoint._report import (
    FileCheck,
    PlannedFile,
    PlanReport,
    TensorCheck,
    TensorReport,
    VerifyReport,
    WriteReport,
)
from glorot.checkpoint._verify import verify
from glorot.checkpoint._write import write

__all__ = [
    "FileCheck",
    "PlanReport",
    "PlannedFile",
    "TensorCheck",
    "TensorReport",
    "VerifyReport",
    "WriteReport",
    "has_manifest",
    "plan",
    "ranks_from_environment",
    "read_shapes",
    "verify",
    "write",
]
