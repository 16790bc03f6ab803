#!/usr/bin/env bash
# Asks a served tiny model through the openai package, as ctest runs it:
#   run.sh LITESTAGE TINY_MODEL_PROGRAM WORK_FOLDER
# Needs python3 with pip, and the network once; exit code 77 (skipped) without them.
set -euo pipefail
litestage=$1
tiny_model=$2
work=$3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/server.sh"

skip() { echo "contract test skipped: $*"; exit 77; }

python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -m pip --version >/dev/null 2>&1; then python=$candidate; break; fi
done
[[ -n $python ]] || skip "python3 with pip is needed"

mkdir -p "$work"
# What is installed stays until the list changes.
if ! cmp -s "$here/requirements.txt" "$work/installed.txt"; then
  rm -rf "$work/packages"
  "$python" -m pip install --disable-pip-version-check --quiet --no-warn-conflicts --root-user-action ignore --only-binary :all: --target "$work/packages" \
      -r "$here/requirements.txt" </dev/null || skip "pip could not get its packages"
  cp "$here/requirements.txt" "$work/installed.txt"
fi

"$tiny_model" "$work/tiny.gguf"
cp "$here/three.toml" "$work/"
start_server "$work/stderr.log" "$litestage" serve -m "$work/tiny.gguf" -t 1 --alias tiny \
    --program "$work/three.toml" --api-key secret
export LITESTAGE_API_KEY=secret
PYTHONPATH="$work/packages" PYTHONDONTWRITEBYTECODE=1 LITESTAGE_URL="http://127.0.0.1:$port" "$python" "$here/openai_test.py" -v
# The examples, as people run them.
examples=$here/../../examples
"$examples/ask.sh" "http://127.0.0.1:$port" >"$work/ask.txt"
grep -q '^event: answer' "$work/ask.txt"
PYTHONPATH="$work/packages" PYTHONDONTWRITEBYTECODE=1 "$python" "$examples/ask_openai.py" "http://127.0.0.1:$port" >"$work/openai.txt"
grep -q recall "$work/openai.txt"
kill -TERM "$server"
wait "$server"
