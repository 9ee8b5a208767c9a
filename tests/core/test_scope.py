# SPDX-License-Identifier: Apache-2.0
"""Scopes hand out each full name once."""

import contextlib
import copy
import pickle
import re
import threading

import numpy as np
import pytest

import glorot

INIT = glorot.GlorotUniform()


def test_scopes_join_names_and_give_the_seed():
    """A weight made through a scope is the call with its seed and its full name."""
    scope = glorot.Scope(42)

    w = (scope / "encoder" / "0")("kernel", INIT, (8, 4), dtype="float64")

    assert (w == INIT((8, 4), "float64", seed=42, name="encoder.0.kernel")).all()


def test_the_scopes_seed_wins():
    """An initializer's own seed is not used in a scope."""
    w = glorot.Scope(42)("w", glorot.GlorotUniform(seed=1), (3,))

    assert (w == INIT((3,), seed=42, name="w")).all()


def test_one_initializer_gives_weights_that_differ():
    """Reusing one initializer object in a scope repeats nothing."""
    scope = glorot.Scope(42)

    query, key = (scope(name, INIT, (16, 16)) for name in ("query", "key"))

    assert not (query == key).any()


@pytest.mark.parametrize(
    "identifier", ["glorot_uniform", glorot.GlorotUniform, glorot.serialize(INIT)]
)
def test_initializers_by_name_class_and_dict(identifier):
    """A scope takes what `glorot.get` reads."""
    w = glorot.Scope(42)("w", identifier, (3,))

    assert (w == INIT((3,), seed=42, name="w")).all()


def test_a_name_is_taken_while_its_weight_is_made():
    """Whoever asks for a name before its first weight is finished is refused already."""
    scope, refused = glorot.Scope(1), []

    class Slow(glorot.GlorotUniform):
        def __call__(self, *args, **options):
            with pytest.raises(ValueError, match="the name 'w' is used already"):
                scope("w", INIT, (3,))
            refused.append(1)
            return super().__call__(*args, **options)

    scope("w", Slow(), (3,))

    assert refused == [1]


def test_many_threads_share_one_record():
    """However many threads ask for a name, exactly one gets it."""
    scope, got = glorot.Scope(1), []

    def ask():
        with contextlib.suppress(ValueError):
            got.append(scope.take("w"))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == ["w"]


def test_scopes_are_copied_and_pickled():
    """A copy has the seed, the prefix and the names used so far."""
    scope = glorot.Scope(1, "a")
    scope.take("w")

    for twin in (copy.deepcopy(scope), pickle.loads(pickle.dumps(scope))):
        with pytest.raises(ValueError, match=re.escape("the name 'a.w' is used already")):
            twin.take("w")


def test_names_are_used_once():
    """The same full name a second time is refused, by whatever way it is reached."""
    scope = glorot.Scope(42)
    (scope / "a")("b.c", INIT, (3,))

    for again in (lambda: (scope / "a" / "b")("c", INIT, (3,)), lambda: scope.take("a.b.c")):
        with pytest.raises(ValueError, match=re.escape("the name 'a.b.c' is used already")):
            again()


def test_failed_calls_take_no_name():
    """A call that raised can be repeated."""
    scope = glorot.Scope(42)
    with pytest.raises(TypeError, match="`shape` must be"):
        scope("w", INIT, 3)

    assert scope("w", INIT, (3,)).shape == (3,)


def test_names_for_weights_made_elsewhere():
    """`take` claims a name, `name` only tells it, and shards of one weight share one name."""
    scope = glorot.Scope(42) / "layer"
    name = scope.take("w")

    parts = [INIT((4, 2), seed=42, name=name, shard=np.s_[i : i + 2]) for i in (0, 2)]

    assert name == scope.name("w") == "layer.w"
    assert (np.concatenate(parts) == INIT((4, 2), seed=42, name="layer.w")).all()


def test_reprs():
    """A scope shows its seed and prefix."""
    assert repr(glorot.Scope(42)) == "Scope(42)"
    assert repr(glorot.Scope(42) / "a") == "Scope(42, 'a')"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: glorot.Scope(-1), ValueError, "`seed` must lie in"),
        (lambda: glorot.Scope(None), TypeError, "`seed` must be an integer, and is missing"),
        (lambda: glorot.Scope(1, 2), TypeError, "`name` must be a string, got 2"),
        (lambda: glorot.Scope(1) / "", ValueError, "`name` must not be empty"),
        (
            lambda: glorot.Scope(1)("w", None, ()),
            TypeError,
            "`initializer` must be one of glorot's",
        ),
        (lambda: glorot.Scope(1)("w", len, ()), TypeError, "or dict; got <built-in function len>"),
        (lambda: glorot.Scope(1)("w", "x", ()), ValueError, "no initializer is called 'x'"),
        (
            lambda: glorot.Scope(1)("w", INIT, (), seed=2),
            TypeError,
            "`seed` is the scope's to give",
        ),
        (lambda: glorot.Scope(1)(3, INIT, ()), TypeError, "`name` must be a string, got 3"),
    ],
)
def test_bad_scopes_are_refused(make, error, message):
    """Seeds and names are checked as everywhere."""
    with pytest.raises(error, match=re.escape(message)):
        make()
