# SPDX-License-Identifier: Apache-2.0
"""The audit of a model's first values: what they are, beside what a recipe promises of them."""

from glorot._audit._audit import audit
from glorot._audit._report import AuditReport, ParameterReport, Problem

__all__ = ["AuditReport", "ParameterReport", "Problem", "audit"]
