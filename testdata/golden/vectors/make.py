"""Writes vectors.json, gensim.txt and gensim.bin: answers of gensim's KeyedVectors, the files it writes, and principal
components; and spaces.txt: words with spaces, which gensim writes but does not read.

Made with gensim 4.4.0 and NumPy 2.4.6. Run: python make.py
"""

import json
from pathlib import Path

import gensim
import numpy as np
from gensim.models import KeyedVectors

folder = Path(__file__).parent
random = np.random.default_rng(7)
rows, dim = 60, 37
words = ["king", "queen", "man", "woman", "naïve", "鯨", "😀", "it's", "C++", "\u00a0nbsp"] + [f"word{i}" for i in range(rows - 10)]
table = random.standard_normal((rows, dim)).astype(np.float32) * 0.1
# Each group of four words gets almost the same direction.
for first in range(0, 40, 4):
    table[first : first + 4] += random.standard_normal(dim).astype(np.float32) * 0.2
table[11] = table[10] * 3 + random.standard_normal(dim).astype(np.float32) * 0.01
table[50] *= 100

vectors = KeyedVectors(dim)
vectors.add_vectors(words, table)


def named(found):
    return [[word, float(similarity)] for word, similarity in found]


own = random.standard_normal(dim).astype(np.float32)
golden = {
    "gensim": gensim.__version__,
    "words": words,
    "table": [float(x) for x in table.ravel()],
    "own": [float(x) for x in own],
    "most_similar": {word: named(vectors.most_similar(word, topn=59)) for word in ["king", "鯨", "word5", "word40"]},
    "of_own": named(vectors.most_similar(positive=[own], topn=10)),
    "of_some": named(vectors.most_similar(positive=["king", "woman", own], negative=["man", "word7"], topn=56)),
    "analogy": named(vectors.most_similar(positive=["king", "woman"], negative=["man"], topn=57)),
    "similarity": [[a, b, float(vectors.similarity(a, b))] for a, b in [("king", "queen"), ("word0", "word1"), ("😀", "C++")]],
    "doesnt_match": [[list(some), vectors.doesnt_match(list(some))] for some in [("king", "queen", "man", "word30"), ("word0", "word1", "鯨"), ("king",)]],
    "rank": [[a, b, int(vectors.rank(a, b))] for a, b in [("king", "queen"), ("king", "word40"), ("word0", "word1"), ("word9", "king"), ("king", "king")]],
}
wide = np.array(table, dtype=np.float64)
_, singular, directions = np.linalg.svd(wide - wide.mean(0), full_matrices=False)
signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(1)])
golden["pca"] = {
    "components": (directions * signs[:, None])[:3].ravel().tolist(),
    "explained": (singular[:3] ** 2 / (singular**2).sum()).tolist(),
}
(folder / "vectors.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
vectors.save_word2vec_format(folder / "gensim.txt")
vectors.save_word2vec_format(folder / "gensim.bin", binary=True)

# The vector of word i is (i, i + 1/2, -i).
spaced = KeyedVectors(3)
spaced.add_vectors(["New York", "at name@domain.com", ". . .", " the", "the", "a  b", "Windows 95 SE"], np.array([[i, i + 0.5, -i] for i in range(7)], dtype=np.float32))
spaced.save_word2vec_format(folder / "spaces.txt")
