"""Writes relative.json: attention scores by relative position, from models that Transformers had up to version 4.

    python make_relative.py                  writes relative.json beside this script
    python make_relative.py other.json       writes elsewhere, to compare releases

Made with torch 2.15.0 and transformers 4.57.6: BERT's relative_key and relative_key_query were removed in version 5,
Transformer-XL is under `deprecated`. The models' own code runs in float64 on float32 numbers; elements are float64.
"""

import json
import math
import pathlib
import platform
import sys

import torch
import transformers
from transformers import BertConfig, XLNetConfig
from transformers.models.bert.modeling_bert import BertSelfAttention
from transformers.models.deprecated.transfo_xl.modeling_transfo_xl import PositionalEmbedding, RelPartialLearnableMultiHeadAttn
from transformers.models.xlnet.modeling_xlnet import XLNetModel, XLNetRelativeAttention


def dump(tensor):
    return {"t": "float64", "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def draw(*shape, seed):
    """Random numbers that float32 represents exactly."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).double().requires_grad_()


class Scores(Exception):
    """The scores of which attention takes the softmax."""


def scores_of(run):
    """Runs a model up to its first softmax and returns the input of that."""
    kept = torch.nn.functional.softmax

    def stop(x, *args, **kwargs):
        raise Scores(x)

    torch.nn.functional.softmax = stop
    try:
        run()
    except Scores as caught:
        return caught.args[0]
    finally:
        torch.nn.functional.softmax = kept
    raise RuntimeError("no softmax")


class Given(torch.nn.Module):
    """A projection that returns a fixed tensor."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, *_):
        return self.value


def bert(kind, batch, heads, length, dim, context):
    config = BertConfig(hidden_size=heads * dim, num_attention_heads=heads, max_position_embeddings=context,
                        position_embedding_type=kind)
    layer = BertSelfAttention(config).double().eval()
    query, key = (draw(batch, heads, length, dim, seed=seed) for seed in (1, 2))
    weight = draw(2 * context - 1, dim, seed=3)
    merged = lambda x: x.transpose(1, 2).reshape(batch, length, heads * dim)
    layer.query, layer.key = Given(merged(query)), Given(merged(key))
    del layer.distance_embedding
    layer.distance_embedding = lambda ids: torch.nn.functional.embedding(ids, weight)
    # What the positions add: the model's scores, without its scale, minus those of the content.
    scores = scores_of(lambda: layer(torch.zeros(batch, length, heads * dim).double())) * math.sqrt(dim) - query @ key.transpose(2, 3)
    grad = draw(*scores.shape, seed=4).detach()
    scores.backward(grad)
    return {"kind": kind, "maxDistance": context - 1, "headDim": dim, "query": dump(query), "key": dump(key), "weight": dump(weight),
            "out": dump(scores), "gradOutput": dump(grad), "queryGrad": dump(query.grad), "keyGrad": dump(key.grad),
            "weightGrad": dump(weight.grad)}


def parts(batch, heads, queries, keys, dim, model):
    query, key = draw(batch, heads, queries, dim, seed=1), draw(batch, heads, keys, dim, seed=2)
    return query, key, draw(heads, dim, seed=3), draw(heads, dim, seed=4), draw(heads * dim, model, seed=5)


def case(model, name, tensors, scores, clamp, causal):
    query, key, u, v, weight = tensors
    grad = draw(*scores.shape, seed=6).detach()
    if causal:
        # Later keys are masked out: the values that the shift leaves there have no meaning.
        queries, keys = scores.shape[2:]
        grad = grad * torch.ones(queries, keys).tril(keys - queries)
    scores.backward(grad)
    names = ("query", "key", "u", "v", "weight")
    return {"model": name, "dim": model, "clampLength": clamp, "causal": causal, "out": dump(scores), "gradOutput": dump(grad),
            **{name: dump(x) for name, x in zip(names, tensors)}, **{name + "Grad": dump(x.grad) for name, x in zip(names, tensors)}}


def transformer_xl(batch, heads, queries, memory, dim, model, clamp):
    keys = queries + memory
    tensors = query, key, u, v, weight = parts(batch, heads, queries, keys, dim, model)
    layer = RelPartialLearnableMultiHeadAttn(heads, model, dim, 0.0).double().eval()
    for name, x in (("r_w_bias", u), ("r_r_bias", v)):
        del layer._parameters[name]
        setattr(layer, name, x)
    del layer.r_net
    layer.r_net = lambda r: r @ weight.T
    merged = lambda x: x.permute(2, 0, 1, 3).reshape(x.shape[2], batch, heads * dim)
    content = torch.cat([torch.cat([torch.zeros(memory, batch, heads * dim).double(), merged(query)]), merged(key), merged(key)], -1)
    layer.qkv_net = Given(content)
    distances = torch.arange(keys - 1, -1, -1.0, dtype=torch.float64)
    if clamp is not None:
        distances.clamp_(max=clamp)
    embedding = PositionalEmbedding(model)
    embedding.inv_freq = 1 / (10000 ** (torch.arange(0.0, model, 2.0, dtype=torch.float64) / model))
    # The score is scaled in place, which its graph allows.
    scores = scores_of(lambda: layer(torch.zeros(queries, batch, model).double(), embedding(distances),
                                     mems=torch.zeros(memory, batch, model).double()))
    return case(model, "transfo_xl", tensors, scores.permute(2, 3, 0, 1) * math.sqrt(dim), clamp, True)


def xlnet(batch, heads, queries, memory, dim, model, clamp):
    keys = queries + memory
    tensors = query, key, u, v, weight = parts(batch, heads, queries, keys, dim, model)
    config = XLNetConfig(d_model=model, n_head=heads, d_inner=8, n_layer=1, clamp_len=clamp or -1, attn_type="bi", vocab_size=4)
    config.d_head = dim
    layer = XLNetRelativeAttention.__new__(XLNetRelativeAttention)
    torch.nn.Module.__init__(layer)
    layer.r_w_bias, layer.r_r_bias, layer.scale = u, v, 1 / math.sqrt(dim)
    layer.dropout = torch.nn.Identity()
    kept = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double
    try:
        frequencies = XLNetModel.relative_positional_encoding(XLNetModel(config), queries, keys, bsz=batch)
    finally:
        torch.Tensor.float = kept
    by_head = torch.einsum("ibh,hnd->ibnd", frequencies, weight.T.reshape(model, heads, dim))
    first = lambda x: x.permute(2, 0, 1, 3)
    scores = scores_of(lambda: layer.rel_attn_core(first(query), first(key), first(key), by_head))
    return case(model, "xlnet", tensors, scores * math.sqrt(dim), clamp, False)


def main():
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version(),
                 "machine": platform.machine()}
    shaw = [bert("relative_key", 2, 2, 5, 6, 7), bert("relative_key_query", 2, 3, 6, 4, 6), bert("relative_key_query", 1, 1, 1, 3, 4)]
    xl = [transformer_xl(2, 2, 4, 3, 6, 8, None), transformer_xl(1, 3, 5, 0, 4, 6, None), transformer_xl(2, 1, 3, 6, 4, 10, 2),
          xlnet(2, 2, 4, 3, 6, 8, None), xlnet(1, 2, 5, 0, 4, 6, 3)]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(part, separators=(',', ':'))}"
                       for name, part in {"made_with": made_with, "shaw": shaw, "xl": xl}.items())
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("relative.json")
    path.write_text(f"{{\n{lines}\n}}\n")


main()
