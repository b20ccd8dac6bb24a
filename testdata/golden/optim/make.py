"""Writes optim.json: trajectories of PyTorch's optimizers, rates of schedules, and clipped gradients.

    python make.py                  writes optim.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch and transformers. Optimizers are PyTorch's for one tensor at a time (foreach=False, fused=False).
Parameter and gradients are drawn by randn after manual_seed(seed), the parameter first, then a gradient each step; a
float64 one is converted from float32.

PyTorch built with MKL takes square roots from it, which rounds one in six wrongly. So every trajectory is written
twice: as PyTorch gives it ("mkl"), to be compared within a tolerance, and with numpy's square root, which is rounded as
IEEE says ("exact"), to be compared to the bit.
"""

import contextlib
import json
import pathlib
import platform
import sys

import numpy
import torch
import transformers

STEPS = 100
KEPT = (1, 10, 100)
SHAPE = (5, 7)


def dump(tensor):
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    return {"t": name, "s": list(tensor.shape), "v": tensor.reshape(-1).tolist()}


@contextlib.contextmanager
def rounded_correctly():
    kept = torch.Tensor.sqrt, torch.Tensor.sqrt_
    torch.Tensor.sqrt = lambda self: torch.from_numpy(numpy.sqrt(self.numpy()))
    torch.Tensor.sqrt_ = lambda self: self.copy_(self.sqrt())
    try:
        yield
    finally:
        torch.Tensor.sqrt, torch.Tensor.sqrt_ = kept


def ids_of(step):
    """The ids of the rows in a step's gradient, ascending and distinct."""
    return sorted({(step * 3) % SHAPE[0], (step * 5 + 1) % SHAPE[0], (step * step) % 3})


def run(make, seed, dtype, sparse, rates):
    torch.manual_seed(seed)
    param = torch.nn.Parameter(torch.randn(SHAPE).to(dtype))
    optimizer = make([param])
    kept = {}
    for step in range(1, STEPS + 1):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[(step - 1) % len(rates)]
        grad = torch.randn(SHAPE).to(dtype)
        if sparse:
            ids = torch.tensor(ids_of(step))
            grad = torch.sparse_coo_tensor(ids[None], grad[ids], SHAPE, is_coalesced=True)
        param.grad = grad
        optimizer.step()
        if step in KEPT:
            kept[step] = dump(param)
    state = {k: dump(v) for k, v in optimizer.state[param].items() if torch.is_tensor(v) and v.shape == param.shape}
    return {"params": kept, "state": state}


def trajectory(seed, name, ours, theirs, sparse=False, dtypes=("float32", "float64"), rates=None):
    single = {} if name == "SparseAdam" else {"foreach": False}
    make = lambda params: getattr(torch.optim, name)(params, **theirs, **single)
    for dtype in dtypes:
        args = (make, seed, getattr(torch, dtype), sparse, rates)
        mkl = run(*args)
        with rounded_correctly():
            exact = run(*args)
        yield {"optimizer": name, "seed": seed, "dtype": dtype, "sparse": sparse, "options": ours, "rates": rates, "mkl": mkl["params"], "exact": exact}


def trajectories():
    seed = 0
    for momentum, nesterov in [(0, False), (0.9, False), (0.9, True)]:
        for decay in [0, 0.01]:
            seed += 1
            yield from trajectory(seed, "SGD", {"lr": 0.05, "momentum": momentum, "nesterov": nesterov, "weightDecay": decay},
                                  {"lr": 0.05, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay})
    for name in ["Adam", "AdamW"]:
        for betas, eps in [((0.9, 0.999), 1e-8), ((0.4, 0.9), 1e-3)]:
            for decay in [0, 0.1]:
                seed += 1
                yield from trajectory(seed, name, {"lr": 0.01, "betas": betas, "eps": eps, "weightDecay": decay},
                                      {"lr": 0.01, "betas": betas, "eps": eps, "weight_decay": decay})
    yield from trajectory(50, "AdamW", {"lr": 1}, {"lr": 1}, rates=[0.01, 0.02, 0.03, 0.02, 0.005, 0])
    yield from trajectory(51, "Adam", {}, {})
    yield from trajectory(52, "AdamW", {}, {})
    for decay, start, eps in [(0, 0, 1e-10), (0.02, 0.5, 1e-3)]:
        seed += 1
        yield from trajectory(seed, "Adagrad", {"lr": 0.1, "weightDecay": decay, "initialAccumulatorValue": start, "eps": eps},
                              {"lr": 0.1, "weight_decay": decay, "initial_accumulator_value": start, "eps": eps})
    yield from trajectory(60, "SGD", {"lr": 0.05}, {"lr": 0.05}, sparse=True, dtypes=("float32",))
    yield from trajectory(61, "SparseAdam", {"lr": 0.01}, {"lr": 0.01}, sparse=True, dtypes=("float32",))
    yield from trajectory(62, "SparseAdam", {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-4}, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-4}, sparse=True, dtypes=("float32",))
    yield from trajectory(63, "Adagrad", {"lr": 0.1}, {"lr": 0.1}, sparse=True, dtypes=("float32",))


