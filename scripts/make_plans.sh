#!/usr/bin/env bash
# Makes the shipped plans again, on a machine that does nothing else:
#   scripts/make_plans.sh DATA MODEL [PROGRAM...]
# DATA is a folder with the authors' files: gsm8k/train_1500.jsonl, openbookqa/train.jsonl,
# commonsenseqa/train_rand_split.jsonl, strategyqa/train.json. LIMIT (questions, 48), CANDIDATES (masks a stage, 7)
# and DAMAGE_TOKENS (192) change the effort, PARALLEL (questions at the same time, 8) the speed. PAPER=K makes the paper's plan too, as
# PROGRAM.paper.json, with K sublayers left out of a stage at most. Work that was stopped goes on; what the plans came from is kept in
# $LITESTAGE_CACHE/plans.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=$(realpath "$1") model=$2
shift 2
cd "$(dirname "$0")/.."
programs=("$@")
[[ ${#programs[@]} -gt 0 ]] || programs=(plan-solve recall-analyze-answer tinythinker)
litestage=${LITESTAGE:-build/release/litestage}
work=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/plans/$model
mkdir -p "$work" "plans/$model"

numbers=(--questions "$data/gsm8k/train_1500.jsonl")
choices=(--questions "$data/openbookqa/train.jsonl" --questions "$data/commonsenseqa/train_rand_split.jsonl"
         --questions "$data/strategyqa/train.json")

# A plan and what lies beside it; what an earlier search left beside it and this one did not is not its own.
ship() {
  for kind in "" importance. search. exit.; do
    if [[ -e $work/$1.${kind}json ]]; then
      cp "$work/$1.${kind}json" "plans/$model/"
    else
      rm -f "plans/$model/$1.${kind}json"
    fi
  done
}

for program in "${programs[@]}"; do
  questions=("${choices[@]}")
  [[ $program != plan-solve ]] || questions=("${numbers[@]}")
  "$litestage" tune --model "$model" --program "$program" "${questions[@]}" --max-loss 2 \
    --limit "${LIMIT:-48}" --candidates "${CANDIDATES:-7}" --exit-rules 1 --damage-tokens "${DAMAGE_TOKENS:-192}" \
    --parallel "${PARALLEL:-8}" --timed-questions 6 --output "$work/$program.json"
  ship "$program"
  if [[ -n ${PAPER:-} ]]; then
    "$litestage" tune --model "$model" --program "$program" "${questions[@]}" --max-loss 2 \
      --limit "${LIMIT:-48}" --method paper --max-skipped "$PAPER" --exit-rules 1 \
      --parallel "${PARALLEL:-8}" --timed-questions 6 \
      --importance "$work/$program.importance.json" --memo "$work/$program.memo" --output "$work/$program.paper.json"
    ship "$program.paper"
  fi
done
