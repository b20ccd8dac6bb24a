"""gensim's word2vec, for the benchmark of training.

gensim_words.py train CORPUS SKIPGRAM WORKERS EPOCHS SEED   trains on lines of words: words a second of train(), and how its
                                                           vectors do on gensim's word pairs
gensim_words.py pairs VECTORS                               the same pairs for vectors in word2vec's text format
Prints JSON.
"""

import json
import sys
import time

import gensim
from gensim.models import KeyedVectors, Word2Vec
from gensim.test.utils import datapath


def pairs(vectors):
    _, spearman, unknown = vectors.evaluate_word_pairs(datapath("wordsim353.tsv"))
    return {"spearman": spearman[0], "unknown": unknown}


def train(corpus, skipgram, workers, epochs, seed):
    with open(corpus, encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    model = Word2Vec(sg=int(skipgram), workers=int(workers), epochs=int(epochs), seed=int(seed))
    model.build_vocab(sentences)
    start = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    seconds = time.perf_counter() - start
    words = sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key) * model.epochs
    return {"version": gensim.__version__, "words": len(model.wv), "speed": int(words) / seconds, **pairs(model.wv)}


what, *arguments = sys.argv[1:]
result = train(*arguments) if what == "train" else pairs(KeyedVectors.load_word2vec_format(arguments[0]))
print(json.dumps(result))
