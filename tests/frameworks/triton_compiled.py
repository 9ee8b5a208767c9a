# SPDX-License-Identifier: Apache-2.0
"""Compile the CUDA kernel for a GPU that need not be there, and print what its assembly holds.

A program of its own: what is imported for the interpreter cannot be compiled.
"""

import json
import re

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from glorot.torch import _triton

HOPPER = GPUTarget("cuda", 90, 32)
REALS = ("scale", "peak", "mean", "low", "high")


def signature(kernel, element):
    """The types of the kernel's arguments."""
    found = {}
    for name in kernel.arg_names:
        if name == "out":
            found[name] = f"*{element}"
        elif name == "table":
            found[name] = "*u32"
        elif name in REALS:
            found[name] = "fp32"
        elif name.isupper():
            found[name] = "constexpr"
        else:
            found[name] = "i64" if name in ("count", "begin") or name[1:].isdecimal() else "i32"
    return found


def main():
    """Print {kernel: [compiled, fused products, flushes, products]}."""
    found = {}
    for kernel, size in ((_triton._run, {"BLOCKS": 256}), (_triton._strided, {"SIZE": 1024})):
        for kind in (1, 2, 3):
            for element in ("fp32", "i16"):
                constants = {**size, "KIND": kind, "MEAN": True, "BOUNDS": kind == 1}
                source = ASTSource(kernel, signature(kernel, element), constexprs=constants)
                made = triton.compile(source, target=HOPPER, options=dict(_triton._EXACT))
                assembly = made.asm["ptx"]
                found[f"{kernel.fn.__name__} {kind} {element}"] = [
                    len(made.asm["cubin"]) > 0,
                    len(re.findall(r"fma\.\w+\.f32", assembly)),
                    assembly.count(".ftz"),
                    len(re.findall(r"mul\.(?:rn\.)?f32", assembly)),
                ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
