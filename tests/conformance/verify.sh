#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds models against stored answers with `quark model verify`:   verify.sh DEVICE SET
#   models   the small pretrained models of the data folder and light_squeezenet: every case passes
#   cases    all ONNX backend cases of the data folder: none fails, what is not supported is counted
#   package  the cases of the distribution's libonnx-testdata, likewise
# Without the data it is skipped (77), unless CI=true: then it fails.
set -u
device=$1 set=$2
quark=$QUARK_BUILD_DIR/bin/quark
data=${QUARK_DATA_DIR:-$QUARK_SOURCE_DIR/../shared/data}

missing() {
    echo "not there: $1"
    [ "${CI:-}" = true ] && [ "$set" != package ] && exit 1
    exit 77
}

case $set in
models) paths=("$data/models/mnist-8" "$data/models/mnist-prefixes" "$data/onnx/light/light_squeezenet.onnx") ;;
cases) paths=("$data/onnx") ;;
package) paths=(/usr/share/libonnx-testdata/data) ;;
*) echo "verify.sh: no set '$set'"; exit 2 ;;
esac
for path in "${paths[@]}"; do
    [ -e "$path" ] || missing "$path"
done
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
output=$(QUARK_CACHE_DIR=$cache "$quark" model verify --device "$device" "${paths[@]}" 2>&1)
status=$?
echo "$output" | grep -v '^passed ' | grep -iE 'failed' | head -n 20
summary=$(echo "$output" | tail -n 1)
echo "$set on $device: $summary"
[ $status -eq 0 ] || exit 1
case $summary in
*"failed 0,"*) ;;
*) exit 1 ;;
esac
# Of the models nothing may be unsupported either, and some case must have been run at all.
case $set:$summary in
models:*"unsupported 0") ;;
models:*) exit 1 ;;
esac
case $summary in
"passed 0,"*) exit 1 ;;
esac
