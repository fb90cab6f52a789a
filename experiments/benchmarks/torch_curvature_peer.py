"""Curvature of one network by hesse and by the usual estimators on PyTorch, for the same weights and images.

Usage: torch_curvature_peer.py HESSE EXPORT_SCRIPT [threads [samples [steps]]]

The network is 784-128-64-10 with tanh on 1000 images of Fashion-MNIST (or as many as are said) after 10 full-batch steps
of Adam (likewise). PyTorch has products by double backward through a graph that is kept, and power iteration,
Hutchinson's estimator and Lanczos with full reorthogonalisation on them, as in PyHessian (Yao, Gholami, Keutzer and
Mahoney 2020), but over one flat vector, which is faster than its lists of tensors. PyTorch is told the true value and
stops as soon as it is near enough, or after 300 products; hesse has the loosest of its tolerances on the residual, 0.3,
0.1, ... 1e-4, that gives the error. Of the trace both have as many probes as PyTorch wants. Where PyHessian itself is on
PYTHONPATH it is timed too: its largest eigenvalue with the loosest of its tolerances 1e-3, 1e-4, ... 1e-9 that gives the
error, and the making of its graph left out. Both searches begin at random: the seconds are medians over five starts. Ratios are the others' seconds over hesse's. As in
torch_peer.py, with libopenblas0-pthread torch has one thread and BLAS the others, since their pools hinder each other.
"""

import gzip
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HESSE, EXPORT = sys.argv[1:3]
THREADS = int(sys.argv[3]) if len(sys.argv) > 3 else len(os.sched_getaffinity(0))
SAMPLES = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
STEPS = int(sys.argv[5]) if len(sys.argv) > 5 else 10
STARTS = range(1, 6)
SHARED_POOL = os.environ.get("HESSE_TORCH_OPENMP") == "1"
os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)
os.environ["OMP_NUM_THREADS"] = str(THREADS if SHARED_POOL else 1)

import numpy as np

try:
    import torch
except ImportError:
    sys.exit("torch_curvature_peer.py: PyTorch is not installed; install python3-torch to compare with it.")

spec = importlib.util.spec_from_file_location("export_pytorch", EXPORT)
export_pytorch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(export_pytorch)
HAS_PYHESSIAN = importlib.util.find_spec("pyhessian") is not None
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hesse/data/fashion-mnist"


def images():
    with gzip.open(CACHE / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(16 + SAMPLES * 784), np.uint8, offset=16).reshape(SAMPLES, 784) / 255.0
    with gzip.open(CACHE / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(8 + SAMPLES), np.uint8, offset=8).astype(int)
    return x, y


class Peer:
    """Products with the Hessian by double backward."""

    def __init__(self, net, x, y):
        self.parameters = list(net.parameters())
        self.n = sum(p.numel() for p in self.parameters)
        loss = torch.nn.functional.cross_entropy(net(x), y)
        self.gradient = torch.autograd.grad(loss, self.parameters, create_graph=True)
        self.dtype = x.dtype

    def product(self, v):
        parts, at = [], 0
        for p in self.parameters:
            parts.append(v[at : at + p.numel()].view_as(p))
            at += p.numel()
        h = torch.autograd.grad(self.gradient, self.parameters, grad_outputs=parts, retain_graph=True)
        return torch.cat([t.reshape(-1) for t in h])

    def top(self, true, error):
        """Power iteration until the Rayleigh quotient is within the error of the true value."""
        v = torch.randn(self.n, dtype=self.dtype)
        v /= v.norm()
        for products in range(1, 301):
            w = self.product(v)
            value = torch.dot(v, w).item()
            v = w / w.norm()
            if abs(value - true) <= error * true:
                return products
        return 300

    def trace(self, true, error):
        """Hutchinson's estimate until its 95 % interval is within the error."""
        figures = []
        while len(figures) < 20 or 1.96 * statistics.stdev(figures) / len(figures) ** 0.5 > error * true:
            z = torch.randint(0, 2, (self.n,)).to(self.dtype) * 2 - 1
            figures.append(torch.dot(z, self.product(z)).item())
            if len(figures) == 5000:
                break
        return len(figures)

    def density(self, probes, steps):
        for _ in range(probes):
            basis = torch.empty(steps, self.n, dtype=self.dtype)
            v = torch.randint(0, 2, (self.n,)).to(self.dtype) * 2 - 1
            basis[0] = v / v.norm()
            T = np.zeros((steps, steps))
            for k in range(steps):
                w = self.product(basis[k])
                T[k, k] = torch.dot(w, basis[k]).item()
                for _ in range(2):
                    w = w - basis[: k + 1].T @ (basis[: k + 1] @ w)
                if k + 1 < steps:
                    T[k, k + 1] = T[k + 1, k] = w.norm().item()
                    basis[k + 1] = w / w.norm()
            np.linalg.eigh(T)
        return probes * steps


class OwnPeer:
    """PyHessian's own estimates, with PyHessian's own rules of stopping."""

    def __init__(self, net, x, y):
        from pyhessian import hessian

        # Its random vectors have the default type.
        torch.set_default_dtype(x.dtype)
        net.zero_grad()
        self.hessian = hessian(net, torch.nn.functional.cross_entropy, data=(x, y), cuda=False)

    def top(self, true, error, start):
        """Seconds and error of the loosest tolerance that gives the error, or of the last."""
        for exponent in range(3, 10):
            torch.manual_seed(start)
            seconds, (values, _) = timed(lambda: self.hessian.eigenvalues(maxIter=300, tol=10.0**-exponent))
            if abs(values[0] / true - 1) <= error:
                break
        return seconds, abs(values[0] / true - 1), f"1e-{exponent}"


