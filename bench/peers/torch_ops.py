"""PyTorch's ops on tensors, one turn at a time: reads commands as lines of JSON, answers each with one.

Jobs that go back as well run a forward, a backward from ones (or from the loss) and drop the gradients, as a step does.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_interop_threads(1)


def back(make, *leaves):
    """A forward that is recorded, and the way back."""

    def run():
        out = make()
        out.backward(None if out.dim() == 0 else torch.ones_like(out))
        for leaf in leaves:
            leaf.grad = None

    return run


def leaf(*shape):
    return torch.randn(*shape).requires_grad_()


def jobs_of(rows, dim, batch, vocabulary, square):
    x, y, bias = torch.randn(rows, dim), torch.randn(rows, dim), torch.randn(dim)
    learning, weight, shift = leaf(rows, dim), leaf(dim), leaf(dim)
    a, b = torch.randn(square, square), torch.randn(square, square)
    hidden, head = leaf(batch, dim), leaf(dim, vocabulary)
    logits = torch.randn(batch, vocabulary)
    learning_logits = leaf(batch, vocabulary)
    targets = torch.arange(batch) * 37 % vocabulary
    one = torch.randn(1, dim)
    return {
        "add": lambda: x + y,
        "add a row": lambda: x + bias,
        "gelu": lambda: F.gelu(x),
        "gelu, and back": back(lambda: F.gelu(learning), learning),
        "tanh": lambda: torch.tanh(x),
        "sum": lambda: x.sum(),
        "transpose": lambda: x.t().contiguous(),
        "softmax": lambda: torch.softmax(logits, 1),
        "cross-entropy": lambda: F.cross_entropy(logits, targets),
        "cross-entropy, and back": back(lambda: F.cross_entropy(learning_logits, targets), learning_logits),
        "layer norm": lambda: F.layer_norm(x, (dim,), weight.detach(), shift.detach()),
        "layer norm, and back": back(lambda: F.layer_norm(learning, (dim,), weight, shift), learning, weight, shift),
        "dropout": lambda: F.dropout(x, 0.1),
        "matmul, square": lambda: a @ b,
        "matmul, head": lambda: hidden.detach() @ head.detach(),
        "matmul, head, and back": back(lambda: hidden @ head, hidden, head),
        "matmul, one row by the head": lambda: one @ head.detach(),
    }


def turn(job, threads, milliseconds):
    torch.set_num_threads(threads)
    start = time.perf_counter()
    job()
    once = time.perf_counter() - start
    repeats = max(1, min(100000, round(milliseconds / 1e3 / max(once, 1e-7))))
    start = time.perf_counter()
    for _ in range(repeats):
        job()
    return {"us": (time.perf_counter() - start) * 1e6 / repeats, "faults": 0}


def answer(jobs, command):
    kind = command.pop("do")
    if kind == "version":
        return {"version": torch.__version__, "mkl": torch.backends.mkl.is_available()}
    if kind == "ops":
        jobs.update(jobs_of(**command))
        return {"jobs": list(jobs)}
    return turn(jobs[command["job"]], command["threads"], command["milliseconds"])


def main():
    jobs = {}
    for line in sys.stdin:
        try:
            said = answer(jobs, json.loads(line))
        except Exception as error:  # the other side says it
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


main()
