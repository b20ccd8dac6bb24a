"""Times gensim's most_similar: gensim_neighbours.py ROWS DIM TOP. Prints JSON, the median in milliseconds.

As many threads as OPENBLAS_NUM_THREADS says.
"""

import json
import statistics
import sys
import time

import gensim
import numpy as np
from gensim.models import KeyedVectors

rows, dim, top = map(int, sys.argv[1:])
vectors = KeyedVectors(dim)
table = np.random.default_rng(1).standard_normal((rows, dim)).astype(np.float32)
vectors.add_vectors([f"w{i}" for i in range(rows)], table)
# Norms are computed at the first query, and kept.
vectors.most_similar("w0", topn=top)
times = []
for i in range(21):
    start = time.perf_counter()
    vectors.most_similar(f"w{i * 7}", topn=top)
    times.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"version": gensim.__version__, "median": statistics.median(times)}))
