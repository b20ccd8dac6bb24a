"""Opens a model's folder with safetensors, in fresh processes: open_folder.py FOLDER RUNS"""

import json
import os
import subprocess
import sys
import time


def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def once(folder):
    from safetensors import safe_open

    before, start = resident(), time.perf_counter()
    with open(os.path.join(folder, 'config.json')) as file:
        json.load(file)
    with open(os.path.join(folder, 'model.safetensors.index.json')) as file:
        index = json.load(file)['weight_map']
    name = 'model.embed_tokens.weight'
    shard = safe_open(os.path.join(folder, index[name]), framework='np')
    shard.get_slice(name).get_shape()
    print(json.dumps({'ms': (time.perf_counter() - start) * 1e3, 'grown': resident() - before}))


if __name__ == '__main__':
    folder, runs = sys.argv[1:]
    if runs == 'once':
        once(folder)
    else:
        run = [sys.executable, __file__, folder, 'once']
        print(json.dumps([json.loads(subprocess.check_output(run)) for _ in range(int(runs))]))
