#!/usr/bin/env bash
# Compares glorot.compat.v1 and glorot.replay.tensorflow with one TensorFlow, byte for byte:
#   run.sh GLOROT_PYTHON TENSORFLOW_PYTHON CASES
# Each Python needs only what it is named after.
set -euo pipefail
cd "$(dirname "$0")/../.."
glorot=$1 tensorflow=$2 cases=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for what in v1 stateless; do
  "$tensorflow" "tests/oracle/tensorflow_$what.py" write "$work/answers.json" --cases "$cases"
  "$glorot" "tests/oracle/tensorflow_$what.py" compare "$work/answers.json"
  "$tensorflow" "tests/oracle/tensorflow_$what.py" vectors >"$work/rows.txt"
  if grep -vxF -f <(cat "tests/vectors/tensorflow-$what"*.txt) "$work/rows.txt"; then
    echo "These rows are not in tests/vectors/tensorflow-$what*.txt." >&2
    exit 1
  fi
  echo "$(wc -l <"$work/rows.txt") known answers stand in tests/vectors/tensorflow-$what*.txt"
done
