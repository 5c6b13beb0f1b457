#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `quark devices` tells, with OpenCL, without it, and with simulated devices.
. "$(dirname "$0")/program.sh"

expect 0 devices
says out '^  id +cpu$'
says out '^  memory +[0-9.]+ [KMGT]iB reported'
says out '^  NUMA node +([0-9]+|unknown)$'
expect 0 devices --json
says out '"kind": "cpu"'
says out '"limit_bytes": [1-9]'

mkdir empty
export OCL_ICD_VENDORS=$work/empty
expect 0 devices
says out '^note: OpenCL: '
[ "$(grep -c '^  id ' out)" = 1 ] || wrong "more than the CPU without a platform"
expect 0 devices --json
says out '"OpenCL: .*"'

refuses 2 'missing.yaml: No such file' devices --simulate missing.yaml
printf 'devices: [[[\n' >broken.yaml
refuses 2 'broken.yaml:' devices --simulate broken.yaml
head -c 5000 /dev/urandom >random.yaml
refuses 2 'random.yaml:' devices --simulate random.yaml
finish
