"""Writes glove.txt, a text in GloVe's format whose numbers are hard to round, and glove.json: its words and the bits of its
numbers as gensim reads them.

Made with gensim 4.4.0 and NumPy 2.4.6. Run: python glove.py
"""

import json
from pathlib import Path

import gensim
import numpy as np
from gensim.models import KeyedVectors

folder = Path(__file__).parent
random = np.random.default_rng(17)
dim = 8


def middle(x):
    """Just above the middle of x and the float32 after it: nearest to another float32 than the float64 in between."""
    y = np.nextafter(np.float32(x), np.float32(np.inf))
    return format((np.float64(x) + np.float64(y)) / 2, ".40f").rstrip("0") + "0" * 12 + "1"


special = ["1.00000005960464477540", "7.038531e-26", "1e39", "-1e-46", "-0", "1E+3", ".5", "5."]
texts = [special]
texts.append([middle(np.float32(x)) for x in random.uniform(0.01, 2, dim)])
texts.append([repr(float(x)) for x in random.standard_normal(dim)])
texts.append([f"{x:.17e}" for x in random.standard_normal(dim) * 1e-30])
texts.append(["inf", "-inf", "Infinity", "1e400", "0.00000000000000000000000000000000000001", "9007199254740993", "123456789012345678901234567890", "4e-45"])
texts += [[f"{x:.6f}" for x in row] for row in random.standard_normal((35, dim))]
words = ["the", ",", "naïve", "鯨", "😀", "95", "<unk>", "\u00a0"] + [f"word{i}" for i in range(31)] + ["the"]
lines = [f"{word} {' '.join(row)}\n" for word, row in zip(words, texts, strict=True)]
(folder / "glove.txt").write_bytes("".join(lines).encode())

vectors = KeyedVectors.load_word2vec_format(folder / "glove.txt", binary=False, no_header=True)
few = KeyedVectors.load_word2vec_format(folder / "glove.txt", binary=False, no_header=True, limit=3)
# Where a word comes twice, gensim keeps a row without a name at the end.
words = [word for word in vectors.index_to_key if word is not None]
golden = {
    "gensim": gensim.__version__,
    "words": words,
    "bits": [int(x) for x in vectors.vectors[: len(words)].view(np.uint32).ravel()],
    "limit3": few.index_to_key,
}
(folder / "glove.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
