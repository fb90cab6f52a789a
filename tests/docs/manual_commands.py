#!/usr/bin/env python3
"""Runs the commands that a page of the manual shows, and compares the output that it shows with the true one.

    manual_commands.py --program build/release/apps/hesse/hesse docs/curvature.md ...
    manual_commands.py --program ... --update docs/getting_started.md      # write the true output into the page

The blocks of a page run from top to bottom in one empty folder, so that a command may use what an earlier one wrote. Two kinds of
blocks are run:

- `console`: lines that begin with `$ ` are commands, each followed by its output. In that a line `...` stands for any lines,
  and a line that ends in ` ...` for any that begins so. Numbers agree within 2 %; seconds, speeds and paths always do, and on
  processors with other kernels than those of the pages (KERNELS) all numbers.
- any with a line that begins with `hesse`: it is run by bash, but for lines of programs that are not ours, and must succeed.

Comments in the Markdown steer the block behind them:

    <!-- manual: with compare --budget 2epochs -->   these options in place of, or beside, those shown (compare: for this
                                                     command alone), so that the tests stay short
    <!-- manual: options only, it takes an hour -->  nothing is run; names, choices and specifications are checked
    <!-- manual: not run, it needs a network -->     nothing is checked but that a reason is given
    <!-- manual: exit 0 or 1 -->                     exit codes that are right
    <!-- manual: within 10 % -->                     tolerance of the numbers shown
    <!-- manual: figure FILE.svg -->                 the next figure of the page is this file of the folder, which the commands
                                                     have made; --update copies it
    <!-- manual: setup                               commands that the reader does not see
    ...
    -->

Text in backticks is looked at too: `hesse COMMAND --option`, `--option` and `name:key=value` must exist.

Exit code 0 when all is right, 1 when something is not, 77 when a data set that a page needs has not been fetched.
"""
import argparse
import collections
import difflib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
# The kernels of OpenBLAS that the outputs were written with, as `hesse doctor` names them. With others rounding differs, and so
# do counts of iterations and whatever a training makes of it: words alone are compared then.
KERNELS = "SkylakeX"
SECONDS_A_BLOCK = 300  # a bound for machines that do much else besides; a block takes seconds


class Failure(Exception):
    """What is wrong, in one line or a few, for a person."""


# The program: what it has -------------------------------------------------------------------------------------------


class Program:
    """What `hesse` says of itself: commands, options, names. Asked once each, and kept in a folder where there is one."""

    def __init__(self, path, answers=None):
        self.path, self.answers = str(path), answers
        self._commands = self._names = None
        self._options, self._described = {}, {}

    def ask(self, *arguments):
        kept = Path(self.answers) / "_".join(arguments) if self.answers else None
        if kept and kept.is_file():
            return kept.read_text()
        done = subprocess.run([self.path, *arguments], capture_output=True, text=True, timeout=60)
        if kept and done.returncode == 0:
            kept.write_text(done.stdout)
        return done.stdout if done.returncode == 0 else None

    def commands(self):
        if self._commands is None:
            self._commands = re.findall(r"^  ([a-z][a-z-]*)  ", self.ask("--help") or "", re.MULTILINE)
        return self._commands

    def options(self, command):
        """{name: (takes a value, choices or None)} of a command."""
        if command not in self._options:
            text = self.ask(command, "--help") or ""
            found = {}
            for line in text.splitlines():
                match = re.match(r"  --([a-z][a-z0-9-]*)( <[^>]*>)?(.*)", line)
                if match:
                    choices = re.search(r"\[([^\[\]]* \| [^\[\]]*)\]", match[3])
                    found[match[1]] = (bool(match[2]), choices[1].split(" | ") if choices else None)
            self._options[command] = found
        return self._options[command]

    def names(self):
        """{name: kind} of every problem, optimizer, modifier, schedule and data set."""
        if self._names is None:
            self._names = {entry["name"]: entry["kind"] for entry in json.loads(self.ask("list", "--json") or "[]")}
        return self._names

    def keys(self, name):
        """The options that a name takes in a specification."""
        if name not in self._described:
            entries = json.loads(self.ask("describe", name, "--json") or "[]")
            self._described[name] = {option["name"] for entry in entries for option in entry["options"]}
        return self._described[name]

    def data_sets(self):
        return json.loads(self.ask("data", "--json") or "[]")


# What can be said of a command without running it -------------------------------------------------------------------


