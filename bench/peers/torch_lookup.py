"""PyTorch's lookups, one turn at a time.

The tables are drawn from the seed that it is told, which gives tokenbed's bits. All runs in inference mode, which is
PyTorch's fastest.
"""

import torch
from torch_turns import read_ids, serve


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


serve({"forward": forward_jobs, "bags": bag_jobs}, inference=True)
