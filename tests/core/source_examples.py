# SPDX-License-Identifier: Apache-2.0
"""What the tests of sources share."""

import base64
import json
import runpy
from pathlib import Path

from click.testing import CliRunner

import glorot
from glorot.cli._app import app

ROOT = Path(__file__).parents[2]
PICKLES = runpy.run_path(str(Path(__file__).with_name("dcp_pickles.py")))
Evil, named, plain = PICKLES["Evil"], PICKLES["named"], PICKLES["plain"]
record, size = PICKLES["record"], PICKLES["size"]
GPT2 = ROOT / "tests" / "vectors" / "presets" / "gpt2.json"
VECTOR = Path(__file__).parents[1] / "vectors" / "dcp-metadata.txt"
METADATA = base64.b64decode(VECTOR.read_text().partition("\n")[2])
ONES = glorot.Recipe([glorot.Rule("*", "ones")])
LLAMA = {
    "model.embed_tokens.weight": (32, 8),
    "model.layers.0.self_attn.o_proj.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.mlp.down_proj.weight": (8, 16),
    "model.layers.0.mlp.up_proj.weight": (16, 8),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.norm.weight": (8,),
}


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(source, tmp_path):
    """The line that `glorot init` refuses a source with; nothing is written."""
    out = tmp_path / "never"
    result = invoke("init", source, "--recipe", "llama", "--seed", 0, "--out", out)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert not out.exists()
    return result.stderr


def write_json(path, content):
    """The path of a file of this JSON."""
    path.write_text(json.dumps(content))
    return path
