#!/usr/bin/env bash
# Opens the pages in a real browser, as ctest runs it:
#   run.sh PAGES_PROGRAM WORK_FOLDER
set -euo pipefail
pages_program=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"
cd "$work"
. "$here/setup.sh"
get_packages "$here"

"$pages_program" "$work/pages"
export LITESTAGE_PAGES=$work/pages
exec node --test --test-reporter=spec pages.test.js </dev/null
