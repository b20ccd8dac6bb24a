"""Reads a text of GloVe with gensim, in a fresh process: gensim_glove.py FILE"""

import json
import os
import resource
import sys
import time

import gensim
from gensim.models import KeyedVectors


def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


before, start = resident(), time.perf_counter()
vectors = KeyedVectors.load_word2vec_format(sys.argv[1], binary=False, no_header=True)
ms = (time.perf_counter() - start) * 1e3
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
print(json.dumps({'version': gensim.__version__, 'ms': ms, 'grown': grown, 'rows': len(vectors)}))
