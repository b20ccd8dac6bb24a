"""Times faiss, numpy and usearch: search.py ROWS.npy QUERIES.npy K ROUNDS. Prints JSON: medians in milliseconds for one
query and for all, and the ids that faiss finds.

One thread: OPENBLAS_NUM_THREADS and OMP_NUM_THREADS are 1; OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are not set.
"""

import json
import statistics
import sys
import time

import numpy as np

rows, queries = np.load(sys.argv[1]), np.load(sys.argv[2])
k, rounds = map(int, sys.argv[3:])


def timed(run, rounds):
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def best(found):
    """The columns of the k largest, in order."""
    at = np.argpartition(found, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(found, at, axis=1), axis=1)
    return np.take_along_axis(at, order, axis=1)


result = {"versions": {"numpy": np.__version__}, "one": {}, "all": {}}
one = queries[:1]
result["one"]["numpy"] = timed(lambda: best(one @ rows.T), rounds)
# A matrix of all scores would take gigabytes: users take a hundred queries at a time.
parts = [queries[at : at + 100] for at in range(0, len(queries), 100)]
result["all"]["numpy"] = timed(lambda: [best(part @ rows.T) for part in parts], 1)
try:
    import threadpoolctl

    result["blas"] = [
        {name: pool.get(name) for name in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpoolctl.threadpool_info()
    ]
except ImportError:
    result["blas"] = None
try:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    result["versions"]["faiss"] = faiss.__version__
    result["one"]["faiss"] = timed(lambda: index.search(one, k), rounds)
    result["all"]["faiss"] = timed(lambda: index.search(queries, k), max(1, rounds // 4))
    result["ids"] = index.search(queries, k)[1].tolist()
    del index
except ImportError:
    pass
try:
    import usearch
    from usearch.index import MetricKind, search

    result["versions"]["usearch"] = usearch.__version__
    result["one"]["usearch"] = timed(lambda: search(rows, one[0], k, MetricKind.IP, exact=True, threads=1), rounds)
    result["all"]["usearch"] = timed(lambda: search(rows, queries, k, MetricKind.IP, exact=True, threads=1), 1)
except ImportError:
    pass
print(json.dumps(result))
