#!/usr/bin/env bash
# Builds one preset, gets the small model and runs every test:
#   scripts/test.sh [--preset PRESET] [what ctest takes, e.g. -L unit or -R Layering]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release
if [[ ${1:-} == --preset ]]; then
  preset=${2:?--preset needs a name: release, dev, asan or tsan}
  shift 2
fi

scripts/build.sh "$preset"
LITESTAGE_TEST_MODEL=$("build/$preset/litestage" pull smollm2-135m </dev/null | tail -n 1)
export LITESTAGE_TEST_MODEL
[[ -s $LITESTAGE_TEST_MODEL ]] || { echo "test.sh: there is no model at '$LITESTAGE_TEST_MODEL'" >&2; exit 1; }

# Test processes run side by side: threads of one must not spin while those of another wait for the core.
export OMP_WAIT_POLICY=passive
exec ctest --preset "$preset" --no-label-summary --parallel "$(nproc)" "$@" </dev/null
