# SPDX-License-Identifier: Apache-2.0
"""The names and axes that glorot.keras reads from layers.

Run by test_keras.py on each backend.
"""

import functools

import keras
import keras_models
import numpy as np
import pytest
from keras import layers
from keras_init_cases import MARKS, SEED, built, tower, values

import glorot
import glorot.keras

pytestmark = MARKS


def test_names_are_paths_without_the_models_own():
    """They do not depend on what else was made in this process."""
    names = []
    for _ in range(2):
        given = keras.Input((4,))
        both = layers.Concatenate()([tower("a")(given), tower("b")(given)])
        model = keras.Model(given, layers.Dense(2)(both))
        names.append(list(glorot.keras.shapes(model)))

    inner = ["fc.kernel", "fc.bias", "dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"]
    assert names[0] == names[1]
    assert names[0] == [f"{t}.{n}" for t in "ab" for n in inner] + ["dense.kernel", "dense.bias"]


def test_a_name_that_counts_is_kept_in_order():
    """Numbers follow the order in which the layers were made, not that of the call."""
    first, second = layers.Dense(2), layers.Dense(2)
    model = keras.Sequential([keras.Input((2,)), second, first, layers.Dense(3, name="dense_x")])
    specs = glorot.keras.shapes(model)

    assert list(specs)[::2] == ["dense_1.kernel", "dense.kernel", "dense_x.kernel"]


def test_weights_without_a_name():
    """Keras calls them by a class that has another name on each backend."""

    class Mine(keras.Layer):
        """Two weights."""

        def build(self, shape):
            """Nameless."""
            self.one = self.add_weight(shape=(2,))
            self.two = self.add_weight(shape=(2,))

    assert list(glorot.keras.shapes(built(Mine(), 3))) == ["variable", "variable_1"]


def shares():
    """Two models around one layer."""
    inner = layers.Dense(4, name="inner")
    a = keras.Sequential([keras.Input((4,)), inner], name="a")
    b = keras.Sequential([keras.Input((4,)), inner], name="b")
    given = keras.Input((4,))
    return keras.Model(given, b(a(given))), inner


def test_a_shared_weight_is_filled_once():
    """Under the first of its names to which the recipe gives an initializer."""
    model, inner = shares()
    report = glorot.keras.init(model, "he_normal", seed=SEED)

    assert report.parameters[0].names == ("a.inner.kernel", "b.inner.kernel")
    assert (
        values(inner.kernel) == glorot.HeNormal()((4, 4), seed=SEED, name="a.inner.kernel")
    ).all()
    rules = glorot.Recipe([glorot.Rule("a.*", None), glorot.Rule("b.*", "he_normal")])
    glorot.keras.init(model, rules, seed=SEED)
    assert (
        values(inner.kernel) == glorot.HeNormal()((4, 4), seed=SEED, name="b.inner.kernel")
    ).all()


def test_other_names():
    """A mapping or a function; the values are those of the new names."""
    layer = built(layers.Dense(3, use_bias=False), 4)
    for names in ({"kernel": "up.weight"}, lambda name: name.replace("kernel", "up.weight")):
        report = glorot.keras.init(layer, "he_normal", seed=SEED, names=names)
        wanted = glorot.HeNormal()((4, 3), seed=SEED, name="up.weight")

        assert report.parameters[0].name == "up.weight"
        assert (values(layer.kernel) == wanted).all()
        assert glorot.keras.fingerprint(layer, names=names) == glorot.fingerprint(
            {"up.weight": wanted}
        )
    for verb in (glorot.keras.explain, functools.partial(glorot.keras.init, seed=SEED)):
        with pytest.raises(ValueError, match=r"`names` has 'kernal', .* called. Near: kernel"):
            verb(layer, "he_normal", names={"kernal": "up.weight"})


