# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/torch-2.13.txt with the installed torch.

    python tests/oracle/make_torch_vectors.py [--check]

With --check nothing is written: the exit status tells whether this torch gives the file's rows.
torch runs twice, the second time as on a CPU without AVX2.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors" / "torch-2.13.txt"
HEAD = """\
# PyTorch 2.13.0+cpu on x86-64 with FMA, glibc 2.36 (Debian), CPU capability AVX512 (AVX2 gives the
# same) and DEFAULT.  Values: CAPABILITY SEED CALL, then the first values of one call on a fresh
# generator, C99 hexadecimal.  Cases: CAPABILITY DIGEST CASE, of tests/oracle/torch_cases.py.
"""
CALLS = (
    *(("rand", {"shape": [20], "dtype": d}) for d in ("float16", "bfloat16", "float32", "float64")),
    *(("randn", {"shape": [n], "dtype": d})
      for n in (5, 40) for d in ("float16", "bfloat16", "float32", "float64")),
    ("randperm", {"n": 20, "dtype": "int64"}),
    ("uniform_", {"shape": [8], "a": -0.3, "b": 0.7, "dtype": "float32"}),
    ("normal_", {"shape": [7, 3], "mean": 0.1, "std": 0.02, "dtype": "float32"}),
    ("xavier_uniform_", {"shape": [3, 4], "dtype": "float32"}),
    ("xavier_normal_", {"shape": [4, 5], "dtype": "float32"}),
    ("kaiming_uniform_", {"shape": [4, 3, 2], "a": 5**0.5, "dtype": "float32"}),
    ("kaiming_normal_", {"shape": [8, 4], "nonlinearity": "relu", "dtype": "float32"}),
    ("trunc_normal_", {"shape": [4, 5], "dtype": "float32"}),
    ("trunc_normal_", {"shape": [4, 5], "a": 1.0, "b": 3.0, "dtype": "float32"}),
)  # fmt: skip


def rows(draws):
    """The rows of the capability that this process runs with."""
    cases, torch = draws["CASES"], draws["torch"]
    capability = draws["CAPABILITY"].replace("AVX512", "AVX2")
    for number, call in enumerate(CALLS):
        seed, kind = 42 + number, getattr(torch, call[1]["dtype"])
        values = torch.frombuffer(
            bytearray(draws["torch_values"]((seed, "float32", [call]))[0]), dtype=kind
        )
        shown = " ".join(float(value).hex() for value in values[:6])
        yield f"value {capability} {seed} {json.dumps(call)} {shown}"
    for case in cases["make_cases"](90, seed=213):
        if not any(call[0] == "orthogonal_" for call in case[2]):
            digest = cases["digest"](draws["torch_values"](case))
            yield f"case {capability} {digest} {json.dumps(case)}"


def main():
    """Write the file, or with --check compare it; `--rows` prints those of this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.rows:
        print(*rows(runpy.run_path(str(HERE / "torch_draws.py"))), sep="\n")
        return 0
    text = HEAD
    for capability in ("", "default"):
        environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
        if not capability:
            del environment["ATEN_CPU_CAPABILITY"]
        command = [sys.executable, "-W", "ignore", __file__, "--rows"]
        text += subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
    if not asked.check:
        VECTORS.write_text(text)
        return 0
    same = VECTORS.read_text() == text
    print(f"{VECTORS.name}: {'the same rows' if same else 'other rows'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
