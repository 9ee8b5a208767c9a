# SPDX-License-Identifier: Apache-2.0
"""Models that every Keras backend must fill alike; run alone it prints their fingerprints."""

import keras
from keras import layers

import glorot
import glorot.keras

RECIPE = glorot.Recipe(
    [
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("*", "ones", where={"type": "*Normalization"}, optional=True),
        glorot.Rule("*.recurrent_kernel", "orthogonal", optional=True),
        glorot.Rule("*.embeddings", "random_normal", stddev=0.02, optional=True),
        glorot.Rule("*", "he_normal", where={"type": ["Conv*", "DepthwiseConv*"]}, optional=True),
        glorot.Rule("*", "glorot_uniform", optional=True),
    ]
)


def application():
    """One of Keras' own, small: convolutions of two kinds, batch norms."""
    return keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, weights=None, classes=10
    )


class Everything(keras.Model):
    """A model of layers of many kinds, which are built by being called."""

    def __init__(self):
        super().__init__()
        self.embed = layers.Embedding(11, 8)
        self.conv = layers.SeparableConv1D(8, 3, depth_multiplier=2, padding="same")
        self.grouped = layers.Conv1D(8, 3, groups=2, padding="same")
        self.up = layers.Conv1DTranspose(8, 3, padding="same")
        self.attention = layers.MultiHeadAttention(2, 4)
        self.shared = layers.GroupQueryAttention(4, 4, 2)
        self.norm = layers.LayerNormalization()
        self.drop = layers.Dropout(0.1)
        ours = {"recurrent_initializer": "glorot>Orthogonal"}  # Keras' own has no bfloat16
        self.recurrent = [
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, **ours)),
            layers.GRU(5, **ours),
        ]
        self.head = layers.Dense(3)

    def call(self, tokens, training=False):
        """Tokens to three numbers."""
        x = self.up(self.grouped(self.conv(self.embed(tokens))))
        x = self.norm(x + self.attention(x, x) + self.shared(x, x))
        x = self.drop(x, training=training)
        for layer in self.recurrent:
            x = layer(x)
        return self.head(x)


def everything(dtype="float32"):
    """That model with weights."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model = Everything()
        model(keras.Input((6,), dtype="int32"))
    finally:
        keras.config.set_dtype_policy(before)
    return model


def main():
    """Print a fingerprint a model."""
    for make in (application, everything, lambda: everything("bfloat16")):
        model = make()
        glorot.keras.init(model, RECIPE, seed=42)
        print(glorot.keras.fingerprint(model))


if __name__ == "__main__":
    main()
