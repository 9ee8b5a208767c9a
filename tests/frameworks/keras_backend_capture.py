# SPDX-License-Identifier: Apache-2.0
"""Recipes of what a Keras model's own code does.

Run by test_keras.py on each backend.
"""

import math
import random

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras_init_cases import BACKEND, MARKS, bits, built, values

import glorot
import glorot.keras
from glorot.keras import capture
from glorot.keras._names import collect

pytestmark = MARKS
given = keras.initializers


class Zoo(keras.Layer):
    """Layers of all kinds, each built, all of whose kernels have one initializer, if any."""

    def __init__(self, make=None):
        super().__init__()

        def by(*names):  # one object gives the same numbers each time
            return {} if make is None else {f"{name}_initializer": make() for name in names}

        self.dense = built(layers.Dense(80, **by("kernel")), 60)
        self.conv1 = built(layers.Conv1D(60, 3, **by("kernel")), 9, 40)
        self.conv2 = built(layers.Conv2D(60, 3, groups=2, **by("kernel")), 9, 9, 40)
        self.conv3 = built(layers.Conv3D(30, 3, **by("kernel")), 9, 9, 9, 8)
        self.up = built(layers.Conv2DTranspose(40, 3, **by("kernel")), 9, 9, 20)
        self.depthwise = built(
            layers.DepthwiseConv2D(5, depth_multiplier=3, **by("depthwise")), 9, 9, 70
        )
        self.separable = built(
            layers.SeparableConv2D(50, 5, **by("depthwise", "pointwise")), 9, 9, 60
        )
        self.einsum = built(
            layers.EinsumDense("abc,cde->abde", (None, 12, 9), **by("kernel")), 6, 40
        )
        self.attention = layers.MultiHeadAttention(4, 12, **by("kernel"))
        self.attention.build((None, 6, 50), (None, 6, 50))
        self.grouped = layers.GroupQueryAttention(12, 6, 3, **by("kernel"))
        self.grouped.build((None, 6, 50), (None, 6, 50))
        self.embed = built(layers.Embedding(60, 50, **by("embeddings")))
        self.lstm = built(layers.Bidirectional(layers.LSTM(30, **by("kernel", "recurrent"))), 5, 40)
        self.gru = built(layers.GRU(30, **by("kernel", "recurrent")), 5, 40)
        self.norm = built(layers.BatchNormalization(), 7)
        self.layer_norm = built(layers.LayerNormalization(), 7)
        self.prelu = built(layers.PReLU(), 7)
        self.built = True


_ATTENTION = ("multi_head_attention", "grouped_query_attention")
IN_OUT = {  # the axes that layers tell the initializers of these kernels
    "einsum_dense.kernel": ((0,), (1, 2)),
    **{f"{a}.{p}.kernel": ((0,), (1, 2)) for a in _ATTENTION
       for p in ("query", "key", "value")},
    **{f"{a}.attention_output.kernel": ((0, 1), (2,)) for a in _ATTENTION},
}  # fmt: skip


