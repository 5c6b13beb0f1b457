#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help, version, and what happens to those who mistype.
. "$(dirname "$0")/program.sh"

expect 0 --version
says out '^quark [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 help
for command in serve devices topology model bench dlq contract; do
    says out "^  $command "
done
expect 2
says err '^usage: quark COMMAND'

for command in serve devices topology 'model check' 'model verify' 'model run' bench 'dlq list' 'dlq show' \
    'dlq delete' 'dlq replay' 'contract check' 'contract proto'; do
    # shellcheck disable=SC2086  # two words are meant
    expect 0 $command --help
    says out "^usage: quark $command"
    # shellcheck disable=SC2086
    refuses 2 '--nonsense: unknown option' $command --nonsense
done
expect 0 model --help
expect 0 help devices
says out '^usage: quark devices'

# A command that is not there yet is not there at all.
for command in load state new lint cluster top predict nonsense; do
    refuses 2 "$command: unknown command" $command
    ! grep -qE "^  $command " <("$quark" help) || wrong "help lists $command"
done
refuses 2 'nonsense: unknown command' help nonsense
refuses 2 '--nonsense: unknown option' --nonsense
refuses 2 'model nonsense' model nonsense

refuses 2 '--port: not a whole number' serve --port seven
refuses 2 '--port: not a whole number' serve --port 65536
refuses 2 '--config: a value is missing' serve --config
refuses 2 '--json=yes: this option takes no value' devices --json=yes
refuses 2 'stray: unexpected operand' devices stray
refuses 2 'an operand is missing' model check
finish
