"""PyTorch's ops on tensors, one turn at a time.

Jobs that go back as well run a forward, a backward from ones (or from the loss) and drop the gradients, as a step does.
"""

import torch
import torch.nn.functional as F
from torch_turns import serve


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


serve({"ops": jobs_of})
