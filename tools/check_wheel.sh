#!/usr/bin/env bash
# Builds the source distribution and, from it, the wheel, and tests the wheel where src/ is not:
#   check_wheel.sh PYTHON [OTHER...]     (each OTHER is a Python that must run the same wheel)
# The wheel stays in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quiet_pip() {  # a Python, then pip's arguments
  "$1" -m pip --quiet --disable-pip-version-check "${@:2}"
}

"${1:?the Python to build with}" -m venv "$work/build"
quiet_pip "$work/build/bin/python" install --upgrade pip
quiet_pip "$work/build/bin/python" install --group wheel
"$work/build/bin/python" -m build --outdir "$work/dist"
wheel=$(echo "$work"/dist/*.whl)

"$work/build/bin/python" - "$work"/dist/*.tar.gz "$wheel" <<'END'
import sys
import tarfile
import zipfile
from pathlib import PurePath

SUFFIXES = {".py", ".pyi", ".typed", ".inc", ".json", ".toml"}
sdist, wheel = sys.argv[1:]
here = {str(PurePath(*PurePath(n).parts[1:])) for n in tarfile.open(sdist).getnames()}
ours = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
source = {n[len("src/"):] for n in here if n.startswith("src/") and PurePath(n).suffix in SUFFIXES}
native = {n for n in ours if n.startswith("glorot/_native.") and n.endswith((".so", ".pyd"))}
assert len(native) == 1, f"the wheel must hold one kernel, not {sorted(native)}"
assert ours - native == source, f"differ from src/: {sorted(ours - native ^ source)}"
needed = {"glorot/py.typed", "glorot/recipe/presets/gpt2.json", "glorot/tables/normal32.inc"}
assert needed <= ours, f"the wheel lacks {sorted(needed - ours)}"
assert {"LICENSE", "CMakeLists.txt", "native/module.cpp", "tests/oldest.txt"} <= here
stray = {n for n in here if n.endswith((".so", ".pyd", ".pyc")) or n.startswith(("build", "."))}
assert not stray - {".gitignore", ".pre-commit-config.yaml"}, f"the sdist holds {sorted(stray)}"
END

mkdir "$work/tree" "$work/tree/src"
cp -R pyproject.toml README.md docs examples tests tools "$work/tree"
for python in "$@"; do
  rm -rf "$work/clean" "$work/tree/src/glorot"
  "$python" -m venv "$work/clean"
  quiet_pip "$work/clean/bin/python" install --upgrade pip
  quiet_pip "$work/clean/bin/python" install "$wheel"  # and what it says it needs, nothing else
  cd "$work/tree"
  "$work/clean/bin/glorot" --version
  "$work/clean/bin/python" - "$root" <<'END'
import sys
from pathlib import Path

import glorot

assert not Path(glorot.__file__).is_relative_to(sys.argv[1]), glorot.__file__
assert glorot.config()["target"] != "reference", "the wheel's kernel was not loaded"
assert glorot.GlorotUniform(seed=42)((784, 256), name="encoder.kernel").std() > 0
END
  quiet_pip "$work/clean/bin/python" install --group test
  # Tests recompute the tables that an installation brings; nothing else of src/ is theirs to read.
  mkdir "$work/tree/src/glorot"
  cp -R "$("$work/clean/bin/python" -c 'import glorot; print(*glorot.__path__)')/tables" src/glorot
  "$work/clean/bin/python" -m pytest --quiet tests/core
  cd "$root"
done
mkdir -p dist
cp "$work"/dist/* dist
echo "$(basename "$wheel"): tested under $# Python(s), kept in dist/"
