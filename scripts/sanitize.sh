#!/usr/bin/env bash
# Builds and runs the tests under the sanitizers: memory and undefined behaviour, then threads; and small jobs of every
# command of the program, with the kept inputs of the fuzzers, under valgrind.
#
#   scripts/sanitize.sh                               all three
#   scripts/sanitize.sh asan-ubsan | tsan | valgrind  some of them
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

parts=("$@")
((${#parts[@]} > 0)) || parts=(asan-ubsan tsan valgrind)
for part in "${parts[@]}"; do
  [[ " asan-ubsan tsan valgrind " == *" $part "* ]] ||
    stop "sanitize" "unknown argument '$part'; there are asan-ubsan, tsan and valgrind"
done

# under_valgrind WANTED NAME COMMAND...: runs it under memcheck, and counts it as failed where memcheck saw an error or memory
# that nothing points to any more, or where the exit status is not the one that is wanted.
reported=99
jobs=0
failed=()
under_valgrind() {
  local wanted="$1" name="$2" status=0
  shift 2
  # gnuplot is somebody else's. The fuzzers' allocator counts; to valgrind it is one to replace like any other.
  valgrind --quiet --error-exitcode="$reported" --leak-check=full --show-leak-kinds=definite --num-callers=30 \
    --errors-for-leak-kinds=definite --trace-children=yes --trace-children-skip='*gnuplot*,*/sh' \
    --soname-synonyms=somalloc=NONE "$@" > "$logs/valgrind-$name.log" 2>&1 < /dev/null || status=$?
  jobs=$((jobs + 1))
  if ((status == wanted)) && ! grep -q '^==[0-9]*== ' "$logs/valgrind-$name.log"; then
    printf 'clean   %s\n' "$name"
  else
    printf 'FAILED  %s: exit status %d; see build/logs/valgrind-%s.log\n' "$name" "$status" "$name"
    failed+=("$name")
  fi
}

# The release build: valgrind has AVX2, and where it has no AVX-512 the program and OpenBLAS do not ask for it.
valgrind_part() {
  command -v valgrind > /dev/null || stop "valgrind" "valgrind is missing; scripts/setup.sh --developer installs it"
  step "configure-release" cmake --preset release
  step "build-release" cmake --build --preset release --target hesse_app fuzz_replay
  # The program would start itself again with these.
  export OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1
  local hesse="$root/build/release/apps/hesse/hesse" blobs="gaussian-blobs:samples=60,hidden=4,l2=1e-3"
  local folder
  folder="$(mktemp -d)"
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$folder'; on_exit" EXIT
  rm -f "$logs"/valgrind-*.log

  # A small reader is held to a second of the processor, which valgrind makes many.
  HESSE_FUZZ_SECONDS=120 under_valgrind 0 fuzz-replay "$root/build/release/tests/fuzz/fuzz_replay" "$root/tests/fuzz/corpus"
  cd "$folder"
  job() { under_valgrind "$1" "$2" "$hesse" "${@:3}"; }
  job 0 train train --problem "mlp:data=$blobs,activation=relu" --optimizer kfac --batch-size 20 --threads 2 --budget 4epochs \
    --save-every 2 --curvature-every 2 --curvature-measures top,bottom,trace,density --quiet --output run
  job 0 train-double train --problem "mlp:data=$blobs,activation=relu" --optimizer newton-cg --budget 3steps --seed 2 \
    --precision double --quiet --output other
  job 0 train-convolutions train --problem convnet:data=digits,channels=2,kernel=3 --optimizer shampoo --batch-size 32 \
    --budget 2steps --quiet
  job 2 train-refused train --problem mlp:data=digits --optimizer adam:rate=1e-3
  job 0 resume resume other --quiet
  job 0 compare compare --problem "mlp:data=$blobs" --optimizer adam --optimizer lbfgs --trials 2 --repetitions 2 \
    --budget 2epochs --quiet --output compared
  job 0 tune tune --problem "mlp:data=$blobs" --optimizer momentum --optimizer soap --trials 2 --repetitions 1 \
    --budget 1epochs --quiet --output tuned
  job 0 sweep sweep --problem "mlp:data=$blobs" --optimizer 'momentum:lr=log(1e-3:1:2)' --repetitions 2 -j 2 \
    --budget 1epochs --quiet --output swept
  job 0 spectrum spectrum --at run --top 2 --bottom 1 --trace --density --classes --output spectrum
  job 1 classify classify --at other --output classified
  job 0 sharpness sharpness --at run --rescale 10 --output sharp.svg
  job 0 landscape-plane landscape --trajectory run --output plane
  job 0 landscape-path landscape --at run --to other --match --connect bezier --output path
  job 0 constrained constrained hs71
  job 0 check-derivatives check-derivatives --problem convnet:data=digits,channels=2,kernel=3,activation=tanh --samples 20
  job 0 validate validate --problem rosenbrock --problem nist:set=Misra1a --output validated
  job 0 verify verify permutation saddles
  job 0 profile profile --optimizer lbfgs --optimizer ceres-lbfgs --output profiled
  job 0 diagnose diagnose --problem "mlp:data=$blobs" --optimizer adam
  job 0 find-lr find-lr --problem "mlp:data=$blobs" --optimizer adam --output rates
  job 0 report report run other --output page.html
  job 0 schedule schedule warmup+cosine --output schedule.svg
  job 0 list list
  job 0 describe describe kfac
  job 0 data data
  job 0 doctor doctor
  job 0 completion completion bash
  job 0 man man train
  cd "$root"
  ((${#failed[@]} == 0)) || stop "valgrind" "${#failed[@]} of $jobs jobs failed: ${failed[*]}"
  say "valgrind: $jobs jobs, no error and no memory lost"
}

scripts/setup.sh
scripts/fetch_data.sh digits breast-cancer fashion-mnist nist nist-linear
for part in "${parts[@]}"; do
  if [[ "$part" == valgrind ]]; then
    valgrind_part
    continue
  fi
  step "configure-$part" cmake --preset "$part"
  step "build-$part" cmake --build --preset "$part"
  step "test-$part" ctest --preset "$part"
done
say "done: nothing found by ${parts[*]}"
