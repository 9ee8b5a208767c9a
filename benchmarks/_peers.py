# SPDX-License-Identifier: Apache-2.0
"""How each installed peer fills a weight: one function a peer, [] where it has no such law."""

import ctypes
import functools
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import glorot
from benchmarks._harness import Contender, checker, targets

STDDEV = 0.02
NAME = "w"
MEMSET_BYTE = 0x5A  # not 0: some CPUs clear memory by a shortcut that no values can take
REFERENCE_MOST = 16 << 20  # bytes; the reference's speed does not change beyond
NEW = "new array each call"
BARE = {"uniform": "[0, 1): not scaled", "normal": "N(0, 1): not scaled"}

Shape = tuple[int, int]


def initializer(law: str) -> Any:
    """glorot's initializer of this law."""
    if law == "uniform":
        return glorot.GlorotUniform(seed=42)
    if law == "normal":
        return glorot.RandomNormal(stddev=STDDEV, seed=42)
    return glorot.TruncatedNormal(stddev=STDDEV, seed=42)


def installed(module: str) -> bool:
    """Whether a peer can be imported."""
    return importlib.util.find_spec(module) is not None


def touched(shape: tuple[int, ...], dtype: str) -> Any:
    """An array of glorot's dtype whose pages are all there."""
    init = glorot.Zeros(dtype=dtype)
    out = init(shape)
    out.view(np.uint8)[...] = MEMSET_BYTE
    return out


def ours(law: str, shape: Shape, out: Any) -> list[Contender]:
    """glorot in place on every target, and into a new array."""
    init = initializer(law)
    check = checker(init, shape, NAME)
    dtype = out.dtype

    def fill() -> Any:
        return init(shape, name=NAME, out=out)

    wanted = targets()
    if out.nbytes <= REFERENCE_MOST or not wanted:
        wanted = [*wanted, "reference"]
    found = [Contender(f"glorot {t}", fill, "glorot", target=t, check=check) for t in wanted]
    new = Contender(
        f"glorot {wanted[0]}, new",
        lambda: init(shape, dtype, name=NAME),
        "glorot",
        target=wanted[0],
        check=check,
        note=NEW,
    )
    return [*found, new]


def ceiling(out: Any) -> list[Contender]:
    """memset by one thread, and by as many as glorot may use."""
    libc = ctypes.CDLL("msvcrt" if os.name == "nt" else None)
    memset = libc.memset
    memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    memset.restype = ctypes.c_void_p
    address, nbytes = out.ctypes.data, out.nbytes
    found = [Contender("memset", lambda: memset(address, MEMSET_BYTE, nbytes), "ceiling")]
    threads = glorot.config()["threads"]
    if threads > 1:
        pool = ThreadPoolExecutor(threads)
        each = nbytes // threads

        def all_threads() -> None:
            starts = [address + each * i for i in range(threads)]
            list(pool.map(lambda start: memset(start, MEMSET_BYTE, each), starts))

        note = f"{threads} threads, one memset each"
        found.append(Contender("memset, all", all_threads, "ceiling", note=note))
    return found


def numpy_peer(law: str, shape: Shape, out: Any) -> list[Contender]:
    """Generator.random and standard_normal, float32 alone, scaled by two or one passes in place;
    also bare, which gives no weight and is shown for what it is worth."""
    if out.dtype != np.float32 or law == "truncated":
        return []
    found = []
    bound = np.float32(initializer("uniform").law(shape).scale)
    for bits in (np.random.PCG64, np.random.Philox):
        generator = np.random.Generator(bits(42))
        draw = generator.random if law == "uniform" else generator.standard_normal
        bare = functools.partial(draw, dtype=np.float32, out=out)

        def scaled(bare: Callable[[], Any] = bare) -> None:
            bare()
            if law == "uniform":
                np.multiply(out, 2 * bound, out=out)
                np.subtract(out, bound, out=out)
            else:
                np.multiply(out, np.float32(STDDEV), out=out)

        name = f"numpy {bits.__name__}"
        found.append(Contender(name, scaled, "peer"))
        found.append(Contender(f"{name}, bare", bare, "bare", note=BARE[law]))
    return found


def torch_peer(law: str, shape: Shape, out: Any) -> list[Contender]:
    """torch.nn.init on the same memory."""
    if not installed("torch"):
        return []
    import torch

    torch.set_num_threads(glorot.config()["threads"])
    if out.dtype == np.float32:
        tensor = torch.from_numpy(out)
    else:
        tensor = torch.from_numpy(out.view(np.int16)).view(torch.bfloat16)
    init = torch.nn.init
    run = {
        "uniform": ("xavier_uniform_", lambda: init.xavier_uniform_(tensor)),
        "normal": ("normal_", lambda: init.normal_(tensor, std=STDDEV)),
        "truncated": (
            "trunc_normal_",
            lambda: init.trunc_normal_(tensor, std=STDDEV, a=-2 * STDDEV, b=2 * STDDEV),
        ),
    }[law]
    return [Contender(f"torch {run[0]}", run[1], "peer")]


def tensorflow_peer(law: str, shape: Shape, out: Any) -> list[Contender]:
    """TensorFlow's v1 classes, run eagerly."""
    if not installed("tensorflow"):
        return []
    import tensorflow as tf

    v1 = tf.compat.v1
    dtype = tf.as_dtype(out.dtype)
    init = {
        "uniform": lambda: v1.glorot_uniform_initializer(seed=42),
        "normal": lambda: v1.random_normal_initializer(stddev=STDDEV, seed=42),
        "truncated": lambda: v1.truncated_normal_initializer(stddev=STDDEV, seed=42),
    }[law]()
    return [Contender("tensorflow v1", lambda: init(shape, dtype=dtype), "peer", note=NEW)]


def keras_peer(law: str, shape: Shape, out: Any) -> list[Contender]:
    """Keras 3's classes on whichever backend it is set to."""
    if not installed("keras") or not installed(os.environ.get("KERAS_BACKEND", "tensorflow")):
        return []
    import keras

    dtype = out.dtype.name
    init = {
        "uniform": lambda: keras.initializers.GlorotUniform(seed=42),
        "normal": lambda: keras.initializers.RandomNormal(stddev=STDDEV, seed=42),
        "truncated": lambda: keras.initializers.TruncatedNormal(stddev=STDDEV, seed=42),
    }[law]()

    def run() -> Any:
        made = init(shape, dtype=dtype)
        return made.block_until_ready() if hasattr(made, "block_until_ready") else made

    return [Contender(f"keras on {keras.backend.backend()}", run, "peer", note=NEW)]


def jax_peer(law: str, shape: Shape, out: Any) -> list[Contender]:
    """jax.nn.initializers, jitted; compiled before the timing."""
    if not installed("jax"):
        return []
    import jax

    init = {
        "uniform": jax.nn.initializers.glorot_uniform,
        "normal": lambda: jax.nn.initializers.normal(STDDEV),
        "truncated": lambda: jax.nn.initializers.truncated_normal(STDDEV),
    }[law]()
    dtype = jax.numpy.dtype(out.dtype)
    drawn = jax.jit(lambda key: init(key, shape, dtype))
    key = jax.random.key(42)
    drawn(key).block_until_ready()
    return [Contender("jax", lambda: drawn(key).block_until_ready(), "peer", note=NEW)]


def peers(law: str, shape: Shape, out: Any) -> list[Contender]:
    """Every installed peer that has this law in the dtype of `out`."""
    every = (numpy_peer, torch_peer, tensorflow_peer, keras_peer, jax_peer)
    return [contender for peer in every for contender in peer(law, shape, out)]
