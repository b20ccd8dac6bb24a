"""Writes row-decay.json: trajectories of row-wise Adagrad with weight decay, as FBGEMM's CPU kernel computes it.

    python make_row_decay.py                  writes row-decay.json beside this script
    python make_row_decay.py other.json       writes elsewhere, to compare releases

Made with NumPy 2.4.6 in float64. FBGEMM has no wheel for processors, so its rule is written out here, from
`rowwise_adagrad` in fbgemm_gpu/codegen/genscript/optimizers.py at commit 00c10a03: of each row that the batch names,

    g'         = g + weight_decay * w          with WeightDecayMode.L2 (1), else g
    h          = h + sum(g'^2) / D
    multiplier = learning_rate / (sqrt(h) + eps)
    correction = 1 - multiplier * weight_decay with WeightDecayMode.L2, 1 - learning_rate * weight_decay with DECOUPLE (2)
    w          = correction * w - multiplier * g

Rows that the batch does not name stay as they are.
"""

import json
import pathlib
import platform
import sys

import numpy as np

STEPS = 60
KEPT = (1, 10, 60)
ROWS, DIM = 5, 7


def values(seed):
    return np.sin(np.arange(ROWS * DIM, dtype=np.float64) * (1 + seed) + seed).astype(np.float32).reshape(ROWS, DIM)


def ids_of(step):
    return sorted({(step * 3) % ROWS, (step * 5 + 1) % ROWS, (step * step) % 3})


def walk(lr, eps, decay, decoupled):
    weight = values(0).astype(np.float64)
    sums = np.zeros(ROWS)
    kept = {}
    for step in range(1, STEPS + 1):
        grad = values(step).astype(np.float64)
        for row in ids_of(step):
            w, g = weight[row], grad[row]
            with_decay = g if decoupled else g + decay * w
            sums[row] += (with_decay * with_decay).sum() / DIM
            multiplier = lr / (np.sqrt(sums[row]) + eps)
            correction = 1 - (lr if decoupled else multiplier) * decay
            weight[row] = correction * w - multiplier * g
        if step in KEPT:
            kept[step] = weight.reshape(-1).tolist()
    return {"options": {"lr": lr, "eps": eps, "weightDecay": decay, "decoupled": decoupled}, "params": kept, "sum": sums.tolist()}


def main():
    result = {
        "made_with": {"numpy": np.__version__, "python": platform.python_version()},
        "shape": [ROWS, DIM], "param": values(0).reshape(-1).tolist(),
        "steps": [{"ids": ids_of(step), "grad": values(step)[ids_of(step)].reshape(-1).tolist()} for step in range(1, STEPS + 1)],
        "cases": [walk(0.1, 1e-8, 0.05, False), walk(0.1, 1e-8, 0.05, True), walk(0.02, 1e-3, 0.5, False), walk(0.02, 1e-3, 0.5, True)],
    }
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("row-decay.json")
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")


main()
