"""Writes operations.json: PyTorch's results and gradients of functions, choices, reductions, losses and layers; and its
draws.

    python make.py                  writes operations.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch, which brings numpy. A case names what is called, its arguments in the form of this package, its inputs, its
result, the gradient that flows back (ones where it is absent) and the gradients of the inputs. Inputs have the named type;
results and gradients are computed from them in float64 and rounded to that type, the reference that this package promises.
"""

import json
import math
import pathlib
import platform
import sys

import torch
import torch.nn.functional as F

generator = torch.Generator().manual_seed(0)


def number(value):
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if value == 0 and isinstance(value, float) and math.copysign(1, value) < 0:
        return "-0"
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def dump(tensor):
    name = str(tensor.dtype).removeprefix("torch.")
    flat = tensor.detach().contiguous().reshape(-1)
    if name == "float32":
        values = [number(float(str(v))) for v in flat.numpy()]
    else:
        values = [number(v) for v in flat.tolist()]
    return {"t": name, "s": list(tensor.shape), "v": values}


def normal(*shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def case(op, inputs, function, args=(), name="float32"):
    dtype = getattr(torch, name)
    given = [x.to(dtype) for x in inputs]
    leaves = [x.double().clone().requires_grad_() for x in given]
    out = function(*leaves)
    grad = normal(*out.shape).to(dtype) if out.dim() > 0 else torch.ones((), dtype=dtype)
    out.backward(grad.double())
    return {
        "op": op,
        "args": list(args),
        "inputs": [dump(x) for x in given],
        "out": dump(out.to(dtype)),
        "grad": dump(grad),
        "grads": [dump((torch.zeros_like(x) if x.grad is None else x.grad).to(dtype)) for x in leaves],
    }


def both(op, inputs, function, args=()):
    for name in ("float32", "float64"):
        yield case(op, inputs, function, args, name)


def functions():
    wide = torch.cat([normal(40) * 3, torch.tensor([0.0, 1.0, -1.0, 20.0, -20.0], dtype=torch.float64)])
    positive = torch.cat([normal(40).abs() * 10, torch.tensor([1.0, 1e-30, 1e30, 0.999, 1.001], dtype=torch.float64)])
    for op, function, x in [
        ("exp", torch.exp, wide),
        ("log", torch.log, positive),
        ("log1p", torch.log1p, positive - 0.5),
        ("abs", torch.abs, wide),
        ("neg", torch.neg, wide),
        ("logSigmoid", F.logsigmoid, wide * 10),
    ]:
        x = x.clamp(-0.99) if op == "log1p" else x
        yield from both(op, [x], function)
    for exponent in (2, 3, 0.5, -1, 2.5, 0, -0.5, 7):
        yield from both("pow", [positive.clamp(1e-3, 50)], lambda x: x.pow(exponent), [exponent])
    yield from both("pow", [wide.clamp(-5, 5)], lambda x: x.pow(3), [3])
    yield from both("pow", [normal(4, 3).abs(), normal(3) * 2], torch.pow)
    for low, high in ((-1, 1), (None, 0.5), (0, None)):
        yield from both("clamp", [wide], lambda x: x.clamp(low, high), [low, high])
    for op in ("maximum", "minimum"):
        a, b = normal(4, 3), normal(4, 1)
        a[1, 2] = b[1, 0]
        yield from both(op, [a, b], getattr(torch, op))


def choices():
    x = normal(4, 3, 5)
    for dim in (0, 1, -1):
        for op in ("max", "min"):
            yield from both(op, [x], lambda x: getattr(x, op)(dim).values, [dim])
        for largest in (True, False):
            yield from both("topk", [x], lambda x: x.topk(2, dim, largest=largest).values, [2, dim, {"largest": largest}])
        yield from both("sort", [x], lambda x: x.sort(dim).values, [dim])
    for op in ("max", "min"):
        tied = torch.tensor([1.0, 3, -2, 3, -2, 0], dtype=torch.float64)
        yield from both(op, [tied], lambda x: getattr(x, op)())
    for dims in ([0, 1], [0, 2], [-1, 1], [0, 1, 2], [1]):
        for op in ("sum", "mean"):
            for keep in (False, True):
                yield from both(op, [x], lambda x: getattr(x, op)(dims, keepdim=keep), [dims, {"keepdim": keep}])
    yield from both("permute", [x], lambda x: x.permute(2, 0, 1), [2, 0, 1])
    yield from both("expand", [normal(3, 1)], lambda x: x.expand(2, 3, 4), [2, 3, 4])
    yield from both("slice", [x], lambda x: x[:, :, 1:5:2], [2, 1, 5, 2])
    yield from both("slice", [x], lambda x: x[-3:-1], [0, -3, -1])
    yield from both("select", [x], lambda x: x.select(1, -1), [1, -1])
    yield from both("unsqueeze", [x], lambda x: x.unsqueeze(-1), [-1])
    yield from both("flatten", [x], lambda x: x.flatten(1), [1])
    yield from both("index", [x], lambda x: x[torch.tensor([[1, 3], [1, -4]])], [[[1, 3], [1, -4]]])
    yield from both("indexSelect", [x], lambda x: x.index_select(1, torch.tensor([2, 0, 2])), [1, [2, 0, 2]])
    picks = [[[1, 0, 1, 2, 2]], [[0, 0, 0, 0, 0]], [[2, 1, 2, 1, 2]], [[1, 1, 1, 1, 1]]]
    yield from both("gather", [x], lambda x: x.gather(1, torch.tensor(picks)), [1, picks])
    mask = [[True, False, True], [False, False, True]]
    yield from both("where", [normal(2, 3), normal(3)], lambda a, b: torch.where(torch.tensor(mask), a, b), [mask])
    yield from both("stack", [normal(2, 3), normal(2, 3)], lambda a, b: torch.stack([a, b], 1), [1])
    for equation, *shapes in [
        ("bij,bjk->bik", [2, 3, 4], [2, 4, 5]),
        ("ij,kj->ik", [3, 4], [5, 4]),
        ("ij,ij->", [3, 4], [3, 4]),
        ("i,j->ij", [3], [4]),
        ("ij->ji", [3, 4]),
        ("ij->j", [3, 4]),
        ("ii->i", [4, 4]),
        ("ii", [4, 4]),
        ("bhid,bhjd->bhij", [2, 2, 3, 4], [2, 2, 5, 4]),
        ("...i,i->...", [2, 3, 4], [4]),
        ("...ij,...jk", [2, 3, 4], [1, 4, 5]),
        ("ba,ab", [2, 3], [3, 2]),
        ("ijk,jil->kl", [2, 3, 4], [3, 2, 5]),
    ]:
        yield from both("einsum", [normal(*shape) for shape in shapes], lambda *xs: torch.einsum(equation, *xs), [equation])


def losses():
    logits, targets = normal(6, 5), [1, 4, -100, 0, 2, 4]
    weight = normal(5).abs() + 0.1
    chances = normal(6, 5).softmax(1)
    for reduction in ("mean", "sum", "none"):
        for smoothing in (0.0, 0.1):
            for weighted in (False, True):
                inputs = [logits, weight.float().double()] if weighted else [logits]
                options = {"reduction": reduction, "labelSmoothing": smoothing}
                run = lambda x, w=None: F.cross_entropy(
                    x, torch.tensor(targets), weight=None if w is None else w.detach(), reduction=reduction, label_smoothing=smoothing
                )
                yield case("crossEntropy", inputs, run, [targets, options])
                run = lambda x, y, w=None: F.cross_entropy(
                    x, y, weight=None if w is None else w.detach(), reduction=reduction, label_smoothing=smoothing
                )
                yield case("expectedEntropy", [logits, chances, *inputs[1:]], run, [options])
        y = torch.rand((4, 3), generator=generator, dtype=torch.float64)
        p = torch.rand((4, 3), generator=generator, dtype=torch.float64)
        yield from both("binaryCrossEntropy", [p, y], lambda p, y: F.binary_cross_entropy(p, y, reduction=reduction), [{"reduction": reduction}])
        yield from both("binaryCrossEntropyWithLogits", [normal(4, 3) * 5, y], lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction=reduction), [{"reduction": reduction}])
        yield from both("mseLoss", [normal(4, 3), normal(4, 3)], lambda x, y: F.mse_loss(x, y, reduction=reduction), [{"reduction": reduction}])
    images = normal(2, 5, 3)
    places = [[1, 0, 4], [2, 2, 3]]
    yield case("crossEntropy", [images, weight], lambda x, w: F.cross_entropy(x, torch.tensor(places), weight=w.detach()), [places, {}])
    yield from both("posWeight", [normal(4, 3), y, normal(3).abs()], lambda x, y, w: F.binary_cross_entropy_with_logits(x, y, pos_weight=w.detach()))
    for dim in (0, 1, -1):
        yield from both("cosineSimilarity", [normal(3, 4), normal(3, 4)], lambda a, b: F.cosine_similarity(a, b, dim), [dim])
    yield from both("cosineSimilarity", [normal(3, 1, 4), normal(1, 2, 4)], lambda a, b: F.cosine_similarity(a, b, 2), [2])
    for p, dim in ((2, 1), (1, 0), (3, -1), (math.inf, 1)):
        given = "Infinity" if p == math.inf else p
        yield from both("normalize", [normal(3, 4)], lambda x: F.normalize(x, p, dim), [given, dim])
    yield from both("normalize", [torch.zeros(2, 3, dtype=torch.float64)], lambda x: F.normalize(x), [2, 1])
    def info_nce(q, k, symmetric):
        similar = F.normalize(q) @ F.normalize(k).T / 0.1
        right = torch.arange(len(q))
        loss = F.cross_entropy(similar, right)
        return (loss + F.cross_entropy(similar.T, right)) / 2 if symmetric else loss
    for symmetric in (False, True):
        yield from both("infoNCE", [normal(5, 8), normal(5, 8)], lambda q, k: info_nce(q, k, symmetric), [{"symmetric": symmetric}])


