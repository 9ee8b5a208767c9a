# SPDX-License-Identifier: Apache-2.0
"""A new process to its first array, against a new process that imports NumPy."""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from benchmarks._harness import Contender, alternate

PROGRAMS = {
    "import numpy": "import numpy",
    "import glorot and first array": "import numpy, glorot; glorot.GlorotUniform(seed=1)((8, 8))",
}


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of whole processes, from start to end.

    Bytecode is cached, as an installation has it, whatever this environment says; the warm-up
    runs compile it.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        contenders = []
        for who, program in PROGRAMS.items():
            command = [sys.executable, "-c", program]
            run = functools.partial(subprocess.run, command, check=True, env=environment)
            contenders.append(Contender(who, run, "glorot" if "glorot" in who else "ceiling"))
        yield from alternate(
            contenders, nbytes=0, rounds=5 if quick else 41, seconds=60.0, law="uniform"
        )
