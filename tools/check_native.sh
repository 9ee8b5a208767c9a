#!/usr/bin/env bash
# Builds native/check.cpp and runs it:
#   check_native.sh sanitize   on this machine, under the address and undefined-behaviour sanitizers
#   check_native.sh neon       for AArch64, in an emulator, and compares its bytes with this machine's
# The second needs (Debian) g++-aarch64-linux-gnu and qemu-user, and installs nothing by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:?sanitize or neon}
out=build/check-$mode
rm -rf "$out" # so that no object of an earlier build stands in for one that fails
mkdir -p "$out"

build() {  # compiler, program, flags for all files
  local compiler=$1 program=$2 objects=() file name flags job
  shift 2
  for file in check dispatch together strided legacy normal64 crc32 fill_portable $TARGETS; do
    case $file in
      fill_avx2) flags="-mavx2 -mfma -mf16c -mbmi2" ;;
      fill_avx512) flags="-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mfma -mf16c -mbmi2 -Wno-uninitialized -Wno-maybe-uninitialized" ;;
      crc32) flags=$CRC32 ;;
      *) flags="" ;;
    esac
    name="$program.$file.o"
    # shellcheck disable=SC2086
    "$compiler" -std=c++20 -ffp-contract=off -Wall -Wextra -Inative -Isrc/glorot/tables \
      $DEFINES $flags "$@" -c "native/$file.cpp" -o "$name" &
    objects+=("$name")
  done
  for job in $(jobs -p); do wait "$job"; done # one by one: a failed compilation ends the script
  "$compiler" "${objects[@]}" "$@" -pthread -o "$program"
}

native_targets() {
  CRC32=""
  case $(uname -m) in
    x86_64)
      TARGETS="fill_avx2 fill_avx512" DEFINES="-DGLOROT_HAVE_AVX2 -DGLOROT_HAVE_AVX512"
      CRC32="-DGLOROT_HAVE_CRC32 -mpclmul"
      ;;
    aarch64) TARGETS="fill_neon" DEFINES="-DGLOROT_HAVE_NEON" ;;
    *) TARGETS="" DEFINES="" ;;
  esac
}

native_targets
if [ "$mode" = sanitize ]; then
  build "${CXX:-g++}" "$out/check" -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
  "$out/check"
else
  build "${CXX:-g++}" "$out/here" -O2
  "$out/here" >"$out/here.txt"
  TARGETS="fill_neon" DEFINES="-DGLOROT_HAVE_NEON" CRC32=""
  build aarch64-linux-gnu-g++ "$out/neon" -O2
  qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/neon" >"$out/neon.txt"
  diff "$out/here.txt" "$out/neon.txt"
  echo "$(wc -l <"$out/neon.txt") cases: the same bytes on this machine and on NEON"
fi
