# SPDX-License-Identifier: Apache-2.0
"""What several files of tests begin with."""

import pytest

from glorot.compat import v1


@pytest.fixture
def no_graph_seed():
    """The test starts, and leaves, without a graph seed and without kernel state."""
    v1.set_random_seed(None)
    yield
    v1.set_random_seed(None)
