"""Writes tensor.json: PyTorch's results for small tensors, for every pair of element types.

    python make.py                  writes tensor.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch, which brings numpy and mpmath. A tensor is {"t": type, "s": shape, "v": elements}; float16 and bfloat16
elements are their bits, values that JSON cannot represent are strings. Functions without an IEEE-exact result (tanh,
softmax ...), sums and means are computed in float64 and rounded to the type at the end, which is the reference that
this package promises.
"""

import json
import math
import pathlib
import platform
import sys

import mpmath
import numpy as np
import torch

mpmath.mp.dps = 50

TYPES = ["float32", "float64", "float16", "bfloat16", "int8", "uint8", "int32", "int64", "bool"]
FLOATS = TYPES[:4]
HALVES = ("float16", "bfloat16")
OPS = ["add", "sub", "mul", "div"]


def torch_type(name):
    return getattr(torch, name)


def name_of(tensor):
    return str(tensor.dtype).removeprefix("torch.")


def number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if value == 0 and isinstance(value, float) and math.copysign(1, value) < 0:
        return "-0"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value


def dump(tensor):
    name = name_of(tensor)
    flat = tensor.detach().contiguous().reshape(-1)
    if name in HALVES:
        values = flat.view(torch.int16).numpy().view("u2").tolist()
    else:
        values = [number(value) for value in flat.to(torch.uint8 if name == "bool" else flat.dtype).tolist()]
    return {"t": name, "s": list(tensor.shape), "v": values}


def make(name, values, shape):
    return torch.tensor(values, dtype=torch.float64).reshape(shape).to(torch_type(name))


# Every value fits its type, and every product of int8 and uint8 fits int16, PyTorch's type for them.
LEFT = {
    "float32": [0.1, -2.5, 3e7, -0.0, 1e-3, 12345.678],
    "float64": [0.1, -2.5, 3e15, -0.0, 1e-3, 12345.678],
    "float16": [0.1, -2.5, 60000, -0.0, 1e-3, 2049],
    "bfloat16": [0.1, -2.5, 3e30, -0.0, 1e-3, 257],
    "int8": [-128, -1, 0, 1, 7, 127],
    "uint8": [255, 1, 0, 3, 7, 128],
    "int32": [70001, -1, 0, 2**24 + 1, -(2**31), 2049],
    "int64": [70001, -1, 0, 2**24 + 1, 2**40 + 1, 2049],
    "bool": [1, 0, 1, 0, 1, 1],
}
RIGHT = {
    "float32": [0.2, 3, -1e-8, 7, -0.5, 1.1],
    "float64": [0.2, 3, -1e-8, 7, -0.5, 1.1],
    "float16": [0.2, 3, -1e-7, 7, -0.5, 1.1],
    "bfloat16": [0.2, 3, -1e-8, 7, -0.5, 1.1],
    "int8": [3, -128, 0, 5, -7, 127],
    "uint8": [3, 200, 0, 5, 7, 255],
    "int32": [3, -4, 0, 5, 7, 2051],
    "int64": [3, -4, 0, 5, 7, 2051],
    "bool": [1, 1, 0, 0, 1, 1],
}


def left(name):
    return make(name, LEFT[name], (2, 3))


def right(name):
    return make(name, RIGHT[name], (2, 3))


def binaries():
    for op in OPS:
        for a in TYPES:
            for b in TYPES:
                if op == "sub" and "bool" in (a, b):
                    continue
                yield {"op": op, "a": a, "b": b, "out": dump(getattr(torch, op)(left(a), right(b)))}


def scalars():
    for op in OPS:
        for a in TYPES:
            for b in (3, -2, 0.1):
                if op == "sub" and a == "bool":
                    continue
                yield {"op": op, "a": a, "b": b, "out": dump(getattr(torch, op)(left(a), b))}


SHAPES = [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((4, 1, 2), (3, 1)), ((2, 3), ()), ((0, 3), (1, 3)), ((1,), (0,)),
          ((2, 1, 2, 1), (3, 1, 2)), ((1, 1), (1,))]


def broadcasts():
    for s, z in SHAPES:
        a = torch.arange(math.prod(s), dtype=torch.float32).reshape(s) * 0.5
        b = torch.arange(math.prod(z), dtype=torch.float32).reshape(z) + 10
        yield {"a": list(s), "b": list(z), "sub": dump(a - b)}


PRODUCTS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 2)), ((5, 2, 3), (5, 3, 2)),
            ((1, 2, 3), (4, 3, 1)), ((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((0, 3), (3, 2)),
            ((2, 0), (0, 2)), ((1, 1), (1, 1)), ((17, 19), (19, 33))]


def products():
    """Inputs are whole numbers, so that every order of summing gives the same bits."""
    for s, z in PRODUCTS:
        a = torch.arange(math.prod(s), dtype=torch.float32).reshape(s) % 7 - 3
        b = torch.arange(math.prod(z), dtype=torch.float32).reshape(z) % 5 - 2
        yield {"t": "float32", "a": list(s), "b": list(z), "out": dump(a @ b)}
    for name in TYPES[1:-1]:
        a = (torch.arange(6) % 7).reshape(2, 3).to(torch_type(name))
        b = (torch.arange(6) % 5).reshape(3, 2).to(torch_type(name))
        yield {"t": name, "a": [2, 3], "b": [3, 2], "out": dump(a @ b)}


def rounded(exact, name):
    """Rounds float64 to the type; to the 16-bit types by way of float32, as PyTorch itself does."""
    return exact.to(torch_type(name))


GRID = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1e-8, -1e-8, 1e-40, 0.1, 0.3, 2.0, -2.0, 3.7, -3.7, -5.5, 9.1, -9.1, 20, -20, 88, -88,
        -104, 1e4, -1e4, math.inf, -math.inf, math.nan]
