"""Writes parts.json.gz: small random tokenizers of every combination of parts, texts, and the library's ids and offsets.

    python testdata/golden/tokenizer_files/parts.py                          # what is committed
    python testdata/golden/tokenizer_files/parts.py OUT.json.gz 20000 7      # another file, number and seed

Made with tokenizers 0.23.3. Each entry is a file, its texts, and for each text a list of ids and one of the places of
the tokens in UTF-16 units (starts and ends by turns), or null where the library gives an error. Texts on which the
library panics are left out. Models are trained on a few texts and then changed, so that they have gaps and ties.
"""

import base64
import gzip
import json
import os
import random
import struct
import sys
from itertools import accumulate
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel

HERE = Path(__file__).resolve().parent

PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"\s+",
    r"\w+|[^\w\s]+",
    r"[a-z]+",
    r"\d",
    r"[^a-zA-Z]",
    r" {2,}",
    r"\n",
    r".",
    r"a|ab|\s",
]
LITERALS = [" ", "a", "ab", "\n", "é", "▁", "``", ".", "aa", ""]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
WORDS = ["the", "The", "ab", "abab", "aa", "a", "b", "naïve", "cafe\u0301", "Straße", "İi", "ǅ", "don't", "I'LL", "we've"]
WORDS += ["你好", "世界", "か\u3099", "한국", "\u1112\u1161\u11ab", "नमस्ते", "สวัสดี", "שָׁלוֹם", "مرحبا", "Привет", "Ελλάς", "ﬁn", "①", "½"]
WORDS += ["12", "3456", "7", "³", "٣", "😀", "👩‍👩‍👧", "🇩🇪", "1️⃣", "x1y2", "camelCase", "snake_case", "a.b,c", "--", "!?", "``q''", "…", "。"]
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "\u2028", "\x85", "", "", "▁"]
ODD = ["\0", "\ufffd", "\ufeff", "\u00ad", "\u0301", "\u0345", "\u200d", "\ue000", "\U0010ffff", "\x07", "\u0f73", "ſ", "K", "Å", "ﷺ", "Σ", "ς"]


def double_array(entries):
    """The trie of SentencePiece's character maps: units of 32 bits, as Darts-clone lays them out."""
    root = {}
    for key, value in entries:
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        node[None] = value
    units = {0: 0}

    def place(node, at, unit):
        labels = [0 if label is None else label for label in node]
        base = next(base for base in range(1, 1 << 20) if all(base ^ label not in units for label in labels))
        units[at] = unit | ((at ^ base) << 10)
        for label in labels:
            units[base ^ label] = 0
        for label, child in node.items():
            if label is None:
                units[base] = 0x80000000 | child
            else:
                place(child, base ^ label, label | ((None in child) << 8))

    place(root, 0, 0)
    return [units.get(i, 0) for i in range((max(units) | 255) + 1)]


def charsmap(mapping):
    strings, entries = b"", []
    for key, value in mapping.items():
        entries.append((key.encode(), len(strings)))
        strings += value.encode() + b"\0"
    trie = double_array(entries)
    data = struct.pack(f"<I{len(trie)}I", 4 * len(trie), *trie) + strings
    return base64.b64encode(data).decode()


MAPS = [
    charsmap({"ﬁ": "fi", "①": "1", "\u3000": " ", "\u200b": "", "か\u3099": "が", "\n": " ", "\t": " ", "½": "1/2", "Å": "Å",
              "\u1112\u1161\u11ab": "한", "\u00ad": "", "ﷺ": "صلى الله عليه وسلم", "e\u0301": "é", "\x07": "", "\u00a0": " "}),
    charsmap({"a": "b", "ab": "a", "A": "a", "😀": ":)", "\u0301": "", "ß": "ss", " ": "▁", "\r\n": "\n"}),
]  # fmt: skip


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, options):
        return self.random.choice(options)

    def flag(self, chance=0.5):
        return self.random.random() < chance

    def text(self, most):
        parts = []
        for _ in range(self.random.randint(0, most)):
            kind = self.random.random()
            parts.append(self.one(WORDS) if kind < 0.6 else self.one(SPACES) if kind < 0.88 else self.one(ODD))
            if self.flag(0.35):
                parts.append(" ")
        return "".join(parts)

    def pattern(self):
        return {"Regex": self.one(PATTERNS)} if self.flag(0.6) else {"String": self.one(LITERALS[:-1])}

    def steps(self, name, make, most=3):
        if self.flag(0.25):
            return None
        if self.flag(0.4):
            return make(self)
        return {"type": "Sequence", name: [make(self) for _ in range(self.random.randint(0, most))]}


