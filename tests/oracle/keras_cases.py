# SPDX-License-Identifier: Apache-2.0
"""Random uses of Keras 3's random numbers and initializers, and how each side runs them.

A case is a session: perhaps set_random_seed, perhaps a SeedGenerator, then some steps, each a draw,
an initializer called once or twice, or the generator's next state.  It is plain JSON.  `run` works
on `keras` and on `glorot.replay.keras` alike; what comes back is a list of (dtype, shape, bytes),
or "refused" where the side raised.
"""

import hashlib
import json
import random
import warnings

BACKENDS = ("tensorflow", "torch", "jax", "numpy")
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SEEDS = (0, 1, 42, 2**31 - 3, 2**31 - 2, 2**31 - 1, 2**31, 2**32 - 1)
OUTSIDE = (-1, 2**32, 2**40 + 5, -(2**31), -(2**40), 2**63 - 1, 2**63, True)
# A few dozen shapes, since JAX compiles each.
SHAPES = (
    [], [0], [1], [2], [3], [4], [5], [7], [15], [16], [17], [33], [40], [300], [1001],
    [0, 3], [3, 0, 2], [1, 1], [2, 3], [3, 4], [4, 4], [7, 5], [5, 7], [8, 16], [64, 33],
    [2, 3, 4], [3, 3, 2, 4], [1, 2, 3, 2, 3], [4099],
)  # fmt: skip
LIMITS = (0, 0.0, 1, -1, -3, 0.1, -0.05, 1.00048828125 + 1e-12, 2.5, 17.0, -1e-3, 1 / 3)
STDDEVS = (1.0, 2, 0.05, 1.00048828125 + 1e-12, 17.0, 1 / 3, 0.02)
SCALED = ("GlorotUniform", "GlorotNormal", "LecunUniform", "LecunNormal", "HeUniform", "HeNormal")
SPELLINGS = {"GlorotUniform": "glorot_uniform", "HeNormal": "he_normal", "Zeros": "zeros"}


def random_axes(rng, shape):
    """Options that name axes of a shape."""
    if not shape or rng.random() < 0.7:
        return {}
    some = [rng.randrange(-len(shape), len(shape)) for _ in range(rng.randrange(1, 4))]
    more = [rng.randrange(len(shape)) for _ in range(rng.randrange(3))]
    return {"input_axes": some, **({"output_axes": more} if rng.random() < 0.8 else {})}


def random_law(rng):
    """(name, options) of a law of keras.random."""
    name = rng.choice(("uniform", "normal", "truncated_normal"))
    if rng.random() < 0.3:
        return name, {}
    if name == "uniform":
        return name, {"minval": rng.choice(LIMITS), "maxval": rng.choice(LIMITS)}
    return name, {"mean": rng.choice((0.0, *LIMITS)), "stddev": rng.choice(STDDEVS)}


def random_initializer(rng, shape):
    """(name, options) of an initializer."""
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(SCALED), random_axes(rng, shape)
    if kind < 0.65:
        options = {
            "scale": rng.choice((0.1, 1.0, 2, 3.7, 1e-3)),
            "mode": rng.choice(("fan_in", "fan_out", "fan_avg")),
            "distribution": rng.choice(
                ("uniform", "Uniform", "normal", "truncated_normal", "Untruncated_Normal")
            ),
        }
        return "VarianceScaling", {**options, **random_axes(rng, shape)}
    if kind < 0.85:
        name, options = random_law(rng)
        names = {
            "uniform": "RandomUniform", "normal": "RandomNormal",
            "truncated_normal": "TruncatedNormal",
        }  # fmt: skip
        return names[name], options
    name = rng.choice(("Zeros", "Ones", "Constant", "Identity"))
    if name == "Constant":
        lists = {2: [0.1, 2.7], 3: [3, -1, 0.7]}
        fitting = [lists[size] for size in shape[-1:] if size in lists]
        return name, {"value": rng.choice((*LIMITS, True, *fitting))}
    return name, {"gain": rng.choice((1.0, 2, -0.3, LIMITS[7]))} if name == "Identity" else {}


