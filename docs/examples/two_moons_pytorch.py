"""A small network trained in PyTorch, for docs/tutorial_pytorch.md: writes two_moons.csv and two_moons.safetensors into the
folder it is run in, and prints what Hesse is then to find."""
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parent))
from export_pytorch import export

random = np.random.default_rng(0)
t = np.pi * random.random(100)
moons = np.concatenate([np.stack([np.cos(t), np.sin(t)], 1), np.stack([1 - np.cos(t), 0.5 - np.sin(t)], 1)])
points = np.round(moons + 0.15 * random.standard_normal(moons.shape), 4)
labels = np.repeat([0, 1], 100)
np.savetxt("two_moons.csv", np.column_stack([points, labels]), fmt="%.6g", delimiter=",")

torch.manual_seed(0)
x, y = torch.tensor(points), torch.tensor(labels)
net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(300):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
export(net.state_dict(), "two_moons.safetensors")

parameters = list(net.parameters())
loss = torch.nn.functional.cross_entropy(net(x), y)
gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])
rows = [torch.cat([h.reshape(-1) for h in torch.autograd.grad(g, parameters, retain_graph=True)]) for g in gradient]
eigenvalues = torch.linalg.eigvalsh(torch.stack(rows))
print(f"value {loss.item():.8g}, gradient norm {gradient.norm().item():.3g}, "
      f"eigenvalues from {eigenvalues[0].item():.8g} to {eigenvalues[-1].item():.8g}")
