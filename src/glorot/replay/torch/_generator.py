# SPDX-License-Identifier: Apache-2.0
"""torch.Generator on CPU: seeds, the saved state, the cached normal; and the default generator.

A generator is an MT19937 engine and at most one float64 normal, left over from a call that drew
fewer than 16 normals (see _normal.py).  Besides what torch's has, it knows for which kind of CPU it
draws, because torch's kernels round differently there, and it can skip.
"""

import operator
import struct
import threading
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from glorot._check import show
from glorot.replay._libm import arithmetics
from glorot.replay.torch._mt19937 import STATE_WORDS, Engine

DEFAULT_SEED = 67280421310721  # of a new torch.Generator

# at::CPUGeneratorImplState, little-endian, with the padding that x86-64 and AArch64 give it: seed;
# left, seeded; next; the state, 64 bits a word; normal_x, normal_y, normal_rho; normal_is_valid;
# a float32 normal that the CPU never uses, and its flag.
_STATE = struct.Struct(f"<Q2iQ{STATE_WORDS}Q3di4xf?3x")
STATE_BYTES = _STATE.size  # 5056

CAPABILITIES = ("AVX2", "AVX512", "DEFAULT")
GLIBC = (2, 39)  # or later; also Debian's 2.36


def parse_capability(value: object) -> bool:
    """Whether torch's kernels fuse products with sums on a CPU of that capability."""
    name = value.upper() if isinstance(value, str) else value
    if name not in CAPABILITIES:
        raise ValueError(
            f"`cpu_capability` must be one of {', '.join(CAPABILITIES)}, got {show(value)}. Give "
            "what torch.backends.cpu.get_cpu_capability() says where the numbers come from; those "
            "of other CPUs are not known here."
        )
    return name != "DEFAULT"


