"""Writes network.json: the losses of a small network that PyTorch trains, step by step.

    python make.py                  writes network.json beside this script

Needs torch. The network has bags of tokens, their mean, a linear layer and cross-entropy; it takes 200 steps of plain
gradient descent on one batch. Draws follow `manual_seed(0)`: first the table, then the weight. Bag i has 1 + i mod 5
ids, of which the j-th is (7 i + 13 j) mod 50; its class is (3 i) mod 7.
"""

import json
import pathlib
import platform

import torch
import torch.nn.functional as F

TOKENS, DIM, CLASSES, BAGS, STEPS, RATE = 50, 16, 7, 32, 200, 0.5


def main():
    torch.manual_seed(0)
    bag = torch.nn.EmbeddingBag(TOKENS, DIM, mode="mean")
    weight = (torch.randn(DIM, CLASSES) * 0.1).requires_grad_()
    bias = torch.zeros(CLASSES, requires_grad=True)
    ids, offsets, targets = [], [], []
    for i in range(BAGS):
        offsets.append(len(ids))
        ids += [(7 * i + 13 * j) % TOKENS for j in range(1 + i % 5)]
        targets.append(3 * i % CLASSES)
    ids, offsets, targets = torch.tensor(ids), torch.tensor(offsets), torch.tensor(targets)
    optimizer = torch.optim.SGD([bag.weight, weight, bias], lr=RATE)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(bag(ids, offsets) @ weight + bias, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    sizes = {"tokens": TOKENS, "dim": DIM, "classes": CLASSES, "bags": BAGS, "steps": STEPS, "rate": RATE}
    made_with = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
    path = pathlib.Path(__file__).with_name("network.json")
    path.write_text(json.dumps({"made_with": made_with, **sizes, "losses": losses}) + "\n")


main()
