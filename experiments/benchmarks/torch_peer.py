"""Times gradient, Hessian product and its second backward pass alone in PyTorch, as a peer of hesse_benchmark_network.

Usage: torch_peer.py [threads]. With libopenblas0-pthread, torch and BLAS have pools of their own that hinder each
other, so torch then gets one thread and BLAS the rest; with libopenblas0-openmp set HESSE_TORCH_OPENMP=1.
"""

import os
import statistics
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
        print(f"{name:<4} {str(dtype)[6:]:<8} {THREADS} threads  {what:<16} {median_ms(body):8.2f} ms", flush=True)


print("torch", torch.__version__)
for precision in (torch.float32, torch.float64):
    measure("MLP", [784, 128, 64, 10], 0, False, precision)
    measure("AE", [784, 1000, 500, 250, 30, 250, 500, 1000, 784], 30, True, precision)
