#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# That check_listings.sh finds what is wrong, shown on a small checkout that holds one mistake at a time.
set -u
here=$(cd "$(dirname "$0")" && pwd)
compiler=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/source/docs" "$work/build/bin" "$work/include"
echo 'int answer(void);' >"$work/include/answer.h"
failures=0

# claim WHAT pass|fail PATTERN: the page on standard input is accepted or not, and the report matches.
claim()
{
    cat >"$work/source/docs/page.md"
    echo '# empty' >"$work/source/README.md"
    QUARK_SOURCE_DIR=$work/source QUARK_BUILD_DIR=$work/build \
        bash "$here/check_listings.sh" "$compiler" "$work/include" >"$work/report" 2>&1
    [ $? = $([ "$2" = pass ]; echo $?) ] && grep -q -- "$3" "$work/report" && return
    echo "FAILED  $1"
    sed 's/^/    /' "$work/report"
    failures=$((failures + 1))
}

claim 'output and reasons are let through' pass '^2 listings, 0 wrong' <<'EOF_PAGE'
```text
whatever
```
<!-- shown: takes an hour -->

```sh
false
```
EOF_PAGE

claim 'an unmarked listing is refused at its line' fail '^docs/page.md:2: .*nothing checks' <<'EOF_PAGE'
words
```sh
true
```
EOF_PAGE

claim 'a marker does not reach past words' fail 'nothing checks' <<'EOF_PAGE'
<!-- run -->
words
```sh
true
```
EOF_PAGE

claim 'a command that fails is wrong, with its output' fail 'no such flag' <<'EOF_PAGE'
<!-- run -->
```sh
echo no such flag; exit 4
```
EOF_PAGE

claim 'a refusal may be what the page shows' pass '0 wrong' <<'EOF_PAGE'
<!-- run: exit 4 -->
```sh
exit 4
```
EOF_PAGE

claim 'a listing sees the build and writes outside the checkout' pass '0 wrong' <<'EOF_PAGE'
<!-- run -->
```sh
test -d build/release/bin && test -f README.md && echo >litter
```
EOF_PAGE
[ ! -e "$work/source/litter" ] || failures=$((failures + 1))

claim 'C is compiled against the headers' pass '0 wrong' <<'EOF_PAGE'
<!-- compile -->
```c
#include <answer.h>
int twice(void);
int twice(void) { return 2 * answer(); }
```
EOF_PAGE

claim 'C that does not compile is wrong' fail 'does not compile' <<'EOF_PAGE'
<!-- compile -->
```c
int f(void) { return question(); }
```
EOF_PAGE

ln -s "$QUARK_BUILD_DIR/bin/protoc-gen-quark" "$work/build/bin/"
claim 'a contract goes through protoc, and code may use it' pass '^2 listings, 0 wrong' <<'EOF_PAGE'
<!-- contract: a.proto -->
```proto
syntax = "proto3";
message Question { string text = 1; }
```

<!-- compile -->
```c
#include "a.pb-c.h"
const Question question = QUESTION__INIT;
```
EOF_PAGE

claim 'a contract that protoc refuses is wrong' fail 'protoc refuses it' <<'EOF_PAGE'
<!-- contract: a.proto -->
```proto
syntax = "proto3";
message Question { unknown text = 1; }
```
EOF_PAGE

claim 'a listing that never ends is wrong' fail 'never ends' <<'EOF_PAGE'
```text
EOF_PAGE

[ $failures = 0 ] && echo "all claims hold"
exit $((failures > 0))
