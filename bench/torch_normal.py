"""Times PyTorch's normal_ on a table that is there: torch_normal.py ROWS DIM. Prints JSON."""

import json
import statistics
import sys
import time

import torch

rows, dim = map(int, sys.argv[1:])
table = torch.empty(rows, dim)
times = []
for _ in range(9):
    start = time.perf_counter()
    table.normal_()
    times.append((time.perf_counter() - start) * 1e3)
print(
    json.dumps(
        {
            "version": torch.__version__,
            "threads": torch.get_num_threads(),
            "milliseconds": statistics.median(times),
        }
    )
)
