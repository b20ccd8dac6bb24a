"""Writes gradients.json: PyTorch's results and gradients of every op.

    python make.py                  writes gradients.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch, which brings numpy. A tensor is {"t": type, "s": shape, "v": elements}; values that JSON cannot represent
are strings. A case is an op with its inputs and arguments, its result, the gradient that flows back (ones where it is
absent) and those of the inputs. Inputs have the named type; results and gradients are computed from them in float64 and
rounded to that type, the reference that this package promises. Cases marked "native" are PyTorch's own in that type,
bit for bit.
"""

import json
import math
import pathlib
import platform
import sys

import numpy as np
import torch
import torch.nn.functional as F

FLOATS = ["float32", "float64"]
HALVES = ("float16", "bfloat16")


def torch_type(name):
    return getattr(torch, name)


def number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if value == 0 and isinstance(value, float) and math.copysign(1, value) < 0:
        return "-0"
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def dump(tensor):
    name = str(tensor.dtype).removeprefix("torch.")
    flat = tensor.detach().contiguous().reshape(-1)
    if name in HALVES:
        values = flat.view(torch.int16).numpy().view("u2").tolist()
    elif name == "float32":
        # Write the fewest digits that give the same float32; as float64 it would have twice as many.
        values = [number(float(str(v))) for v in flat.numpy()]
    else:
        values = [number(v) for v in flat.tolist()]
    return {"t": name, "s": list(tensor.shape), "v": values}


generator = torch.Generator().manual_seed(0)


def normal(shape, scale=1.0):
    return torch.randn(shape, generator=generator, dtype=torch.float64) * scale


def case(op, inputs, types, function, args=None, native=False):
    """A case with `inputs` in float64, each of which is rounded to its type and requires a gradient."""
    given = [x.to(torch_type(name)) for x, name in zip(inputs, types)]
    leaves = [(x if native else x.double()).clone().requires_grad_() for x in given]
    out = function(*leaves)
    result = torch.promote_types(torch_type(types[0]), torch_type(types[-1])) if not native else out.dtype
    grad = normal(out.shape).to(result) if out.dim() > 0 else torch.ones((), dtype=result)
    out.backward(grad.to(out.dtype))
    grads = [leaf.grad.to(x.dtype) for leaf, x in zip(leaves, given)]
    return {
        "op": op,
        "args": args or [],
        "native": native,
        "inputs": [dump(x) for x in given],
        "out": dump(out.to(result)),
        "grad": dump(grad),
        "grads": [dump(grad) for grad in grads],
    }


PAIRS = [
    ([2, 3], [2, 3]),
    ([2, 3], [3]),
    ([2, 3], [2, 1]),
    ([3], [4, 1]),
    ([], [2, 2]),
    ([2, 3, 4], [3, 1]),
    ([2, 1, 4, 1], [3, 1, 5]),
    ([1, 1], [5, 7]),
    ([5, 17], [17]),
    ([0, 3], [3]),
]
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}


def binaries():
    for op, function in BINARY.items():
        for a, b in PAIRS:
            for name in FLOATS:
                y = normal(b)
                yield case(op, [normal(a), y.sign() * (y.abs() + 0.5)], [name, name], function)
        for mixed in (["float32", "float64"], ["float64", "float32"], ["float16", "float32"], ["float32", "bfloat16"]):
            y = normal([3])
            yield case(op, [normal([2, 3]), y.sign() * (y.abs() + 0.5)], mixed, function)
        for value in (3, -0.5):
            for name in FLOATS:
                yield case(op, [normal([2, 3])], [name], lambda x: function(x, value), [value])


