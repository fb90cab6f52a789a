#!/usr/bin/env bash
# Installs what Hesse needs on a bare Debian 12, and nothing when it is all there already.
#
#   scripts/setup.sh              what the build, the tests and the main job need
#   scripts/setup.sh --report     also Chromium, in which the tests open reports
#   scripts/setup.sh --fuzz       also Clang 19, which builds the fuzzers
#   scripts/setup.sh --developer  also what formats, lints, measures coverage and watches memory
#
# Needs root, or sudo, only when a package is missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
  # The tools.
  g++ cmake ninja-build ccache pkg-config
  # The library.
  libeigen3-dev libspectra-dev libopenblas-dev liblapacke-dev libadolc-dev librandom123-dev
  libfmt-dev nlohmann-json3-dev zlib1g-dev libceres-dev
  # The program, its plots and its data.
  libboost-program-options-dev gnuplot-nox ca-certificates dataset-fashion-mnist
  # The Python package; the build goes without it where they are missing.
  pybind11-dev python3-dev python3-numpy
  # Peers that performance profiles compare with; the build goes without them where they are missing.
  liblbfgspp-dev liblbfgs-dev
  # Several processes as one run; the build goes without it where it is missing.
  libopenmpi-dev openmpi-bin
  # The tests, of packages too, and the unpacking of data from a source package.
  catch2 python3-scipy dpkg-dev file xz-utils
  # The manual: its tests, and its site.
  python3 mkdocs mkdocs-material
)
for argument in "$@"; do
  case "$argument" in
    --report) packages+=(chromium) ;;
    # The sanitizers and libFuzzer are in a package of their own; llvm names the functions in what they report.
    --fuzz) packages+=(clang-19 libclang-rt-19-dev llvm-19) ;;
    --developer) packages+=(clang-format-14 clang-tidy shellcheck gcovr valgrind doxygen git) ;;
    *) stop "setup" "unknown argument '$argument'; there are --report, --fuzz and --developer" ;;
  esac
done

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2> /dev/null)" == installed ]]
}

missing=()
command -v dpkg-query > /dev/null || stop "setup" "this is no Debian; it was written for Debian 12 (bookworm)"
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  say "packages: all ${#packages[@]} are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  command -v sudo > /dev/null ||
    stop "setup" "root is needed to install; as root run: apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" < /dev/null
}

say "packages: installing ${#missing[@]} of ${#packages[@]}: ${missing[*]}"
# A mirror that this project does not need may be out of reach; what matters is whether the install succeeds.
logged "package-lists" apt update || say "packages: some package lists could not be renewed; trying with those at hand"
step "packages" apt install --yes --no-install-recommends "${missing[@]}"
for package in "${missing[@]}"; do
  is_installed "$package" || stop "packages" "'$package' is still not installed"
done
say "packages: done"
