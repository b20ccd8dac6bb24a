# Folders of static embedding models, and the vectors that their libraries make of texts.
#
# Needs model2vec==0.10.0, wordllama==0.4.0.post1 (the wheel of 0.4.0), tokenizers==0.23.3, numpy, safetensors.
# StaticEmbedding of sentence-transformers is computed by its definition with tokenizers and numpy: encode_batch without
# special tokens, torch.nn.EmbeddingBag with mode "mean", F.normalize.
#
#   python make.py                       writes the folders and texts.json, and goldens.safetensors of 300 texts
#   python make.py --texts 5000 --out D  compares more: set TOKENBED_EMBED_GOLDENS=D for embed.spec.ts
#   ... --model FOLDER --model ...       adds real model2vec folders, and WordLlama's own model is added by --out

import argparse
import io
import json
import os
import pickle
import random
import shutil
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
from model2vec import StaticModel
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from wordllama.inference import WordLlamaInference

HERE = Path(__file__).parent
DIM = 16

WORDS = (
    "the of and to in is that it was for on are as with his they at be this from have or by one had not but what all "
    "were when we there can an your which their said if do will each about how up out them then she many some so these "
    "would other into has more her two like him see time could no make than first been its who now people my made over "
    "did down only way find use may water long little very after words called just where most know whale captain ship "
    "embedding token vector table static model language semantic search nearest neighbour quantized"
).split()
ODD = ["naïve", "Zürich", "Ångström", "东京", "機械学習", "привет", "🙂🚀", "e\u0301te\u0301", "\ufb01ne", "x²", "∑∫√", "\u200b", "A.I.", "can't", "don’t", "3.14159", "1,000,000", "[CLS]", "[UNK]", "<unk>", "[PAD]", "ÀÉÎ", "\u00a0", "\t", "\r\n", "☃", "ꙮ"]


def texts_of(count: int) -> list[str]:
    rng = random.Random(18)
    texts = ["", " ", "\n\t ", "☃☃ ꙮ", "ꙮ", "[UNK] [UNK]", "the", "The whale.", "\ufffd", "a" * 3000, "word " * 1500, "ꙮ " * 600 + "the whale"]
    while len(texts) < count:
        words = []
        for _ in range(rng.choice([1, 3, 8, 20, 40, 90])):
            word = rng.choice(ODD) if rng.random() < 0.08 else rng.choice(WORDS)
            if rng.random() < 0.1:
                word = word.capitalize()
            if rng.random() < 0.05:
                word += rng.choice([",", ".", "!", "?", ";", "--", "'s", "ing", "ed"])
            words.append(word)
        texts.append(rng.choice(["", " ", ""]) + " ".join(words) + rng.choice(["", ".", "\n", "  "]))
    return texts


