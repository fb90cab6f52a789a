"""Networks from PyTorch, analysed by hesse and by double backward in float64: torch_weights_test.py HESSE EXPORT_SCRIPT.

Value, norm of the gradient and the five largest eigenvalues of the Hessian agree to 1e-8 of their size: both sides sum
some thousand products in double, and an eigenvalue moves by no more than the Hessian does. Exit code 77 without PyTorch.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError:
    sys.exit(77)

HESSE, EXPORT = sys.argv[1:3]
spec = importlib.util.spec_from_file_location("export_pytorch", EXPORT)
export_pytorch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(export_pytorch)
torch.set_num_threads(1)
torch.manual_seed(1)

SAMPLES, SIDE, CLASSES = 60, 6, 3
images = torch.rand(SAMPLES, SIDE * SIDE, dtype=torch.float64)
labels = torch.arange(SAMPLES) % CLASSES
targets = torch.sin(images.sum(1, keepdim=True))


def write_csv(path, y):
    with open(path, "w") as file:
        for row, target in zip(images.tolist(), y):
            file.write(",".join(map(repr, row)) + f",{target!r}\n")


def double_backward(net, loss):
    parameters = list(net.parameters())
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss(), parameters, create_graph=True)])
    rows = [torch.cat([h.reshape(-1) for h in torch.autograd.grad(g, parameters, retain_graph=True)]) for g in gradient]
    hessian = torch.stack(rows).detach().numpy()
    eigenvalues = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    return loss().item(), gradient.norm().item(), eigenvalues[::-1][:5]


def by_hesse(problem, weights):
    command = [HESSE, "spectrum", "--problem", problem, "--weights", weights, "--tolerance", "1e-11", "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {run.returncode}: {run.stderr}")
    report = json.loads(run.stdout)
    return report["value"], report["gradient_norm"], np.array([e["value"] for e in report["largest"]])


failed = False


def compare(name, net, objective, problem, weights):
    global failed
    theirs = double_backward(net, objective)
    ours = by_hesse(problem, weights)
    worst = max(np.max(np.abs(np.subtract(a, b)) / np.abs(b)) for a, b in zip(ours, theirs))
    failed = failed or not (len(ours[2]) == 5 and worst <= 1e-8)
    print(f"{name}: n = {sum(p.numel() for p in net.parameters())}, value {ours[0]:.6g}, largest eigenvalue "
          f"{ours[2][0]:.6g}, worst relative difference {worst:.1e}")


def train(net, objective):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        objective().backward()
        optimizer.step()


with tempfile.TemporaryDirectory() as folder:
    classes, reals = os.path.join(folder, "classes.csv"), os.path.join(folder, "reals.csv")
    write_csv(classes, labels.tolist())
    write_csv(reals, targets[:, 0].tolist())
    as_given = "standardise=false:test_fraction=0"
    on_classes = f"data=file:path={classes}:{as_given}"
    file = os.path.join(folder, "model.safetensors")

    mlp = torch.nn.Sequential(torch.nn.Linear(SIDE * SIDE, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4), torch.nn.Tanh(),
                              torch.nn.Linear(4, CLASSES)).double()
    entropy = lambda: torch.nn.functional.cross_entropy(mlp(images), labels)
    train(mlp, entropy)
    problem = f"mlp:{on_classes},hidden=4-4,activation=tanh"
    export_pytorch.export(mlp.state_dict(), file)
    compare("tanh perceptron, F64", mlp, entropy, problem, file)

    arrays = os.path.join(folder, "arrays")
    os.mkdir(arrays)
    for name, tensor in mlp.state_dict().items():
        np.save(os.path.join(arrays, name + ".npy"), tensor.numpy())
    compare("the same as NPY files", mlp, entropy, problem, arrays)

    narrow = {name: tensor.float() for name, tensor in mlp.state_dict().items()}
    torch.save(narrow, os.path.join(folder, "state.pt"))
    subprocess.run([sys.executable, EXPORT, os.path.join(folder, "state.pt"), file], check=True)
    mlp.load_state_dict({name: tensor.double() for name, tensor in narrow.items()})
    compare("the same in F32, by the script's command line", mlp, entropy, problem, file)

    regression = torch.nn.Sequential(torch.nn.Linear(SIDE * SIDE, 5), torch.nn.GELU(), torch.nn.Linear(5, 1)).double()
    squares = lambda: 0.5 * torch.nn.functional.mse_loss(regression(images), targets)
    train(regression, squares)
    export_pytorch.export(regression.state_dict(), file)
    compare("gelu regression", regression, squares,
            f"mlp:data=file:path={reals}:{as_given}:label_kind=real,hidden=5,activation=gelu", file)

    class Convnet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.Tanh(),
                                                torch.nn.MaxPool2d(2))
            self.classifier = torch.nn.Sequential(torch.nn.Linear(2 * (SIDE // 2) ** 2, 4), torch.nn.Tanh(),
                                                  torch.nn.Linear(4, CLASSES))

        def forward(self, x):
            return self.classifier(self.features(x.reshape(-1, 1, SIDE, SIDE)).flatten(1))

    convnet = Convnet().double()
    entropy = lambda: torch.nn.functional.cross_entropy(convnet(images), labels)
    train(convnet, entropy)
    export_pytorch.export(convnet.state_dict(), file)
    compare("convolutions", convnet, entropy, f"convnet:{on_classes},channels=2,kernel=3,hidden=4,activation=tanh", file)

    normalised = torch.nn.Sequential(torch.nn.Linear(SIDE * SIDE, 3), torch.nn.BatchNorm1d(3), torch.nn.Tanh(),
                                     torch.nn.Linear(3, CLASSES)).double()
    entropy = lambda: torch.nn.functional.cross_entropy(normalised(images), labels)
    train(normalised, entropy)
    export_pytorch.export(dict(normalised.named_parameters()), file)
    compare("batch normalisation in training", normalised, entropy,
            f"mlp:{on_classes},hidden=3,activation=tanh,batch_norm=true", file)

sys.exit(1 if failed else 0)
