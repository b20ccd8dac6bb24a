"""PyTorch's lookups, one turn at a time: reads commands as lines of JSON, answers each with one.

The tables are drawn from the seed that it is told, which gives tokenbed's bits. All runs in inference mode, which is
PyTorch's fastest.
"""

import array
import ctypes
import json
import resource
import sys
import time

import torch

torch.set_num_interop_threads(1)


def read_ids(path):
    ids = array.array("i")
    with open(path, "rb") as file:
        ids.frombytes(file.read())
    return torch.tensor(ids, dtype=torch.int64)


def forward_jobs(rows, dim, batch, length, ids, seed):
    torch.manual_seed(seed)
    token = torch.nn.Embedding(rows, dim)
    position = torch.nn.Embedding(length, dim)
    norm = torch.nn.LayerNorm(dim, eps=1e-5)
    flat = read_ids(ids)
    grid = flat.view(batch, length)
    at = torch.arange(length)
    out = torch.ones(batch * length, dim)
    shaped = out.view(batch, length, dim)

    def both():
        torch.index_select(token.weight, 0, flat, out=out)
        return torch.add(shaped, position.weight, out=shaped)

    return {
        "gather": lambda: token(grid),
        "gather, reused": lambda: torch.index_select(token.weight, 0, flat, out=out),
        "fused": lambda: token(grid) + position(at),
        "fused, reused": both,
        "norm": lambda: norm(token(grid) + position(at)),
    }


def bag_jobs(rows, dim, batch, length, ids, seed):
    torch.manual_seed(seed)
    table = torch.nn.Embedding(rows, dim).weight.detach()
    flat = read_ids(ids)
    grid = flat.view(batch, length)
    offsets = torch.arange(0, batch * length, length)
    jobs = {}
    for mode in ("sum", "mean"):
        bag = torch.nn.EmbeddingBag.from_pretrained(table, mode=mode)
        jobs[f"{mode} float32"] = lambda bag=bag: bag(grid)
    half = torch.nn.EmbeddingBag.from_pretrained(table.half(), mode="sum")
    jobs["sum float16"] = lambda: half(grid)
    quantized = torch.ops.quantized
    bytes8 = quantized.embedding_bag_byte_prepack(table)
    bytes4 = quantized.embedding_bag_4bit_prepack(table)
    jobs["sum int8"] = lambda: quantized.embedding_bag_byte_rowwise_offsets(bytes8, flat, offsets, mode=0)
    jobs["sum int4"] = lambda: quantized.embedding_bag_4bit_rowwise_offsets(bytes4, flat, offsets, mode=0)
    return jobs


def turn(job, threads, milliseconds):
    torch.set_num_threads(threads)
    start = time.perf_counter()
    job()
    once = time.perf_counter() - start
    repeats = max(1, min(100000, round(milliseconds / 1e3 / max(once, 1e-7))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    for _ in range(repeats):
        job()
    took = time.perf_counter() - start
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {"us": took * 1e6 / repeats, "faults": faults / repeats}


def save(job, path):
    # A tensor's own bytes: numpy need not be there.
    result = job().detach().float().contiguous()
    memory = (ctypes.c_char * (result.numel() * 4)).from_address(result.data_ptr())
    with open(path, "wb") as file:
        file.write(memory)
    return {}


def answer(jobs, command):
    kind = command.pop("do")
    if kind == "version":
        return {"version": torch.__version__, "mkl": torch.backends.mkl.is_available()}
    if kind in ("forward", "bags", "clear"):
        jobs.clear()
        if kind == "clear":
            return {}
        jobs.update((forward_jobs if kind == "forward" else bag_jobs)(**command))
        return {"jobs": list(jobs)}
    if kind == "save":
        return save(jobs[command["job"]], command["path"])
    return turn(jobs[command["job"]], command["threads"], command["milliseconds"])


def main():
    jobs = {}
    with torch.inference_mode():
        for line in sys.stdin:
            try:
                said = answer(jobs, json.loads(line))
            except Exception as error:  # the other side says it
                said = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
