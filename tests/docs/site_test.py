#!/usr/bin/env python3
"""The manual as a site: mkdocs builds it without a warning, every link and anchor leads somewhere,
and nothing is loaded from elsewhere, so that it is read without a network.

    site_test.py FOLDER     the folder is made anew; exit code 77 where mkdocs is not installed
"""
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

ROOT = Path(__file__).resolve().parents[2]


class Page(HTMLParser):
    """What a page points to, what it loads, and where one can point to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(values.get("href", ""))
        elif values.get("src"):
            self.loads.append(values["src"])


def faults(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links are those of a server
        for target in page.links + page.loads:
            url = urlparse(target)
            if url.scheme or url.netloc:
                if target in page.loads:
                    yield f"{path.relative_to(site)} loads '{target}' from elsewhere"
                continue
            plain, anchor = urldefrag(target)
            file = (path.parent / unquote(plain)).resolve() if plain else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                yield f"{path.relative_to(site)}: '{target}' leads nowhere"
            elif anchor and file in pages and unquote(anchor) not in pages[file].anchors:
                yield f"{path.relative_to(site)}: '{target}' has no such anchor"
    for sheet in site.rglob("*.css"):
        if "url(http" in sheet.read_text() or "@import url" in sheet.read_text():
            yield f"{sheet.relative_to(site)} loads something from elsewhere"
    if not (site / "docs/index.html") in {(site / link).resolve() for link in pages[site / "index.html"].links}:
        yield "the menu (docs/menu.py) has no entry for the manual's first page"


def main():
    if not shutil.which("mkdocs"):
        print("skipped: mkdocs is not installed; scripts/setup.sh installs it")
        return 77
    site = Path(sys.argv[1]).resolve()
    shutil.rmtree(site, ignore_errors=True)
    built = subprocess.run([ROOT / "scripts/manual.sh", "site", site], capture_output=True, text=True)
    print(built.stdout + built.stderr)
    if built.returncode != 0 or "WARNING" in built.stderr:
        return 1
    found = list(faults(site))
    print("\n".join(found) or f"{len(list(site.rglob('*.html')))} pages hold together")
    return 1 if found else 0


sys.exit(main())
