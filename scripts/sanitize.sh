#!/usr/bin/env bash
# Builds and runs the tests under the sanitizers: memory and undefined behaviour, then threads.
#
#   scripts/sanitize.sh                    both
#   scripts/sanitize.sh asan-ubsan | tsan  one of them
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

presets=("$@")
((${#presets[@]} > 0)) || presets=(asan-ubsan tsan)
for preset in "${presets[@]}"; do
  [[ "$preset" == asan-ubsan || "$preset" == tsan ]] ||
    stop "sanitize" "unknown argument '$preset'; there are asan-ubsan and tsan"
done

scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
for preset in "${presets[@]}"; do
  step "configure-$preset" cmake --preset "$preset"
  step "build-$preset" cmake --build --preset "$preset"
  step "test-$preset" ctest --preset "$preset"
done
say "done: no test failed under ${presets[*]}"
