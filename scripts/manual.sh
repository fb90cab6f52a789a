#!/usr/bin/env bash
# The manual.
#
#   scripts/manual.sh site [FOLDER]        builds it as a site, to be opened without a network: build/manual/index.html
#   scripts/manual.sh check [PAGE...]      runs the commands that README.md and docs/*.md show, with the program that is built
#   scripts/manual.sh update [PAGE...]     the same, and writes their true output into the pages
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

action="${1:-site}"
(($# == 0)) || shift
case "$action" in
  site)
    command -v mkdocs > /dev/null || stop "manual" "mkdocs is missing; scripts/setup.sh installs it"
    site="${1:-build/manual}"
    # Pages, their figures, and what they point to, laid out as in the tree, so that a link is the same in both.
    pages="$site.pages"
    rm -rf "$pages"
    mkdir -p "$pages"
    cp -r README.md CONTRIBUTING.md CHANGELOG.md LICENSE docs "$pages"
    rm -rf "$pages"/docs/{mkdocs.yml,menu.py,__pycache__}
    for file in experiments/*/README.md experiments/*/*.ini tests/install/consumer/main.cc; do
      install -D --mode=644 "$file" "$pages/$file"
    done
    HESSE_MANUAL_PAGES="$(realpath "$pages")" mkdocs build --quiet --strict --config-file docs/mkdocs.yml \
      --site-dir "$(realpath --canonicalize-missing "$site")" || stop "manual" "mkdocs found a fault in the pages, see above"
    rm -r "$pages"
    say "done: $site/index.html"
    ;;
  check | update)
    program=build/release/apps/hesse/hesse
    [[ -x "$program" ]] || stop "manual" "$program is not built; scripts/start.sh builds it"
    pages=("$@")
    ((${#pages[@]} > 0)) || pages=(README.md docs/*.md experiments/*/README.md)
    options=()
    [[ "$action" == check ]] || options=(--update)
    python3 tests/docs/manual_commands.py --program "$program" "${options[@]}" "${pages[@]}"
    ;;
  *) stop "manual" "unknown argument '$action'; there are site, check and update" ;;
esac
