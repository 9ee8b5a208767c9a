# SPDX-License-Identifier: Apache-2.0
"""Gives XLA one thread to compile with: import it before JAX compiles anything.

Two of them at once now and then never come back (jaxlib 0.10.2: one turns for ever in MLIR's
StorageUniquer below ParallelFusionEmitter, holding the lock that the others wait for). Their number
is the process' processors when the first program is compiled, so that one is made here.
"""

import os

import jax

if hasattr(os, "sched_setaffinity"):
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    jax.jit(lambda x: x + 1)(1.0)
    os.sched_setaffinity(0, processors)
