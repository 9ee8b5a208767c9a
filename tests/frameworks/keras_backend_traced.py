# SPDX-License-Identifier: Apache-2.0
"""glorot.keras where a framework traces, compiles or places what it draws.

Run by test_keras.py on each backend.
"""

import contextlib
import threading

import keras
import keras_models
import numpy as np
import pytest
from keras import layers
from keras_init_cases import BACKEND, MARKS, RECIPE, SEED, built, only_on, values

import glorot
import glorot.keras
from glorot.keras import _tensors
from glorot.keras._tensors import to_numpy
from glorot.testing import assert_initialized

pytestmark = MARKS

# What each class is made of and called with, where it is not nothing and (6, 4).
ARGUMENTS = {"Sparse": (0.5,), "Blocks": ("he_normal", 2), "SinCosGrid": ((3, 2),)}
SHAPES = {
    "Dirac": (3, 3, 4, 6),
    "DeltaOrthogonal": (3, 3, 4, 6),
    "SamplingOffsets": (8 * 4 * 2,),
}


@only_on("jax")
@pytest.mark.parametrize("name", sorted(glorot.keras._classes._CLASSES))
def test_traced(name):
    """Under `jax.jit`, and as Keras jits an initializer whose result is sharded: every class."""
    import jax

    cls = getattr(glorot.keras, name)
    options = {"seed": SEED, "name": "w"} if cls.of.random else {}
    made = cls(*ARGUMENTS.get(name, ()), **options)
    shape = SHAPES.get(name, (6, 4))
    wanted = to_numpy(made(shape))
    jitted = jax.jit(made.__call__, static_argnames=["shape", "dtype"])

    assert to_numpy(jax.jit(lambda: made(shape))()).tobytes() == wanted.tobytes()
    assert to_numpy(jitted(shape=shape, dtype="float32")).tobytes() == wanted.tobytes()


@only_on("jax")
def test_what_is_traced_is_seen():
    """As JAX says it by a computation, inside of each transformation, out of it, on a thread."""
    import jax
    import jax.numpy as jnp

    found = {}

    def look(where, value=0.0):
        traced = isinstance(jnp.zeros(()), jax.core.Tracer)
        assert _tensors._tracing() == traced, where
        found[where] = traced
        return value

    def inside(value):
        with jax.ensure_compile_time_eval():
            look("known as it is compiled")
        return look("jit", value)

    look("nothing")
    jax.jit(inside)(1.0)
    jax.eval_shape(lambda: look("eval_shape"))
    jax.vmap(lambda value: look("vmap", value))(jnp.ones(2))
    jax.grad(lambda value: look("grad", value))(1.0)
    jax.jit(jax.vmap(lambda value: look("vmap in jit", value)))(jnp.ones(2))
    jax.lax.fori_loop(0, 2, lambda _, value: look("loop", value), 1.0)
    with jax.disable_jit():
        jax.jit(lambda: look("jit that is off"))()
    thread = threading.Thread(target=look, args=("thread",))
    thread.start()
    thread.join()
    look("nothing again")

    assert {where for where, traced in found.items() if traced} == {
        *("jit", "eval_shape", "vmap in jit", "loop"),
    }
    assert len(found) == 11


@only_on("tensorflow")
def test_values_are_tensorflows_own():
    """A tensor takes over the memory that was filled, which no other has; in a graph and of a
    narrow type it is a copy."""
    import tensorflow as tf

    init = glorot.keras.HeNormal(seed=SEED, name="w")
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        wanted = glorot.HeNormal()((6, 4), dtype, seed=SEED, name="w").tobytes()
        eager = [init((6, 4), dtype) for _ in range(2)]
        graph = tf.function(lambda dtype=dtype: init((6, 4), dtype))
        changed = keras.Variable(eager[0])
        changed.assign(changed + 1)
        made = [*eager, graph(), init((6, 4), dtype)]
        assert [to_numpy(value).tobytes() == wanted for value in made] == [True] * 4, dtype
        assert [value.dtype for value in made] == [tf.dtypes.as_dtype(dtype)] * 4
        assert to_numpy(changed.value).tobytes() != wanted


@only_on("jax")
def test_tracing_needs_a_seed():
    """The global generator would be asked once for all runs; one that is passed is traced."""
    import jax

    with pytest.raises(ValueError, match="tracing"):
        jax.jit(lambda: glorot.keras.HeNormal()((2, 2)))()


@only_on("tensorflow")
def test_in_a_tf_function():
    """Each run takes the next seed; with one the value is that of everywhere."""
    import tensorflow as tf

    def runs(seed, wrap):
        keras.utils.set_random_seed(3)
        init = glorot.keras.HeNormal(seed=seed and keras.random.SeedGenerator(seed))
        init((2, 2))  # or TensorFlow traces anew, for the global generator that Keras makes
        call = wrap(lambda: init((2, 2)))
        return [call().numpy().tobytes() for _ in range(3)]

    for seed in (None, 3):
        assert len(set(runs(seed, tf.function))) == 3
        assert runs(seed, tf.function) == runs(seed, lambda call: call)
    found = tf.function(lambda: glorot.keras.HeNormal(seed=SEED)((2, 2)))()
    assert (found.numpy() == glorot.HeNormal()((2, 2), seed=SEED)).all()


