#!/usr/bin/env bash
# Formats every C++ file with clang-format 14 and the tree's .clang-format.
#
#   scripts/format.sh          rewrites the files
#   scripts/format.sh --check  changes nothing, and fails with the places when a file is not formatted
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

formatter="$(command -v clang-format-14 || command -v clang-format || true)"
[[ -n "$formatter" ]] || stop "format" "clang-format is missing; scripts/setup.sh --developer installs it"

mapfile -d '' files < <(find lib apps docs tests experiments -type f \( -name '*.cc' -o -name '*.h' \) -print0 | sort -z)
case "${1:-}" in
  "")
    "$formatter" -i --style=file "${files[@]}"
    say "formatted ${#files[@]} files"
    ;;
  --check)
    step format-check "$formatter" --dry-run --Werror --style=file "${files[@]}"
    say "all ${#files[@]} files are formatted"
    ;;
  *) stop "format" "unknown argument '$1'; there is --check" ;;
esac
