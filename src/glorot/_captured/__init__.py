# SPDX-License-Identifier: Apache-2.0
"""From what a model's own code was seen to draw to the rules of a recipe, for every framework."""
