# SPDX-License-Identifier: Apache-2.0
"""The native kernel as a call of XLA."""
