// tokenbed convert, run as users do.

import test from 'ava'
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  loadFastText,
  loadGGUF,
  loadGlove,
  loadNpy,
  loadNpz,
  loadPretrained,
  loadSafetensors,
  loadTorch,
  loadWord2Vec,
  randn,
  saveModel,
  saveSafetensors,
  saveWord2Vec,
  tensor,
  zeros,
  type QuantizedTable,
  type Tensor,
} from '../../index.js'
import { command, fails, output } from '../support/command.js'
import { root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()
const fresh = (name: string) => join(mkdtempSync(join(base, 'x-')), name)
const golden = (...parts: string[]) => join(root, 'testdata/golden', ...parts)

async function converted(t: import('ava').ExecutionContext, input: string, name: string, ...more: string[]) {
  const out = fresh(name)
  const said = await output(t, ['convert', input, out, '-q', ...more])
  t.is(said, '')
  t.deepEqual(readdirSync(join(out, '..')), [name], 'nothing is left beside the file')
  return out
}

test('words of text become tables, and go back', async (t) => {
  const glove = golden('vectors/glove.txt')
  const wanted = loadGlove(glove)
  const packed = fresh('glove.txt.gz')
  writeFileSync(packed, gzipSync(readFileSync(glove)))
  for (const input of [glove, packed]) {
    const array = loadNpy(await converted(t, input, 'x.npy'))
    t.deepEqual(array.data, wanted.weight.data)
  }
  const half = loadSafetensors(await converted(t, glove, 'x.safetensors', '--dtype', 'float16'))
  t.deepEqual([...half.keys()], ['vectors'])
  t.deepEqual(half.get('vectors')!.data, wanted.weight.to('float16').data)
  const binary = await converted(t, glove, 'x.bin')
  t.deepEqual(loadWord2Vec(binary, { binary: true }).words, wanted.words)
  const text = await converted(t, binary, 'x.vec')
  t.deepEqual(loadWord2Vec(text).weight.data, wanted.weight.data)
  const again = loadGlove(await converted(t, text, 'x.glove'))
  t.deepEqual([again.words, again.weight.data], [wanted.words, wanted.weight.data])
})

test('words with spaces need --escape in word2vec files', async (t) => {
  const path = fresh('x.txt')
  writeFileSync(path, 'New York 1 2\nwhale 3 4\n')
  await fails(t, ['convert', path, fresh('y.vec'), '-q'], 1, ['New York', 'white space'])
  const out = await converted(t, path, 'y.vec', '--escape')
  t.deepEqual(loadWord2Vec(out, { escape: true }).words, ['New York', 'whale'])
})

test('tensors go from file to file, all or those that are named', async (t) => {
  const path = fresh('x.safetensors')
  const tensors = {
    a: randn([70, 30]),
    b: randn([5]).to('bfloat16'),
    ids: tensor([1, 2, 3], { dtype: 'int64' }),
    one: tensor(5),
  }
  saveSafetensors(path, tensors, { metadata: { made: 'here', 'tokenbed.digest': 'x' } })
  const same = loadSafetensors(await converted(t, path, 'y.safetensors'))
  t.deepEqual(same.metadata, { made: 'here' })
  for (const [name, { data, shape, dtype }] of Object.entries(tensors)) {
    const found = same.get(name)!
    t.deepEqual([found.data, [...found.shape], found.dtype], [data, [...shape], dtype], name)
  }
  const npz = loadNpz(await converted(t, path, 'y.npz', '--tensor', 'a', '--tensor', 'ids', '--dtype', 'float64'))
  t.deepEqual(
    [...npz].map(([name, { dtype }]) => [name, dtype]),
    [
      ['a', 'float64'],
      ['ids', 'int64'],
    ],
  )
  t.deepEqual(npz.get('a')!.to('float32').data, tensors.a.data)
  const two = await converted(t, path, 'y.safetensors', '--tensor', 'b', '--tensor', 'a', '--dtype', 'float32')
  t.deepEqual(loadSafetensors(two).get('b')!.data, tensors.b.to('float32').data)
  await fails(t, ['convert', path, fresh('y.npy')], 2, ['which of its 4 tensors', '--tensor', 'ids'])
  await fails(t, ['convert', path, fresh('y.npy'), '--tensor', 'b'], 1, ['bfloat16'])
  await fails(t, ['convert', path, fresh('y.npy'), '--tensor', 'c'], 2, ['--tensor c', 'has no such tensor; it has: '])
  await fails(t, ['convert', path, fresh('y.vec'), '--tensor', 'a'], 2, ['have no names', '--tokenizer'])
})

test('models give their token table, with their tokens as words', async (t) => {
  const folder = golden('pretrained/gpt2')
  const { token } = loadPretrained(folder)
  const array = loadNpy(await converted(t, folder, 'x.npy'))
  t.deepEqual([array.data, array.dtype], [(token as Tensor).data, (token as Tensor).dtype])
  t.deepEqual([...loadSafetensors(await converted(t, folder, 'x.safetensors')).keys()].length, 1)
  const model = fresh('model')
  const weight = randn([3, 2])
  saveModel(model, {
    objective: 'x',
    tensors: { 'token.weight': weight, other: zeros([4]) },
    vocabulary: ['a', 'b', 'c'],
  })
  const words = loadWord2Vec(await converted(t, model, 'x.txt'))
  t.deepEqual([words.words, words.weight.data], [['a', 'b', 'c'], weight.data])
})

test("blocks of GGUF become floats, and PyTorch's files are read", async (t) => {
  const path = golden('gguf/kinds.gguf')
  const { tensors } = loadGGUF(path)
  const isBlocks = (name: string) => {
    try {
      return 'kind' in tensors.get(name)!
    } catch {
      return false
    }
  }
  const names = [...tensors.keys()].filter(isBlocks)
  t.true(names.length > 4)
  for (const name of names.slice(0, 4)) {
    const array = loadNpy(await converted(t, path, 'x.npy', '--tensor', name))
    t.deepEqual(array.data, (tensors.get(name) as QuantizedTable).dequantize().data, name)
  }
  const torch = golden('pretrained/torch/types.pt')
  const [name] = [...loadTorch(torch)].find(([, { dtype }]) => dtype === 'float32')!
  const out = await converted(t, torch, 'x.safetensors', '--tensor', name)
  t.deepEqual(loadSafetensors(out).get(name)!.data, loadTorch(torch).get(name)!.data)
})

test('models of fastText give the vectors of their words', async (t) => {
  for (const name of ['skipgram-ns.bin', 'old.bin', 'sup-hs-norm.ftz']) {
    const model = loadFastText(golden('fasttext', name))
    const table = loadNpy(await converted(t, golden('fasttext', name), 'x.npy'))
    t.deepEqual(table.data, model.vectors.weight.data)
    const words = loadWord2Vec(await converted(t, golden('fasttext', name), 'x.vec'))
    t.deepEqual([words.words, words.weight.data], [model.words, model.vectors.weight.data])
  }
})

test('a large table is converted in blocks', async (t) => {
  const path = fresh('x.safetensors')
  const weight = randn([40_000, 100])
  saveSafetensors(path, { weight, more: randn([3, 3]) })
  const half = weight.to('float16')
  for (const name of ['y.safetensors', 'y.npz']) {
    const out = await converted(t, path, name, '--dtype', 'float16')
    const found = name.endsWith('npz') ? loadNpz(out) : loadSafetensors(out)
    t.deepEqual(found.get('weight')!.data, half.data)
  }
  const words = await converted(
    t,
    await converted(t, path, 'y.npy', '--tensor', 'weight', '--dtype', 'float16'),
    'z.npy',
    '--dtype',
    'float32',
  )
  t.deepEqual(loadNpy(words).data, half.to('float32').data)
})

test('what is there stays, unless --force says otherwise', async (t) => {
  const path = fresh('x.vec')
  saveWord2Vec(path, ['a'], tensor([[1, 2]]))
  const out = fresh('y.npy')
  const report = JSON.parse(await output(t, ['convert', path, out, '--json', '-q']))
  t.like(report, { in: path, out, kind: 'a file of word2vec', format: 'npy' })
  t.deepEqual(report.tensors, [{ name: 'vectors', dtype: 'float32', shape: [1, 2] }])
  const before = readFileSync(out)
  await fails(t, ['convert', path, out], 2, ['a file is there', '--force'])
  t.deepEqual(readFileSync(out), before)
  t.regex((await command(['convert', path, out, '--force', '--dtype', 'float16'])).stdout, /vectors float16 \[1, 2\]/)
  await fails(t, ['convert', path, path, '--force'], 2, ['would be replaced'])
})

test('wrong uses and bad files are told in a line', async (t) => {
  const path = fresh('x.vec')
  saveWord2Vec(path, ['a'], tensor([[1, 2]]))
  await fails(t, ['convert', path, fresh('y.xyz')], 2, ['its ending must say what it is'])
  await fails(t, ['convert', path, fresh('y.vec.gz')], 2, ['not compressed', '.gz'])
  await fails(t, ['convert', path, fresh('y.vec'), '--dtype', 'float16'], 2, ['float32 alone'])
  await fails(t, ['convert', path, fresh('y.npy'), '--escape'], 2, ['--escape'])
  await fails(t, ['convert', join(base, 'nothing'), fresh('y.npy')], 1, ['no such file or directory'])
  await fails(t, ['convert', base, fresh('y.npy')], 1, ['neither model.json nor config.json'])
  await fails(t, ['convert', golden('other-files/xz.bin'), fresh('y.npy')], 1, ['it is xz'])
  const torn = fresh('x.gguf')
  writeFileSync(torn, readFileSync(golden('other-files/model.gguf')).subarray(0, 20))
  await fails(t, ['convert', torn, fresh('y.npy')], 1, [torn])
  t.false(existsSync(join(base, 'y.npy')))
})
