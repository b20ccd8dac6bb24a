"""Writes draws.json: digests of what PyTorch's CPU generator draws.

    python make.py                  writes draws.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch and numpy. The reference is PyPI's release for x86-64 (its AVX2 kernels, which the AVX-512 capability also
uses for draws); the file names the release and the capability. A case is a seed and steps that run one after another on
one generator. Digests are sha256 over little endian f32, or u32 for orders. Seeds and 63-bit integers are strings.

In these cases, 1.13.1 draws differently: uniform values that round up to `high` stay there (newer releases give
`low`); permutations of 214748364 samples and more take 32-bit draws; and since fewer than 16 normal values come from
log(1 - u) there and from log1p(-u) later, the cached value may differ in its last bit (no f32 here does).
"""

import base64
import hashlib
import itertools
import json
import pathlib
import platform
import struct
import sys

import numpy as np
import torch


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def floats(tensor):
    values = tensor.detach().numpy().astype("<f4").ravel()
    return {"sha256": digest(values), "first": [float(v) for v in values[:3]], "last": [float(v) for v in values[-3:]]}


def order(ids):
    values = np.asarray(ids).astype("<u4")
    return {"sha256": digest(values), "first": values[:8].tolist(), "last": values[-3:].tolist()}


def state(generator, whole=False):
    data = generator.get_state().numpy().tobytes()
    seed, left, seeded, following = struct.unpack_from("<QiiQ", data)
    cached, is_cached = struct.unpack_from("<d8xi", data, 24 + 8 * 624 + 8)
    assert len(data) == 5056 and seeded == 1
    found = {
        "sha256": digest(np.frombuffer(data, "u1")),
        "words_sha256": digest(np.frombuffer(data, "<u8")[3 : 3 + 624].astype("<u4")),
        "seed": str(seed),
        "left": left,
        "next": following,
        "normal": cached if is_cached else None,
    }
    if whole:
        found["base64"] = base64.b64encode(data).decode()
    return found


def loader(generator, n, batch, drop_last, own):
    data = torch.utils.data.TensorDataset(torch.arange(n))
    return torch.utils.data.DataLoader(
        data, batch_size=batch, shuffle=True, drop_last=drop_last, generator=generator if own else None
    )


def epoch(generator, n, batch=50, drop_last=False, own=False, leave_after=None):
    batches = iter(loader(generator, n, batch, drop_last, own))
    ids = [ids for (ids,) in itertools.islice(batches, leave_after)]
    return order(torch.cat(ids) if ids else torch.empty(0))


def embedding(rows, dim, padding_idx=None):
    return floats(torch.nn.Embedding(rows, dim, padding_idx=padding_idx).weight)


def int64(generator):
    return {"value": str(torch.empty((), dtype=torch.int64).random_(generator=generator).item())}


def int31(generator):
    return {"value": torch.empty((), dtype=torch.int32).random_(generator=generator).item()}


def run(step, generator):
    """Runs one step. All steps draw from the default generator."""
    arguments = {key: value for key, value in step.items() if key != "op"}
    match step["op"]:
        case "normal":
            empty = torch.empty(arguments["shape"])
            return floats(empty.normal_(arguments.get("mean", 0), arguments.get("std", 1), generator=generator))
        case "uniform":
            empty = torch.empty(arguments["shape"])
            return floats(empty.uniform_(arguments.get("low", 0), arguments.get("high", 1), generator=generator))
        case "randperm":
            dtype = torch.int32 if arguments["n"] > 10**8 else torch.int64
            return order(torch.randperm(arguments["n"], dtype=dtype, generator=generator))
        case "random63":
            return int64(generator)
        case "random31":
            return int31(generator)
        case "manual_seed":
            generator.manual_seed(int(arguments["seed"]))
            return {}
        case "state":
            return state(generator, **arguments)
        case "embedding":
            return embedding(**arguments)
        case "epoch":
            return epoch(generator, **arguments)


def normal(*shape, **arguments):
    return {"op": "normal", "shape": list(shape), **arguments}


def uniform(*shape, **arguments):
    return {"op": "uniform", "shape": list(shape), **arguments}


def step(op, **arguments):
    return {"op": op, **arguments}


STATE = step("state")
SHAPES = [(1, 1), (2, 3), (5, 3), (6, 3), (3, 5), (4, 4), (1, 17), (7, 9), (10, 100), (100, 7), (1000, 333)]
SEEDS = [0, 1, 42, 123, 2**31, 2**32 - 1, 2**32 + 5, 2**63 - 1, 2**64 - 1, -1, -5, -(2**63)]