def row_wise(seed, lr, eps):
    """FBGEMM's rule in float64: for each row, h += mean(g^2) and p -= lr / (sqrt(h) + eps) * g."""
    torch.manual_seed(seed)
    param = torch.randn(SHAPE).double()
    h = torch.zeros(SHAPE[0], dtype=torch.float64)
    kept = {}
    for step in range(1, STEPS + 1):
        grad = torch.randn(SHAPE).double()
        h += grad.square().mean(1)
        param -= (lr / (h.sqrt() + eps))[:, None] * grad
        if step in KEPT:
            kept[step] = dump(param)
    return {"seed": seed, "options": {"lr": lr, "eps": eps}, "params": kept, "sum": dump(h)}


def rates(make, base, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def schedules():
    t = transformers
    yield {"type": "constant"}, 0.1, rates(lambda o: t.get_constant_schedule(o), 0.1, 6)
    yield {"type": "constant", "warmupSteps": 4}, 0.1, rates(lambda o: t.get_constant_schedule_with_warmup(o, 4), 0.1, 8)
    for warmup in [0, 1, 7]:
        yield {"type": "linear", "warmupSteps": warmup, "totalSteps": 20}, 0.3, rates(lambda o: t.get_linear_schedule_with_warmup(o, warmup, 20), 0.3, 24)
        yield {"type": "cosine", "warmupSteps": warmup, "totalSteps": 20}, 0.3, rates(lambda o: t.get_cosine_schedule_with_warmup(o, warmup, 20), 0.3, 21)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR
    yield {"type": "cosine", "totalSteps": 15, "minLr": 0.01}, 0.2, rates(lambda o: cosine(o, 15, eta_min=0.01), 0.2, 16)
    linear = torch.optim.lr_scheduler.LinearLR
    yield {"type": "linear", "totalSteps": 10, "minLr": 0.05}, 0.2, rates(lambda o: linear(o, 1.0, 0.25, 10), 0.2, 14)


def clipped():
    torch.manual_seed(70)
    shapes = [(5, 7), (5,), (2, 3, 4)]
    grads = [torch.randn(shape) for shape in shapes]
    for limit in [0.5, 3.0, 100.0]:
        params = [torch.nn.Parameter(torch.zeros(shape)) for shape in shapes]
        for param, grad in zip(params, grads):
            param.grad = grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, limit, foreach=False).item()
        by_norm = [dump(param.grad) for param in params]
        for param, grad in zip(params, grads):
            param.grad = grad.clone()
        torch.nn.utils.clip_grad_value_(params, limit, foreach=False)
        yield {"seed": 70, "shapes": shapes, "limit": limit, "norm": norm, "byNorm": by_norm, "byValue": [dump(param.grad) for param in params]}


def main():
    torch.set_num_threads(1)
    result = {
        "made with": f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), transformers {transformers.__version__}, python {platform.python_version()}",
        "ids": {step: ids_of(step) for step in range(1, STEPS + 1)},
        "trajectories": list(trajectories()),
        "rowWise": [row_wise(80, 0.1, 1e-8), row_wise(81, 0.02, 1e-3)],
        "schedules": [{"options": options, "lr": lr, "rates": found} for options, lr, found in schedules()],
        "clipped": list(clipped()),
    }
    where = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("optim.json")
    lines = json.dumps(result).replace('{"optimizer"', '\n{"optimizer"')
    where.write_text(lines + "\n")


main()
