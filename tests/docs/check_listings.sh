#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check_listings.sh COMPILER INCLUDE-FOLDERS - every listing in README.md and docs/ does what the page says.
#
# README.md beside this file says how listings are marked. The pages are those below $QUARK_SOURCE_DIR, the programs
# those of $QUARK_BUILD_DIR. INCLUDE-FOLDERS is a list with semicolons, as CMake writes it.
set -u
compiler=$1
IFS=';' read -r -a folders <<<"${2-}"
source=$QUARK_SOURCE_DIR
build=$QUARK_BUILD_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checked=0
failures=0

# Prints a line "place language marker file" for each listing of a page, and leaves its text in that file.
extract()
{
    awk -v page="$1" -v out="$work/$(echo "$1" | tr / _)" '
        /^<!-- .* -->$/ { marker = $0; sub(/^<!-- /, "", marker); sub(/ -->$/, "", marker); gsub(/ /, "_", marker); next }
        /^ *```/ && !inside {
            inside = 1
            language = $0; sub(/^ *```/, "", language); if (language == "") language = "none"
            file = out "." ++count
            printf "" >file
            print page ":" NR, language, (marker == "" ? "unmarked" : marker), file
            next
        }
        /^ *```$/ && inside { inside = 0; marker = ""; close(file); next }
        inside { print >file; next }
        !/^$/ { marker = "" }
        END { if (inside) print page ":" NR, "unfinished", "unmarked", "-" }' "$source/$1"
}

# A folder that looks like a checkout that has been built, so that what a listing writes stays out of the real one.
lay_checkout()
{
    local entry
    rm -rf "$work/checkout"
    mkdir -p "$work/checkout/build"
    for entry in "$source"/*; do
        [ "$(basename "$entry")" = build ] || ln -s "$entry" "$work/checkout/"
    done
    ln -s "$build" "$work/checkout/build/release"
}

wrong()
{
    echo "$1: $2"
    [ ! -s "$work/output" ] || sed 's/^/    /' "$work/output"
    failures=$((failures + 1))
}

# run PLACE FILE EXPECTED-EXIT-CODE
run()
{
    local status=0
    lay_checkout
    (cd "$work/checkout" && PATH=$build/bin:$PATH timeout 60 bash -e "$2") >"$work/output" 2>&1 </dev/null || status=$?
    [ $status = "$3" ] || wrong "$1" "exit code $status, not $3"
}

compile()
{
    "$compiler" -std=gnu11 -fsyntax-only -Wall -Wextra -Werror "${folders[@]/#/-I}" -isystem "$work/contracts" -x c "$2" >"$work/output" 2>&1 ||
        wrong "$1" "does not compile"
}

# contract PLACE FILE NAME: makes the code of a .proto, for the listings after it.
contract()
{
    mkdir -p "$work/contracts"
    cp "$2" "$work/contracts/$3"
    (cd "$work/contracts" && protoc --plugin="$build/bin/protoc-gen-quark" --c_out=. --quark_out=. \
        -I. -I/usr/include "$3" google/protobuf/empty.proto) >"$work/output" 2>&1 || wrong "$1" "protoc refuses it"
}

check()
{
    local place=$1 language=$2 marker=$3 file=$4

    : >"$work/output"
    checked=$((checked + 1))
    case $language:$marker in
    unfinished:*) wrong "$place" "a listing that never ends" ;;
    text:* | *:shown:_?*) ;;
    sh:run) run "$place" "$file" 0 ;;
    sh:run:_exit_*) run "$place" "$file" "${marker#run:_exit_}" ;;
    c:compile) compile "$place" "$file" ;;
    proto:contract:_*) contract "$place" "$file" "${marker#contract:_}" ;;
    *) wrong "$place" "a listing in '$language', marked '${marker//_/ }', that nothing checks" ;;
    esac
}

for page in README.md $(cd "$source" && ls docs/*.md 2>/dev/null); do
    while read -r place language marker file; do
        check "$place" "$language" "$marker" "$file"
    done < <(extract "$page")
done
echo "$checked listings, $failures wrong"
exit $((failures > 0))
