"""Model folders as the real tools write them, and the numbers that reach their first blocks.

    python make.py

Made with torch 2.15.0, transformers 5.24.0, tokenizers 0.23, numpy 2.4.6 and safetensors 0.8.

Each folder is a tiny model with random weights, written by `save_pretrained`, or with `torch.save` where Transformers no
longer writes that form. `expected.safetensors` has, for each, the ids that were given and what reached its first block: a
hook on the block records it, so whatever the model does before is in it. `tied.json` has what Transformers takes for
`tie_word_embeddings` where a config is silent. `torch/` has files of `torch.save`, and `torch.safetensors` their tensors;
`npz/` has archives of NumPy, and `npz.safetensors` their arrays.
"""

import json
import os
import pickle
import shutil
import zipfile
from collections import OrderedDict

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig

torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB, DIM = 40, 16
expected = {}

LM = dict(vocab_size=VOCAB, hidden_size=DIM, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
          max_position_embeddings=24, bos_token_id=0, eos_token_id=1, pad_token_id=2)
KV = dict(LM, num_key_value_heads=1, head_dim=8)
GPT = dict(vocab_size=VOCAB, n_embd=DIM, n_layer=1, n_head=2, n_inner=16, n_positions=24, bos_token_id=0, eos_token_id=1)
SEQ = dict(vocab_size=VOCAB, d_model=DIM, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
           decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=24,
           bos_token_id=0, eos_token_id=2, pad_token_id=1, decoder_start_token_id=2, forced_eos_token_id=2)
T5 = dict(vocab_size=VOCAB, d_model=DIM, d_kv=8, d_ff=16, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=1,
          decoder_start_token_id=0)