def random_step(rng, kind):
    """One step."""
    shape = rng.choice(SHAPES)
    step = {"shape": shape, "dtype": rng.choice((None, *FLOATS)), "options": {}}
    if kind < 0.05:
        return {"name": "next", "options": {"ordered": rng.random() < 0.5}}
    if kind < 0.15:
        width = rng.choice((10, 100, 255, 30000, 2**31 - 1, 2**31, 2**33))
        low = rng.choice((0, 0, 1, -3, -100))
        options = {"minval": low, "maxval": low + width}
        step["shape"] = shape if 0 not in shape else [2]  # the limits of nothing are not looked at
        return {**step, "name": "random.randint", "options": options,
                "dtype": rng.choice(INTEGERS)}  # fmt: skip
    if kind < 0.5:
        name, options = random_law(rng)
        return {**step, "name": f"random.{name}", "options": options}
    name, options = random_initializer(rng, shape)
    if name == "Constant" and rng.random() < 0.4:
        step["dtype"] = rng.choice((*INTEGERS, "bool"))
        options = {"value": rng.choice((0, 1, 7, 100, 2.7, True))}
    if rng.random() < 0.4:
        name = SPELLINGS.get(name, name)
    return {**step, "name": f"initializers.{name}", "options": options,
            "calls": rng.choice((1, 1, 2)), "clone": rng.random() < 0.2}  # fmt: skip


def random_seed(rng, backend):
    """A seed that the backend takes; seldom one that it may not."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(SEEDS)
    if kind < 0.5:
        return rng.choice(OUTSIDE)
    return rng.randrange(2**32 if backend in ("jax", "numpy") else 2**63)


def make_cases(count, seed, backend):
    """Sessions of one backend."""
    rng = random.Random(f"{backend} {seed}")
    cases = []
    for _ in range(count):
        case = {"random_seed": None, "generator": None, "steps": []}
        source = rng.choice(("integer", "integer", "generator", "random_seed"))
        if source != "integer":
            case[source] = rng.randrange(2**31)
        if source == "generator" and rng.random() < 0.3:
            case[source] = random_seed(rng, backend)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            step = random_step(rng, rng.uniform(0.0 if source == "generator" else 0.05, 1.0))
            constant = any(step["name"].lower().endswith(name) for name in (
                "zeros", "ones", "constant", "identity"))  # fmt: skip
            if step["name"] != "next" and not constant:
                if source == "integer" or (source == "random_seed" and rng.random() < 0.2):
                    step["seed"] = random_seed(rng, backend)
                elif source == "generator":
                    step["seed"] = "generator"
            case["steps"].append(step)
        cases.append(case)
    return cases


# --- running a case ------------------------------------------------------------------------------


def encode(array):
    """An array of NumPy as JSON."""
    return [str(array.dtype), list(array.shape), array.tobytes().hex()]


def digest(answer):
    """A short text that stands for the answers of a case."""
    return hashlib.sha256(json.dumps(answer).encode()).hexdigest()[:16]


def words(answer, count=6):
    """The first elements of one array, as bits."""
    dtype, _, text = answer
    width = 16 if "64" in dtype else 4 if "16" in dtype else 2 if "8" in dtype else 8
    parts = [text[i : i + width] for i in range(0, len(text), width)][:count]
    return [bytes.fromhex(part)[::-1].hex() for part in parts]


def run(namespace, case, to_numpy):
    """The answers of either side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [
                answer if isinstance(answer, str) else encode(to_numpy(answer))
                for answer in answers(namespace, case)
            ]
        except Exception:  # whatever a framework refuses with
            return "refused"


def answers(namespace, case):
    """What the steps give, in turn."""
    if case["random_seed"] is not None:
        namespace.utils.set_random_seed(case["random_seed"])
    generator = None
    if case["generator"] is not None:
        generator = namespace.random.SeedGenerator(case["generator"])
    for step in case["steps"]:
        options = dict(step["options"])
        if "seed" in step:
            options["seed"] = generator if step["seed"] == "generator" else step["seed"]
        if step["name"] == "next":
            yield generator.next(**options)
            continue
        package, name = step["name"].split(".")
        found = getattr(getattr(namespace, package), name)
        if package == "random":
            yield found(step["shape"], dtype=step["dtype"], **options)
            continue
        made = found(**options)
        if step["clone"]:
            made = made.clone()
        for _ in range(step["calls"]):
            yield made(step["shape"], step["dtype"])


def run_ours(case, backend, arithmetic="fma"):
    """The answers of glorot.replay.keras."""
    from glorot.replay import keras

    keras.config.set_backend(backend, arithmetic=arithmetic)
    try:
        return run(keras, case, lambda array: array)
    finally:
        keras.config.set_backend(None)
        keras.utils.set_random_seed(None)


def run_keras(case):
    """The answers of the installed Keras, on the backend that KERAS_BACKEND says."""
    import keras
    import numpy as np

    def to_numpy(tensor):
        # Keras' own conversion fails on TensorFlow's scalars of bfloat16.
        if keras.backend.backend() == "tensorflow":
            return np.asarray(tensor.numpy())
        return keras.ops.convert_to_numpy(tensor)

    return run(keras, case, to_numpy)
