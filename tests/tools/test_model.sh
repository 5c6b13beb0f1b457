#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ONNX models: checked, run, held against stored answers; and what is no model is refused by name.
. "$(dirname "$0")/program.sh"
digits=$QUARK_SOURCE_DIR/samples/vision/models/digits/1/model.onnx
cases=/usr/share/libonnx-testdata/data/node

expect 0 model check "$digits"
says out 'model.onnx: fine$'
says out '^  input    pixels: float32 \[.*16, 16\]$'
says out '^  output   probabilities: float32 \[.*11\]$'
expect 0 model check --json "$digits"
says out '"sha256"'

refuses 2 'missing.onnx' model check missing.onnx
head -c 5000 /dev/urandom >random.onnx
refuses 2 'random.onnx' model check random.onnx
head -c 3000 "$digits" >truncated.onnx
refuses 2 'truncated.onnx' model check truncated.onnx
: >empty.onnx
refuses 2 'empty.onnx' model check empty.onnx
refuses 2 "$work" model check "$work"
refuses 2 'missing.onnx' model run missing.onnx
refuses 2 'has 1 inputs, but --input is given 0 times' model run "$digits"
refuses 2 'random.onnx' model run "$digits" --input random.onnx
refuses 2 'missing.pb' model run "$digits" --input missing.pb
refuses 3 "no device 'gpu9'" model verify --device gpu9 .
refuses 2 'nowhere' model verify nowhere
mkdir nothing
refuses 2 'nothing' model verify nothing

[ -d "$cases/test_relu" ] || { echo "no libonnx-testdata: no cases"; finish; }

expect 0 model verify "$cases/test_relu" "$cases/test_add"
says out '^passed +[^ ]*test_relu'
says out '^passed 2, failed 0, unsupported 0$'
expect 0 model verify --json "$cases/test_add"
says out '"failed":0'

# An answer that is another's: a finding.
cp -r "$cases/test_relu" wrong-answer
cp "$cases/test_add/test_data_set_0/output_0.pb" wrong-answer/test_data_set_0/output_0.pb
expect 1 model verify wrong-answer "$cases/test_relu"
says out '^failed +wrong-answer.*: '
says out '^passed 1, failed 1, unsupported 0$'

expect 0 model run "$cases/test_relu/model.onnx" --input "$cases/test_relu/test_data_set_0/input_0.pb"
says out '^y: float32 3x4x5: [0-9.]+ '
expect 0 model run "$cases/test_relu/model.onnx" --input "$cases/test_relu/test_data_set_0/input_0.pb" --json
[ "$(grep -cE '^ +-?[0-9.e+-]+,?$' out)" -ge 60 ] || wrong "not all elements"
finish
