# SPDX-License-Identifier: Apache-2.0
"""Compare glorot.replay.torch with the installed torch, byte for byte.

    python tests/oracle/torch_draws.py [--cases N] [--seed S]

Values, and the generator's state after the last call, must be equal; orthogonal matrices within
their tolerance.  torch rounds differently with ATEN_CPU_CAPABILITY=default in the environment: run
it in both.
"""

import argparse
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

CASES = runpy.run_path(str(Path(__file__).with_name("torch_cases.py")))
CAPABILITY = torch.backends.cpu.get_cpu_capability()
TORCH_DTYPES = {name: getattr(torch, name) for name in CASES["DTYPES"]}
QR_TOLERANCE = 8  # times the machine epsilon and the condition number of what is factored


def data(tensor):
    """The bytes of a tensor."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def torch_values(case):
    """What torch draws, in the form of `our_values`."""
    start, dtype, calls = case
    torch.manual_seed(start)
    if CASES["is_layers"](case):
        found = []
        for name, arguments, options in calls:
            made = getattr(torch.nn, name)(*arguments, **options, dtype=TORCH_DTYPES[dtype])
            found += [(key, tuple(v.shape), data(v)) for key, v in made.state_dict().items()]
        return [*found, data(torch.get_rng_state())]
    g, found = torch.Generator().manual_seed(start), []
    for name, options in calls:
        given = dict(options)
        kind = getattr(torch, given.pop("dtype"))
        if name == "randperm":
            drawn = torch.randperm(given["n"], generator=g, dtype=kind)
        elif name in ("rand", "randn"):
            drawn = getattr(torch, name)(given["shape"], generator=g, dtype=kind)
        elif name == "normal":
            size = given.pop("shape")
            drawn = torch.normal(*map(float, given.values()), size, generator=g, dtype=kind)
        else:
            drawn = torch.empty(given.pop("shape"), dtype=kind)
            if name not in ("dirac_", "eye_", "constant_"):
                given["generator"] = g
            getattr(torch.nn.init, name)(drawn, **given)
        found.append(drawn.numpy() if name == "orthogonal_" else data(drawn))
    return [*found, data(g.get_state()), data(torch.get_rng_state())]


def same(theirs, mine):
    """Equal bytes; orthogonal matrices within their tolerance."""
    if not isinstance(theirs, np.ndarray):
        return theirs == mine
    array, condition = mine
    if theirs.shape != array.shape or theirs.dtype != array.dtype:
        return False
    most = QR_TOLERANCE * np.finfo(array.dtype).eps * condition * 2  # gains go up to 5/3
    return not array.size or np.abs(theirs - array).max() <= most


def compare(cases):
    """The cases that differ, and how many calls could not be told (see _trunc_normal.py)."""
    wrong, refused = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases:
            try:
                mine = CASES["our_values"](case, CAPABILITY)
            except ArithmeticError as error:
                if "last bit of MKL's log" not in str(error):
                    raise
                refused += 1
                continue
            theirs = torch_values(case)
            if len(theirs) != len(mine) or not all(map(same, theirs, mine)):
                wrong.append(case)
    return wrong, refused


def main():
    """Compare, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    wrong, refused = compare(CASES["make_cases"](asked.cases, asked.seed))
    print(f"torch {torch.__version__}, {CAPABILITY}: {len(wrong)} of {asked.cases} cases differ, "
          f"{refused} refused")  # fmt: skip
    for case in wrong[:5]:
        print(case)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
