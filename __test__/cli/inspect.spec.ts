// tokenbed inspect of models and files that others made. models.spec.ts has tokenbed's own.

import test from 'ava'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadFastText, loadPretrained, saveWord2Vec, tensor } from '../../index.js'
import { fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = (...parts: string[]) => join(root, 'testdata/golden', ...parts)
const json = async (t: import('ava').ExecutionContext, ...args: string[]) =>
  JSON.parse(await output(t, ['inspect', ...args, '--json']))

test('a folder of Hugging Face: its family, tables, tokenizer and layer, and the health of its token table', async (t) => {
  const folder = golden('pretrained/gpt2')
  const model = loadPretrained(folder)
  const text = await output(t, ['inspect', folder])
  for (const part of [
    'family        gpt2',
    'wte.weight float32',
    'position ',
    'layer()       TokenPositionEmbedding: token vectors, plus positions',
    'not run       nothing',
    'norms ',
  ])
    t.true(text.includes(part), `${text}\n${part}`)
  const { pretrained, tables, tensors } = await json(t, folder)
  t.like(pretrained, { family: 'gpt2', tied: model.tied, scale: 1, notRun: [], segment: null })
  t.deepEqual(pretrained.token.shape, [...model.token.shape])
  t.is(tables.length, 1)
  t.is(tables[0].name, pretrained.token.name)
  t.true(tensors.length > 1)
})

test('other families say what is normalized, multiplied and not run', async (t) => {
  const bert = await json(t, golden('pretrained/bert'), '--no-health')
  t.regex(bert.pretrained.layer, /TokenPositionEmbedding: token vectors, plus segments, plus positions, normalized/)
  const albert = await json(t, golden('pretrained/albert'), '--no-health')
  t.true(albert.pretrained.notRun[0].includes('embedding_hidden_mapping_in'))
})

test('a folder that does not load says why, and lists what it has', async (t) => {
  const folder = fresh('model')
  cpSync(golden('pretrained/gpt2'), folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), '{"model_type": "bert", "vocab_size": 40}')
  const text = await output(t, ['inspect', folder, '--no-health'])
  t.regex(text, /does not load .*embeddings\.word_embeddings\.weight.* is not in it/)
  t.true(text.includes('wte.weight'))
  const { pretrained } = await json(t, folder, '--no-health')
  t.is(pretrained.error.code, 'FORMAT')
  rmSync(join(folder, 'model.safetensors'))
  const none = await output(t, ['inspect', folder])
  t.regex(none, /does not load .*its weights cannot be found/)
  for (const weights of ['gpt2/model.safetensors', 'gpt2-bin/pytorch_model.bin']) {
    const bare = fresh('bare')
    mkdirSync(bare)
    cpSync(golden('pretrained', weights), join(bare, weights.split('/')[1]))
    t.regex(await output(t, ['inspect', bare, '--no-health']), /does not load .*cannot read .*config\.json/)
  }
})

test('models of fastText: their words, their classes, and the vectors that are made of sub-words', async (t) => {
  const text = await output(t, ['inspect', golden('fasttext/sup-softmax.bin')])
  t.regex(text, /words .*each the mean of its sub-words, of \d+ numbers\n {2}classes .*__label__/)
  for (const name of ['sup-ova-cut.ftz', 'old.bin']) {
    const model = loadFastText(golden('fasttext', name))
    const { pretrained, tensors, tables } = await json(t, golden('fasttext', name))
    t.like(pretrained, { family: 'fasttext', words: model.words.length, dim: model.dim, labels: model.labels })
    t.deepEqual(tensors[0].shape, [model.words.length, model.dim])
    t.is(tables[0].rows, model.words.length)
  }
})

test('files of llama.cpp, PyTorch, NumPy, word2vec and GloVe', async (t) => {
  const words = fresh('x.vec')
  saveWord2Vec(
    words,
    ['whale', 'zero'],
    tensor([
      [1, 2],
      [0, 0],
    ]),
  )
  t.regex(await output(t, ['inspect', words]), /vectors {2}float32 {2}\[2, 2\][^]*zero +1 row: zero/)
  const glove = await json(t, golden('vectors/glove.txt'))
  t.deepEqual(glove.tensors[0].shape, [39, 8])
  t.true((await json(t, golden('pretrained/torch/types.pt'), '--no-health')).tensors.length > 1)
  const gguf = await json(t, golden('gguf/model-q8_0.gguf'))
  t.is(gguf.pretrained.token.dtype, 'q8_0')
  t.is(gguf.tables[0].name, 'token_embd.weight')
  t.is(gguf.tensors.find(({ name }: { name: string }) => name === 'token_embd.weight').dtype, 'q8_0')
  await fails(t, ['inspect', words, '--verify'], 2, ['--verify', 'no digest'])
  await fails(t, ['inspect', golden('other-files/xz.bin')], 1, ['it is xz'])
})
