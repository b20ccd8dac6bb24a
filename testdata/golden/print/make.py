"""Writes print.json: how PyTorch prints tensors, with tokenbed's names.

    python make.py        (torch 2.15.0)

torch itself lays out the elements and the suffixes after them; only the names in these are tokenbed's:
requiresGrad=true, dtype=int64, shape=[0, 3], true and false, and no dtype for int32 where torch shows none for int64.

A case has a name, dtype, shape, suffixes, text, and values, which are repeated until the shape is full. Values that
JSON cannot represent are strings: "nan", "inf", "-inf", "-0", and integers beyond 2^53.
"""

import json
import math
import pathlib

import torch
from torch import _tensor_str as torch_text

PREFIX = "tensor("
OBVIOUS = (torch.float32, torch.int32, torch.bool)

cases = []


def words(tensor, suffixes):
    notes = []
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.numel() == 0:
        if tensor.dim() != 1:
            notes.append(f"shape={list(tensor.shape)}")
        if tensor.dtype != torch.float32:
            notes.append(f"dtype={name}")
    elif tensor.dtype not in OBVIOUS:
        notes.append(f"dtype={name}")
    return notes + suffixes


def text_of(tensor, suffixes):
    body = torch_text._tensor_str(tensor.detach(), len(PREFIX))
    body = body.replace("True", "true").replace("False", "false")
    return torch_text._add_suffixes(PREFIX + body, words(tensor, suffixes), len(PREFIX), False)


def plain(value):
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else str(value)
    if math.isfinite(value):
        return "-0" if value == 0 and math.copysign(1, value) < 0 else value
    return str(value)


