#!/usr/bin/env bash
# Runs lm-evaluation-harness's log-likelihood OpenBookQA against a served model, and the same questions without a server:
#   tests/contract/lm_eval/run.sh BUILD_FOLDER MODEL_FILE OPENBOOKQA_JSONL [QUESTIONS]
# Not one of the tests of every day: it needs lm_eval[api] on the PATH (pip install 'lm_eval[api]'; several GB).
set -euo pipefail
build=$1
model=$2
data=$(realpath "$3")
limit=${4:-50}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../support/server.sh"

work=$(mktemp -d)
sed "s|DATA|$data|" "$here/openbookqa_file.yaml" >"$work/openbookqa_file.yaml"
start_server "$work/stderr.log" "$build/litestage" serve -m "$model" --alias served
until curl -fsS "http://127.0.0.1:$port/health" >/dev/null 2>&1; do sleep 0.2; done
HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 lm_eval --model local-completions --tasks openbookqa_file --include_path "$work" \
    --limit "$limit" --log_samples --output_path "$work/results" --model_args \
    "model=served,base_url=http://127.0.0.1:$port/v1/completions,tokenizer_backend=remote,num_concurrent=4"
python3 "$here/compare.py" "$(find "$work/results" -name 'samples_*.jsonl')" "$build/tests/contract/litestage_score" "$model"
rm -rf "$work"
