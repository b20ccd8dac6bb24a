"""What the processes of PyTorch share: jobs by name, one turn at a time; reads commands as lines of JSON, answers each with one."""

import array
import contextlib
import ctypes
import json
import resource
import sys
import time

import torch

torch.set_num_interop_threads(1)


def read_ids(path):
    ids = array.array("i")
    with open(path, "rb") as file:
        ids.frombytes(file.read())
    return torch.tensor(ids, dtype=torch.int64)


def turn(job, threads, milliseconds):
    torch.set_num_threads(threads)
    start = time.perf_counter()
    job()
    once = time.perf_counter() - start
    repeats = max(1, min(100000, round(milliseconds / 1e3 / max(once, 1e-7))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    for _ in range(repeats):
        job()
    took = time.perf_counter() - start
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {"us": took * 1e6 / repeats, "faults": faults / repeats}


def save(job, path):
    # A tensor's own bytes are used, so that numpy is not needed.
    result = job().detach().float().contiguous()
    memory = (ctypes.c_char * (result.numel() * 4)).from_address(result.data_ptr())
    with open(path, "wb") as file:
        file.write(memory)
    return {}


def answer(kinds, jobs, command):
    kind = command.pop("do")
    if kind == "version":
        return {"version": torch.__version__}
    if kind == "turn":
        return turn(jobs[command["job"]], command["threads"], command["milliseconds"])
    if kind == "save":
        return save(jobs[command["job"]], command["path"])
    # The earlier jobs are freed first, so that their memory is reused.
    jobs.clear()
    if kind != "clear":
        jobs.update(kinds[kind](**command))
    return {"jobs": list(jobs)}


def serve(kinds, inference=False):
    """Answers until stdin ends. `kinds` makes jobs: by what a command says to do, a function of the rest of it."""
    jobs = {}
    with torch.inference_mode() if inference else contextlib.nullcontext():
        for line in sys.stdin:
            try:
                said = answer(kinds, jobs, json.loads(line))
            except Exception as error:  # the other side says it
                said = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(said), flush=True)
