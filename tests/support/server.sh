# Sourced by tests that ask a running server.

# start_server LOG LITESTAGE ARGUMENT...: serves on a free port of this machine; sets $server (process) and $port, and ends
# the server with the script.
start_server() {
  local log=$1
  shift
  : >"$log"
  "$@" --port 0 2>"$log" </dev/null &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  port=
  for _ in $(seq 400); do
    port=$(sed -n 's|.*listening on http://127.0.0.1:\([0-9]*\);.*|\1|p' "$log")
    [[ -z $port ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  cat "$log"
  return 1
}
