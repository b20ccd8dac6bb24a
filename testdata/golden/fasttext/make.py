"""Writes models of fastText, and what fastText itself says of them.

    python make.py                  writes beside this script

Needs fasttext-wheel (0.9.2, the library's own code) and numpy. values.json has, for each file, its words and labels, and
vectors of words, of sentences, and the probabilities of all classes, each number as the float32 that it is.
Models are small, of random words in several alphabets. The .ftz files are quantized: -cut is pruned, -plain has no norms
of its own, -out has a quantized output matrix, too. eleven.bin is a supervised file of version 11, whose sub-words are
not used, and old.bin the same model as skipgram-ns.bin in the form that files had before they said their version.
"""

import json
import pathlib
import random
import struct

import fasttext

HERE = pathlib.Path(__file__).parent
LETTERS = ["abcdefgh", "абвгде", "αβγδε", "語文字漢", "éèüñ", "🐳🌊🚀"]


def words(count, seed):
    draw = random.Random(seed)
    made = {}
    while len(made) < count:
        letters = draw.choice(LETTERS[:2] * 3 + LETTERS)
        made["".join(draw.choice(letters) for _ in range(draw.randint(1, 8)))] = None
    return list(made)


def corpus(path, labels, seed, count):
    draw, known = random.Random(seed), words(60, seed)
    lines = []
    for i in range(count):
        label = i % labels if labels else 0
        near = known[label % 50 : label % 50 + 9] * 2 + known
        text = " ".join(draw.choice(near) for _ in range(draw.randint(3, 9)))
        lines.append((f"__label__{'класс' if label % 3 == 0 else 'class'}{label} " if labels else "") + text)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return known


SENTENCES = [
    "",
    " ",
    "abc",
    "{0} {1} {2}",
    "  {3}\t{4}\r{0}\v{5}\f{6} ",
    "{0} unknown {1} неизвестно 漢字文 {0}",
    "{2} </s> {3} {4}",
    "__label__class1 {5} __label__nobody {6}",
    "{0}\0{1} {2}\0",
    "{7} {8} {9} {10} {11} {12} {13} {14}",
    "no such words here",
]
WORDS = ["", "a", "ab", "unknown", "абвабв", "語", "漢字漢字", "🐳🚀🐳", "</s>", "a b", "é", "__label__other", "x" * 70]


def said(path, known, supervised):
    model = fasttext.FastText._FastText(str(path))
    inner = model.f
    texts = [text.format(*known) for text in SENTENCES]
    asked = WORDS + known[:12]
    result = {
        "supervised": supervised,
        "dim": model.get_dimension(),
        "words": model.get_words(),
        "labels": model.get_labels() if supervised else None,
        "vectors": [[word, [float(x) for x in model.get_word_vector(word)]] for word in asked],
        "sentences": [[text, [float(x) for x in model.get_sentence_vector(text)]] for text in texts],
    }
    if supervised:
        # The package's own predict fails with NumPy 2, after the model has answered.
        result["classes"] = [
            [text, [[label, p] for p, label in inner.predict(text + "\n", -1, 0.0, "strict")]] for text in texts
        ]
    else:
        query = known[0]
        result["neighbours"] = [
            [query, [[word, s] for s, word in inner.getNN(query, 10, "strict")]],
            ["неизвестно", [[word, s] for s, word in inner.getNN("неизвестно", 10, "strict")]],
        ]
    return result


def old_form(content):
    """The same model without magic number, version, number of pruned rows, and marks of quantized matrices."""
    size, nwords = struct.unpack_from("<2i", content, 64)
    header, rest = content[8:64] + content[64 : 64 + 20], 64 + 28
    dim, bucket = struct.unpack_from("<i", content, 8)[0], struct.unpack_from("<i", content, 40)[0]
    end = rest
    for _ in range(size):
        end = content.index(b"\0", end) + 1 + 9
    after = end + 1 + 16 + (nwords + bucket) * dim * 4
    return header + content[rest:end] + content[end + 1 : after] + content[after + 1 :]


def main():
    values = {}
    text = HERE / "corpus.txt"
    base = {"epoch": 5, "thread": 1, "verbose": 0, "bucket": 240, "minCount": 1}
    for name, labels, options in [
        ("sup-softmax", 5, {"loss": "softmax", "dim": 6}),
        ("sup-hs", 9, {"loss": "hs", "dim": 5, "wordNgrams": 2}),
        ("sup-ova", 4, {"loss": "ova", "dim": 4, "minn": 2, "maxn": 4}),
        ("sup-ns", 4, {"loss": "ns", "dim": 4, "minn": 1, "maxn": 3, "wordNgrams": 3}),
        ("sup-many", 260, {"loss": "softmax", "dim": 4, "minn": 2, "maxn": 3, "epoch": 20}),
    ]:
        known = corpus(text, labels, 7, max(120, labels * 2))
        model = fasttext.train_supervised(input=str(text), lr=0.5, **{**base, **options})
        model.save_model(str(HERE / f"{name}.bin"))
        values[f"{name}.bin"] = said(HERE / f"{name}.bin", known, True)
        quantized = {
            "sup-ova": [("cut", {"qnorm": True, "cutoff": 258})],
            "sup-ns": [("plain", {"dsub": 3})],
            "sup-hs": [("norm", {"qnorm": True})],
            "sup-many": [("out", {"qnorm": True, "qout": True, "dsub": 3})],
        }.get(name, [])
        for ending, how in quantized:
            model = fasttext.FastText._FastText(str(HERE / f"{name}.bin"))
            model.quantize(input=str(text), verbose=0, **how)
            path = HERE / f"{name}-{ending}.ftz"
            model.save_model(str(path))
            values[path.name] = said(path, known, True)
        if name == "sup-many":
            (HERE / f"{name}.bin").unlink()
            del values[f"{name}.bin"]
    for name, kind, options in [
        ("skipgram-ns", "skipgram", {"loss": "ns", "dim": 5, "minn": 3, "maxn": 5}),
        ("cbow-hs", "cbow", {"loss": "hs", "dim": 4, "minn": 0, "maxn": 0}),
        ("cbow-softmax", "cbow", {"loss": "softmax", "dim": 7, "minn": 1, "maxn": 2}),
    ]:
        known = corpus(text, 0, 8, 150)
        model = fasttext.train_unsupervised(input=str(text), model=kind, **{**base, **options})
        path = HERE / f"{name}.bin"
        model.save_model(str(path))
        values[path.name] = said(path, known, False)
    (HERE / "old.bin").write_bytes(old_form((HERE / "skipgram-ns.bin").read_bytes()))
    values["old.bin"] = values["skipgram-ns.bin"]
    content = bytearray((HERE / "sup-ova.bin").read_bytes())
    content[4:8] = struct.pack("<i", 11)
    (HERE / "eleven.bin").write_bytes(content)
    values["eleven.bin"] = said(HERE / "eleven.bin", corpus(text, 4, 7, 120), True)
    text.unlink()
    (HERE / "values.json").write_text(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
