"""Writes more.json: trajectories of optimizers and options that optim.json lacks, schedules, and norms of gradients.

    python make_more.py                  writes more.json beside this script
    python make_more.py other.json       writes elsewhere, to compare releases

Needs torch, which brings numpy. Trajectories are as in make.py: PyTorch's for one tensor at a time, with its own square
roots ("mkl") and with those of numpy ("exact"). Lion is not one of PyTorch's: it is written out in float64, by the program
of its paper.
"""

import contextlib
import json
import pathlib
import platform
import sys

import numpy
import torch

STEPS = 60
KEPT = (1, 10, 60)
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


def run(make, seed, dtype):
    torch.manual_seed(seed)
    param = torch.nn.Parameter(torch.randn(SHAPE).to(dtype))
    optimizer = make([param])
    kept = {}
    for step in range(1, STEPS + 1):
        param.grad = torch.randn(SHAPE).to(dtype)
        optimizer.step()
        if step in KEPT:
            kept[step] = dump(param)
    return kept


def trajectory(seed, name, ours, theirs):
    make = lambda params: getattr(torch.optim, name)(params, **theirs, foreach=False)
    for dtype in ("float32", "float64"):
        mkl = run(make, seed, getattr(torch, dtype))
        with rounded_correctly():
            exact = run(make, seed, getattr(torch, dtype))
        yield {"optimizer": name, "seed": seed, "dtype": dtype, "options": ours, "mkl": mkl, "exact": exact}


def trajectories():
    yield from trajectory(1, "SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}, {"lr": 0.05, "momentum": 0.9, "dampening": 0.3})
    yield from trajectory(2, "SGD", {"lr": 0.05, "maximize": True, "weightDecay": 0.1}, {"lr": 0.05, "maximize": True, "weight_decay": 0.1})
    for seed, name in enumerate(["Adam", "AdamW"], 3):
        yield from trajectory(seed, name, {"lr": 0.01, "amsgrad": True, "weightDecay": 0.1}, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1})
        yield from trajectory(seed + 10, name, {"lr": 0.01, "maximize": True}, {"lr": 0.01, "maximize": True})
    yield from trajectory(5, "Adagrad", {"lr": 0.1, "lrDecay": 0.05, "maximize": True}, {"lr": 0.1, "lr_decay": 0.05, "maximize": True})
    yield from trajectory(6, "RMSprop", {}, {})
    yield from trajectory(7, "RMSprop", {"alpha": 0.9, "weightDecay": 0.1, "eps": 1e-3}, {"alpha": 0.9, "weight_decay": 0.1, "eps": 1e-3})
    yield from trajectory(8, "RMSprop", {"momentum": 0.9}, {"momentum": 0.9})
    yield from trajectory(9, "RMSprop", {"momentum": 0.9, "centered": True}, {"momentum": 0.9, "centered": True})
    yield from trajectory(10, "RMSprop", {"centered": True, "alpha": 0.3, "maximize": True}, {"centered": True, "alpha": 0.3, "maximize": True})


def lion(seed, lr, betas, decay):
    torch.manual_seed(seed)
    param = torch.randn(SHAPE).double()
    m = torch.zeros(SHAPE, dtype=torch.float64)
    kept = {}
    for step in range(1, STEPS + 1):
        grad = torch.randn(SHAPE).double()
        update = (betas[0] * m + (1 - betas[0]) * grad).sign()
        param = param - lr * (update + decay * param)
        m = betas[1] * m + (1 - betas[1]) * grad
        if step in KEPT:
            kept[step] = dump(param)
    return {"seed": seed, "options": {"lr": lr, "betas": betas, "weightDecay": decay}, "params": kept}


def schedule(name, ours, make, steps=30, base=0.1, momentum=0.0, metrics=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=momentum)
    schedule = make(optimizer)
    rates, momenta = [], []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        schedule.step(*([] if metrics is None else [metrics[step]]))
    return {"schedule": name, "options": ours, "base": base, "momentum": momentum, "metrics": metrics, "rates": rates, "momenta": momenta}


