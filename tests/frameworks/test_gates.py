# SPDX-License-Identifier: Apache-2.0
"""The named orders of gates are the frameworks': each layer computes what its gates should."""

import numpy as np
import pytest
import tensorflow as tf
import torch

import glorot
from glorot.recipe._split import PARTS

pytestmark = pytest.mark.frameworks

DEPRECATED = pytest.mark.filterwarnings("ignore:`tf.nn.rnn_cell:UserWarning")
INPUTS, UNITS = 3, 4
RNG = np.random.default_rng(0)
X = RNG.standard_normal((1, INPUTS))


def sigmoid(z):
    """The logistic function."""
    return 1 / (1 + np.exp(-z))


def gates(order, z):
    """The parts of a fused (4 units) vector, by name."""
    return dict(zip(PARTS[order], np.split(z, len(PARTS[order]), axis=-1), strict=True))


def lstm(order, z, forget=0.0):
    """h of one step from the zero state, where the forget gate plays no part but for c = 1."""
    part = gates(order, z)
    c = sigmoid(part["forget"] + forget) * 1.0 + sigmoid(part["input"]) * np.tanh(part["cell"])
    return sigmoid(part["output"]) * np.tanh(c)


def wrong_orders(order):
    """Other orders of the same gates."""
    others = {name: parts for name, parts in PARTS.items() if set(parts) == set(PARTS[order])}
    return [name for name, parts in others.items() if parts != PARTS[order]]


def test_torch_lstm():
    """torch stores input, forget, cell, output along the first axis."""
    cell = torch.nn.LSTMCell(INPUTS, UNITS).double()
    weight = cell.weight_ih.detach().numpy()
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
    h = torch.zeros(1, UNITS, dtype=torch.double), torch.ones(1, UNITS, dtype=torch.double)
    found = cell(torch.from_numpy(X), h)[0].detach().numpy()
    z = X @ weight.T + bias
    assert np.allclose(found, lstm("torch.lstm", z), atol=1e-12)
    assert all(not np.allclose(found, lstm(wrong, z)) for wrong in wrong_orders("torch.lstm"))


def gru(order, z, state):
    """h of one step from the state, with recurrent weights of zero."""
    part = gates(order, z)
    update = sigmoid(part["update"])
    return update * state + (1 - update) * np.tanh(part["new"])


def test_torch_gru():
    """torch stores reset, update, new: a reset gate only matters through the recurrent bias."""
    cell = torch.nn.GRUCell(INPUTS, UNITS).double()
    with torch.no_grad():
        cell.weight_hh.zero_()
        cell.bias_hh.zero_()
        cell.bias_hh[2 * UNITS :] = 1.0  # what the reset gate multiplies
    z = X @ cell.weight_ih.detach().numpy().T + cell.bias_ih.detach().numpy()
    state = RNG.standard_normal((1, UNITS))
    found = cell(torch.from_numpy(X), torch.from_numpy(state)).detach().numpy()
    part = gates("torch.gru", z)
    update = sigmoid(part["update"])
    expected = update * state + (1 - update) * np.tanh(part["new"] + sigmoid(part["reset"]))
    assert np.allclose(found, expected, atol=1e-12)
    swapped = gates("keras.gru", z)
    update = sigmoid(swapped["update"])
    wrong = update * state + (1 - update) * np.tanh(swapped["new"] + sigmoid(swapped["reset"]))
    assert not np.allclose(found, wrong)


def keras_layer(kind):
    """A Keras layer of one step in float64, its recurrent kernel zero."""
    import keras

    layer = getattr(keras.layers, kind)(UNITS, dtype="float64")
    layer.build((1, 1, INPUTS))
    kernel = RNG.standard_normal(layer.cell.kernel.shape)
    layer.cell.kernel.assign(kernel)
    layer.cell.recurrent_kernel.assign(np.zeros(layer.cell.recurrent_kernel.shape))
    return layer, kernel


def test_keras_lstm():
    """Keras stores input, forget, cell, output along the last axis, and its forget bias of 1 is
    where a recipe puts it."""
    layer, kernel = keras_layer("LSTM")
    rule = glorot.Rule("*", "zeros", blocks={"parts": "keras.lstm", "change": {"forget": "ones"}})
    shape = tuple(layer.cell.bias.shape)
    ours = glorot.Recipe([rule]).resolve({"bias": shape})[0].initializer(shape)
    assert (np.asarray(layer.cell.bias) == ours).all()
    state = [np.zeros((1, UNITS)), np.ones((1, UNITS))]
    found = np.asarray(layer(X[:, None], initial_state=state))
    z = X @ kernel + ours
    assert np.allclose(found, lstm("keras.lstm", z), atol=1e-12)
    assert all(not np.allclose(found, lstm(wrong, z)) for wrong in wrong_orders("keras.lstm"))


def test_keras_gru():
    """Keras stores update, reset, new."""
    layer, kernel = keras_layer("GRU")
    state = RNG.standard_normal((1, UNITS))
    found = np.asarray(layer(X[:, None], initial_state=state))
    z = X @ kernel
    assert np.allclose(found, gru("keras.gru", z, state), atol=1e-12)
    assert not np.allclose(found, gru("torch.gru", z, state))


