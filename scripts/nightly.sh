#!/usr/bin/env bash
# What takes too long for every change, one after the other: all tests; the tests under the sanitizers, and every command
# under valgrind; every fuzzer for ten minutes; an hour of training that must not grow; which lines and errors the tests reach;
# which planted faults they find. Goes on after a failure, ends in a line for each, and with exit status 1 where one failed.
# Some ten hours on 2 cores. All but the first are tests too, `ctest -L slow`, where HESSE_SLOW_TESTS is on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"
(($# == 0)) || stop "nightly" "it takes no arguments, and has got '$*'"

verdicts=()
failures=0
# part COMMAND...: runs one of them, whatever became of those before.
part() {
  local start=$SECONDS verdict=passed
  say "nightly: $*"
  "$@" || verdict=FAILED
  [[ "$verdict" == passed ]] || failures=$((failures + 1))
  verdicts+=("$verdict  $(((SECONDS - start) / 60)) min  $*")
}
part scripts/test.sh
part scripts/sanitize.sh
part scripts/fuzz.sh --seconds 600
part scripts/soak.sh
part scripts/coverage.sh
part scripts/mutants.sh
printf '%s\n' "${verdicts[@]}"
((failures == 0)) || stop "nightly" "$failures of ${#verdicts[@]} failed; each says above where its output is"
