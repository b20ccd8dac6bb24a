# The vectors that sentence-transformers itself makes by the folders st-* of make.py, on texts.json.
#
# Needs sentence-transformers==3.2.1 with transformers==4.45.2, tokenizers==0.20.3, numpy==1.26.4 and torch 1.13.1 (Debian's
# python3-torch and libtorch1.13, built for the CPU). Version 3.2 knows StaticEmbedding and its table by older names than
# st-new gives: a copy of the folder has those.
#
#   python make_st.py                            writes transformers.safetensors
#   python make_st.py --texts F --out D     takes other texts (JSON), for TOKENBED_EMBED_GOLDENS

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer

HERE = Path(__file__).parent


def vectors(name: str, texts: list[str], batch: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as copy:
        folder = Path(copy) / name
        shutil.copytree(HERE / name, folder)
        path = folder / "modules.json"
        modules = json.loads(path.read_text())
        for module in modules:
            module["type"] = "sentence_transformers.models." + module["type"].split(".")[-1]
        path.write_text(json.dumps(modules))
        table = folder / "0_StaticEmbedding/model.safetensors"
        if table.exists():
            save_file({"embedding.weight": next(iter(load_file(table).values()))}, table)
        model = SentenceTransformer(str(folder), device="cpu")
        return model.encode(texts, batch_size=batch, show_progress_bar=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=HERE / "texts.json")
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    texts = json.loads(asked.texts.read_text(encoding="utf8"))
    made = {name: np.ascontiguousarray(vectors(name, texts, 32)) for name in ("st-old", "st-new", "st-bin")}
    save_file(made, asked.out / "transformers.safetensors")


main()
