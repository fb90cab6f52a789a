#!/usr/bin/env bash
# Do the tests see a fault? Plants small ones, one at a time, in the mathematical sources: another sign, operator, comparison
# or constant. Builds the tests of that module, runs them, and tells what they made of it.
#
#   scripts/mutants.sh                          200 of seed 1
#   scripts/mutants.sh --count 60 --seed 2      another sample
#   scripts/mutants.sh --only linalg/steihaug   of the files whose path contains this
#
# Works in a copy of the tree, build/mutants/tree; this one is not touched. Every verdict is kept in
# build/mutants/verdicts.json, so that a call which was ended goes on where it was; one that survived is tried again once
# the tests of its module have changed. Ends with exit status 1 where fewer than 95 of 100 are killed. Those that change
# nothing which could be seen are named, with the reason, in scripts/mutants_equivalent.txt and not counted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
exec python3 scripts/mutants.py "$@"