def check_specification(program, text):
    """`name:key=value,...+name:...`: every name is registered and takes every key."""
    for number, link in enumerate(re.split(r"\+(?=[a-z])", text)):
        name, _, settings = link.partition(":")
        if name not in program.names():
            if re.fullmatch(r"ceres-[a-z-]+|lbfgspp|liblbfgs|auto", name):
                continue
            raise Failure(f"'{name}' of '{text}' is not in 'hesse list'")
        keys = program.keys(name) | ({"batch", "full_batch_at"} if number == 0 else set())
        for setting in filter(None, re.split(r",(?=[a-z_0-9]+=)", settings)):
            key, equals, value = setting.partition("=")
            if equals and key not in keys:
                raise Failure(f"'{name}' has no option '{key}'; it has {', '.join(sorted(keys))}")
            if key == "data":
                check_data(program, value)


def check_data(program, text):
    """A data set inside a problem: `name:key=value:key=value`."""
    name, *settings = text.split(":")
    if name not in program.names():
        return  # a path
    for setting in settings:
        key = setting.partition("=")[0]
        if key not in program.keys(name):
            raise Failure(f"data set '{name}' has no option '{key}'")


def check_options(program, arguments, folder):
    """The arguments of `hesse`: command, names of options, choices, specifications, and those of a --config file."""
    command, *rest = arguments
    if command not in program.commands():
        raise Failure(f"hesse has no command '{command}'")
    known = program.options(command)

    def check(name, value):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise Failure(f"hesse {command} has no option --{name}" + (f"; did you mean --{near[0]}?" if near else ""))
        takes_value, choices = known[name]
        if choices and value is not None and value not in choices:
            raise Failure(f"hesse {command} --{name}: '{value}' is none of {', '.join(choices)}")
        if name == "config" and value:
            check_file(folder / value)
        elif name in ("problem", "optimizer") and value and "$" not in value:
            check_specification(program, value)
        return takes_value

    def check_file(path):
        if not path.is_file():
            raise Failure(f"there is no file '{path}'")
        for line in path.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith("#"):
                check(name.strip(), value.strip())

    at = 0
    while at < len(rest):
        word = rest[at]
        at += 1
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        takes_value = known.get(name, (False, None))[0]
        if takes_value and not equals:
            if at == len(rest):
                raise Failure(f"hesse {command} --{name} wants a value")
            value = rest[at]
            at += 1
        check(name, value if takes_value else None)


def with_overrides(arguments, overrides, program):
    """The arguments with those options in place of the ones of the same names. An override says nothing to a command that has
    no such option."""
    command = arguments[0] if arguments else ""
    result = list(arguments)
    for wanted, options in overrides:
        if wanted not in (None, command):
            continue
        groups = []  # --name and its value
        for word in options:
            if word.startswith("--"):
                groups.append([word])
            else:
                groups[-1].append(word)
        for group in groups:
            takes_value = program.options(command).get(group[0][2:], (False, None))[0]
            kept, at = [], 0
            while at < len(result):
                same = result[at].partition("=")[0] == group[0]
                width = 2 if same and takes_value and "=" not in result[at] else 1
                if not same:
                    kept += result[at : at + width]
                at += width
            result = kept + group
    return result


# Pages --------------------------------------------------------------------------------------------------------------


class Block:
    """A block of code, or a comment with commands, with what the comments before it ask for."""

    def __init__(self, language, line, lines, asked, indent=""):
        self.language, self.line, self.lines, self.indent = language, line, lines, indent
        self.overrides, self.codes, self.tolerance, self.mode, self.reason = [], [0], 0.02, "run", ""
        for number, text in asked:
            self._ask(number, text)

    def _ask(self, number, text):
        if match := re.fullmatch(r"with (?:([a-z-]+) )?(--.*)", text):
            self.overrides.append((match[1], shlex.split(match[2])))
        elif match := re.fullmatch(r"(options only|not run), (.+)", text):
            self.mode, self.reason = match[1], match[2]
        elif match := re.fullmatch(r"exit (\d+(?: or \d+)*)", text):
            self.codes = [int(code) for code in match[1].split(" or ")]
        elif match := re.fullmatch(r"within ([\d.]+) %", text):
            self.tolerance = float(match[1]) / 100
        else:
            raise Failure(f"line {number}: cannot read the comment 'manual: {text}'")

    def has_commands(self):
        mark = r"\$ " if self.language == "console" else r"hesse\s"
        return any(re.match(mark, line.strip()) for line in self.lines)

    def script(self):
        """What bash is to run of a block that shows no output: all but the programs that are not ours."""
        kept, foreign = [], False
        for line in self.lines:
            if not foreign:
                foreign = bool(re.match(r"\s*(scripts/|python3 |cmake |unzip |ctest |mpirun )", line))
            if not foreign:
                kept.append(line)
            foreign = foreign and line.endswith("\\")
        return "\n".join(kept)

    def steps(self):
        """[(command, first line of its output, last line + 1)] of a console block."""
        found, at = [], 0
        while at < len(self.lines):
            if not self.lines[at].startswith("$ "):
                at += 1
                continue
            command = self.lines[at][2:]
            while command.endswith("\\"):
                at += 1
                command += "\n" + self.lines[at]
            begin = at = at + 1
            while at < len(self.lines) and not self.lines[at].startswith("$ "):
                at += 1
            found.append((command, begin, at))
        return found


