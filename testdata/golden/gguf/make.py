"""Writes GGUF files by gguf-py, and what gguf-py reads in them.

    python make.py                  writes beside this script

Needs numpy, gguf (0.19.0) and safetensors (0.8.0). kinds.gguf has a tensor of every kind of block, of random bytes with
halves of every exponent, and tensors of elements; kinds.safetensors has the numbers that gguf makes of the blocks.
values.gguf has metadata of every type, values.json what they are. whole.gguf is a file that parts-*.gguf were split from.
model-*.gguf are the input layers of models of testdata/golden/pretrained, under the names that they have in GGUF;
model-q8_0.gguf has a table of its own, and a tokenizer.
tokenizer-*.gguf are the tokenizers of testdata/golden/hf, as llama.cpp's convert_hf_to_gguf.py writes such.
"""

import json
import pathlib

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType
from safetensors.numpy import load_file, save_file

HERE = pathlib.Path(__file__).parent
# The places of halves in a block.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}  # fmt: skip


def blocks(name, rows, count, random):
    """Random blocks. The exponents of halves are 0 (subnormal) to 30, so that none is infinite or NaN."""
    elements, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    data = random.integers(0, 256, (rows, count, size), dtype=np.uint8)
    for at in HALVES[name]:
        half = random.integers(0, 1 << 16, (rows, count), dtype=np.uint16)
        half = np.where((half >> 10) & 31 == 31, half & 0x83FF, half).astype("<u2")
        data[:, :, at : at + 2] = half[:, :, None].view(np.uint8)
    return data.reshape(rows, count * size)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def kinds():
    random = np.random.default_rng(17)
    writer = gguf.GGUFWriter(HERE / "kinds.gguf", "test")
    wanted = {}
    for name in HALVES:
        kind = GGMLQuantizationType[name]
        data = blocks(name, 3, 1 if name.endswith("K") else 5, random)
        writer.add_tensor(name.lower(), data, raw_dtype=kind)
        wanted[name.lower()] = gguf.quants.dequantize(data, kind)
    for dtype in ("float32", "float16", "float64", "int8", "int32", "int64"):
        writer.add_tensor(dtype, np.arange(-3, 3).reshape(2, 3).astype(dtype))
    halves = gguf.quants.quantize(np.linspace(-2, 2, 8, dtype=np.float32).reshape(2, 4), GGMLQuantizationType.BF16)
    writer.add_tensor("bfloat16", halves, raw_dtype=GGMLQuantizationType.BF16)
    writer.add_tensor("int16", np.arange(4, dtype=np.int16))
    # Three dimensions: two tables of two rows.
    deep = blocks("Q8_0", 4, 1, random).reshape(2, 2, 34)
    writer.add_tensor("deep", deep, raw_dtype=GGMLQuantizationType.Q8_0)
    wanted["deep"] = gguf.quants.dequantize(deep, GGMLQuantizationType.Q8_0)
    finish(writer)
    save_file(wanted, HERE / "kinds.safetensors")


def values():
    writer = gguf.GGUFWriter(HERE / "values.gguf", "test")
    kinds = GGUFValueType
    plain = [
        ("u8", 255, kinds.UINT8), ("i8", -128, kinds.INT8), ("u16", 65535, kinds.UINT16), ("i16", -32768, kinds.INT16),
        ("u32", 4294967295, kinds.UINT32), ("i32", -2147483648, kinds.INT32), ("f32", 0.1, kinds.FLOAT32),
        ("u64", 9007199254740991, kinds.UINT64), ("i64", -9007199254740991, kinds.INT64), ("f64", 0.1, kinds.FLOAT64),
        ("yes", True, kinds.BOOL), ("no", False, kinds.BOOL), ("text", 'a "b" \\ \n\t\x01 \u00e9 \U0001f600', kinds.STRING),
        ("none", "", kinds.STRING), ("large", 18446744073709551615, kinds.UINT64), ("small", -(2**63), kinds.INT64),
        ("infinite", float("inf"), kinds.FLOAT32),
    ]  # fmt: skip
    for key, value, kind in plain:
        writer.add_key_value(key, value, kind)
    arrays = {"numbers": [1, -2, 3], "floats": [0.5, -1e-30, 1e30], "texts": ["a", "", "\u2581b"], "truths": [True, False]}
    for key, value in arrays.items():
        writer.add_array(key, value)
    writer.add_array("nested", [[1, 2], [3], [4, 5, 6]])
    finish(writer)
    wanted = {key: value for key, value, _ in plain} | arrays | {"nested": [[1, 2], [3], [4, 5, 6]]}
    wanted["f32"] = float(np.float32(0.1))
    wanted["floats"] = [float(np.float32(x)) for x in arrays["floats"]]
    wanted |= {"large": "18446744073709551615", "small": str(-(2**63)), "infinite": None}
    (HERE / "values.json").write_text(json.dumps(wanted, indent=1) + "\n")


