"""Times gradient, Hessian product and its second backward pass alone in PyTorch, as a peer of hesse_benchmark_network.

Usage: torch_peer.py [threads [benchmark]]. With the path of hesse_benchmark_network the two take turns for three
rounds, and what torch took is printed as a multiple of what it took, the best round of each: on a machine that others
share, a slow minute then spoils neither side. With libopenblas0-pthread, torch and BLAS have pools of their own that
hinder each other, so torch gets one thread and BLAS the rest; with libopenblas0-openmp set HESSE_TORCH_OPENMP=1.
"""

import os
import re
import statistics
import subprocess
import sys
import time

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
SHARED_POOL = os.environ.get("HESSE_TORCH_OPENMP") == "1"
# Read when the libraries are loaded: before the import of torch.
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)
os.environ["OMP_NUM_THREADS"] = str(THREADS if SHARED_POOL else 1)

try:
    import torch
except ImportError:
    sys.exit("torch_peer.py: PyTorch is not installed; install python3-torch to compare with it.")

torch.set_num_threads(THREADS if SHARED_POOL else 1)
SAMPLES = 1000


def network(sizes, linear):
    layers = []
    for i, (rows, columns) in enumerate(zip(sizes[1:], sizes)):
        layers.append(torch.nn.Linear(columns, rows))
        if i + 2 < len(sizes) and rows != linear:
            layers.append(torch.nn.Tanh())
    return torch.nn.Sequential(*layers)


times_ms = {}


def report(name, dtype, what, ms):
    precision = {"float32": "float", "float64": "double"}[str(dtype)[6:]]
    times_ms[name, precision, what] = min(ms, times_ms.get((name, precision, what), ms))
    print(f"torch {name:<4} {precision:<6} {THREADS} threads  {what:<16} {ms:8.2f} ms", flush=True)


def median_ms(body):
    body()
    times = []
    while (sum(times) < 0.5 and len(times) < 200) or len(times) < 5:
        start = time.perf_counter()
        body()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(name, sizes, linear, autoencoder, dtype):
    torch.manual_seed(1)
    net = network(sizes, linear).to(dtype)
    x = torch.rand(SAMPLES, sizes[0], dtype=dtype)
    labels = torch.randint(10, (SAMPLES,))
    parameters = list(net.parameters())
    v = [torch.randn_like(p) for p in parameters]

    def loss():
        z = net(x)
        if autoencoder:
            return torch.nn.functional.binary_cross_entropy_with_logits(z, x, reduction="sum") / SAMPLES
        return torch.nn.functional.cross_entropy(z, labels)

    def gradient():
        return torch.autograd.grad(loss(), parameters)

    def product():
        g = torch.autograd.grad(loss(), parameters, create_graph=True)
        return torch.autograd.grad(g, parameters, v)

    kept = torch.autograd.grad(loss(), parameters, create_graph=True)
    rows = {
        "gradient": gradient,
        "HVP": product,
        "HVP, graph kept": lambda: torch.autograd.grad(kept, parameters, v, retain_graph=True),
    }
    for what, body in rows.items():
        report(name, dtype, what, median_ms(body))


def epoch(name, make):
    """Seconds of an epoch of 60000 samples at batch 128, the best of three."""
    net = network([784, 128, 64, 10], 0)
    optimizer = make(net.parameters())
    x, y = torch.rand(60000, 784), torch.randint(10, (60000,))
    best = float("inf")
    for _ in range(3):
        order = torch.randperm(60000)
        start = time.perf_counter()
        for first in range(0, 60000, 128):
            batch = order[first : first + 128]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
        best = min(best, time.perf_counter() - start)
    report("MLP", torch.float32, f"{name} epoch", 1e3 * best)


def measure_torch():
    for precision in (torch.float32, torch.float64):
        measure("MLP", [784, 128, 64, 10], 0, False, precision)
        measure("AE", [784, 1000, 500, 250, 30, 250, 500, 1000, 784], 30, True, precision)
    epoch("momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))
    epoch("adam", lambda p: torch.optim.Adam(p, lr=1e-3))


def measure_hesse(benchmark, ours):
    lines = subprocess.run([benchmark, str(THREADS)], capture_output=True, text=True, check=True).stdout
    for line in lines.splitlines():
        found = re.match(r"(\S+)\s+(float|double)\s+\d+ threads?\s+(.+?)\s+([\d.]+) ms", line)
        if found:
            key = found[1], found[2], found[3]
            ours[key] = min(float(found[4]), ours.get(key, float(found[4])))


print("torch", torch.__version__)
if len(sys.argv) <= 2:
    measure_torch()
else:
    peers = {"gradient": "gradient", "HVP, graph kept": "HVP", "momentum epoch": "momentum epoch", "adam epoch": "adam epoch"}
    ours = {}
    for _ in range(3):
        measure_torch()
        measure_hesse(sys.argv[2], ours)
    for (name, precision, what), ms in times_ms.items():
        mine = ours.get((name, precision, peers.get(what)))
        if mine:
            print(f"{name:<4} {precision:<6} {what:<16} torch / hesse = {ms:.2f} / {mine:.2f} ms = {ms / mine:.2f}")