def layers():
    for bias in (True, False):
        torch.manual_seed(3)
        linear = torch.nn.Linear(7, 5, bias=bias)
        yield {"layer": "Linear", "bias": bias, "seed": 3, "state": {k: dump(v) for k, v in linear.state_dict().items()}}


def draws():
    def of(op, args, function):
        torch.manual_seed(11)
        first = function()
        return {"op": op, "args": args, "out": dump(first), "after": dump(torch.rand(1))}
    yield of("randint", [10, [20]], lambda: torch.randint(10, (20,)))
    yield of("randint", [-5, 1000, [3, 4]], lambda: torch.randint(-5, 1000, (3, 4)))
    yield of("randint", [0, 2**28, [5]], lambda: torch.randint(2**28, (5,)))
    yield of("randint", [0, 2**40, [5], {"dtype": "int64"}], lambda: torch.randint(2**40, (5,)))
    for size in (5, 16, 40):
        yield of("randn", [[size], {"dtype": "float64"}], lambda: torch.randn(size, dtype=torch.float64))
        yield of("rand", [[size], {"dtype": "float64"}], lambda: torch.rand(size, dtype=torch.float64))
    yield of("normal", [1, 2, [20]], lambda: torch.normal(1.0, 2.0, (20,)))
    chances = [0.1, 0.5, 0.9, 0, 1, 0.3]
    for name in ("float32", "float64"):
        yield of("bernoulli", [chances, name], lambda: torch.bernoulli(torch.tensor(chances, dtype=getattr(torch, name))))
    weights = [1.0, 5.0, 0.0, 2.0, 0.5]
    for name in ("float32", "float64"):
        yield of("multinomial", [weights, name, 20, True], lambda: torch.multinomial(torch.tensor(weights, dtype=getattr(torch, name)), 20, replacement=True))
        yield of("multinomial", [weights, name, 4, False], lambda: torch.multinomial(torch.tensor(weights, dtype=getattr(torch, name)), 4))
    means = [0.0, 10.0, -10.0]
    yield of("normalOf", [means, [1.0, 2.0, 0.5]], lambda: torch.normal(torch.tensor(means), torch.tensor([1.0, 2.0, 0.5])))


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("operations.json")
    sections = {"functions": functions, "choices": choices, "losses": losses, "layers": layers, "draws": draws}
    made = f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), python {platform.python_version()}"
    lines = [f'"made with": {json.dumps(made)}']
    for name, make in sections.items():
        lines.append(f'"{name}": [\n' + ",\n".join(json.dumps(one, separators=(",", ":")) for one in make()) + "\n]")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
