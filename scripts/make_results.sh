#!/usr/bin/env bash
# Evaluates full, direct, the shipped plans and every rival on questions that no plan was tuned on, and draws the report:
#   scripts/make_results.sh DATA MODEL [TASK...]
# DATA is a folder with the authors' files; tasks are openbookqa, commonsenseqa, strategyqa and gsm8k (all of them unless named), each with
# its program's plans from plans/MODEL. LIMIT (questions a task, 150) and SAVE (per cent of a token's milliseconds that every rival
# saves, 10) change the effort; SMALLER names a smaller model to compare with. It goes on where it was stopped; records are kept in
# $LITESTAGE_CACHE/results. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -lt 2 ]]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=$1 model=$2
shift 2
tasks=("$@")
[[ ${#tasks[@]} -gt 0 ]] || tasks=(openbookqa commonsenseqa strategyqa gsm8k)
litestage=${LITESTAGE:-build/release/litestage}
work=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/results/$model
mkdir -p "$work" docs/results

# Plans are tuned on the first training questions: others are behind them.
declare -A sets=([openbookqa]=$data/openbookqa/dev.jsonl [commonsenseqa]=$data/commonsenseqa/train_rand_split.jsonl
                 [strategyqa]=$data/strategyqa/train.json [gsm8k]=$data/gsm8k/train_1500.jsonl)
declare -A offsets=([openbookqa]=0 [commonsenseqa]=1000 [strategyqa]=1000 [gsm8k]=1000)

runs=()
for task in "${tasks[@]}"; do
  program=recall-analyze-answer
  [[ $task != gsm8k ]] || program=plan-solve
  importance=plans/$model/$program.importance.json
  policies=(full direct requant:Q4_0)
  [[ -z ${SMALLER:-} ]] || policies+=("model:$SMALLER")
  for plan in plans/"$model/$program"{,.paper}.json; do
    [[ ! -e $plan ]] || policies+=("litestage:$plan" "litestage:$plan+exit")
  done
  if [[ -e $importance ]]; then
    for rival in adaskip skipdecode unifiedskip layer-early-exit random; do
      policies+=("$rival:save=${SAVE:-10}")
    done
  fi
  words=()
  for policy in "${policies[@]}"; do
    words+=(--policy "$policy")
  done
  [[ ! -e $importance ]] || words+=(--importance "$importance")
  run=$work/$task.jsonl
  "$litestage" eval -m "$model" --tasks "$task:${sets[$task]}" --program "$task=$program" --offset "${offsets[$task]}" \
    --limit "${LIMIT:-150}" "${words[@]}" -o "$run"
  runs+=("$run")
done

extras=()
for search in plans/"$model"/*.search.json plans/"$model"/*.exit.json; do
  [[ ! -e $search ]] || extras+=(--search "$search")
done
"$litestage" report "${runs[@]}" "${extras[@]}" -o "$work/report.html" --markdown "docs/results/$model.md"
echo "tables: docs/results/$model.md, page: $work/report.html"
