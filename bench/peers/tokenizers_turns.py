"""Python's tokenizers, which takes turns with Node: reads commands as lines of JSON, answers each with one."""

import hashlib
import json
import os
import resource
import sys
import time
from array import array

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def load(path):
    before, start = resident(), time.process_time()
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.encode("The first words, and 12345 more.")
    milliseconds = (time.process_time() - start) * 1e3
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, {"milliseconds": milliseconds, "bytes": resident() - before}


def turn(job, milliseconds):
    calls, start, used = 0, time.perf_counter(), time.process_time()
    while calls == 0 or (time.perf_counter() - start) * 1e3 < milliseconds:
        job()
        calls += 1
    return {"us": (time.process_time() - used) * 1e6 / calls, "faults": 0}


def digest(tokenizer, texts):
    ids = array("I")
    for found in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
        ids.extend([len(found.ids), *found.ids])
    return {"digest": hashlib.sha256(memoryview(ids)).hexdigest()}


def one_by_one(tokenizer, texts):
    for text in texts:
        tokenizer.encode(text, add_special_tokens=False)


def answer(state, command):
    match command["do"]:
        case "version":
            return {"version": tokenizers.__version__}
        case "load":
            state["tokenizer"], said = load(command["path"])
            return said
        case "texts":
            with open(command["path"], encoding="utf8") as file:
                state["texts"] = json.load(file)
            return {}
        case "digest":
            return digest(state["tokenizer"], state["texts"][command["job"]])
    tokenizer, texts = state["tokenizer"], state["texts"][command["job"]]
    if command["job"] == "short":
        return turn(lambda: one_by_one(tokenizer, texts), command["milliseconds"])
    return turn(lambda: tokenizer.encode_batch_fast(texts, add_special_tokens=False), command["milliseconds"])


state = {}
for line in sys.stdin:
    try:
        said = answer(state, json.loads(line))
    except Exception as error:  # the other side says it
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
