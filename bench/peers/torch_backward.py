"""PyTorch's gradients of tables, one turn at a time."""

import torch
from torch_turns import read_ids, serve


def jobs_of(rows, dim, batch, length, ids, seed):
    torch.manual_seed(seed)
    flat = read_ids(ids).view(batch, length)
    table = torch.randn(rows, dim)
    grad = torch.randn(batch, length, dim)
    jobs = {}
    for name, sparse in [("dense", False), ("sparse", True)]:
        layer = torch.nn.Embedding(rows, dim, _weight=table, sparse=sparse)
        out = layer(flat)

        def run(layer=layer, out=out, sparse=sparse):
            layer.weight.grad = None
            out.backward(grad, retain_graph=True)
            if sparse:
                return layer.weight.grad.coalesce().values()
            return layer.weight.grad

        jobs[name] = run
    return jobs


serve({"jobs": jobs_of})
