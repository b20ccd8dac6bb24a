"""Opens a GGUF file with gguf, in fresh processes: open_gguf.py FILE RUNS"""

import json
import os
import subprocess
import sys
import time


def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def once(path):
    from gguf import GGUFReader

    before, start = resident(), time.perf_counter()
    reader = GGUFReader(path)
    next(tensor for tensor in reader.tensors if tensor.name == 'token_embd.weight').data.shape
    print(json.dumps({'ms': (time.perf_counter() - start) * 1e3, 'grown': resident() - before}))


if __name__ == '__main__':
    path, runs = sys.argv[1:]
    if runs == 'once':
        once(path)
    else:
        run = [sys.executable, __file__, path, 'once']
        print(json.dumps([json.loads(subprocess.check_output(run)) for _ in range(int(runs))]))
