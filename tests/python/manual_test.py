"""Runs the Python code of docs/python.md as it is written, block after block in one namespace, with its assertions."""

import contextlib
import io
import os
import re
import sys

try:
    import numpy  # noqa: F401
    import scipy  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

page = os.path.join(os.environ["HESSE_ROOT"], "docs", "python.md")
with open(page, encoding="utf-8") as file:
    text = file.read()
blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
if len(blocks) < 5:
    sys.exit(f"{page}: {len(blocks)} blocks of Python; there should be more")
namespace = {}
for block in blocks:
    line = text[: block.start(1)].count("\n")
    # Blank lines before it make tracebacks name the line of the page.
    code = compile("\n" * line + block.group(1), page, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        try:
            exec(code, namespace)
        except Exception:
            sys.stderr.write(shown.getvalue())
            raise
print(f"{len(blocks)} blocks of {page} run as they are written")
