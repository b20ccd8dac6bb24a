"""Writes scaled.json: rotations by LongRoPE, by YaRN with DeepSeek's mscale, by proportional and by multimodal positions.

    python make_scaled.py                  writes scaled.json beside this script
    python make_scaled.py other.json       writes elsewhere, to compare releases

Made with transformers 5.24.0 and torch 1.13.1 (Debian's python3-torch). Transformers imports its models only with torch
2.6 and later, so the functions that are asked are taken out of its source files and run as they are: the frequencies of
`modeling_rope_utils`, `apply_rotary_pos_emb` of Llama, and `recomposition_frequencies` of Qwen2-VL and Qwen3-VL. As in
make.py, angles are computed with float64 instead of float32, and rounded once; everything else is float32.
"""

import ast
import json
import pathlib
import platform
import sys
import types

import torch
import transformers
from transformers import LlamaConfig, modeling_rope_utils

HERE = pathlib.Path(__file__).parent
MODELS = pathlib.Path(transformers.__file__).parent / "models"
POSITIONS = [0, 1, 5, 100, 1023, 4095]
HEADS, HEAD_DIM = 1, 24


def taken(path, *names, of=None):
    """Functions out of a source file, without their decorators."""
    tree = ast.parse((MODELS / path).read_text())
    if of is not None:
        tree = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == of)
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    assert len(found) == len(names), names
    for node in found:
        node.decorator_list = []
    space = {"torch": torch}
    exec(compile(ast.Module(found, []), path, "exec"), space)
    return [space[name] for name in names]


_, apply = taken("llama/modeling_llama.py", "rotate_half", "apply_rotary_pos_emb")
[neighbours] = taken("qwen2_vl/modeling_qwen2_vl.py", "recomposition_frequencies", of="Qwen2VLRotaryEmbedding")
[turns] = taken("qwen3_vl/modeling_qwen3_vl.py", "recomposition_frequencies", of="Qwen3VLTextRotaryEmbedding")


def dump(tensor):
    names = {torch.float32: "float32", torch.int64: "int32"}
    return {"t": names[tensor.dtype], "s": list(tensor.shape), "v": tensor.detach().reshape(-1).tolist()}


def frequencies(rope, context, seq_len=None):
    """The library's frequencies and attention factor, computed with float64."""
    modeling_rope_utils.torch = torch
    config = LlamaConfig(hidden_size=HEADS * HEAD_DIM, num_attention_heads=HEADS, max_position_embeddings=context,
                         rope_parameters=rope)
    kept = (torch.float, torch.float32, torch.Tensor.float)
    torch.float = torch.float32 = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        return modeling_rope_utils.ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, None, seq_len=seq_len)
    finally:
        torch.float, torch.float32, torch.Tensor.float = kept
        torch.set_default_dtype(torch.float32)


def rotated(x, grad, cos, sin):
    dim = cos.shape[-1]
    leaf = x.clone().requires_grad_()
    out = torch.cat([apply(leaf[..., :dim], leaf[..., :dim], cos, sin, unsqueeze_dim=2)[0], leaf[..., dim:]], dim=-1)
    out.backward(grad)
    return {"out": dump(out), "grad": dump(leaf.grad)}


def inputs(shape):
    size = torch.Size(shape).numel()
    return torch.linspace(-2, 2, size).sin().reshape(shape), torch.linspace(-1, 3, size).cos().reshape(shape)