@only_on("tensorflow")
def test_a_graph_of_tensorflow_1_needs_a_seed():
    """Nothing is eager around it, so there is no next seed."""
    import tensorflow as tf

    with tf.Graph().as_default(), pytest.raises(ValueError, match=r"tf\.Graph\. Give it `seed`"):
        glorot.keras.HeNormal()((2, 2))


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
def test_layers_that_fit_builds(jit_compile):
    """A Sequential model without an Input is built by its first batch, inside of the train step's
    graph on TensorFlow: it has the weights of one that was built before."""

    def make(build):
        keras.utils.set_random_seed(3)
        ours = {"kernel_initializer": glorot.keras.HeNormal()}
        model = keras.Sequential([layers.Dense(5, **ours), layers.Dense(3, **ours)])
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit_compile)
        build(model)
        return glorot.keras.fingerprint(model)

    x, y = np.ones((6, 4), "float32"), np.ones((6, 3), "float32")
    fitted = make(lambda model: model.fit(x, y, batch_size=2, verbose=0))
    assert fitted == make(lambda model: model.build((None, 4)))


@contextlib.contextmanager
def four_devices():
    """Kernels split by columns over four devices: of dense layers and of 1 x 1 convolutions."""
    devices = keras.distribution.list_devices()
    assert len(devices) == 4
    layout = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((4,), ["model"], devices))
    layout["dense.*kernel"] = (None, "model")
    layout["conv_pw.*kernel"] = (None, None, None, "model")
    with keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="model").scope():
        yield


@only_on("jax")
def test_each_device_has_its_part():
    """Under ModelParallel the values are those without it, by the initializer and by `init`."""
    init = glorot.keras.GlorotUniform(seed=SEED, name="w")
    wanted = glorot.GlorotUniform()((6, 8), seed=SEED, name="w")
    with four_devices():
        layer = built(layers.Dense(8, name="dense", kernel_initializer=init), 6)
        free = built(layers.Dense(8, name="dense_1", kernel_initializer="glorot>HeNormal"), 6)
    array = layer.kernel._value

    assert len(array.sharding.device_set) == 4
    assert {part.data.shape for part in array.addressable_shards} == {(6, 2)}
    assert (values(layer.kernel) == wanted).all()
    assert len(set(values(free.kernel).ravel().tolist())) > 40

    report = glorot.keras.init(layer, "he_normal", seed=SEED)
    array = layer.kernel._value
    assert (values(layer.kernel) == glorot.HeNormal()((6, 8), seed=SEED, name="kernel")).all()
    assert {part.data.shape for part in array.addressable_shards} == {(6, 2)}
    assert [shard.start for shard in report.parameters[0].shards] == [
        (0, 0),
        (0, 2),
        (0, 4),
        (0, 6),
    ]
    assert report.parameters[1].count == 8  # replicated: computed once
    assert glorot.keras.fingerprint(layer) == glorot.fingerprint(
        {"kernel": values(layer.kernel), "bias": values(layer.bias)}
    )


@only_on("jax")
def test_weights_stay_on_their_device():
    """One that was made on another device than JAX's first is filled there, and may be moved still:
    the weights of a model made on the host do not go to the accelerator."""
    import jax

    with keras.device("cpu:2"):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    model.layers[0].bias.assign(jax.device_put(np.ones(3, "float32"), jax.devices()[1]))

    def places():
        return [(*w._value.devices(), w._value.committed) for w in model.weights]

    before = places()
    glorot.keras.init(model, RECIPE, seed=SEED)
    devices = jax.devices()
    assert before == [(devices[2], False), (devices[1], True), *[(devices[2], False)] * 2]
    assert places() == before
    assert assert_initialized(model, RECIPE, seed=SEED).ok


@only_on("jax")
def test_an_application_model_sharded_is_whole():
    """Every weight of MobileNet over four devices has NumPy's bytes, its 1 x 1 kernels in four
    parts."""
    with four_devices():
        model = keras_models.application()
    report = glorot.keras.init(model, RECIPE, seed=SEED)
    found = {p.names[0]: p.variable for p in glorot.keras._names.collect(model).parameters}

    assert len(report.parameters) == len(found) == len(model.trainable_weights)
    cut = 0
    for each in report.parameters:
        wanted = each.initializer(each.shape, each.dtype, seed=SEED, name=each.name)
        assert values(found[each.name]).tobytes() == wanted.tobytes(), each.name
        parts = {part.data.shape for part in found[each.name]._value.addressable_shards}
        cut += parts == {(*each.shape[:-1], each.shape[-1] // 4)}
    assert cut == 13


@only_on("jax")
def test_no_64_bit_types():
    """What JAX would narrow in silence is refused."""
    with pytest.raises(TypeError, match="float64 needs JAX's 64-bit types"):
        glorot.keras.HeNormal(seed=1)((2, 2), "float64")
