"""Writes embedding.json: PyTorch's lookups, padding rows, renormalised rows and sums with positions.

    python make.py                  writes embedding.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch. Elements are float32 as exact decimals. Tables are drawn from N(0, 1) after manual_seed(seed).
"""

import json
import math
import pathlib
import platform
import sys

import torch


def dump(tensor):
    values = tensor.detach().reshape(-1).tolist()
    return {"s": list(tensor.shape), "v": values}


def lookup(seed, rows, dim, ids, padding_idx=None):
    torch.manual_seed(seed)
    layer = torch.nn.Embedding(rows, dim, padding_idx=padding_idx)
    return {"seed": seed, "rows": rows, "dim": dim, "ids": ids, "paddingIdx": padding_idx,
            "weight": dump(layer.weight), "out": dump(layer(torch.tensor(ids)))}


LOOKUPS = [
    (123, 6, 3, [3], None),
    (123, 6, 3, [2, 3, 5, 1], None),
    (1, 7, 5, [[0, 6, 6], [2, 0, 1]], None),
    (2, 9, 17, [[[8], [0]], [[4], [4]]], 4),
    (3, 5, 1, [0, 1, 2, 3, 4, 4, 3], -1),
    (4, 3, 33, [[2, 2, 2, 2]], -3),
]


def renormalised(max_norm, norm_type):
    torch.manual_seed(5)
    layer = torch.nn.Embedding(6, 5, max_norm=max_norm, norm_type=norm_type)
    ids = [[0, 3, 3], [5, 0, 1]]
    before = dump(layer.weight)
    with torch.no_grad():
        out = layer(torch.tensor(ids))
    return {"maxNorm": max_norm, "normType": "Infinity" if math.isinf(norm_type) else norm_type, "ids": ids, "before": before,
            "after": dump(layer.weight), "out": dump(out)}


def token_position(seed, vocabulary, context, dim, ids, offset):
    torch.manual_seed(seed)
    token, position = torch.nn.Embedding(vocabulary, dim), torch.nn.Embedding(context, dim)
    ids_tensor = torch.tensor(ids)
    out = token(ids_tensor) + position(torch.arange(offset, offset + ids_tensor.shape[-1]))
    return {"seed": seed, "vocabSize": vocabulary, "contextLength": context, "dim": dim, "ids": ids, "positionOffset": offset,
            "out": dump(out)}


def main():
    made_with = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
    sections = {
        "lookup": [lookup(*case) for case in LOOKUPS],
        "maxNorm": [renormalised(m, p) for p in (2.0, 1.0, 3.0, 0.5, math.inf) for m in (1.0, 0.1)],
        "tokenPosition": [
            token_position(123, 10, 4, 3, [[1, 2, 3, 4], [5, 6, 7, 9]], 0),
            token_position(7, 11, 6, 19, [10, 0, 3], 3),
            token_position(8, 5, 2, 16, [[4], [0], [4]], 1),
        ],
    }
    parts = [f'"made_with": {json.dumps(made_with)}']
    for name, cases in sections.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        parts.append(f'"{name}": [\n{lines}\n]')
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("embedding.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
