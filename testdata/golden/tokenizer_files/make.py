"""Writes digests.json: what tokenizers makes of all texts with each tokenizer.json file.

    python testdata/golden/tokenizer_files/make.py target/tokenizer-files [--short] [NAME ...]

`node scripts/tokenizer-files.mjs` fetches and builds the files, and writes the texts. With `--short` only the blocks of
the short form are encoded, and the others have six dots.

Made with tokenizers 0.23.3, whose regular expressions Oniguruma runs. A digest is the first six letters of the SHA-256
of a block: for each text the number of its ids and the ids, or the number of its tokens and where each begins and ends
in UTF-16 units, all as 32 bits. The texts are in `raw/corpus.jsonl`; those with a file's own added tokens are in
`raw/NAME.added.jsonl`. Nothing is put around the texts, but for the digests called `framed`. Blocks called `others` are
the code points that the corpus leaves out, most of which are no characters yet.
"""

import hashlib
import json
import os
import sys
from array import array
from itertools import accumulate, chain
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

FOLDER = Path(sys.argv[1])
GOLDEN = Path(__file__).resolve().parent / "digests.json"


def blocks(name):
    with open(FOLDER / "raw" / name, encoding="utf8") as lines:
        for line in lines:
            block = json.loads(line)
            # A lone surrogate is no character: it becomes U+FFFD.
            whole = lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            yield block.get("short", True), [text if text.isascii() else whole(text) for text in block["texts"]]


# The code points that the corpus leaves out, and how many words a text has of each form. corpus.ts has the same.
OTHERS = [*range(0x34000, 0xE0000), *range(0xE0200, 0xF0000), *range(0xF0100, 0x10FF00)]
FORMS = [(1, "{0}"), (16, "{0}{0}"), (16, "a{0}b")]
BLOCK = 1 << 16


def others():
    for words, form in FORMS:
        for start in range(0, len(OTHERS), BLOCK):
            some = [form.format(chr(code)) for code in OTHERS[start : start + BLOCK]]
            yield [" ".join(some[at : at + words]) for at in range(0, len(some), words)]


def in_units(text, offsets):
    """Offsets in characters, one after the other, as offsets in UTF-16 units."""
    flat = chain.from_iterable(offsets)
    if text.isascii() or max(text) <= "\uffff":
        return flat
    at = [0, *accumulate(1 + (letter > "\uffff") for letter in text)]
    return [at[place] for place in flat]


def short(values):
    return hashlib.sha256(array("I", values).tobytes()).hexdigest()[:6]


def digests(tokenizer, texts, framed=False):
    all_ids, places = [], []
    for text, found in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=framed)):
        ids = found.ids
        all_ids.append(len(ids))
        all_ids.extend(ids)
        places.append(len(ids))
        places.extend(in_units(text, found.offsets))
    return short(all_ids), short(places)


def of_file(path, is_short):
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    kinds = {"ids": "", "offsets": "", "framed": "", "added": "", "addedOffsets": ""}
    for in_short, texts in blocks("corpus.jsonl"):
        ids, offsets = digests(tokenizer, texts) if in_short or not is_short else ("......", "......")
        kinds["ids"] += ids
        kinds["offsets"] += offsets
    for _, texts in blocks(f"{path.stem}.added.jsonl"):
        ids, offsets = digests(tokenizer, texts)
        kinds["added"] += ids
        kinds["addedOffsets"] += offsets
        kinds["framed"] += digests(tokenizer, texts, True)[0]
    kinds |= {"others": "", "othersOffsets": ""}
    for texts in others():
        ids, offsets = digests(tokenizer, texts)
        kinds["others"] += ids
        kinds["othersOffsets"] += offsets
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **kinds}


if __name__ == "__main__":
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"files": {}}
    is_short = "--short" in sys.argv
    names = [name for name in sys.argv[2:] if name != "--short"] or sorted(path.stem for path in FOLDER.glob("*.json"))
    golden["tokenizers"] = tokenizers.__version__
    golden["texts"] = hashlib.sha256((FOLDER / "raw" / "corpus.jsonl").read_bytes()).hexdigest()
    for name in names:
        golden["files"][name] = of_file(FOLDER / f"{name}.json", is_short)
        golden["files"] = dict(sorted(golden["files"].items()))
        GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
        print(name, file=sys.stderr, flush=True)
