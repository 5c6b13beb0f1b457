#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Modules: given by path or by name, told their options, played once, and refused when they are none.
. "$(dirname "$0")/program.sh"
trial=$QUARK_BUILD_DIR/tests/trial_module.so

# With --once a module plays to its end and its exit code is the program's.
expect 0 serve --port 0 --once --module "$trial"
says out '^trial: fini$'
expect 1 serve --port 0 --once --module "$trial" --set modules.trial.exit_code=1

# An actor with a contract: the program brings the messages' library too.
expect 0 serve --port 0 --module "$QUARK_BUILD_DIR/tests/contract_module.so"
says out '^contract: note 1 is hello$'

cp "$trial" near.so
expect 0 serve --port 0 --once --module ./near.so
printf 'modules:\n  trial:\n    path: ./near.so\n' >q.yaml
expect 0 serve --port 0 --once --config q.yaml
refuses 2 "is loaded already" serve --port 0 --config q.yaml --module "$trial"

refuses 2 'module trial: .*modules.trial.spede: unknown' serve --port 0 --module "$trial" --set modules.trial.spede=2
refuses 2 'module trial: .*exit_code.* from 0 to 3' serve --port 0 --module "$trial" --set modules.trial.exit_code=9
sed -i 's/trial/other/' q.yaml
refuses 2 "q.yaml:3:[0-9]+: modules.other: module ./near.so is named 'trial'" serve --port 0 --config q.yaml

refuses 2 'module none.so: ' serve --port 0 --module none.so
refuses 2 'module ./none.so: ' serve --port 0 --module ./none.so
head -c 5000 /dev/urandom >random.so
refuses 2 'module ./random.so: ' serve --port 0 --module ./random.so
head -c 2000 "$trial" >truncated.so
refuses 2 'module ./truncated.so: ' serve --port 0 --module ./truncated.so
refuses 2 'made for module ABI 4000000000, this is 1' serve --port 0 --module "$QUARK_BUILD_DIR/tests/other_age.so"
refuses 2 'defines no qk_module_entry' serve --port 0 --module "$(ldd "$quark" | sed -n 's|.*=> \(/.*libpng[^ ]*\) .*|\1|p')"
finish