# (layer, input shapes, {variable: (fan_in, fan_out)}), counted by hand from what each layer sums.
FANS = [
    (lambda: layers.Dense(3), [(4,)], {"kernel": (4, 3), "bias": (3, 3)}),
    (lambda: layers.Conv1D(8, 5), [(9, 4)], {"kernel": (20, 40)}),
    (lambda: layers.Conv2D(8, 3, groups=2), [(9, 9, 4)], {"kernel": (18, 36)}),
    (lambda: layers.Conv3D(2, (1, 2, 3)), [(4, 4, 4, 5)], {"kernel": (30, 12)}),
    (lambda: layers.Conv1DTranspose(8, 5), [(9, 4)], {"kernel": (20, 40)}),
    (lambda: layers.Conv2DTranspose(8, 3), [(9, 9, 4)], {"kernel": (36, 72)}),
    (lambda: layers.Conv3DTranspose(2, (1, 2, 3)), [(4, 4, 4, 5)], {"kernel": (30, 12)}),
    (lambda: layers.DepthwiseConv1D(5, depth_multiplier=2), [(9, 4)], {"kernel": (5, 10)}),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), [(9, 9, 4)], {"kernel": (9, 18)}),
    (
        lambda: layers.SeparableConv2D(8, 3, depth_multiplier=2),
        [(9, 9, 4)],
        {"depthwise_kernel": (9, 18), "pointwise_kernel": (8, 8)},
    ),
    (
        lambda: layers.SeparableConv1D(8, 3),
        [(9, 4)],
        {"depthwise_kernel": (3, 3), "pointwise_kernel": (4, 8)},
    ),
    (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 7, 6), bias_axes="de"),
        [(3, 5)],
        {"kernel": (5, 42), "bias": (42, 42)},
    ),
    (lambda: layers.EinsumDense("...x,xy->...y", 6), [(3, 5)], {"kernel": (5, 6)}),
    (lambda: layers.EinsumDense("bed,edf->bef", (4, 6)), [(4, 5)], {"kernel": (5, 6)}),
    (
        lambda: layers.MultiHeadAttention(2, 4, value_dim=3),
        [(5, 6), (5, 6)],
        {
            "query.kernel": (6, 8),
            "key.kernel": (6, 8),
            "value.kernel": (6, 6),
            "attention_output.kernel": (6, 6),
        },
    ),
    (
        lambda: layers.GroupQueryAttention(3, 4, 2),
        [(5, 6), (5, 6)],
        {"query.kernel": (6, 12), "key.kernel": (6, 6), "attention_output.kernel": (12, 6)},
    ),
    (lambda: layers.Embedding(100, 8), [(5,)], {"embeddings": (8, 8)}),
    (
        lambda: layers.SimpleRNN(3),
        [(5, 6)],
        {"simple_rnn_cell.kernel": (6, 3), "simple_rnn_cell.recurrent_kernel": (3, 3)},
    ),
    (
        lambda: layers.LSTM(3),
        [(5, 6)],
        {
            "lstm_cell.kernel": (6, 3),
            "lstm_cell.recurrent_kernel": (3, 3),
            "lstm_cell.bias": (3, 3),
        },
    ),
    (
        lambda: layers.GRU(3),
        [(5, 6)],
        {"gru_cell.kernel": (6, 3), "gru_cell.recurrent_kernel": (3, 3), "gru_cell.bias": (3, 3)},
    ),
    (lambda: layers.GRU(3, reset_after=False), [(5, 6)], {"gru_cell.bias": (3, 3)}),
    (
        lambda: layers.ConvLSTM1D(3, 2),
        [(5, 7, 6)],
        {"conv_lstm_cell.kernel": (12, 6), "conv_lstm_cell.recurrent_kernel": (6, 6)},
    ),
    (lambda: layers.TimeDistributed(layers.Dense(3)), [(5, 4)], {"dense.kernel": (4, 3)}),
    (layers.LayerNormalization, [(4,)], {"gamma": (4, 4), "beta": (4, 4)}),
]


