# SPDX-License-Identifier: Apache-2.0
"""Every logarithm and every angle of TensorFlow's float32 normal, from TensorFlow itself.

    python tests/oracle/tensorflow_exhaustive.py [--parts N]      # under TensorFlow and glorot

A normal takes its radius from 23 bits of one word and its angle from 23 bits of the next.  Philox
is a bijection of its counter, so its inverse gives the counter of any four words wanted; the raw
2**22 blocks, and what TensorFlow answers is compared with the NumPy reference and with the native
kernel, byte for byte.  Ten minutes or so; --parts 8 does an eighth.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from glorot import _kernel
from glorot._stream import Stream
from glorot.replay.tensorflow import _laws

KEY = 0x0123456789ABCDEF
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
INVERSES = tuple(pow(m, -1, 2**32) for m in MULTIPLIERS)
WEYL = 0x9E3779B9, 0xBB67AE85
PIECE = 1 << 16  # blocks at a time


def counters_of(words):
    """The counters, as (n, 4) digits, whose Philox blocks under KEY are these (n, 4) words."""
    n0, n1, n2, n3 = (words[:, i].astype(np.uint64) for i in range(4))
    low = np.uint64(2**32 - 1)
    for turn in reversed(range(10)):
        k0, k1 = ((KEY >> 32 * i) + turn * WEYL[i] & 2**32 - 1 for i in (0, 1))
        c2, c0 = n1 * np.uint64(INVERSES[1]) & low, n3 * np.uint64(INVERSES[0]) & low
        p, q = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        n0, n1, n2, n3 = (
            c0,
            n0 ^ (q >> np.uint64(32)) ^ np.uint64(k0),
            c2,
            n2 ^ (p >> np.uint64(32)) ^ np.uint64(k1),
        )
    return np.stack([n0, n1, n2, n3], axis=1)


def words_of(first):
    """The words of PIECE blocks: radii 2 * first ..., each with an angle of its own."""
    radius = np.arange(2 * first, 2 * (first + PIECE), dtype=np.uint32)
    angle = (radius * np.uint32(0x9E3779B1) + np.uint32(12345)) & np.uint32(2**23 - 1)
    upper = radius << np.uint32(23) | np.uint32(1 << 31)  # bits that the law must not read
    return np.stack([radius | upper, angle | ~upper << np.uint32(23)], axis=1).reshape(-1, 4)


@tf.function
def theirs(counters):
    """TensorFlow's kernel, called once for each counter."""
    return tf.map_fn(
        lambda counter: tf.raw_ops.StatelessRandomNormalV2(
            shape=[4], key=[tf.constant(KEY, tf.uint64)], counter=counter, alg=1, dtype=tf.float32
        ),
        counters,
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )


def native(counters):
    """The native kernel, called once for each counter."""
    law, out = _laws.NormalLaw(1.0, 0.0), np.empty((len(counters), 4), np.float32)
    for row, counter in zip(out, counters.tolist(), strict=True):
        _kernel.fill(row, law, Stream(KEY, counter[1] << 64 | counter[0]))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1)
    start, wrong = time.time(), 0
    pieces = 2**22 // PIECE // parser.parse_args().parts
    seen = np.zeros((2, 2**23), np.bool_)
    for piece in range(pieces):
        words = words_of(piece * PIECE)
        digits = counters_of(words)
        counters = digits[:, 0::2] | digits[:, 1::2] << np.uint64(32)
        answers = theirs(tf.constant(counters)).numpy()
        reference = _laws._normals32(words)
        wrong += int((answers.view(np.uint32) != reference.view(np.uint32)).sum())
        wrong += int((answers.view(np.uint32) != native(counters).view(np.uint32)).sum())
        for i in (0, 1):
            seen[i, words[:, i::2] & np.uint32(2**23 - 1)] = True
    print(
        f"TensorFlow {tf.__version__}: {int(seen[0].sum())} of {2**23} radii and "
        f"{int(seen[1].sum())} angles, {wrong} values differ from the reference or the "
        f"{_kernel.target()} kernel; {time.time() - start:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