def fans(name, shape):
    """(fan_in, fan_out) as Keras counts them."""
    if name in IN_OUT:
        return tuple(math.prod(shape[axis] for axis in axes) for axes in IN_OUT[name])
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def scaled(scale, mode, distribution):
    """What Keras' VarianceScaling draws: (kind, mean, scale) by name and shape."""

    def law(name, shape):
        fan_in, fan_out = fans(name, shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        if distribution == "uniform":
            return "uniform", 0.0, math.sqrt(3 * scale / fan)
        cut = 0.87962566103423978 if distribution == "truncated_normal" else 1.0
        kind = "truncated normal" if cut < 1 else "normal"
        return kind, 0.0, math.sqrt(scale / fan) / cut

    return law


SCALINGS = {
    "VarianceScaling": (0.7, "fan_out", "untruncated_normal"),
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}
LAWS = {name: scaled(*how) for name, how in SCALINGS.items()} | {
    "RandomUniform": lambda *_: ("uniform", 0.2, 0.3),
    "RandomNormal": lambda *_: ("normal", 0.1, 0.02),
    "TruncatedNormal": lambda *_: ("truncated normal", 0.1, 0.03),
    "Orthogonal": lambda *_: None,
    "Constant": lambda *_: None,
}
MADE = {
    "VarianceScaling": lambda: given.VarianceScaling(*SCALINGS["VarianceScaling"]),
    "RandomUniform": lambda: given.RandomUniform(-0.1, 0.5),
    "RandomNormal": lambda: given.RandomNormal(0.1, 0.02),
    "TruncatedNormal": lambda: given.TruncatedNormal(0.1, 0.03),
    "Orthogonal": lambda: given.Orthogonal(1.5),
    "Constant": lambda: given.Constant(0.1),
}


def law_of(assignment):
    """(kind, mean, scale)"""
    law = assignment.initializer.law(assignment.shape)
    if law is None:
        laws = {init.law(shape) for init, shape in assignment.initializer.blocks(assignment.shape)}
        (law,) = laws  # gates of one law
    kind = {"truncated_normal": "truncated normal"}.get(law.kind, law.kind)
    return kind, pytest.approx(law.mean, abs=1e-12), pytest.approx(law.scale, rel=1e-12)


def drawn(build):
    """The model as Keras itself draws it."""
    keras.utils.set_random_seed(7)
    return build()


def filled(build, recipe):
    """Prove that the recipe fills the model, with what its initializers give alone."""
    model = build()
    glorot.keras.init(model, recipe, seed=1)
    wanted = {a.name: a for a in glorot.keras.explain(model, recipe)}
    for weight in collect(model).parameters:
        a = wanted[weight.names[0]]
        own = a.initializer(a.shape, seed=1, name=a.name)
        assert values(weight.variable).tobytes() == own.tobytes()
    return wanted


def is_kernel(name):
    """Whether it is a weight that the zoo's initializer is for."""
    return name.endswith(("kernel", "embeddings"))


def problems(model, recipe):
    """What the audit finds. On torch Keras lets one of 233,000 truncated normals pass its cut: it
    draws four times."""
    found = glorot.audit(model, recipe).problems
    return [p for p in found if BACKEND != "torch" or p.kind != "outside"]


# JAX compiles a function for each shape and distribution.
CASES = list(LAWS) if BACKEND != "jax" else ["GlorotUniform"]


@pytest.mark.parametrize("case", CASES)
def test_laws_of_chosen_initializers(case):
    """The numbers are Keras', of every layer, whether or not the layer is known."""

    def build():
        return Zoo(MADE.get(case, getattr(given, case)))

    recipe = capture(build)
    found = filled(build, recipe)
    plain = recipe.resolve({name: a.shape for name, a in found.items()})
    kernels = [a for a in (*found.values(), *plain) if is_kernel(a.name)]
    assert len(kernels) == 2 * 24
    for a in kernels:
        wanted = LAWS[case](a.name, a.shape)
        if wanted is not None:
            assert law_of(a) == wanted, a.name
        elif case == "Constant":
            assert a.initializer == glorot.Constant(0.1)
        else:
            matrix = a.initializer(a.shape, "float64", seed=0).reshape(-1, a.shape[-1])
            small = matrix.T @ matrix if matrix.shape[0] > matrix.shape[1] else matrix @ matrix.T
            assert np.allclose(small, 1.5**2 * np.eye(len(small)))

    assert not problems(drawn(build), recipe)


def test_laws_of_default_initializers():
    """What layers draw when nobody says anything."""
    recipe = capture(Zoo)
    assert glorot.Recipe.from_toml(recipe.to_toml()) == recipe
    found = filled(Zoo, recipe)
    for a in (*found.values(), *recipe.resolve({n: a.shape for n, a in found.items()})):
        last = a.name.rpartition(".")[2]
        if last == "embeddings":
            assert law_of(a) == ("uniform", 0.0, 0.05)
        elif last == "recurrent_kernel":
            whole = glorot.Orthogonal()(a.shape, seed=1)
            assert (a.initializer(a.shape, seed=1) == whole).all()
        elif last.endswith("kernel"):
            assert law_of(a) == LAWS["GlorotUniform"](a.name, a.shape), a.name
        elif a.name.endswith("lstm_cell.bias"):
            forget = np.repeat([0.0, 1.0, 0.0, 0.0], 30)
            assert (a.initializer(a.shape) == forget).all()
        else:
            assert a.initializer == (glorot.Ones() if last == "gamma" else glorot.Zeros())

    assert not problems(drawn(Zoo), recipe)


WRONG = {
    "the layers' own fans": ("*kernel", "glorot_uniform", {}),
    "gates apart": ("*recurrent_kernel", "orthogonal", {}),
    "no forget gate": ("*lstm_cell.bias", "zeros", {}),
    "another number": ("*embeddings", "random_uniform", {"minval": -0.06, "maxval": 0.06}),
    "another law": ("dense.kernel", "glorot_normal", {}),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_audit_tells_other_laws(case):
    """It is no blind audit that the recipe passes."""
    pattern, init, options = WRONG[case]
    recipe = capture(Zoo, rules=[glorot.Rule(pattern, init, **options)])
    assert problems(drawn(Zoo), recipe)


def test_a_number_for_fused_gates():
    """A number that follows from the fans of all gates is no number of one gate's."""
    bound = math.sqrt(6 / (40 + 4 * 30))

    def build():
        by = given.RandomUniform(-bound, bound)
        return built(layers.LSTM(30, kernel_initializer=by), 5, 40)

    (kernel, *_) = glorot.keras.explain(build(), capture(build))
    assert law_of(kernel) == ("uniform", 0.0, bound)


def test_what_is_assigned_counts():
    """Numbers that the code assigns, or makes a variable of, in place of an initializer's."""

    def build():
        layer = layers.Dense(4, name="fc")
        layer.scale = keras.Variable(np.full(3, 0.1), name="scale")
        layer.table = keras.Variable(0.5, name="table", trainable=False)
        built(layer, 6).kernel.assign(np.eye(6, 4))
        layer.bias.assign([0.0, 1.0, 1.0, 1.0])
        return layer

    found = {a.name: a.initializer for a in glorot.keras.explain(build(), capture(build))}
    assert found == {
        "kernel": glorot.Identity(),
        "bias": glorot.Blocks(["zeros", "ones"], [1, 3], axis=0),
        "scale": glorot.Constant(0.1),
    }
    assert keras.Variable(np.ones(2)).shape == (2,)  # as before
    with keras.StatelessScope(), pytest.raises(ValueError, match="stateless scope"):
        keras.Variable(np.ones(2))


def of(init, shape=(6, 4), **options):
    """What captures a dense kernel of this initializer."""

    def build():
        layer = keras.Layer(name="one")
        layer.w = layer.add_weight(shape=shape, initializer=init, name="w")
        layer.built = True
        return layer

    (rule,) = capture(build, **options).rules
    return rule.initializer


class Narrow(given.RandomNormal):
    """Of other options alone."""

    def __init__(self):
        super().__init__(stddev=0.02)


class Halved(given.RandomNormal):
    """Of other values."""

    def __call__(self, shape, dtype=None):
        """Half of them."""
        return super().__call__(shape, dtype) / 2


KNOWN = {
    "a subclass that changes options": (Narrow(), glorot.RandomNormal(stddev=0.02)),
    "an identity": (given.Identity(2.0), glorot.Identity(2.0)),
    "a function": (lambda shape, dtype=None: ops.full(shape, 0.3, dtype), glorot.Constant(0.3)),
    "rows": (
        lambda shape, dtype=None: ops.concatenate([ops.zeros((2, 4)), ops.ones((4, 4))]),
        glorot.Blocks(["zeros", "ones"], [1, 2], axis=0),
    ),
    "one of glorot's": (glorot.keras.HeNormal(gain=0.5, seed=3), glorot.HeNormal(gain=0.5)),
    "axes": (
        glorot.keras.HeNormal(layout="torch.linear", name="w"),
        glorot.HeNormal(layout="torch.linear"),
    ),
    "with a seed": (given.HeNormal(seed=3), glorot.HeNormal()),
    "no spread": (given.RandomNormal(0.5, 0.0), glorot.Constant(0.5)),
    "by name": ("he_normal", glorot.HeNormal()),
    "Keras' own": (None, glorot.GlorotUniform()),
}


@pytest.mark.parametrize("case", KNOWN)
def test_other_initializers(case):
    """Functions, subclasses and this library's own."""
    init, expected = KNOWN[case]
    assert of(init) == expected


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5, 6)])
def test_any_number_of_axes(shape):
    """The fans of a scalar are 1, of a vector its length."""
    wanted = {0: 1.0, 1: 5.0, 5: 24.0 * 5}[len(shape)]
    assert of("lecun_uniform", shape).law(shape).scale == math.sqrt(3 / wanted)