@pytest.mark.parametrize(("make", "shapes", "fans"), FANS)
def test_fans_of_every_layer(make, shapes, fans):
    """Each weight's fans are what its layer sums over, and the law is scaled by them."""
    layer = make()
    layer.build(*((None, *shape) for shape in shapes))
    for mode, side in (("fan_in", 0), ("fan_out", 1)):
        init = glorot.VarianceScaling(1.0, mode, "untruncated_normal")
        found = {a.name: a for a in glorot.keras.explain(layer, init)}
        for name, wanted in fans.items():
            assert found[name].fans == wanted, name
            assert found[name].stddev == pytest.approx(wanted[side] ** -0.5), name


def test_a_wrapper_that_holds_the_kernel_too_did_not_make_it():
    """Class and axes are those of the layer inside, whichever name counts."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.SpectralNormalization(keras.layers.Conv2DTranspose(6, 3, name="up")),
        ]
    )
    kernel = glorot.keras.shapes(model)["spectral_normalization.kernel"]
    assert (kernel.type, kernel.layout) == ("Conv2DTranspose", "keras.conv_transpose")
    assert kernel.tags == ("Sequential", "SpectralNormalization")
    found = glorot.keras.explain(model, "glorot_uniform")[0]
    assert found.fans == (27, 54)


def test_fans_by_the_shape_alone_would_be_wrong():
    """The table tells them apart from Keras' own rule, which sees no layer."""
    shapes = {
        5: (3, 3, 8, 4),  # a transposed convolution as a plain one
        2: (3, 3, 2, 8),  # groups
        8: (3, 3, 4, 2),  # a depthwise convolution
        14: (6, 2, 4),  # heads
        18: (6, 12),  # gates
    }
    for place, shape in shapes.items():
        assert next(iter(FANS[place][2].values())) != glorot.HeNormal().fans(shape)


def test_gates_are_blocks():
    """An orthogonal matrix a gate; the law of a gate alone, on the index of the whole weight."""
    layer = built(layers.LSTM(4), 5, 6)
    report = glorot.keras.init(
        layer,
        glorot.Recipe(
            [glorot.Rule("*.recurrent_kernel", "orthogonal"), glorot.Rule("*", "he_normal")]
        ),
        seed=SEED,
    )
    kernel, recurrent = values(layer.cell.kernel), values(layer.cell.recurrent_kernel)
    wanted = glorot.HeNormal()((6, 16), seed=SEED, name="lstm_cell.kernel")

    assert (kernel == wanted).all()
    for gate in np.split(recurrent, 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(4), atol=1e-6)
    assert isinstance(report.parameters[0].initializer, glorot.Blocks)


def test_a_rule_says_how_gates_are_cut():
    """`blocks` of a rule wins: one block is the whole, and a forget bias of ones is a change."""
    layer = built(layers.LSTM(4), 5, 6)
    rules = glorot.Recipe(
        [
            glorot.Rule(
                "*.bias", "zeros", blocks={"parts": "keras.lstm", "change": {"forget": "ones"}}
            ),
            glorot.Rule("*", "glorot_uniform", blocks=1),
        ]
    )
    glorot.keras.init(layer, rules, seed=SEED)
    whole = glorot.GlorotUniform()((6, 16), seed=SEED, name="lstm_cell.kernel")

    assert (values(layer.cell.kernel) == whole).all()
    assert values(layer.cell.bias).tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


def test_rules_may_ask_for_the_layer():
    """`type` is the layer's class, `tag` a class of one around it."""
    model = keras_models.everything()
    rules = glorot.Recipe(
        [
            glorot.Rule("*", "ones", where={"tag": "MultiHeadAttention"}),
            glorot.Rule("*", "zeros", where={"type": ["LSTMCell", "GRUCell"]}),
            glorot.Rule("*", "he_normal"),
        ]
    )
    found = {p.name: p.law for p in glorot.keras.init(model, rules, seed=SEED).parameters}

    assert found["multi_head_attention.query.kernel"] == "Ones"
    assert found["bidirectional.forward_lstm.lstm_cell.kernel"] == "Zeros"
    assert found["dense.kernel"].startswith("TN(")
