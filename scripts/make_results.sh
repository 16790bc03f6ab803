#!/usr/bin/env bash
# Evaluates full, direct, the shipped plans and every rival on questions that no plan was tuned on, and draws the report:
#   scripts/make_results.sh DATA MODEL [TASK...]
# DATA is a folder with the authors' files; tasks are openbookqa, commonsenseqa, strategyqa and gsm8k (all of them unless named), each with
# its program's plans from plans/MODEL. LIMIT (questions a task, 150), TIMED (of these, answered one at a time, 30), PARALLEL (of the
# others, answered at the same time, 16), SAVE (per cent of a token's milliseconds that every rival saves, 10) and SEEDS (draws of the
# random rival, 3) change the effort; SMALLER names a smaller model to compare with. Every rival is there as it is and, where there is
# a plan, with the plan's rules for ending texts (+exit). It goes on where it was stopped: records are kept in $LITESTAGE_CACHE/results and,
# without the questions' own texts, in results/MODEL, a file for each kind of CPU, from where another machine of that kind goes on. What
# other kinds of CPU have answered under the same policies counts towards LIMIT and is not asked again; TIMED is of each kind.
# Run it on a machine that does nothing else. Each task's tables, of all kinds of CPU, go to docs/results/MODEL.TASK.md.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
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

# How many questions some records files hold: FILE...
questions_in() {
  [[ $# -gt 0 ]] || set -- /dev/null
  python3 -c 'import json, sys
print(len({json.loads(line)["question_hash"] for path in sys.argv[1:] for line in list(open(path, encoding="utf-8"))[1:]}))' "$@"
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
  # What other kinds of CPU have answered.
  others=()
  for other in results/"$model/$task".*.jsonl.xz; do
    [[ -e $other && $other != "$kept" ]] || continue
    xz -dc "$other" >"$work/$(basename "$other" .xz)"
    ! begun_with "$work/$(basename "$other" .xz)" "${policies[@]}" || others+=("$work/$(basename "$other" .xz)")
  done
  for other in "${others[@]}"; do
    words+=(--except "$other")
  done
  left=$((${LIMIT:-150} - $(questions_in "${others[@]}")))
  if [[ $left -le 0 ]]; then
    echo "make_results.sh: $task: other kinds of CPU have answered ${LIMIT:-150} questions" >&2
  fi
  [[ $left -le 0 ]] || "$litestage" eval -m "$model" --tasks "$task:${sets[$task]}" --program "$task=$program" --offset "${offsets[$task]}" \
    --limit "$left" --timed "${TIMED:-30}" --parallel "${PARALLEL:-16}" "${words[@]}" -o "$run" || code=$?
  joined=("${others[@]}")
  if [[ -s $run ]]; then
    keep "$run" "$kept"
    joined+=("$run")
  fi
  [[ $code == 0 ]] || exit "$code"
  "$litestage" report "${joined[@]}" --markdown "docs/results/$model.$task.md" -o "$work/$task.html"
  runs+=("${joined[@]}")
done

extras=()
for search in plans/"$model"/*.search.json plans/"$model"/*.exit.json; do
  [[ ! -e $search ]] || extras+=(--search "$search")
done
"$litestage" report "${runs[@]}" "${extras[@]}" -o "$work/report.html"
echo "tables: docs/results/$model.*.md, page of these tasks: $work/report.html"