MATRICES = [
    ([3], [3]),
    ([3], [3, 4]),
    ([2, 3], [3]),
    ([2, 3], [3, 4]),
    ([1, 17], [17, 9]),
    ([9, 17], [17, 1]),
    ([5, 64], [64, 3]),
    ([19, 9], [9, 35]),
    ([4, 2, 3], [3, 5]),
    ([4, 2, 3], [4, 3, 5]),
    ([2, 3], [4, 3, 5]),
    ([3], [4, 3, 5]),
    ([4, 2, 3], [3]),
    ([2, 1, 2, 3], [4, 3, 2]),
    ([5, 1, 2, 3], [1, 6, 3, 2]),
    ([2, 0], [0, 3]),
    ([0, 3], [3, 2]),
    ([0, 2, 3], [3, 2]),
    ([0, 2, 3], [1, 3, 2]),
]


def products():
    for a, b in MATRICES:
        for name in FLOATS:
            yield case("matmul", [normal(a), normal(b)], [name, name], torch.matmul)
    yield case("matmul", [normal([2, 3]), normal([3, 4])], ["float32", "float64"], torch.matmul)
    yield case("matmul", [normal([2, 3]), normal([3, 4])], ["float16", "float32"], torch.matmul)


def shapes():
    for name in FLOATS:
        yield case("reshape", [normal([2, 3, 4])], [name], lambda x: x.reshape(4, -1), [4, -1])
        for a, b in ((0, 1), (0, 2), (1, -1), (0, 0)):
            yield case("transpose", [normal([2, 3, 5])], [name], lambda x: x.transpose(a, b), [a, b])
        yield case("transpose", [normal([33, 9])], [name], lambda x: x.transpose(0, 1), [0, 1])
        for dim, start, length in ((0, 1, 2), (1, 0, 1), (2, 2, 3), (-1, -2, 2), (1, 3, 0)):
            yield case("narrow", [normal([4, 3, 5])], [name], lambda x: x.narrow(dim, start, length), [dim, start, length])
        yield case("clone", [normal([3])], [name], torch.clone)
        for dim, parts in ((0, [[2, 3], [1, 3]]), (1, [[2, 3], [2, 0], [2, 4]]), (-1, [[2, 2, 2], [2, 2, 1]])):
            inputs = [normal(part) for part in parts]
            yield case("concat", inputs, [name] * len(parts), lambda *xs: torch.cat(xs, dim), [dim])
    yield case("concat", [normal([2, 3]), normal([1, 3])], ["float16", "float32"], lambda *xs: torch.cat(xs, 0), [0])
    for of, to in (("float32", "float64"), ("float64", "float32"), ("float32", "float16"), ("bfloat16", "float32"), ("float32", "float32")):
        yield case("to", [normal([2, 3])], [of], lambda x: x.to(torch_type(to)), [to], native=True)


def reductions():
    for op in ("sum", "mean"):
        for name in FLOATS:
            yield case(op, [normal([3, 4, 5])], [name], lambda x: getattr(x, op)())
            yield case(op, [normal([])], [name], lambda x: getattr(x, op)())
            for shape, dim in (([3, 4, 5], 0), ([3, 4, 5], 1), ([3, 4, 5], -1), ([1, 33], 1), ([65], 0), ([2, 0, 3], 1)):
                yield case(op, [normal(shape)], [name], lambda x: getattr(x, op)(dim), [dim])
        yield case(op, [normal([3, 4])], ["float16"], lambda x: getattr(x, op)(0), [0])


