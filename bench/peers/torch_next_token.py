"""Tokens a second of PyTorch on the next-token model: torch_next_token.py IDS VOCABULARY DIM CONTEXT BATCH STEPS THREADS.

IDS is a file of uint32. Token + position embedding, a linear head without bias, cross entropy, AdamW: what a user would write.
Prints JSON.
"""

import json
import sys
import time

import numpy
import torch
from torch.nn import Embedding, Linear
from torch.nn.functional import cross_entropy

path, *numbers = sys.argv[1:]
vocabulary, dim, context, batch, steps, threads = map(int, numbers)
torch.set_num_threads(threads)
torch.manual_seed(1)
ids = torch.from_numpy(numpy.fromfile(path, dtype=numpy.uint32).astype(numpy.int64))
token, position, head = Embedding(vocabulary, dim), Embedding(context, dim), Linear(dim, vocabulary, bias=False)
for table in (token, position, head):
    torch.nn.init.normal_(table.weight, std=0.02)
parameters = [table.weight for table in (token, position, head)]


def speed(**options):
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, **options)
    places = torch.arange(context)
    losses = []
    for step in range(steps + 1):
        if step == 1:
            # The first step makes the moments.
            start = time.perf_counter()
        starts = torch.arange(step * batch, (step + 1) * batch) * context
        windows = ids[starts[:, None] + torch.arange(context + 1)]
        logits = head(token(windows[:, :-1]) + position(places))
        loss = cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return batch * context * steps / (time.perf_counter() - start), losses[-1]


plain, loss = speed()
fused, _ = speed(fused=True)
print(json.dumps({"version": torch.__version__, "plain": plain, "fused": fused, "loss": loss}))
