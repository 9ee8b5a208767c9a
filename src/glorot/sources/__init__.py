# SPDX-License-Identifier: Apache-2.0
"""Where a model's shapes come from: files, checkpoints, configs, and models of any framework."""

from glorot.sources._capture import capture
from glorot.sources._resolve import read
from glorot.sources._source import Source

__all__ = ["Source", "capture", "read"]