# Training breaks ties by chance: a new run gives other tokenizers, and other goldens with them.


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=420, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False, limit_alphabet=90)
    tokenizer.train_from_iterator([text for text in texts_of(200) if "ꙮ" not in text], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return tokenizer


def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<s>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator([text for text in texts_of(200) if "ꙮ" not in text], trainer)
    return tokenizer


def byte_fallback() -> Tokenizer:
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)], show_progress=False, limit_alphabet=40)
    trained.train_from_iterator([" ".join(WORDS)] * 4 + WORDS, trainer)
    file = json.loads(trained.to_str())
    file["model"]["byte_fallback"] = True
    file["model"]["fuse_unk"] = True
    # The bytes are tokens of the model, and not added ones.
    file["added_tokens"] = [one for one in file["added_tokens"] if not one["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def word_level() -> Tokenizer:
    words = ["[UNK]", *dict.fromkeys(WORDS)]
    tokenizer = Tokenizer(models.WordLevel({word: id for id, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def fresh(name: str) -> Path:
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def drawn(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.standard_normal((rows, DIM)).astype(np.float32)


def save_model2vec(name: str, model: StaticModel, **config: object) -> None:
    folder = fresh(name)
    model.config.update(config)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


class _Storage:
    """A storage of PyTorch, for the pickle of a file: PyTorch itself is not needed to write one."""

    def __init__(self, size: int):
        self.size = size


def save_torch(path: Path, name: str, table: np.ndarray) -> None:
    """A state dict of one float32 tensor, as torch.save writes it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch", "__qualname__": "FloatStorage"})
    torch._utils = utils
    sys.modules.update({"torch": torch, "torch._utils": utils})

    class Tensor:
        def __reduce__(self):
            rows, dim = table.shape
            return _rebuild_tensor_v2, (_Storage(table.size), 0, (rows, dim), (dim, 1), False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, it):
            return ("storage", torch.FloatStorage, "0", "cpu", it.size) if isinstance(it, _Storage) else None

    out = io.BytesIO()
    Pickler(out, protocol=2).dump(OrderedDict([(name, Tensor())]))
    for module in ("torch", "torch._utils"):
        del sys.modules[module]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for part, content in (("data.pkl", out.getvalue()), ("data/0", table.astype("<f4").tobytes()), ("version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(f"archive/{part}"), content)


def make_folders() -> None:
    rng = np.random.default_rng(18)
    pieces, grams, levels, llama = word_piece(), unigram(), word_level(), byte_fallback()
    size = pieces.get_vocab_size()
    table = drawn(rng, size)
    save_model2vec("m2v-f32", StaticModel(table, pieces, normalize=True))
    save_model2vec("m2v-f16", StaticModel(table.astype(np.float16), pieces, normalize=True))
    save_model2vec("m2v-f64", StaticModel(drawn(rng, grams.get_vocab_size()).astype(np.float64), grams, normalize=False, max_length=8))
    save_model2vec("m2v-i8", StaticModel(np.clip(table * 40, -127, 127).astype(np.int8), pieces, normalize=True, max_length=None))
    save_model2vec("m2v-words", StaticModel(drawn(rng, levels.get_vocab_size()), levels, normalize=False, max_length=4))
    weights = rng.uniform(0.1, 2, size)
    mapping = rng.integers(0, 64, size)
    save_model2vec("m2v-weights", StaticModel(table, pieces, normalize=False, weights=weights))
    save_model2vec("m2v-quantized", StaticModel(drawn(rng, 64), pieces, normalize=True, weights=weights.astype(np.float32), token_mapping=mapping))
    save_model2vec("m2v-small", StaticModel(np.clip(drawn(rng, 64) * 40, -127, 127).astype(np.int8), pieces, weights=weights.astype(np.float16), token_mapping=mapping.astype(np.int32), normalize=False))

    # The other layouts of model2vec.
    versions = {"__version__": {"sentence_transformers": "3.2.0"}, "prompts": {}}
    folder = fresh("m2v-root")
    save_file({"embedding.weight": table}, folder / "model.safetensors")
    pieces.save(str(folder / "tokenizer.json"))
    write_json(folder / "config_sentence_transformers.json", {**versions, "normalize": True, "max_length": 20})
    folder = fresh("m2v-nested")
    (folder / "0_StaticEmbedding").mkdir()
    save_file({"embedding.weight": table}, folder / "0_StaticEmbedding/model.safetensors")
    pieces.save(str(folder / "0_StaticEmbedding/tokenizer.json"))
    write_json(folder / "config_sentence_transformers.json", versions)
    folder = fresh("m2v-old") / "part"
    folder.mkdir()
    save_file({"0": table}, folder / "model.safetensors")
    pieces.save(str(folder / "tokenizer.json"))
    write_json(folder.parent / "config.json", {"normalize": True})

    # sentence-transformers, as versions 3 and 5 write it.
    for name, package, key, cut in (("st-old", "sentence_transformers.models", "embedding.weight", None), ("st-new", "sentence_transformers.sentence_transformer.modules", "embeddings", 12)):
        folder = fresh(name)
        modules = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": f"{package}.StaticEmbedding"}]
        if name == "st-old":
            modules.append({"idx": 1, "name": "1", "path": "1_Normalize", "type": f"{package}.Normalize"})
        write_json(folder / "modules.json", modules)
        write_json(folder / "config_sentence_transformers.json", versions)
        (folder / "0_StaticEmbedding").mkdir()
        save_file({key: table}, folder / "0_StaticEmbedding/model.safetensors")
        tokenizer = Tokenizer.from_str(pieces.to_str())
        if cut is not None:
            tokenizer.enable_truncation(cut)
        tokenizer.save(str(folder / "0_StaticEmbedding/tokenizer.json"))

    # A file of PyTorch beside the same modules.
    shutil.rmtree(HERE / "st-bin", ignore_errors=True)
    shutil.copytree(HERE / "st-old", HERE / "st-bin")
    (HERE / "st-bin/0_StaticEmbedding/model.safetensors").unlink()
    save_torch(HERE / "st-bin/0_StaticEmbedding/pytorch_model.bin", "embedding.weight", table)

    folder = fresh("llama")
    (folder / "weights").mkdir()
    (folder / "tokenizers").mkdir()
    # Fewer rows than tokens: the library takes the last row for the rest.
    save_file({"embedding.weight": drawn(rng, llama.get_vocab_size() - 3).astype(np.float16)}, folder / f"weights/tiny_{DIM}.safetensors")
    llama.save(str(folder / "tokenizers/tiny_tokenizer_config.json"))


def model2vec_old(folder: Path, texts: list[str]) -> np.ndarray:
    """What model2vec 0.9 does: unknown tokens go before a text is cut."""
    model = StaticModel.from_pretrained(folder)
    most, unknown = model.max_length, model.unk_token_id

    def tokenize(sentences):
        model.tokenizer.no_truncation()
        found = model.tokenizer.encode_batch_fast(sentences, add_special_tokens=False)
        return [[id for id in one.ids if id != unknown][:most] for one in found]

    model.tokenize = tokenize
    return model.encode(texts, use_multiprocessing=False)


def transformers(folder: Path, texts: list[str]) -> np.ndarray:
    tensors = load_file(folder / "0_StaticEmbedding/model.safetensors")
    table = tensors.get("embedding.weight", tensors.get("embeddings"))
    tokenizer = Tokenizer.from_file(str(folder / "0_StaticEmbedding/tokenizer.json"))
    tokenizer.no_padding()
    found = tokenizer.encode_batch(texts, add_special_tokens=False)
    rows = np.stack([table[one.ids].mean(axis=0) if one.ids else np.zeros(DIM, np.float32) for one in found])
    if len(json.loads((folder / "modules.json").read_text())) > 1:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows.astype(np.float32)


def word_llama(weights: Path, file: Path, texts: list[str], dim: int, norm: bool, binary: bool = False) -> np.ndarray:
    table = load_file(weights)["embedding.weight"][:, :dim]
    model = WordLlamaInference(table, Tokenizer.from_file(str(file)), binary)
    if binary:
        return model.embed(texts).view(np.uint8)
    # Text by text: the library divides by zero for a text without tokens.
    with np.errstate(all="ignore"):
        return np.nan_to_num(model.embed(texts, norm=norm), nan=0.0)


def goldens(texts: list[str], models: list[Path], whole: bool) -> dict[str, np.ndarray]:
    made = {}
    for name in ("m2v-f32", "m2v-f16", "m2v-f64", "m2v-i8", "m2v-words", "m2v-weights", "m2v-quantized", "m2v-small", "m2v-root", "m2v-nested"):
        made[name] = StaticModel.from_pretrained(HERE / name).encode(texts, use_multiprocessing=False)
    old = HERE / "m2v-old"
    table = load_file(old / "part/model.safetensors")["0"]
    made["m2v-old/part"] = StaticModel(table, Tokenizer.from_file(str(old / "part/tokenizer.json")), normalize=True).encode(texts, use_multiprocessing=False)
    made["m2v-words@0.9"] = model2vec_old(HERE / "m2v-words", texts)
    made["m2v-f64@0.9"] = model2vec_old(HERE / "m2v-f64", texts)
    for name in ("st-old", "st-new"):
        made[name] = transformers(HERE / name, texts)
    made["st-bin"] = made["st-old"]
    tiny = (HERE / f"llama/weights/tiny_{DIM}.safetensors", HERE / "llama/tokenizers/tiny_tokenizer_config.json")
    made["llama"] = word_llama(*tiny, texts, DIM, False)
    made["llama#8"] = word_llama(*tiny, texts, 8, True)
    if whole:
        import wordllama

        package = Path(wordllama.__file__).parent
        real = (package / "weights/l2_supercat_256.safetensors", package / "tokenizers/l2_supercat_tokenizer_config.json")
        made[str(package)] = word_llama(*real, texts, 256, False)
        made[f"{package}#64"] = word_llama(*real, texts, 64, True)
        made[f"{package}#64b"] = word_llama(*real, texts, 64, False, True)
        for folder in models:
            made[str(folder.resolve())] = StaticModel.from_pretrained(folder).encode(texts, use_multiprocessing=False)
    return {name: np.ascontiguousarray(one) for name, one in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", type=Path, action="append", default=[])
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if args.out is None:
        make_folders()
    out = args.out or HERE
    out.mkdir(parents=True, exist_ok=True)
    texts = texts_of(args.texts)
    write_json(out / "texts.json", texts)
    save_file(goldens(texts, args.model, args.out is not None), out / "goldens.safetensors")


if __name__ == "__main__":
    main()
