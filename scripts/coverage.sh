#!/usr/bin/env bash
# Builds with gcov instrumentation, runs the tests, and reports the lines of lib/ and apps/ that they reach:
# a table in the terminal, and build/coverage/coverage.html with the lines themselves. Ends with exit status 1 where they reach
# less of lib/ than is promised, or provoke fewer errors than they did (scripts/fail_sites.py, where that number is kept).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

# Of 100 lines and branches of lib/.
least_lines=95
least_branches=85

command -v gcovr > /dev/null || stop "coverage" "gcovr is missing; scripts/setup.sh --developer installs it"
scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
step configure-coverage cmake --preset coverage
step build-coverage cmake --build --preset coverage
# Counts of an earlier run would add to these.
find build/coverage -name '*.gcda' -delete
step test-coverage ctest --preset coverage
counts=build/coverage/coverage.json
step coverage-counts gcovr --root . --filter 'lib/' --filter 'apps/' --exclude-throw-branches --json "$counts" build/coverage
step coverage gcovr --root . --add-tracefile "$counts" --print-summary --html-details build/coverage/coverage.html
status=0
logged coverage-errors python3 scripts/fail_sites.py build/coverage || status=1
logged coverage-gate gcovr --root . --add-tracefile "$counts" --filter 'lib/' --print-summary --output build/coverage/lib.txt \
  --fail-under-line "$least_lines" --fail-under-branch "$least_branches" || status=1
((status == 0)) || stop "coverage" "the tests reach less than is promised, see above"
say "done: build/coverage/coverage.html"
