#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The configuration: every key is taken, every mistake is named with its place, and nothing is left behind.
. "$(dirname "$0")/program.sh"
trial=$QUARK_BUILD_DIR/tests/trial_module.so

mkdir -p deep
cp -r "$QUARK_SOURCE_DIR/samples/vision/models" models
cat >deep/all.yaml <<'YAML'
host:
  name: every-key
  workers: 1
  pinning: no
  idle_timeout: 1min
  memory_limit: 8MiB
  call_timeout: 5s
  drain_timeout: 10s
  state_folder: state
  state_max_size: 16MiB
  dead_letters: 20
  dead_letters_durable: yes
  cache_folder: cache
  log: off
http:
  address: 127.0.0.1
  port: 1
devices:
  opencl: no
  simulate: machine.yaml
  memory_limit: 64MiB
models:
  folder: ../models
predict:
  enabled: no
  max_loading: 7
  max_loading_per_trigger: 3
  slack: 2s
modules:
  trial:
    path: TRIAL
    greeting: hello.txt
YAML
sed -i "s|TRIAL|$trial|" deep/all.yaml
printf 'devices:\n  - id: gpu\n    memory: 1GiB\n' >deep/machine.yaml
if serve --config deep/all.yaml; then
    says out '^trial: greeting at deep/hello.txt$'
    [ -e deep/state ] || wrong "state is not beside the configuration"
    get /quark/status >out
    says out '"name": "every-key"'
    says out '"kind": "lmdb"'
    get /quark/devices >out
    says out '"id": "sim:gpu.*"'
    says out '"limit_bytes": 67108864'
    get /metrics >out
    says out '^quark_activations_limit_bytes 8388608$'
    get /quark/predict >out
    says out '"prewarming": false'
    says out '"max_loading": 7'
    ends 0 TERM
fi

# wrong_config REGEX LINE...: a configuration of these lines is refused.
wrong_config()
{
    local regex=$1
    shift
    printf '%s\n' "$@" >wrong.yaml
    refuses 2 "$regex" serve --config wrong.yaml --port 0
}
wrong_config 'wrong.yaml:2:[0-9]+: host.wrokers: unknown' 'host:' '  wrokers: 2'
wrong_config 'wrong.yaml:[12]:[0-9]+: hots: unknown section' 'hots:' '  workers: 2'
wrong_config 'wrong.yaml:2:[0-9]+: host.workers: .*many' 'host:' '  workers: many'
wrong_config 'wrong.yaml:2:[0-9]+: http.port: .*65535' 'http:' '  port: 70000'
wrong_config 'wrong.yaml:2:[0-9]+: host.idle_timeout: not a duration' 'host:' '  idle_timeout: 5 parsecs'
wrong_config 'wrong.yaml:2:[0-9]+: devices.opencl: not a yes or no' 'devices:' '  opencl: maybe'
wrong_config 'wrong.yaml:[0-9]+:[0-9]+: .*log' 'host:' '  log: loud'
wrong_config 'wrong.yaml:1:[0-9]+: host: not a map' 'host: [1, 2]'
wrong_config 'wrong.yaml:3:[0-9]+: ' 'host:' '  name: x' '   workers: ['
wrong_config 'wrong.yaml:2:[0-9]+: modules.ghost: no path' 'modules:' '  ghost: {}'
wrong_config 'wrong.yaml:3:[0-9]+: .*twice' 'host:' '  name: x' '  name: y'
[ "$(ls)" = "$(printf '%s\n' deep err models out wrong.yaml)" ] || wrong "a refused configuration left: $(ls)"

refuses 2 'missing.yaml: No such file' serve --config missing.yaml
head -c 5000 /dev/urandom >random.yaml
refuses 2 'random.yaml' serve --config random.yaml
sed '/greeting/,$d' deep/all.yaml | head -c -12 >truncated.yaml    # in the middle of a path
refuses 2 'truncated.yaml' serve --config truncated.yaml --set host.state_folder=s
refuses 2 "$work" serve --config "$work"

refuses 2 '--set host.workers: not PATH=VALUE' serve --set host.workers
refuses 2 'host.workers: .*many' serve --set host.workers=many
refuses 2 'host.wrokers: unknown' serve --set host.wrokers=2
refuses 2 'hots: unknown section' serve --set hots.workers=2
finish
