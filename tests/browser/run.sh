#!/usr/bin/env bash
# Opens the pages in a real browser, as ctest runs it:
#   run.sh PAGES_PROGRAM WORK_FOLDER
# Needs node 18, npm and Chromium, and the network once for npm's packages; exit code 77 (skipped) without them.
set -euo pipefail
pages_program=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)

skip() { echo "browser test skipped: $*"; exit 77; }

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are needed"
node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' || skip "node is older than 18"
LITESTAGE_CHROMIUM=${LITESTAGE_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[[ -n $LITESTAGE_CHROMIUM ]] || skip "Chromium is needed (LITESTAGE_CHROMIUM names one elsewhere)"

mkdir -p "$work"
cp "$here"/package.json "$here"/package-lock.json "$here"/pages.test.js "$work"/
cd "$work"
# What is installed stays until the lock file changes.
if ! cmp -s package-lock.json installed-lock.json; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null || skip "npm could not get its packages"
  cp package-lock.json installed-lock.json
fi

"$pages_program" "$work/pages"
export LITESTAGE_CHROMIUM LITESTAGE_PAGES=$work/pages
exec node --test --test-reporter=spec pages.test.js </dev/null