def parts():
    random = np.random.default_rng(3)
    tensors = {f"t{i}": random.standard_normal((2, 3)).astype(np.float32) for i in range(5)}
    for path, most in (("whole.gguf", 0), ("parts.gguf", 2)):
        writer = gguf.GGUFWriter(HERE / path, "test", split_max_tensors=most)
        writer.add_string("general.name", "parts")
        for name, tensor in tensors.items():
            writer.add_tensor(name, tensor)
        finish(writer)


# The names of tensors in GGUF, by those in the models of Transformers.
MODELS = {
    "gpt2": {"transformer.wte.weight": "token_embd.weight", "transformer.wpe.weight": "position_embd.weight"},
    "bert": {
        "bert.embeddings.word_embeddings.weight": "token_embd.weight",
        "bert.embeddings.position_embeddings.weight": "position_embd.weight",
        "bert.embeddings.token_type_embeddings.weight": "token_types.weight",
        "bert.embeddings.LayerNorm.weight": "token_embd_norm.weight",
        "bert.embeddings.LayerNorm.bias": "token_embd_norm.bias",
    },
    "bloom": {
        "transformer.word_embeddings.weight": "token_embd.weight",
        "transformer.word_embeddings_layernorm.weight": "token_embd_norm.weight",
        "transformer.word_embeddings_layernorm.bias": "token_embd_norm.bias",
    },
    "llama": {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight"},
    "gemma": {"model.embed_tokens.weight": "token_embd.weight"},
    "granite": {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight"},
}  # fmt: skip


def models():
    for family, names in MODELS.items():
        folder = HERE.parent / "pretrained" / family
        config = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
        writer = gguf.GGUFWriter(HERE / f"model-{family}.gguf", family)
        writer.add_embedding_length(config["hidden_size"] if "hidden_size" in config else config["n_embd"])
        if family in ("bert", "bloom"):
            writer.add_layer_norm_eps(config.get("layer_norm_eps", config.get("layer_norm_epsilon")))
        if family == "granite":
            writer.add_embedding_scale(config["embedding_multiplier"])
        for name, new in names.items():
            writer.add_tensor(new, tensors[name])
        finish(writer)


def tokenizer(name, model, tokens, types, **more):
    writers = [gguf.GGUFWriter(HERE / f"tokenizer-{name}.gguf", "test")]
    if name == "llama":
        # A model with a tokenizer, whose table is of blocks.
        writers.append(gguf.GGUFWriter(HERE / "model-q8_0.gguf", "llama"))
        writers[1].add_name("small")
        table = np.random.default_rng(5).standard_normal((len(tokens), 32), np.float32)
        kind = GGMLQuantizationType.Q8_0
        writers[1].add_tensor("token_embd.weight", gguf.quants.quantize(table, kind), raw_dtype=kind)
    for writer in writers:
        writer.add_tokenizer_model(model)
        writer.add_token_list(tokens)
        writer.add_token_types(types)
        for method, value in more.items():
            getattr(writer, f"add_{method}")(value)
        finish(writer)


def tokenizers():
    kinds = gguf.TokenType
    for name in ("byte-level", "llama", "wordpiece", "unigram"):
        file = json.loads((HERE.parent / "hf" / f"{name}.json").read_text())
        model = file["model"]
        special = {token["content"] for token in file["added_tokens"]}
        vocab = [token for token, _ in model["vocab"]] if name == "unigram" else sorted(model["vocab"], key=model["vocab"].get)
        types = [kinds.CONTROL if token in special else kinds.NORMAL for token in vocab]
        if name == "byte-level":
            merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
            tokenizer(name, "gpt2", vocab, types, tokenizer_pre="gpt-2", token_merges=merges)
        elif name == "llama":
            types = [kinds.BYTE if token.startswith("<0x") else kind for token, kind in zip(vocab, types)]
            types[0] = kinds.UNKNOWN
            scores = [float(-id) for id in range(len(vocab))]
            tokenizer(name, "llama", vocab, types, token_scores=scores, unk_token_id=0, bos_token_id=1, eos_token_id=2)
        elif name == "wordpiece":
            marked = [t if t.startswith("[") and t.endswith("]") else t[2:] if t.startswith("##") else "\u2581" + t for t in vocab]
            ids = model["vocab"]
            more = {"unk_token_id": ids["[UNK]"], "bos_token_id": ids["[CLS]"], "sep_token_id": ids["[SEP]"], "pad_token_id": ids["[PAD]"]}
            tokenizer(name, "bert", marked, types, **more)
        else:
            types[0] = kinds.UNKNOWN
            scores = [score for _, score in model["vocab"]]
            more = {"add_space_prefix": True, "remove_extra_whitespaces": False, "unk_token_id": 0, "eos_token_id": 2}
            tokenizer(name, "t5", vocab, types, token_scores=scores, **more)


kinds()
values()
parts()
models()
tokenizers()
