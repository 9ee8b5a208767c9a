# SPDX-License-Identifier: Apache-2.0
"""Every float32 uniform through torch's own Box-Muller, and through ours: the bytes must be equal.

    python tests/oracle/torch_box_muller.py

Ours are those of every target here and of the NumPy code.
torch is given generator states whose words are the ones wanted (tempering undone): all 2**24 radii
beside an angle of 0, whose cosine is 1, then all 2**24 angles beside a radius of 1.  Last, every
float32 uniform's logarithm is checked to be one of the two floats around the true one, which
replay/torch/_trunc_normal.py relies on.  ATEN_CPU_CAPABILITY=default changes what torch computes.
"""

import sys

import numpy as np
import torch

from glorot import _kernel
from glorot.replay import torch as ours
from glorot.replay.torch import _boxmuller
from glorot.replay.torch._arguments import FLOAT32
from glorot.replay.torch._generator import STATE_BYTES
from glorot.replay.torch._mt19937 import STATE_WORDS

CAPABILITY = torch.backends.cpu.get_cpu_capability()
FUSED = CAPABILITY != "DEFAULT"
TARGETS = [*(_kernel._native.targets() if _kernel._native else []), "reference"]
UNIFORMS = 1 << 24
DRAWN = 608  # of the 623 words that a state gives before its twist: 38 blocks of 16


def untempered(words):
    """State words that are tempered to `words`."""
    y = words ^ words >> np.uint32(18)
    y = y ^ (y << np.uint32(15) & np.uint32(0xEFC60000))
    x = y
    for _ in range(4):
        x = y ^ (x << np.uint32(7) & np.uint32(0x9D2C5680))
    y = x
    for _ in range(2):
        x = y ^ x >> np.uint32(11)
    return x


def states(words):
    """States, one after the other, whose first DRAWN words are rows of `words`."""
    state = np.zeros(STATE_BYTES, dtype=np.uint8)
    wide = state[: STATE_BYTES // 8 * 8].view(np.uint64)
    state[8:16].view(np.int32)[...] = STATE_WORDS, 1  # left, seeded
    wide[2] = 1  # next
    for row in untempered(words.reshape(-1, DRAWN)):
        wide[4 : 4 + DRAWN] = row
        yield state


def mismatches(first, second, targets):
    """How many normals of u1 = 1 - first / 2**24 and u2 = second / 2**24 differ, over targets."""
    pad = -first.size % (DRAWN // 2)
    halves = [np.concatenate([x, x[:pad]]).reshape(-1, 8) for x in (first, second)]
    words = np.concatenate(halves, axis=1).astype(np.uint32)
    theirs, mine, wrong = torch.Generator(), ours.Generator(cpu_capability=CAPABILITY), 0
    tensor = torch.empty(DRAWN)
    for state in states(words):
        theirs.set_state(torch.from_numpy(state))
        expected = tensor.normal_(generator=theirs).numpy()
        for target in targets:
            mine.set_state(state)
            with _kernel.forced(target):
                found = ours.randn(DRAWN, generator=mine)
            if expected.tobytes() != found.tobytes():
                wrong += int((expected.view(np.uint32) != found.view(np.uint32)).sum())
    return wrong


def radius_one():
    """A `first` that gives the radius 1 exactly, so that a normal is a bare cosine or sine."""
    for start in range(0, UNIFORMS, 1 << 16):
        some = np.arange(start, start + (1 << 16), dtype=np.uint32)
        unit = np.zeros((some.size // 8, 16), dtype=np.float32)
        unit[:, :8] = (some * 2.0**-24).reshape(-1, 8)
        exact = np.flatnonzero(_boxmuller.blocks(unit, 0.0, 1.0, FUSED, {})[:, :8].reshape(-1) == 1)
        if exact.size:
            return int(some[exact[0]])
    raise AssertionError("no uniform gives the radius 1")


def unfaithful():
    """How many float32 uniforms have a torch.log that is neither of the floats around the true."""
    wrong = 0
    for start in range(0, UNIFORMS, 1 << 20):
        u = (np.arange(max(start, 1), start + (1 << 20)) * 2.0**-24).astype(np.float32)
        found, true = torch.from_numpy(u).log().numpy(), np.log(u.astype(np.float64))
        near = true.astype(np.float32)
        other = np.where(near > true, np.nextafter(near, FLOAT32.type(-np.inf)),
                         np.nextafter(near, FLOAT32.type(np.inf)))  # fmt: skip
        wrong += int(((found != near) & ((found != other) | (near == true))).sum())
    return wrong


def main():
    """Count what differs."""
    every, none = np.arange(UNIFORMS), np.zeros(UNIFORMS, dtype=np.int64)
    found = {
        "radii": mismatches(every, none, TARGETS),
        "angles": mismatches(none + radius_one(), every, TARGETS),
        "logarithms": unfaithful(),
    }
    for what, wrong in found.items():
        print(
            f"torch {torch.__version__}, {CAPABILITY}: {wrong} of {UNIFORMS} {what} differ "
            f"({', '.join(TARGETS)})"
        )
    return any(found.values())


if __name__ == "__main__":
    sys.exit(main())
