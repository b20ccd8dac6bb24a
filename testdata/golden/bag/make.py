"""Writes bag.json: PyTorch's bags over float tables and over FBGEMM's quantized rows, and the bytes of those rows; also
what FBGEMM makes of all float8, and the float8 it makes of numbers.

    python make.py                  writes bag.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch, built with FBGEMM (x86-64), and fbgemm-gpu-cpu for float8. Elements are exact decimals; 16-bit ones are their bits. Tables are drawn from
N(0, 1) after manual_seed(seed), and multiplied by their scale if they have one.
"""

import hashlib
import json
import pathlib
import platform
import sys

import fbgemm_gpu
import torch


def dump(tensor):
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype in (torch.float16, torch.bfloat16):
        values = [bits & 0xFFFF for bits in tensor.view(torch.int16).reshape(-1).tolist()]
    else:
        values = tensor.reshape(-1).tolist()
    return {"t": name, "s": list(tensor.shape), "v": values}


IDS = [3, 0, 6, 6, 1, 2, 3, 4, 5, 0, 1, 1, 1, 1, 6, 2, 0, 4]
OFFSETS = [0, 0, 1, 4, 13, 13]
TABLE = [[3, 0, 6, 6], [1, 1, 1, 1], [5, 1, 4, 1]]


def bag(seed, dim, mode, ids, offsets, include_last_offset=False, padding_idx=None, weighted=False, max_norm=None, dtype="float32"):
    torch.manual_seed(seed)
    layer = torch.nn.EmbeddingBag(7, dim, mode=mode, include_last_offset=include_last_offset, padding_idx=padding_idx, max_norm=max_norm)
    if dtype != "float32":
        layer = layer.to(getattr(torch, dtype))
    ids_tensor = torch.tensor(ids)
    weights = torch.randn(ids_tensor.shape) if weighted else None
    with torch.no_grad():
        out = layer(ids_tensor, None if offsets is None else torch.tensor(offsets), per_sample_weights=weights)
    return {"seed": seed, "dim": dim, "mode": mode, "ids": ids, "offsets": offsets, "includeLastOffset": include_last_offset,
            "paddingIdx": padding_idx, "weighted": weighted, "maxNorm": max_norm, "dtype": dtype, "out": dump(out)}


def bags():
    for seed, dim in enumerate([1, 5, 17, 64, 100]):
        for mode in ["sum", "mean", "max"]:
            for padding_idx in [None, 1, -1]:
                yield bag(seed, dim, mode, TABLE, None, padding_idx=padding_idx)
                yield bag(seed, dim, mode, IDS, OFFSETS, padding_idx=padding_idx)
            yield bag(seed, dim, mode, IDS, OFFSETS + [len(IDS)], include_last_offset=True)
        yield bag(seed, dim, "sum", IDS, OFFSETS, weighted=True)
        yield bag(seed, dim, "sum", TABLE, None, weighted=True, padding_idx=1)
        yield bag(seed, dim, "mean", IDS, OFFSETS, max_norm=1.0)
        for dtype in ["float16", "bfloat16"]:
            for mode in ["sum", "mean", "max"]:
                yield bag(seed, dim, mode, TABLE, None, dtype=dtype)


def rows(seed, count, dim, scale):
    torch.manual_seed(seed)
    return torch.randn(count, dim) * scale


def quantized(kind, seed, count, dim, scale):
    ops = torch.ops.quantized
    pack, unpack, sum_of = {
        "int8": (ops.embedding_bag_byte_prepack, ops.embedding_bag_byte_unpack, ops.embedding_bag_byte_rowwise_offsets),
        "int4": (ops.embedding_bag_4bit_prepack, ops.embedding_bag_4bit_unpack, ops.embedding_bag_4bit_rowwise_offsets),
        "int2": (ops.embedding_bag_2bit_prepack, ops.embedding_bag_2bit_unpack, ops.embedding_bag_2bit_rowwise_offsets),
    }[kind]
    packed = pack(rows(seed, count, dim, scale))
    values = unpack(packed)
    ids = torch.tensor(IDS) % count
    out = sum_of(packed, ids, torch.tensor(OFFSETS), mode=0)
    case = {"kind": kind, "seed": seed, "rows": count, "dim": dim, "scale": scale,
            "sha256": hashlib.sha256(packed.numpy().tobytes()).hexdigest(),
            "values": hashlib.sha256(values.numpy().tobytes()).hexdigest()}
    if dim <= 24:
        case |= {"bytes": packed.reshape(-1).tolist(), "out": dump(out)}
    return case


FLOAT8 = {"exponent_bits": 4, "exponent_bias": 7}
MOST_FLOAT8 = 240.0


def float8():
    """The values of all bytes, and the bytes of numbers: all those values, what is halfway between them, and its neighbours."""
    bytes_of_all = torch.arange(256, dtype=torch.uint8).reshape(1, -1)
    values = torch.ops.fbgemm.HFP8QuantizedToFloat(bytes_of_all, *FLOAT8.values()).reshape(-1)
    steps = values[:0x78]
    middles = (steps[1:] + steps[:-1]) / 2
    near = [torch.nextafter(middles, torch.tensor(to)) for to in [0.0, 1e9]]
    numbers = torch.cat([steps, middles, *near, torch.tensor([239.0, 247.9, 248.0, 1e4, 3e38, 1e-30, 1e-45])])
    numbers = torch.cat([numbers, -numbers])
    stored = torch.ops.fbgemm.FloatToHFP8Quantized(numbers.reshape(1, -1), *FLOAT8.values(), MOST_FLOAT8)
    return {"values": dump(values), "numbers": dump(numbers), "bytes": stored.reshape(-1).tolist()}


def main():
    made_with = {"torch": torch.__version__, "fbgemm": fbgemm_gpu.__version__, "python": platform.python_version(), "machine": platform.machine()}
    sections = {
        "bags": list(bags()),
        "quantized": [
            # PyTorch's int2 wants whole bytes.
            quantized(kind, seed, count, -(-dim // 4) * 4 if kind == "int2" else dim, scale)
            for kind in ["int8", "int4", "int2"]
            for seed, (count, dim, scale) in enumerate(
                [(7, 2, 1.0), (7, 24, 1.0), (5, 20, 1e-3), (5, 16, 1e-9), (5, 16, 1e-30), (9, 22, 100.0), (300, 256, 0.02), (50, 768, 1.0)])
        ],
    }
    parts = [f'"made_with": {json.dumps(made_with)}', f'"ids": {IDS}', f'"offsets": {OFFSETS}']
    for name, cases in sections.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        parts.append(f'"{name}": [\n{lines}\n]')
    parts.append(f'"float8": {json.dumps(float8(), separators=(",", ":"))}')
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("bag.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
