"""Writes whole.json: trajectories of PyTorch's optimizers that step on whole parameters, Adafactor and Muon.

    python make_whole.py                  writes whole.json beside this script
    python make_whole.py other.json       writes elsewhere, to compare releases

Needs torch, of 2.9 or later, which brings numpy. Parameter and gradients are drawn by randn after manual_seed(seed), the
parameter first, then a gradient each step; a float64 one is converted from float32.
"""

import json
import pathlib
import platform
import sys

import torch

STEPS = 40
KEPT = (1, 5, 40)


def dump(tensor):
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    return {"t": name, "s": list(tensor.shape), "v": tensor.reshape(-1).tolist()}


def trajectory(seed, name, shape, ours, theirs, rates=None):
    for dtype in ("float32", "float64"):
        torch.manual_seed(seed)
        param = torch.nn.Parameter(torch.randn(shape).to(getattr(torch, dtype)))
        optimizer = getattr(torch.optim, name)([param], **theirs)
        kept = {}
        for step in range(1, STEPS + 1):
            if rates is not None:
                optimizer.param_groups[0]["lr"] = rates[(step - 1) % len(rates)]
            param.grad = torch.randn(shape).to(param.dtype)
            optimizer.step()
            if step in KEPT:
                kept[step] = dump(param)
        state = {key: dump(value) for key, value in optimizer.state[param].items()}
        yield {"optimizer": name, "seed": seed, "shape": shape, "dtype": dtype, "options": ours, "rates": rates, "params": kept, "state": state}


def trajectories():
    yield from trajectory(1, "Adafactor", (5, 7), {}, {})
    yield from trajectory(2, "Adafactor", (9, 3), {"lr": 0.05, "weightDecay": 0.1}, {"lr": 0.05, "weight_decay": 0.1})
    yield from trajectory(3, "Adafactor", (2, 3, 4), {"lr": 0.5, "d": 1.5, "beta2Decay": -0.5}, {"lr": 0.5, "d": 1.5, "beta2_decay": -0.5})
    yield from trajectory(4, "Adafactor", (6,), {"lr": 0.1, "maximize": True}, {"lr": 0.1, "maximize": True})
    yield from trajectory(5, "Adafactor", (300, 4), {"eps": [0.5, 2.0], "lr": 0.1}, {"eps": (0.5, 2.0), "lr": 0.1})
    yield from trajectory(6, "Adafactor", (4, 4), {"lr": 1}, {"lr": 1}, rates=[0.01, 0.02, 0.03, 0.02, 0.005, 0.0])
    yield from trajectory(11, "Muon", (5, 7), {}, {})
    yield from trajectory(12, "Muon", (9, 3), {"lr": 0.05, "weightDecay": 0, "nesterov": False}, {"lr": 0.05, "weight_decay": 0, "nesterov": False})
    yield from trajectory(13, "Muon", (6, 6), {"lr": 0.02, "momentum": 0.3, "adjustLrFn": "match_rms_adamw"}, {"lr": 0.02, "momentum": 0.3, "adjust_lr_fn": "match_rms_adamw"})
    yield from trajectory(14, "Muon", (3, 8), {"lr": 0.02, "nsSteps": 3, "nsCoefficients": [2, -1.5, 0.5], "eps": 1e-3, "adjustLrFn": "spectral_unclamped"}, {"lr": 0.02, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3, "adjust_lr_fn": "spectral_unclamped"})
    yield from trajectory(15, "Muon", (20, 17), {"lr": 0.02}, {"lr": 0.02})


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("whole.json")
    torch.set_num_threads(1)
    made = f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), python {platform.python_version()}"
    lines = ",\n".join(json.dumps(one) for one in trajectories())
    path.write_text(f'{{\n"made with": {json.dumps(made)},\n"trajectories": [\n{lines}\n]\n}}\n')


main()
