"""Writes cases.json: what others answer to calls of tokenizers besides plain encoding: pairs of texts, words, rows that go
on, texts that are cut into words, other kinds of files, and the encodings that are made of others.

    npm run build                      # installs the package whose ranks are read
    python testdata/golden/tokenizer_calls/make.py

Needs tokenizers (made with 0.23.3) and tiktoken (0.14.0). The tokenizers are those of ../hf and changes of them. Places are
in UTF-16 code units.
"""

import base64
import json
import tempfile
from pathlib import Path

import tiktoken
import tokenizers
from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer, ByteLevelBPETokenizer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TEXTS = [
    text for text in json.loads((HERE.parent / "hf/cases.json").read_text())["texts"] if len(text) <= 300
] + ["Hello [MASK] you", "a<s>b", "x<|endoftext|>y"]
PAIRS = [
    ("Call me Ishmael.", "Some years ago, never mind how long."),
    ("", "the whale"),
    ("the whale", ""),
    ("", ""),
    ("the whale and the sea, and the ship, and all who sailed", "a"),
    ("naïve 🦙 café", "漢字 and more 🦙🦙 words"),
    (" two  spaces", "two  spaces "),
]
WORDS = [["New", "York", "is", "big"], [], ["", "a", " ", "b c"], ["🦙llama", "naïve", "漢字"], ["the whale"]]

ROBERTA = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False}
BERT = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
FILES = {
    "byte-level": ("byte-level", {}),
    "llama": ("llama", {}),
    "unigram": ("unigram", {}),
    "wordlevel": ("wordlevel", {}),
    "wordpiece": ("wordpiece", {}),
    "bert": ("wordpiece", {"post_processor": BERT}),
    "roberta": ("byte-level", {"post_processor": ROBERTA}),
    "nothing": ("byte-level", {"post_processor": None}),
}


def load(name):
    file, changes = FILES[name]
    parts = json.loads((HERE.parent / f"hf/{file}.json").read_text())
    tokenizer = Tokenizer.from_str(json.dumps({**parts, **changes}))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def units(text, at):
    return len(text[:at].encode("utf-16-le", "surrogatepass")) // 2


def located(encoding, texts):
    """Ids, words, and places in the text that each token belongs to."""
    texts = texts if isinstance(texts, (list, tuple)) else [texts]
    places = []
    for i, (start, end) in enumerate(encoding.offsets):
        of = encoding.sequence_ids[i]
        text = texts[of] if of is not None else ""
        places += [units(text, start), units(text, end)]
    none = lambda values: [-1 if value is None else value for value in values]
    return {"ids": encoding.ids, "words": none(encoding.word_ids), "places": places}


def paired(tokenizer, pair, framed):
    encoding = tokenizer.encode(*pair, add_special_tokens=framed)
    sequences = [-1 if of is None else of for of in encoding.sequence_ids]
    return {**located(encoding, pair), "types": encoding.type_ids, "sequences": sequences}


def cut_pairs(name):
    found = []
    for strategy in ["longest_first", "only_first", "only_second"]:
        for direction in ["right", "left"]:
            for length in [4, 7, 12]:
                tokenizer = load(name)
                tokenizer.enable_truncation(length, strategy=strategy, direction=direction)
                rows = []
                for pair in PAIRS:
                    try:
                        rows.append(tokenizer.encode(*pair).ids)
                    except Exception:
                        rows.append(None)
                found.append({"strategy": strategy, "direction": direction, "length": length, "rows": rows})
    return found


def overflow(name):
    found = []
    for direction in ["right", "left"]:
        for length, stride in [(5, 0), (5, 1), (8, 5), (20, 3)]:
            tokenizer = load(name)
            tokenizer.enable_truncation(length, stride=stride, direction=direction)
            rows = []
            for i, encoding in enumerate(tokenizer.encode_batch(TEXTS)):
                rows += [[i, one.ids] for one in [encoding, *encoding.overflowing]]
            found.append({"direction": direction, "length": length, "stride": stride, "rows": rows})
    return found


def padded(name):
    tokenizer = load(name)
    tokenizer.enable_padding(pad_to_multiple_of=8, pad_id=7, pad_token="x")
    batch = tokenizer.encode_batch(TEXTS[:20])
    return [encoding.ids for encoding in batch]


def words(name):
    tokenizer = load(name)
    found = []
    for framed in [True, False]:
        encodings = [tokenizer.encode(text, is_pretokenized=True, add_special_tokens=framed) for text in WORDS]
        for encoding, text in zip(encodings, WORDS):
            places = []
            for word, (start, end) in zip(encoding.word_ids, encoding.offsets):
                of = "" if word is None else text[word]
                places += [units(of, start), units(of, end)]
            none = [-1 if word is None else word for word in encoding.word_ids]
            found.append({"framed": framed, "ids": encoding.ids, "words": none, "places": places})
    return found


