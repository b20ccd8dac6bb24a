"""PyTorch's gradients of tables, one turn at a time: reads commands as lines of JSON, answers each with one."""

import json
import sys

import torch

from torch_lookup import read_ids, save, turn


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


def answer(jobs, command):
    kind = command.pop("do")
    if kind == "version":
        return {"version": torch.__version__}
    if kind in ("jobs", "clear"):
        jobs.clear()
        if kind == "jobs":
            jobs.update(jobs_of(**command))
        return {"jobs": list(jobs)}
    if kind == "save":
        return save(jobs[command["job"]], command["path"])
    return turn(jobs[command["job"]], command["threads"], command["milliseconds"])


def main():
    jobs = {}
    for line in sys.stdin:
        try:
            said = answer(jobs, json.loads(line))
        except Exception as error:  # the other side says it
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
