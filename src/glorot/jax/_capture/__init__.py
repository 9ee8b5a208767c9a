# SPDX-License-Identifier: Apache-2.0
"""What JAX code gives the arrays of a model, as a recipe."""
