# SPDX-License-Identifier: Apache-2.0
"""A transformer in flax nnx, small."""

from flax import nnx


class Block(nnx.Module):
    """A transformer block."""

    def __init__(self, width, rngs):
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(2, width, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)
        self.drop = nnx.Dropout(0.1, rngs=rngs, deterministic=True)

    def __call__(self, x):
        """Attention, then feed-forward."""
        x = x + self.attn(self.norm1(x))
        return x + self.drop(self.down(nnx.gelu(self.up(self.norm2(x)))))


class Transformer(nnx.Module):
    """Embedding, blocks, and a head that is the embedding."""

    def __init__(self, rngs, width=16, layers=2):
        self.embed = nnx.Embed(32, width, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)

    def __call__(self, tokens):
        """Logits."""
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.embed.attend(self.norm(x))
