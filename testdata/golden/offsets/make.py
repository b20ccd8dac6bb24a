"""Writes cases.json: where others say that the tokens of hard texts stand.

    npm run build                      # makes vocab/
    python testdata/golden/offsets/make.py

Needs tokenizers (made with 0.23.3) and tiktoken (0.14.0). The tokenizers are those of ../hf and changes of them, which
cases.json names so that the test makes the same; the texts are those of ../hf/cases.json. Places are in UTF-16 code
units: of the library `Encoding.offsets`, of tiktoken the beginnings that `decode_with_offsets` gives.
"""

import copy
import json
import subprocess
from pathlib import Path
from struct import unpack_from

import tiktoken
from tiktoken_ext import openai_public
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TEXTS = json.loads((HERE.parent / "hf/cases.json").read_text())["texts"]
MORE = [" a", "  a", "\u3000a\u3000b", " 你 好 ", "a\u0301\u0327 e\u0301", "x  y   z ", "🦙 🦙🦙", "ﬁﬁ ﷺ b", "<mask> a <mask>  b<mask>", "A<new>b x<new> <new>"]

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
ROBERTA = {"type": "RobertaProcessing", "sep": ["b", 66], "cls": ["a", 65], "trim_offsets": True, "add_prefix_space": True}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"a": {"id": "a", "ids": [65], "tokens": ["a"]}},
}


def bare(step):
    return {**step, "add_prefix_space": False}


def several(kind, key, *steps):
    return {"type": kind, key: list(steps)}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def token(id, content, **given):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False, **given}


BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
ADDED = [token(0, "<mask>", lstrip=True, rstrip=True, normalized=False, special=True), token(1, "<new>", single_word=True)]
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}
SPLIT = {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\p{N}|[^\\p{L}\\p{N}]+"}, "behavior": "Isolated", "invert": False}

# The name of each tokenizer: the file of ../hf, and what is changed in it.
MADE = {
    "byte-level": ("byte-level", {}),
    "trimmed": ("byte-level", {"pre_tokenizer": BYTE_LEVEL, "post_processor": BYTE_LEVEL}),
    "trimmed, no front": ("byte-level", {"post_processor": bare(BYTE_LEVEL)}),
    "roberta": ("byte-level", {"pre_tokenizer": BYTE_LEVEL, "post_processor": ROBERTA, "added_tokens": ADDED}),
    "framed, then trimmed": ("byte-level", {"post_processor": several("Sequence", "processors", TEMPLATE, BYTE_LEVEL), "added_tokens": ADDED}),
    "trimmed, then framed": ("byte-level", {"post_processor": several("Sequence", "processors", BYTE_LEVEL, bare(BYTE_LEVEL), TEMPLATE)}),
    "composed": ("byte-level", {"normalizer": {"type": "NFC"}, "pre_tokenizer": several("Sequence", "pretokenizers", SPLIT, {**bare(BYTE_LEVEL), "use_regex": False})}),
    "wordpiece": ("wordpiece", {}),
    "cased": ("wordpiece", {"normalizer": {**BERT, "strip_accents": True, "lowercase": False}, "added_tokens": ADDED}),
    "not cleaned": ("wordpiece", {"normalizer": {**BERT, "clean_text": False, "handle_chinese_chars": False}}),
    "unigram": ("unigram", {}),
    "decomposed": ("unigram", {"normalizer": several("Sequence", "normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, replace({"Regex": " {2,}"}, " "))}),
    "replaced": ("unigram", {"normalizer": several("Sequence", "normalizers", replace({"String": "a"}, "..."), replace({"Regex": "e|i"}, ""), {"type": "Strip", "strip_left": True, "strip_right": True}), "pre_tokenizer": METASPACE}),
    "llama": ("llama", {}),
    "wordlevel": ("wordlevel", {}),
    "lowercase": ("wordlevel", {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": several("Sequence", "pretokenizers", {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": True}, {"type": "WhitespaceSplit"}), "added_tokens": [{**one, "normalized": True} for one in ADDED]}),
}  # fmt: skip


def units(text):
    """The UTF-16 code unit of each character, and of the end."""
    at = [0]
    for char in text:
        at.append(at[-1] + (2 if ord(char) > 0xFFFF else 1))
    return at


def places(tokenizer, text, framed):
    at = units(text)
    return [at[min(place, len(text))] for offsets in tokenizer.encode(text, add_special_tokens=framed).offsets for place in offsets]


def of_library(name, changes):
    file = copy.deepcopy(json.loads((HERE.parent / f"hf/{name}.json").read_text()))
    file.update(truncation=None, padding=None)
    for part, value in changes.items():
        file[part] = file["added_tokens"] + added(file, value) if part == "added_tokens" else value
    tokenizer = Tokenizer.from_str(json.dumps(file))
    return [{"framed": places(tokenizer, text, True), "bare": places(tokenizer, text, False)} for text in TEXTS + MORE]


def added(file, tokens):
    """New ids for the tokens that are added."""
    vocab = file["model"]["vocab"]
    size = len(vocab) if isinstance(vocab, list) else max(vocab.values()) + 1
    return [{**one, "id": size + one["id"]} for one in tokens]


def vocabulary(name):
    script = "process.stdout.write(zlib.brotliDecompressSync(fs.readFileSync(process.argv[1])))"
    data = subprocess.run(["node", "-e", script, ROOT / f"vocab/{name}.br"], check=True, capture_output=True).stdout
    (count,) = unpack_from("<I", data, 8)
    rest = iter(data[12:])

    def number():
        value = shift = 0
        while True:
            byte = next(rest)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    tokens = [bytes([next(rest)]) for _ in range(256)]
    while len(tokens) < count:
        left = tokens[number()]
        tokens.append(left + tokens[number()])
    return {token: rank for rank, token in enumerate(tokens)}


def of_tiktoken(name):
    openai_public.load_tiktoken_bpe = lambda *_, **__: vocabulary(name)
    encoding = tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())
    starts = []
    for text in TEXTS + MORE:
        again, offsets = encoding.decode_with_offsets(encoding.encode(text, allowed_special="all"))
        assert again == text
        at = units(text)
        starts.append([at[place] for place in offsets])
    return starts


def main():
    files = {
        name: {"file": file, "changes": changes, "places": of_library(file, changes)} for name, (file, changes) in MADE.items()
    }
    for file in files.values():
        for case in file["places"]:
            if case["bare"] == case["framed"]:
                del case["bare"]
    encodings = {name: of_tiktoken(name) for name in ("r50k_base", "cl100k_base", "o200k_base")}
    written = {"texts": TEXTS + MORE, "files": files, "encodings": encodings}
    (HERE / "cases.json").write_text(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
