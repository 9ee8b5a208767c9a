# SPDX-License-Identifier: Apache-2.0
"""Fans of real layers: counted by running the layer, as each peer reports them, and ours.

A layer of all-one weights on an all-one input gives fan_in at each inner output, and the gradient
of the output's sum is fan_out at each inner input.  No rule about shapes is needed for that.
"""

import math

import jax
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from jax._src.nn import initializers as jax_initializers
from keras.src.initializers.random_initializers import compute_fans as keras_fans
from tensorflow.python.ops.init_ops import _compute_fans as tf_fans
from torch.nn.init import _calculate_fan_in_and_fan_out as torch_fans

import glorot

pytestmark = pytest.mark.frameworks


def jax_fans(shape, **axes):
    """(fan_in, fan_out) as JAX computes them for its default or given axes."""
    named = {"in_axis": -2, "out_axis": -1} | axes
    fan_in, fan_out = jax_initializers._compute_fans(shape, **named)
    return float(fan_in), float(fan_out)


def count_torch(layer, *sizes):
    """True fans of a torch layer, at the middle of its output and input."""
    weight = layer.weight.detach().fill_(1.0)
    x = torch.ones(1, *sizes, requires_grad=True)
    layer.bias = None
    y = layer(x)
    y.sum().backward()
    middle = tuple(n // 2 for n in y.shape[2:])
    inner = tuple(n // 2 for n in x.shape[2:])
    fans = y[(0, 0, *middle)].item(), x.grad[(0, 0, *inner)].item()
    return tuple(weight.shape), fans


def count_einsum(equation, x_shape, shape):
    """True fans of an einsum layer."""
    x = torch.ones(x_shape, requires_grad=True)
    y = torch.einsum(equation, x, torch.ones(shape))
    y.sum().backward()
    return y.flatten()[0].item(), x.grad.flatten()[0].item()


TORCH_LAYERS = {
    # layer, input sizes, our options, torch's answer
    "linear": (lambda: torch.nn.Linear(20, 30), (20,), {"layout": "torch.linear"}, (20, 30)),
    "conv": (lambda: torch.nn.Conv2d(4, 8, 3), (4, 9, 9), {"layout": "torch.conv"}, (36, 72)),
    "grouped conv": (
        lambda: torch.nn.Conv2d(4, 8, 3, groups=2), (4, 9, 9),
        {"layout": "torch.conv", "groups": 2}, (18, 72)),
    "depthwise conv": (
        lambda: torch.nn.Conv2d(4, 8, 3, groups=4), (4, 9, 9),
        {"layout": "torch.conv", "groups": 4}, (9, 72)),
    "transposed conv": (
        lambda: torch.nn.ConvTranspose2d(4, 8, 3), (4, 9, 9),
        {"layout": "torch.conv_transpose"}, (72, 36)),
    "grouped transposed conv": (
        lambda: torch.nn.ConvTranspose2d(4, 8, 3, groups=2), (4, 9, 9),
        {"layout": "torch.conv_transpose", "groups": 2}, (36, 36)),
}  # fmt: skip
TORCH_RIGHT = {"linear", "conv"}


@pytest.mark.parametrize("name", TORCH_LAYERS)
def test_torch_layers(name):
    """Ours are the counted fans; torch's own are wrong for grouped and transposed layers."""
    make, sizes, options, reported = TORCH_LAYERS[name]
    shape, counted = count_torch(make(), *sizes)

    assert glorot.GlorotUniform(**options).fans(shape) == counted
    assert torch_fans(torch.empty(shape)) == reported
    assert (reported == counted) == (name in TORCH_RIGHT)


def test_torch_bilinear():
    """Each output of nn.Bilinear(4, 5, 6) sums 20 products; torch reports a convolution."""
    layer = torch.nn.Bilinear(4, 5, 6, bias=False)
    layer.weight.detach().fill_(1.0)
    x = torch.ones(1, 4, requires_grad=True)
    y = layer(x, torch.ones(1, 5))
    shape = tuple(layer.weight.shape)

    assert glorot.GlorotUniform(layout="torch.bilinear").fans(shape) == (y[0, 0].item(), 6)
    assert torch_fans(layer.weight) == (20, 30)


def test_torch_default_weights_of_a_transposed_conv():
    """torch's default weights there follow 64 * 9 inputs where there are 32 * 9."""
    torch.manual_seed(0)
    weight = torch.nn.ConvTranspose2d(32, 64, 3).weight.detach().numpy()
    implied = 1 / (3 * weight.var())  # U(-1/sqrt(fan), 1/sqrt(fan)) has variance 1 / (3 fan)

    assert implied == pytest.approx(576, rel=0.03)
    assert glorot.LecunUniform(layout="torch.conv_transpose").fans(weight.shape)[0] == 288


def test_keras_depthwise_conv():
    """A depthwise kernel (3, 3, 4, 2): each output sums 9 weights; TensorFlow and Keras say 36."""
    shape = (3, 3, 4, 2)
    x = tf.ones((1, 9, 9, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.depthwise_conv2d(x, tf.ones(shape), [1, 1, 1, 1], "SAME")
    counted = float(y[0, 4, 4, 0]), float(tape.gradient(y, x)[0, 4, 4, 0])

    assert glorot.HeNormal(layout="keras.depthwise_conv").fans(shape) == counted == (9, 18)
    assert tuple(tf_fans(shape)) == tuple(keras_fans(shape)) == (36, 18)


def test_keras_depthwise_weights():
    """The default weights of Keras' DepthwiseConv2D are scaled for those wrong fans, and ours
    for the true ones: half the wanted standard deviation for he_normal."""
    shape = (3, 3, 64, 8)
    theirs = np.asarray(keras.initializers.HeNormal(seed=0)(shape))
    ours = glorot.HeNormal(seed=0, layout="keras.depthwise_conv")(shape)

    assert ours.std() == pytest.approx(math.sqrt(2 / 9), rel=0.05)
    assert theirs.std() == pytest.approx(math.sqrt(2 / 576), rel=0.05)


def test_keras_transposed_conv():
    """A transposed kernel (3, 3, out 8, in 4): TensorFlow and Keras swap its fans."""
    shape = (3, 3, 8, 4)
    kernel, x = tf.ones(shape), tf.ones((1, 9, 9, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.conv2d_transpose(x, kernel, (1, 9, 9, 8), 1)
    counted = float(y[0, 4, 4, 0]), float(tape.gradient(y, x)[0, 4, 4, 0])

    assert glorot.HeNormal(layout="keras.conv_transpose").fans(shape) == counted == (36, 72)
    assert tuple(tf_fans(shape)) == tuple(keras_fans(shape)) == (72, 36)


JAX_CONVS = {
    # weight shape, groups of the layer, whether (out, in) are stored, our layout, JAX's answer
    "depthwise": ((3, 3, 1, 8), 4, False, "flax.conv", (9, 72)),
    "grouped": ((3, 3, 2, 8), 2, False, "flax.conv", (18, 72)),
    "plain": ((3, 3, 4, 8), 1, False, "flax.conv", (36, 72)),
    "transpose_kernel": ((3, 3, 8, 4), 1, True, "flax.conv_transpose.transpose_kernel", (72, 36)),
}


@pytest.mark.parametrize("name", JAX_CONVS)
def test_flax_convolutions(name):
    """Of flax's kernels JAX's initializers know the shape alone: right for a plain convolution,
    `groups` times too many outputs for a grouped one, exchanged for `transpose_kernel`. Keras says
    the same of its grouped kernel, which is stored so too."""
    shape, groups, exchanged, layout, reported = JAX_CONVS[name]
    axes = ("NHWC", "HWOI" if exchanged else "HWIO", "NHWC")

    def layer(x):
        return jax.lax.conv_general_dilated(
            x, np.ones(shape, np.float32), (1, 1), "SAME",
            dimension_numbers=axes, feature_group_count=groups,
        )  # fmt: skip

    x = np.ones((1, 9, 9, 4), np.float32)
    counted = (
        layer(x)[0, 4, 4, 0].item(),
        jax.grad(lambda x: layer(x).sum())(x)[0, 4, 4, 0].item(),
    )

    assert glorot.GlorotUniform(layout=layout, groups=groups).fans(shape) == counted
    assert jax_fans(shape) == tuple(keras_fans(shape)) == reported
    assert (reported == counted) == (name == "plain")


def test_shapes_that_peers_have_no_fans_for():
    """Scalars and vectors are errors in torch and JAX, and a weight without elements divides by
    zero there; ours have the page's fans, and at least 1 where one divides."""
    for shape in ((), (7,)):
        with pytest.raises(ValueError, match="fewer than 2 dimensions"):
            torch.nn.init.xavier_uniform_(torch.empty(shape))
        with pytest.raises(ValueError, match="Can't compute input and output sizes"):
            jax.nn.initializers.glorot_uniform()(jax.random.key(0), shape)
        assert glorot.GlorotUniform(seed=0)(shape).shape == shape
        assert glorot.GlorotUniform().fans(shape) == tuple(tf_fans(shape))
    with pytest.raises(ZeroDivisionError):
        torch.nn.init.xavier_uniform_(torch.empty(0, 0))
    for shape in ((0, 0), (0, 4)):
        with pytest.raises(ZeroDivisionError):
            jax.nn.initializers.lecun_uniform()(jax.random.key(0), shape)
        assert glorot.LecunUniform(seed=0)(shape).shape == shape
        assert glorot.LecunUniform().law(shape).scale == math.sqrt(3.0)


EINSUMS = {
    # equation, input shape, weight shape, JAX's default answer
    "attention query": ("btd,dhk->bthk", (1, 1, 20), (20, 4, 5), (80, 100)),
    "attention output": ("bthk,hkd->btd", (1, 1, 4, 5), (4, 5, 20), (20, 80)),
    "experts": ("ebd,edf->ebf", (3, 1, 20), (3, 20, 30), (60, 90)),
    "fused qkv": ("bd,dchk->bchk", (1, 16), (16, 3, 4, 4), (192, 192)),
    "dense": ("bd,df->bf", (1, 20), (20, 30), (20, 30)),
}


@pytest.mark.parametrize("name", EINSUMS)
def test_einsum_layers(name):
    """Ours are the counted fans; JAX's, from the shape and default axes, are right for a dense
    layer alone (and, by accident, for fan_in of an attention output)."""
    equation, x_shape, shape, reported = EINSUMS[name]
    counted = count_einsum(equation, x_shape, shape)

    assert glorot.GlorotUniform(equation=equation).fans(shape) == counted
    assert jax_fans(shape) == reported
    assert (reported == counted) == (name == "dense")


def test_jax_with_axes_agrees():
    """Told the axes, JAX computes what we do."""
    attention = glorot.GlorotUniform(input_axes=0, output_axes=(1, 2))
    experts = glorot.GlorotUniform(batch_axes=0)

    assert attention.fans((20, 4, 5)) == jax_fans((20, 4, 5), in_axis=0, out_axis=(1, 2))
    assert experts.fans((3, 20, 30)) == jax_fans((3, 20, 30), batch_axis=0)


def test_jax_geometric_mean_agrees():
    """`fan_geo_avg` is JAX's mode of that name."""
    ours = glorot.VarianceScaling(1.0, "fan_geo_avg", "uniform")
    theirs = jax.nn.initializers.variance_scaling(1.0, "fan_geo_avg", "uniform")
    values = np.asarray(theirs(jax.random.key(0), (300, 200)))

    assert values.std() == pytest.approx(ours.expected_stddev((300, 200)), rel=0.01)


def test_stacked_experts():
    """torch's kaiming on a stack of experts is 44 times too small; ours is each expert's own."""
    torch.manual_seed(0)
    shape = (3, 2000, 2000)
    theirs = torch.nn.init.kaiming_normal_(torch.empty(shape)).std().item()

    ours = glorot.get("kaiming_normal").replace(layout="BOI").expected_stddev(shape)

    assert ours == pytest.approx(math.sqrt(2 / 2000))
    assert ours / theirs == pytest.approx(math.sqrt(2000), rel=0.01)


def test_fused_projection_of_torch():
    """torch's fused (3 E, E) projection starts with 0.71 of the bound of three separate ones."""
    torch.manual_seed(0)
    fused = torch.nn.MultiheadAttention(64, 4).in_proj_weight.detach().numpy()
    ours = glorot.GlorotUniform(layout="torch.linear", fan_out=64)

    assert ours.expected_stddev(fused.shape) == pytest.approx(0.125)
    assert fused.std() == pytest.approx(0.0884, rel=0.02)


def test_embeddings():
    """A lookup reads one row: its fans are (dim, dim); TensorFlow and Keras say the vocabulary."""
    shape = (1000, 64)

    assert glorot.GlorotUniform(layout="embedding").fans(shape) == (64, 64)
    assert tuple(tf_fans(shape)) == tuple(keras_fans(shape)) == (1000, 64)


def test_plain_shapes_agree_with_tensorflow_and_keras():
    """Without axes options our fans are the page's, shape by shape."""
    for shape in [(), (7,), (4, 6), (3, 4, 8), (3, 3, 4, 8), (2, 3, 3, 4, 8)]:
        ours = glorot.GlorotUniform().fans(shape)

        assert ours == tuple(tf_fans(shape)) == tuple(keras_fans(shape))


def test_dirac_is_torchs():
    """`Dirac` in torch's layout is `torch.nn.init.dirac_`, groups included."""
    for shape, groups in [((4, 4, 3), 1), ((6, 2, 3, 4), 3), ((4, 6, 2, 3, 5), 1)]:
        theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()

        assert (glorot.Dirac(groups, layout="torch.conv")(shape) == theirs).all()


def test_aliases_have_torchs_laws():
    """kaiming and xavier by name have torch's standard deviation and, for normals, no cut."""
    torch.manual_seed(0)
    for name in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"):
        init = glorot.get(name).replace(layout="torch.linear", seed=0)
        theirs = getattr(torch.nn.init, f"{name}_")(torch.empty(200, 300)).numpy()
        ours = init((200, 300))

        assert theirs.std() == pytest.approx(init.expected_stddev((200, 300)), rel=0.01)
        assert abs(ours).max() / ours.std() == pytest.approx(
            abs(theirs).max() / theirs.std(), rel=0.15
        )
