#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every benchmark runs, short, and its own checks hold; what is printed has the agreed forms.
. "$(dirname "$0")/program.sh"
model=$QUARK_SOURCE_DIR/samples/vision/models/digits/1/model.onnx

expect 0 bench list
says out '^infer_cpu '
names=$(cut -d' ' -f1 out)
for name in $names; do
    expect 0 bench "$name" --short --plain --workers 1 --model "$model"
    says out "^$name(/[0-9]+)? [a-z0-9_]+ [0-9.e+]+$"
done
expect 0 bench infer_cpu --short --json --threads 1 --model "$model"
says out '^\{"bench":"infer_cpu","metric":"inferences_per_s","value":[0-9.e+]+,"unit":"inferences/s","params":\{.*"threads":"1".*\}\}$'
says out '"metric":"p50_us"'

engine='pingpong ask ask_load fanin ring big create skynet timers activate'
expect 0 bench $engine --short --plain --workers 2
for name in $engine; do
    says out "^$name(/[0-9]+)? "
done
says out '^ask_load/1 p999_us [0-9.e+]+$'

expect 0 bench fanin/16 --short --plain
says out '^fanin/16 msg_per_s [0-9.e+]+$'
[ "$(wc -l <out)" = 1 ] || wrong "bench fanin/16 ran others, too"

refuses 2 'nonsense: no such benchmark' bench nonsense
refuses 2 'fanin/5: no such benchmark' bench fanin/5
refuses 2 'fanin/16x: no such benchmark' bench fanin/16x
refuses 2 'pingpong/1: no such benchmark' bench pingpong/1
refuses 2 '--count: not a whole number' bench --count many
head -c 2000 /dev/urandom >random.onnx
expect 1 bench infer_cpu --short --model random.onnx
says err '^quark: bench infer_cpu: .*random.onnx'
expect 1 bench infer_cpu --short --model missing.onnx
finish
