# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 equals the installed TensorFlow, byte for byte, and stands in for it."""

import inspect
import json
import random
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import glorot
from glorot.compat import v1

ROOT = Path(__file__).resolve().parents[2]
ORACLE = runpy.run_path(str(ROOT / "tests" / "oracle" / "tensorflow_v1.py"))

pytestmark = pytest.mark.frameworks

# Initializers of both sides, by their dotted names within compat.v1, with the options to try.
NAMES = [
    ("keras.initializers.glorot_uniform", {}),
    ("keras.initializers.he_uniform", {}),
    ("initializers.lecun_uniform", {}),
    ("keras.initializers.RandomUniform", {"minval": -1, "maxval": 1}),
    ("uniform_unit_scaling_initializer", {}),
    ("glorot_normal_initializer", {}),
    ("keras.initializers.he_normal", {}),
    ("keras.initializers.RandomNormal", {"mean": 0.5}),
    ("truncated_normal_initializer", {"stddev": 3.0}),
    ("variance_scaling_initializer", {"distribution": "untruncated_normal"}),
]


def make(namespace, name, **options):
    """The initializer of a dotted name within either side's compat.v1."""
    for part in name.split("."):
        namespace = getattr(namespace, part)
    return namespace(**options)


@pytest.fixture(autouse=True)
def fresh(tf):
    """Both sides start without a graph seed and without kernel state."""
    for namespace in (tf.compat.v1, v1):
        namespace.set_random_seed(None)


def test_random_sequences_of_calls_agree(tf):
    """400 random sequences (initializer or function, seeds negative and huge, shape, dtype,
    partition, eager, graph and tf.function, repeated and mixed calls) give TensorFlow's bytes."""
    cases = ORACLE["make_cases"](400, seed=20)
    wrong = [
        json.dumps(case)
        for case in cases
        if ORACLE["glorot_values"](case) != ORACLE["tensorflow_values"](case)
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)} differ, first: {wrong[0]}"
    assert {case["mode"] for case in cases} == {"eager", "graph", "function"}


