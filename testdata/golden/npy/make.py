"""Writes npy.json: files that NumPy writes, in base64, and their contents.

    python make.py                  writes npy.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs numpy. Each case is a file (by numpy.save, or by its format functions where those write another version), the
dtype and shape that it is loaded as here, and its elements in row-major order: floats are strings in the form of repr,
because JSON has no NaN. `same` means that saveNpy gives the same bytes for these elements. A case with an `error` has
an unsupported type.
"""

import base64
import io
import json
import pathlib
import sys

import numpy as np

OURS = {"float32": "f4", "float64": "f8", "float16": "f2", "int8": "i1", "uint8": "u1", "int32": "i4", "int64": "i8", "bool": "?"}
WIDER = {"int16": "int32", "uint16": "int32", "uint32": "int64"}
SHAPES = [(), (1,), (5,), (0,), (0, 3), (3, 0, 2), (2, 3), (2, 1, 3, 2, 2)]
EXTREMES = {"f": [0.0, -0.0, 1.5, -2.25, float("inf"), float("-inf"), float("nan"), 1e-7], "b": [True, False]}


def values(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        some = np.array([info.min, info.max, 1, 2, info.max // 3, info.min // 5], dtype=dtype)
    else:
        some = np.array(EXTREMES[dtype.kind]).astype(dtype)
    return np.resize(some, shape).astype(dtype).reshape(shape)


def saved(array, version=None):
    file = io.BytesIO()
    if version is None:
        np.save(file, array, allow_pickle=True)
    else:
        np.lib.format.write_array(file, array, version)
    return file.getvalue()


def case(name, array, dtype, file, same):
    flat = np.ascontiguousarray(array).ravel()
    shown = [repr(float(v)) if flat.dtype.kind == "f" else str(int(v)) for v in flat]
    text = base64.b64encode(file).decode()
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "values": shown, "same": same, "file": text}


def cases():
    for name in OURS:
        for shape in SHAPES:
            array = values(name, shape)
            yield case(f"{name} {shape}", array, name, saved(array), True)
    for name, code in [*OURS.items(), *((name, np.dtype(name).str[1:]) for name in WIDER)]:
        target = WIDER.get(name, name)
        for shape in [(), (5,), (2, 3), (2, 1, 3, 2, 2)]:
            for order in "<>":
                array = values(name, shape).astype(np.dtype(code).newbyteorder(order))
                for fortran in (False, True):
                    laid = np.asfortranarray(array) if fortran else array
                    what = f"{name} {order} {'Fortran' if fortran else 'C'} {shape}"
                    yield case(what, laid, target, saved(laid), False)
    for version in [(1, 0), (2, 0), (3, 0)]:
        array = values("float32", (3, 2))
        yield case(f"version {version}", array, "float32", saved(array, version), False)
    others = {
        "uint64": np.arange(3, dtype="u8"),
        "complex": np.zeros(2, "c8"),
        "text": np.array(["a", "bc"]),
        "bytes": np.array([b"a"]),
        "objects": np.array([{}, None]),
        "fields": np.zeros(2, [("a", "<f4"), ("b", "<i8", (2, 3))]),
        "times": np.zeros(2, "M8[s]"),
        "void of two bytes": np.zeros(2, "V2"),
        "long double": np.zeros(2, np.longdouble),
    }
    for name, array in others.items():
        yield {"name": name, "error": array.dtype.str, "file": base64.b64encode(saved(array)).decode()}


if __name__ == "__main__":
    default = pathlib.Path(__file__).with_name("npy.json")
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    found = {"numpy": np.__version__, "cases": list(cases())}
    lines = ",\n".join(json.dumps(one) for one in found["cases"])
    target.write_text(f'{{"numpy": "{np.__version__}", "cases": [\n{lines}\n]}}\n')
