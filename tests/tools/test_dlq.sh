#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Dead letters of a host that runs: listed, shown, replayed, deleted; and kept over a restart.
. "$(dirname "$0")/program.sh"
letters=$QUARK_BUILD_DIR/tests/letters_module.so

# kept N: waits until so many letters are there; the messages fail by themselves.
kept()
{
    for _ in $(seq 200); do
        expect 0 dlq list --at "127.0.0.1:$port"
        grep -q "^$1 kept" out && return
        sleep 0.05
    done
    wrong "there are not $1 letters"
}

serve --module "$letters" --set modules.letters.file="$work/key" \
    --set host.state_folder="$work/state" --set host.dead_letters_durable=yes && {
    at=127.0.0.1:$port
    kept 5
    says out '^5 kept, 5 asked for, 5 shown$'
    says out ' failed +2  Door/front\.Open: QK_UNAVAILABLE: front: no key$'
    expect 0 dlq list --at "$at" --type Door --key back --limit 1
    says out '^5 kept, 2 asked for, 1 shown; --after [0-9]+ shows more$'
    expect 0 dlq list --at "$at" --json
    says out '"payload_bytes": 5'
    id=$(sed -n 's/.*"id": \([0-9]*\).*/\1/p' out | head -1)
    expect 0 dlq show --at "$at" "$id"
    says out '^message +Open of Door/'
    says out '^6b6e6f636b$'
    expect 0 dlq show --at "$at" "$id" --json
    says out '"payload": "6b6e6f636b"'

    # It fails again, and stays.
    expect 1 dlq replay --at "$at" "$id"
    says out '^0 replayed, 1 failed again, 0 gone meanwhile$'
    says err '^quark: dlq: QK_UNAVAILABLE: .*: no key$'
    expect 0 dlq show --at "$at" "$id"
    says out '^tries +3$'
    : >"$work/key"
    expect 0 dlq replay --at "$at" "$id"
    says out '^1 replayed, 0 failed again, 0 gone meanwhile$'
    expect 1 dlq replay --at "$at" "$id"
    says err 'no dead letters'
    refuses 2 "there is no dead letter $id" dlq show --at "$at" "$id"
    expect 1 dlq delete --at "$at" "$id"
    says err "there is no dead letter $id"

    ends 0 TERM
}

rm -f "$work/key"
serve --module "$letters" --set modules.letters.file="$work/key" \
    --set host.state_folder="$work/state" --set host.dead_letters_durable=yes && {
    at=127.0.0.1:$port
    kept 9    # four from before
    : >"$work/key"
    expect 0 dlq replay --at "$at" --type Door --key back --json
    says out '"failed": 0, "gone": 0'
    expect 0 dlq delete --at "$at" --type Door
    expect 0 dlq delete --at "$at" --all --json
    says out '^\{"deleted": 0, "gone": 0\}$'
    kept 0

    # What is no host says so, and what is none at all.
    refuses 2 'is not ADDRESS:PORT' dlq list --at nowhere
    refuses 2 '--key needs --type' dlq list --key a
    refuses 2 "'x' is not an id" dlq show x
    refuses 2 'say which' dlq delete
    refuses 2 'say which' dlq delete 1 --all
    refuses 2 'say which' dlq replay --all --type Door
    refuses 2 'an operand is missing' dlq show
    refuses 2 'there are list, show, delete and replay' dlq forget
    ends 0 TERM
    refuses 3 "no host answers at $at: .*quark serve" dlq list --at "$at"
}

refuses 2 'dead_letters_durable needs a state_folder' serve --port 0 --set host.dead_letters_durable=yes
finish
