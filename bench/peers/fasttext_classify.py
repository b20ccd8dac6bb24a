"""fastText's supervised mode without n-grams: fasttext_classify.py TRAIN TEST DIM LR EPOCHS SEED. Prints JSON."""

import json
import sys
import time

import fasttext

train, test, dim, lr, epochs, seed = sys.argv[1:]
start = time.perf_counter()
model = fasttext.train_supervised(
    train, dim=int(dim), lr=float(lr), epoch=int(epochs), seed=int(seed), thread=1, verbose=0, wordNgrams=1, minn=0, maxn=0
)
seconds = time.perf_counter() - start
_, accuracy, _ = model.test(test)
print(json.dumps({"accuracy": accuracy, "seconds": seconds}))
