"""Writes train.json: what PyTorch learns from the tables, batches and samples that tokenbed's trainer draws.

    python make.py                  writes train.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch. This copy of a trainer draws as it does: tables by normal_ and uniform_ after manual_seed(seed), the order
of an epoch by randperm, its seed and the ids of a sample by splitmix64 over (seed, epoch, place). Everything else is
PyTorch's own: cross_entropy, its gradient, AdamW and SGD, in float32.
"""

import json
import pathlib
import platform
import sys

import torch
from torch.nn import functional

MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15


def mixed(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Draws:
    """The random bits for a place in an epoch."""

    def __init__(self, seed, epoch, place):
        run = mixed((seed + STEP) & MASK) ^ ((epoch + 1) * STEP & MASK)
        self.state = mixed((run + mixed((place + STEP) & MASK)) & MASK)

    def bits(self):
        self.state = (self.state + STEP) & MASK
        return mixed(self.state)

    def below(self, limit):
        return ((self.bits() >> 32) * limit) >> 32


def permutation(seed, size):
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist()


class Sampler:
    """Walker's alias method, over counts raised to a power."""

    def __init__(self, counts, exponent):
        self.ids = [i for i, count in enumerate(counts) if count > 0]
        weights = [float(counts[i]) ** exponent for i in self.ids]
        self.probability = {i: weight / sum(weights) for i, weight in zip(self.ids, weights)}
        shares = [weight / sum(weights) * len(weights) for weight in weights]
        self.entries = [(2**32 - 1, i) for i in range(len(shares))]
        small = [i for i, share in enumerate(shares) if share < 1]
        large = [i for i, share in enumerate(shares) if share >= 1]
        while large and small:
            over, short = large[-1], small.pop()
            self.entries[short] = (int(shares[short] * (2**32 - 1)), over)
            shares[over] -= 1 - shares[short]
            if shares[over] < 1:
                small.append(large.pop())

    def id(self, bits):
        place = ((bits >> 32) * len(self.entries)) >> 32
        itself, other = self.entries[place]
        return self.ids[place if bits & 0xFFFFFFFF <= itself else other]


def text(size, vocabulary):
    """Random ids, some far more frequent than others, and each a little more likely after its neighbour."""
    ids = [0]
    for i in range(1, size):
        draws = Draws(9, 0, i)
        ids.append((ids[-1] + 1) % vocabulary if draws.below(3) == 0 else min(draws.below(vocabulary), draws.below(vocabulary)))
    return ids


def next_token(ids, vocabulary, options):
    get = {"stride": options["contextLength"], "tied": False, "finalLr": options["lr"], "softmax": "full"} | options
    seed, dim, context, stride, size = (get[name] for name in ("seed", "dim", "contextLength", "stride", "batchSize"))
    generator = torch.Generator().manual_seed(seed)
    drawn = lambda rows: torch.empty(rows, dim).normal_(0, get["initStd"], generator=generator).requires_grad_()
    token, position = drawn(vocabulary), drawn(context)
    head = token if get["tied"] else drawn(vocabulary)
    params = [token, position] if get["tied"] else [token, position, head]
    optimizer = torch.optim.AdamW(params, lr=get["lr"], betas=get["betas"], eps=get["eps"], weight_decay=get["weightDecay"], foreach=False)
    starts = range(0, len(ids) - context, stride)
    sampled = get["softmax"] != "full"
    if sampled:
        counts = [ids.count(i) for i in range(vocabulary)]
        sampler, samples = Sampler(counts, get["softmax"].get("nsExponent", 0.75)), get["softmax"]["samples"]
        expected = torch.tensor([sampler.probability.get(i, 0.0) * samples for i in range(vocabulary)]).log()
    losses, step = [], 0
    for epoch in range(get["epochs"]):
        order = permutation(Draws(seed, epoch, 0).bits(), len(starts))
        for first in range(0, len(order), size):
            done = (epoch * len(order) + first) / (get["epochs"] * len(order))
            optimizer.param_groups[0]["lr"] = get["lr"] + (get["finalLr"] - get["lr"]) * done
            windows = [starts[i] for i in order[first : first + size]]
            inputs = torch.tensor([ids[at : at + context] for at in windows])
            targets = torch.tensor([ids[at + 1 : at + context + 1] for at in windows]).flatten()
            hidden = (token[inputs] + position).reshape(-1, dim)
            if sampled:
                draws = Draws(seed, step, MASK)
                sample = torch.tensor([sampler.id(draws.bits()) for _ in range(samples)])
                own = (hidden * head[targets]).sum(1, keepdim=True) - expected[targets].unsqueeze(1)
                others = hidden @ head[sample].T - expected[sample]
                others = others.masked_fill(sample == targets.unsqueeze(1), float("-inf"))
                logits, classes = torch.cat([own, others], 1), torch.zeros_like(targets)
            else:
                logits, classes = hidden @ head.T, targets
            loss = functional.cross_entropy(logits, classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
    tables = {"token.weight": token, "position.weight": position} | ({} if get["tied"] else {"head.weight": head})
    return losses, tables


EXAMPLES = 64


def classify(texts, labels, options):
    seed, dim = options["seed"], options["dim"]
    words = [word for line in texts for word in line.split()]
    # Sorted by frequency, then by first occurrence.
    vocabulary = sorted(dict.fromkeys(words), key=lambda word: -words.count(word))
    names = sorted(dict.fromkeys(labels), key=lambda label: -labels.count(label))
    bags = [[vocabulary.index(word) for word in line.split()] for line in texts]
    classes = [names.index(label) for label in labels]
    generator = torch.Generator().manual_seed(seed)
    token = torch.empty(len(vocabulary), dim).uniform_(-1 / dim, 1 / dim, generator=generator).requires_grad_()
    output = torch.zeros(len(names), dim).requires_grad_()
    optimizer = torch.optim.SGD([token, output], lr=options["lr"], foreach=False)
    total, done, losses = options["epochs"] * len(words), 0, []
    for epoch in range(options["epochs"]):
        order = permutation(Draws(seed, epoch, MASK).bits(), len(bags))
        for first in range(0, len(order), EXAMPLES):
            batch = []
            for i in order[first : first + EXAMPLES]:
                optimizer.param_groups[0]["lr"] = options["lr"] * (1 - done / total)
                loss = functional.cross_entropy(token[bags[i]].mean(0) @ output.T, torch.tensor(classes[i]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                batch.append(loss.item())
                done += len(bags[i])
            losses.append(sum(batch) / len(batch))
    return losses, {"token.weight": token, "output.weight": output}, vocabulary, names


def dump(tensor):
    return {"t": "float32", "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def of_next_token(**more):
    options = {"seed": 7, "dim": 12, "contextLength": 6, "stride": 4, "batchSize": 9, "epochs": 2, "lr": 0.01, "finalLr": 0.002,
               "betas": [0.8, 0.95], "eps": 1e-5, "weightDecay": 0.1, "initStd": 0.3} | more
    vocabulary, ids = 140, text(420, 140)
    losses, tables = next_token(ids, vocabulary, options)
    return {"options": {"objective": "next-token", "vocabSize": vocabulary} | options, "ids": ids, "losses": losses,
            "tables": {name: dump(table) for name, table in tables.items()}}


def of_classify():
    lines = []
    for i in range(150):
        draws = Draws(4, 0, i)
        label = draws.below(3)
        lines.append((" ".join(f"w{draws.below(10) * 3 + (label if draws.below(2) else draws.below(3))}" for _ in range(1 + draws.below(9))), f"class {label}"))
    texts, labels = zip(*lines)
    options = {"seed": 3, "dim": 10, "epochs": 4, "lr": 0.5}
    losses, tables, vocabulary, names = classify(texts, labels, options)
    return {"options": {"objective": "classify"} | options, "texts": texts, "labels": labels, "vocabulary": vocabulary, "names": names,
            "losses": losses, "tables": {name: dump(table) for name, table in tables.items()}}


def main():
    torch.set_num_threads(1)
    sampled = {"softmax": {"samples": 20, "nsExponent": 0.6}}
    golden = {
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "nextToken": [of_next_token(), of_next_token(tied=True), of_next_token(**sampled), of_next_token(tied=True, **sampled)],
        "classify": of_classify(),
    }
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("train.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
