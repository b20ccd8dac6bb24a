"""Writes clusters.json: rows, and the inertia of scikit-learn's best of ten k-means runs.

Made with scikit-learn 1.9.1 and NumPy 2.4.6. Run: python make.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import KMeans

folder = Path(__file__).parent
random = np.random.default_rng(11)


def blobs(rows, dim, centers, spread):
    """Rows around some centers, rounded so that their text is short."""
    middle = random.standard_normal((centers, dim)) * 3
    points = middle[random.integers(0, centers, rows)] + random.standard_normal((rows, dim)) * spread
    return np.round(points, 3).astype(np.float32)


tables = [
    (blobs(300, 4, 5, 0.5), 5),
    (blobs(400, 8, 12, 1.5), 12),
    (blobs(300, 6, 3, 1.0) + 100, 8),
    (np.round(random.standard_normal((250, 10)), 3).astype(np.float32), 20),
    (np.repeat(blobs(40, 3, 4, 1.0), 3, axis=0), 40),
]
cases = [
    {
        "rows": len(table),
        "dim": table.shape[1],
        "k": k,
        "inertia": min(KMeans(k, n_init=10, random_state=seed).fit(table).inertia_ for seed in range(3)),
        "table": [round(float(x), 3) for x in table.ravel()],
    }
    for table, k in tables
]
golden = {"sklearn": sklearn.__version__, "numpy": np.__version__, "cases": cases}
(folder / "clusters.json").write_text(json.dumps(golden) + "\n")
