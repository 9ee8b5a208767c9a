# SPDX-License-Identifier: Apache-2.0
"""What a module's own code writes into its parameters, as a recipe."""
