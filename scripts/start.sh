#!/usr/bin/env bash
# From a bare Debian 12 to the main job's result: installs packages, fetches data, builds, and compares four optimizers on
# Fashion-MNIST. It may be run again at any time; what is done already is not done twice.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

main_job=(
  compare
  --problem 'mlp:data=fashion-mnist,hidden=128-64,activation=tanh'
  --optimizer momentum --optimizer adam --optimizer lbfgs --optimizer newton-cg
  --seed 1 --repetitions 3 --budget 40gradients
)

scripts/setup.sh
scripts/fetch_data.sh fashion-mnist digits breast-cancer
fetch_report_library
step configure cmake --preset release
step build cmake --build --preset release
live main-job build/release/apps/hesse/hesse "${main_job[@]}"
say "done; try also: build/release/apps/hesse/hesse list"
