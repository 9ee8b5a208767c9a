#!/usr/bin/env bash
# Compares the twins of glibc's functions, in NumPy and in C++, with the C library that runs here:
#   check_libm.sh PYTHON [VALUES]   (a Python in which glorot is installed; 10**8 values of a range)
# Every float32 argument, VALUES random float64 ones of each range, and the edges; in the arithmetic
# of processors with FMA and, in a process that hides FMA from the C library, in that of others.
# Needs x86-64, g++ and a glibc whose functions all hold both variants: 2.39, or Debian's 2.36.
# Ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:?the Python of an installation}
values=${2:-100000000}
out=build/check-libm
rm -rf "$out"
mkdir -p "$out"

build() {  # name, flags
  local name=$1
  shift
  "${CXX:-g++}" -std=c++20 -O3 -ffp-contract=off -Wall -Wextra -fPIC -shared -Inative \
    -Isrc/glorot/tables "$@" native/check_libm.cpp -o "$out/$name.so"
}

build portable
if grep -qw fma /proc/cpuinfo && grep -qw avx2 /proc/cpuinfo; then
  build avx2 -mavx2 -mfma
  if grep -qw avx512dq /proc/cpuinfo && grep -qw avx512vl /proc/cpuinfo; then
    build avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mfma
  fi
  "$python" tools/check_libm.py "$out" fma "$values" &
  GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2 \
    "$python" tools/check_libm.py "$out" default "$values"
  wait $!
else
  "$python" tools/check_libm.py "$out" default "$values"
fi
