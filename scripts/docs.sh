#!/usr/bin/env bash
# The reference of the library's public headers as HTML in build/docs/html, by doxygen. Fails when doxygen finds something
# wrong with a comment, or a class, struct or enumeration without one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

command -v doxygen > /dev/null || stop "docs" "doxygen is missing; scripts/setup.sh --developer installs it"
step docs doxygen docs/Doxyfile
say "done: build/docs/html/index.html"
