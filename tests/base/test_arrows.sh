#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An include that climbs does not compile: for each folder, with its own compile command, a header of every folder that it may use is
# found and one of every other folder is not. And nobody goes round the doors with a relative path.
set -u
cd / || exit 1    # a quoted include also looks where the compiler runs

# What each folder may use, itself included: the arrows of docs/architecture.md.
declare -A may=(
    [base]="base"
    [devices]="devices base"
    [kernels]="kernels devices base"
    [scheduler]="scheduler devices base"
    [host]="host scheduler kernels devices base"
    [predict]="predict host scheduler kernels devices base"
    [cluster]="cluster host scheduler kernels devices base"
)
declare -A header=(
    [base]=base/memory.h [devices]=devices/device.h [kernels]=kernels/model.h [scheduler]=scheduler/scheduler.h
    [host]=host/host.h [predict]=predict/predict.h [cluster]=cluster/ring.h
)
failures=0

# The -I and -isystem flags of some file of a folder, as the build gives them.
include_flags() {
    sed -n "s|^  \"command\": \"\(.*\) -o .* -c $QUARK_SOURCE_DIR/$1/[^ ]*\.c\",*\$|\1|p" \
        "$QUARK_BUILD_DIR/compile_commands.json" | head -n 1 | grep -oE -- '-(I|isystem )[^ ]+'
}

for folder in "${!may[@]}"; do
    flags=$(include_flags "$folder")
    [ -n "$flags" ] || { echo "no compile command found for $folder/"; failures=$((failures + 1)); continue; }
    for other in "${!header[@]}"; do
        # shellcheck disable=SC2086  # flags are words
        if echo "#include \"${header[$other]}\"" |
            cc -std=gnu11 -D_GNU_SOURCE -DCL_TARGET_OPENCL_VERSION=300 $flags -fsyntax-only -x c - 2>/dev/null; then
            found=yes
        else
            found=no
        fi
        case " ${may[$folder]} " in *" $other "*) expected=yes ;; *) expected=no ;; esac
        if [ $found != $expected ]; then
            echo "$folder/ including ${header[$other]}: compiles: $found, should: $expected"
            failures=$((failures + 1))
        fi
    done
done

if cd "$QUARK_SOURCE_DIR" && grep -rnE '#include "\.\./' base devices kernels scheduler host predict cluster --include='*.[ch]'; then
    echo "a relative include goes round the doors"
    failures=$((failures + 1))
fi
[ $failures -eq 0 ]
