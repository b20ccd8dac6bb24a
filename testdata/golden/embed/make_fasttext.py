# The vectors that fastText makes of sentences, by models of ../fasttext, on texts.json.
#
# Needs fasttext-wheel==0.9.2, numpy and safetensors. A line break is a space, as fastText reads one line; each text ends
# with two words of the model, which the texts themselves do not have.
#
#   python make_fasttext.py                       writes fasttext.safetensors
#   python make_fasttext.py --texts F --out D     takes other texts (JSON), for TOKENBED_EMBED_GOLDENS

import argparse
import json
from pathlib import Path

import fasttext
import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).parent
MODELS = ("skipgram-ns.bin", "cbow-hs.bin", "sup-ns.bin", "sup-softmax.bin", "sup-hs-norm.ftz", "sup-ova-cut.ftz")


def vectors(name: str, texts: list[str]) -> np.ndarray:
    model = fasttext.FastText._FastText(str(HERE.parent / "fasttext" / name))
    words = model.get_words()
    rows = []
    for i, text in enumerate(texts):
        known = f"{words[i % len(words)]} {words[3 * i % len(words)]}"
        rows.append(model.get_sentence_vector(f"{text} {known}".replace("\n", " ")))
    return np.stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=HERE / "texts.json")
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    texts = json.loads(asked.texts.read_text(encoding="utf8"))
    save_file({name: vectors(name, texts) for name in MODELS}, asked.out / "fasttext.safetensors")


main()