def test_recorded_vectors_are_this_tensorflows(tf):
    """The vector files' calls are what the installed TensorFlow gives, and the kernel rows of the
    normals what the C library gives TensorFlow's formulas."""
    rows = [
        row
        for law in ("uniform", "normal")
        for row in (ROOT / "tests" / "vectors" / f"tensorflow-v1-{law}.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    recorded = [row for row in rows if row.startswith(("eager", "graph"))]
    assert sorted(ORACLE["vector_rows"]()) == sorted(recorded)
    kernels = [row for row in rows if row.startswith(("kernel normal", "kernel truncated"))]
    philox = runpy.run_path(str(ROOT / "tests" / "oracle" / "tensorflow_philox.py"))
    assert list(philox["normal_rows"]()) == kernels


def test_shapes_of_every_kind_select_the_same_kernel(tf):
    """Tensors, TensorShapes, Dimensions and arrays as shapes share states as they do there."""
    dimension = tf.compat.v1.Dimension
    shapes = [
        (3,), [3], np.array([3]), np.array([3], np.int32), tf.TensorShape([3]), tf.constant([3]),
        tf.constant([3], tf.int64), (dimension(3),), (np.int64(3),),
    ]  # fmt: skip
    rng = random.Random(4)
    for seed in range(20):
        for shape in rng.sample(shapes, len(shapes)):
            options = {"seed": seed % 3}
            theirs = make(tf.compat.v1, "glorot_uniform_initializer", **options)(shape).numpy()
            assert (make(v1, "glorot_uniform_initializer", **options)(shape) == theirs).all()


def test_tensorflow_dtypes_are_accepted(tf):
    """tf.DType objects name dtypes, in constructors and calls."""
    init = v1.glorot_uniform_initializer(seed=1, dtype=tf.float64)
    assert init.get_config() == {"seed": 1, "dtype": "float64"}
    for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64):
        values = init((5, 2), dtype)
        theirs = tf.compat.v1.glorot_uniform_initializer(seed=1)((5, 2), dtype).numpy()
        assert values.dtype == theirs.dtype == dtype.as_numpy_dtype
        assert values.tobytes() == theirs.tobytes()


def test_configs_are_tensorflows(tf):
    """get_config has TensorFlow's keys and values, and TensorFlow's configs are read."""
    for name, options in [*NAMES, ("keras.initializers.Zeros", {}), ("ones_initializer", {}),
                          ("keras.initializers.constant", {"value": [1, 2]}),
                          ("initializers.identity", {"gain": 2.0})]:  # fmt: skip
        theirs, ours = make(tf.compat.v1, name, **options), make(v1, name, **options)
        assert ours.get_config() == theirs.get_config()
        assert type(ours).__name__ == type(theirs).__name__
        assert type(ours).from_config(theirs.get_config()).get_config() == theirs.get_config()


def test_names_are_all_there(tf):
    """Every initializer name of TensorFlow's three namespaces is ours too, with the same objects
    behind the same names, and the same signatures."""
    not_weights = {"global_variables", "local_variables", "tables_initializer", "variables"}
    for path in ("initializers", "keras.initializers"):
        theirs, ours = tf.compat.v1, v1
        for part in path.split("."):
            theirs, ours = getattr(theirs, part), getattr(ours, part)
        names = {n for n in dir(theirs) if not n.startswith("_")} - not_weights
        assert names <= set(ours.__all__), names - set(ours.__all__)
        for name in names - {"serialize", "deserialize", "get", "Initializer"}:
            parameters = inspect.signature(getattr(ours, name)).parameters.values()
            plain = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
            wanted = inspect.signature(getattr(theirs, name)).parameters.values()
            assert [p.name for p in plain] == [p.name for p in wanted], name
            for got, want in zip(plain, wanted, strict=True):
                assert got.default == getattr(want.default, "name", want.default), name
    names = {name for name in dir(tf.compat.v1) if name.endswith("_initializer")}
    for name in names:
        if "variables" not in name and "tables" not in name:
            assert callable(getattr(v1, name))


@pytest.mark.parametrize("name", ["random_uniform", "random_normal", "truncated_normal"])
def test_functions_have_tensorflows_arguments(tf, name):
    """So do the functions."""
    ours, theirs = (inspect.signature(getattr(n, name)) for n in (v1, tf.compat.v1))
    for got, want in zip(ours.parameters.values(), theirs.parameters.values(), strict=True):
        assert got.name == want.name
        assert got.default == getattr(want.default, "name", want.default)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-13)], ids=["float32", "float64"]
)
def test_orthogonal_is_near(tf, dtype, tolerance):
    """The same matrix but for rounding; the state of its draw is shared and advances."""
    rng = random.Random(6)
    shapes = [(1, 1), (4, 4), (5, 9), (9, 5), (3, 3, 4, 8), (300, 40), (200, 256), (2, 0), (0, 3)]
    for shape in shapes:
        for graph_seed in (None, 3):
            options = {"seed": rng.choice([1, 2**40, -3]), "gain": rng.choice([1.0, -2, 0.3])}
            for namespace in (tf.compat.v1, v1):
                namespace.set_random_seed(graph_seed)
            init = [make(n, "orthogonal_initializer", **options) for n in (tf.compat.v1, v1)]
            for _ in range(2):
                theirs, ours = (np.asarray(f(shape, dtype)) for f in init)
                assert ours.shape == theirs.shape == shape
                assert ours.dtype == theirs.dtype
                bound = tolerance * abs(options["gain"])
                assert np.abs(ours - theirs).max(initial=0) < bound, (shape, options)
            # the draws before left both states alike
            drawn = [n.random_normal((3,), dtype=dtype, seed=options["seed"])
                     for n in (tf.compat.v1, v1)]  # fmt: skip
            assert np.asarray(drawn[0]).tobytes() == drawn[1].tobytes()


def variables(tf, init, parts, graph_seed, dtype):
    """Two variables made by get_variable in a fresh graph, and their parts, as bytes."""
    v1_tf = tf.compat.v1
    partitioner = parts and v1_tf.fixed_size_partitioner(parts)
    with tf.Graph().as_default(), v1_tf.Session() as session:
        if graph_seed is not None:
            v1_tf.set_random_seed(graph_seed)
        with v1_tf.variable_scope("scope", partitioner=partitioner):
            made = [
                v1_tf.get_variable(n, [7, 4], dtype, initializer=init, use_resource=resource)
                for n, resource in (("first", True), ("second", False))
            ]
        session.run(v1_tf.global_variables_initializer())
        return [[part.tobytes() for part in session.run(list(v) if partitioner else [v])]
                for v in made]  # fmt: skip