def timed(body):
    start = time.perf_counter()
    result = body()
    return time.perf_counter() - start, result


x, y = images()
torch.manual_seed(1)
net = torch.nn.Sequential(
    torch.nn.Linear(784, 128), torch.nn.Tanh(), torch.nn.Linear(128, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10)
).double()
inputs, labels = torch.tensor(x), torch.tensor(y)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for _ in range(STEPS):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(inputs), labels).backward()
    optimizer.step()

with tempfile.TemporaryDirectory() as folder:
    export_pytorch.export(net.state_dict(), f"{folder}/model.safetensors")

    def hesse(precision, *options):
        command = [HESSE, "spectrum", "--problem", f"mlp:data=fashion-mnist:samples={SAMPLES},hidden=128-64,activation=tanh"]
        command += ["--weights", f"{folder}/model.safetensors", "--precision", precision, "--json", "--bottom", "0"]
        command += ["--threads", str(THREADS), *options]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    exact = hesse("double", "--top", "1", "--tolerance", "1e-10", "--trace", "--products", "6000", "--error", "1e-3")
    true_top = exact["largest"][0]["value"]
    true_trace = exact["trace"]["value"]
    trace_error = (exact["trace"]["upper"] - exact["trace"]["lower"]) / 2 / true_trace
    print(f"largest eigenvalue {true_top:.9g}, trace {true_trace:.5g} up to {trace_error:.1g}; {THREADS} threads", flush=True)

    def own_top(precision, error, start):
        """Seconds and error of the loosest tolerance on the residual that gives the error, or of the last."""
        for tolerance in ("0.3", "0.1", "0.03", "0.01", "3e-3", "1e-3", "3e-4", "1e-4"):
            options = ("--top", "1", "--single-search", "--tolerance", tolerance, "--seed", str(start))
            own = hesse(precision, *options)
            off = abs(own["largest"][0]["value"] / true_top - 1)
            if off <= error:
                break
        return own["seconds"], off, tolerance

    for precision, dtype in (("float", torch.float32), ("double", torch.float64)):
        torch.set_num_threads(THREADS if SHARED_POOL else 1)
        peer = Peer(net.to(dtype), inputs.to(dtype), labels)
        peer.product(torch.randn(peer.n, dtype=dtype))
        pyhessian = OwnPeer(net, inputs.to(dtype), labels) if HAS_PYHESSIAN else None
        for error in (1e-3, 1e-6):
            seconds, products = timed(lambda: peer.top(true_top, error))
            own = [own_top(precision, error, start) for start in STARTS]
            own_seconds = statistics.median(run[0] for run in own)
            missed = " (not reached)" if products == 300 else ""
            print(
                f"{precision:<6} top to {error:g}: PyTorch {products} products{missed}, {seconds:.3f} s; hesse "
                f"{' '.join(tol for _, _, tol in own)}, {own_seconds:.3f} s ({min(own)[0]:.3f} to {max(own)[0]:.3f}), off by "
                f"up to {max(off for _, off, _ in own):.1e}; ratio {seconds / own_seconds:.2f}",
                flush=True,
            )
            if pyhessian is not None:
                runs = [pyhessian.top(true_top, error, start) for start in STARTS]
                seconds = statistics.median(run[0] for run in runs)
                print(
                    f"{precision:<6} top to {error:g}: PyHessian {' '.join(tol for _, _, tol in runs)}, {seconds:.3f} s "
                    f"({min(runs)[0]:.3f} to {max(runs)[0]:.3f}), off by up to {max(off for _, off, _ in runs):.1e}; "
                    f"ratio {seconds / own_seconds:.2f}",
                    flush=True,
                )
        seconds, products = timed(lambda: peer.trace(true_trace, 0.02))
        # The same estimator with as many probes has the same error.
        probes = ("--trace-method", "hutchinson", "--products", str(products), "--error", "1e-9")
        own = hesse(precision, "--top", "0", "--trace", *probes)
        half = (own["trace"]["upper"] - own["trace"]["lower"]) / 2 / true_trace
        print(
            f"{precision:<6} trace to 2 %: PyTorch {products} products, {seconds:.3f} s; hesse {own['trace']['products']} "
            f"products to {100 * half:.2g} %, {own['trace_seconds']:.3f} s; "
            f"ratio {seconds / own['trace_seconds']:.2f}",
            flush=True,
        )
        if pyhessian is not None:
            # Never content, it takes as many probes.
            seconds, _ = timed(lambda: pyhessian.hessian.trace(maxIter=products, tol=0.0))
            print(
                f"{precision:<6} trace, as many probes: PyHessian {seconds:.3f} s; "
                f"ratio {seconds / own['trace_seconds']:.2f}",
                flush=True,
            )
        seconds, products = timed(lambda: peer.density(2, 100))
        own = hesse(precision, "--top", "0", "--density", "--probes", "2", "--steps", "100")
        print(
            f"{precision:<6} density, 2 probes of 100 steps: PyTorch {seconds:.3f} s; hesse {own['density_seconds']:.3f} s; "
            f"ratio {seconds / own['density_seconds']:.2f}",
            flush=True,
        )
        if pyhessian is not None:
            seconds, _ = timed(lambda: pyhessian.hessian.density(iter=100, n_v=2))
            print(
                f"{precision:<6} density, 2 probes of 100 steps: PyHessian {seconds:.3f} s; "
                f"ratio {seconds / own['density_seconds']:.2f}",
                flush=True,
            )