# Folder: class, model_type, options, the module whose input is recorded.
MODELS = {
    'gpt2': ('GPT2LMHeadModel', 'gpt2', GPT, 'transformer.h.0'),
    'gpt2-bare': ('GPT2Model', 'gpt2', GPT, 'h.0'),
    'gpt-neo': ('GPTNeoForCausalLM', 'gpt_neo',
                dict(vocab_size=VOCAB, hidden_size=DIM, num_layers=1, num_heads=2, intermediate_size=16, window_size=8,
                     max_position_embeddings=24, attention_types=[[['global'], 1]], bos_token_id=0, eos_token_id=1),
                'transformer.h.0'),
    'gptj': ('GPTJForCausalLM', 'gptj', dict(GPT, rotary_dim=4), 'transformer.h.0'),
    'codegen': ('CodeGenForCausalLM', 'codegen', dict(GPT, n_head=4, rotary_dim=4), 'transformer.h.0'),
    'gpt-bigcode': ('GPTBigCodeForCausalLM', 'gpt_bigcode', GPT, 'transformer.h.0'),
    'openai-gpt': ('OpenAIGPTLMHeadModel', 'openai-gpt', dict(vocab_size=VOCAB, n_embd=DIM, n_layer=1, n_head=2, n_positions=24), 'transformer.h.0'),
    'mpt': ('MptForCausalLM', 'mpt', dict(vocab_size=VOCAB, d_model=DIM, n_layers=1, n_heads=2, max_seq_len=24), 'transformer.blocks.0'),
    'gpt-neox': ('GPTNeoXForCausalLM', 'gpt_neox', LM, 'gpt_neox.layers.0'),
    'bloom': ('BloomForCausalLM', 'bloom', dict(vocab_size=VOCAB, hidden_size=DIM, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=1), 'transformer.h.0'),
    'falcon': ('FalconForCausalLM', 'falcon', dict(vocab_size=VOCAB, hidden_size=DIM, num_hidden_layers=1, num_attention_heads=2, bos_token_id=0, eos_token_id=1), 'transformer.h.0'),
    'llama': ('LlamaForCausalLM', 'llama', KV, 'model.layers.0'),
    'mistral': ('MistralForCausalLM', 'mistral', KV, 'model.layers.0'),
    'qwen2': ('Qwen2ForCausalLM', 'qwen2', KV, 'model.layers.0'),
    'qwen3': ('Qwen3ForCausalLM', 'qwen3', dict(KV, tie_word_embeddings=True), 'model.layers.0'),
    'phi': ('PhiForCausalLM', 'phi', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'phi3': ('Phi3ForCausalLM', 'phi3', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'olmo2': ('Olmo2ForCausalLM', 'olmo2', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'stablelm': ('StableLmForCausalLM', 'stablelm', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'starcoder2': ('Starcoder2ForCausalLM', 'starcoder2', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'cohere': ('CohereForCausalLM', 'cohere', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'granite': ('GraniteForCausalLM', 'granite', dict(LM, num_key_value_heads=1, embedding_multiplier=12.0), 'model.layers.0'),
    'mixtral': ('MixtralForCausalLM', 'mixtral', dict(KV, num_local_experts=2, num_experts_per_tok=1), 'model.layers.0'),
    'qwen2-moe': ('Qwen2MoeForCausalLM', 'qwen2_moe', dict(LM, num_key_value_heads=1, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=8, shared_expert_intermediate_size=8), 'model.layers.0'),
    'qwen3-moe': ('Qwen3MoeForCausalLM', 'qwen3_moe', dict(KV, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=8), 'model.layers.0'),
    'olmo': ('OlmoForCausalLM', 'olmo', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'gpt-oss': ('GptOssForCausalLM', 'gpt_oss', dict(KV, num_local_experts=2, num_experts_per_tok=1), 'model.layers.0'),
    'smollm3': ('SmolLM3ForCausalLM', 'smollm3', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'deepseek-v3': ('DeepseekV3ForCausalLM', 'deepseek_v3', dict(LM, num_key_value_heads=2, q_lora_rank=4, kv_lora_rank=4, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=4, n_routed_experts=2, num_experts_per_tok=1, n_group=1, topk_group=1, moe_intermediate_size=8, first_k_dense_replace=1), 'model.layers.0'),
    'cohere2': ('Cohere2ForCausalLM', 'cohere2', dict(LM, num_key_value_heads=1), 'model.layers.0'),
    'gemma': ('GemmaForCausalLM', 'gemma', KV, 'model.layers.0'),
    'gemma2': ('Gemma2ForCausalLM', 'gemma2', KV, 'model.layers.0'),
    'gemma3-text': ('Gemma3ForCausalLM', 'gemma3_text', KV, 'model.layers.0'),
    'gemma3n-text': ('Gemma3nForCausalLM', 'gemma3n_text',
                     dict(KV, vocab_size_per_layer_input=VOCAB, hidden_size_per_layer_input=4, altup_num_inputs=2, num_kv_shared_layers=0,
                          laurel_rank=4, activation_sparsity_pattern=[0.0], layer_types=['full_attention']), 'model.layers.0'),
    'opt': ('OPTForCausalLM', 'opt', dict(vocab_size=VOCAB, hidden_size=DIM, word_embed_proj_dim=DIM, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=24), 'model.decoder.layers.0'),
    'opt-350m': ('OPTForCausalLM', 'opt', dict(vocab_size=VOCAB, hidden_size=DIM, word_embed_proj_dim=8, do_layer_norm_before=False, ffn_dim=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=24), None),
    'bart': ('BartForConditionalGeneration', 'bart', SEQ, 'model.encoder.layers.0'),
    'mbart': ('MBartForConditionalGeneration', 'mbart', dict(SEQ, scale_embedding=True), 'model.encoder.layers.0'),
    'pegasus': ('PegasusForConditionalGeneration', 'pegasus', dict(SEQ, scale_embedding=True), 'model.encoder.layers.0'),
    'marian': ('MarianMTModel', 'marian', dict(SEQ, scale_embedding=True), 'model.encoder.layers.0'),
    'whisper': ('WhisperForConditionalGeneration', 'whisper', dict(SEQ, num_mel_bins=8, max_source_positions=8, max_target_positions=24), 'model.decoder.layers.0'),
    't5': ('T5ForConditionalGeneration', 't5', T5, 'encoder.block.0'),
    'mt5': ('MT5ForConditionalGeneration', 'mt5', T5, 'encoder.block.0'),
    'umt5': ('UMT5ForConditionalGeneration', 'umt5', T5, 'encoder.block.0'),
    't5-encoder': ('T5EncoderModel', 't5', T5, 'encoder.block.0'),
    'bert': ('BertForMaskedLM', 'bert', LM, 'bert.encoder.layer.0'),
    'bert-bare': ('BertModel', 'bert', LM, 'encoder.layer.0'),
    'roberta': ('RobertaForMaskedLM', 'roberta', dict(LM, type_vocab_size=1, pad_token_id=1), 'roberta.encoder.layer.0'),
    'xlm-roberta': ('XLMRobertaModel', 'xlm-roberta', dict(LM, type_vocab_size=1, pad_token_id=1), 'encoder.layer.0'),
    'camembert': ('CamembertModel', 'camembert', dict(LM, type_vocab_size=1, pad_token_id=1), 'encoder.layer.0'),
    'longformer': ('LongformerModel', 'longformer', dict(LM, type_vocab_size=1, pad_token_id=1, attention_window=4), 'encoder.layer.0'),
    'data2vec-text': ('Data2VecTextModel', 'data2vec-text', dict(LM, type_vocab_size=1, pad_token_id=1), 'encoder.layer.0'),
    'electra': ('ElectraForPreTraining', 'electra', dict(LM, embedding_size=DIM), 'electra.encoder.layer.0'),
    'electra-small': ('ElectraModel', 'electra', dict(LM, embedding_size=8), 'embeddings_project'),
    'albert': ('AlbertModel', 'albert', dict(LM, embedding_size=8), 'encoder'),
    'deberta': ('DebertaModel', 'deberta', dict(LM, type_vocab_size=0), 'encoder.layer.0'),
    'deberta-v2': ('DebertaV2Model', 'deberta-v2', dict(LM, type_vocab_size=0, position_biased_input=False, relative_attention=True), 'encoder.layer.0'),
    'distilbert': ('DistilBertModel', 'distilbert', dict(vocab_size=VOCAB, dim=DIM, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=24), 'transformer.layer.0'),
    'mpnet': ('MPNetModel', 'mpnet', dict(LM, pad_token_id=1), 'encoder.layer.0'),
    'modernbert': ('ModernBertModel', 'modernbert', dict(LM, cls_token_id=0, sep_token_id=1), 'layers.0'),
    'mamba': ('MambaForCausalLM', 'mamba', dict(vocab_size=VOCAB, hidden_size=DIM, num_hidden_layers=1, state_size=4), 'backbone.layers.0'),
    'mamba2': ('Mamba2ForCausalLM', 'mamba2', dict(vocab_size=VOCAB, hidden_size=DIM, num_hidden_layers=1, num_heads=4, head_dim=8, n_groups=1, state_size=4), 'backbone.layers.0'),
}


# The same model in other types, forms and numbers of files: folder, the model that it is made of, type.
TYPES = {'gpt2-f16': ('gpt2', torch.float16), 'llama-bf16': ('llama', torch.bfloat16), 'gemma-bf16': ('gemma-wide', torch.bfloat16),
         'bert-f64': ('bert-bare', torch.float64)}
# Not saved as it is: the square root of its width is no whole number.
MODELS['gemma-wide'] = ('GemmaForCausalLM', 'gemma', dict(KV, hidden_size=24), 'model.layers.0')


class Seen(Exception):
    pass


def seen(model, path, **given):
    """What reaches a module."""
    found = []

    def hook(_, args, kwargs):
        found.append((args[0] if args else kwargs['hidden_states']).clone())
        raise Seen

    handle = model.get_submodule(path).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        model(**given)
    except Seen:
        pass
    handle.remove()
    return found[0].contiguous()


def make(name, dtype=torch.float32):
    kind, model_type, options, path = MODELS[name]
    config = AutoConfig.for_model(model_type, **options)
    torch.manual_seed(len(name))
    model = getattr(transformers, kind)(config).eval()
    for parameter in model.parameters():
        # Norms have ones and zeros at first, and would hide what is wrong with them.
        parameter.copy_(torch.randn_like(parameter) * 0.5)
    model.tie_weights()
    return model.to(dtype), path


def save(folder, model, **options):
    target = fresh(folder)
    model.save_pretrained(target, **options)
    extra = os.path.join(target, 'generation_config.json')
    if os.path.exists(extra):
        os.remove(extra)
    return target


def fresh(folder):
    target = os.path.join(HERE, folder)
    shutil.rmtree(target, ignore_errors=True)
    return target


def record(folder, name, model, path):
    torch.manual_seed(7)
    ids = torch.randint(3, VOCAB, (2, 9))
    if MODELS[name][1] in ('roberta', 'xlm-roberta', 'camembert', 'mpnet', 'bert', 'longformer', 'data2vec-text'):
        ids[1, 6:] = model.config.pad_token_id
    expected[f'{folder}.ids'] = ids
    given = {'input_ids': ids}
    if MODELS[name][1] == 'whisper':
        given = {'input_features': torch.zeros(2, 8, 16), 'decoder_input_ids': ids}
    if path is not None:
        # Longformer pads its input to a multiple of its window.
        found = seen(model, path, **given)
        # Gemma 3n carries several versions of its input beside each other. The first is the input itself.
        found = found[0] if MODELS[name][1] == 'gemma3n_text' else found
        expected[f'{folder}.input'] = found[:, :9].contiguous()


def families():
    for name in MODELS:
        if name == 'gemma-wide':
            continue
        model, path = make(name)
        save(name, model)
        record(name, name, model, path)
    for folder, (name, dtype) in TYPES.items():
        model, path = make(name, dtype)
        save(folder, model)
        record(folder, name, model, path)
        # The same file, computed in float32. Opened so, because a model that is converted keeps its rounded constants.
        wide = type(model).from_pretrained(os.path.join(HERE, folder), dtype=torch.float32).eval()
        expected[f'{folder}.wide'] = seen(wide, path, input_ids=expected[f'{folder}.ids'])


def forms():
    """Several files, files of PyTorch, and old names."""
    model, path = make('gpt2')
    save('gpt2-shards', model, max_shard_size='4KB')
    record('gpt2-shards', 'gpt2', model, path)

    target = fresh('gpt2-bin')
    model.config.save_pretrained(target)
    torch.save(model.state_dict(), os.path.join(target, 'pytorch_model.bin'))
    record('gpt2-bin', 'gpt2', model, path)

    target = fresh('gpt2-bin-shards')
    model.config.save_pretrained(target)
    state = list(model.state_dict().items())
    parts = [dict(state[:3]), dict(state[3:])]
    index = {'metadata': {'total_size': 0}, 'weight_map': {}}
    for i, part in enumerate(parts):
        file = f'pytorch_model-{i + 1:05}-of-00002.bin'
        torch.save(OrderedDict((key, value.clone()) for key, value in part.items()), os.path.join(target, file))
        index['weight_map'].update((key, file) for key in part)
    write_json(os.path.join(target, 'pytorch_model.bin.index.json'), index)
    record('gpt2-bin-shards', 'gpt2', model, path)

    # As the first files of BERT have it.
    model, path = make('bert')
    target = fresh('bert-old')
    model.config.save_pretrained(target)
    old = {key.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'): value
           for key, value in model.state_dict().items()}
    torch.save(old, os.path.join(target, 'pytorch_model.bin'))
    record('bert-old', 'bert', model, path)

    tokenizer = Tokenizer(models.WordLevel({'[UNK]': 0, 'the': 1, 'whale': 2}, unk_token='[UNK]'))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(os.path.join(HERE, 'gpt2', 'tokenizer.json'))


def multimodal():
    text = dict(KV, model_type='gemma3_text')
    vision = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4,
                                       image_token_index=VOCAB - 1)
    torch.manual_seed(1)
    model = transformers.Gemma3ForConditionalGeneration(config).eval()
    save('gemma3', model)
    ids = torch.arange(3, 12).reshape(1, 9)
    expected['gemma3.ids'] = ids
    expected['gemma3.input'] = seen(model, 'model.language_model.layers.0', input_ids=ids)


def tied():
    """What a silent config means, for every family."""
    families = sorted({model_type for _, model_type, _, _ in MODELS.values()} | {'gemma3'})
    write_json(os.path.join(HERE, 'tied.json'), {
        family: bool(AutoConfig.for_model(family).get_text_config().tie_word_embeddings) for family in families})


class Hostile:
    def __reduce__(self):
        return (os.system, ('touch /tmp/it-ran',))


def torch_files():
    """Files of torch.save, and what loadTorch must make of them."""
    target = fresh('torch')
    os.makedirs(target)
    tensors = {}

    def put(name, value, said, **options):
        torch.save(value, os.path.join(target, name), **options)
        tensors.update((f'{name}:{key}', tensor.contiguous().clone()) for key, tensor in said.items())

    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
    types = {str(dtype).split('.')[1]: (base * 10 - 20).to(dtype) for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.bool)}
    types['uint8'] = torch.arange(5, dtype=torch.uint8)
    types['int16'] = torch.tensor([-3, 0, 30000], dtype=torch.int16)
    wide = dict(types, int16=types['int16'].to(torch.int32))
    put('types.pt', types, wide)
    for protocol in (3, 4, 5):
        put(f'protocol-{protocol}.pt', types, wide, pickle_protocol=protocol)
    views = {'transposed': base.t(), 'row': base[2], 'column': base[:, 1], 'part': base[1:3, 2:5], 'scalar': base[3, 3],
             'empty': base[:0], 'one': base[:1].expand(1, 6), 'wide': types['int16'][::2], 'whole': base}
    put('views.pt', views, dict(views, wide=views['wide'].to(torch.int32)))
    linear = torch.nn.Linear(3, 2)
    linear.weight.copy_(torch.arange(6.).reshape(2, 3))
    linear.bias.copy_(torch.tensor([7., 8.]))
    put('parameters.pt', {'weight': linear.weight, 'bias': linear.bias}, {'weight': linear.weight, 'bias': linear.bias})
    put('state-dict.pt', linear.state_dict(), dict(linear.state_dict()))
    optimizer = torch.optim.Adam(linear.parameters(), lr=0.1)
    with torch.enable_grad():
        linear(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    said = {f'optimizer.state.{i}.{key}': value for i, its in state['state'].items() for key, value in its.items()}
    said.update({f'model.{key}': value for key, value in linear.state_dict().items()})
    put('checkpoint.pt', {'model': linear.state_dict(), 'optimizer': state, 'epoch': 3, 'loss': 0.5, 'name': 'x',
                          'long': 2 ** 70, 'losses': [1, torch.tensor([2.0])]},
        dict(said, **{'losses.1': torch.tensor([2.0])}))
    put('tensor.pt', base, {'': base})
    put('old.pt', {'x': base}, {}, _use_new_zipfile_serialization=False)
    put('complex.pt', {'x': base, 'c': torch.zeros(2, dtype=torch.complex64)}, {'x': base})
    put('expanded.pt', {'x': torch.ones(1).expand(1000, 1000)}, {})
    put('module.pt', linear, {})
    put('hostile.pt', {'x': base, 'y': Hostile()}, {})
    deflated(os.path.join(target, 'types.pt'), os.path.join(target, 'deflated.pt'))
    tensors.update({key.replace('types.pt', 'deflated.pt'): value for key, value in list(tensors.items())
                    if key.startswith('types.pt')})
    tensors = {key: value.clone() for key, value in tensors.items()}
    save_file(tensors, os.path.join(HERE, 'torch.safetensors'))


def deflated(source, target):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry), zipfile.ZIP_DEFLATED)


def npz_files():
    target = fresh('npz')
    os.makedirs(target)
    arrays = {
        'f4': np.arange(12, dtype='<f4').reshape(3, 4) / 7, 'f8': np.array(0.1), 'f2': np.array([1, -2.5], '<f2'),
        'i1': np.array([-1, 2], 'i1'), 'u1': np.array([255], 'u1'), 'i2': np.array([-30000], '<i2'),
        'u4': np.array([2 ** 32 - 1], '<u4'), 'i8': np.array([[2 ** 62]], '<i8'), 'b1': np.array([True, False]),
        'big': np.arange(6, dtype='>f4').reshape(2, 3), 'fortran': np.asfortranarray(np.arange(6, dtype='<i4').reshape(2, 3)),
        'empty': np.zeros((0, 5), '<f4'), 'größe': np.array([1.5], '<f4'),
    }
    np.savez(os.path.join(target, 'plain.npz'), **arrays)
    np.savez_compressed(os.path.join(target, 'compressed.npz'), **arrays)
    np.savez(os.path.join(target, 'none.npz'))
    np.savez(os.path.join(target, 'strange.npz'), x=arrays['f4'], text=np.array(['a', 'bc']), c=np.zeros(2, 'c8'),
             objects=np.array([{'a': 1}], dtype=object))
    ours = {'f4': arrays['f4'], 'f8': arrays['f8'], 'i4': np.arange(3, dtype='<i4'), 'b1': arrays['b1'],
            'größe': arrays['größe']}
    np.savez(os.path.join(target, 'ours.npz'), **ours)
    kinds = {'i2': 'i4', 'u4': 'i8', 'big': '<f4'}
    save_file({name: torch.from_numpy(np.ascontiguousarray(array.astype(kinds.get(name, array.dtype))).reshape(array.shape))
               for name, array in arrays.items()}, os.path.join(HERE, 'npz.safetensors'))


def write_json(path, value):
    with open(path, 'w') as file:
        json.dump(value, file, indent=2, sort_keys=True)
        file.write('\n')


if __name__ == '__main__':
    families()
    forms()
    multimodal()
    tied()
    torch_files()
    npz_files()
    save_file({name: value.clone() for name, value in expected.items()}, os.path.join(HERE, 'expected.safetensors'))
