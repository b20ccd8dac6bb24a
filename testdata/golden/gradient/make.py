"""Writes gradient.json: gradients of PyTorch's embedding layers, dense and sparse, of bags, and of a transformer's
input.

    python make.py                  writes gradient.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch on x86-64. Elements are exact decimals; 16-bit ones are their bits. Everything is drawn after
manual_seed(seed), in this order: the layer's tables, then per-sample weights, then the gradient of the output.
"""

import json
import pathlib
import platform
import sys

import torch
from torch import nn


def dump(tensor):
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype in (torch.float16, torch.bfloat16):
        values = [bits & 0xFFFF for bits in tensor.contiguous().view(torch.int16).reshape(-1).tolist()]
    else:
        values = tensor.reshape(-1).tolist()
    return {"t": name, "s": list(tensor.shape), "v": values}


def dump_grad(grad):
    if not grad.is_sparse:
        return {"dense": dump(grad)}
    grad = grad.coalesce()
    return {"ids": grad.indices()[0].tolist(), "rows": dump(grad.values())}


ROWS = 7
IDS = [[3, 0, 6, 6], [1, 1, 2, 1], [3, 4, 1, 0]]
FLAT = [3, 0, 6, 6, 1, 2, 3, 4, 5, 0, 1, 1, 1, 1, 6, 2, 0, 4]
OFFSETS = [0, 0, 1, 4, 13, 13]


def embedding(seed, dim, ids=IDS, padding_idx=None, by_freq=False, sparse=False, calls=1, dtype="float32"):
    torch.manual_seed(seed)
    layer = nn.Embedding(ROWS, dim, padding_idx=padding_idx, scale_grad_by_freq=by_freq, sparse=sparse)
    layer = layer.to(getattr(torch, dtype))
    for _ in range(calls):
        out = layer(torch.tensor(ids, dtype=torch.int64))
        out.backward(torch.randn(out.shape).to(out.dtype))
    return {"seed": seed, "dim": dim, "ids": ids, "paddingIdx": padding_idx, "scaleGradByFreq": by_freq, "sparse": sparse,
            "calls": calls, "dtype": dtype, "grad": dump_grad(layer.weight.grad)}


def embeddings():
    for seed, dim in enumerate([1, 5, 17]):
        for sparse in [False, True]:
            for padding_idx in [None, 1, -1]:
                # PyTorch does not allow both together.
                for by_freq in [False] if sparse else [False, True]:
                    yield embedding(seed, dim, padding_idx=padding_idx, by_freq=by_freq, sparse=sparse)
            yield embedding(seed, dim, ids=[], sparse=sparse)
            yield embedding(seed, dim, calls=3, sparse=sparse)
        for dtype in ["float16", "bfloat16"]:
            # Each id appears at most twice, which takes one addition: PyTorch rounds after every one.
            yield embedding(seed, dim, ids=[[3, 0, 6], [1, 3, 2]], dtype=dtype)


def bag(seed, dim, mode, ids, offsets, include_last_offset=False, padding_idx=None, weighted=False, sparse=False, by_freq=False):
    torch.manual_seed(seed)
    layer = nn.EmbeddingBag(ROWS, dim, mode=mode, include_last_offset=include_last_offset, padding_idx=padding_idx,
                            sparse=sparse, scale_grad_by_freq=by_freq)
    ids_tensor = torch.tensor(ids)
    weights = torch.randn(ids_tensor.shape).requires_grad_() if weighted else None
    out = layer(ids_tensor, None if offsets is None else torch.tensor(offsets), per_sample_weights=weights)
    out.backward(torch.randn(out.shape))
    return {"seed": seed, "dim": dim, "mode": mode, "ids": ids, "offsets": offsets, "includeLastOffset": include_last_offset,
            "paddingIdx": padding_idx, "weighted": weighted, "sparse": sparse, "scaleGradByFreq": by_freq,
            "grad": dump_grad(layer.weight.grad), "weightsGrad": None if weights is None else dump(weights.grad)}


def bags():
    for seed, dim in enumerate([1, 5, 17]):
        for mode in ["sum", "mean", "max"]:
            for padding_idx in [None, 1, -1]:
                yield bag(seed, dim, mode, IDS, None, padding_idx=padding_idx)
                yield bag(seed, dim, mode, FLAT, OFFSETS, padding_idx=padding_idx)
            yield bag(seed, dim, mode, FLAT, OFFSETS + [len(FLAT)], include_last_offset=True)
        for mode in ["sum", "mean"]:
            yield bag(seed, dim, mode, FLAT, OFFSETS, sparse=True)
        # All ids of the batch are equally frequent: if they are not, PyTorch uses the count of a wrong id.
        yield bag(seed, dim, "sum", [[0, 1, 2], [2, 1, 0]], None, by_freq=True)
        yield bag(seed, dim, "mean", [[0, 1, 2], [2, 1, 0]], None, by_freq=True)
        yield bag(seed, dim, "sum", FLAT, OFFSETS, weighted=True)
        yield bag(seed, dim, "sum", IDS, None, weighted=True, padding_idx=1)
        yield bag(seed, dim, "sum", FLAT, OFFSETS, weighted=True, sparse=True)


def layer(seed, dim, segments=None, norm=False, scale=None, positions=None, offset=0, padding_idx=None):
    torch.manual_seed(seed)
    token, position = nn.Embedding(ROWS, dim, padding_idx=padding_idx), nn.Embedding(9, dim)
    segment = None if segments is None else nn.Embedding(2, dim)
    layer_norm = nn.LayerNorm(dim) if norm else None
    ids = torch.tensor(IDS)
    at = torch.tensor(positions) if positions else torch.arange(offset, offset + ids.shape[1])
    out = token(ids)
    if scale is not None:
        out = out * torch.tensor(scale, dtype=torch.float32)
    if segment is not None:
        out = out + segment(torch.tensor(segments))
    out = out + position(at)
    if layer_norm is not None:
        with torch.no_grad():
            layer_norm.weight.copy_(torch.randn(dim))
            layer_norm.bias.copy_(torch.randn(dim))
        out = layer_norm(out)
    out.backward(torch.randn(out.shape))
    grads = {"token.weight": dump(token.weight.grad), "position.weight": dump(position.weight.grad)}
    if segment is not None:
        grads["segment.weight"] = dump(segment.weight.grad)
    if layer_norm is not None:
        grads["layerNorm.weight"] = dump(layer_norm.weight.grad)
        grads["layerNorm.bias"] = dump(layer_norm.bias.grad)
    return {"seed": seed, "dim": dim, "ids": IDS, "segments": segments, "norm": norm, "scale": scale, "positions": positions,
            "offset": offset, "paddingIdx": padding_idx, "grads": grads}


def layers():
    kinds = [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]
    for seed, dim in enumerate([5, 37]):
        for norm in [False, True]:
            yield layer(seed, dim, norm=norm)
            yield layer(seed, dim, norm=norm, offset=3, padding_idx=1)
            yield layer(seed, dim, norm=norm, segments=kinds)
            yield layer(seed, dim, norm=norm, segments=kinds, scale=4.5)
            yield layer(seed, dim, norm=norm, positions=[[4, 5, 6, 7], [0, 0, 0, 0], [8, 2, 8, 4]])


def main():
    made_with = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
    sections = {"embeddings": list(embeddings()), "bags": list(bags()), "layers": list(layers())}
    parts = [f'"made_with": {json.dumps(made_with)}']
    for name, cases in sections.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        parts.append(f'"{name}": [\n{lines}\n]')
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("gradient.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
