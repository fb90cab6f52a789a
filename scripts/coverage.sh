#!/usr/bin/env bash
# Builds with gcov instrumentation, runs the tests, and reports the lines of lib/ and apps/ that they reach:
# a table in the terminal, and build/coverage/coverage.html with the lines themselves.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

command -v gcovr > /dev/null || stop "coverage" "gcovr is missing; scripts/setup.sh --developer installs it"
scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
step configure-coverage cmake --preset coverage
step build-coverage cmake --build --preset coverage
# Counts of an earlier run would add to these.
find build/coverage -name '*.gcda' -delete
step test-coverage ctest --preset coverage
step coverage gcovr --root . --filter 'lib/' --filter 'apps/' --exclude-throw-branches --print-summary \
  --html-details build/coverage/coverage.html build/coverage
say "done: build/coverage/coverage.html"