def scaled():
    x, grad = inputs((1, len(POSITIONS), HEADS, HEAD_DIM))
    short = [1 + 0.05 * p for p in range(HEAD_DIM // 2)]
    long = [1 + p * p for p in range(HEAD_DIM // 2)]
    part = HEAD_DIM // 4
    longrope = lambda count, **more: {"rope_type": "longrope", "short_factor": short[:count], "long_factor": long[:count],
                                      "original_max_position_embeddings": 512, **more}
    ours = lambda count, **more: {"type": "longrope", "factor": 8, "originalContext": 512, "shortFactor": short[:count],
                                  "longFactor": long[:count], **more}
    yarn = {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 512}
    of_yarn = {"type": "yarn", "factor": 40, "originalContext": 512}
    settings = [
        (ours(12), longrope(12), 4096, POSITIONS),
        (ours(12), longrope(12), 4096, [position for position in POSITIONS if position < 512]),
        (ours(12, attentionFactor=1.25), longrope(12, attention_factor=1.25), 4096, POSITIONS),
        (ours(part), longrope(part, partial_rotary_factor=0.5), 4096, POSITIONS),
        ({**of_yarn, "mscale": 0.707, "mscaleAllDim": 0.5}, {**yarn, "mscale": 0.707, "mscale_all_dim": 0.5}, 20480, POSITIONS),
        ({**of_yarn, "mscale": 1, "mscaleAllDim": 1}, {**yarn, "mscale": 1.0, "mscale_all_dim": 1.0}, 20480, POSITIONS),
        ({**of_yarn, "mscale": 1.2, "mscaleAllDim": 0.3, "betaFast": 16, "truncate": False},
         {**yarn, "mscale": 1.2, "mscale_all_dim": 0.3, "beta_fast": 16.0, "truncate": False}, 20480, POSITIONS),
        ({"type": "proportional", "partialRotaryFactor": 0.25}, {"rope_type": "proportional", "partial_rotary_factor": 0.25}, 512, POSITIONS),
        ({"type": "proportional", "partialRotaryFactor": 0.6, "factor": 8},
         {"rope_type": "proportional", "partial_rotary_factor": 0.6, "factor": 8.0}, 512, POSITIONS),
        ({"type": "proportional"}, {"rope_type": "proportional"}, 512, POSITIONS),
    ]
    for scaling, theirs, context, positions in settings:
        inverse, attention = frequencies({**theirs, "rope_theta": 10000.0}, context, max(positions) + 1)
        angles = torch.tensor(positions, dtype=torch.float64)[:, None] * inverse
        cos, sin = ((torch.cat([table, table], -1) * attention).float()[None] for table in (angles.cos(), angles.sin()))
        count = len(positions)
        yield {"scaling": scaling, "dim": 2 * len(inverse), "positions": positions, **rotated(x[:, :count], grad[:, :count], cos, sin)}


def multimodal():
    """Two sequences with positions of text and of pictures."""
    batch, length = 2, 7
    x, grad = inputs((batch, length, HEADS, HEAD_DIM))
    positions = torch.tensor([[[0, 1, 2, 2, 2, 2, 4], [0, 0, 0, 1, 1, 1, 5000]],
                              [[0, 1, 2, 2, 3, 3, 4], [0, 0, 1, 0, 1, 2, 7]],
                              [[0, 1, 2, 3, 2, 3, 4], [0, 1, 0, 2, 3, 1, 300]]])
    inverse = 1.0 / (10000.0 ** (torch.arange(0, HEAD_DIM, 2, dtype=torch.float64) / HEAD_DIM))
    angles = positions[..., None].double() * inverse
    for section, interleaved in (([4, 4, 4], False), ([2, 5, 5], False), ([4, 4, 4], True), ([6, 3, 3], True), ([2, 5, 5], True)):
        self = types.SimpleNamespace(mrope_section=section)
        cos, sin = ((turns if interleaved else neighbours)(self, table.clone()).float() for table in (angles.cos(), angles.sin()))
        yield {"section": section, "interleaved": interleaved, "dim": HEAD_DIM, "positions": dump(positions),
               "x": dump(x), "gradOutput": dump(grad), **rotated(x, grad, cos, sin)}


def main():
    x, grad = inputs((1, len(POSITIONS), HEADS, HEAD_DIM))
    result = {
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "x": dump(x),
        "gradOutput": dump(grad),
        "scaled": list(scaled()),
        "multimodal": list(multimodal()),
    }
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "scaled.json"
    path.write_text(json.dumps(result, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
