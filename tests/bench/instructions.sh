#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many instructions does one operation of a benchmark take? A number that a busy machine doesn't blur.
#   tests/bench/instructions.sh BUILD [NAME...]     prints NAME instructions_per_op VALUE; needs valgrind
# Runs each twice under callgrind, once with ten times the operations, and divides the difference, so what
# start and warming cost drops out. One worker; instructions of user space alone. A section entered by its
# worker makes a fence here that it doesn't make outside, since valgrind has no membarrier(2).
set -euo pipefail

if [ $# -lt 1 ]; then
    sed -n '4s/^#  *//p' "$0" >&2
    exit 2
fi
quark=$1/bin/quark
shift
[ $# -gt 0 ] || set -- pingpong ask/1 ask/2 fanin/1 fanin/4 fanin/64 ring big create/1 skynet
command -v valgrind >/dev/null || { echo "instructions.sh: needs valgrind" >&2; exit 3; }
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

instructions() { # NAME COUNT
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" --log-file="$scratch/log" \
        "$quark" bench "$1" --workers 1 --short --count "$2" --device cpu >"$scratch/figures" 2>&1 ||
        { cat "$scratch/figures" >&2; exit 1; }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$scratch/log"
}

for name in "$@"; do
    few=24000                           # whole rounds of the 120 actors of big
    [ "$name" != skynet ] || few=10000  # and its tree is whole
    a=$(instructions "$name" $few)
    b=$(instructions "$name" $((10 * few)))
    echo "$name instructions_per_op $(((b - a) / (9 * few)))"
done
