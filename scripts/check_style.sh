#!/usr/bin/env bash
# Checks clang-format on every C++ file and clang-tidy on every .cpp of src/ (tests would double
# its minutes, and two compilers check them without a warning):
#   scripts/check_style.sh [format|tidy]     both unless one is named
# A file that passed clang-tidy is looked at again only when it, a header it includes, or the set of checks
# has changed; what passed is remembered in $LITESTAGE_CACHE/tidy.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}
version=$(sed -n 's/^CLANG_TIDY_VERSION=//p' scripts/dependencies.sh)
export CLANG_TIDY=$cache/deps/clang-tidy-$version/clang_tidy/data/bin/clang-tidy

check_format() {
  local faults
  faults=$(git ls-files -z --cached --others --exclude-standard '*.h' '*.cpp' |
             xargs -0 clang-format --dry-run 2>&1 | sed -n 's/^\([^ :]*\):[0-9].*clang-format-violations.*/\1/p' | sort -u)
  if [[ -n $faults ]]; then
    echo "clang-format: these files do not fit; run clang-format -i on them:" >&2
    echo "$faults" >&2
    return 1
  fi
  echo "clang-format: all files fit" >&2
}

# "SOURCE KEY" a line: KEY is a hash of what clang-tidy's verdict depends on. ninja knows, from the build,
# which files of ours each object was made of.
source_keys() {
  local build=$1 checks source dependencies
  checks=$({ "$CLANG_TIDY" --version; cat .clang-tidy; } | sha256sum)
  ninja -C "$build" -t deps | sed -E 's,^    (\.\./)+,    ,' | awk -v root="$PWD/" '
    /^[^ ]/ { if (files) print files; files = ""; next }
    NF { file = substr($0, 5); if (index(file, root) == 1) file = substr(file, length(root) + 1)
         if (file ~ /^(include|src|tests)\//) files = files (files ? " " : "") file }
    END { if (files) print files }' |
  while read -r source dependencies; do
    [[ $source == src/* && -e $source ]] || continue  # ninja still remembers files that are gone
    # shellcheck disable=SC2086
    echo "$source $({ echo "$checks"; sha256sum "$source" $dependencies; } | sha256sum | cut -c1-40)"
  done
}

tidy_one() {
  local build=$1 passed=$2 source=$3 key=$4
  [[ ! -e $passed/$key ]] || return 0
  # gcc's library marks as deprecated what it uses itself.
  "$CLANG_TIDY" --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-deprecated-declarations -p "$build" "$source" 2>/dev/null || { echo "clang-tidy: $source does not pass" >&2; return 1; }
  touch "$passed/$key"
}
export -f tidy_one

check_tidy() {
  local build=build/release
  local passed=$cache/tidy
  [[ -x $CLANG_TIDY ]] || scripts/dependencies.sh --checks >/dev/null
  scripts/build.sh release >&2
  mkdir -p "$passed"
  find "$passed" -type f -mtime +60 -delete
  local keys
  keys=$(source_keys "$build" | sort -u)
  [[ -n $keys ]] || { echo "clang-tidy: the build knows no source file" >&2; return 1; }
  xargs -P "$(nproc)" -L 1 bash -c 'tidy_one "$@"' tidy "$build" "$passed" <<<"$keys"
  echo "clang-tidy: all files pass" >&2
}

case "${1:-both}" in
  format) check_format ;;
  tidy) check_tidy ;;
  both) check_format; check_tidy ;;
  *) echo "usage: scripts/check_style.sh [format|tidy]" >&2; exit 2 ;;
esac
