#!/usr/bin/env bash
# Builds the fuzzers with Clang, AddressSanitizer and UndefinedBehaviorSanitizer, and runs them: random changes of the
# inputs in tests/fuzz/corpus against every reader. Ends in a table, and with exit status 1 where one found something.
#
#   scripts/fuzz.sh                       every format for 60 seconds, two at once
#   scripts/fuzz.sh --seconds 600 csv npy these formats, longer
#   scripts/fuzz.sh --jobs 8              eight at once
#   scripts/fuzz.sh --seed 1              the same inputs every time, for a verdict that is of a change and not of chance:
#                                         from the kept inputs alone, and without those made from what the code compares
#
# Otherwise new inputs are kept in build/fuzz/corpus, from which the next call goes on; what was found lies in
# build/fuzz/artifacts/FORMAT, and each such file is run again by:
#   HESSE_FUZZ_FORMAT=FORMAT build/fuzz/tests/fuzz/hesse_fuzz FILE
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

mapfile -t formats < <(find tests/fuzz/corpus -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
seconds=60
jobs=2
seed=
chosen=()
whole_number() {
  [[ "$2" =~ ^[1-9][0-9]{0,8}$ ]] || stop "fuzz" "$1 is '$2'; give a whole number >= 1"
}
while (($# > 0)); do
  case "$1" in
    --seconds | --jobs | --seed)
      (($# > 1)) || stop "fuzz" "$1 needs a number"
      whole_number "$1" "$2"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    *)
      [[ " ${formats[*]} " == *" $1 "* ]] ||
        stop "fuzz" "unknown argument '$1'; there are --seconds N, --jobs J, --seed S, and the formats ${formats[*]}"
      chosen+=("$1")
      shift
      ;;
  esac
done
((${#chosen[@]} > 0)) || chosen=("${formats[@]}")

scripts/setup.sh --fuzz
step configure-fuzz cmake --preset fuzz
step build-fuzz cmake --build --preset fuzz

artifacts="$root/build/fuzz/artifacts"
export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-19/bin/llvm-symbolizer
# fuzz_one FORMAT: runs one fuzzer into build/logs/fuzz-FORMAT.log, whose last line is its exit status.
fuzz_one() {
  local format="$1" status=0
  local corpus="build/fuzz/corpus/$format"
  local chance=() fixed=()
  if [[ -n "$seed" ]]; then
    corpus="build/fuzz/corpus-of-seed/$format"
    rm -rf "$corpus"
    # Some of what is compared are addresses; they differ from run to run, and a container may forbid to fix them.
    chance=(-seed="$seed" -use_cmp=0)
    ! setarch -R true 2> /dev/null || fixed=(setarch -R)
  fi
  mkdir -p "$corpus"
  rm -rf "${artifacts:?}/$format"
  mkdir -p "$artifacts/$format"
  # The rules on memory and on the processor's time are the fuzzers' own (tests/fuzz/fuzz.cc); these limits are for what
  # never ends, on a machine that has other work too, and for what the sanitizers add.
  HESSE_FUZZ_FORMAT="$format" "${fixed[@]}" build/fuzz/tests/fuzz/hesse_fuzz -max_total_time="$seconds" -timeout=120 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$artifacts/$format/" "${chance[@]}" \
    "$corpus" "tests/fuzz/corpus/$format" > "$logs/fuzz-$format.log" 2>&1 < /dev/null || status=$?
  printf 'exit status %d\n' "$status" >> "$logs/fuzz-$format.log"
}

say "fuzz: ${#chosen[@]} formats, $seconds s each, $jobs at once"
trap 'kill $(jobs -p) 2> /dev/null || true; on_exit' EXIT
running=0
for format in "${chosen[@]}"; do
  if ((running == jobs)); then
    wait -n
    running=$((running - 1))
  fi
  fuzz_one "$format" &
  running=$((running + 1))
done
wait

# figure FORMAT NAME: a figure of libFuzzer's own summary.
figure() { sed -n "s/^stat::$2: *//p" "$logs/fuzz-$1.log" | tail -n 1; }
# progress FORMAT NAME: the last "NAME: figure" of its lines of progress.
progress() { grep -oE " $2: [0-9]+" "$logs/fuzz-$1.log" | tail -n 1 | grep -oE '[0-9]+' || true; }

row='%-18s %12s %7s %8s %9s %7s %9s  %s\n'
# shellcheck disable=SC2059 # the format is the row's
{
  printf "$row" format executions "per s" coverage features corpus "peak MiB" verdict
  for format in "${chosen[@]}"; do
    verdict="nothing found"
    if [[ "$(tail -n 1 "$logs/fuzz-$format.log")" != "exit status 0" ]]; then
      verdict="FOUND: $(grep -m1 -E 'the rule is broken|ERROR: |runtime error' "$logs/fuzz-$format.log" | cut -c 1-120)"
      verdict+="; see build/logs/fuzz-$format.log, build/fuzz/artifacts/$format"
    fi
    printf "$row" "$format" "$(figure "$format" number_of_executed_units)" "$(figure "$format" average_exec_per_sec)" \
      "$(progress "$format" cov)" "$(progress "$format" ft)" \
      "$(find "build/fuzz/corpus${seed:+-of-seed}/$format" -type f | wc -l)" "$(figure "$format" peak_rss_mb)" "$verdict"
  done
} | tee "$logs/fuzz.log"
findings=$(grep -c 'FOUND: ' "$logs/fuzz.log" || true)
((findings == 0)) || stop "fuzz" "$findings of ${#chosen[@]} formats broke a rule; the table is in build/logs/fuzz.log"
say "done: ${#chosen[@]} formats, nothing found"
