# Sourced by the browser tests: what they need, in the current folder. Exit code 77 (skipped) where that cannot be had.
# Node 18, npm and Chromium; the network once, for npm's packages.

skip() { echo "browser test skipped: $*"; exit 77; }

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are needed"
node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' || skip "node is older than 18"
LITESTAGE_CHROMIUM=${LITESTAGE_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[[ -n $LITESTAGE_CHROMIUM ]] || skip "Chromium is needed (LITESTAGE_CHROMIUM names one elsewhere)"
export LITESTAGE_CHROMIUM

# get_packages FOLDER_OF_THE_TESTS
get_packages() {
  cp "$1"/package.json "$1"/package-lock.json "$1"/*.js .
  # What is installed stays until the lock file changes.
  if ! cmp -s package-lock.json installed-lock.json; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null || skip "npm could not get its packages"
    cp package-lock.json installed-lock.json
  fi
}
