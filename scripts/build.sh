#!/usr/bin/env bash
# Gets the dependencies, configures one preset and builds it:
#   scripts/build.sh PRESET [what cmake --build takes, e.g. --target litestage_program]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-}
if [[ -z $preset || $preset == -* ]]; then
  echo "usage: scripts/build.sh release|dev|asan|tsan|fuzz [ARGUMENTS OF cmake --build]" >&2
  exit 2
fi
shift

flags=()
[[ $preset != tsan ]] || flags+=(--no-openmp)
dependencies=$(scripts/dependencies.sh "${flags[@]}")

configure=(cmake --preset "$preset" -DCMAKE_PREFIX_PATH="$dependencies")
if command -v ccache >/dev/null; then
  # With these two a build in another clone finds the same objects.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
log=build/$preset/configure.log
mkdir -p "build/$preset"
"${configure[@]}" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
cmake --build "build/$preset" --parallel "$(nproc)" "$@"
