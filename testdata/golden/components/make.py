"""Writes components.json beside this script: principal components of rows whose variances are close. Run: python
make.py

They come from numpy.linalg.eigh of the covariance. __test__/vectors/pca.spec.ts draws the same rows again, from a
32-bit generator.
"""

import json
import pathlib

import numpy as np

ROWS, DIM, COUNT = 7758, 100, 4


def draw(count):
    """Numbers from -1 to 1, from the generator of Numerical Recipes (Press et al., section 7.1)."""
    state, numbers = 1, np.empty(count)
    for i in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        numbers[i] = state / 2**31 - 1
    return numbers


def components(x):
    x = x.astype(np.float32).astype(np.float64)
    x -= x.mean(0)
    values, vectors = np.linalg.eigh(x.T @ x)
    largest = np.argsort(values)[::-1][:COUNT]
    directions = vectors[:, largest].T
    signs = np.sign(directions[np.arange(COUNT), np.abs(directions).argmax(1)])
    directions *= signs[:, None]
    return {
        "components": [[float(f"{v:.10g}") for v in row] for row in directions],
        "explained": [float(v) for v in values[largest] / values.sum()],
        "first": [float(f"{v:.10g}") for v in x[0] @ directions.T],
    }


def main():
    x = draw(ROWS * DIM).reshape(ROWS, DIM)
    # The second case has few rows and many columns.
    result = {"numpy": np.__version__, "tall": components(x), "wide": components(x.reshape(-1)[: 40 * 300].reshape(40, 300))}
    path = pathlib.Path(__file__).with_name("components.json")
    path.write_text(json.dumps(result) + "\n")


main()
