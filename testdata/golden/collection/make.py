"""Writes collection.json: tables of bags that are looked up together, as TorchRec's EmbeddingBagCollection does it.

    python make.py                  writes collection.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Made with torch 1.13.1 (Debian's python3-torch), for which there is no TorchRec: what its `EmbeddingBagCollection.forward`
does is written out below. For each table and each of its features it calls the table's `torch.nn.EmbeddingBag` on the
feature's values and offsets, with weights where there are some, and joins the results along dimension 1. It names a
feature that is in several tables `feature@table`.
"""

import json
import pathlib
import platform
import sys

import torch

BATCH = 3
KEYS = ["seen", "bought", "country"]
LENGTHS = [2, 0, 3, 1, 1, 0, 1, 2, 1]
VALUES = [4, 0, 1, 1, 5, 2, 3, 0, 2, 1, 0]
TABLES = [("items", 6, 5, ["seen", "bought"]), ("places", 4, 2, ["country"]), ("extra", 6, 3, ["seen"])]


def dump(tensor):
    return {"t": str(tensor.dtype).removeprefix("torch."), "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def features():
    """The values, offsets and places of each key."""
    ends = torch.cat([torch.zeros(1, dtype=torch.int64), torch.tensor(LENGTHS).cumsum(0)])
    for i, key in enumerate(KEYS):
        own = ends[i * BATCH:(i + 1) * BATCH + 1]
        yield key, (torch.tensor(VALUES)[own[0]:own[-1]], own[:-1] - own[0], slice(int(own[0]), int(own[-1])))


def case(mode, weights):
    torch.manual_seed(3)
    bags = {name: torch.nn.EmbeddingBag(rows, dim, mode=mode) for name, rows, dim, _ in TABLES}
    given = dict(features())
    names = [name for *_, names in TABLES for name in names]
    keys, results = [], []
    for table, _, _, own in TABLES:
        for name in own:
            values, offsets, places = given[name]
            results.append(bags[table](values, offsets, per_sample_weights=None if weights is None else weights[places]))
            keys.append(f"{name}@{table}" if names.count(name) > 1 else name)
    out = torch.cat(results, dim=1)
    grad = torch.linspace(-1, 2, out.numel()).cos().reshape(out.shape)
    out.backward(grad)
    return {"mode": mode, "weights": None if weights is None else dump(weights), "keys": keys,
            "state": {f"embedding_bags.{name}.weight": dump(bag.weight) for name, bag in bags.items()},
            "out": dump(out), "gradOutput": dump(grad), "grads": {name: dump(bag.weight.grad) for name, bag in bags.items()}}


def main():
    weights = torch.linspace(0.5, 2, len(VALUES))
    result = {
        "made_with": {"torch": torch.__version__, "python": platform.python_version()},
        "tables": [{"name": name, "numEmbeddings": rows, "embeddingDim": dim, "features": own} for name, rows, dim, own in TABLES],
        "keys": KEYS, "lengths": LENGTHS, "values": VALUES,
        "cases": [case("sum", None), case("mean", None), case("sum", weights)],
    }
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("collection.json")
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")


main()