def blocks_of(text):
    """The blocks of a page in their order."""
    lines, found, asked, at = text.split("\n"), [], [], 0
    while at < len(lines):
        line = lines[at]
        if match := re.fullmatch(r"<!-- manual: setup", line.strip()):
            begin = at + 1
            while lines[at].strip() != "-->":
                at += 1
                if at == len(lines):
                    raise Failure(f"line {begin}: a setup comment without its end, '-->'")
            found.append(Block("setup", begin, lines[begin:at], []))
        elif match := re.fullmatch(r"<!-- manual: figure (\S+) -->", line.strip()):
            image = re.search(r"!\[[^]]*\]\(([^)]+)\)", "\n".join(lines[at:]))
            if not image:
                raise Failure(f"line {at + 1}: no figure follows")
            found.append(Block("figure", at, [match[1], image[1]], []))
        elif match := re.fullmatch(r"<!-- manual: (.*?) -->", line.strip()):
            asked.append((at + 1, match[1]))
        elif match := re.match(r"( *)(```+|~~~+) *([a-z+]*)", line):
            begin, end = at + 1, at + 1
            while end < len(lines) and not lines[end].strip().startswith(match[2]):
                end += 1
            inside = [inner[len(match[1]) :] if inner.startswith(match[1]) else inner for inner in lines[begin:end]]
            found.append(Block(match[3], begin, inside, asked, match[1]))
            asked, at = [], end
        elif line.startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            begin = at
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            found.append(Block("indented", begin, [inner[4:] for inner in lines[begin:at]], asked, "    "))
            asked, at = [], at - 1
        elif line.strip() and asked:
            raise Failure(f"line {asked[-1][0]}: 'manual: {asked[-1][1]}' does not stand before a block")
        at += 1
    return found


def check_spans(program, text):
    """Yields what is wrong in the text in backticks."""
    every = {name for command in program.commands() for name in program.options(command)}
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in set(re.findall(r"`([^`\n]+)`", prose)):
        try:
            if match := re.match(r"hesse ([a-z-]+)((?: .*)?)$", span):
                if match[1] not in program.commands():
                    raise Failure(f"hesse has no command '{match[1]}'")
                for name in re.findall(r" --([a-z][a-z0-9-]*)", match[2]):
                    if name not in program.options(match[1]):
                        raise Failure(f"hesse {match[1]} has no option --{name}")
            elif match := re.fullmatch(r"--([a-z][a-z0-9-]*)(?: .*)?", span):
                if match[1] not in every and not is_option_of_a_script(match[1]):
                    raise Failure(f"no command has an option --{match[1]}")
            elif (match := re.match(r"([a-z][a-z0-9-]*)(?=[:+])", span)) and match[1] in program.names():
                check_specification(program, span)
        except Failure as failure:
            yield f"`{span}`: {failure}"


def is_option_of_a_script(name):
    sources = [*(ROOT / "scripts").glob("*.sh"), *(ROOT / "experiments").rglob("*.cc")]
    return any(f"--{name}" in source.read_text() or f'"{name}"' in source.read_text() for source in sources)


# Output -------------------------------------------------------------------------------------------------------------

NUMBER = r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
TIME = re.compile(NUMBER + r" ?(?:s|ms|us|min|seconds|minutes)\b(?!/)|(?<=\"seconds\": )[-+.\de]+")
MACHINE = re.compile(NUMBER + r"(?= (?:GFLOP/s|[KMG]i?B|threads?\b|usable|processors?\b))")


