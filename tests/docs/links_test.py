#!/usr/bin/env python3
"""Read as Markdown alone, the manual holds together: each link, figure and anchor leads somewhere, each page is in the index,
each figure is on a page, and
a program that a page shows is the one that the tests build."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "experiments").glob("*/README.md")]


def prose(page):
    """The page without code, in which brackets and parentheses are no links."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^    .*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page):
    """The anchors of a page's headings, as GitHub and Python-Markdown both form them where no two words are far apart."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


def faults():
    shown = set()
    for page in PAGES:
        here = page.relative_to(ROOT)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            shown.add(file)
            if not file.is_file():
                yield f"{here}: there is no file '{target}'"
            elif anchor and anchor not in anchors(file):
                yield f"{here}: '{target}' has no such heading"
        # Python-Markdown takes a list that follows a line of text for text.
        for above, line in zip(page.read_text().split("\n"), page.read_text().split("\n")[1:]):
            if re.match(r"(-|1\.) ", line) and re.match(r"\w", above) and not re.match(r"\d+\. ", above):
                yield f"{here}: a list wants an empty line before it: '{line[:60]}'"
    tutorial = (ROOT / "docs/tutorial_objective.md").read_text()
    for name, language in (("own_objective.cc", "cpp"), ("own_objective.out", "text")):
        if f"```{language}\n{(ROOT / 'docs/examples' / name).read_text()}```" not in tutorial:
            yield f"docs/tutorial_objective.md shows something else than docs/examples/{name}"
    index = {(ROOT / "docs" / target).resolve()
             for target in re.findall(r"\]\(([^)\s#]+)", prose(ROOT / "docs/index.md"))}
    for page in (ROOT / "docs").glob("*.md"):
        if page.resolve() not in index and page.name != "index.md":
            yield f"docs/index.md does not name docs/{page.name}"
    for figure in (ROOT / "docs/figures").rglob("*"):
        if figure.is_file() and figure.resolve() not in shown:
            yield f"{figure.relative_to(ROOT)} is on no page"


found = list(faults())
print("\n".join(found) or f"{len(PAGES)} pages hold together")
sys.exit(1 if found else 0)
