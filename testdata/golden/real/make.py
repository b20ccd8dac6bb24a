"""Writes what other libraries make of files of models and vectors that other people made: values.json.

    node scripts/real-files.mjs --goldens       fetches the files, and runs this with the Python in TOKENBED_PYTHON

Needs fasttext-wheel 0.9.2, gensim 4.4.0, model2vec 0.10.0, wordllama 0.4.0.post1, safetensors 0.8.0, numpy 2.4.6. Vectors
are hexadecimal float32, little endian; of whole tables and lists of words there is the SHA-256. fastText does not open
files without its magic number, for which gensim stands in. Words that are no UTF-8 are not asked for.
"""

import hashlib
import json
import pathlib
import sys

import fasttext
import numpy as np
import safetensors.numpy
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_vectors
from model2vec import StaticModel
from tokenizers import Tokenizer
from wordllama.inference import WordLlamaInference

HERE = pathlib.Path(__file__).parent
FILES = pathlib.Path(sys.argv[1])
UNKNOWN = ["unheardof", "naïveté", "преступлениями", "xyz"]
TEXTS = ["Call me Ishmael.", "The whale swims away", "naïve café in 東京", "", "a b c d e f g 1234567890 !?"]
LANGUAGES = [
    "Where is the library?",
    "Où est la bibliothèque ?",
    "Wo ist die Bibliothek?",
    "¿Dónde está la biblioteca?",
    "Где находится библиотека?",
    "図書館はどこですか",
    "도서관이 어디에 있습니까",
    "أين المكتبة؟",
    "Kje je knjižnica",
    "12345",
    "",
]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def of_words(words):
    return digest("\n".join(words).encode())


def numbers(values):
    return np.asarray(values, dtype="<f4").tobytes().hex()


def model(name):
    """What fastText says of a model."""
    opened = fasttext.FastText._FastText(str(FILES / name))
    raw = opened.get_words(on_unicode_error="replace")
    asked = [word for word in raw if "\ufffd" not in word][:6] + UNKNOWN
    labels = opened.get_labels() if opened.f.isQuant() or name.startswith(("fasttext", "gensim/pang")) else []
    said = {"dim": opened.get_dimension(), "words": [len(raw), of_words(raw)]}
    said["vectors"] = [[word, numbers(opened.get_word_vector(word))] for word in asked]
    if labels and labels[0].startswith("__label__"):
        texts = LANGUAGES if "lid" in name else TEXTS
        said["labels"] = [len(labels), of_words(labels)]
        said["classes"] = [
            [text, [[label, p] for p, label in opened.f.predict(text + "\n", 3, 0.0, "strict")]] for text in texts
        ]
    return said


def old_model(name, encoding):
    """What gensim says of a model that fastText does not open."""
    opened = load_facebook_vectors(str(FILES / name), encoding=encoding)
    words = opened.index_to_key
    asked = [word for word in words if word.isascii()][:6] + (UNKNOWN if encoding == "utf8" else ["unheardof"])
    said = {"dim": opened.vector_size, "words": [len(words), of_words(words) if encoding == "utf8" else None]}
    return said | {"near": [[word, numbers(opened.get_vector(word))] for word in asked if word != "</s>"]}


def table(name, **options):
    """What gensim reads from words and vectors."""
    read = KeyedVectors.load_word2vec_format(str(FILES / name), **options)
    return {"words": [len(read), of_words(read.index_to_key)], "table": digest(read.vectors.astype("<f4").tobytes())}


def weights(name):
    tensors = safetensors.numpy.load_file(str(FILES / name))
    return {key: [str(x.dtype), list(x.shape), digest(x.tobytes())] for key, x in sorted(tensors.items())}


llama = WordLlamaInference(
    safetensors.numpy.load_file(str(FILES / "wordllama/weights/l2_supercat_256.safetensors"))["embedding.weight"],
    Tokenizer.from_file(str(FILES / "wordllama/tokenizers/l2_supercat_tokenizer_config.json")),
)
lee, crime = "gensim/lee_fasttext", "gensim/crime-and-punishment"
values = {
    "models": {
        name: model(name)
        for name in [
            "fasttext/lid.176.ftz",
            f"{lee}_new.bin",
            "gensim/pang_lee_polarity_fasttext.bin",
            f"{crime}.bin",
            "finalfusion/fasttext.bin",
        ]
    }
    | {
        f"{lee}.bin": old_model(f"{lee}.bin", "utf8"),
        "gensim/non_ascii_fasttext.bin": old_model("gensim/non_ascii_fasttext.bin", "utf8"),
        "gensim/cp852_fasttext.bin": old_model("gensim/cp852_fasttext.bin", "cp852"),
    },
    "words": {
        name: table(name, binary=name.endswith("bin"))
        for name in [
            f"{lee}.vec",
            f"{crime}.vec",
            "gensim/euclidean_vectors.bin",
            "gensim/poincare_vectors.bin",
            "gensim/high_precision.kv.bin",
            "gensim/high_precision.kv.txt",
            "finalfusion/similarity.bin",
            "finalfusion/similarity.txt",
            "finalfusion/analogy.bin",
        ]
    },
    "broken": {
        name: table(name, binary=name.endswith("bin"), unicode_errors="replace")
        for name in [
            "gensim/pang_lee_polarity_fasttext.vec",
            "finalfusion/utf8-incomplete.bin",
            "finalfusion/utf8-incomplete.dims",
        ]
    },
    "glove": {
        name: table(name, no_header=True) for name in ["gensim/test_glove.txt", "finalfusion/similarity.nodims"]
    },
    "weights": {
        name: weights(name)
        for name in ["wordllama/weights/l2_supercat_256.safetensors", "static_model/model.safetensors"]
    },
    "texts": TEXTS,
    "embedded": {
        "wordllama/weights/l2_supercat_256.safetensors": [numbers(x) for x in llama.embed(TEXTS)],
        "static_model": [numbers(x) for x in StaticModel.from_pretrained(str(FILES / "static_model")).encode(TEXTS)],
    },
}
(HERE / "values.json").write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
