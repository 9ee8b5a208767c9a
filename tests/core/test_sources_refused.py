# SPDX-License-Identifier: Apache-2.0
"""Sources that are refused, and frameworks that are not there."""

import importlib
import os

import pytest
from source_examples import refused, write_json


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("config.json", b"{", "the file cannot be read as JSON"),
        ("config.json", b"\xff\xfe", "the file must be UTF-8 text"),
        ("config.json", b"[1]", "is no config of Hugging Face"),
        (
            "config.json",
            b'{"_class_name": "UNet2DModel"}',
            "must be a JSON object with `model_type`",
        ),
        ("shapes.json", b"[1]", "a shapes file must hold"),
        ("shapes.json", b'{"w": {"size": [2]}}', "got also 'size'"),
        ("model.safetensors", b"{}", "is not a safetensors file"),
        ("model.safetensors.index.json", b"{}", "must be a JSON object with a `weight_map`"),
        ("pytorch_model.bin", b"PK\x03\x04", "is not a safetensors file"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, name, content, text):
    """One line each, with the file's name."""
    (tmp_path / name).write_bytes(content)
    line = refused(tmp_path / name, tmp_path)
    assert text in line
    assert name in line


def test_what_is_not_there(tmp_path):
    """A path, a folder of nothing, a name on the hub."""
    assert "nowhere.json does not exist." in refused("nowhere.json", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "nor .metadata of torch.distributed.checkpoint" in refused(tmp_path / "empty", tmp_path)
    assert f"{os.devnull} is neither a file nor a folder." in refused(os.devnull, tmp_path)
    line = refused("meta-llama/Meta-Llama-3-8B", tmp_path)
    assert "Nothing is downloaded: give the path of the model's config.json." in line


@pytest.mark.parametrize("framework", ["torch", "transformers", "timm", "flax", "keras"])
def test_a_framework_that_is_not_installed(monkeypatch, framework):
    """The error names the extra to install."""
    from glorot.sources._frameworks import require

    real = importlib.import_module

    def missing(name, *rest):
        if name == framework:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {framework}, which is not installed: "
                       rf"pip install 'glorot\[{framework}\]'\."):  # fmt: skip
        require(framework, "thing")


@pytest.mark.slow
@pytest.mark.usefixtures("no_framework")
@pytest.mark.parametrize("framework", ["torch", "transformers", "timm"])
def test_the_command_says_what_to_install(tmp_path, monkeypatch, framework):
    """One line, exit code 1; nothing is written."""
    folder = tmp_path / "as_if_not_installed"
    folder.mkdir()
    (folder / "torch.py").write_text("")  # in place of what may be installed
    lacking = f"raise ModuleNotFoundError('No module named {framework}', name={framework!r})\n"
    (folder / f"{framework}.py").write_text(lacking)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *_python_path()]))
    source, extra = "timm:resnet18", "timm"
    if framework == "transformers":
        source, extra = write_json(tmp_path / "config.json", {"model_type": "llama"}), framework
    line = f"needs {framework}, which is not installed: pip install 'glorot[{extra}]'."
    assert line in refused(source, tmp_path)


def _python_path():
    """The environment's own PYTHONPATH, by which a source tree may be tested."""
    return [part for part in [os.environ.get("PYTHONPATH", "")] if part]


def test_a_framework_that_is_broken(monkeypatch):
    """Installed and not importable is another thing, said with the cause."""
    from glorot.sources._frameworks import require

    def broken(name):
        raise RuntimeError("operator does\nnot exist")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ImportError, match="is installed and cannot be imported: RuntimeError: ope"):
        require("timm", "timm model")
