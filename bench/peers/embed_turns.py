"""Python's model2vec and wordllama, which take turns with Node: commands are lines of JSON, each is answered with one.

The first argument names the one that works, on one thread.
"""

import json
import os
import sys
import time
from pathlib import Path

for name in ("TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "false" if name.startswith("TOKENIZERS") else "1"

IS_LLAMA = sys.argv[1] == "wordllama"
if IS_LLAMA:
    import wordllama
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference
else:
    from model2vec import StaticModel


def load(path):
    """A function that makes the vectors of texts."""
    if not IS_LLAMA:
        model = StaticModel.from_pretrained(path)
        return lambda texts: model.encode(texts, use_multiprocessing=False)
    table = load_file(Path(path) / "weights/l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(Path(path) / "tokenizers/l2_supercat_tokenizer_config.json"))
    return WordLlamaInference(table, tokenizer).embed


def answer(state, command):
    match command["do"]:
        case "version":
            # The folder of the package has WordLlama's own model.
            from importlib.metadata import version

            return {"version": version(sys.argv[1]), "folder": str(Path(wordllama.__file__).parent) if IS_LLAMA else ""}
        case "load":
            state["embed"] = load(command["path"])
            return {}
        case "texts":
            state["texts"] = json.loads(Path(command["path"]).read_text(encoding="utf8"))
            return {}
        case "sum":
            # Of the vectors of a few texts, to see that all make the same.
            return {"sum": [float(x) for x in state["embed"](state["texts"][command["job"]][:100]).sum(axis=0)]}
    texts, calls, start, used = state["texts"][command["job"]], 0, time.perf_counter(), time.process_time()
    while calls == 0 or (time.perf_counter() - start) * 1e3 < command["milliseconds"]:
        state["embed"](texts)
        calls += 1
    return {"us": (time.process_time() - used) * 1e6 / calls, "faults": 0}


state = {}
for line in sys.stdin:
    try:
        said = answer(state, json.loads(line))
    except Exception as error:  # the other side says it
        said = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
