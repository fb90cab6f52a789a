# Shared by the scripts beside it, which source it: steps that say what they do, are logged, and end in one clear line
# when they fail.
# shellcheck shell=bash

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# Installed scripts have no tree to keep logs in.
logs="$root/build/logs"
[[ -f "$root/CMakeLists.txt" ]] || logs="${XDG_CACHE_HOME:-${HOME:-/var/tmp/hesse-$UID}/.cache}/hesse/logs"
mkdir -p "$logs"
current_step=""
current_log=""

say() { printf '==> %s\n' "$*"; }

# stop STEP REASON: ends the script with one line.
stop() {
  current_step=""
  printf 'FAILED: %s: %s\n' "$1" "$2" >&2
  exit 1
}

# logged NAME COMMAND...: runs it, showing its output and keeping it in build/logs/NAME.log.
logged() {
  local name="$1"
  shift
  "$@" 2>&1 | tee "$logs/$name.log"
}

# step NAME COMMAND...: the same, and the script ends with one line if the command fails.
step() {
  current_step="$1"
  current_log="$logs/$1.log"
  local command="${*:2}"
  ((${#command} <= 200)) || command="${command:0:200} ..."
  say "$1: $command"
  logged "$@"
  current_step=""
}

# live NAME COMMAND...: likewise for a command that draws on the terminal itself, which a log would spoil. Scripts that use
# this file are called without either: they say what they do and name their own failures.
live() {
  current_step="$1"
  current_log=""
  say "$1: ${*:2}"
  "${@:2}"
  current_step=""
}

# fetch_report_library: what draws the figures of reports, where the npm registry is in reach; without it they are static.
fetch_report_library() {
  "$root/scripts/fetch_data.sh" plotly ||
    say "reports will have static figures; for interactive ones run scripts/fetch_data.sh plotly where the npm registry is in reach"
}

on_exit() {
  local status=$?
  if ((status != 0)) && [[ -n "$current_step" ]]; then
    printf 'FAILED: %s (exit status %d)%s\n' "$current_step" "$status" "${current_log:+; its output is in $current_log}" >&2
  fi
}
trap on_exit EXIT
