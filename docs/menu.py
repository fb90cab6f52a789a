"""The menu of the site is docs/index.md: a section for each of its headings, an entry for each page that a table there names."""
import re
from pathlib import Path


def on_config(config):
    sections = [("", [{"Hesse": "README.md"}, {"The manual": "docs/index.md"}])]
    for line in (Path(config["docs_dir"]) / "docs/index.md").read_text().split("\n"):
        if line.startswith("## "):
            sections.append((line[3:].strip(), []))
        elif match := re.match(r"\| \[([^]]+)\]\(([^)#]+\.md)\)", line):
            path = match[2].removeprefix("../") if match[2].startswith("../") else f"docs/{match[2]}"
            sections[-1][1].append({match[1][0].upper() + match[1][1:]: path})
    config["nav"] = [*sections[0][1], *({name: pages} for name, pages in sections[1:] if pages)]
    return config
