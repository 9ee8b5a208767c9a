# SPDX-License-Identifier: Apache-2.0
"""What several files of tests begin with."""

import pytest

import glorot
from glorot.compat import v1


@pytest.fixture
def no_graph_seed():
    """The test starts, and leaves, without a graph seed and without kernel state."""
    v1.set_random_seed(None)
    yield
    v1.set_random_seed(None)


@pytest.fixture
def default_seed():
    """The test starts from the seed 0 of the replayed torch's default generator."""
    from glorot.replay import torch

    torch.manual_seed(0)


@pytest.fixture
def no_keras_settings():
    """No backend, dtype or random seed of the replayed Keras is left behind."""
    from glorot.replay import keras

    yield
    keras.config.set_backend(None)
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed(None)


@pytest.fixture
def written(tmp_path):
    """The folder of a checkpoint in two files."""
    from source_examples import LLAMA  # loads more than most tests need

    glorot.checkpoint.write(LLAMA, "llama", tmp_path / "ckpt", seed=1, max_shard_size="1kB")
    return tmp_path / "ckpt"


@pytest.fixture
def no_framework(monkeypatch):
    """As in the command's own process: other tests' frameworks may be loaded here."""
    from glorot.sources import _apart

    monkeypatch.setattr(_apart, "_FRAMEWORKS", ())


@pytest.fixture(scope="module")
def small_pages():
    """Let ranks meet in small files too."""
    from glorot.checkpoint import _share

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_share, "PAGE", 1024)
        yield


@pytest.fixture(scope="module")
def alone(small_pages, tmp_path_factory):
    """The files of rank_cases that one process writes, in one file and in shards."""
    from checkpoint_cases import contents
    from rank_cases import RECIPE, SHAPES, SHARDED

    found = {}
    for options in ({}, SHARDED):
        folder = tmp_path_factory.mktemp("alone")
        glorot.checkpoint.write(SHAPES, RECIPE, folder, seed=42, **options)
        found[str(options)] = contents(folder)
    return found