CASES = (
    [(f"seed {seed}", seed, [STATE, normal(5), normal(40), uniform(5), step("random63"), STATE]) for seed in SEEDS]
    + [(f"normal {shape}", 123, [normal(*shape), STATE]) for shape in SHAPES]
    + [
        ("normal 50257 x 256", 0, [normal(50257, 256), STATE]),
        ("normal 50257 x 768", 42, [normal(50257, 768), STATE]),
        ("normal 1 x 80 x 15000", 0, [normal(1, 80, 15000)]),
        ("normal moved and scaled", 7, [normal(33, mean=0.25, std=0.02), normal(3, mean=0.25, std=0.02),
                                         normal(64, 768, std=0.02), normal(1000, mean=-3.5, std=0.0), STATE]),
        ("no values", 3, [normal(0), uniform(0), step("randperm", n=0), step("randperm", n=1), STATE]),
        ("the cached value survives blocks", 11, [normal(3), normal(64), uniform(10), step("randperm", n=9), normal(1),
                                                  normal(2), normal(17), normal(15), STATE]),
        ("reseeding clears the cached value", 11, [normal(1), step("manual_seed", seed="11"), normal(1), STATE]),
        ("blocks that straddle twists", 5, [uniform(611), normal(64), uniform(1), normal(640), uniform(7),
                                            normal(5000), STATE]),
        ("the last draw before a twist", 5, [uniform(624), STATE, step("random31"), uniform(622), STATE,
                                             step("random63"), STATE]),
        ("uniform bounds", 9, [uniform(1000), uniform(1000, low=-0.5, high=0.5), uniform(77, low=-0.0361, high=0.0361),
                               uniform(1000, low=1.0, high=1.0000001192092896), uniform(10, low=2, high=2), STATE]),
        ("integers", 17, [step("random31"), step("random63"), step("random31"), step("random63"), STATE]),
        ("permutations", 21, [step("randperm", n=n) for n in (2, 3, 10, 250, 625, 1000, 100_000)] + [STATE]),
        ("a permutation of 64-bit draws", 2, [step("randperm", n=214_748_364), STATE]),
        ("the longest permutation of 32-bit draws", 2, [step("randperm", n=214_748_363), STATE]),
        ("embedding", 123, [step("embedding", rows=6, dim=3), STATE]),
        ("embedding with a padding row", 123, [step("embedding", rows=10, dim=100, padding_idx=3), STATE]),
        ("two embeddings", 123, [step("embedding", rows=50, dim=16), step("embedding", rows=4, dim=3), STATE]),
        ("a whole state", 2024, [normal(3), uniform(100), step("state", whole=True), normal(3), normal(100), STATE]),
        ("epochs", 123, [step("epoch", n=250) for _ in range(3)] + [STATE]),
        ("epochs between draws", 1, [normal(7), step("epoch", n=7, batch=2), normal(2), STATE]),
        ("an epoch left early", 123, [step("epoch", n=250, leave_after=2), STATE, step("epoch", n=250), STATE]),
        ("epochs of an own generator", 123, [step("epoch", n=250, own=True) for _ in range(3)] + [STATE]),
        ("an own generator left early", 123, [step("epoch", n=250, own=True, leave_after=2), STATE,
                                              step("epoch", n=250, own=True), STATE]),
        ("an own generator left at the last whole batch", 8, [step("epoch", n=250, own=True, leave_after=5), STATE]),
        ("an own generator left at a short last batch", 8, [step("epoch", n=249, own=True, leave_after=5), STATE]),
        ("an own generator that drops the last batch", 8, [step("epoch", n=249, own=True, drop_last=True), STATE]),
        ("epochs of one sample", 8, [step("epoch", n=1), step("epoch", n=1, own=True), STATE]),
    ]
)


def main():
    generator = torch.default_generator
    cases = []
    for name, seed, steps in CASES:
        generator.manual_seed(seed)
        done = [{**each, **run(each, generator)} for each in steps]
        cases.append({"name": name, "seed": str(seed), "steps": done})
    capability = torch.backends.cpu.get_cpu_capability() if hasattr(torch.backends, "cpu") else "unknown"
    made_with = {
        "torch": torch.__version__,
        "capability": capability,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
    }
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("draws.json")
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    path.write_text(f'{{\n  "made_with": {json.dumps(made_with)},\n  "cases": [\n{lines}\n  ]\n}}\n')


main()
