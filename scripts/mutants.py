"""What scripts/mutants.sh runs: see there."""
import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutants"
TREE = WORK / "tree"
BUILD = TREE / "build" / "mutants"
VERDICTS = WORK / "verdicts.json"
EQUIVALENT = ROOT / "scripts" / "mutants_equivalent.txt"
PROMISE = 0.95

# Where the mathematics is. The module of lib/hesse/MODULE/... is tested by the program MODULE_tests.
FILES = """
linalg/block_lanczos linalg/cg linalg/dogleg linalg/householder_qr linalg/inertia linalg/inverse_root linalg/krylov_model
linalg/lanczos linalg/minres linalg/modified_cholesky linalg/newton_schulz linalg/orthonormalize linalg/schur_complement
linalg/spectral_model linalg/steihaug
nn/activation nn/attention nn/convolution nn/dense nn/embedding nn/kronecker_sums nn/loss nn/normalisation
nn/positionwise_dense
optim/early_stopping optim/schedule optim/first_order/* optim/second_order/* optim/structured/* optim/globalization/*
curvature/critical_point curvature/diagonal_estimation curvature/escape curvature/estimate curvature/higher_order
curvature/log_volume curvature/perturbation curvature/probes curvature/rescaling curvature/sharpness
curvature/smoothed_loss curvature/spectral_density curvature/spectrum curvature/subspace curvature/trace_estimation
curvature/weighted_curvature curvature/worst_case
""".split()

