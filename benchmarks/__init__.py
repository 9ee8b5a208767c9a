# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: `python -m benchmarks`; docs/benchmarks.md says how to read what it prints."""
