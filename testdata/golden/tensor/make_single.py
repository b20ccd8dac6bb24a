"""Writes single.json: PyTorch's results for pairs in which one or both have a single element, with one dimension or
none.

    python make_single.py              writes single.json beside this script
    python make_single.py other.json   writes elsewhere, to compare releases

Needs torch, which brings numpy. A case names the op and both types; `of` describes the operands: "n" is three elements,
"1" one element in a dimension, "0" one element without dimensions. `t` and `v` are the result's type and elements (of
float16 and bfloat16 their bits); `grads` are, for floats, those of both operands after `sum().backward()`.
"""

import json
import pathlib
import platform
import sys

import numpy as np
import torch

TYPES = ["float32", "float64", "float16", "bfloat16", "int8", "uint8", "int32", "int64", "bool"]
HALVES = ("float16", "bfloat16")
OPS = ["add", "sub", "mul", "div"]
SHAPES = {"n": (3,), "1": (1,), "0": ()}
LAYOUTS = ["n0", "0n", "00", "n1", "1n", "10", "01"]

# Elements that no 16-bit type represents, which shows where they are rounded; integers that wrap in narrower types.
FLOAT = {"n": [0.1, -2.7, 300.3], "1": [0.3], "0": [0.3]}
VALUES = {
    "int8": {"n": [-128, 3, 127], "1": [5], "0": [5]},
    "uint8": {"n": [255, 3, 128], "1": [7], "0": [7]},
    "int32": {"n": [70001, -3, 2049], "1": [2051], "0": [2051]},
    "int64": {"n": [2**40 + 1, -3, 2049], "1": [2053], "0": [2053]},
    "bool": {"n": [1, 0, 1], "1": [1], "0": [1]},
}


def make(name, kind):
    values = VALUES.get(name, FLOAT)[kind]
    wide = torch.tensor(values, dtype=torch.float64 if name not in VALUES else torch.int64)
    return wide.reshape(SHAPES[kind]).to(getattr(torch, name))


def name_of(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def elements(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    if name_of(tensor) in HALVES:
        return flat.view(torch.int16).numpy().view("u2").tolist()
    return [number(value) for value in (flat.to(torch.uint8) if flat.dtype == torch.bool else flat).numpy()]


def number(value):
    """Numbers have the fewest digits that give the same bits; values that JSON cannot represent are strings."""
    if value.dtype.kind != "f":
        return str(value) if abs(int(value)) > 2**53 else int(value)
    if not np.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if value == 0 and np.signbit(value):
        return "-0"
    return int(value) if value == int(value) and abs(value) < 2**53 else float(str(value))


def gradients(op, a, b):
    if not (a.is_floating_point() and b.is_floating_point()):
        return None
    a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
    getattr(torch, op)(a, b).sum().backward()
    return [elements(a.grad), elements(b.grad)]


def cases():
    for layout in LAYOUTS:
        for op in OPS:
            for a in TYPES:
                for b in TYPES:
                    x, y = make(a, layout[0]), make(b, layout[1])
                    if op == "sub" and "bool" in (a, b):
                        continue
                    out = getattr(torch, op)(x, y)
                    # int8 with uint8 gives int16, a type that this package does not have.
                    if out.dtype == torch.int16:
                        continue
                    grads = gradients(op, x, y)
                    case = {"of": layout, "op": op, "a": a, "b": b, "t": name_of(out), "v": elements(out)}
                    yield case if grads is None else {**case, "grads": grads}


def main():
    made_with = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "machine": platform.machine()}
    operands = {name: {kind: elements(make(name, kind)) for kind in SHAPES} for name in TYPES}
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    parts = [f'"made_with": {json.dumps(made_with)}', f'"operands": {json.dumps(operands, separators=(",", ":"))}', f'"cases": [\n{lines}\n]']
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("single.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
