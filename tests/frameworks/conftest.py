# SPDX-License-Identifier: Apache-2.0
"""How the frameworks are loaded, before any test imports one."""

import contextlib
import os
import socket
import warnings

import cpu_torchvision  # noqa: F401
import pytest

pytest.register_assert_rewrite("contract")

# tf.compat.v1.keras is Keras 3 otherwise, whose numbers are others; `import keras` stays Keras 3.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# TensorFlow and Triton, which torch's compiler loads where it is installed, each bring an LLVM:
# Triton after TensorFlow aborts the process.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

if "device_count" not in os.environ.get("XLA_FLAGS", ""):  # devices side by side need their threads
    import one_compiler  # noqa: F401


@pytest.fixture(scope="session")
def tf():
    """TensorFlow, whose import warns about its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow

        tensorflow.compat.v1.logging.set_verbosity(tensorflow.compat.v1.logging.ERROR)
        assert tensorflow.compat.v1.keras.initializers.glorot_uniform.__module__.startswith(
            "tensorflow."
        ), "tf_keras is missing, so TensorFlow's v1 names are Keras 3's"
    return tensorflow


@pytest.fixture(scope="module", params=["Explicit", "Auto"])
def mesh(request):
    """4 x 2 devices of JAX, under both kinds of axes: test_jax_mesh.py's processes have them."""
    import jax

    assert len(jax.devices()) == 8
    kind = getattr(jax.sharding.AxisType, request.param)
    return jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind, kind))


@pytest.fixture
def no_network(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
