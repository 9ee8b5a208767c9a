# SPDX-License-Identifier: Apache-2.0
"""The engine of torch's CPU generator: MT19937, 32 bits a word, strictly one after the other.

M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998.  The state is 624 words; a
*twist* makes the next 624 of them, and *tempering* makes each a word of output.  torch keeps what
is left of a state as two numbers, `left` and `next`, and saves both, so they are kept here too.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot import _kernel

STATE_WORDS = 624

Words = NDArray[np.uint32]


class Engine:
    """One MT19937 stream: `key` its state, `next` the place in it, `seed` where it began.

    `left` is 1 when the next word needs a twist first, else 625 - next.
    """

    __slots__ = ("key", "left", "next", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed  # 64 bits, of which the engine uses the low 32
        self.key: Words = np.empty(STATE_WORDS, dtype=np.uint32)
        self.left, self.next = 1, 0
        native, low = _kernel._native, seed & 0xFFFFFFFF
        if native is None:
            # NumPy's RandomState starts with the authors' init_genrand, as torch does.
            state: Any = np.random.RandomState(low).get_state()
            self.key[...] = state[1]
        else:
            native.mt19937_seed(self.address, low)

    def copy(self) -> "Engine":
        """An engine that will give the same words."""
        made = Engine.__new__(Engine)
        made.seed, made.left, made.next = self.seed, self.left, self.next
        made.key = self.key.copy()
        return made

    @property
    def position(self) -> int:
        """How many words of the state are used up: 0 to 624."""
        return STATE_WORDS if self.left == 1 else self.next

    def moved_to(self, position: int) -> None:
        """Take note that `key` is now used up to `position`."""
        self.next, self.left = position, STATE_WORDS + 1 - position

    @property
    def address(self) -> int:
        """Where `key` lies, for the native code."""
        return int(self.key.__array_interface__["data"][0])

    def words(self, count: int) -> Words:
        """The next `count` words."""
        out = np.empty(count, dtype=np.uint32)
        native = _kernel._native
        if count == 0:
            return out
        if native is None:
            source = self._numpy()
            out[...] = source.random_raw(count)
            self._take(source)
        else:
            address = out.__array_interface__["data"][0]
            self.moved_to(native.mt19937_words(self.address, self.position, address, count))
        return out

    def skip(self, count: int) -> None:
        """Leave `count` words out: no tempering, no output, but a twist every 624."""
        native = _kernel._native
        if count == 0:
            return
        if native is None:
            source = self._numpy()
            source.random_raw(count, output=False)
            self._take(source)
        else:
            self.moved_to(native.mt19937_words(self.address, self.position, 0, count))

    def _numpy(self) -> Any:
        """NumPy's generator of the same words, at the same place."""
        source: Any = np.random.MT19937(0)
        inner = {"key": self.key, "pos": self.position}
        source.state = {"bit_generator": "MT19937", "state": inner}
        return source

    def _take(self, source: Any) -> None:
        inner = source.state["state"]
        self.key[...] = inner["key"]
        self.moved_to(int(inner["pos"]))
