#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The live page in a real browser: it fills itself from what the host answers, and no script fails.
. "$(dirname "$0")/program.sh"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
[ -n "$browser" ] || exit 77

serve --set host.name=page-under-test --module "$QUARK_BUILD_DIR/tests/trial_module.so" || finish
timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --user-data-dir="$work/profile" --enable-logging=stderr --virtual-time-budget=4000 \
    --dump-dom "http://127.0.0.1:$port/" >out 2>browser.log
says out '<h1 id="name">page-under-test</h1>'
says out '<title>page-under-test'
says out 'class="pill healthy"[^>]*>healthy<'
says out '<article class="card"><h3>'
says out 'Active actors'
says out 'TrialGreeter'
says out 'Worker 0'
says out 'Pre-warming|No actor type is foretold'
if grep -E 'CONSOLE.*(Error|Refused)' browser.log >err; then
    wrong "the page's script fails"
fi
ends 0 TERM
finish
