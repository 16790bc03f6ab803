#!/usr/bin/env bash
# Evaluates full, direct, the shipped plans and every rival on questions that no plan was tuned on, and draws the report:
#   scripts/make_results.sh DATA MODEL [TASK...]
# DATA is a folder with the authors' files; tasks are openbookqa, commonsenseqa, strategyqa and gsm8k (all of them unless named), each with
# its program's plans from plans/MODEL. LIMIT (questions a task, 150), TIMED (of these, answered one at a time, 30), PARALLEL (of the
# others, answered at the same time, 16), SAVE (per cent of a token's milliseconds that every rival saves, 10) and SEEDS (draws of the
# random rival, 3) change the effort; SMALLER names a smaller model to compare with. Every rival is there as it is and, where there is
# a plan, with the plan's rules for ending texts (+exit); each policy has a KV cache of its own.
# It goes on where it was stopped: records are kept in $LITESTAGE_CACHE/results and, without the questions' own texts, in results/MODEL, a
# file for each kind of machine (CPU, its instruction sets, threads) and for each set of policies, from where another machine of that
# kind goes on. What other kinds have answered under the same policies counts towards LIMIT and is not asked again; TIMED is of each kind.
# Run it on a machine that does nothing else. Each task's tables, of all kinds of machines, go to docs/results/MODEL.TASK.md.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
data=$(realpath "$1") model=$2
shift 2
cd "$(dirname "$0")/.."
tasks=("$@")
[[ ${#tasks[@]} -gt 0 ]] || tasks=(openbookqa commonsenseqa strategyqa gsm8k)
litestage=${LITESTAGE:-build/release/litestage}
limit=${LIMIT:-150}
work=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/results/$model
kind=$("$litestage" doctor --json | python3 -c 'import hashlib, json, re, sys
found = json.load(sys.stdin)
features = hashlib.sha256(json.dumps(found["cpu_features"], sort_keys=True).encode()).hexdigest()[:6]
name = re.sub("[^a-z0-9]+", "-", found["cpu"].lower()).strip("-")
print("-".join([name, str(found["physical_cores"]), features]))')
records=(python3 scripts/eval_records.py)
mkdir -p "$work" docs/results "results/$model"

# Plans are tuned on the first training questions: others are behind them.
declare -A sets=([openbookqa]=$data/openbookqa/dev.jsonl [commonsenseqa]=$data/commonsenseqa/train_rand_split.jsonl
                 [strategyqa]=$data/strategyqa/train.json [gsm8k]=$data/gsm8k/train_1500.jsonl)
declare -A offsets=([openbookqa]=0 [commonsenseqa]=1000 [strategyqa]=1000 [gsm8k]=1000)

# Sets policies, words (of litestage eval) and made_from (files) for a program.
choose_policies() {
  local importance=plans/$model/$1.importance.json searched=plans/$model/$1.json rivals=() plan seed policy
  policies=(full direct requant:Q4_0)
  words=() made_from=()
  [[ -z ${SMALLER:-} ]] || policies+=("model:$SMALLER")
  for plan in plans/"$model/$1"{,.paper}.json; do
    [[ -e $plan ]] || continue
    policies+=("litestage:$plan" "litestage:$plan+exit")
    made_from+=("$plan")
  done
  if [[ -e $searched ]]; then
    policies+=(full+exit)
    words+=(--exit-plan "$searched")
  fi
  if [[ -e $importance ]]; then
    rivals=({adaskip,skipdecode,unifiedskip,layer-early-exit}":save=${SAVE:-10}")
    for ((seed = 0; seed < ${SEEDS:-3}; ++seed)); do
      rivals+=("random:save=${SAVE:-10},seed=$seed")
    done
    policies+=("${rivals[@]}")
    [[ ! -e $searched ]] || policies+=("${rivals[@]/%/+exit}")
    words+=(--importance "$importance")
    made_from+=("$importance")
  fi
  for policy in "${policies[@]}"; do
    words+=(--policy "$policy")
  done
}

runs=()
for task in "${tasks[@]}"; do
  program=recall-analyze-answer
  [[ $task != gsm8k ]] || program=plan-solve
  choose_policies "$program"
  # Records of other plans or policies are other files.
  name=$( (printf '%s\n' "${policies[@]}"; cat "${made_from[@]}" /dev/null) | sha256sum | cut -c1-8)
  run=$work/$task.$name.jsonl
  shipped=results/$model/$task.$kind.$name.jsonl.xz
  "${records[@]}" take "$shipped" "$run"
  elsewhere=()
  for other in results/"$model/$task".*."$name".jsonl.xz; do
    [[ ! -e $other || $other == "$shipped" ]] || elsewhere+=("$other")
  done
  mapfile -t others < <("${records[@]}" others "$work" "$run" "${elsewhere[@]}")
  for other in "${others[@]}"; do
    words+=(--except "$other")
  done
  left=$((limit - $("${records[@]}" count "${others[@]}")))
  code=0
  # Previews of heads are a machine's own: all machines compare policies with the whole head.
  [[ $left -le 0 ]] || "$litestage" eval -m "$model" --head full --tasks "$task:${sets[$task]}" --program "$task=$program" \
    --offset "${offsets[$task]}" --limit "$left" --timed "${TIMED:-30}" --parallel "${PARALLEL:-16}" "${words[@]}" -o "$run" || code=$?
  joined=("${others[@]}")
  if [[ -s $run ]]; then
    "${records[@]}" ship "$run" "$shipped"
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
