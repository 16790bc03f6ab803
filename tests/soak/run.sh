#!/usr/bin/env bash
# A thousand mixed requests to a served tiny model, as ctest runs it:
#   run.sh LITESTAGE TINY_MODEL_PROGRAM WORK_FOLDER [what soak.py takes]
set -euo pipefail
litestage=$1
tiny_model=$2
work=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/server.sh"

command -v python3 >/dev/null || { echo "soak skipped: python3 is needed"; exit 77; }
mkdir -p "$work"
"$tiny_model" "$work/tiny.gguf"
cp "$here/../contract/three.toml" "$work/"
start_server "$work/stderr.log" "$litestage" serve -m "$work/tiny.gguf" -t 1 --alias tiny --program "$work/three.toml" \
    --queue 8 --read-time 2
python3 "$here/soak.py" "http://127.0.0.1:$port" --pid "$server" --model tiny --program three "$@"
kill -TERM "$server"
wait "$server"
