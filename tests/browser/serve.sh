#!/usr/bin/env bash
# Asks questions on the server's page in a real browser, with the small real model behind it, as ctest runs it:
#   serve.sh LITESTAGE PLAN_PROGRAM WORK_FOLDER
# LITESTAGE_TEST_MODEL names the model; without it the test is skipped.
set -euo pipefail
litestage=$1
plan_program=$2
work=$3
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"
cd "$work"
. "$here/setup.sh"
. "$here/../support/server.sh"
[[ -n ${LITESTAGE_TEST_MODEL:-} ]] || skip "LITESTAGE_TEST_MODEL names no model"
get_packages "$here"

"$plan_program" "$LITESTAGE_TEST_MODEL" recall-analyze-answer "$work/hasty.json"
start_server "$work/stderr.log" "$litestage" serve -m "$LITESTAGE_TEST_MODEL" --alias small --plan "$work/hasty.json"
LITESTAGE_URL="http://127.0.0.1:$port" node --test --test-reporter=spec serve.test.js </dev/null
kill -TERM "$server"
wait "$server"
