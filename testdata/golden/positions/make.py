"""Writes positions.json: results of positional schemes and of input layers of Transformers' models.

    python make.py                  writes positions.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Made with torch 2.15.0 and transformers 5.24.0. Elements are float32 as exact decimals. Angles of rotations are computed
by the models' own code with float64 instead of float32, and rounded once; everything else is the models' float32.
"""

import contextlib
import json
import pathlib
import platform
import sys

import numpy as np
import torch
import transformers
from transformers import BertConfig, GemmaConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, RobertaConfig, T5Config
from transformers.models.bert.modeling_bert import BertEmbeddings
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.gemma.modeling_gemma import GemmaModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Model
from transformers.models.gpt_neox import modeling_gpt_neox as neox
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.llama import modeling_llama as llama
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.roberta.modeling_roberta import RobertaEmbeddings
from transformers.models.t5.modeling_t5 import T5Attention, T5Stack
from transformers.models.xlm.modeling_xlm import create_sinusoidal_embeddings


def dump(tensor):
    names = {torch.float32: "float32", torch.int32: "int32", torch.int64: "int32"}
    return {"t": names[tensor.dtype], "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def sinusoids():
    cases = []
    for length, dim in ((7, 2), (50, 8), (11, 64)):
        marian = MarianSinusoidalPositionalEmbedding(length, dim)
        half = marian.create_weight().data
        interleaved = torch.empty(length, dim)
        create_sinusoidal_embeddings(length, dim, interleaved)
        cases += [{"length": length, "dim": dim, "layout": "half", "out": dump(half)},
                  {"length": length, "dim": dim, "layout": "interleaved", "out": dump(interleaved)}]
    return cases


def alibi():
    def case(heads, length):
        mask = torch.ones(1, length)
        return {"heads": heads, "length": length,
                "bloom": dump(build_alibi_tensor(mask, heads, torch.float32).reshape(heads, length)),
                "mpt": dump(build_mpt_alibi_tensor(heads, length).reshape(heads, length).float())}
    return [case(heads, 6) for heads in (1, 2, 3, 5, 8, 12, 16, 25, 112)]


def t5():
    cases = []
    for bidirectional, buckets, distance in ((True, 32, 128), (False, 32, 128), (True, 16, 20), (False, 8, 1000), (True, 6, 300)):
        line = T5Attention._relative_position_bucket(torch.arange(-400, 401), bidirectional, buckets, distance)
        config = T5Config(relative_attention_num_buckets=buckets, relative_attention_max_distance=distance, num_heads=3,
                          is_decoder=not bidirectional)
        layer = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
        torch.manual_seed(4)
        layer.relative_attention_bias = torch.nn.Embedding(buckets, 3)
        bias = layer.compute_bias(5, 9)
        past = layer.compute_bias(2, 9, past_seen_tokens=7)
        grad = torch.randn(5 * 9 * 3).reshape(1, 3, 5, 9)
        (bias * grad).sum().backward()
        cases.append({"bidirectional": bidirectional, "numBuckets": buckets, "maxDistance": distance, "line": line.tolist(),
                      "bias": dump(bias[0]), "past": dump(past[0]), "grad": dump(grad[0]),
                      "weightGrad": dump(layer.relative_attention_bias.weight.grad)})
    return cases


@contextlib.contextmanager
def doubles():
    """Gives the models float64 wherever they ask for float32."""
    kept = (torch.float, torch.float32, torch.Tensor.float)
    torch.float = torch.float32 = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float, torch.float32, torch.Tensor.float = kept
        torch.set_default_dtype(torch.float32)


def rotary():
    positions = [0, 1, 2, 5, 31, 100, 4095, 1000003]
    x = torch.linspace(-2, 2, len(positions) * 2 * 24).sin().reshape(1, len(positions), 2, 24)
    grad = torch.linspace(-1, 3, len(positions) * 2 * 24).cos().reshape(x.shape)
    scalings = [
        (None, None, 512),
        ({"type": "linear", "factor": 4}, {"rope_type": "linear", "factor": 4.0}, 512),
        ({"type": "dynamic", "factor": 2, "originalContext": 512}, {"rope_type": "dynamic", "factor": 2.0}, 512),
        ({"type": "dynamic", "factor": 2, "originalContext": 2000000}, {"rope_type": "dynamic", "factor": 2.0}, 2000000),
        ({"type": "yarn", "factor": 4, "originalContext": 512},
         {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}, 2048),
        ({"type": "yarn", "factor": 8, "originalContext": 256, "betaFast": 16, "betaSlow": 2, "attentionFactor": 1.5, "truncate": False},
         {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 256, "beta_fast": 16.0, "beta_slow": 2.0,
          "attention_factor": 1.5, "truncate": False}, 2048),
        ({"type": "llama3", "factor": 8, "originalContext": 1024, "lowFreqFactor": 1, "highFreqFactor": 4},
         {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 1024, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0}, 8192),
    ]
    cases = []
    for base, dim in ((10000.0, 24), (500000.0, 16)):
        for ours, theirs, context in scalings:
            rope = dict(theirs or {"rope_type": "default"}, rope_theta=base)
            for model in ("llama", "neox"):
                if model == "llama" and dim != 24:
                    continue
                if model == "neox":
                    config = GPTNeoXConfig(hidden_size=48, num_attention_heads=2, max_position_embeddings=context,
                                           rope_parameters=dict(rope, partial_rotary_factor=dim / 24))
                    module, apply = neox.GPTNeoXRotaryEmbedding, neox.apply_rotary_pos_emb
                else:
                    config = LlamaConfig(hidden_size=48, num_attention_heads=2, max_position_embeddings=context, rope_parameters=rope)
                    module, apply = llama.LlamaRotaryEmbedding, llama.apply_rotary_pos_emb
                with doubles():
                    cos, sin = module(config)(x.double(), torch.tensor([positions]))
                plain_cos, plain_sin = module(config)(x, torch.tensor([positions]))
                leaf = x.clone().requires_grad_()
                out, _ = apply(leaf, leaf, cos.float(), sin.float(), unsqueeze_dim=2)
                out.backward(grad)
                plain, _ = apply(x, x, plain_cos, plain_sin, unsqueeze_dim=2)
                cases.append({"model": model, "dim": dim, "base": base, "scaling": ours, "layout": "half", "out": dump(out),
                              "grad": dump(leaf.grad), "plain": dump(plain)})
    for dim in (24, 10):
        frequencies = 1.0 / (10000.0 ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim))
        angles = torch.tensor(positions, dtype=torch.float64)[:, None] * frequencies
        sin, cos = angles.sin().float()[None], angles.cos().float()[None]
        leaf = x.clone().requires_grad_()
        out = torch.cat([gptj.apply_rotary_pos_emb(leaf[..., :dim], sin, cos), leaf[..., dim:]], dim=-1)
        out.backward(grad)
        cases.append({"model": "gptj", "dim": dim, "base": 10000.0, "scaling": None, "layout": "interleaved", "out": dump(out),
                      "grad": dump(leaf.grad), "plain": None})
    return {"positions": positions, "x": dump(x), "gradOutput": dump(grad), "cases": cases}


