"""Writes files of Arrow IPC and Parquet as pyarrow does: vectors with words, with ids, several columns, and vectors of
different lengths and missing ones.

Made with pyarrow 26.0.1. Run: python make.py
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(__file__).parent
rows = [[(4 * row + i) * 0.5 - 1 for i in range(4)] for row in range(3)]
fixed = pa.list_(pa.float32(), 4)
vectors = pa.array(rows, fixed)
tables = {
    "words": {"word": pa.array(["a", "b c", "é"]), "vector": vectors},
    "ids": {"id": pa.array([7, 8, 2**40], pa.int64()), "vector": pa.array(rows, pa.list_(pa.float64()))},
    "several": {
        "a": pa.array([1, 2, 3], pa.int32()),
        "b": pa.array(["x", "y", "z"]).dictionary_encode(),
        "left": vectors,
        "right": pa.array(rows, pa.list_(pa.float32())),
    },
    "ragged": {"word": pa.array(["a", "b"]), "vector": pa.array([[1, 2], [3]], pa.list_(pa.float32()))},
    "nulls": {"word": pa.array(["a", "b"]), "vector": pa.array([[1, 2], None], pa.list_(pa.float32()))},
}
for name, columns in tables.items():
    table = pa.table(columns)
    with pa.ipc.new_file(folder / f"{name}.arrow", table.schema) as file:
        # Two batches, so that a column has several chunks.
        file.write_table(table, max_chunksize=2)
    pq.write_table(table, folder / f"{name}.parquet")