def normalizer(draw):
    kind = draw.random.randrange(12)
    if kind == 0:
        switches = {name: draw.flag() for name in ("clean_text", "handle_chinese_chars", "lowercase")}
        return {"type": "BertNormalizer", **switches, "strip_accents": draw.one([True, False, None])}
    if kind == 1:
        return {"type": "Strip", "strip_left": draw.flag(), "strip_right": draw.flag()}
    if kind == 2:
        return {"type": "Prepend", "prepend": draw.one(["▁", "a", "  ", "é"])}
    if kind in (3, 4):
        regexes = [r"\s+", " {2,}", "[0-9]", "a+", r"\p{M}", "(?i)the"]
        pattern = {"Regex": draw.one(regexes)} if draw.flag(0.4) else {"String": draw.one(LITERALS[:-1])}
        return {"type": "Replace", "pattern": pattern, "content": draw.one(["", " ", "▁", '"', "ab", "é"])}
    if kind in (5, 6):
        return {"type": "Precompiled", "precompiled_charsmap": draw.one(MAPS)}
    return {"type": draw.one(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "NFC", "NFKC"])}


def pre_tokenizer(draw):
    kind = draw.random.randrange(12)
    if kind == 0:
        return {"type": "ByteLevel", "add_prefix_space": draw.flag(), "trim_offsets": draw.flag(), "use_regex": draw.flag()}
    if kind in (1, 2):
        scheme = draw.one(["always", "never", "first"])
        return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": draw.flag()}
    if kind in (3, 4, 5):
        return {"type": "Split", "pattern": draw.pattern(), "behavior": draw.one(BEHAVIORS), "invert": draw.flag()}
    if kind == 6:
        return {"type": "Digits", "individual_digits": draw.flag()}
    if kind == 7:
        return {"type": "Punctuation", "behavior": draw.one(BEHAVIORS)}
    if kind == 8 and draw.flag(0.3):
        other = [{"type": "CharDelimiterSplit", "delimiter": "a"}, {"type": "UnicodeScripts"}]
        return draw.one([*other, {"type": "FixedLength", "length": draw.random.randint(1, 4)}])
    return {"type": draw.one(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "WhitespaceSplit"])}


def with_bytes(draw, parts):
    """Pre-tokenizers that end with byte-level, as a model over bytes needs them."""
    last = {"type": "ByteLevel", "add_prefix_space": draw.flag(0.3), "trim_offsets": draw.flag(), "use_regex": draw.flag(0.4)}
    before = parts["pretokenizers"] if parts and parts["type"] == "Sequence" else [parts] if parts else []
    before = [step for step in before if step["type"] != "ByteLevel"]
    return {"type": "Sequence", "pretokenizers": [*before, last]} if before or draw.flag() else last


def trained(draw, file, kind):
    """A model of the kind, trained on a few texts as the file's other parts prepare them."""
    texts = [draw.text(30) for _ in range(12)]
    size = draw.random.randint(30, 160) + (250 if kind == "Unigram" else 0)
    if kind == "WordPiece":
        start, trainer = models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=size, special_tokens=["[UNK]"], show_progress=False)
    elif kind == "WordLevel":
        start, trainer = models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(vocab_size=size, special_tokens=["[UNK]"], show_progress=False)
    elif kind == "Unigram":
        start, trainer = models.Unigram(), trainers.UnigramTrainer(vocab_size=size, unk_token="[UNK]", special_tokens=["[UNK]"], show_progress=False)
    else:
        letters = sorted(ByteLevel.alphabet()) if kind == "bytes" else []
        settings = {"initial_alphabet": letters, "show_progress": False, "special_tokens": ["[UNK]"]}
        prefix = draw.one([None, None, "##"]) if kind == "BPE" else None
        suffix = draw.one([None, None, "</w>"]) if kind == "BPE" else draw.one([None, None, None, "</w>"])
        settings |= {"continuing_subword_prefix": prefix} if prefix else {}
        settings |= {"end_of_word_suffix": suffix} if suffix else {}
        start, trainer = models.BPE(unk_token="[UNK]"), trainers.BpeTrainer(vocab_size=size + len(letters), **settings)
    tokenizer = Tokenizer.from_str(json.dumps({**file, "added_tokens": [], "model": json.loads(start.__getstate__())}))
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())["model"]