@DEPRECATED
def test_tensorflow_lstm():
    """TensorFlow 1's LSTMCell stores input, cell, forget, output, and adds a forget bias of 1."""
    with tf.Graph().as_default():
        cell = tf.compat.v1.nn.rnn_cell.LSTMCell(UNITS, dtype=tf.float64)
        state = tf.compat.v1.nn.rnn_cell.LSTMStateTuple(
            tf.ones((1, UNITS), tf.float64), tf.zeros((1, UNITS), tf.float64)
        )
        h, _ = cell(tf.constant(X), state)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            found, kernel = session.run([h, cell.trainable_weights[0]])
    z = X @ kernel[:INPUTS]
    assert np.allclose(found, lstm("tensorflow.lstm", z, forget=1.0), atol=1e-12)
    assert not np.allclose(found, lstm("torch.lstm", z, forget=1.0))


@DEPRECATED
def test_tensorflow_gru_gates():
    """TensorFlow 1's GRUCell keeps reset and update in one kernel, the candidate in another."""
    with tf.Graph().as_default():
        cell = tf.compat.v1.nn.rnn_cell.GRUCell(UNITS, dtype=tf.float64)
        state = RNG.standard_normal((1, UNITS))
        h, _ = cell(tf.constant(X), tf.constant(state))
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            weights = {w.name: w for w in cell.trainable_weights}
            found, values = session.run([h, weights])
    named = {name.split("/")[-2:][0] + name.split("/")[-1]: v for name, v in values.items()}
    gate = np.concatenate([X, state], 1) @ named["gateskernel:0"] + named["gatesbias:0"]
    part = {k: sigmoid(v) for k, v in gates("tensorflow.gru_gates", gate).items()}
    both = np.concatenate([X, part["reset"] * state], 1)
    new = np.tanh(both @ named["candidatekernel:0"] + named["candidatebias:0"])
    assert np.allclose(found, part["update"] * state + (1 - part["update"]) * new, atol=1e-12)
    swapped = part["reset"] * state + (1 - part["reset"]) * new
    assert not np.allclose(found, swapped)


def test_haiku_lstm():
    """haiku stores input, cell, forget, output, and adds a forget bias of 1."""
    import haiku as hk
    import jax

    with jax.enable_x64(True):
        state = hk.LSTMState(hidden=np.zeros((1, UNITS)), cell=np.ones((1, UNITS)))
        model = hk.without_apply_rng(hk.transform(lambda x, s: hk.LSTM(UNITS)(x, s)[0]))
        params = model.init(jax.random.PRNGKey(0), X, state)
        found = np.asarray(model.apply(params, X, state))
    (linear,) = params.values()
    z = np.concatenate([X, np.zeros((1, UNITS))], 1) @ np.asarray(linear["w"])
    assert np.allclose(found, lstm("haiku.lstm", z, forget=1.0), atol=1e-12)
    assert not np.allclose(found, lstm("torch.lstm", z, forget=1.0))


def test_haiku_gru():
    """haiku stores update, reset, new, and its update gate takes the new state."""
    import haiku as hk
    import jax

    state = RNG.standard_normal((1, UNITS))
    with jax.enable_x64(True):
        model = hk.without_apply_rng(hk.transform(lambda x, s: hk.GRU(UNITS)(x, s)[0]))
        params = model.init(jax.random.PRNGKey(0), X, state)
        (weights,) = params.values()
        weights = {**weights, "w_h": np.zeros_like(weights["w_h"])}
        found = np.asarray(model.apply(dict.fromkeys(params, weights), X, state))
    part = gates("haiku.gru", X @ np.asarray(weights["w_i"]))
    update = sigmoid(part["update"])
    assert np.allclose(found, (1 - update) * state + update * np.tanh(part["new"]), atol=1e-12)
    update = sigmoid(part["reset"])
    assert not np.allclose(found, (1 - update) * state + update * np.tanh(part["new"]))


@pytest.mark.parametrize(("layers", "kind"), [(2, "LSTM"), (2, "GRU")])
def test_a_recipe_is_torch_s_default(layers, kind):
    """torch draws all of an RNN's parameters from U(-b, b), b = 1 / sqrt(hidden): by gate, the
    fan_out of a block; one matrix for all gates would be sqrt(gates) too small."""
    order = f"torch.{kind.lower()}"
    options = {"layout": "torch.linear", "mode": "fan_out", "distribution": "uniform"}
    options |= {"scale": "1 / 3", "blocks": order}
    recipe = glorot.Recipe(
        [
            glorot.Rule("weight_*", "variance_scaling", **options),
            glorot.Rule("bias_*", "variance_scaling", **{**options, "layout": "bias"}),
        ]
    )
    model = getattr(torch.nn, kind)(30, 50, layers)
    for assignment in recipe.resolve(dict(model.named_parameters())):
        bound = assignment.initializer.law(assignment.shape).scale
        assert bound == pytest.approx(1 / np.sqrt(50), rel=1e-12)
        theirs = abs(model.state_dict()[assignment.name].numpy())
        assert 0.95 * bound < theirs.max() <= bound * (1 + 1e-6)
        assert theirs.max() > bound / np.sqrt(len(PARTS[order]))
