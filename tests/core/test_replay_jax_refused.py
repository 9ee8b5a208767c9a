# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.jax: what is refused, by JAX's own rules or because it could not be compared."""

import numpy as np
import pytest

from glorot.replay import jax

KEY = jax.random.key(42)


def variance_scaling(*args, **options):
    """A small weight of JAX's general initializer."""
    return jax.nn.initializers.variance_scaling(*args, **options)(KEY, (3, 4))


def constant(value, dtype=None):
    """A small weight of one value."""
    return jax.nn.initializers.constant(value)(None, (2,), dtype)


REFUSED = [
    (lambda: jax.random.key(2**63), OverflowError, r"`seed` must lie in \[-2\*\*63, 2\*\*63\)"),
    (lambda: jax.random.key(1.0), TypeError, "PRNG key `seed` must be an integer; got 1.0"),
    (lambda: jax.random.key(np.bool_(True)), TypeError, "must be an integer"),
    (lambda: jax.random.key([1, 2]), TypeError, r"array of shape \(2,\) != \(\)"),
    (lambda: jax.random.key(KEY), TypeError, "was given a PRNG key"),
    (lambda: jax.random.key(1, impl="rbg"), ValueError, "may change with XLA. Use 'threefry2x32'"),
    (lambda: jax.random.key(1, impl="philox4x32"), ValueError, "not replayed. Use"),
    (lambda: jax.random.key(1, dtype="fry"), ValueError, "unrecognized PRNG implementation 'fry'"),
    (lambda: jax.random.PRNGKey(1, impl=7), TypeError, "`impl` must be 'threefry2x32'"),
    (lambda: jax.random.key(1, impl="rbg", dtype="rbg"), ValueError, "Cannot specify both"),
    (lambda: jax.random.wrap_key_data(jax.random.PRNGKey(1), impl=1, dtype=1), ValueError, "both"),
    (lambda: jax.random.wrap_key_data(KEY), TypeError, "keys that are wrapped"),
    (lambda: jax.random.split(KEY, 2.0), TypeError, "`num` must be a number of keys"),
    (lambda: jax.random.split(KEY, -1), ValueError, "`num` must be a number of keys"),
    (lambda: jax.random.split(jax.random.split(KEY)), ValueError, "split accepts a single key"),
    (lambda: jax.random.fold_in(KEY, -1), OverflowError, r"Take it % 2\*\*32"),
    (lambda: jax.random.fold_in(KEY, 1.5), TypeError, "`data` of fold_in must be an integer"),
    (lambda: jax.random.fold_in(KEY, [1]), TypeError, r"array of shape \(1,\)"),
    (lambda: jax.random.normal(5), TypeError, "`key` must be a key of jax.random.key or a uint32"),
    (lambda: jax.random.normal(np.zeros(2)), TypeError, "got an array of float64"),
    (lambda: jax.random.normal(np.zeros(3, np.uint32)), TypeError, r"ends with \(2,\)"),
    (lambda: jax.random.normal(jax.random.split(KEY)), ValueError, "np.stack"),
    (lambda: jax.random.uniform(KEY, -1), ValueError, "`shape` must hold sizes of 0 or more"),
    (lambda: jax.random.uniform(KEY, (2.0,)), TypeError, "`shape` must hold integers"),
    (lambda: jax.random.uniform(KEY, (), "int32"), TypeError, "`dtype` of uniform must be one of"),
    (lambda: jax.random.uniform(KEY, (), "complex64"), TypeError, "Complex numbers are not"),
    (lambda: jax.random.bits(KEY, (), "int32"), ValueError, "`dtype` of bits must be one of uint8"),
    (lambda: jax.random.uniform(KEY, (), None, "a"), TypeError, "`minval` must be a number"),
    (lambda: jax.random.uniform(KEY, (2,), None, [0, 1]), TypeError, "differ from value to value"),
    (lambda: jax.random.uniform(KEY, (), None, np.inf), ValueError, "`minval` is inf in float32"),
    (lambda: jax.random.uniform(KEY, (), None, np.nan), ValueError, "`minval` must be a number"),
    (lambda: jax.random.uniform(KEY, (), "float16", 0, 1e6), ValueError, "that float16 holds"),
    (lambda: jax.random.uniform(KEY, (), None, -3e38, 3e38), ValueError, "`maxval` - `minval`"),
    (lambda: jax.random.uniform(KEY, (), None, 0, 1e-30), ValueError, "takes numbers as small"),
    (lambda: jax.random.uniform(KEY, (), out_sharding=1), TypeError, "`out_sharding` must be None"),
    (lambda: jax.random.uniform(KEY, (2,), shard=7), TypeError, "`shard` must be a glorot.Shard"),
    (lambda: jax.nn.initializers.normal(1e5)(KEY, (2,), "float16"), ValueError, "scale is inf"),
    (lambda: jax.nn.initializers.normal(2e4)(KEY, (2,), "float16"), ValueError, "leave float16"),
    (lambda: jax.nn.initializers.glorot_normal()(KEY, (3,)), ValueError, "1-dimensional weights"),
    (lambda: jax.nn.initializers.glorot_normal()(KEY, (0, 3)), ZeroDivisionError, "divides by"),
    (lambda: jax.nn.initializers.glorot_normal(5)(KEY, (2, 3)), IndexError, "`in_axis`=5 leaves"),
    (lambda: variance_scaling(1.0, "fan", "normal"), ValueError, "invalid `mode`.*'fan'"),
    (lambda: variance_scaling(1.0, "fan_in", "flat"), ValueError, "invalid `distribution`"),
    (lambda: variance_scaling(-1.0, "fan_in", "normal"), ValueError, "of which JAX makes NaNs"),
    (lambda: variance_scaling(1e-38, "fan_in", "normal"), ValueError, "is subnormal in float32"),
    (lambda: variance_scaling(np.ones(2), "fan_in", "normal"), TypeError, "a single number"),
    (lambda: jax.nn.initializers.normal([0.5])(KEY, (2,)), TypeError, "must be a single number"),
    (lambda: jax.random.uniform(KEY, (), None, 0, 2**31), OverflowError, "must lie in int32"),
    (lambda: jax.random.truncated_normal(KEY, -(10**20), 0), OverflowError, "must lie in int32"),
    (lambda: constant("1"), TypeError, "must be a number or an array, got '1'"),
    (lambda: constant([1, 2]), TypeError, "must be a number or an array"),
    (lambda: constant(None), TypeError, "must be a number or an array"),
    (lambda: constant(1j), TypeError, "must be a number or an array"),
    (lambda: constant(1e-38), ValueError, "is subnormal in float32"),
    (lambda: constant(1e-40, "bfloat16"), ValueError, "is subnormal in bfloat16"),
    (lambda: constant(300.0, "int8"), ValueError, "must hold int8 numbers"),
    (lambda: constant(-1.0, "uint8"), ValueError, "must hold uint8 numbers"),
    (lambda: constant(np.nan, "int32"), ValueError, "must hold int32 numbers"),
    (lambda: jax.nn.initializers.orthogonal()(KEY, (3,)), ValueError, "at least a 2D `shape`"),
    (lambda: jax.nn.initializers.orthogonal()(KEY, (3, 3), "float16"), TypeError, "has no QR"),
    (lambda: jax.nn.initializers.orthogonal()(KEY, (3, 3), None, 1), NotImplementedError, "as in"),
    (lambda: jax.nn.initializers.delta_orthogonal()(KEY, (3, 3, 3), "bfloat16"), TypeError,
     "`dtype` of orthogonal must be float32 or float64, got bfloat16"),
    (lambda: jax.nn.initializers.delta_orthogonal()(KEY, (3, 3)), ValueError, "3D, 4D or 5D"),
    (lambda: jax.nn.initializers.delta_orthogonal()(KEY, (3, 3, 2)), ValueError, "`fan_in` must"),
    (lambda: jax.config.update("jax_platforms", "cpu"), AttributeError, "Unrecognized config"),
    (lambda: jax.config.jax_disable_jit, AttributeError, "Unrecognized config option"),
    (lambda: jax.config.update("jax_enable_x64", 1), ValueError, "must be True or False, got 1"),
    (lambda: len(KEY), TypeError, "len\\(\\) of unsized object"),
    (lambda: iter(KEY), TypeError, "iteration over a 0-d key array"),
    (lambda: bool(KEY), TypeError, "no truth value"),
    (lambda: np.asarray(KEY), TypeError, "key_data"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_is_refused(call, error, message):
    """Each refusal names the argument or JAX's own rule, and says what to do."""
    with pytest.raises(error, match=message):
        call()


def test_float64_bounds_without_a_record_and_huge_legacy_draws_are_refused():
    """What could not be compared with JAX is not guessed."""
    with (
        jax.enable_x64(True),
        pytest.raises(NotImplementedError, match=r"recorded bounds alone.*got 1.7"),
    ):
        jax.random.truncated_normal(KEY, -2, 1.7, (2,))
    with (
        jax.threefry_partitionable(False),
        pytest.raises(ValueError, match="more than 2\\*\\*32 - 1 words"),
    ):
        jax.random.uniform(KEY, (2**32,), shard=np.s_[:1])
