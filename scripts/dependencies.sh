#!/usr/bin/env bash
# Gets what litestage needs and prints, alone on stdout, the folder that holds ggml and libllama:
#   cmake -S . --preset release -DCMAKE_PREFIX_PATH="$(scripts/dependencies.sh)"
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
usage: scripts/dependencies.sh [--portable] [--no-openmp] [--checks]

  --portable   ggml for any AVX2 machine, not for this CPU alone
  --no-openmp  ggml without OpenMP, as ThreadSanitizer needs it
  --checks     what the checks need as well: clang-format, ccache, chromium, Open MPI, and a clang-tidy of its own

Debian packages that are missing are installed with apt, as root or through sudo; otherwise the line that
installs them is printed and the exit code is 2. ggml and libllama are built
once for each version, set of flags and CPU, into $LITESTAGE_CACHE/deps (default: ~/.cache/litestage/deps).
TEXT
}

PACKAGE=llama-cpp-python
VERSION=0.3.36
flags="-DGGML_RPC=ON -DLLAVA_BUILD=OFF"
workaround=scripts/tile_loadconfig.h
# Debian's is six times as slow: newer ones do not look at system headers.
CLANG_TIDY_VERSION=23.1.4
portable=0
checks=0
packages=(g++ cmake ninja-build ca-certificates libcli11-dev nlohmann-json3-dev libtomlplusplus-dev
          libspdlog-dev libfmt-dev libcurl4-openssl-dev libssl-dev libarchive-dev libgtest-dev
          librapidcheck-dev libsqlite3-dev libeigen3-dev libboost1.81-dev prometheus-cpp-dev)

for argument in "$@"; do
  case "$argument" in
    --portable) portable=1; flags+=" -DGGML_NATIVE=OFF" ;;
    --no-openmp) flags+=" -DGGML_OPENMP=OFF" ;;
    --checks) checks=1 packages+=(ccache clang-format chromium fonts-dejavu-core openmpi-bin libopenmpi-dev) ;;
    -h|--help) usage; exit 0 ;;
    *) echo "dependencies.sh: unknown flag '$argument'; see --help" >&2; exit 2 ;;
  esac
done

say() { echo "dependencies: $*" >&2; }

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "no dpkg here, so these must be there under whatever names your system has: ${packages[*]}"
    return
  fi
  local missing=() package
  # One call for all: dpkg-query leaves out, with an error that does not matter here, what it never saw.
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0

  local run=()
  if [[ $EUID -ne 0 ]]; then
    if ! { command -v sudo && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; } >/dev/null; then
      say "Debian packages are missing; install them with this line and start again:"
      echo "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
      exit 2
    fi
    run=(sudo)
  fi
  say "installing ${missing[*]}"
  local apt=("${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update >&2 </dev/null
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null
}

# What GGML_NATIVE compiles for: two machines with equal lines may share a build.
cpu() {
  if [[ $portable -eq 1 ]]; then
    uname -m
  elif [[ -r /proc/cpuinfo ]]; then
    uname -m
    grep -m1 -E '^model name|^CPU part' /proc/cpuinfo || true
    grep -m1 -E '^flags|^Features' /proc/cpuinfo || true
  else
    uname -mp
  fi
}

python_with_pip() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -m pip --version >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

need_pip() {
  python=$(python_with_pip) && return
  packages=(python3 python3-pip)
  install_packages
  python=$(python_with_pip) || { say "python3 has no pip; install python3-pip"; exit 2; }
}

install_clang_tidy() {
  local folder=$cache/clang-tidy-$CLANG_TIDY_VERSION python
  [[ ! -e $folder/clang_tidy ]] || return 0
  need_pip
  rm -rf "$folder.part"
  "$python" -m pip install --disable-pip-version-check --quiet --no-deps --root-user-action ignore \
      --target "$folder.part" "clang-tidy==$CLANG_TIDY_VERSION" >&2 </dev/null
  rm -rf "$folder"
  mv "$folder.part" "$folder"
}

build_ggml_and_llama() {
  local folder=$1 part=$1.part python
  need_pip
  say "building ggml and libllama into $folder: once, about 5 minutes on 2 cores"
  rm -rf "$part"
  # pip's wheel cache does not look at CMAKE_ARGS, and a set SOURCE_DATE_EPOCH switches SIMD off.
  env -u SOURCE_DATE_EPOCH -u CFLAGS CXXFLAGS="-include ${workaround##*/}" CPLUS_INCLUDE_PATH="$PWD/${workaround%/*}" CMAKE_ARGS="$flags" \
      CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" \
      "$python" -m pip install --disable-pip-version-check --no-cache-dir --no-deps --no-compile \
      --target "$part" "$PACKAGE==$VERSION" >&2 </dev/null
  printf '%s %s\n%s\n' "$PACKAGE" "$VERSION" "$flags" >"$part/litestage-stamp"
  rm -rf "$folder"
  mv "$part" "$folder"
}

install_packages

cache=${LITESTAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/litestage}/deps
key=$(printf '%s\n' "$flags" "$(cpu)" "$(<"$workaround")" | sha256sum | cut -c1-12)
folder=$cache/$PACKAGE-$VERSION-$key
[[ $checks -eq 0 ]] || install_clang_tidy
if [[ ! -e $folder/litestage-stamp ]]; then
  mkdir -p "$cache"
  exec 9>"$folder.lock"
  flock -n 9 || { say "another run is building $folder; waiting for it"; flock 9; }
  [[ -e $folder/litestage-stamp ]] || build_ggml_and_llama "$folder" 9>&-
fi
echo "$folder"
