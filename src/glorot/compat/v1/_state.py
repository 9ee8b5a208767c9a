# SPDX-License-Identifier: Apache-2.0
"""Where TensorFlow 1 keeps its seeds: the graph seed, the counters, the kernels already started.

Every random call asks the current place for its pair of seeds and for the blocks its kernel has
used.  The place is eager mode, a `Graph` entered with `as_default()`, or, where TensorFlow itself
is building a graph around the call, that graph.
"""

import contextlib
import math
import numbers
import operator
import random
import secrets
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from glorot.replay.tensorflow._kernels import BLOCKS_PER_VALUE

DEFAULT_GRAPH_SEED = 87654321
SEED_MODULUS = 2**31 - 1

SeedPair = tuple[int, int] | tuple[None, None]


class Kernel(NamedTuple):
    """What tells two eager kernels apart, besides their seeds."""

    operation: str  # "RandomUniform", "TruncatedNormal", ...
    dtype: str
    shape_dtype: str


class Place(Protocol):
    """Eager mode or a graph: it holds a seed, and knows what each random call gets."""

    is_graph: bool

    def set_seed(self, seed: int | float | None) -> None:
        """Set the graph seed."""

    def seeds(self, seed: int | float | None) -> SeedPair:
        """The pair a call with operation seed `seed` gets; (None, None) where nothing is seeded."""

    def used(self, seeds: tuple[int, int], kernel: Kernel, count: int) -> int:
        """How many values the call's kernel has given before; `count` more are about to be."""


def check_seed(seed: Any, *, argument: str = "seed") -> int | float | None:
    """A seed as TensorFlow 1 takes it: None or any number, of any sign and size."""
    if seed is None:
        return None
    with contextlib.suppress(TypeError):
        return operator.index(seed)
    if not isinstance(seed, numbers.Real):
        raise TypeError(
            f"`{argument}` must be an integer or None, got {seed!r} of type "
            f"{type(seed).__name__}. Pass a Python integer."
        )
    number = float(seed)
    if not math.isfinite(number):
        raise ValueError(f"`{argument}` must be finite, got {number}. Pass a Python integer.")
    return number


def _pair(graph_seed: float, seed: float) -> tuple[int, int]:
    pair = graph_seed % SEED_MODULUS, seed % SEED_MODULUS
    if pair == (0, 0):  # which the kernels would take for a wish for entropy
        return 0, SEED_MODULUS
    return int(pair[0]), int(pair[1])


class _Eager:
    """One kernel for each (operation, seeds, dtype): all initializers with a seed share its state,
    so a second call goes on where the first stopped."""

    is_graph = False

    def __init__(self) -> None:
        self._seed: float | None = None
        self._unseeded = random.Random()
        self._given: dict[tuple[tuple[int, int], Kernel], int] = {}

    def set_seed(self, seed: float | None) -> None:
        self._seed = seed
        self._unseeded = random.Random(seed)
        self._given.clear()

    def seeds(self, seed: float | None) -> SeedPair:
        if self._seed is None:
            return (None, None) if seed is None else _pair(DEFAULT_GRAPH_SEED, seed)
        if seed is None:
            seed = self._unseeded.randint(0, 2**31 - 1)
        return _pair(self._seed, seed)

    def used(self, seeds: tuple[int, int], kernel: Kernel, count: int) -> int:
        before = self._given.get((seeds, kernel), 0)
        self._given[seeds, kernel] = before + count
        return before


