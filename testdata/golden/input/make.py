"""Writes input.json: results of the input layers of Transformers' models, summed and normalized.

    python make.py                  writes input.json beside this script
    python make.py other.json       writes elsewhere, to compare releases

Needs torch and transformers. Elements are float32 as exact decimals. Tables are drawn from N(0, 1) after
manual_seed(seed): tokens, positions, segments; then the normalization's weight and bias from U[0, 1).
"""

import json
import pathlib
import platform
import sys

import torch
import transformers
from transformers.models.bart.modeling_bart import BartLearnedPositionalEmbedding, BartScaledWordEmbedding
from transformers.models.bert.modeling_bert import BertConfig, BertEmbeddings


def dump(tensor):
    return {"t": "float32", "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def draw(*sizes):
    return [torch.nn.Embedding(rows, dim).weight.detach() for rows, dim in sizes]


def bert(seed, vocabulary, context, dim, segments, ids, kinds, eps, past=0):
    torch.manual_seed(seed)
    tables = draw((vocabulary, dim), (context, dim), (segments, dim))
    weight, bias = torch.rand(dim), torch.rand(dim)
    config = BertConfig(vocab_size=vocabulary, hidden_size=dim, max_position_embeddings=context, type_vocab_size=segments,
                        layer_norm_eps=eps, hidden_dropout_prob=0.0, pad_token_id=None)
    layer = BertEmbeddings(config).eval()
    parts = (layer.word_embeddings, layer.position_embeddings, layer.token_type_embeddings)
    with torch.no_grad():
        for part, table in zip(parts, tables):
            part.weight.copy_(table)
        layer.LayerNorm.weight.copy_(weight)
        layer.LayerNorm.bias.copy_(bias)
        ids_tensor = torch.tensor(ids)
        arguments = {"input_ids": ids_tensor, "cache_length": past}
        if kinds is not None:
            arguments["token_type_ids"] = torch.tensor(kinds)
        normalized = layer(**arguments)
        layer.LayerNorm = torch.nn.Identity()
        summed = layer(**arguments)
    return {"model": "bert", "seed": seed, "vocabSize": vocabulary, "contextLength": context, "dim": dim, "segments": segments,
            "eps": eps, "scale": 1, "ids": ids, "kinds": kinds, "positionOffset": past,
            "summed": dump(summed), "normalized": dump(normalized)}


def bart(seed, vocabulary, context, dim, ids):
    torch.manual_seed(seed)
    tables = draw((vocabulary, dim), (context + 2, dim))
    weight, bias = torch.rand(dim), torch.rand(dim)
    scale = dim ** 0.5
    token = BartScaledWordEmbedding(vocabulary, dim, None, embed_scale=scale)
    position = BartLearnedPositionalEmbedding(context, dim)
    norm = torch.nn.LayerNorm(dim)
    with torch.no_grad():
        token.weight.copy_(tables[0])
        position.weight.copy_(tables[1])
        norm.weight.copy_(weight)
        norm.bias.copy_(bias)
        ids_tensor = torch.tensor(ids)
        summed = token(ids_tensor) + position(ids_tensor)
        normalized = norm(summed)
    return {"model": "bart", "seed": seed, "vocabSize": vocabulary, "contextLength": context + 2, "dim": dim, "segments": 0,
            "eps": norm.eps, "scale": scale, "ids": ids, "kinds": None, "positionOffset": 2,
            "summed": dump(summed), "normalized": dump(normalized)}


def main():
    made_with = {"torch": torch.__version__, "transformers": transformers.__version__, "python": platform.python_version(),
                 "machine": platform.machine()}
    cases = [
        bert(1, 11, 7, 24, 2, [[1, 2, 3, 10, 0], [5, 6, 7, 9, 9]], [[0, 0, 1, 1, 1], [0, 1, 0, 1, 0]], 1e-12),
        bert(2, 11, 7, 33, 3, [[4, 4, 8]], [[2, 0, 1]], 1e-5, past=4),
        bert(3, 9, 4, 16, 2, [[8, 0, 3, 3]], None, 1e-12),
        bert(4, 50, 3, 768, 2, [[7, 49, 0]], [[1, 0, 0]], 1e-12),
        bart(5, 13, 6, 20, [[0, 12, 4], [1, 1, 5]]),
        bart(6, 13, 6, 100, [[3, 2]]),
    ]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("input.json")
    path.write_text(f'{{\n"made_with": {json.dumps(made_with)},\n"cases": [\n{lines}\n]\n}}\n')


main()