def exact_gelu(x):
    return x and float(x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


UNARY = {"relu": torch.relu, "gelu": torch.nn.functional.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def unaries():
    for op, function in UNARY.items():
        for name in FLOATS:
            x = make(name, GRID, (len(GRID),))
            exact = function(x.double())
            if op == "gelu":
                # With 50 digits: in float64 1 + erf(x) cancels, and erfc magnifies the rounding of its argument.
                exact = torch.tensor([exact_gelu(value) for value in x.tolist()], dtype=torch.float64)
            yield {"op": op, "x": dump(x), "out": dump(rounded(exact, name))}
        if op != "gelu":
            x = torch.tensor([-3, 0, 2, 100], dtype=torch.int32)
            exact = function(x if op == "relu" else x.double())
            yield {"op": op, "x": dump(x), "out": dump(exact if op == "relu" else exact.float())}


def reductions():
    torch.manual_seed(1)
    base = torch.randn(3, 4, 5, dtype=torch.float64) * 100
    for name in TYPES:
        x = base.abs().to(torch_type(name)) if name == "uint8" else base.to(torch_type(name))
        for dim in (None, 0, 1, 2, -1):
            wide = x.double() if name in FLOATS else x
            arguments = {} if dim is None else {"dim": dim}
            case = {"x": dump(x) if dim is None else name, "dim": dim}
            total = wide.sum(**arguments)
            yield {"op": "sum", **case, "out": dump(rounded(total, name) if name in FLOATS else total)}
            if name in FLOATS:
                yield {"op": "mean", **case, "out": dump(rounded(wide.mean(**arguments), name))}


def softmaxes():
    torch.manual_seed(2)
    base = torch.randn(2, 3, 4, dtype=torch.float64) * 5
    base[0, 0, 0], base[1, 2, 3] = 1000, -math.inf
    for name in FLOATS:
        x = base.to(torch_type(name))
        for dim in (0, 1, 2):
            case = {"x": dump(x) if dim == 0 else name, "dim": dim}
            yield {"op": "softmax", **case, "out": dump(rounded(torch.softmax(x.double(), dim), name))}
            yield {"op": "logSoftmax", **case, "out": dump(rounded(torch.log_softmax(x.double(), dim), name))}


CASTS = {
    # Ties, also of float16 and bfloat16; values that round differently by way of float32; the limits of float16.
    "float32": [0, -0.0, 1.5, -1.5, 2.5, 0.999, -0.999, 100.7, 2049, 2051, 257, 65519, -120.5],
    "float64": [0, -0.0, 1.5, -1.5, 0.1, 16777217, 16777219, 1 + 2**-8 + 2**-40, 1 + 2**-11 + 2**-40, 65519.999, -120.5],
    "float16": [0, -0.0, 1.5, -1.5, 0.1, 2048, -100.9, 2**-24, 120],
    "bfloat16": [0, -0.0, 1.5, -1.5, 0.1, 256, -100.9, 120],
    "int8": [-128, -1, 0, 1, 127],
    "uint8": [0, 1, 127, 128, 255],
    "int32": [0, -1, 127, 128, 255, 256, 2049, 16777217, 16777219, 2**31 - 1, -(2**31)],
    "bool": [0, 1],
}
# Values one unit above a tie of float32: by way of float64 they would become the tie and round down.
WIDE = [0, -1, 255, 256, 2**31, -(2**31) - 1, 2**53 + 1, 2**54 + 2**30 + 1, -(2**54) - 2**30 - 1, 2**62]


def casts():
    for a in TYPES:
        x = torch.tensor(WIDE) if a == "int64" else make(a, CASTS[a], (len(CASTS[a]),))
        for b in TYPES:
            # Casts of floats beyond the range of an integer type are undefined.
            inside = x
            if a in FLOATS and b in ("int8", "uint8"):
                inside = x[(x.double() > (-1 if b == "uint8" else -129)) & (x.double() < (256 if b == "uint8" else 128))]
            yield {"x": dump(inside), "to": b, "out": dump(inside.to(torch_type(b)))}


SECTIONS = {
    "binary": binaries,
    "scalar": scalars,
    "broadcast": broadcasts,
    "matmul": products,
    "unary": unaries,
    "reduce": reductions,
    "softmax": softmaxes,
    "cast": casts,
}


def main():
    made_with = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "machine": platform.machine()}
    operands = {"left": {t: dump(left(t)) for t in TYPES}, "right": {t: dump(right(t)) for t in TYPES}}
    parts = [f'"made_with": {json.dumps(made_with)}', f'"operands": {json.dumps(operands, separators=(",", ":"))}']
    for name, cases in SECTIONS.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
        parts.append(f'"{name}": [\n{lines}\n]')
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("tensor.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
