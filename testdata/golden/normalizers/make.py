"""Writes digests.json: for normalizers of every kind, a digest of what becomes of every code point, and where it stands.

    python testdata/golden/normalizers/make.py

Needs tokenizers (made with 0.23.3). Each code point stands alone, doubled and between letters, 64 of them in a text. A
model without tokens makes one token of each character, so that its offsets are those of the characters.
"""

import hashlib
import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent


def bert(clean, chinese, strip, lower):
    switches = {"clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lower}
    return {"type": "BertNormalizer", **switches}


def sequence(*parts):
    return {"type": "Sequence", "normalizers": [{"type": part} if isinstance(part, str) else part for part in parts]}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


PARTS = [{"type": kind} for kind in ["Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Nmt", "ByteLevel"]]
PARTS += [
    bert(True, True, None, True), bert(True, True, None, False), bert(True, True, False, True),
    bert(False, True, True, False), bert(True, False, False, False), bert(False, False, None, True),
    {"type": "Strip", "strip_left": True, "strip_right": True},
    sequence({"type": "Prepend", "prepend": "▁"}, replace("▁", String=" ")),
    sequence("NFD", "Lowercase", "StripAccents"), sequence("NFKD", "StripAccents", "Lowercase", "NFC"),
    sequence("NFC", replace(" ", Regex="\\s+"), "Lowercase"), sequence("Nmt", "NFKC", replace(" ", Regex=" {2,}")),
    sequence("Lowercase", replace("", Regex="[!-/:-@\\[-`{-~]"), replace(" ", Regex="\\s+"),
             {"type": "Strip", "strip_left": True, "strip_right": True}),
    sequence(replace("\"", String="``"), replace("\"", String="''"), "NFKD", "StripAccents", "Lowercase"),
]


def texts():
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    codes = [code for code in codes if not 0x32000 <= code < 0xE0000 and code < 0xE0200]
    for at in range(0, len(codes), 64):
        chars = [chr(code) for code in codes[at : at + 64]]
        yield "".join(f"{c}\n{c}{c} a{c}B\n" for c in chars)


def digest(part):
    model = {"type": "BPE", "vocab": {"<unk>": 0}, "merges": [], "unk_token": "<unk>", "fuse_unk": False}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "added_tokens": [], "normalizer": part, "model": model}))
    result = hashlib.sha256()
    for text in texts():
        result.update(tokenizer.normalizer.normalize_str(text).encode() + b"\0")
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        result.update(b"".join(start.to_bytes(4, "little") + end.to_bytes(4, "little") for start, end in offsets))
    return result.hexdigest()


CASES = [{"part": part, "sha256": digest(part)} for part in PARTS]
LINES = ",\n".join(json.dumps(case) for case in CASES)
(HERE / "digests.json").write_text(f'{{"tokenizers": "{tokenizers.__version__}", "cases": [\n{LINES}\n]}}\n')
