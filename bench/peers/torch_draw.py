"""Times PyTorch drawing a table: torch_draw.py ROWS DIM. Prints JSON, times in milliseconds."""

import json
import statistics
import sys
import time

import torch


def median(run):
    times = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


rows, dim = map(int, sys.argv[1:])
table = torch.empty(rows, dim)
print(
    json.dumps(
        {
            "version": torch.__version__,
            "threads": torch.get_num_threads(),
            "normal": median(lambda: table.normal_()),
            "embedding": median(lambda: torch.nn.Embedding(rows, dim)),
        }
    )
)