def without_the_machine(lines, folder):
    """The lines with what depends on the machine or on the minute replaced by a word."""
    result, header, rules = [], [], 0
    for line in lines:
        cells = [(match.start(), match.end(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", line)]
        if line.startswith("─"):
            rules += 1  # a table is a rule, a header, a rule, rows, a rule
        elif rules % 3 == 1:
            header = [cell for cell in cells if re.search(r"\bseconds\b", cell[2])]
        elif rules % 3 == 2:
            for begin, end, _ in reversed(cells):
                if any(begin < header_end and header_begin < end for header_begin, header_end, _ in header):
                    line = line[:begin] + "TIME" + line[end:]
        line = line.replace(str(folder), "FOLDER")
        line = re.sub(r"runs/\d{4}[-\w.]*", "runs/NEW", line)
        line = TIME.sub("TIME", line)
        line = MACHINE.sub("TIME", line)
        line = re.sub(r"─+", "─", line)
        result.append(re.sub(r"\s+", " ", line).strip())
    return result


def same_line(shown, true, tolerance):
    """Whether the words are the same and the numbers agree. Both lines are without the machine."""
    if shown.endswith(" ...") and shown != "...":
        shown = shown[:-4]
        true = " ".join(true.split()[: len(shown.split())])
    either = f"{NUMBER}|TIME"
    if re.sub(either, "#", shown) != re.sub(either, "#", true):
        return False
    for a, b in zip(re.findall(either, shown), re.findall(either, true)):
        if "TIME" in (a, b):
            continue
        a, b = float(a), float(b)
        # Residuals and differences of what ought to be equal are all rounding.
        if abs(a - b) > tolerance * max(abs(a), abs(b)) and max(abs(a), abs(b)) > 1e-6:
            return False
    return True


def segments_of(lines):
    """The runs of lines between lines of '...'."""
    found = [[]]
    for number, line in enumerate(lines):
        if line.strip() == "...":
            found.append([])
        else:
            found[-1].append(number)
    return found


def place(segments, shown, true, tolerance):
    """Where in the true output each segment begins, or None: the first right at the top, the last at the end, others at the
    first place that fits."""
    at, places = 0, []
    for number, segment in enumerate(segments):
        fits = lambda start: start + len(segment) <= len(true) and all(
            same_line(shown[s], true[start + k], tolerance) for k, s in enumerate(segment))
        last = number == len(segments) - 1
        starts = range(at, len(true) - len(segment) + 1)
        if number == 0:
            starts = [0] if not last or len(segment) == len(true) else []
        elif last and segment:
            starts = [s for s in [len(true) - len(segment)] if s >= at]
        start = next((s for s in starts if fits(s)), None)
        places.append(start)
        at = at if start is None else start + len(segment)
    return places


def compare_output(shown, true, tolerance, folder):
    """None where the output shown is the true one, else the difference as text."""
    plain_shown, plain_true = without_the_machine(shown, folder), without_the_machine(true, folder)
    segments = segments_of(shown)
    places = place(segments, plain_shown, plain_true, tolerance)
    if None not in places:
        return None
    wrong = segments[places.index(None)]
    difference = difflib.unified_diff([shown[n] for n in wrong], true, "shown", "true", lineterm="", n=1)
    return "\n".join(list(difference)[:40])


def updated_output(shown, true, tolerance, folder):
    """The output as it is, cut like the one shown. Lines that are still right stay as they are."""
    if compare_output(shown, true, tolerance, folder) is None:
        return shown
    plain_shown, plain_true = without_the_machine(shown, folder), without_the_machine(true, folder)
    segments, result, at = segments_of(shown), [], 0
    for number, segment in enumerate(segments):
        if number > 0:
            result.append("...")
        if len(segments) == 1:
            start, count = 0, len(true)
        elif number == 0:
            start, count = 0, len(segment)
        elif number == len(segments) - 1:
            start, count = max(at, len(true) - len(segment)), len(segment)
        else:
            likeness = lambda s: sum(difflib.SequenceMatcher(None, plain_shown[n], plain_true[s + k]).ratio()
                                     for k, n in enumerate(segment))
            start = max(range(at, max(at, len(true) - len(segment)) + 1), key=likeness)
            count = len(segment)
        for k in range(min(count, len(true) - start)):
            # The line that says just this, were it for the seconds; else the one in this place, if it is near enough.
            kept = next((n for n in segment if plain_shown[n] == plain_true[start + k]), None)
            if kept is None and k < len(segment) and same_line(plain_shown[segment[k]], plain_true[start + k], tolerance):
                kept = segment[k]
            cut = shown[segment[k]] if k < len(segment) else ""
            if kept is not None:
                result.append(shown[kept])
            elif cut.endswith(" ..."):
                result.append(true[start + k][: len(cut) - 4].rstrip() + " ...")
            else:
                result.append(true[start + k])
        at = start + count
    return result


# Running ------------------------------------------------------------------------------------------------------------


def names_what_is_not_made(arguments):
    """Whether a point or a folder is named that a command would have made that was not run."""
    named = (value for option, value in zip(arguments, arguments[1:])
             if option in ("--at", "--against", "--to", "--weights", "--trajectory", "--tuned"))
    return any(not Path(value).exists() for value in named)


def as_hesse(arguments):
    """What `hesse` is inside a page: the program, its options changed as the block asks, or nothing but their check."""
    job = json.loads(Path(os.environ["HESSE_MANUAL_JOB"]).read_text())
    program, begin, problem = Program(job["program"], job["answers"]), time.monotonic(), ""
    code = 0
    changed = with_overrides(arguments, job["overrides"], program)
    if job["mode"] == "options only":
        try:
            check_options(program, changed, Path.cwd())
            if "dry-run" in program.options(changed[0]) and not names_what_is_not_made(changed):
                # Bad input fails at once; what takes longer is the forecast of time and memory, which nobody reads here.
                try:
                    done = subprocess.run([program.path, *changed, "--dry-run"], capture_output=True, text=True, timeout=2)
                except subprocess.TimeoutExpired:
                    done = subprocess.CompletedProcess([], 0, "", "")
                if done.returncode != 0 and "fetch_data.sh" not in done.stderr:
                    raise Failure(f"--dry-run: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        except Failure as failure:
            problem, code = str(failure), 2
    else:
        code = subprocess.run([program.path, *changed]).returncode
        if code not in job["codes"]:
            problem = f"exit code {code}, expected {' or '.join(map(str, job['codes']))}"
    with open(job["log"], "a") as log:
        entry = {"words": arguments, "seconds": time.monotonic() - begin, "problem": problem}
        log.write(json.dumps(entry) + "\n")
    return code if problem else 0


class PageRun:
    """One page, its folder, and what came of it."""

    def __init__(self, program, path, update):
        self.program, self.path, self.update = program, path, update
        self.text = path.read_text()
        self.counts = collections.Counter()
        self.numbers_agree = update or KERNELS in (program.ask("doctor") or KERNELS)
        self.failures = []
        self.changes = []  # (first line, last line + 1, new lines)

    def fail(self, line, text):
        self.failures.append(f"{self.path}:{line + 1}: {text}")
        print(f"FAILED   {self.failures[-1]}", flush=True)

    def run(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hesse-manual-"))
        try:
            for text in check_spans(self.program, self.text):
                self.fail(-1, text)
            self.prepare()
            for block in blocks_of(self.text):
                if block.language == "figure":
                    self.take_figure(block)
                elif block.language == "setup" or block.has_commands():
                    self.run_block(block)
        except Failure as failure:
            self.fail(-1, str(failure))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.write()

    def prepare(self):
        self.work = self.folder / "work"
        self.work.mkdir()
        for name in ("experiments", "docs"):
            (self.work / name).symlink_to(ROOT / name)
        binaries = self.folder / "bin"
        binaries.mkdir()
        wrapper = binaries / "hesse"
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" --as-hesse "$@"\n')
        wrapper.chmod(0o755)
        self.job, self.log = self.folder / "job.json", self.folder / "log"
        self.environment = dict(os.environ, HESSE_MANUAL_JOB=str(self.job), LC_ALL="C.UTF-8", TERM="dumb",
                                # mpirun as root, as in a container, and with more ranks than processors.
                                OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                OMPI_MCA_rmaps_base_oversubscribe="1",
                                PATH=f"{binaries}:{os.environ['PATH']}")

    def run_block(self, block):
        if block.mode == "not run":
            commands = sum(bool(re.match(r"(\$ )?hesse\s", line.strip())) for line in block.lines)
            self.counts["not run"] += commands
            print(f"not run  {self.path}:{block.line + 1}: {commands} ({block.reason})", flush=True)
            return
        self.job.write_text(json.dumps({"program": self.program.path, "answers": self.program.answers, "mode": block.mode,
                                        "overrides": block.overrides, "codes": block.codes, "log": str(self.log)}))
        if block.language == "console":
            for command, begin, end in block.steps():
                true = self.run_script(block, command, block.line + begin - 1)
                if true is not None and block.mode == "run":
                    self.judge(block, begin, end, true)
        else:
            script = "\n".join(block.lines) if block.language == "setup" else block.script()
            self.run_script(block, script, block.line)

    def run_script(self, block, script, line):
        """Its output in lines, or None where it failed."""
        self.log.write_text("")
        shell = subprocess.Popen(["bash", "-e", "-c", script], cwd=self.work, env=self.environment, text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 start_new_session=True)
        try:
            stdout, stderr = shell.communicate(timeout=SECONDS_A_BLOCK)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)  # the shell and what it started
            shell.communicate()
            self.fail(line, f"took more than {SECONDS_A_BLOCK} seconds: {script.strip()}")
            return None
        told = False
        for entry in map(json.loads, self.log.read_text().splitlines()):
            words = shlex.join(["hesse", *entry["words"]])
            if entry["problem"]:
                told = True
                self.fail(line, f"{words}: {entry['problem']}\n{stderr.strip()[-600:]}".rstrip())
            else:
                kind = "setup" if block.language == "setup" else "options" if block.mode == "options only" else "ran"
                self.counts[kind] += 1
                print(f"{kind:8} {entry['seconds']:6.2f} s  {words}", flush=True)
        if shell.returncode != 0 and not told:
            self.fail(line, f"exit code {shell.returncode}: {script.strip()}\n{stderr.strip()[-600:]}")
        return stdout.rstrip("\n").split("\n") if shell.returncode == 0 and not told else None

    def take_figure(self, block):
        """A figure changes with every version of what draws it, so that it is made but not compared."""
        made, shown = self.work / block.lines[0], self.path.parent / block.lines[1]
        if not made.is_file() and shutil.which("gnuplot"):
            self.fail(block.line, f"the commands have not made '{block.lines[0]}'")
        elif self.update and made.is_file():
            shown.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, shown)

    def judge(self, block, begin, end, true):
        if true == [""]:
            true = []
        shown = block.lines[begin:end]
        blank = len(shown) - len("\n".join(shown).rstrip("\n").split("\n")) if shown else 0
        shown = shown[: len(shown) - blank] if any(shown) else []
        if self.update:
            new = updated_output(shown, true, block.tolerance, self.work)
            if new != shown:
                self.changes.append((block.line + begin, block.line + begin + len(shown), [block.indent + n for n in new]))
                self.counts["updated"] += 1
        else:
            tolerance = block.tolerance if self.numbers_agree else float("inf")
            difference = compare_output(shown, true, tolerance, self.work)
            if difference is not None:
                self.fail(block.line + begin - 1, f"the output shown is not the true one\n{difference}")
            elif shown:
                self.counts["outputs"] += 1

    def write(self):
        lines = self.text.split("\n")
        for begin, end, new in sorted(self.changes, reverse=True):
            lines[begin:end] = new
        if self.changes:
            self.path.write_text("\n".join(lines))


def missing_data(program, pages):
    """The data sets that pages name and that have not been fetched."""
    absent = {entry["name"] for entry in program.data_sets() if entry["state"] != "present"}
    named = {word for page in pages for word in re.findall(r"data=([a-z0-9-]+)", page.read_text())}
    named |= {"nist"} if any("nist" in page.read_text() for page in pages) else set()
    return sorted(absent & named)


def main():
    if sys.argv[1:2] == ["--as-hesse"]:
        return as_hesse(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True, type=Path, help="the program hesse")
    parser.add_argument("--update", action="store_true", help="write the true output into the pages")
    parser.add_argument("pages", nargs="+", type=Path)
    arguments = parser.parse_args()
    answers = tempfile.TemporaryDirectory(prefix="hesse-manual-")
    program = Program(arguments.program.resolve(), answers.name)
    if missing := missing_data(program, arguments.pages):
        print(f"skipped: not fetched: {', '.join(missing)}; scripts/fetch_data.sh {' '.join(missing)} does it")
        return SKIPPED
    begin, counts, failures = time.monotonic(), collections.Counter(), []
    for page in arguments.pages:
        run = PageRun(program, page, arguments.update)
        run.run()
        counts += run.counts
        failures += run.failures
    if KERNELS not in (program.ask("doctor") or KERNELS):
        print(f"BLAS has other kernels than {KERNELS}: of outputs the words alone are compared")
    print(f"{len(arguments.pages)} pages: {counts['ran']} commands run, {counts['outputs']} outputs compared, "
          f"{counts['options']} commands checked for their options only, {counts['not run']} not run, "
          f"{counts['setup']} that the reader does not see; {counts['updated']} outputs updated; {len(failures)} failures; "
          f"{time.monotonic() - begin:.1f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
