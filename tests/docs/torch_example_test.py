#!/usr/bin/env python3
"""docs/examples/two_moons_pytorch.py prints what docs/tutorial_pytorch.md shows. Exit code 77 without PyTorch."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import manual_commands as manual

try:
    import numpy  # noqa: F401
    import torch  # noqa: F401
except ImportError:
    sys.exit(77)

script = manual.ROOT / "docs/examples/two_moons_pytorch.py"
with tempfile.TemporaryDirectory() as scratch:
    run = subprocess.run([sys.executable, script], cwd=scratch, capture_output=True, text=True, check=True)
    data_is_the_same = (Path(scratch) / "two_moons.csv").read_text() == script.with_name("two_moons.csv").read_text()
shown = re.search(r"^value .*eigenvalues from .*$", (manual.ROOT / "docs/tutorial_pytorch.md").read_text(), re.MULTILINE)[0]
true = run.stdout.strip()
print(true)
sys.exit(0 if data_is_the_same and manual.same_line(shown, true, 0.02) else f"the page shows '{shown}'")
