#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tools/up and tools/test where they must refuse, and where they must do nothing. They run in a copy of the tools with
# stand-ins for apt-get, dpkg-query, id and cmake, so that this test neither installs nor builds, and needs no root.
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# --- the stage -------------------------------------------------------------------------------------------------------

# A fresh checkout of the tools, and a PATH that holds the stand-ins and the few real commands that a base system has.
stage()
{
    rm -rf "${work:?}"/*
    mkdir -p "$work/checkout/samples" "$work/bin"
    cp -r "$source/tools" "$work/checkout/"
    for command in awk bash cat chmod cp dirname env grep head mkdir rm sh tail wc; do
        ln -s "$(command -v "$command")" "$work/bin/$command"
    done
    printf 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n' >"$work/os-release"
    stand_in id 'echo 0'
    stand_in apt-get 'echo "apt-get $*" >>"$STAGE/calls"'
    stand_in cmake 'echo "cmake $*" >>"$STAGE/calls"'
    everything_installed
}

# stand_in NAME SCRIPT
stand_in()
{
    rm -f "$work/bin/$1"
    printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
    chmod 755 "$work/bin/$1"
}

everything_installed()
{
    stand_in dpkg-query 'for p in "$@"; do echo "$p installed"; done'
}

nothing_installed()
{
    stand_in dpkg-query 'exit 1'
}

# run VARIABLE=VALUE... COMMAND ARGUMENT...: leaves $status, and what was printed in out and err.
run()
{
    (cd "$work/checkout" && env -i PATH="$work/bin" STAGE="$work" HOME=/nonexistent \
        QUARK_OS_RELEASE="$work/os-release" "$@") >"$work/out" 2>"$work/err"
    status=$?
}

# --- what is claimed -------------------------------------------------------------------------------------------------

wrong()
{
    echo "FAILED  $claim: $1"
    sed 's/^/    /' "$work/out" "$work/err"
    failures=$((failures + 1))
}

# refuses CODE PATTERN: that exit code and one line on stderr that matches.
refuses()
{
    [ "$status" = "$1" ] || wrong "exit code $status, not $1"
    [ "$(wc -l <"$work/err")" = 1 ] || wrong "not one line"
    grep -q -- "$2" "$work/err" || wrong "the line does not say '$2'"
}

never_called()
{
    ! grep -q "^$1" "$work/calls" 2>/dev/null || wrong "$1 was called: $(grep "^$1" "$work/calls" | head -n 1)"
}

for tool in tools/up tools/test; do
    claim="$tool refuses a system that it has no packages for"
    stage
    printf 'ID=other\nVERSION_CODENAME=strange\nPRETTY_NAME="Other OS 7"\n' >"$work/os-release"
    run $tool
    refuses 3 'Debian 12 and 13 only, and this is Other OS 7'

    claim="$tool without root and sudo names the command to run as root"
    stage
    nothing_installed
    stand_in id 'echo 1000'
    run $tool
    refuses 3 'as root, run: apt-get update .*libhwloc-dev'
    never_called apt-get

    claim="$tool without a network says so, with the reason of apt"
    stage
    nothing_installed
    stand_in apt-get 'echo "E: Temporary failure resolving the mirror" >&2; exit 100'
    run $tool
    refuses 3 'check the network.*E: Temporary failure.*build/log/packages.log'

    claim="$tool refuses a build folder that it cannot make"
    stage
    echo >"$work/checkout/build"
    run $tool
    refuses 3 'cannot write below .*/build'

    claim="$tool refuses an unknown option before it does anything"
    stage
    run $tool --bogus
    [ $status = 2 ] || wrong "exit code $status, not 2"
    grep -q "unknown option '--bogus'" "$work/err" || wrong "the option is not named"
    [ ! -e "$work/checkout/build" ] || wrong "it made build/"

    claim="$tool shows the error of a failing build and names its log"
    stage
    stand_in cmake 'echo "base/map.c:3:1: error: no such thing"; exit 1'
    run $tool
    [ $status = 1 ] || wrong "exit code $status, not 1"
    grep -q 'map.c:3:1: error' "$work/err" || wrong "the error is not shown"
    grep -q 'build/log/release.log' "$work/err" || wrong "the log is not named"
done

claim="tools/up with everything installed calls no package manager and hands its options on"
stage
mkdir -p "$work/checkout/build/release/bin"
printf '#!/bin/sh\necho "quark $*"\n' >"$work/checkout/build/release/bin/quark"
chmod 755 "$work/checkout/build/release/bin/quark"
run tools/up --once -- --set a=b
[ $status = 0 ] || wrong "exit code $status"
never_called apt-get
grep -qx 'quark serve --config samples/vision/quark.yaml --once --set a=b' "$work/out" || wrong "the options are lost"

claim="tools/test in CI without recorded inputs is an error"
stage
run CI=true tools/test
refuses 3 'set QUARK_DATA_DIR'

claim="tools/test wants a number of seconds"
stage
run tools/test --fuzz-seconds soon
refuses 2 "not a number: 'soon'"

claim="both releases have a list without unknown rows"
for release in bookworm trixie; do
    (
        program=test root=$source
        . "$source/tools/packages/setup.sh"
        [ "$(packages_for "up test" $release | wc -l)" -gt 25 ] && packages_for up $release | grep -qx pocl-opencl-icd
    ) || wrong "$release lacks packages"
done
awk '/^[^#]/ && !($1 ~ /^(up|test)$/ && $3 ~ /^(all|bookworm|trixie)$/) { print; bad = 1 } END { exit bad }' \
    "$source/tools/packages/debian.list" >"$work/out" || wrong "a row is malformed"

[ $failures = 0 ] && echo "all claims hold"
exit $((failures > 0))
