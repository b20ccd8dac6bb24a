import test from 'ava'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadSafetensors, saveModel, saveSafetensors, tensor, TextEmbedder, Tokenizer, quantize } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { root } from '../support/golden.js'
import { python, runPython } from '../support/python.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = (name: string) => join(root, 'testdata/golden/embed', name)
const texts: string[] = JSON.parse(readFileSync(golden('texts.json'), 'utf8'))

/** A copy of a folder, to be changed. */
function copy(name: string): string {
  const folder = join(temporaryFolder(), 'model')
  cpSync(golden(name), folder, { recursive: true })
  return folder
}

const json = (path: string, value: unknown) => writeFileSync(path, JSON.stringify(value))

test('modules that are not run are refused by name', (t) => {
  const folder = copy('st-old')
  const modules = JSON.parse(readFileSync(join(folder, 'modules.json'), 'utf8'))
  const dense = { idx: 1, name: '1', path: '1_Dense', type: 'sentence_transformers.models.Dense' }
  json(join(folder, 'modules.json'), [modules[0], dense])
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'sentence_transformers.models.Dense is not run here')
  const bert = { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' }
  json(join(folder, 'modules.json'), [bert])
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'sentence_transformers.models.Transformer')
  json(join(folder, 'modules.json'), [{ ...modules[0], path: '../../etc' }])
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'a path in the folder')
  json(join(folder, 'modules.json'), [])
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'it names no module')
  json(join(folder, 'modules.json'), { a: 1 })
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'a list of JSON')
  writeFileSync(join(folder, 'modules.json'), '[{]')
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'no JSON')
})

test('a folder of another kind is refused with what it seems to be', (t) => {
  const bert = join(root, 'testdata/golden/pretrained/bert')
  refuses(t, () => TextEmbedder.load(bert), 'FORMAT', 'a model of the family bert')
  const empty = temporaryFolder()
  refuses(t, () => TextEmbedder.load(empty), 'FORMAT', 'the folder is empty')
  refuses(t, () => TextEmbedder.load(join(empty, 'none')), 'FILE', 'cannot open')
  refuses(t, () => TextEmbedder.load(golden('texts.json')), 'FORMAT', 'no static embedding model')
  refuses(t, () => TextEmbedder.load(''), 'USAGE', 'path')
  refuses(t, () => TextEmbedder.load(5 as never), 'USAGE', 'path')
  refuses(t, () => TextEmbedder.load(golden('m2v-f32'), { semantics: 'x' as never }), 'USAGE', 'semantics')
  const folder = copy('m2v-f32')
  rmSync(join(folder, 'tokenizer.json'))
  rmSync(join(folder, 'modules.json'))
  const error = refuses(t, () => TextEmbedder.load(folder), 'FORMAT')
  t.regex(error.message, /no static embedding model/)
})

test('rows and a vocabulary that disagree are refused, with the file', (t) => {
  const folder = copy('m2v-f32')
  const path = join(folder, 'model.safetensors')
  const { embeddings } = Object.fromEntries(loadSafetensors(path, { map: false }))
  const [rows] = embeddings.shape
  const less = embeddings.narrow(0, 0, rows - 1).clone()
  saveSafetensors(path, { embeddings: less })
  t.is(refuses(t, () => TextEmbedder.load(folder), 'FORMAT', `has ${rows - 1} rows`, `${rows} tokens`).path, path)
  saveSafetensors(path, { embeddings, weights: tensor([1, 2, 3]) })
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'weights has 3 elements')
  const mapping = tensor(new Int32Array(rows).fill(rows), { dtype: 'int32' })
  saveSafetensors(path, { embeddings, mapping })
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', `${rows}`)
  saveSafetensors(path, { embeddings: embeddings.reshape(rows * 16) })
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', '[rows, dim]')
  json(join(folder, 'config.json'), { max_length: 'long' })
  saveSafetensors(path, { embeddings })
  refuses(t, () => TextEmbedder.load(folder), 'FORMAT', 'max_length')
})

test('another tokenizer and other semantics can be named', (t) => {
  const folder = copy('m2v-f32')
  rmSync(join(folder, 'tokenizer.json'))
  cpSync(golden('m2v-f32/tokenizer.json'), join(folder, '..', 'other.json'))
  writeFileSync(join(folder, 'tokenizer.json'), '{}')
  const embedder = TextEmbedder.load(folder, { tokenizer: join(folder, '..', 'other.json'), semantics: 'mean' })
  t.is(embedder.semantics, 'mean')
  const { tokenizer, table } = embedder
  const bare = new TextEmbedder({ tokenizer, table, normalize: true })
  t.is(digest(embedder.embed(texts)), digest(bare.embed(texts)))
})

