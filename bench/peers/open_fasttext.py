"""Opens a model of fastText and asks for a vector, in fresh processes: open_fasttext.py gensim|fasttext FILE RUNS"""

import json
import os
import subprocess
import sys
import time


def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def once(library, path):
    if library == 'gensim':
        from gensim.models.fasttext import load_facebook_vectors as load
    else:
        from fasttext import load_model as load

    before, start = resident(), time.perf_counter()
    model = load(path)
    opened = {'ms': (time.perf_counter() - start) * 1e3, 'grown': resident() - before}
    start = time.perf_counter()
    vector = model.get_vector('unheardof') if library == 'gensim' else model.get_word_vector('unheardof')
    assert len(vector) > 0
    first = {'ms': (time.perf_counter() - start) * 1e3, 'grown': resident() - before - opened['grown']}
    print(json.dumps({'opened': opened, 'first': first}))


if __name__ == '__main__':
    library, path, runs = sys.argv[1:]
    if runs == 'once':
        once(library, path)
    else:
        run = [sys.executable, __file__, library, path, 'once']
        print(json.dumps([json.loads(subprocess.check_output(run)) for _ in range(int(runs))]))
