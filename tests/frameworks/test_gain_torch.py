# SPDX-License-Identifier: Apache-2.0
"""convention="torch" is torch's own table."""

import pytest
import torch

import glorot

pytestmark = pytest.mark.frameworks

NAMES = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] + [
    f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)
]


@pytest.mark.parametrize("name", NAMES)
def test_table(name):
    """Every name that `calculate_gain` knows has its number, to the bit."""
    assert glorot.gain(name, convention="torch") == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize("slope", [0, 0.01, 0.2, 1, -0.5, 5**0.5])
def test_slopes(slope):
    """So has any slope."""
    expected = torch.nn.init.calculate_gain("leaky_relu", slope)
    assert glorot.gain("leaky_relu", slope, convention="torch") == expected


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "conv4d", "Tanh"])
def test_what_torch_refuses(name):
    """What torch does not know is refused, with what there is."""
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        torch.nn.init.calculate_gain(name)
    with pytest.raises(ValueError, match=r"must be one of torch's, linear, conv1d"):
        glorot.gain(name, convention="torch")


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu6", torch.nn.functional.relu6),
        ("leaky_relu", torch.nn.functional.leaky_relu),
        ("elu", torch.nn.functional.elu),
        ("celu", torch.nn.functional.celu),
        ("selu", torch.nn.functional.selu),
        ("gelu", torch.nn.functional.gelu),
        ("gelu_tanh", lambda z: torch.nn.functional.gelu(z, approximate="tanh")),
        ("silu", torch.nn.functional.silu),
        ("mish", torch.nn.functional.mish),
        ("softplus", torch.nn.functional.softplus),
        ("softsign", torch.nn.functional.softsign),
        ("log_sigmoid", torch.nn.functional.logsigmoid),
        ("tanhshrink", torch.nn.functional.tanhshrink),
        ("softshrink", torch.nn.functional.softshrink),
        ("hard_tanh", torch.nn.functional.hardtanh),
        ("hard_sigmoid", torch.nn.functional.hardsigmoid),
        ("hard_silu", torch.nn.functional.hardswish),
    ],
)
def test_names_mean_torch_s_functions(name, function):
    """The gain by name is that of torch's own function with its defaults."""

    def on_arrays(z):
        return function(torch.from_numpy(z)).numpy()

    # Above 20 torch's softplus is linear, and mish with it: 2e-9 of the value, at weight 1e-88.
    assert glorot.gain(name) == pytest.approx(glorot.gain(on_arrays), rel=1e-10)