test('folders of training load', (t) => {
  const folder = join(temporaryFolder(), 'words')
  const weight = tensor([
    [1, 2],
    [3, 4],
    [-5, 6],
  ])
  saveModel(folder, { objective: 'cbow', tensors: { 'token.weight': weight }, vocabulary: ['the', 'wh"ale', '东京'] })
  const embedder = TextEmbedder.load(folder)
  t.is(embedder.semantics, 'mean')
  const vectors = embedder.embed(['the wh"ale', ' 东京\n东京  unknown', 'unknown \ud800', ''])
  t.deepEqual(vectors.toArray(), [
    [2, 3],
    [-5, 6],
    [0, 0],
    [0, 0],
  ])
  const saved = join(temporaryFolder(), 'saved')
  embedder.save(saved)
  t.deepEqual(
    TextEmbedder.load(saved)
      .embed(['the unknown wh"ale', '东京 '.repeat(700)])
      .toArray(),
    [
      [2, 3],
      [-5, 6],
    ],
  )
  const tokenizer = Tokenizer.fromFile(golden('m2v-words/tokenizer.json'))
  const { vocabSize } = tokenizer
  const rows = tensor(
    new Float32Array(vocabSize * 2).map((_, i) => i),
    { shape: [vocabSize, 2] },
  )
  const other = join(temporaryFolder(), 'tokens')
  saveModel(other, { objective: 'skip-gram', tensors: { 'token.weight': rows }, vocabulary: tokenizer })
  const [id] = tokenizer.encode('whale')
  t.deepEqual(TextEmbedder.load(other).embed('whale').toArray(), [2 * id, 2 * id + 1])
})

for (const name of ['m2v-f32', 'm2v-f16', 'm2v-i8', 'm2v-quantized', 'm2v-weights', 'm2v-f64', 'st-old', 'llama'])
  test(`what is saved loads again with the same vectors: ${name}`, (t) => {
    const folder = join(temporaryFolder(), 'a', 'b')
    const embedder = TextEmbedder.load(golden(name))
    embedder.save(folder)
    const again = TextEmbedder.load(folder)
    t.is(again.semantics, embedder.semantics)
    t.is(again.maxLength, embedder.maxLength)
    t.is(digest(again.embed(texts)), digest(embedder.embed(texts)))
  })

test('words, quantized tables and rows behind the vocabulary are saved', (t) => {
  const folder = join(temporaryFolder(), 'saved')
  const { tokenizer, table } = TextEmbedder.load(golden('m2v-f32'))
  const small = new TextEmbedder({ tokenizer, table: quantize(table as never, 'int8') })
  small.save(folder)
  const [one, two] = [small, TextEmbedder.load(folder)].map((it) => Array.from(it.embed(texts).data as Float32Array))
  t.true(one.every((x, i) => Math.abs(x - two[i]) < 1e-4))
  const encoding = Tokenizer.load('gpt2')
  const gpt2 = new TextEmbedder({
    tokenizer: encoding,
    table: tensor(new Float32Array(50257 * 2), { shape: [50257, 2] }),
  })
  refuses(t, () => gpt2.save(folder), 'USAGE', 'gpt2 is an encoding')
  mkdirSync(join(folder, 'x'))
  writeFileSync(join(folder, 'file'), '')
  refuses(t, () => small.save(join(folder, 'file')), 'FILE')
})

const PYTHON = `
import json, sys
import numpy as np
from model2vec import StaticModel
folder, texts = sys.argv[1], json.loads(open(sys.argv[2]).read())
print(json.dumps(StaticModel.from_pretrained(folder).encode(texts).astype(np.float64).tolist()))
`
const hasModel2Vec = python !== null && canImport()

function canImport(): boolean {
  try {
    return runPython('import model2vec; print(1)') === 1
  } catch {
    return false
  }
}

for (const name of ['m2v-f32', 'm2v-i8', 'm2v-quantized', 'words'])
  (hasModel2Vec ? test : test.skip)(`model2vec of Python opens what is saved: ${name}`, (t) => {
    const folder = join(temporaryFolder(), 'saved')
    if (name === 'words') {
      const words = join(temporaryFolder(), 'words')
      const weight = tensor([
        [1, 2],
        [3, 4],
      ])
      saveModel(words, { objective: 'cbow', tensors: { 'token.weight': weight }, vocabulary: ['the', 'whale'] })
      TextEmbedder.load(words).save(folder)
    } else TextEmbedder.load(golden(name)).save(folder)
    const theirs: number[][] = runPython(PYTHON, folder, golden('texts.json'))
    const ours = TextEmbedder.load(folder).embed(texts).toArray() as number[][]
    t.true(ours.every((row, i) => row.every((x, d) => Math.abs(x - theirs[i][d]) < 1e-4)))
  })