class Graph:
    """A TensorFlow graph as far as its random numbers go, and the run of a session to look at.

    Within `with Graph().as_default():` every call is an operation of the graph with a kernel of
    its own: two calls with one seed give equal values, and calls without a seed are numbered
    0, 1, 2, ... in the order they are made.  What a call returns is what its operation would
    give in run number `run` of a new session; variables are initialized in run 0.

    Args:
        run: how often the session has run the operations before, 0 or more.
        seed: the graph seed, as `set_random_seed` sets it within the graph.

    Raises:
        TypeError, ValueError: `run` is not an integer of 0 or more; `seed` is no number.

    Source: TensorFlow 2.4.4, python/framework/random_seed.py.

    Example:
        >>> from glorot.compat import v1
        >>> init = v1.glorot_uniform_initializer(seed=42)
        >>> with v1.Graph().as_default():
        ...     init((2,)), init((2,))
        (array([1.1078345, 0.4345585], dtype=float32), array([1.1078345, 0.4345585], dtype=float32))
        >>> with v1.Graph(run=1).as_default():
        ...     init((2,))
        array([ 0.51327455, -0.21651793], dtype=float32)
    """

    is_graph = True

    def __init__(self, run: int = 0, *, seed: int | None = None) -> None:
        if isinstance(run, bool) or not hasattr(run, "__index__"):
            raise TypeError(f"`run` must be an integer, got {run!r}. The first run is number 0.")
        if run < 0:
            raise ValueError(f"`run` must be 0 or more, got {run}. The first run is number 0.")
        self.run = operator.index(run)
        self.seed = check_seed(seed)
        self._unseeded = 0

    @contextlib.contextmanager
    def as_default(self) -> Iterator["Graph"]:
        """A context manager: within it, and in this thread, calls belong to this graph."""
        stack = _entered.__dict__.setdefault("stack", [])
        stack.append(self)
        try:
            yield self
        finally:
            stack.pop()

    def set_seed(self, seed: float | None) -> None:
        """Set the graph seed; the numbering of unseeded calls goes on."""
        self.seed = seed

    def seeds(self, seed: float | None) -> SeedPair:
        """The pair of seeds that the next operation gets, given its own `seed`."""
        if self.seed is None:
            return (None, None) if seed is None else _pair(DEFAULT_GRAPH_SEED, seed)
        if seed is None:
            seed = self._unseeded
            self._unseeded += 1
        return _pair(self.seed, seed)

    def used(self, seeds: tuple[int, int], kernel: Kernel, count: int) -> int:
        """How many values the operation gave in the runs before."""
        return count * self.run


class _TensorFlowGraph:
    """A graph TensorFlow is building: its own seed and counter decide, and run 0 is returned,
    since a variable keeps the value it is given here."""

    is_graph = True

    def __init__(self, v1: Any) -> None:
        self._v1 = v1

    def set_seed(self, seed: float | None) -> None:
        self._v1.set_random_seed(seed)

    def seeds(self, seed: float | None) -> SeedPair:
        pair: SeedPair = self._v1.get_seed(seed)
        return pair if pair[0] is None else (int(pair[0]), int(pair[1]))

    def used(self, seeds: tuple[int, int], kernel: Kernel, count: int) -> int:
        return 0


_eager = _Eager()
_entered = threading.local()
_lock = threading.Lock()


def place() -> Place:
    """Where a call made now belongs."""
    stack: list[Graph] = getattr(_entered, "stack", [])
    if stack:
        return stack[-1]
    # Looked up, never imported: whoever is building a graph has imported TensorFlow.
    v1 = getattr(getattr(sys.modules.get("tensorflow"), "compat", None), "v1", None)
    if v1 is not None and not v1.executing_eagerly():
        return _TensorFlowGraph(v1)
    return _eager


def draw(
    where: Place, seed: float | None, kernel: Kernel, count: int
) -> tuple[tuple[int, int], int]:
    """(seed pair, offset in blocks) of the next call of `kernel` for `count` values."""
    with _lock:
        pair = where.seeds(seed)
        if pair[0] is None:
            return (secrets.randbits(63) | 1, secrets.randbits(63)), 0
        return pair, where.used(pair, kernel, count) * BLOCKS_PER_VALUE


def get_seed(op_seed: int | None) -> SeedPair:
    """Return the pair of seeds that a random call with seed `op_seed` would get now.

    (graph seed, `op_seed`), each modulo 2**31 - 1.  Without a graph seed the first is 87654321;
    without an operation seed the second is the next of the graph's own, and asking for it uses
    it up; without either the pair is (None, None), and the call draws entropy.

    Source: tf.compat.v1.get_seed, TensorFlow 2.4.4.

    Example:
        >>> from glorot.compat import v1
        >>> v1.get_seed(-7)
        (87654321, 2147483640)
    """
    seed = check_seed(op_seed, argument="op_seed")
    with _lock:
        return place().seeds(seed)


def set_random_seed(seed: int | None) -> None:
    """Set the graph seed, of the graph entered or else of eager mode.

    In eager mode it also forgets every kernel's state, so that all sequences start again.
    None takes the graph seed away.

    Raises:
        TypeError, ValueError: `seed` is no finite number.

    Source: tf.compat.v1.set_random_seed, TensorFlow 2.4.4.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(1234)
        >>> v1.glorot_uniform_initializer()((2,))
        array([ 0.09317696, -0.3316152 ], dtype=float32)
        >>> v1.set_random_seed(1234)
        >>> v1.glorot_uniform_initializer()((2,))
        array([ 0.09317696, -0.3316152 ], dtype=float32)
        >>> v1.set_random_seed(None)
    """
    checked = check_seed(seed)
    with _lock:
        place().set_seed(checked)
