#!/usr/bin/env python3
"""docs/tutorial_objective.md shows the program that the tests build, and what it prints.

    example_test.py PROGRAM
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import manual_commands as manual

page = (manual.ROOT / "docs/tutorial_objective.md").read_text()
source = (manual.ROOT / "docs/examples/own_objective.cc").read_text()
if f"```cpp\n{source}```" not in page:
    sys.exit("docs/tutorial_objective.md shows another program than docs/examples/own_objective.cc")
with tempfile.TemporaryDirectory() as scratch:
    run = subprocess.run([Path(sys.argv[1]).resolve()], cwd=scratch, capture_output=True, text=True)
# Without gnuplot all but the drawing is done.
if run.returncode != 0 and "gnuplot" not in run.stderr:
    sys.exit(f"exit code {run.returncode}: {run.stderr}")
shown = re.search(r"```text\n(.*?)\n```", page, re.DOTALL)[1].split("\n")
difference = manual.compare_output(shown, run.stdout.rstrip("\n").split("\n"), 0.02, Path(scratch))
if difference is not None:
    sys.exit(f"docs/tutorial_objective.md shows another output\n{difference}")
print("the page shows the program and its output")
