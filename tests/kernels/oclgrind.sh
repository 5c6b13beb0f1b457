#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kernels under Oclgrind: no access outside of a buffer, no two work-items on one place. It answers success whatever it
# finds, so its log is read. Without --uninitialized: Oclgrind 21.10 takes what the host wrote for uninitialised.
set -u
command -v oclgrind > /dev/null || exit 77
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for test in test_opencl_move test_opencl_reduce test_opencl_conv; do
    oclgrind --data-races --log "$log" "$QUARK_BUILD_DIR/tests/$test" || exit 1
    if [ -s "$log" ]; then
        echo "$test: Oclgrind has found:"
        head -n 40 "$log"
        exit 1
    fi
done
