#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A host from its ready line to its end: what it answers, how it drains, and what stops it from starting.
. "$(dirname "$0")/program.sh"
trial=$QUARK_BUILD_DIR/tests/trial_module.so

if serve; then
    says out '^quark: ready on http://127\.0\.0\.1:[0-9]+/ \(.*\)$'
    get /health | grep -q '"healthy"' || wrong "not healthy"
    get /quark/status | grep -q '"name": "quark"' || wrong "no status"
    get /quark/predict | grep -q '"prewarming": true' || wrong "no predictions"
    get /nothing | grep -q 'QK_NOT_FOUND' || wrong "no error as JSON"
    get /metrics >metrics
    grep -q '^quark_uptime_seconds ' metrics || wrong "no metrics"
    if command -v promtool >/dev/null; then
        promtool check metrics <metrics >out 2>err || wrong "promtool finds fault with /metrics"
    fi

    # Its port is taken now.
    refuses 3 "http: 127.0.0.1:$port: Address already in use; .*--port" serve --port "$port"
    ends 0 TERM
fi

# Without a device it says so, and serves.
mkdir empty
OCL_ICD_VENDORS=$work/empty serve && {
    says out '\(the CPU alone: OpenCL: '
    ends 0 INT
}

# Admitted work ends before the host does.
serve --module "$trial" --set modules.trial.linger=700ms && {
    begun=$(date +%s%N)
    ends 0 TERM
    [ $(($(date +%s%N) - begun)) -gt 400000000 ] || wrong "the host did not wait for a turn"
    says out '^trial: stopped$'
    says out '^trial: fini$'
}

# A second signal does not wait.
serve --module "$trial" --set modules.trial.linger=20s && {
    begun=$(date +%s%N)
    ends 1 TERM TERM
    [ $(($(date +%s%N) - begun)) -lt 10000000000 ] || wrong "the second signal waited"
}

# What does not end in time is cut off, and that is said.
serve --module "$trial" --set modules.trial.linger=20s --set host.drain_timeout=100ms && {
    ends 1 TERM
    says err 'work was cut off'
}

# A state folder that can't be made.
: >file
refuses 3 'file.*host.state_folder' serve --set host.state_folder="$work/file/state" --port 0
refuses 3 'file.*host.state_folder' serve --set host.state_folder="$work/file" --port 0

refuses 2 "http: 'nowhere' is not an IP address" serve --set http.address=nowhere --port 0
refuses 2 'no-models' serve --models no-models --port 0
refuses 2 'no.yaml: No such file' serve --simulate no.yaml --port 0
finish
