"""Steps of PyTorch's optimizers, one turn at a time.

The gradient is what backward of an embedding leaves: sparse=True as it comes, not coalesced, or dense.
"""

import torch
from torch_turns import read_ids, serve

DENSE = {
    "Adam, dense": lambda p: torch.optim.Adam(p, lr=1e-3),
    "AdamW, dense": lambda p: torch.optim.AdamW(p, lr=1e-3),
    "AdamW fused, dense": lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True),
    "SGD, dense": lambda p: torch.optim.SGD(p, lr=1e-3),
}
SPARSE = {
    "SGD, sparse": lambda p: torch.optim.SGD(p, lr=1e-3),
    "Adagrad, sparse": lambda p: torch.optim.Adagrad(p, lr=1e-3),
    "SparseAdam": lambda p: torch.optim.SparseAdam(p, lr=1e-3),
}


def steps(rows, dim, ids, only):
    ids = read_ids(ids)
    grad = torch.randn(len(ids), dim)
    jobs = {}
    for sparse, optimizers in ((True, SPARSE), (False, DENSE)):
        wanted = {name: make for name, make in optimizers.items() if name in only}
        if not wanted:
            continue
        table = torch.nn.Embedding(rows, dim, sparse=sparse)
        table(ids).backward(grad)
        for name, make in wanted.items():
            jobs[name] = make([table.weight]).step
    return jobs


serve({"steps": steps})
