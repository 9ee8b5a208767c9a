# SPDX-License-Identifier: Apache-2.0
"""Callables as sources, in a process of their own."""

import json
import os
import subprocess
import sys
import types

import pytest
from source_examples import ONES, ROOT, invoke, refused

import glorot
from glorot.recipe import TensorSpec
from glorot.sources import Source

MODULE = """
print("noise")
def shapes():
    print("more noise")
    return {"model.norm.weight": (8,), "model.embed_tokens.weight": {"shape": [4, 8]}}
def fails():
    raise RuntimeError("no\\nbatch")
def leaves():
    raise SystemExit(3)
def number():
    return 7
def needs(width):
    return {}
def nothing():
    return {}
text = "a text"
class Holder:
    tree = {"w": (2, 3)}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the current folder."""
    (tmp_path / "user_models.py").write_text(MODULE)
    (tmp_path / "user_broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "user_raises.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("user_models", "user_broken", "user_raises"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
def test_callables(capsys):
    """In the current folder; what they print goes to stderr, and sys.path is as it was."""
    before = list(sys.path)
    assert list(glorot.sources.read("user_models:Holder.tree").shapes) == ["w"]
    shapes = glorot.sources.read("user_models:shapes").shapes
    assert shapes == {
        "model.norm.weight": TensorSpec((8,)), "model.embed_tokens.weight": TensorSpec((4, 8)),
    }  # fmt: skip
    printed = capsys.readouterr()
    assert (printed.out, "more noise" in printed.err) == ("", True)
    assert sys.path == before


@pytest.mark.usefixtures("module", "no_framework")
def test_the_command_reads_callables_apart(tmp_path, capfd):
    """In a process of its own: nothing is imported here, and stdout has the report alone."""
    (tmp_path / "ones.json").write_text(ONES.to_json())
    (tmp_path / "user_models.py").write_text(MODULE + "import os\nos.write(1, b'raw noise')\n")
    result = invoke("explain", "user_models:shapes", "--recipe", tmp_path / "ones.json", "--json")
    assert [row["name"] for row in json.loads(result.stdout)] == [
        "model.norm.weight", "model.embed_tokens.weight"
    ]  # fmt: skip
    assert "user_models" not in sys.modules
    printed = capfd.readouterr()
    assert (printed.out, "raw noise" in printed.err) == ("", True)


@pytest.mark.usefixtures("module", "no_framework")
def test_a_process_that_ends_early(tmp_path):
    """What brings down the process that reads the source does not bring down the command."""
    (tmp_path / "user_models.py").write_text("import os\nos._exit(7)\n")
    assert "the process that read it ended with exit code 7" in refused("user_models:x", tmp_path)
    assert "no module is called 'user_nowhere'" in refused("user_nowhere:x", tmp_path)


def test_what_is_read_apart_is_the_same():
    """A source survives the way through JSON."""
    from glorot.sources import _apart

    spec = TensorSpec((8, 4, 3), "bfloat16", "Conv1d", ("buffer", "b"), "torch.conv", 2)
    source = Source({"w": spec}, "torch module", "gpt2", "gpt2", {"x": 0.1}, {"v": "w"}, ("a",))
    content = json.loads(json.dumps(_apart.as_json(source)))
    assert _apart.from_json(content) == source


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("user_nowhere:build", "no module is called 'user_nowhere'"),
        ("user_models.inner:build", "no module is called 'user_models.inner'"),
        ("user_models:shape", "there is no 'shape'. Near: shapes."),
        ("user_models:shapes.deeper", "there is no 'deeper'"),
        ("user_models:text", "must be a callable that returns a model, got 'a text' of str"),
        ("user_models:fails", "user_models:fails raised RuntimeError: no batch"),
        ("user_models:leaves", "user_models:leaves raised SystemExit: 3"),
        ("user_models:needs", "raised TypeError: needs() missing 1 required"),
        ("user_models:number", "returned what is no model: a torch.nn.Module, a config of transf"),
        ("user_models:nothing", "must name at least one parameter"),
        ("user_broken:build", "cannot be imported (ModuleNotFoundError: No module named 'nowhere"),
        ("user_raises:build", "cannot be imported (ZeroDivisionError: division by zero)"),
    ],
)
def test_callables_that_are_refused(source, text):
    """One line each, with the callable's name."""
    with pytest.raises((TypeError, ValueError)) as caught:
        glorot.sources.read(source)
    assert text in str(caught.value)
    assert source.partition(":")[0] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_imported_for_files():
    """Reading a shapes file loads no framework."""
    code = (
        "import sys, glorot; glorot.sources.read(sys.argv[1]);"
        "print({'torch', 'jax', 'flax', 'keras', 'transformers', 'timm'} & set(sys.modules))"
    )
    path = ROOT / "examples" / "gpt2-124m.json"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_the_offline_switch_is_put_back(monkeypatch):
    """While others build a model the hub is offline; afterwards it is as it was."""
    from glorot.sources._frameworks import building

    holder = types.SimpleNamespace(HF_HUB_OFFLINE=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", holder)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with building():
        assert holder.HF_HUB_OFFLINE is True
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert holder.HF_HUB_OFFLINE is False
    assert "HF_HUB_OFFLINE" not in os.environ
    with building(offline=False):  # the user's own code may do what it likes
        assert holder.HF_HUB_OFFLINE is False
