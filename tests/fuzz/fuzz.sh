#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one libFuzzer target for QUARK_FUZZ_SECONDS (60) over its seeds and, where they are, the recorded inputs.
# What it learns goes to BUILD/fuzz/NAME and is used by the next run; a finding is left in BUILD/fuzz/NAME-finding-*.
set -eu
name=$1
here=$(cd "$(dirname "$0")" && pwd)
learnt=$QUARK_BUILD_DIR/fuzz/$name
max_bytes=65536

# The recorded inputs of this kind that are small enough, as links in a folder of their own.
recorded=$learnt-recorded
rm -rf "$recorded"
mkdir -p "$learnt" "$recorded"
case $name in
onnx) patterns=(-name '*.onnx') ;;
image) patterns=(-name '*.png' -o -name '*.jpg' -o -name '*.jpeg' -o -name '*.p[gp]m') ;;
trace) patterns=(-name '*.csv') ;;
*) patterns=(-false) ;;
esac
if [ -d "${QUARK_DATA_DIR:-}" ]; then
    find "$QUARK_DATA_DIR" -type f -size -${max_bytes}c \( "${patterns[@]}" \) | sort | head -n 2000 |
        while read -r file; do ln -s "$file" "$recorded/$(echo "$file" | cksum | tr ' ' -)"; done
fi

# Slow units and large allocations are findings too: a reader has to refuse what would cost so much.
exec "$QUARK_BUILD_DIR/tests/fuzz_$name" -max_total_time="${QUARK_FUZZ_SECONDS:-60}" -max_len=$max_bytes \
    -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$learnt-finding-" "$learnt" "$here/seeds/$name" "$recorded"