OWN = keras.random.SeedGenerator(1)
UNKNOWN = {
    "draws": (
        lambda shape, dtype=None: keras.random.normal(shape, dtype=dtype),
        "draws other numbers at each call",
    ),
    "a subclass": (Halved(), "Halved gives numbers that are computed"),
    "a generator of its own": (
        lambda shape, dtype=None: keras.random.normal(shape, dtype=dtype, seed=OWN),
        "draws other numbers",
    ),
    "another shape": (lambda shape, dtype=None: ops.ones((2,)), r"numbers of shape \(2,\)"),
    "an identity of three axes": (given.Identity(), "two axes"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_no_initializer_draws(case):
    """An error says which weight, and why."""
    init, why = UNKNOWN[case]
    shape = (2, 3, 4) if "three" in case else (6, 4)
    with pytest.raises(ValueError, match=f"'w': .*{why}"):
        of(init, shape)
    assert of(init, shape, rules=[glorot.Rule("w", "ones")]) == glorot.Ones()
    assert of(init, shape, leave_out=True) is None


def test_what_python_draws():
    """Numbers that are others when the code runs again; the generators are as they were."""

    def build():
        by = keras.initializers.RandomNormal(stddev=random.random())
        layer = built(layers.Dense(4, kernel_initializer=by), 6)
        layer.bias.assign(keras.random.uniform(()) * ops.ones(4))
        return layer

    keras.utils.set_random_seed(3)
    before = random.getstate(), keras.random.normal((3,))
    keras.utils.set_random_seed(3)
    with pytest.raises(
        ValueError, match=r"'kernel': RandomNormal.* when it ran again; 'bias': Con"
    ):
        capture(build)
    assert random.getstate() == before[0]
    assert (
        ops.convert_to_numpy(keras.random.normal((3,))) == ops.convert_to_numpy(before[1])
    ).all()


def test_what_build_must_be():
    """A function that makes the model, built, each time anew."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="fc")])
    before = bits(model)
    with pytest.raises(TypeError, match="`build` must be a function that returns the model"):
        capture(model)
    with pytest.raises(TypeError, match=r"must return a keras.Model or a keras.Layer, got int"):
        capture(lambda: 3)
    with pytest.raises(ValueError, match="layers without weights yet, 'one'"):
        capture(lambda: layers.Dense(3, name="one"))
    with pytest.raises(ValueError, match=r"'fc.kernel': it had its value before `build` ran"):
        capture(lambda: model)
    assert bits(model) == before
    with pytest.raises(ValueError, match="has no parameters: there is nothing to capture"):
        capture(lambda: built(layers.ReLU(), 3))


def test_shared_layers():
    """A rule for a shared weight's other name may match nothing."""

    def build():
        fc = layers.Dense(6, name="fc", kernel_initializer="he_normal")
        inner = keras.Sequential([keras.Input((6,)), fc], name="inner")
        return keras.Sequential([keras.Input((6,)), fc, inner])

    recipe = capture(build)
    report = glorot.keras.init(build(), recipe, seed=1)
    assert [p.name for p in report.parameters] == ["fc.kernel", "fc.bias"]
    assert report.parameters[0].names == ("fc.kernel", "inner.fc.kernel")


@pytest.mark.parametrize("name", ["MobileNetV2", "ResNet50", "EfficientNetB0"])
def test_applications(name):
    """A model of fifty layers or more has a recipe of four rules, or of five where its head has an
    initializer of its own."""

    def build():
        small = {"alpha": 0.35} if name == "MobileNetV2" else {}
        make = getattr(keras.applications, name)
        return make(input_shape=(32, 32, 3), weights=None, classes=10, **small)

    recipe = capture(build)
    assert len(recipe.rules) == (5 if name == "EfficientNetB0" else 4)
    if (
        name == "MobileNetV2" and BACKEND != "jax"
    ):  # which compiles a function for each of the shapes
        assert not problems(drawn(build), recipe)


def test_bounds_the_wrong_way_round():
    """On JAX Keras fills the first number, elsewhere it draws between the two."""

    def build():
        kernel = given.RandomUniform(0.5, -0.1)
        return keras.Sequential([keras.Input((64,)), layers.Dense(99, kernel_initializer=kernel)])

    if BACKEND == "jax":
        with pytest.raises(ValueError, match=r"RandomUniform\(0.5, -0.1\), which is 0.5 everywher"):
            capture(build)
        return
    (kernel,) = (a for a in glorot.keras.explain(build(), capture(build)) if "kernel" in a.name)
    law = kernel.initializer.law((64, 99))
    assert law.bounds == pytest.approx((-0.1, 0.5))
    drawn = ops.convert_to_numpy(build().layers[0].kernel)
    assert -0.1 <= drawn.min() < -0.05
    assert 0.45 < drawn.max() <= 0.5


def test_a_variable_of_an_array_that_is_no_initializers():
    """The error says that it is an array, and none of this library's own names."""

    class Table(keras.Layer):
        def build(self, shape):
            self.table = keras.Variable(np.arange(64.0).reshape(8, 8) % 5)

    def build():
        table = Table(name="table")
        table.build(None)
        table.built = True
        return table

    with pytest.raises(ValueError, match="an array gives numbers"):
        capture(build)