def changed(draw, model, kind):
    """The model with gaps, ties and other settings."""
    vocab = model["vocab"]
    if kind == "Unigram":
        kept = [piece for piece in vocab if piece[0] == "[UNK]" or draw.flag(0.9)]
        if draw.flag(0.5):
            kept = [[token, float(round(score))] for token, score in kept]
        if draw.flag(0.3):
            kept += [[f"<0x{byte:02X}>", draw.one([-20.0, 0.0, -1.0])] for byte in range(256)]
            model["byte_fallback"] = True
        unknown = [token for token, _ in kept].index("[UNK]")
        return {**model, "vocab": kept, "unk_id": unknown}
    if kind in ("WordPiece", "WordLevel"):
        kept = [token for token in vocab if token == "[UNK]" or draw.flag(0.92)]
        kept.sort(key=vocab.get)
        model["vocab"] = {token: id for id, token in enumerate(kept)}
        if kind == "WordPiece":
            model["max_input_chars_per_word"] = draw.one([100, 100, 4, 1])
        return model
    if kind == "BPE":
        model["fuse_unk"] = draw.flag()
        model["unk_token"] = draw.one(["[UNK]", "[UNK]", None])
        if draw.flag(0.4):
            model["byte_fallback"] = True
            for byte in range(256):
                vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
        made = {a + b[len(model.get("continuing_subword_prefix") or "") :] for a, b in map(tuple, model["merges"])}
        used = {half for pair in model["merges"] for half in pair} | made
        dropped = {token for token in vocab if token not in used and token != "[UNK]" and draw.flag(0.15)}
        model["vocab"] = {token: id for token, id in vocab.items() if token not in dropped}
    else:
        model["unk_token"] = None
    model["ignore_merges"] = draw.flag(0.3)
    return model


def added_tokens(draw, size):
    contents = ["<s>", "[M]", "ab", "the", " ", "\n", "é", "  ", "A", "▁x", "<|end|>", "Straße", "12", "a", "naïve"]
    chosen = draw.random.sample(contents, draw.random.choice([0, 0, 1, 2, 3]))
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return [{"id": size + i, "content": content, **{name: draw.flag(0.35) for name in names}} for i, content in enumerate(chosen)]


def post_processor(draw):
    kind = draw.random.randrange(4)
    if kind == 0:
        return {"type": "ByteLevel", "add_prefix_space": draw.flag(), "trim_offsets": draw.flag(), "use_regex": True}
    if kind == 1:
        switches = {"trim_offsets": draw.flag(), "add_prefix_space": draw.flag()}
        return {"type": "RobertaProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", 0], **switches}
    return None


def tokenizer_file(draw):
    kind = draw.one(["WordPiece", "Unigram", "Unigram", "bytes", "bytes", "BPE", "BPE", "WordLevel"])
    pre = draw.steps("pretokenizers", pre_tokenizer)
    parts = {"normalizer": draw.steps("normalizers", normalizer), "pre_tokenizer": with_bytes(draw, pre) if kind == "bytes" else pre}
    file = {"version": "1.0", "truncation": None, "padding": None, **parts, "post_processor": post_processor(draw), "decoder": None}
    model = changed(draw, trained(draw, file, kind), kind)
    ids = range(len(model["vocab"])) if isinstance(model["vocab"], list) else model["vocab"].values()
    return {**file, "added_tokens": added_tokens(draw, max(ids) + 1), "model": model}


def encoded(tokenizer, text):
    found = tokenizer.encode(text, add_special_tokens=False)
    at = [0, *accumulate(1 + (letter > "\uffff") for letter in text)]
    return [found.ids, [at[place] for pair in found.offsets for place in pair]]


def entry(draw):
    file = tokenizer_file(draw)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    # The library finds an added token of which the normalizer leaves nothing between all characters; tokenbed never.
    normal = tokenizer.normalizer
    file["added_tokens"] = [token for token in file["added_tokens"] if not normal or normal.normalize_str(token["content"])]
    tokenizer = Tokenizer.from_str(json.dumps(file))
    contents = [token["content"] for token in file["added_tokens"]]
    texts, results = [], []
    for i in range(14):
        text = draw.text(4 if i % 3 == 0 else 9)
        if contents and draw.flag(0.5):
            at = draw.random.randint(0, len(text))
            text = text[:at] + draw.one(contents) + draw.one(["", " ", "a"]) + text[at:]
        try:
            results.append(encoded(tokenizer, text))
        except IndexError:
            # Tokens of models with a prefix may reach beyond the text.
            continue
        except Exception:
            results.append(None)
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            continue
        texts.append(text)
    return {"file": file, "texts": texts, "results": results}


def main(path=HERE / "parts.json.gz", count=320, seed=1):
    entries, attempt = [], 0
    while len(entries) < int(count):
        attempt += 1
        try:
            entries.append(entry(Draw(f"{seed}-{attempt}")))
        except Exception as error:
            # Some parts leave nothing to train on.
            print(f"{attempt}: {error}", file=sys.stderr)
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
    data = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    Path(path).write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
