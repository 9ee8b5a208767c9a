# SPDX-License-Identifier: Apache-2.0
"""The README's example of the four adapters runs, and one weight is the same in all of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
BEFORE = """
import glorot, glorot.torch
import jax, keras, tensorflow, torch

module = torch.nn.Sequential(torch.nn.Linear(16, 8))
dense = keras.layers.Dense(8, name="up")
model = keras.Sequential([keras.Input((16,)), dense])
zeros = jax.numpy.zeros
tree = jax.eval_shape(lambda: {"up": {"kernel": zeros((16, 8)), "bias": zeros(8)}})
variables = {
    "up.kernel": tensorflow.Variable(tensorflow.zeros((16, 8))),
    "up.bias": tensorflow.Variable(tensorflow.zeros(8)),
}
"""
AFTER = """
wanted = glorot.HeNormal()((16, 8), seed=42, name="up.kernel")
turned = glorot.HeNormal(layout="torch.linear")((8, 16), seed=42, name="0.weight")
assert (module[0].weight.detach().numpy() == turned).all()
assert (params["up"]["kernel"] == wanted).all()
assert (keras.ops.convert_to_numpy(dense.kernel) == wanted).all()
assert (variables["up.kernel"].numpy() == wanted).all()
"""
VERBS = """
for adapter, explained in (
    (glorot.torch, glorot.torch.explain(module, recipe)),
    (glorot.jax, glorot.jax.explain(tree, recipe)),
    (glorot.keras, glorot.keras.explain(model, recipe)),
    (glorot.tensorflow, glorot.tensorflow.explain(variables, recipe)),
):
    assert {type(found) for found in explained} == {glorot.recipe.Assignment}
    assert {found.law for found in explained} == {"Zeros", "TN(0, 0.4019, ±2)"}, adapter
digits = {
    glorot.torch.fingerprint(module, names={"0.weight": "up.kernel", "0.bias": "up.bias"}),
    *(glorot.jax.fingerprint(params), glorot.keras.fingerprint(model)),
    glorot.tensorflow.fingerprint(variables),
}
assert len(digits) == 2  # torch's matrix is the other's transpose, in stored order another
"""


def test_the_adapters_do_what_the_readme_says():
    """In a process of its own, on Keras' TensorFlow; the other verbs are in each, too."""
    recipe, *_ = re.findall(r"```python\n(recipe = .*?)```", README, re.DOTALL)
    code = BEFORE + recipe + AFTER + VERBS
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