# A pattern, what takes its place, and what that is called. The code is formatted: a binary operator has a space on both
# sides, which tells it from a sign, a pointer and a template's brackets.
RULES = [
    (re.compile(r"(?<=[\w)\]] )\+(?= )"), "-", "+ to -"),
    (re.compile(r"(?<=[\w)\]] )-(?= )"), "+", "- to +"),
    (re.compile(r"(?<=[\w)\]] )\*(?= )"), "/", "* to /"),
    (re.compile(r"(?<=[\w)\]] )/(?= )"), "*", "/ to *"),
    (re.compile(r"(?<= )\+=(?= )"), "-=", "+= to -="),
    (re.compile(r"(?<= )-=(?= )"), "+=", "-= to +="),
    (re.compile(r"(?<= )<(?= )"), "<=", "< to <="),
    (re.compile(r"(?<= )<=(?= )"), "<", "<= to <"),
    (re.compile(r"(?<= )>(?= )"), ">=", "> to >="),
    (re.compile(r"(?<= )>=(?= )"), ">", ">= to >"),
    (re.compile(r"(?:(?<=[(,=?:] )|(?<=[(\[])|(?<=return ))-(?=[\w(])"), "", "minus dropped"),
    (re.compile(r"(?<=std::)min(?=\()"), "max", "min to max"),
    (re.compile(r"(?<=std::)max(?=\()"), "min", "max to min"),
    (re.compile(r"(?<=\.)cwiseMin(?=\()"), "cwiseMax", "min to max"),
    (re.compile(r"(?<=\.)cwiseMax(?=\()"), "cwiseMin", "max to min"),
    (re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?(?![\w.])"), lambda m: f"(2 * {m[0]})", "constant doubled"),
    (re.compile(r"(?<![\w.])\d+(?![\w.])"), lambda m: str(int(m[0]) + 1), "constant + 1"),
]
# No mathematics: texts of errors, a loop's bounds (whose faults are the sanitizers'), declarations of templates and constants
# of a size.
SKIPPED = re.compile(r"^\s*(//|#|template|using|static_assert|case )|\bfail\(|\bfmt::|\bfor \(|\"|reserve\(|static_cast<std::size_t>")


def stop(reason):
    sys.exit(f"FAILED: mutants: {reason}")


def sources(only):
    found = []
    for pattern in FILES:
        paths = sorted((ROOT / "lib" / "hesse").glob(pattern + ".cc"))
        if not paths:
            stop(f"there is no lib/hesse/{pattern}.cc, which scripts/mutants.py names")
        found += [p.relative_to(ROOT) for p in paths if only in str(p.relative_to(ROOT))]
    return found


def mutants_of(path):
    """Every mutant of a file, in its order."""
    for number, line in enumerate((ROOT / path).read_text().splitlines()):
        code = line.split("//")[0]
        if SKIPPED.search(line) or not code.strip():
            continue
        for pattern, replacement, name in RULES:
            for match in pattern.finditer(code):
                new = replacement(match) if callable(replacement) else replacement
                yield {"file": str(path), "line": number + 1, "column": match.start() + 1, "mutation": name,
                       "was": line.strip(), "becomes": (line[: match.start()] + new + line[match.end():]).strip(),
                       "text": line[: match.start()] + new + line[match.end():]}


def sample(paths, count, seed):
    """One of each file in turn, so that a long one does not hide the others; the same for the same sources and seed."""
    stream = random.Random(seed)
    queues = []
    for path in paths:
        mutants = list(mutants_of(path))
        stream.shuffle(mutants)
        if mutants:
            queues.append(mutants)
    stream.shuffle(queues)
    chosen = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return chosen


def key_of(m):
    return " | ".join([m["file"], m["was"], m["becomes"]])


def digest(paths):
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def tests_digest(module):
    return digest(p for p in (ROOT / "tests" / module).rglob("*") if p.is_file())


def run(command, seconds, log):
    """Exit status, or None where it took longer and was ended with all that it started."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   cwd=ROOT, start_new_session=True)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def copy_tree():
    """The tree's files into the copy, those alone that differ, so that little is built again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, check=True).stdout.split(b"\0")
    wanted = {name.decode() for name in listed if name and (ROOT / name.decode()).is_file()}
    for name in sorted(wanted):
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            shutil.copymode(source, copy)
    for folder in ("lib", "tests"):
        for copy in (TREE / folder).rglob("*"):
            if copy.is_file() and str(copy.relative_to(TREE)) not in wanted:
                copy.unlink()


def build(module, log, seconds=3600):
    return run(["ninja", "-C", str(BUILD), "-j", str(os.cpu_count()), f"{module}_tests"], seconds, log)


def prepare(modules):
    """Builds the tests of every module as they are, and times them."""
    copy_tree()
    # The objects of the tree's own build, where there is one: the compiler's cache tells paths by their place in the tree.
    os.environ.setdefault("CCACHE_BASEDIR", str(ROOT))
    os.environ.setdefault("CCACHE_NOHASHDIR", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if run(["cmake", "-S", str(TREE), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
            "-DHESSE_BUILD_PYTHON=OFF", "-DHESSE_BUILD_BENCHMARKS=OFF", "-DHESSE_BUILD_APPS=ON"], 600,
           WORK / "configure.log") != 0:
        stop("the copy cannot be configured; see build/mutants/configure.log")
    limits = {}
    for module in modules:
        print(f"==> {module}: building and timing its tests as they are", flush=True)
        if build(module, WORK / "build.log", 4 * 3600) != 0:
            stop(f"the tests of {module} cannot be built; see build/mutants/build.log")
        start = time.monotonic()
        if run([str(test_program(module))], 3600, WORK / "tests.log") != 0:
            stop(f"the tests of {module} fail without a mutant; see build/mutants/tests.log")
        limits[module] = 30 + 4 * (time.monotonic() - start)
    return limits


def test_program(module):
    return BUILD / "tests" / f"{module}_tests"


def try_mutant(m, module, limit):
    copy = TREE / m["file"]
    original = copy.read_text()
    lines = original.splitlines(keepends=True)
    lines[m["line"] - 1] = m["text"] + "\n"
    copy.write_text("".join(lines))
    try:
        status = build(module, WORK / "build.log")
        if status is None:
            stop("a build took more than an hour; see build/mutants/build.log")
        if status != 0:
            return "not compiled"
        status = run([str(test_program(module)), "--abort"], limit, WORK / "tests.log")
        return "survived" if status == 0 else "killed"
    finally:
        copy.write_text(original)


def equivalents():
    """{key: reason} of scripts/mutants_equivalent.txt: file | line | what it becomes | why nothing can be seen."""
    known = {}
    if EQUIVALENT.exists():
        for line in EQUIVALENT.read_text().splitlines():
            if line and not line.startswith("#"):
                key, _, reason = line.rpartition(" | ")
                known[key] = reason
    return known


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutants.sh", allow_abbrev=False)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true", help="show the sample and plant nothing")
    options = parser.parse_args()
    paths = sources(options.only)
    if options.count < 1 or not paths:
        stop("there is nothing to do: --count is below 1 or --only names no file")
    chosen = sample(paths, options.count, options.seed)
    if options.list:
        for m in chosen:
            print(f"{m['file']}:{m['line']}: {m['mutation']}: {m['becomes']}")
        return
    WORK.mkdir(parents=True, exist_ok=True)
    verdicts = json.loads(VERDICTS.read_text()) if VERDICTS.exists() else {}
    known = equivalents()
    module_of = lambda m: m["file"].split("/")[2]
    source_digests = {str(path): digest([ROOT / path]) for path in paths}
    test_digests = {module: tests_digest(module) for module in {module_of(m) for m in chosen}}

    def verdict_of(m):
        kept = verdicts.get(key_of(m))
        if kept is None or kept["source"] != source_digests[m["file"]]:
            return None
        if kept["verdict"] == "survived" and kept["tests"] != test_digests[module_of(m)]:
            return None
        return kept["verdict"]

    waiting = [m for m in chosen if verdict_of(m) is None and key_of(m) not in known]
    print(f"==> mutants: {len(chosen)} of {len(paths)} files, {len(waiting)} of them not tried yet", flush=True)
    if waiting:
        limits = prepare(sorted({module_of(m) for m in waiting}))
        for number, m in enumerate(waiting, 1):
            module = module_of(m)
            start = time.monotonic()
            verdict = try_mutant(m, module, limits[module])
            verdicts[key_of(m)] = {"verdict": verdict, "source": source_digests[m["file"]], "tests": test_digests[module]}
            temporary = VERDICTS.with_suffix(".new")
            temporary.write_text(json.dumps(verdicts, indent=1))
            temporary.replace(VERDICTS)
            print(f"{number}/{len(waiting)} {verdict:12} {m['file']}:{m['line']}: {m['mutation']}: {m['becomes']} "
                  f"({time.monotonic() - start:.0f} s)", flush=True)

    counts = {"killed": 0, "survived": 0, "not compiled": 0, "equivalent": 0}
    survivors = []
    for m in chosen:
        verdict = "equivalent" if key_of(m) in known else verdict_of(m)
        counts[verdict] += 1
        if verdict == "survived":
            survivors.append(m)
    for m in survivors:
        print(f"survived  {m['file']}:{m['line']}: {m['mutation']}\n  was      {m['was']}\n  becomes  {m['becomes']}")
    tried = counts["killed"] + counts["survived"]
    share = counts["killed"] / tried if tried else 1.0
    print(", ".join(f"{n} {name}" for name, n in counts.items()))
    print(f"killed: {100 * share:.1f} % of {tried}; promised: {100 * PROMISE:.0f} %")
    if not share >= PROMISE:
        stop(f"{counts['survived']} of {tried} mutants passed the tests; each is named above")


main()
