#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every link of a page to a file of the project leads to one. Addresses of the web are not followed.
set -u
cd "$QUARK_SOURCE_DIR" || exit 1
failures=0

for page in README.md CONTRIBUTING.md docs/*.md; do
    while read -r target; do
        [ -e "$(dirname "$page")/$target" ] && continue
        echo "$page: no such file: $target"
        failures=$((failures + 1))
    done < <(grep -oE '\]\([^)#]+' "$page" | cut -c 3- | grep -vE '^[a-z]+:')
done
exit $((failures > 0))