@pytest.mark.parametrize("parts", [None, 2, 3])
@pytest.mark.parametrize(("name", "options"), NAMES)
def test_get_variable_in_a_graph(tf, name, options, parts):
    """As `initializer=` within a tf.Graph, with the graph's own seeds and any partitioner, the
    variables hold what TensorFlow's initializer puts there; parts with a seed repeat."""
    for graph_seed, seed in [(None, 5), (3, 5), (3, None), (2**40, -1)]:
        for dtype in (tf.float16, tf.float32, tf.float64):
            given = options | {"seed": seed}
            theirs, ours = (
                variables(tf, make(namespace, name, **given), parts, graph_seed, dtype)
                for namespace in (tf.compat.v1, v1)
            )
            assert ours == theirs, (graph_seed, seed, dtype)
            if parts == 2 and seed is not None:
                first, second = ours[0]
                assert first[: len(second)] == second


@pytest.mark.parametrize("parts", [None, 3])
@pytest.mark.parametrize(("name", "options"), NAMES)
def test_get_variable_eagerly(tf, name, options, parts):
    """As `initializer=` in eager mode, the variables follow one another as TensorFlow's do."""

    def run(namespace):
        namespace.set_random_seed(9)
        partitioner = parts and tf.compat.v1.fixed_size_partitioner(parts)
        values = []
        for number, seed in enumerate((1, None, 1)):
            made = tf.compat.v1.get_variable(
                f"w{number}", [7, 4], partitioner=partitioner,
                initializer=make(namespace, name, seed=seed, **options),
            )  # fmt: skip
            values += [part.numpy().tobytes() for part in (made if parts else [made])]
        assert len(set(values)) == len(values)
        return values

    assert run(v1) == run(tf.compat.v1)


def test_set_random_seed_within_a_tensorflow_graph(tf):
    """Within a graph TensorFlow builds, glorot's set_random_seed sets that graph's seed."""
    with tf.Graph().as_default() as graph:
        v1.set_random_seed(12)
        assert graph.seed == 12
        assert v1.get_seed(None) == (12, 0)
        assert v1.get_seed(None) == (12, 1)
        v1.set_random_seed(None)
        assert v1.get_seed(None) == (None, None)
        assert not np.array_equal(*(v1.glorot_uniform_initializer()((4,)) for _ in range(2)))
        with v1.Graph(seed=5).as_default():  # an explicit graph of ours goes first
            assert v1.get_seed(1) == (5, 1)
    assert v1.get_seed(1) == (87654321, 1)


def test_glorots_own_initializer_gives_slices(tf):
    """In the same place glorot.GlorotUniform gives each part its slice of the whole."""
    init = glorot.GlorotUniform(seed=1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        partitioner = tf.compat.v1.fixed_size_partitioner(3)
        made = tf.compat.v1.get_variable("w", [7, 4], initializer=init, partitioner=partitioner)
        session.run(tf.compat.v1.global_variables_initializer())
        assert (session.run(made.as_tensor()) == init((7, 4))).all()


def test_keras_3_takes_tensorflows_name(tf):
    """The trap of docs/migrating.md: where Keras 3 is installed and TF_USE_LEGACY_KERAS is not
    set, tf.compat.v1.keras.initializers.glorot_uniform gives Keras 3's numbers."""
    code = (
        "import os; os.environ.pop('TF_USE_LEGACY_KERAS'); import tensorflow as tf;"
        "init = tf.compat.v1.keras.initializers.glorot_uniform; print(init.__module__);"
        "print(*(float(x).hex() for x in init(seed=42)((3, 4)).numpy()[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    module, numbers = done.stdout.splitlines()
    assert module.startswith("keras.")
    assert numbers.split()[0] == "-0x1.9c86280000000p-2"
    ours = v1.keras.initializers.glorot_uniform(seed=42)((3, 4))[0]
    assert float(ours[0]).hex() == "0x1.acc5780000000p-1"