def parse_seed(seed: object) -> int:
    """A seed as torch's C++ takes it, in [0, 2**64): a negative one wraps around."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"manual_seed expected an int, got {show(seed)} of {type(seed).__name__}.")
    if not -(2**63) <= seed < 2**64:
        raise ValueError(
            f"`seed` must lie in [-2**63, 2**64), got {show(seed)}: torch would overflow when "
            "unpacking it."
        )
    return seed % 2**64


class Generator:
    """A replay of `torch.Generator` on CPU.

    Args:
        device: "cpu", the only one.
        cpu_capability: what `torch.backends.cpu.get_cpu_capability()` says where the numbers come
            from: "AVX2" or "AVX512", which give the same numbers, or "DEFAULT" (a CPU without AVX2,
            or ATEN_CPU_CAPABILITY=default in the environment), where uniforms other than [0, 1) and
            normals differ in their last bits.
        glibc: the C library's version there.  float64 normals, and fewer than 16 of any dtype,
            take their last bits from it; see `glorot.replay._libm`.
        fma: whether the processor there has FMA, which the C library uses whatever torch does.

    A new one is seeded with 67280421310721, as torch's is.  It may be used from several threads;
    the order of their draws is then their own.

    Exact for torch 2.13.0 on x86-64.  The stream is sequential: no draw can be made without the
    words before it, but `skip` passes over them at about a third of a nanosecond a word.

    Raises:
        ValueError: another device or capability.

    Example:
        >>> g = Generator().manual_seed(42)
        >>> g.initial_seed(), len(g.get_state())
        (42, 5056)
        >>> from glorot.replay.torch import rand
        >>> rand(2, generator=g)
        array([0.88226926, 0.91500396], dtype=float32)

    Source: aten/src/ATen/CPUGeneratorImpl.cpp and core/MT19937RNGEngine.h, torch 2.13.0.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        cpu_capability: str = "AVX2",
        glibc: tuple[int, int] = GLIBC,
        fma: bool = True,
    ) -> None:
        if str(device) != "cpu":
            raise ValueError(
                f'`device` must be "cpu", got {show(device)}: other devices draw by other rules, '
                "which are not replayed."
            )
        self._set_machine(cpu_capability, glibc, fma)
        self.lock = threading.RLock()
        self.engine = Engine(DEFAULT_SEED)
        self.next_normal: float | None = None

    def _set_machine(self, cpu_capability: str, glibc: tuple[int, int], fma: bool) -> None:
        fused, libm = parse_capability(cpu_capability), arithmetics(glibc, fma)
        if fused and not fma:
            raise ValueError(
                f"`fma`=False and `cpu_capability`={cpu_capability!r} cannot both be: torch takes "
                'those kernels where FMA is. Give cpu_capability="DEFAULT".'
            )
        self.fused, self.libm, self.cpu_capability = fused, libm, cpu_capability.upper()

    def __getstate__(self) -> dict[str, Any]:
        with self.lock:
            kept = self.__dict__ | {"engine": self.engine.copy()}
        del kept["lock"]
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self.lock = threading.RLock()

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    def __repr__(self) -> str:
        return f"<glorot.replay.torch.Generator of seed {self.engine.seed}, {self.cpu_capability}>"

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream of a seed; a cached normal is dropped.

        Args:
            seed: an int in [-2**63, 2**64); a negative one means `seed + 2**64`.  The stream
                depends on its low 32 bits alone.

        Returns:
            The generator itself.

        Raises:
            TypeError: `seed` is no int (NumPy's are refused too, as in torch).
            ValueError: it leaves the range.
        """
        number = parse_seed(seed)
        with self.lock:
            self.engine, self.next_normal = Engine(number), None
        return self

    def initial_seed(self) -> int:
        """The seed the stream began with, in [0, 2**64)."""
        return self.engine.seed

    def seed(self) -> NoReturn:
        """Refused: torch takes a seed from the system here, which nothing can replay.

        Raises:
            RuntimeError: always.  Where the run kept what torch's `seed()` returned, pass that to
                `manual_seed`: it gives the same stream.
        """
        raise RuntimeError(
            "Generator.seed() takes a seed from the operating system, so there is nothing to "
            "replay. Pass the number that torch's seed() returned to manual_seed()."
        )

    def get_state(self) -> NDArray[np.uint8]:
        """The state as torch saves it: 5056 bytes, uint8, equal to those of `torch.Generator`.

        `torch.Generator().set_state(torch.from_numpy(state))` goes on with the same stream.
        """
        with self.lock:
            engine, cached = self.engine, self.next_normal
            packed = _STATE.pack(
                engine.seed, engine.left, 1, engine.next, *engine.key.tolist(),
                0.0, 0.0 if cached is None else cached, 0.0, cached is not None, 0.0, False,
            )  # fmt: skip
        return np.array(bytearray(packed), dtype=np.uint8)

    def set_state(self, new_state: Any) -> None:
        """Go on where a saved state stopped.

        Args:
            new_state: the 5056 bytes of `get_state`, of this class or of torch's: a uint8 array, or
                anything that NumPy reads as one (a CPU ByteTensor).

        Raises:
            TypeError: it is no uint8 array.
            ValueError: another length, or no state that an MT19937 can be in.
        """
        given = np.asarray(new_state)
        if given.dtype != np.uint8:
            raise TypeError(f"RNG state must be a uint8 array, got {given.dtype}.")
        if given.size != STATE_BYTES:
            raise ValueError(
                f"`new_state` must be the {STATE_BYTES} bytes of a CPU generator's get_state(), "
                f"got {given.size}."
            )
        seed, left, seeded, place, *rest = _STATE.unpack(given.tobytes())
        key, (_, normal, _, is_valid, _, _) = rest[:STATE_WORDS], rest[STATE_WORDS:]
        if not seeded or not 1 <= left <= STATE_WORDS or place > STATE_WORDS:
            raise ValueError(
                "`new_state` is an invalid mt19937 state: its counters are out of range."
            )
        if left != 1 and left + place != STATE_WORDS + 1:
            raise ValueError(
                f"`new_state` is an invalid mt19937 state: {left} words left after {place} of "
                f"{STATE_WORDS}."
            )
        engine = Engine.__new__(Engine)
        engine.seed, engine.left, engine.next = seed, left, place
        engine.key = np.array([word & 0xFFFFFFFF for word in key], dtype=np.uint32)
        with self.lock:
            self.engine, self.next_normal = engine, normal if is_valid else None

    def clone_state(self) -> "Generator":
        """A new generator that will draw the same numbers."""
        made = Generator()
        with self.lock:
            made.fused, made.libm, made.cpu_capability = self.fused, self.libm, self.cpu_capability
            made.engine, made.next_normal = self.engine.copy(), self.next_normal
        return made

    def skip(self, words: int) -> "Generator":
        """Pass over a number of the engine's 32-bit words, without computing them.

        A uniform takes 1 word, in float64 2.  n normals, n >= 16, take n words, and 16 more unless
        n is a multiple of 16 (float64: twice that; float16 and bfloat16: n rounded down to a
        multiple of 16, and 16 more unless it was one).  Fewer than 16 normals take 4 words for
        each pair, and leave or use up the cached normal, which this does not touch.

        Args:
            words: how many, 0 or more.

        Returns:
            The generator itself.

        Raises:
            TypeError: `words` is no integer.
            ValueError: it is negative.

        Example:
            >>> from glorot.replay.torch import rand
            >>> rand(1, generator=Generator().manual_seed(42).skip(1))
            array([0.91500396], dtype=float32)
        """
        count = operator.index(words)
        if count < 0:
            raise ValueError(f"`words` must be 0 or more, got {show(words)}: nothing runs back.")
        with self.lock:
            self.engine.skip(count)
        return self


class _DefaultGenerator(Generator):
    """The one of `manual_seed`: it draws nothing until it has been seeded."""

    def __init__(self) -> None:
        super().__init__()
        self.seeded = False

    def manual_seed(self, seed: int) -> Generator:
        super().manual_seed(seed)
        self.seeded = True
        return self

    def set_state(self, new_state: Any) -> None:
        super().set_state(new_state)
        self.seeded = True


_default = _DefaultGenerator()


def manual_seed(
    seed: Any,
    *,
    cpu_capability: str = "AVX2",
    glibc: tuple[int, int] = GLIBC,
    fma: bool = True,
) -> Generator:
    """Seed the default generator, as `torch.manual_seed` does.

    It is this package's own global state: what every function and layer here draws from when no
    `generator` is given, in the order of the calls.  So code that calls torch.manual_seed(s) and
    then builds layers draws the same numbers here.

    Args:
        seed: what int() takes, in [-2**63, 2**64); a negative one means `seed + 2**64`.
        cpu_capability, glibc, fma: of the machine whose numbers these are; see `Generator`.

    Returns:
        The default generator.

    Raises:
        TypeError, ValueError: `seed` is no number, or leaves the range.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> from glorot.replay.torch import manual_seed, rand
        >>> _ = manual_seed(42)
        >>> rand(2), rand(1)
        (array([0.88226926, 0.91500396], dtype=float32), array([0.38286376], dtype=float32))
    """
    number = parse_seed(int(seed))
    _default._set_machine(cpu_capability, glibc, fma)
    return _default.manual_seed(number)


def initial_seed() -> int:
    """The seed of the default generator, which must have been seeded."""
    return resolve(None).initial_seed()


def get_rng_state() -> NDArray[np.uint8]:
    """The state of the default generator: `Generator.get_state`."""
    return resolve(None).get_state()


def set_rng_state(new_state: Any) -> None:
    """Set the state of the default generator: `Generator.set_state`."""
    _default.set_state(new_state)


def resolve(generator: object) -> Generator:
    """The generator that a call draws from: the default one for None."""
    if isinstance(generator, Generator):
        return generator
    if generator is not None:
        raise TypeError(
            f"`generator` must be a glorot.replay.torch.Generator, got {show(generator)} of "
            f"{type(generator).__name__}. Make one as Generator().manual_seed(seed); set_state() "
            "takes the state of one of torch's."
        )
    if not _default.seeded:
        raise RuntimeError(
            "The default generator has no seed, where torch's has one that nobody knows. Call "
            "glorot.replay.torch.manual_seed(seed) first, or pass `generator`."
        )
    return _default
