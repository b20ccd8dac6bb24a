"""Writes grow.json: how gensim's models take new words, begin with vectors of a file, and lock rows.

    python make_grow.py                  writes grow.json beside this script
    python make_grow.py other.json       writes elsewhere, to compare releases

Needs gensim. Texts are drawn with a seed. What is compared is exact: words, their order and counts after
build_vocab(update=True), which words intersect_word2vec_format gives its vectors, and which rows training leaves alone
where vectors_lockf is 0.
"""

import json
import pathlib
import platform
import random
import sys
import tempfile

import gensim
import numpy
from gensim.models import Word2Vec


def drawn(seed, words, sentences):
    random.seed(seed)
    weights = [1 / (i + 1) for i in range(len(words))]
    return [" ".join(random.choices(words, weights, k=random.randint(3, 9))) for _ in range(sentences)]


def trained(texts, **options):
    given = dict(vector_size=6, window=3, min_count=2, sg=1, negative=5, seed=1, workers=1, epochs=3, sample=0)
    return Word2Vec([text.split() for text in texts], **{**given, **options})


def grown(sg, min_count):
    first = drawn(1, [f"w{i}" for i in range(12)], 60)
    second = drawn(2, ["w3", "n0", "w0", "n1", "n2", "w11", "n3", "n4", "n5", "n6", "n7"], 40)
    model = trained(first, sg=sg, min_count=min_count)
    before = list(model.wv.index_to_key)
    model.build_vocab([text.split() for text in second], update=True)
    words = list(model.wv.index_to_key)
    return {
        "sg": sg,
        "minCount": min_count,
        "first": first,
        "second": second,
        "before": before,
        "words": words,
        "counts": [int(model.wv.get_vecattr(word, "count")) for word in words],
    }


def intersected(lock):
    texts = drawn(3, [f"w{i}" for i in range(10)], 50)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vectors.txt"
        names = ["w2", "other", "w0", "w7"]
        rows = numpy.arange(24, dtype=numpy.float32).reshape(4, 6) / 16 - 0.5
        text = "\n".join(f"{name} {' '.join(map(str, row))}" for name, row in zip(names, rows.tolist()))
        path.write_text(f"4 6\n{text}\n")
        model = trained(texts, min_count=1, epochs=1)
        model.wv.vectors_lockf = numpy.ones(len(model.wv), dtype=numpy.float32)
        model.wv.intersect_word2vec_format(str(path), lockf=lock, binary=False)
        start = model.wv.vectors.copy()
        model.train([text.split() for text in texts], total_examples=len(texts), epochs=2)
        stays = [word for i, word in enumerate(model.wv.index_to_key) if (start[i] == model.wv.vectors[i]).all()]
        begins = {word: model_row.tolist() for word, model_row in zip(model.wv.index_to_key, start) if word in names}
    return {
        "lockFactor": lock,
        "texts": texts,
        "file": {"words": names, "rows": rows.tolist()},
        "words": list(model.wv.index_to_key),
        "begins": begins,
        "stays": sorted(stays),
    }


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("grow.json")
    result = {
        "made with": f"gensim {gensim.__version__}, numpy {numpy.__version__}, python {platform.python_version()}",
        "grown": [grown(1, 2), grown(0, 1), grown(1, 8)],
        "intersected": [intersected(0.0), intersected(1.0)],
    }
    path.write_text(json.dumps(result, indent=1) + "\n")


main()
