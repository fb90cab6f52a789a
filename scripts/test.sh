#!/usr/bin/env bash
# From a bare Debian 12 to a verdict: installs packages, fetches data, builds, and runs all tests.
# Arguments go to ctest: scripts/test.sh -R "newton"
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
fetch_report_library
step configure cmake --preset release
step build cmake --build --preset release
step test ctest --preset release --parallel "$(nproc)" "$@"
say "done: all tests passed"
