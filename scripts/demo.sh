#!/usr/bin/env bash
# Shows litestage at work: gets what is missing, builds, downloads a model of 1.1 GB once, and answers the
# questions of questions/demo.jsonl in stages:
#   scripts/demo.sh [--model NAME|FILE] [what litestage run takes, e.g. --limit 5]
set -euo pipefail

model=qwen2.5-coder-1.5b
if [[ ${1:-} == --model ]]; then
  model=${2:?--model needs a name of the catalogue or a file}
  [[ ! -e $model ]] || model=$(realpath "$model")
  shift 2
fi
cd "$(dirname "$0")/.."

scripts/build.sh release --target litestage_program >&2
program=build/release/litestage
[[ -e $model ]] || "$program" pull "$model" >/dev/null
# Where there are plans for the model, each question is answered twice: by the whole model and by the plan for its program.
plans=()
for plan in plans/"$model"/{plan-solve,recall-analyze-answer,tinythinker}.json; do
  [[ ! -e $plan ]] || plans+=(--plan "$plan")
done
[[ ${#plans[@]} -eq 0 ]] || plans+=(--compare-full)
exec "$program" run --model "$model" --file questions/demo.jsonl --summary "${plans[@]}" "$@"