UNARY = {"relu": torch.relu, "gelu": F.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


def unaries():
    for op, function in UNARY.items():
        for name in FLOATS + ["float16", "bfloat16"]:
            x = torch.cat([normal([40], 3), torch.tensor([0.0, -0.0, 30, -30, 0.75, -0.75], dtype=torch.float64)])
            yield case(op, [x], [name], function)


def softmaxes():
    for op, function in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        for shape, dim in (([3, 7], 1), ([3, 7], 0), ([2, 3, 5], 1), ([2, 3, 5], -1), ([1, 1], 0), ([50], 0), ([2, 37], 1), ([0, 3], 1)):
            for name in FLOATS:
                yield case(op, [normal(shape, 3)], [name], lambda x: function(x, dim), [dim])
        yield case(op, [normal([3, 7], 3)], ["float16"], lambda x: function(x, 1), [1])


def entropies():
    for shape in ([4, 5], [5], [1, 1], [3, 37], [2, 5, 3], [2, 4, 3, 2], [0, 3]):
        wanted = [shape[0], *shape[2:]] if len(shape) > 1 else []
        for reduction in ("mean", "sum", "none"):
            for name in FLOATS:
                classes = shape[1] if len(shape) > 1 else shape[0]
                targets = torch.randint(0, classes, wanted, generator=generator)
                options = {"reduction": reduction}
                if targets.numel() > 2:
                    targets.view(-1)[1] = -100
                args = [dump(targets), options]
                yield case("crossEntropy", [normal(shape, 3)], [name], lambda x: F.cross_entropy(x, targets, **options), args)
    for ignored in ([2, 2, 2], [2, 0, 1]):
        targets = torch.tensor(ignored)
        for reduction in ("mean", "sum", "none"):
            args = [dump(targets), {"ignoreIndex": 2, "reduction": reduction}]
            function = lambda x: F.cross_entropy(x, targets, ignore_index=2, reduction=reduction)
            yield case("crossEntropy", [normal([3, 4])], ["float32"], function, args)
    targets = torch.tensor([1, 0])
    yield case("crossEntropy", [normal([2, 4])], ["float16"], lambda x: F.cross_entropy(x, targets), [dump(targets), {}])
    extreme = torch.tensor([[1000.0, -1000, 0], [-math.inf, 0, 1], [30, 0, -30]], dtype=torch.float64)
    targets = torch.tensor([0, 1, 2])
    for name in FLOATS:
        yield case("crossEntropy", [extreme], [name], lambda x: F.cross_entropy(x, targets, reduction="none"), [dump(targets), {"reduction": "none"}])


def norms():
    for shape, row in (([3, 5], [5]), ([2, 33], [33]), ([2, 3, 4], [3, 4]), ([1, 1], [1]), ([2, 64], [64]), ([67, 3], [3]), ([0, 4], [4])):
        for name in FLOATS:
            inputs = [normal(shape, 2) + 1, normal(row), normal(row)]
            types = [name] * 3
            if len(row) == 1:
                yield case("layerNorm", inputs[:1], types[:1], lambda x: F.layer_norm(x, row))
            yield case("layerNorm", inputs[:2], types[:2], lambda x, w: F.layer_norm(x, row, w))
            yield case("layerNorm", inputs, types, lambda x, w, b: F.layer_norm(x, row, w, b, 1e-3), [1e-3])
    inputs = [normal([3, 8]), normal([8]), normal([8])]
    yield case("layerNorm", inputs, ["float16"] * 3, lambda x, w, b: F.layer_norm(x, [8], w, b))


def dropouts():
    for name in FLOATS + ["float16", "bfloat16"]:
        for shape, p in (([3, 5], 0.5), ([1], 0.1), ([16], 0.3), ([41], 0.9), ([90], 0.2), ([4], 0.0), ([4], 1.0), ([0], 0.5)):
            torch.manual_seed(7)
            result = case("dropout", [normal(shape)], [name], lambda x: F.dropout(x, p), [p], native=True)
            yield {**result, "after": torch.rand(1).item()}


SECTIONS = {
    "binary": binaries,
    "matmul": products,
    "shape": shapes,
    "reduce": reductions,
    "unary": unaries,
    "softmax": softmaxes,
    "crossEntropy": entropies,
    "layerNorm": norms,
    "dropout": dropouts,
}


def main():
    made_with = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "machine": platform.machine()}
    parts = [f'"made_with": {json.dumps(made_with)}']
    for name, cases in SECTIONS.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
        parts.append(f'"{name}": [\n{lines}\n]')
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("gradients.json")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


main()