def schedules():
    S = torch.optim.lr_scheduler
    yield schedule("StepLR", {"stepSize": 7, "gamma": 0.3}, lambda o: S.StepLR(o, 7, 0.3))
    yield schedule("StepLR", {"stepSize": 5}, lambda o: S.StepLR(o, 5))
    yield schedule("MultiStepLR", {"milestones": [3, 10, 10, 20], "gamma": 0.5}, lambda o: S.MultiStepLR(o, [3, 10, 10, 20], 0.5))
    yield schedule("ExponentialLR", {"gamma": 0.9}, lambda o: S.ExponentialLR(o, 0.9))
    yield schedule("PolynomialLR", {"totalIters": 20, "power": 2}, lambda o: S.PolynomialLR(o, 20, 2))
    yield schedule("PolynomialLR", {}, lambda o: S.PolynomialLR(o))
    yield schedule("CosineAnnealingWarmRestarts", {"t0": 5}, lambda o: S.CosineAnnealingWarmRestarts(o, 5))
    yield schedule("CosineAnnealingWarmRestarts", {"t0": 3, "tMult": 2, "etaMin": 0.01}, lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2, 0.01))
    yield schedule("OneCycleLR", {"maxLr": 1, "totalSteps": 40}, lambda o: S.OneCycleLR(o, 1, 40, cycle_momentum=True), momentum=0.9)
    yield schedule("OneCycleLR", {"maxLr": 1, "totalSteps": 40, "annealStrategy": "linear", "threePhase": True, "pctStart": 0.2, "divFactor": 10, "finalDivFactor": 100, "cycleMomentum": False}, lambda o: S.OneCycleLR(o, 1, 40, anneal_strategy="linear", three_phase=True, pct_start=0.2, div_factor=10, final_div_factor=100, cycle_momentum=False))
    metrics = [1.0, 0.9, 0.8, 0.8, 0.8, 0.79999, 0.8, 0.7, 0.75, 0.75, 0.75, 0.74, 0.76, 0.77, 0.77, 0.77, 0.77, 0.77, 0.77, 0.77]
    yield schedule("ReduceLROnPlateau", {"patience": 2}, lambda o: S.ReduceLROnPlateau(o, patience=2), steps=20, metrics=metrics)
    yield schedule("ReduceLROnPlateau", {"mode": "max", "factor": 0.5, "patience": 1, "threshold": 0.01, "thresholdMode": "abs", "cooldown": 2, "minLr": 0.02}, lambda o: S.ReduceLROnPlateau(o, "max", 0.5, 1, 0.01, "abs", 2, 0.02), steps=20, metrics=metrics)
    yield schedule("LambdaLR", "lambda", lambda o: S.LambdaLR(o, lambda epoch: 0.95**epoch))
    yield schedule("ChainedScheduler", "chained", lambda o: S.ChainedScheduler([S.StepLR(o, 4, 0.5), S.ExponentialLR(o, 0.95)]))


def norms():
    torch.manual_seed(9)
    grads = [torch.randn(4, 3), torch.randn(6, dtype=torch.float32) * 3]
    for kind in (1.0, 2.0, 3.0, 0.5, float("inf")):
        params = [torch.nn.Parameter(torch.zeros_like(grad)) for grad in grads]
        for param, grad in zip(params, grads):
            param.grad = grad.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, 1.5, kind)
        yield {"kind": "Infinity" if kind == float("inf") else kind, "grads": [dump(grad) for grad in grads], "norm": norm.item(), "clipped": [dump(param.grad) for param in params]}


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("more.json")
    made = f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), numpy {numpy.__version__}, python {platform.python_version()}"
    parts = {
        "trajectories": list(trajectories()),
        "lion": [lion(1, 0.01, (0.9, 0.99), 0.1), lion(2, 0.001, (0.5, 0.9), 0)],
        "schedules": list(schedules()),
        "norms": list(norms()),
    }
    lines = [f'"made with": {json.dumps(made)}']
    lines += [f'"{name}": [\n' + ",\n".join(json.dumps(one) for one in part) + "\n]" for name, part in parts.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