files = {}
for name, (file, changes) in FILES.items():
    tokenizer = load(name)
    vocabulary = tokenizer.get_vocab()
    files[name] = {
        "file": file,
        "changes": changes,
        "located": [located(tokenizer.encode(text), text) for text in TEXTS],
        "pairs": [{"framed": framed, **paired(tokenizer, pair, framed)} for framed in [True, False] for pair in PAIRS],
        "cut": cut_pairs(name),
        "overflow": overflow(name),
        "padded": padded(name),
        "pretokenized": words(name),
        "vocabulary": len(vocabulary),
        "decoded": tokenizer.decode_batch([tokenizer.encode(text).ids for text in TEXTS], skip_special_tokens=True),
    }

# Other files: a vocabulary of WordPiece, the byte pairs of ../hf, and ranks of tiktoken.
wordpiece = json.loads((HERE.parent / "hf/wordpiece.json").read_text())["model"]["vocab"]
byte_level = json.loads((HERE.parent / "hf/byte-level.json").read_text())["model"]
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder)
    (path / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in sorted(wordpiece.items(), key=lambda it: it[1])))
    (path / "vocab.json").write_text(json.dumps(byte_level["vocab"]))
    merges = [it if isinstance(it, str) else " ".join(it) for it in byte_level["merges"]]
    (path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    bert = {lower: BertWordPieceTokenizer(str(path / "vocab.txt"), lowercase=lower) for lower in [True, False]}
    pairs = ByteLevelBPETokenizer(str(path / "vocab.json"), str(path / "merges.txt"))
    others = {
        "lower": [bert[True].encode(text).ids for text in TEXTS],
        "cased": [bert[False].encode(text).ids for text in TEXTS],
        "pair": bert[True].encode(*PAIRS[0]).ids,
        "byte_pairs": [pairs.encode(text).ids for text in TEXTS],
    }


def ranks(name):
    encoder = json.loads((ROOT / f"node_modules/tiktoken/encoders/{name}.json").read_text())
    found = {}
    for line in encoder["bpe_ranks"].split("\n"):
        _, first, *tokens = line.split(" ")
        for i, token in enumerate(tokens):
            found[base64.b64decode(token)] = int(first) + i
    return found, encoder["pat_str"]


few, gpt2_pattern = ranks("r50k_base")
few = {token: rank for token, rank in few.items() if rank < 2000}
cl100k_pattern, o200k_pattern = ranks("cl100k_base")[1], ranks("o200k_base")[1]
OWN_PATTERN = r"\p{L}+|\p{N}{1,2}|[^\p{L}\p{N}]"
SPECIAL = {"<|endoftext|>": 2000, "<|stop|>": 2007}
of_ranks = {}
for name, pattern in [("gpt2", gpt2_pattern), ("cl100k_base", cl100k_pattern), ("o200k_base", o200k_pattern), (OWN_PATTERN, OWN_PATTERN)]:
    encoding = tiktoken.Encoding("few", pat_str=pattern, mergeable_ranks=few, special_tokens=SPECIAL)
    of_ranks[name] = [encoding.encode(text, allowed_special="all") for text in [*TEXTS, "a<|stop|> b"]]

o200k = ranks("o200k_base")[0]
reserved = [200000, 200001, 200004, 200009, 200010, 200011, *range(200013, 201088)]
harmony = tiktoken.Encoding(
    "o200k_harmony",
    pat_str=o200k_pattern,
    mergeable_ranks=o200k,
    special_tokens={
        "<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|endofprompt|>": 200018, "<|return|>": 200002,
        "<|constrain|>": 200003, "<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007, "<|message|>": 200008,
        "<|call|>": 200012, **{f"<|reserved_{i}|>": i for i in reserved},
    },
)
CHAT = [
    "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>",
    "<|reserved_201087|> <|reserved_200018|><|endofprompt|><|reserved_2|> <|",
]
golden = {
    "versions": [tokenizers.__version__, tiktoken.__version__],
    "texts": TEXTS,
    "pairs": PAIRS,
    "words": WORDS,
    "files": files,
    "others": others,
    "ranks": {"special": SPECIAL, "own": OWN_PATTERN, "ids": of_ranks},
    "harmony": {"texts": CHAT, "ids": [harmony.encode(text, allowed_special="all") for text in CHAT], "size": harmony.n_vocab},
    "models": {model: encoding for model, encoding in MODEL_TO_ENCODING.items()},
    "beginnings": {f"{beginning}x": encoding for beginning, encoding in MODEL_PREFIX_TO_ENCODING.items()},
}
(HERE / "cases.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
