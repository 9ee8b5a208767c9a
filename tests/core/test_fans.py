# SPDX-License-Identifier: Apache-2.0
"""Fans follow the layer: true numbers for every kind of layer, and contradictions refused."""

import re

import numpy as np
import pytest

import glorot
from glorot._fans import Axes, page_fans
from glorot._layouts import LAYOUTS

# layer -> (axes options, shape, true fan_in, true fan_out).  fan_in counts the weights that one
# output sums over; fan_out the outputs that one input reaches, over the same receptive field.
LAYERS = {
    "keras dense": ({}, (20, 30), 20, 30),
    "torch linear": ({"layout": "torch.linear"}, (30, 20), 20, 30),
    "GPT-2's Conv1D": ({"layout": "transformers.conv1d"}, (20, 60), 20, 60),
    "keras conv": ({}, (3, 3, 4, 8), 36, 72),
    "torch conv": ({"layout": "torch.conv"}, (8, 4, 3, 3), 36, 72),
    "mlx conv": ({"layout": "mlx.conv"}, (8, 3, 3, 4), 36, 72),
    "flax conv": ({"layout": "flax.conv"}, (3, 4, 8), 12, 24),
    "keras depthwise": ({"layout": "keras.depthwise_conv"}, (3, 3, 4, 2), 9, 18),
    "depthwise by letters": ({"layout": "HWCO"}, (3, 3, 4, 2), 9, 18),
    "torch depthwise": ({"layout": "torch.conv", "groups": 4}, (8, 1, 3, 3), 9, 18),
    "flax depthwise": ({"layout": "flax.conv", "groups": 4}, (3, 3, 1, 8), 9, 18),
    "keras grouped": ({"groups": 2}, (3, 3, 2, 8), 18, 36),
    "torch grouped": ({"layout": "torch.conv", "groups": 2}, (8, 2, 3, 3), 18, 36),
    "torch transposed": ({"layout": "torch.conv_transpose"}, (4, 8, 3, 3), 36, 72),
    "torch transposed, large": ({"layout": "torch.conv_transpose"}, (32, 64, 3, 3), 288, 576),
    "torch transposed, grouped": (
        {"layout": "torch.conv_transpose", "groups": 2}, (4, 4, 3, 3), 18, 36),
    "keras transposed": ({"layout": "keras.conv_transpose"}, (3, 3, 8, 4), 36, 72),
    "flax transposed": ({"layout": "flax.conv_transpose"}, (3, 3, 4, 8), 36, 72),
    "flax transposed, transpose_kernel": (
        {"layout": "flax.conv_transpose.transpose_kernel"}, (3, 3, 8, 4), 36, 72),
    "mlx transposed": ({"layout": "mlx.conv_transpose"}, (8, 3, 3, 4), 36, 72),
    "attention query": ({"layout": "keras.attention_qkv"}, (20, 4, 5), 20, 20),
    "attention query, equation": ({"equation": "btd,dhk->bthk"}, (20, 4, 5), 20, 20),
    "attention output": ({"layout": "flax.attention_out"}, (4, 5, 20), 20, 20),
    "attention output, axes": ({"input_axes": (0, 1), "output_axes": -1}, (4, 5, 20), 20, 20),
    "attention query, axes": ({"input_axes": 0, "output_axes": (1, 2)}, (20, 4, 5), 20, 20),
    "torch conv, axes": ({"input_axes": 1, "output_axes": 0}, (8, 4, 3, 3), 36, 72),
    "torch conv of one dimension, axes": ({"input_axes": 1, "output_axes": 0}, (8, 4, 3), 12, 24),
    "experts": ({"batch_axes": 0}, (3, 2000, 1000), 2000, 1000),
    "torch experts": ({"layout": "BOI"}, (3, 1000, 2000), 2000, 1000),
    "experts, equation": ({"equation": "ebd,edf->ebf"}, (3, 2000, 1000), 2000, 1000),
    "equation with ellipsis": ({"equation": "...d,df->...f"}, (20, 30), 20, 30),
    "stacked layers of convs": ({"batch_axes": 0}, (12, 3, 3, 4, 8), 36, 72),
    "stacked biases": ({"batch_axes": (0,)}, (12, 7), 7, 7),
    "fused qkv, torch": ({"layout": "torch.linear", "fan_out": 64}, (192, 64), 64, 64),
    "fused qkv, flax": ({"layout": "IBOO"}, (16, 3, 4, 4), 16, 16),
    "fused gates, transposed": ({"layout": "torch.linear", "fan_in": 9}, (30, 20), 9, 30),
    "embedding": ({"layout": "embedding"}, (50257, 768), 768, 768),
    "bias": ({"layout": "bias"}, (7,), 7, 7),
    "bilinear": ({"layout": "torch.bilinear"}, (6, 4, 5), 20, 6),
    "numbers": ({"fan_in": 10, "fan_out": 2.5}, (1, 2, 3), 10, 2.5),
    "scalar": ({}, (), 1, 1),
    "scalar, equation": ({"equation": ",->"}, (), 1, 1),
    "vector": ({}, (7,), 7, 7),
    "empty": ({}, (0, 4), 0, 4),
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_fans_of_layers(layer):
    """Each kind of layer has its true per-output fans."""
    options, shape, fan_in, fan_out = LAYERS[layer]

    assert glorot.GlorotUniform(**options).fans(shape) == (fan_in, fan_out)


# The wrong answers of the field (layer, fans reported by a rule that knows the shape alone).
@pytest.mark.parametrize(
    ("layer", "wrong"),
    [
        ("keras depthwise", (36, 18)),
        ("torch depthwise", (9, 72)),
        ("torch grouped", (18, 72)),
        ("torch transposed", (72, 36)),
        ("keras transposed", (72, 36)),
        ("attention query", (80, 100)),
        ("experts", (6000, 3000)),
        ("embedding", (50257, 768)),
        ("fused qkv, flax", (192, 192)),
    ],
)
def test_wrong_fans_are_told_apart(layer, wrong):
    """The fans that shape-only rules report for these layers are not ours."""
    options, shape, *_ = LAYERS[layer]

    assert glorot.GlorotUniform(**options).fans(shape) != wrong


def test_default_is_the_page_rule():
    """With no axes option, fans are those of TensorFlow's `_compute_fans`."""
    shapes = [(), (7,), (4, 6), (3, 4, 8), (3, 3, 4, 8), (2, 3, 3, 4, 8)]

    found = [page_fans(shape) for shape in shapes]

    assert found == [(1, 1), (7, 7), (4, 6), (12, 24), (36, 72), (72, 144)]


def test_canonical_order_joins_layouts():
    """Layers of one name in different layouts hold the same values under canonical order."""
    init = glorot.HeNormal(seed=3, order="canonical")
    keras = init((3, 2, 4, 8), name="conv")

    torch = init.replace(layout="torch.conv")((8, 4, 3, 2), name="conv")
    mlx = init.replace(layout="mlx.conv")((8, 3, 2, 4), name="conv")
    transposed = init.replace(layout="torch.conv_transpose")((4, 8, 3, 2), name="conv")
    depthwise = init.replace(layout="keras.depthwise_conv")((3, 2, 4, 2), name="dw")
    torch_depthwise = init.replace(layout="torch.conv", groups=4)((8, 1, 3, 2), name="dw")

    assert (torch.transpose(2, 3, 1, 0) == keras).all()
    assert (mlx.transpose(1, 2, 3, 0) == keras).all()
    assert (transposed.transpose(2, 3, 0, 1) == keras).all()
    assert (torch_depthwise.transpose(2, 3, 1, 0).reshape(3, 2, 4, 2) == depthwise).all()


def test_dense_and_linear_are_transposes():
    """A Linear in canonical order is the transpose of a Dense; in stored order it is not."""
    dense = glorot.GlorotUniform(seed=42)((784, 256), name="kernel")
    linear = glorot.GlorotUniform(seed=42, layout="torch.linear", order="canonical")
    stored = linear.replace(order="stored")

    assert (dense == linear((256, 784), name="kernel").T).all()
    assert (dense == stored((256, 784), name="kernel").T).mean() < 1e-4


def test_every_named_layout_works():
    """Each named layout gives fans for a shape of its rank."""
    for layout, letters in LAYOUTS.items():
        shape = (2,) * (len(letters) + letters.count("*"))

        assert all(np.isfinite(glorot.GlorotUniform(layout=layout).fans(shape))), layout


REFUSED = [
    ({"layout": "IO", "equation": "bd,df->bf"}, "got `layout` and `equation`"),
    ({"layout": "IO", "input_axes": 0, "output_axes": 1}, "must be given one way"),
    ({"input_axes": 0}, "both `input_axes` and `output_axes`; got `input_axes`."),
    ({"layout": "BIO", "batch_axes": 0}, "`batch_axes` cannot be joined with `layout`"),
    ({"equation": "bd,df->bf", "batch_axes": 0}, "`batch_axes` cannot be joined with `equation`"),
    ({"input_axes": 0, "output_axes": 0}, "each axis must have one role"),
    ({"groups": 2, "equation": "bd,df->bf"}, "an einsum has no groups"),
    ({"groups": 2, "fan_in": 1, "fan_out": 1}, "`groups` changes nothing"),
    ({"groups": 2, "layout": "keras.depthwise_conv"}, "has an axis of channel groups (G or C)"),
    ({"groups": 2, "layout": "embedding"}, "needs an axis of output channels to divide"),
    ({"groups": 0}, "`groups` must be at least 1, got 0"),
    ({"fan_in": 0}, "`fan_in` must be above 0, got 0"),
    ({"fan_out": float("inf")}, "`fan_out` must be finite, got inf"),
    ({"batch_axes": -65}, "`batch_axes` must lie in [-64, 64), got -65"),
    ({"batch_axes": 64}, "`batch_axes` must lie in [-64, 64), got 64"),
    ({"order": "C"}, "`order` must be one of stored, canonical; got 'C'"),
    ({"layout": "XY"}, "one letter an axis of BGCIONHWDLT*, or a named layout; got 'XY'"),
    ({"layout": "torch.convs"}, "Near: torch.conv"),
    ({"layout": "*I*O"}, "can hold one *, got '*I*O'"),
    ({"equation": "bd,df"}, "must be an einsum of two operands"),
    ({"equation": "bd->bd"}, "must be an einsum of two operands"),
    ({"equation": "b1,1f->bf"}, "must be an einsum of two operands"),
    ({"equation": "bd,...df->bf"}, "without ellipsis"),
    ({"equation": "bd,dd->bd"}, "must name each axis of the weight once"),
    ({"equation": "bd,dfk->bf"}, "axis 'k' of the weight"),
    ({"equation": "bd,dh->bhz"}, "axis 'z' of the result in `equation` 'bd,dh->bhz' must also"),
    ({"equation": "bd,dh->bhh"}, "must name each axis of the result once, got 'bd,dh->bhh'"),
    ({"equation": "bdd,dh->bh"}, "must name each axis of the input once, got 'bdd,dh->bh'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_contradictions_are_refused_at_construction(options, message):
    """Axes options that contradict each other or mean nothing never make an initializer."""
    with pytest.raises(ValueError, match=re.escape(message)):
        glorot.GlorotUniform(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 2.0}, "`groups` must be a whole number, got 2.0 of float"),
        ({"fan_in": "9"}, "`fan_in` must be a number, got '9' of str"),
        ({"input_axes": "a", "output_axes": 1}, "`input_axes` must be an axis or a tuple of axes"),
        ({"batch_axes": True}, "`batch_axes` must be an axis or a tuple of axes, got True"),
        ({"layout": 3}, "`layout` must be a string, got 3 of int"),
        ({"equation": 3}, "`equation` must be a string, got 3"),
        (
            {"fans": 3},
            "GlorotUniform has no option 'fans'. Its options are seed, dtype, gain; its axes "
            "options layout, ",
        ),
        ({"scale": 3}, "GlorotUniform has no option 'scale'"),
    ],
)
def test_wrong_types_are_refused_at_construction(options, message):
    """Options of the wrong type, and options that a class lacks, are TypeErrors."""
    with pytest.raises(TypeError, match=re.escape(message)):
        glorot.GlorotUniform(**options)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"layout": "torch.linear"}, (3,), "'torch.linear' names 2 axes; shape (3,) has 1"),
        ({"layout": "torch.conv"}, (3,), "names 2 axes and any number more"),
        ({"groups": 3}, (3, 4), "`groups`=3 must divide the 4 channels of shape (3, 4)"),
        ({"batch_axes": 2}, (3, 4), "axis 2 is outside of shape (3, 4)"),
        ({"input_axes": 0, "output_axes": -2}, (3, 4), "axis -2 of shape (3, 4) is given two"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(options, shape, message):
    """A shape that its layout does not describe is refused."""
    with pytest.raises(ValueError, match=re.escape(message)):
        glorot.GlorotUniform(seed=0, **options)(shape)


def test_axes_of_iterators_are_all_read():
    """Axes can come from any iterable, also from one that can be read only once."""
    axes = Axes(input_axes=iter([0, 1]), output_axes=range(2, 3), batch_axes=iter([3]))

    assert (axes.input_axes, axes.output_axes, axes.batch_axes) == ((0, 1), (2,), (3,))


def test_axes_are_those_that_an_array_can_have():
    """The first and the last of 64 axes can be named, from either end."""
    shape = (3, *(1,) * 62, 5)

    assert Axes(input_axes=-64, output_axes=63).fans(shape) == (3, 5)
    assert Axes(input_axes=63, output_axes=-64).fans(shape) == (5, 3)


def test_changed_options_are_those_given():
    """`changed` holds the options that differ from their defaults and no others."""
    axes = Axes(layout="torch.conv", groups=2, order="stored")

    assert axes.changed == {"layout": "torch.conv", "groups": 2}