def draw(layer, *tables):
    for table in tables:
        table.weight.data.copy_(torch.nn.Embedding(*table.weight.shape).weight)
        if table.padding_idx is not None:
            table.weight.data[table.padding_idx] = 0


def hook(model, module, **inputs):
    """The input of a model's first layer."""
    caught = []
    handle = module.register_forward_pre_hook(
        lambda _, args, kwargs: caught.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True)
    model(**inputs)
    handle.remove()
    return caught[0]


def layers():
    ids = torch.tensor([[5, 3, 9, 10, 4], [7, 8, 2, 6, 5]])
    cases = []

    def case(name, seed, options, ids, out, tables, **call):
        """`tables` has the learned tables under tokenbed's names."""
        grad = torch.linspace(-1, 2, out.numel()).sin().reshape(out.shape)
        for table in tables.values():
            table.grad = None
        out.backward(grad)
        cases.append({"name": name, "seed": seed, "options": options, "ids": ids.tolist(), "call": call, "out": dump(out),
                      "grads": {name: dump(table.grad) for name, table in tables.items()}})

    sizes = {"vocabSize": 11, "contextLength": 8, "dim": 16}
    small = dict(num_hidden_layers=1, num_attention_heads=2)

    torch.manual_seed(1)
    gpt2 = GPT2Model(GPT2Config(vocab_size=11, n_positions=8, n_embd=16, n_layer=1, n_head=2)).eval()
    torch.manual_seed(1)
    draw(gpt2, gpt2.wte, gpt2.wpe)
    tables = {"token.weight": gpt2.wte.weight, "position.weight": gpt2.wpe.weight}
    case("gpt2", 1, sizes, ids, hook(gpt2, gpt2.h[0], input_ids=ids), tables)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    places = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)
    case("gpt2", 1, sizes, ids, hook(gpt2, gpt2.h[0], input_ids=ids, position_ids=places), tables, mask=mask.tolist())

    def parts(layer):
        return {"token.weight": layer.word_embeddings.weight, "position.weight": layer.position_embeddings.weight,
                "segment.weight": layer.token_type_embeddings.weight, "layerNorm.weight": layer.LayerNorm.weight,
                "layerNorm.bias": layer.LayerNorm.bias}

    bert = BertEmbeddings(BertConfig(vocab_size=11, hidden_size=16, max_position_embeddings=8, **small)).eval()
    torch.manual_seed(2)
    draw(bert, bert.word_embeddings, bert.position_embeddings, bert.token_type_embeddings)
    kinds = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 0]])
    case("bert", 2, sizes, ids, bert(ids, token_type_ids=kinds), parts(bert), segments=kinds.tolist())
    case("bert", 2, sizes, torch.tensor([[0, 1, 0]]), bert(torch.tensor([[0, 1, 0]])), parts(bert))

    roberta = RobertaEmbeddings(RobertaConfig(vocab_size=11, hidden_size=16, max_position_embeddings=8, pad_token_id=1,
                                              type_vocab_size=1, layer_norm_eps=1e-5, **small)).eval()
    torch.manual_seed(3)
    draw(roberta, roberta.word_embeddings, roberta.position_embeddings, roberta.token_type_embeddings)
    for padded in (ids, torch.tensor([[1, 1, 9, 10, 4], [7, 8, 1, 1, 1]]), torch.tensor([[1, 5, 1, 4, 1]])):
        case("roberta", 3, sizes, padded, roberta(padded), parts(roberta))
    case("roberta", 3, sizes, ids[:, :2], roberta(ids[:, :2], cache_length=3), parts(roberta), positionOffset=3)

    tokens = {"vocabSize": 11, "dim": 16}
    config = T5Config(vocab_size=11, d_model=16, d_kv=8, d_ff=8, num_layers=1, num_heads=2, use_cache=False)
    t5 = T5Stack(config).eval()
    shared = getattr(t5, "embed_tokens", None)
    if shared is None:
        shared = torch.nn.Embedding(11, 16)
        t5.set_input_embeddings(shared)
    torch.manual_seed(4)
    draw(t5, shared)
    case("t5", 4, tokens, ids, hook(t5, t5.block[0], input_ids=ids), {"token.weight": shared.weight})

    model = llama.LlamaModel(LlamaConfig(vocab_size=11, hidden_size=16, intermediate_size=8, **small)).eval()
    torch.manual_seed(5)
    draw(model, model.embed_tokens)
    case("llama", 5, tokens, ids, hook(model, model.layers[0], input_ids=ids), {"token.weight": model.embed_tokens.weight})

    model = GemmaModel(GemmaConfig(vocab_size=11, hidden_size=18, intermediate_size=8, head_dim=8, num_key_value_heads=1,
                                   pad_token_id=0, **small)).eval()
    torch.manual_seed(6)
    draw(model, model.embed_tokens)
    ids = torch.tensor([[5, 3, 0, 10, 4]])
    case("gemma", 6, {"vocabSize": 11, "dim": 18}, ids, hook(model, model.layers[0], input_ids=ids), {"token.weight": model.embed_tokens.weight})
    return cases


def interpolations():
    table = torch.linspace(-3, 5, 5 * 3).sin().reshape(5, 3)
    return [{"table": dump(table), "length": length, "alignCorners": aligned,
             "out": dump(torch.nn.functional.interpolate(table.T[None], size=length, mode="linear", align_corners=aligned)[0].T)}
            for length in (1, 3, 5, 8, 20) for aligned in (False, True)]


def main():
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
                 "python": platform.python_version(), "machine": platform.machine()}
    parts = {"made_with": made_with, "sinusoids": sinusoids(), "alibi": alibi(), "t5": t5(), "rotary": rotary(),
             "layers": layers(), "interpolations": interpolations()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(part, separators=(',', ':'))}" for name, part in parts.items())
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("positions.json")
    path.write_text(f"{{\n{lines}\n}}\n")


main()
