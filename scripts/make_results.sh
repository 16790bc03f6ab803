#!/usr/bin/env bash
# Evaluates full, direct, the shipped plans and every rival on questions that no plan was tuned on, and draws the report:
#   scripts/make_results.sh DATA MODEL [TASK...]
# DATA is a folder with the authors' files; tasks are openbookqa, commonsenseqa, strategyqa and gsm8k (all of them unless named), each with
# its program's plans from plans/MODEL. LIMIT (questions a task, 150), TIMED (of these, answered one at a time, 30), PARALLEL (of the
# others, answered at the same time, 16), SAVE (per cent of a token's milliseconds that every rival saves, 10) and SEEDS (draws of the
# random rival, 3) change the effort; SMALLER names a smaller model to compare with. Every rival is there as it is and, where there is
# a plan, with the plan's rules for ending texts (+exit). It goes on where it was stopped: records are kept in $LITESTAGE_CACHE/results and,
# without the questions' own texts, in results/MODEL, a file for each kind of CPU, from where another machine of that kind goes on.
# Run it on a machine that does nothing else. Each task's tables go to docs/results/MODEL.TASK.CPU.md.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=$(realpath "$1") model=$2
shift 2
cd "$(dirname "$0")/.."
tasks=("$@")
[[ ${#tasks[@]} -gt 0 ]] || tasks=(openbookqa commonsenseqa strategyqa gsm8k)
litestage=${LITESTAGE:-build/release/litestage}
work=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/results/$model
cpu=$("$litestage" doctor --json | python3 -c 'import json, re, sys; print(re.sub("[^a-z0-9]+", "-", json.load(sys.stdin)["cpu"].lower()).strip("-"))')
mkdir -p "$work" docs/results "results/$model"

# What may be shipped: the models' texts and times, and of the questions ids and hashes alone.
keep() {
  python3 - "$1" <<'PYTHON' | xz -9e >"$2.part"
import json, sys
for number, line in enumerate(open(sys.argv[1], encoding="utf-8")):
    record = json.loads(line)
    if number > 0:
        record.update(question="", options={})
    print(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
PYTHON
  mv "$2.part" "$2"
}

# Whether a records file was begun with these policies: FILE POLICY...
begun_with() {
  python3 -c 'import json, sys
arms = json.loads(open(sys.argv[1], encoding="utf-8").readline())["arms"]
sys.exit([arm["policy"] for arm in arms] != sys.argv[2:])' "$@"
}

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
  [[ ! -e plans/$model/$program.json ]] || policies+=(full+exit)
  if [[ -e $importance ]]; then
    rivals=({adaskip,skipdecode,unifiedskip,layer-early-exit}":save=${SAVE:-10}")
    for ((seed = 0; seed < ${SEEDS:-3}; ++seed)); do
      rivals+=("random:save=${SAVE:-10},seed=$seed")
    done
    policies+=("${rivals[@]}")
    [[ ! -e plans/$model/$program.json ]] || policies+=("${rivals[@]/%/+exit}")
  fi
  words=()
  for policy in "${policies[@]}"; do
    words+=(--policy "$policy")
  done
  [[ ! -e $importance ]] || words+=(--importance "$importance")
  [[ ! -e plans/$model/$program.json ]] || words+=(--exit-plan "plans/$model/$program.json")
  code=0
  run=$work/$task.jsonl
  kept=results/$model/$task.$cpu.jsonl.xz
  [[ -e $run || ! -e $kept ]] || xz -dc "$kept" >"$run"
  if [[ -s $run ]] && ! begun_with "$run" "${policies[@]}"; then
    echo "make_results.sh: $run was begun with other policies; it is $run.old now, and all questions are asked anew" >&2
    mv "$run" "$run.old"
  fi
  "$litestage" eval -m "$model" --tasks "$task:${sets[$task]}" --program "$task=$program" --offset "${offsets[$task]}" \
    --limit "${LIMIT:-150}" --timed "${TIMED:-30}" --parallel "${PARALLEL:-16}" "${words[@]}" -o "$run" || code=$?
  [[ ! -e $run ]] || keep "$run" "$kept"
  [[ $code == 0 ]] || exit "$code"
  "$litestage" report "$run" --markdown "docs/results/$model.$task.$cpu.md" -o "$work/$task.html"
  runs+=("$run")
done

extras=()
for search in plans/"$model"/*.search.json plans/"$model"/*.exit.json; do
  [[ ! -e $search ]] || extras+=(--search "$search")
done
"$litestage" report "${runs[@]}" "${extras[@]}" -o "$work/report.html"
echo "tables: docs/results/$model.*.$cpu.md, page of these tasks: $work/report.html"
