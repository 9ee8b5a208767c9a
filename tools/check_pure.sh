#!/usr/bin/env bash
# Proves that the package installs without a working compiler, and gives the bytes of the kernel:
#   check_pure.sh PYTHON     (a Python in which glorot is installed with its kernel)
# Twice: with no compiler that works at all, and with one that fails at the first file of ours.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
python=$(realpath -s "${1:?the Python of an installation that has the kernel}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/digests.py" <<'END'
import hashlib
import itertools
import sys

import glorot

assert (glorot.config()["target"] == "reference") == (sys.argv[1] == "pure"), glorot.config()
inits = [
    glorot.GlorotUniform(),
    glorot.HeNormal(),
    glorot.TruncatedNormal(stddev=0.02),
    glorot.RandomUniform(-0.1, 0.3),
]
dtypes = ["float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
for init, dtype in itertools.product(inits, dtypes):
    array = init((257, 33), dtype, seed=42, name="encoder.kernel")
    shard = glorot.Shard((2**19, 77), (2**19 + 3, 577))
    part = init((2**20, 2**14), dtype, seed=2**64 - 1, shard=shard)
    for values in (array, part):
        print(init, dtype, hashlib.sha256(values.tobytes()).hexdigest())
for law, dtype in itertools.product(["uniform", "normal", "truncated_normal"], dtypes[:4]):
    draw = getattr(glorot.replay.tensorflow.random, f"stateless_{law}")
    values = draw((2001,), (1, 2), dtype=dtype)
    print("tensorflow", law, dtype, hashlib.sha256(values.tobytes()).hexdigest())
for law, dtype in itertools.product(["uniform", "normal", "trunc_normal"], dtypes[:4]):
    generator = glorot.replay.torch.Generator().manual_seed(5)
    values = getattr(glorot.replay.torch.nn.init, law)((2001,), generator=generator, dtype=dtype)
    print("torch", law, dtype, hashlib.sha256(values.tobytes()).hexdigest())
key = glorot.replay.jax.random.key(42)
for law, dtype in itertools.product(["glorot_uniform", "lecun_normal"], dtypes[:4]):
    for partitionable in (True, False):
        with (
            glorot.replay.jax.enable_x64(True),
            glorot.replay.jax.threefry_partitionable(partitionable),
        ):
            values = getattr(glorot.replay.jax.nn.initializers, law)()(key, (257, 33), dtype)
        print("jax", law, dtype, hashlib.sha256(values.tobytes()).hexdigest())
END

# An old compiler: good enough for CMake's questions, not for our files.
cat >"$work/old-c++" <<'END'
#!/bin/sh
case "$*" in *native/*) echo "old-c++: cannot compile C++20" >&2; exit 1 ;; esac
exec c++ "$@"
END
chmod +x "$work/old-c++"

cd "$work"
"$python" digests.py native >native.txt
for compiler in /bin/false "$work/old-c++"; do
  rm -rf venv wheels cmake
  "$python" -m venv venv
  CC=$compiler CXX=$compiler "$python" -m pip --quiet --disable-pip-version-check \
    wheel --no-deps --config-settings build-dir="$work/cmake" --wheel-dir wheels "$root"
  venv/bin/python -m pip --quiet --disable-pip-version-check install wheels/glorot-*.whl
  venv/bin/python digests.py pure >pure.txt
  diff native.txt pure.txt
  echo "CXX=$(basename "$compiler"): $(basename wheels/*.whl), $(wc -l <pure.txt) arrays, the same bytes"
done
