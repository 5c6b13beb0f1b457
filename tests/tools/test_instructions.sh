#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/bench/instructions.sh counts, says what is wrong, and a message has not become twice as dear unnoticed.
. "$(dirname "$0")/program.sh"
command -v valgrind >/dev/null || { echo "no valgrind here"; exit 77; }

# counts CODE ARGUMENT...
counts()
{
    local code=$1 got=0
    shift
    "$QUARK_SOURCE_DIR/tests/bench/instructions.sh" "$@" >out 2>err </dev/null || got=$?
    [ $got = "$code" ] || wrong "instructions.sh $*: exit code $got, not $code"
}

counts 2
says err 'BUILD \[NAME\.\.\.\]'
counts 1 "$QUARK_BUILD_DIR" nonsense
says err 'nonsense: no such benchmark'
counts 0 "$QUARK_BUILD_DIR" pingpong
says out '^pingpong instructions_per_op [1-9][0-9]+$'
took=$(awk '{print $3}' out)
[ "$1" = Debug ] || [ "$took" -lt 1000 ] || wrong "pingpong: $took instructions a message, where 520 were enough"
finish
