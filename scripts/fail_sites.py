"""Which errors does no test provoke? Counts the calls of `fail` in lib/ and apps/ that a build with gcov never reached.

    python3 scripts/fail_sites.py BUILD_FOLDER

after its tests have run. scripts/coverage.sh does so. Prints FILE:LINE of each that was not reached, and a line with the
number. Ends with exit status 1 where there are more than MOST_UNREACHED. A line on which an `if` stands with its `fail` was
reached where gcov saw all its blocks run, or a call on it that did not return; so a site may be called unreached that is not,
where one arm of a condition among its arguments is, but not the other way round.
"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# May only fall.
MOST_UNREACHED = 96

ROOT = Path(__file__).resolve().parent.parent
# Not a member function of that name, and not its declaration.
SITE = re.compile(r"(?<![\w.>:])(?<!void )fail\(")
DECLARED = re.compile(r"\[\[noreturn\]\]")
CALL_BEFORE = re.compile(r"(?<!\bif)(?<!\bfor)(?<!\bwhile)(?<!\bswitch)(?<=[\w>])\s?\(")


def rest_of(code):
    """What stands behind a call whose opening parenthesis was just read."""
    depth = 1
    for i, c in enumerate(re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: '"' * len(m[0]), code)):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return code[i + 1:]
    return ""


def sites():
    """{(file, line): (before, rest)}: what else stands on the line decides what gcov's counts of it mean."""
    found = {}
    for folder in ("lib", "apps"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = line.split("//")[0]
                match = SITE.search(code)
                if match and not DECLARED.search(code):
                    found[str(path.relative_to(ROOT)), number] = (code[: match.start()].strip(), rest_of(code[match.end():]).strip(" ;}"))
    return found


def reached_by(notes, build, wanted):
    """The sites that one object file's counts show to have been reached."""
    listing = subprocess.run(["gcov", "--branch-probabilities", "--branch-counts", "--stdout", "--relative-only",
                              "--source-prefix", str(ROOT), str(notes.relative_to(build))],
                             cwd=build, capture_output=True, text=True, errors="replace").stdout
    reached = set()
    file, line, head, count, calls = None, 0, "", "", []

    def close():
        if head is None or (file, line) not in wanted:
            return
        before, rest = wanted[file, line]
        executed = count.rstrip("*") not in ("#####", "=====", "-", "0", "")
        if not executed:
            return
        ran = [c for c in calls if c != "never executed"]
        if (before in ("", "else") or not count.endswith("*") or "returned 0" in ran
                or (ran and not rest and not CALL_BEFORE.search(before))):
            reached.add((file, line))

    head = None
    for text in listing.splitlines():
        match = re.match(r"\s*([-#=\d]+\*?):\s*(\d+):(.*)", text)
        if match:
            close()
            count, line, rest = match[1], int(match[2]), match[3]
            head, calls = rest, []
            if line == 0:
                head = None
                if rest.startswith("Source:"):
                    source = rest[len("Source:"):]
                    path = (build / source) if not os.path.isabs(source) else Path(source)
                    if (ROOT / source).exists():
                        path = ROOT / source
                    path = Path(os.path.normpath(path))
                    file = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else None
            continue
        match = re.match(r"call\s+\d+ (never executed|returned \d+)", text)
        if match:
            calls.append(match[1])
    close()
    return reached


def main():
    if len(sys.argv) != 2:
        sys.exit("Usage: python3 scripts/fail_sites.py BUILD_FOLDER")
    build = Path(sys.argv[1]).resolve()
    wanted = sites()
    notes = sorted(build.rglob("*.gcno"))
    if not notes:
        sys.exit(f"FAILED: fail sites: {build} has no counts of gcov; it is no build for coverage")
    reached = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(lambda n: reached_by(n, build, wanted), notes):
            reached |= part
    missed = [site for site in wanted if site not in reached]
    for file, line in missed:
        print(f"{file}:{line}: {(ROOT / file).read_text().splitlines()[line - 1].strip()}")
    print(f"errors: {len(reached)} of {len(wanted)} sites of fail are reached, {len(missed)} are not; at most "
          f"{MOST_UNREACHED} may be")
    if len(missed) > MOST_UNREACHED:
        sys.exit(f"FAILED: fail sites: {len(missed)} errors are provoked by no test, and {MOST_UNREACHED} were before")
    if len(missed) < MOST_UNREACHED:
        print(f"fewer than before: set MOST_UNREACHED in scripts/fail_sites.py to {len(missed)}")


main()
