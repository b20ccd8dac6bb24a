"""Writes queries.json, pairs.tsv and analogies.txt: what gensim's KeyedVectors answers to queries with weights and limits,
means, distances and evaluations, over the words and vectors of vectors.json.

Made with gensim 4.4.0, NumPy 2.4.6 and SciPy 1.17.1. Run: python queries.py
"""

import json
from pathlib import Path

import gensim
import numpy as np
import scipy
from gensim.models import KeyedVectors

folder = Path(__file__).parent
made = json.loads((folder / "vectors.json").read_text())
words, own = made["words"], np.array(made["own"], dtype=np.float32)
dim = len(own)
table = np.array(made["table"], dtype=np.float32).reshape(len(words), dim)
vectors = KeyedVectors(dim)
vectors.add_vectors(words, table)


def named(found):
    return [[word, float(similarity)] for word, similarity in found]


def floats(array):
    return [float(x) for x in array]


weighted = {"positive": [["king", 0.5], "woman", ["word3", 2.0]], "negative": [["man", -1.5], "word7", ["鯨", 0.25]]}


def tuples(items):
    return [tuple(it) if isinstance(it, list) else it for it in items]


positive, negative = tuples(weighted["positive"]), tuples(weighted["negative"])
cosmul = {"positive": ["king", "woman"], "negative": ["man", "word20"]}
some, weights = ["king", "queen", "word3", "nowhere"], [1.0, -0.5, 2.0, 4.0]

# Pairs in other cases, with unknown words, comments, and lines that are no pairs.
(folder / "pairs.tsv").write_text(
    "# word\tword\tsimilarity\n"
    "king\tQUEEN\t8.5\nKing\tman\t6.25\nwoman\tman\t8\nword1\tword2\t3.5\nword1\tWord30\t1.5\nword4\tword5\t9\r\n"
    "naïve\t鯨\t2\nword6\tword40\t0.5\nword8\tword9\t7.5\nC++\tit's\t4\nnowhere\tking\t5\nking\tnobody\t1\n"
    "a line of words\nword1\tword2\nword1\tword2\tmany\nword10\tword11\t 9.75 \nking\tking\t10\n",
    encoding="utf8",
)
random = np.random.default_rng(3)
lines = []
for section in ["near", "far"]:
    lines.append(f": {section}")
    for _ in range(40):
        if section == "near":
            a, b = 4 * random.integers(0, 10, 2)
            lines.append(f"{words[a + 1]} {words[a]} {words[b + 1]} {words[b]}")
        else:
            lines.append(" ".join(words[i] for i in random.integers(0, len(words) - 1, 4)))
    lines += ["king queen nowhere man", "three words only", "KING queen Man WOMAN", "king queen king queen", "king queen man king"]
(folder / "analogies.txt").write_text("\n".join(lines) + "\n", encoding="utf8")


def pairs(**options):
    pearson, spearman, oov = vectors.evaluate_word_pairs(folder / "pairs.tsv", **options)
    return {"pearson": floats(pearson), "spearman": floats(spearman), "oov": float(oov)}


def analogies(**options):
    accuracy, sections = vectors.evaluate_word_analogies(folder / "analogies.txt", **options)
    return {"accuracy": float(accuracy), "sections": sections}


added = KeyedVectors(dim)
added.add_vectors(words, table)
added.add_vectors(["newer", "king"], [own, -own])
replaced = KeyedVectors(dim)
replaced.add_vectors(words, table)
replaced.add_vectors(["newer", "king"], [own, -own], replace=True)

golden = {
    "versions": [gensim.__version__, np.__version__, scipy.__version__],
    "weighted": {"query": weighted, "found": named(vectors.most_similar(positive, negative, topn=20))},
    "restricted": named(vectors.most_similar("king", topn=12, restrict_vocab=30)),
    "cosmul": {"query": cosmul, "found": named(vectors.most_similar_cosmul(**cosmul, topn=20))},
    "cosmul_of_own": named(vectors.most_similar_cosmul([own], ["man"], topn=20)),
    "cosmul_of_one": named(vectors.most_similar_cosmul("word5", topn=20)),
    "distances": floats(vectors.distances("king")),
    "distances_to": floats(vectors.distances(own, ["queen", "word40", "word45"])),
    "n_similarity": [[a, b, float(vectors.n_similarity(a, b))] for a, b in [(["king", "man"], ["queen", "woman"]), (["word1", "nowhere"], ["word45", "word2", "word3"])]],
    "closer_than": [[a, b, vectors.closer_than(a, b)] for a, b in [("king", "word40"), ("word0", "word1"), ("word12", "king")]],
    "mean": {
        "tokens": some,
        "weights": weights,
        "plain": floats(vectors.get_mean_vector(some)),
        "weighted": floats(vectors.get_mean_vector(some, weights=weights)),
        "raw": floats(vectors.get_mean_vector(some, weights=weights, pre_normalize=False)),
        "unit": floats(vectors.get_mean_vector(some, post_normalize=True)),
    },
    "pairs": {"plain": pairs(), "case": pairs(case_insensitive=False), "dummies": pairs(dummy4unknown=True), "restricted": pairs(restrict_vocab=20)},
    "analogies": {
        "plain": analogies(),
        "case": analogies(case_insensitive=False),
        "dummies": analogies(dummy4unknown=True),
        "restricted": analogies(restrict_vocab=30),
    },
    "added": named(added.most_similar("newer", topn=61)),
    "replaced": named(replaced.most_similar("king", topn=61)),
}
(folder / "queries.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
