"""Writes sampler.json: what PyTorch's loader gives with a WeightedRandomSampler.

    python make.py                  writes sampler.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Made with torch 1.13.1 (Debian's python3-torch). The loader and its sampler share one generator, and two epochs are
drawn; `order` is the sampler alone with a generator of its own.
"""

import json
import pathlib
import platform
import sys

import torch
from torch.utils.data import DataLoader, WeightedRandomSampler

CASES = [
    {"weights": [1, 2, 0, 3, 4, 0.5, 6, 2.5, 1, 9], "samples": 10, "replacement": True},
    {"weights": [1, 2, 0, 3, 4, 0.5, 6, 2.5, 1, 9], "samples": 25, "replacement": True},
    {"weights": [1, 2, 0, 3, 4, 0.5, 6, 2.5, 1, 9], "samples": 6, "replacement": False},
    {"weights": [0.1] * 10, "samples": 10, "replacement": False},
    {"weights": [0, 0, 1e-6, 0, 1e6, 0, 3, 0, 0, 0], "samples": 8, "replacement": True},
]


def case(seed, weights, samples, replacement):
    generator = torch.Generator().manual_seed(seed)
    order = list(WeightedRandomSampler(weights, samples, replacement, generator))
    generator = torch.Generator().manual_seed(seed)
    sampler = WeightedRandomSampler(weights, samples, replacement, generator)
    loader = DataLoader(range(len(weights)), batch_size=1, sampler=sampler, generator=generator)
    epochs = [[int(batch) for batch in loader] for _ in range(2)]
    return {"seed": seed, "weights": weights, "samples": samples, "replacement": replacement, "order": order, "epochs": epochs}


def main():
    result = {"made_with": {"torch": torch.__version__, "python": platform.python_version()},
              "cases": [case(seed, **one) for seed in (1, 77) for one in CASES]}
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("sampler.json")
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")


main()
