#!/usr/bin/env bash
# Trains for a long time with whole spectra measured along the way, checkpoints and a trace, and watches the process:
# its memory must not grow and it must not leave files open.
#
#   scripts/soak.sh               an hour
#   scripts/soak.sh --minutes 10  so long
#
# A fifth of the time is for warming up. The median of the resident memory in the last fifth must be within 1 % of that in
# the second, and the number of open files the same. What does grow is the trace, some hundred bytes a row. The figures, one
# line every two seconds, are kept in build/logs/soak.csv.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

minutes=60
if (($# > 0)); then
  [[ $# == 2 && "$1" == --minutes && "$2" =~ ^[1-9][0-9]{0,4}$ ]] ||
    stop "soak" "the one argument is --minutes M, a whole number >= 1, and not '$*'"
  minutes="$2"
fi
hesse="$root/build/release/apps/hesse/hesse"
[[ -x "$hesse" ]] || stop "soak" "there is no $hesse; build it first: scripts/start.sh"

folder="$(mktemp -d)"
pid=""
clean_up() {
  [[ -z "$pid" ]] || kill "$pid" 2> /dev/null || true
  rm -rf "$folder"
}
trap clean_up EXIT

"$hesse" train --problem mlp:data=fashion-mnist:samples=10000,hidden=64 --optimizer adam --batch-size 64 \
  --budget 1000000epochs --curvature-every 1000 --curvature-measures top,bottom,trace,density --checkpoint-seconds 5 --trace-rows 1 --quiet \
  --output "$folder/run" > "$logs/soak.log" 2>&1 &
pid=$!
say "soak: $minutes minutes of training with spectra, checkpoints every 5 seconds"
echo "seconds,kilobytes,open_files" > "$logs/soak.csv"
start=$SECONDS
while kill -0 "$pid" 2> /dev/null; do
  if ((SECONDS - start >= 60 * minutes)); then
    kill -TERM "$pid"
    break
  fi
  sleep 2
  kilobytes=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2> /dev/null || true)
  files=("/proc/$pid/fd"/*)
  [[ -z "$kilobytes" ]] || echo "$((SECONDS - start)),$kilobytes,${#files[@]}" >> "$logs/soak.csv"
done
status=0
wait "$pid" || status=$?
pid=""
# 143: it was told to end, and has.
((status == 143)) || stop "soak" "the run ended with exit status $status; its output is in build/logs/soak.log"

# Files that a checkpoint is being written to are open for a moment: the least of a fifth is what stays open.
awk -F, -v seconds="$((60 * minutes))" '
  function median(values, n,   i, j, t) {
    for (i = 2; i <= n; ++i)
      for (j = i; j > 1 && values[j - 1] > values[j]; --j) { t = values[j]; values[j] = values[j - 1]; values[j - 1] = t }
    return values[int((n + 1) / 2)]
  }
  NR > 1 && $1 >= 0.2 * seconds && $1 < 0.4 * seconds { first[++n] = $2; if (n == 1 || $3 < files) files = $3 }
  NR > 1 && $1 >= 0.8 * seconds { last[++m] = $2; if (m == 1 || $3 < files_last) files_last = $3 }
  END {
    if (n == 0 || m == 0) { print "too few figures"; exit 1 }
    growth = 100 * (median(last, m) / median(first, n) - 1)
    printf "memory %d kB, then %d kB: %+.2f %%; open files %d, then %d\n", median(first, n), median(last, m), growth, files, files_last
    exit !(growth < 1 && files == files_last)
  }' "$logs/soak.csv" || stop "soak" "memory grew by 1 % or more, or files stayed open; see build/logs/soak.csv"
say "done: memory and open files stayed as they were"
