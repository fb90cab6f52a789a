#!/usr/bin/env python3
"""docs/records.md describes what is written: every field of run.json and of a checkpoint's metadata, the formats, and every file
of a run's folder and of a comparison's.

    records_test.py PROGRAM
"""
import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(sys.argv[1]).resolve()
PAGE = (Path(__file__).resolve().parents[2] / "docs/records.md").read_text()
PROBLEM = ["--problem", "mlp:data=gaussian-blobs,hidden=4", "--optimizer", "adam", "--budget", "2epochs", "--quiet"]


def run(folder, command, *options):
    subprocess.run([PROGRAM, command, *PROBLEM, *options], cwd=folder, check=True, capture_output=True)


def fields(value, name=""):
    """The names of all fields, but of those objects whose names are the problem's, the method's or the command's."""
    for key, inner in value.items():
        yield name + key
        if isinstance(inner, dict) and key not in ("used", "settings", "metrics", "software", "machine"):
            yield from fields(inner, f"{name}{key}.")


def faults(folder):
    run(folder, "train", "--output", "run", "--save-every", "5", "--curvature-every", "5", "--figures")
    run(folder, "tune", "--output", "comparison", "--trials", "2", "--repetitions", "1")
    record = json.loads((folder / "run/run.json").read_text())
    for name in fields(record):
        if f"`{name}`" not in PAGE and f"`{name.removeprefix('verdict.')}`" not in PAGE and name not in (
            "problem", "optimizer", "verdict.cost") and f"`.{name.split('.')[-1]}`" not in PAGE:
            yield f"run.json: '{name}'"
    if f"| `format` | whole number | {record['format']} |" not in PAGE:
        yield f"run.json has the format {record['format']}"
    raw = (folder / "run/checkpoint.safetensors").read_bytes()
    metadata = json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]
    for name in metadata:
        if not name.startswith("progress.cost.") and f"`{name}`" not in PAGE and f"`.{name.split('.')[-1]}`" not in PAGE:
            yield f"a checkpoint's metadata: '{name}'"
    if f"`{metadata['format']}`" not in PAGE:
        yield f"a checkpoint has the format {metadata['format']}"
    for top in ("run", "comparison"):
        for file in (folder / top).iterdir():
            stem = re.sub(r"^table\..*", "table.txt", file.name)
            if not any(text in PAGE for text in (f"`{stem}`", f"`{stem}/", f"`{file.suffix}`")) and not re.match("adam", stem):
                yield f"{top}: '{file.name}'"


with tempfile.TemporaryDirectory() as scratch:
    found = list(faults(Path(scratch)))
print("\n".join(f"docs/records.md does not describe {fault}" for fault in found) or "all fields and files are described")
sys.exit(1 if found else 0)
