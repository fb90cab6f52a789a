#!/usr/bin/env bash
# Opens a report of every kind of record in headless Chromium, from the disk and without network, presses its buttons,
# and holds it to what a reader sees: all figures drawn, no complaint on the console.
#
#   report_in_browser_test.sh HESSE_PROGRAM
#
# Ends with 77 where Chromium or the drawing library is missing, which CTest counts as skipped.
set -euo pipefail
hesse="$1"

browser=""
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" > /dev/null; then
    browser="$name"
    break
  fi
done
if [[ -z "$browser" ]]; then
  echo "skipped: there is no chromium; as root run: apt-get install chromium"
  exit 77
fi

work="$(mktemp -d "${TMPDIR:-/tmp}/hesse-browser.XXXXXX")"
trap 'rm -rf "$work"' EXIT
cd "$work"

run() { "$hesse" "$@" > out.txt 2> err.txt || (($? == 1 || $? == 3)) || { cat out.txt err.txt; exit 1; }; }

blobs="mlp:data=gaussian-blobs:samples=60:classes=3,hidden=6,activation=tanh"
run compare --problem "$blobs" --optimizer kfac --optimizer sgd:lr=1e9 --optimizer lbfgs --repetitions 2 --budget 8epochs \
  --batch-size 20 --curvature-every 4 --output records/compare --quiet
run train --problem rosenbrock --optimizer gd:lr=1 --budget 50steps --output records/diverged --quiet
run train --problem "$blobs" --optimizer adam --budget 6epochs --batch-size 20 --save-every 3 --output records/run --quiet
run spectrum --at records/run --density --trace --per-layer --output records/spectrum
run landscape --trajectory records/run --points 9 --output records/slice
run landscape --at records/run --to records/compare/lbfgs/seed-1 --points 7 --output records/path
run classify --at records/run --output records/classify
run sharpness --at records/run --output records/sharpness --samples 20 --batches 2 --starts 1 --iterations 3
run diagnose --problem "$blobs" --optimizer sgd --steps 3 --overfit-steps 10 --output records/diagnose
run find-lr --problem "$blobs" --optimizer sgd --steps 20 --output records/find-lr
run validate --problem rosenbrock --output records/validate
run profile --problem mgh:number=1 --problem mgh:number=5 --optimizer lbfgs --optimizer newton-cg --repetitions 1 \
  --output records/profile --quiet
for folder in records/*; do
  [[ -s "$folder/report.html" ]] || { echo "there is no report.html in $folder"; exit 1; }
done
run report records --output all.html
if grep -q 'Figures are static' all.html; then
  echo "skipped: the drawing library is missing; run: scripts/fetch_data.sh plotly"
  exit 77
fi

# Presses buttons, one at a time, once everything is drawn, and tells when that is done.
cat > press.html << 'END'
<script>
'use strict';
(async () => {
  const pause = (ms) => new Promise((next) => { setTimeout(next, ms); });
  while (document.documentElement.dataset.drawn !== 'true') await pause(20);
  const drawn = () => [...document.querySelectorAll('figure')].map((figure) => figure.dataset.drawn);
  const first = drawn();
  // Figures of one kind have the same buttons: a few of each will do.
  const figures = [...document.querySelectorAll('figure')];
  const chosen = figures.slice(0, 4).concat(figures.filter((figure) => figure.matches('.surface')),
    figures.filter((figure) => figure.matches('.small')).slice(0, 1));
  for (const button of chosen.flatMap((figure) => [...figure.querySelectorAll('.controls button')])) {
    button.click();
    await pause(5);
  }
  await pause(200);
  const table = document.querySelector('table.sortable');
  const head = table.querySelectorAll('th button')[1];
  const column = () => [...table.tBodies[0].rows].map((row) => row.cells[1].textContent);
  head.click();
  const one = column();
  head.click();
  const other = column();
  document.body.dataset.sorted = String(JSON.stringify(one) === JSON.stringify(other.reverse()) || new Set(one).size < one.length);
  document.body.dataset.figures = `${first.length} figures, ${first.filter((d) => d === 'true').length} drawn, ` +
    `${drawn().filter((d) => d === 'true').length} drawn again`;
  document.body.dataset.pressed = 'true';
})();
</script>
END
cat all.html press.html > pressed.html

# Its own profile in the scratch folder, no sandbox for root, software drawing, and a clock that runs ahead.
HOME="$work" timeout 300 "$browser" --headless --no-sandbox --disable-gpu --enable-unsafe-swiftshader --disable-dev-shm-usage \
  --no-first-run --disable-background-networking --disable-component-update --user-data-dir="$work/profile" \
  --window-size=1300,1000 --virtual-time-budget=12000 --enable-logging=stderr --v=0 --dump-dom "file://$work/pressed.html" \
  > dom.html 2> console.txt || { tail -5 console.txt; exit 1; }

failed=0
fail() {
  echo "FAILED: $1"
  failed=1
}
if grep -a 'CONSOLE' console.txt | grep -av 'INFO' > complaints.txt; then
  fail "the console complains:"
  head -20 complaints.txt
fi
grep -q 'data-pressed="true"' dom.html || fail "the buttons were not all pressed"
grep -q 'data-sorted="true"' dom.html || fail "a click on the head of a table does not sort it"
figures="$(grep -o 'data-figures="[^"]*"' dom.html | head -1)"
echo "$figures"
[[ "$figures" =~ \"([0-9]+)\ figures,\ ([0-9]+)\ drawn,\ ([0-9]+)\ drawn\ again\" ]] || fail "no figure was counted"
if ((${BASH_REMATCH[1]:-0} < 20 || BASH_REMATCH[1] != BASH_REMATCH[2] || BASH_REMATCH[1] != BASH_REMATCH[3])); then
  fail "not all figures are drawn"
fi
grep -q 'data-space="\(drawn\|no-webgl\)"' dom.html || fail "the surface is neither drawn nor explained"
exit "$failed"
