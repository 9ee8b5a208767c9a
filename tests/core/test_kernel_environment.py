# SPDX-License-Identifier: Apache-2.0
"""Which target and how many threads the environment allows; and Python's lock, let go of."""

import ast
import ctypes
import math
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from kernel_cases import EVERYWHERE, TARGETS

from glorot import _kernel, _laws, _stream


def run_python(code, **environment):
    """A fresh interpreter, where the environment is read anew."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", EVERYWHERE)
def test_the_environment_forces_the_target(target):
    """GLOROT_TARGET chooses the code that runs, and every choice gives the same values."""
    code = (
        "import glorot; w = glorot.HeNormal(seed=5)((40, 30), name='w');"
        "print([glorot.config()['target'], hash(w.tobytes()) and w.tobytes().hex()[:64]])"
    )
    found = run_python(code, GLOROT_TARGET=target)
    assert found.returncode == 0, found.stderr
    used, start = ast.literal_eval(found.stdout)
    assert used == target
    law = _laws.TruncatedNormal(math.sqrt(2.0 / 40) / 0.87962566103423978)
    expected = np.empty(8, np.float32)
    with _kernel.forced("reference"):
        _kernel.fill(expected, law, _stream.stream(5, "w"))
    assert start == expected.tobytes().hex()


def test_a_target_that_cannot_run_is_refused():
    """GLOROT_TARGET naming another machine's code: each use is an error, `import glorot` is not."""
    code = "import glorot; print('imported'); glorot.HeNormal(seed=1)((3, 3))"
    found = run_python(code, GLOROT_TARGET="vax")
    assert (found.returncode, found.stdout) == (1, "imported\n")
    assert found.stderr.endswith(
        f"ValueError: GLOROT_TARGET='vax' cannot run here. This machine has {', '.join(TARGETS)} "
        "and reference (the NumPy code); unset it for the first.\n"
    )


def test_a_target_without_the_compiled_kernel_is_refused(monkeypatch):
    """An installation without a compiler has no avx2 to force."""
    monkeypatch.setitem(sys.modules, "glorot._native", None)
    monkeypatch.setenv("GLOROT_TARGET", "avx2")
    with pytest.raises(ValueError, match="GLOROT_TARGET='avx2' needs the compiled kernel"):
        _kernel.load_native().target()
    monkeypatch.setenv("GLOROT_TARGET", "")
    assert _kernel.load_native() is None


@pytest.mark.parametrize(
    "setting", ["0", "two", "-1", "1.5", " 2", "1025", "2147483648", "1" * 5000, "0x10"]
)
@pytest.mark.parametrize("target", [_kernel.target(), "reference"])
def test_bad_thread_counts_are_refused(setting, target, monkeypatch):
    """GLOROT_THREADS must be a whole number from 1 to 1024; a long text is cut short."""
    monkeypatch.setenv("GLOROT_THREADS", setting)
    with (
        _kernel.forced(target),
        pytest.raises(ValueError, match="GLOROT_THREADS must be a whole number") as refusal,
    ):
        _kernel.fill(np.empty(3, np.float32), _laws.Uniform(0.3), _stream.stream(1, "x"))
    shown = setting if len(setting) < 20 else "1" * 20 + "..."
    assert f"from 1 to 1024, got '{shown}'. Unset it" in str(refusal.value)


@pytest.mark.parametrize(("setting", "expected"), [("1", 1), ("1024", 1024), ("007", 7)])
def test_thread_counts_that_are_allowed(setting, expected, monkeypatch):
    """1 and 1024 are the ends of the range."""
    monkeypatch.setenv("GLOROT_THREADS", setting)
    assert _kernel.allowed_threads() == expected


@pytest.mark.parametrize(("cpus", "expected"), [(1, 1), (3, 3), (2000, 1024)])
def test_threads_are_as_many_as_the_cpus_of_the_process(cpus, expected, monkeypatch):
    """Without GLOROT_THREADS: the CPUs that the process may run on, not those of the machine."""
    monkeypatch.delenv("GLOROT_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
    _kernel._threads_allowed.cache_clear()
    assert _kernel.allowed_threads() == expected
    _kernel._threads_allowed.cache_clear()


def longest_wait(work):
    """How long the longest time is that this thread stands still while another does `work`."""
    ended = threading.Event()

    def run():
        work()
        ended.set()

    other = threading.Thread(target=run)
    longest, before = 0.0, time.perf_counter()
    other.start()
    while not ended.is_set():
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return max(longest, time.perf_counter() - before)


@pytest.mark.slow
@pytest.mark.parametrize("strides", [None, (1, 4096)], ids=["straight", "transposed"])
def test_python_runs_while_the_kernel_does(strides):
    """The kernel lets other Python threads run: no wait is as long as a fill."""
    out, stream = np.zeros((4096, 4096)), _stream.stream(1, "w")
    seconds = []

    def fill():
        for _ in range(3):
            begin = time.perf_counter()
            _kernel.fill(out, _laws.Normal(0.02), stream, 0, strides, 1)
            seconds.append(time.perf_counter() - begin)

    assert longest_wait(fill) < 0.7 * min(seconds)


if os.name == "posix":

    def test_code_that_keeps_python_waiting_shows():
        """The wait for a C function that holds Python's lock is as long as its call."""
        held = ctypes.PyDLL(None).usleep
        assert longest_wait(lambda: held(200_000)) > 0.7 * 0.2