def case(name, tensor, suffixes=(), period=None):
    """Adds a case. `period` is the number of elements until they repeat."""
    flat = tensor.detach().reshape(-1)
    values = flat[:period].tolist()
    if period is not None:
        repeats = -(-flat.numel() // period)
        assert flat.equal(flat[:period].repeat(repeats)[: flat.numel()]), name
    cases.append(
        {
            "name": name,
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "suffixes": list(suffixes),
            "values": [plain(value) for value in values],
            "text": text_of(tensor, list(suffixes)),
        }
    )


def repeated(pattern, shape, dtype=torch.float32):
    pattern = torch.tensor(pattern, dtype=dtype)
    size = math.prod(shape)
    return pattern.repeat(-(-size // len(pattern)))[:size].reshape(shape)


GRAD = ["requiresGrad=true"]
nan, inf = math.nan, math.inf


def floats():
    torch.manual_seed(123)
    case("the weight of Embedding(6, 3)", torch.nn.Embedding(6, 3).weight, GRAD)
    case("a sum", torch.tensor([0.5, -0.2, 0.1]) + torch.tensor([0.1, 0.3, -0.1]))
    case("scalar", torch.tensor(1.5))
    case("whole scalar", torch.tensor(-3.0))
    case("small scalar", torch.tensor(1e-5))
    case("scalar that learns", torch.tensor(0.25), GRAD)
    case("one element", torch.tensor([[[0.1]]]))
    case("whole numbers", torch.tensor([1.0, -2.0, 30.0]))
    case("zeros", torch.zeros(2, 3))
    case("negative zero alone", torch.tensor([-0.0, 0.0]))
    case("negative zero among fractions", torch.tensor([-0.0, 0.5, -0.00004, 0.125]))
    case("whole, with nan and infinities", torch.tensor([1.0, nan, -inf, inf, -0.0]))
    case("fractions, with nan and infinities", torch.tensor([1.5, nan, -inf, inf]))
    case("nothing finite", torch.tensor([nan, inf, -inf]))
    case("nothing finite but zero", torch.tensor([nan, 0.0, -inf]))
    case("different widths", torch.tensor([[1.5, -100.25], [0.001953125, 20.0]]))


def scientific():
    case("just under a ratio of 1000", torch.tensor([0.5, 499.5]))
    case("a ratio of exactly 1000", torch.tensor([0.5, 500.0]))
    case("above a ratio of 1000", torch.tensor([0.5, 500.25]))
    case("large", torch.tensor([1e8, 1.00000008e8]))
    case("exactly 1e8", torch.tensor([1e8, 5e7]))
    case("above 1e8", torch.tensor([100000008.0, 50000000.0]))
    case("whole and scientific", torch.tensor([1.0, 2000.0, -12345678.0]))
    case("small", torch.tensor([0.0001, 0.0002]))
    case("below 1e-4", torch.tensor([0.00009, 0.00005]))
    case("three digits of exponent", torch.tensor([1e-300, 1e200, -2.5e100], dtype=torch.float64))
    case("with zeros, nan and infinities", torch.tensor([0.0, -0.0, 1e-5, nan, inf, -inf]))
    case("a whole number carries", torch.tensor([9.99996e9, 9.99994e9, 9.99999e-5], dtype=torch.float64))
    case("the smallest and the largest", torch.tensor([1e-45, 3.4028234663852886e38, 1.1754943508222875e-38]))


def ties():
    odd = [k / 32 for k in range(1, 40, 2)]
    case("exact middles: fixed", torch.tensor(odd))
    case("exact middles: fixed, negative", torch.tensor([-x for x in odd]))
    case("exact middles: scientific", torch.tensor([100005.0, 100015.0, 300025.0, -300035.0, 999995.0, 1.0]))
    case("almost a middle", torch.tensor([0.00005, 0.00015, 0.00025, 0.0312500037, 0.0312499963]))
    case("almost a middle in float64", torch.tensor([0.03125 + 2**-57, 0.03125 - 2**-57, 0.0625], dtype=torch.float64))


def dtypes():
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        case(f"{dtype} fractions", torch.tensor([[0.1, -2.5], [3.140625, 1.0]], dtype=dtype))
        case(f"{dtype} whole", torch.tensor([1, 2, 3], dtype=dtype), GRAD)
        case(f"{dtype} small", torch.tensor([0.00003, 1], dtype=dtype))
    case("float16 at its largest", torch.tensor([65504.0, inf], dtype=torch.float16))
    for dtype in (torch.int8, torch.uint8, torch.int32, torch.int64):
        case(f"{dtype}", torch.tensor([[1, 22], [100, 0]], dtype=dtype))
        case(f"{dtype} scalar", torch.tensor(7, dtype=dtype))
    case("negative int32", torch.tensor([[-1, 22, 333], [-4444, 5, 0]], dtype=torch.int32))
    case("the ends of int64", torch.tensor([-(2**63), 2**63 - 1, 0]))
    case("ids of a batch", torch.arange(32, dtype=torch.int32).reshape(8, 4) * 1597)
    case("bool", torch.tensor([[True, False], [False, False]]))
    case("all true", torch.tensor([True, True]))
    case("bool scalars", torch.tensor(True))
    case("false", torch.tensor(False))


def shapes():
    for shape in ((0,), (0, 3), (2, 0), (2, 0, 4)):
        case(f"empty {shape}", torch.empty(shape), GRAD)
        case(f"empty {shape} int32", torch.empty(shape, dtype=torch.int32))
        case(f"empty {shape} int64", torch.empty(shape, dtype=torch.int64))
        case(f"empty {shape} bool", torch.empty(shape, dtype=torch.bool))
    generator = torch.Generator().manual_seed(7)
    for shape in ((8,), (9,), (10,), (17,), (64,), (3, 20), (2, 3, 4), (2, 1, 2, 3), (1, 1, 1, 1), (2, 2, 2, 2, 2)):
        case(f"shape {shape}", torch.randn(shape, generator=generator))
    case("wide int lines", torch.arange(100, dtype=torch.int32))
    case("wide bool lines", torch.arange(40) % 3 == 0)
    case("one column", torch.randn((12, 1), generator=generator))
    case("elements wider than a line", torch.tensor([2**63 - 1] * 9))


def suffixes():
    # Every length of the last line: on some of them the suffixes fit, on others not.
    for columns in range(1, 20):
        elements = torch.arange(columns, dtype=torch.int32) % 10
        case(f"{columns} elements and words", elements, ["gradFn=<AddBackward0>", *GRAD])
    for columns in range(5, 10):
        case(f"{columns} fractions and words", torch.arange(columns) / 8, GRAD)
        case(f"{columns} float64 fractions and words", (torch.arange(columns) / 8).double(), GRAD)
    case("words too long for any line", torch.tensor([1.5]), ["gradFn=<" + "x" * 90 + ">", *GRAD])


def summaries():
    pattern = [0.5, -1.25, 2.0, 0.0625, -0.75, 1.0, 3.0]
    for shape in ((1000,), (1001,), (10, 100), (7, 143), (6, 167), (143, 7), (167, 6), (2, 501), (501, 2), (1001, 1)):
        case(f"summary {shape}", repeated(pattern, shape), GRAD, period=len(pattern))
    for shape in ((8, 4, 768), (2, 3, 7, 30), (7, 7, 7, 7), (1, 1, 1001), (6, 6, 6, 6), (1100, 1, 1), (7, 2, 1, 80)):
        case(f"summary {shape}", repeated(pattern, shape), period=len(pattern))
    case("summary of a vocabulary's table", repeated(pattern, (50257, 16)), GRAD, period=len(pattern))
    case("summary of int32", repeated([3, -10, 500, 70000, 2], (1003,), torch.int32), period=5)
    case("summary of int64", repeated([3, -10, 500, 70000, 2], (40, 60), torch.int64), period=5)
    case("summary of bool", repeated([True, False, False], (2000,), torch.bool), period=3)
    case("summary of scientific", repeated([1e-7, 2.5, 33.0], (50, 50)), period=3)
    # Elements that are not shown have no effect on how the others are written.
    hidden = torch.ones(1500)
    hidden[700] = 1e-9
    case("hidden elements have no say", hidden)


for part in (floats, scientific, ties, dtypes, shapes, suffixes, summaries):
    part()

path = pathlib.Path(__file__).with_name("print.json")
lines = ",\n".join("  " + json.dumps(item, allow_nan=False) for item in cases)
path.write_text(f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n')
print(f"{len(cases)} cases")
