# SPDX-License-Identifier: Apache-2.0
"""Prints tests/vectors/dcp-metadata.txt: the metadata that torch writes of a model and more."""

import base64
import tempfile
import textwrap
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp

model = torch.nn.Sequential(torch.nn.Linear(3, 2)).to(torch.bfloat16)
optimizer = torch.optim.Adam(model.parameters())
model(torch.zeros(1, 3, dtype=torch.bfloat16)).sum().backward()
optimizer.step()
more = {
    "scale": torch.zeros(()).to(torch.float8_e4m3fn),
    "steps": torch.zeros(5, dtype=torch.int64),
}
state = {"model": {**model.state_dict(), **more}, "optim": optimizer.state_dict(), "step": 3}
with tempfile.TemporaryDirectory() as folder:
    dcp.save(state, checkpoint_id=folder)
    data = (Path(folder) / ".metadata").read_bytes()
print("# .metadata of a torch.distributed.checkpoint directory, by tests/oracle/make_dcp_vector.py")
print("\n".join(textwrap.wrap(base64.b64encode(data).decode(), 100)))
