"""PyTorch's positional schemes, one turn at a time.

They are written as models write them, without Transformers: plain PyTorch, in inference mode, which is its fastest.
"""

import torch
from torch_turns import serve


def rotary(batch, length, heads, dim):
    frequencies = 1.0 / (10000.0 ** (torch.arange(0, dim, 2).float() / dim))
    angles = torch.outer(torch.arange(length).float(), frequencies)
    both = torch.cat((angles, angles), dim=-1)
    cos, sin = both.cos()[None, :, None, :], both.sin()[None, :, None, :]
    q = torch.randn(batch, length, heads, dim)
    half = q.bfloat16()

    def rotate_half(x):
        a, b = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return torch.cat((-b, a), dim=-1)

    def neighbours(x):
        return torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)

    pairs = torch.repeat_interleave(angles, 2, dim=-1)
    c2, s2 = pairs.cos()[None, :, None, :], pairs.sin()[None, :, None, :]
    c16, s16 = cos.bfloat16(), sin.bfloat16()
    return {"rotary, half": lambda: q * cos + rotate_half(q) * sin, "rotary, interleaved": lambda: q * c2 + neighbours(q) * s2,
            "rotary, half, bfloat16": lambda: half * c16 + rotate_half(half) * s16}


def biases(heads, length):
    slopes = torch.tensor([2.0 ** (-8.0 * (h + 1) / heads) for h in range(heads)])
    table = torch.nn.Embedding(32, heads)
    at = torch.arange(length)

    def alibi():
        return slopes[:, None, None] * (at[None, :] - at[:, None])[None]

    def buckets(distance):
        upper = (distance > 0).long() * 16
        n = distance.abs()
        large = 8 + (torch.log(n.float() / 8) / torch.log(torch.tensor(16.0)) * 8).long()
        return upper + torch.where(n < 8, n, large.clamp(max=15))

    def t5():
        return table(buckets(at[None, :] - at[:, None])).permute(2, 0, 1).contiguous()

    return {"ALiBi": alibi, "T5": t5}


def scores(batch, heads, length, dim):
    q, k = torch.randn(batch, heads, length, dim), torch.randn(batch, heads, length, dim)
    table = torch.nn.Embedding(2 * length - 1, dim)
    at = torch.arange(length)
    u, v, weight = torch.randn(heads, 1, dim), torch.randn(heads, 1, dim), torch.randn(heads * dim, heads * dim)
    frequencies = 1.0 / (10000.0 ** (torch.arange(0, heads * dim, 2).float() / (heads * dim)))

    def shaw():
        vectors = table(at[:, None] - at[None, :] + length - 1)
        return torch.einsum("bhld,lrd->bhlr", q, vectors) + torch.einsum("bhrd,lrd->bhlr", k, vectors)

    def xl():
        angles = torch.outer(torch.arange(length - 1, -1, -1.0), frequencies)
        r = (torch.cat((angles.sin(), angles.cos()), -1) @ weight.T).view(length, heads, dim).permute(1, 2, 0)
        bd = (q + v) @ r
        padded = torch.nn.functional.pad(bd, (1, 0)).view(batch, heads, length + 1, length)
        return (q + u) @ k.transpose(2, 3) + padded[:, :, 1:].view_as(bd)

    return {"Shaw": shaw, "Transformer-XL": xl}


def layers(rows, batch, length, dim):
    token, position, segment = (torch.nn.Embedding(n, dim) for n in (rows, length, 2))
    norm = torch.nn.LayerNorm(dim, eps=1e-12)
    ids = torch.randint(rows, (batch, length))
    kinds, at = torch.zeros_like(ids), torch.arange(length)
    scale = torch.tensor(dim**0.5)
    return {"GPT-2": lambda: token(ids) + position(at), "BERT": lambda: norm(token(ids) + segment(kinds) + position(at)),
            "Llama": lambda: token(ids), "Gemma": lambda: token(ids) * scale}


def sinusoids(length, dim):
    def make():
        angles = torch.arange(length)[:, None] / 10000.0 ** (torch.arange(0, dim, 2).float() / dim)
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)

    return {"sinusoids": make}


serve({"rotary": rotary, "biases": biases, "scores": scores, "layers": layers, "sinusoids": sinusoids}, inference=True)
