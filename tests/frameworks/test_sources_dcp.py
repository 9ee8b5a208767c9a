# SPDX-License-Identifier: Apache-2.0
"""Folders of torch.distributed.checkpoint as sources, and the page's examples."""

import warnings

import pytest
import safetensors.numpy
from source_cases import ROOT, invoke, said

import glorot

pytestmark = pytest.mark.frameworks


def test_dcp(tmp_path):
    """What torch's own reader says; after a training step, of the model alone."""
    import torch
    import torch.distributed.checkpoint as dcp

    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(2, 6)).sum().backward()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of a single process
        dcp.save(model.state_dict(), checkpoint_id=tmp_path / "plain")
        both = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2}
        dcp.save(both, checkpoint_id=tmp_path / "both")
    read = dcp.FileSystemReader(tmp_path / "plain").read_metadata().state_dict_metadata
    source = glorot.sources.read(tmp_path / "plain")
    assert said(source) == {
        key: (tuple(entry.size), str(entry.properties.dtype).removeprefix("torch."))
        for key, entry in read.items()
    }
    assert source.notes == ()
    both = glorot.sources.read(tmp_path / "both")
    assert both.shapes == source.shapes
    assert both.notes[0] == "left out: 12 tensors of the optimizer 'optimizer'"
    (tmp_path / "ones.json").write_text(glorot.Recipe([glorot.Rule("*", "ones")]).to_json())
    recipe, out = tmp_path / "ones.json", tmp_path / "out"
    result = invoke("init", tmp_path / "both", "--recipe", recipe, "--seed", 0, "--out", out)
    assert (result.exit_code, result.stderr.count("left out")) == (0, 2)
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    assert set(stored) == set(model.state_dict())


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64", "float8_e5m2", "int8", "bool"])
def test_dcp_dtypes(tmp_path, name):
    """Each dtype that torch and glorot have."""
    import torch
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = {"w": torch.zeros(2, 3).to(getattr(torch, name))}
        dcp.save(state, checkpoint_id=tmp_path / "ck")
    assert said(glorot.sources.read(tmp_path / "ck")) == {"w": ((2, 3), name)}


def test_page_examples_run(monkeypatch):
    """Every example in docs/sources.md prints what it shows."""
    import doctest

    monkeypatch.chdir(ROOT)
    page = ROOT / "docs" / "sources.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 5
    assert result.failed == 0
