# SPDX-License-Identifier: Apache-2.0
# program.sh - for the tests of the quark program; sourced. Everything happens in a folder of its own, $work.
set -u
quark=$QUARK_BUILD_DIR/bin/quark
work=$(mktemp -d)
failures=0
server=''
trap 'end_server; rm -rf "$work"' EXIT
cd "$work" || exit 1

end_server()
{
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null
    server=''
}

wrong()
{
    echo "WRONG: $1"
    [ ! -s "$work/out" ] || sed 's/^/    out: /' "$work/out"
    [ ! -s "$work/err" ] || sed 's/^/    err: /' "$work/err"
    failures=$((failures + 1))
}

# expect CODE ARGUMENT...: runs quark; what it printed is in out and err.
expect()
{
    local code=$1 got=0
    shift
    "$quark" "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    [ $got = "$code" ] || wrong "quark $*: exit code $got, not $code"
}

# says FILE REGEX: a line of out or err matches.
says()
{
    grep -qE -- "$2" "$work/$1" || wrong "$1 has no line like: $2"
}

# What went wrong is one line, or two with the usage.
refuses()
{
    local code=$1 regex=$2
    shift 2
    expect "$code" "$@"
    says err "^quark: .*$regex"
    [ "$(wc -l <"$work/err")" -le 2 ] || wrong "quark $*: more than one line and its usage"
}

# serve ARGUMENT...: a server in the background; $port is where it is.
serve()
{
    "$quark" serve --port 0 "$@" >"$work/out" 2>"$work/err" </dev/null &
    server=$!
    for _ in $(seq 300); do
        port=$(sed -n 's|.*ready on http://[^ ]*:\([0-9]*\)/ .*|\1|p' "$work/out")
        [ -z "$port" ] || return 0
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    wrong "quark serve $*: not ready"
    return 1
}

# ends CODE SIGNAL...: signals the server and waits for its end.
ends()
{
    local code=$1 got=0
    shift
    for signal; do
        kill "-$signal" "$server"
        sleep 0.2
    done
    wait "$server" || got=$?
    server=''
    [ $got = "$code" ] || wrong "the server ended with $got, not $code"
}

# The body of GET PATH; nothing but bash is needed for it.
get()
{
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
    tr -d '\r' <&3 | sed '1,/^$/d'
    exec 3<&-
}

finish()
{
    [ $failures = 0 ] || echo "$failures wrong"
    exit $((failures > 0))
}
