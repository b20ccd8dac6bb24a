// Every writer checks the limits of its reader before it touches a file. What it writes can be read again. What it
// refuses leaves the old file as it was, with nothing beside it.

import test, { type ExecutionContext } from 'ava'
import { Resvg } from '@resvg/resvg-js'
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  inspectSafetensors,
  loadModel,
  loadNpy,
  loadSafetensors,
  loadWord2Vec,
  saveModel,
  saveNpy,
  saveSafetensors,
  saveWord2Vec,
  tensor,
  TensorWriter,
  TokenbedError,
  Trainer,
  zeros,
  type Tensor,
} from '../../index.js'
import { output } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const base = temporaryFolder()

/** A format: how it is written into a folder and how it is read. */
interface Writer<T> {
  readonly name: string
  readonly good: T
  write(folder: string, value: T): unknown
  /** Reads it, and throws if it is not what was written. */
  read(folder: string, value: T): unknown
}

/** The bytes of all files below a folder, by path. */
function contents(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  )
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(folder, path), 'latin1')]))
}

/**
 * Writes each value over a good file. Afterwards it can be read again, or everything is as it was. Returns how many
 * were refused.
 */
async function tried<T>(t: ExecutionContext, writer: Writer<T>, values: Iterable<T>): Promise<number> {
  const folder = mkdtempSync(join(base, 'w-'))
  await writer.write(folder, writer.good)
  await writer.read(folder, writer.good)
  let before = contents(folder)
  let refused = 0
  for (const value of values) {
    try {
      await writer.write(folder, value)
    } catch (error) {
      refused += 1
      t.true(error instanceof TokenbedError, `${writer.name}: ${error}`)
      t.true(['USAGE', 'SHAPE', 'DTYPE'].includes((error as TokenbedError).code), `${writer.name}: ${error}`)
      t.true((error as Error).message.length < 2500, `${writer.name}: ${(error as Error).message.slice(0, 200)} ...`)
      t.true(JSON.stringify(contents(folder)) === JSON.stringify(before), `${writer.name}: ${(error as Error).message}`)
      continue
    }
    await t.notThrowsAsync(async () => writer.read(folder, value), writer.name)
    t.deepEqual(Object.keys(contents(folder)), Object.keys(before), writer.name)
    before = contents(folder)
  }
  return refused
}

function same(found: Tensor | undefined, expected: Tensor): void {
  const [a, b] = [found, expected].map(
    (it) => it && JSON.stringify([it.dtype, it.shape, Array.from(it.data as Float32Array, String)]),
  )
  if (a !== b) throw new Error(`${a?.slice(0, 100)} is not ${b?.slice(0, 100)}`)
}

type Tensors = { tensors: Record<string, Tensor>; metadata: Record<string, string> }
const safetensors: Writer<Tensors> = {
  name: 'saveSafetensors',
  good: { tensors: { x: zeros([2]) }, metadata: { a: 'b' } },
  write: (folder, { tensors, metadata }) => saveSafetensors(join(folder, 'x.safetensors'), tensors, { metadata }),
  read: (folder, { tensors, metadata }) => {
    const loaded = loadSafetensors(join(folder, 'x.safetensors'))
    if (loaded.size !== Object.keys(tensors).length) throw new Error(`${loaded.size} tensors`)
    for (const [name, expected] of Object.entries(tensors)) same(loaded.get(name), expected)
    for (const [key, text] of Object.entries(metadata))
      if (loaded.metadata[key] !== text) throw new Error(`metadata ${key}`)
  },
}

const npy: Writer<Tensor> = {
  name: 'saveNpy',
  good: zeros([2]),
  write: (folder, array) => saveNpy(join(folder, 'x.npy'), array),
  read: (folder, array) => {
    same(loadNpy(join(folder, 'x.npy')), array)
    if (array.shape.length > 64) throw new Error('NumPy reads 64 dimensions at most')
  },
}

/** Rows of one tensor, given its name and the shape of a row. */
type Rows = { name: string; shape: number[]; count: number; metadata?: Record<string, string> }
const rows = (ending: string): Writer<Rows> => ({
  name: `TensorWriter, ${ending}`,
  good: { name: 'x', shape: [2], count: 3 },
  write: (folder, { name, shape, count, metadata }) => {
    using writer = new TensorWriter(join(folder, `x${ending}`), { [name]: { dtype: 'float32', shape } }, { metadata })
    writer.write(name, zeros([count, ...shape]))
    writer.close()
  },
  read: (folder, { name, shape, count }) => {
    const path = join(folder, `x${ending}`)
    const found = ending === '.npy' ? loadNpy(path) : loadSafetensors(path).get(name)
    same(found, zeros([count, ...shape]))
    if (ending === '.npy' && found!.shape.length > 64) throw new Error('NumPy reads 64 dimensions at most')
  },
})

type Words = { words: string[]; dim: number; escape: boolean }
const words = (binary: boolean): Writer<Words> => ({
  name: `saveWord2Vec, ${binary ? 'binary' : 'text'}`,
  good: { words: ['a', 'b'], dim: 2, escape: false },
  write: (folder, { words, dim, escape }) =>
    saveWord2Vec(join(folder, 'x.vec'), words, zeros([words.length, dim]), { binary, escape }),
  read: (folder, { words, dim, escape }) => {
    const found = loadWord2Vec(join(folder, 'x.vec'), { escape })
    if (found.dim !== dim || JSON.stringify(found.words) !== JSON.stringify(words)) throw new Error('other words')
  },
})

type Model = { name: string; words: string[]; counts: number[]; objective: string; label: string; note: unknown }
const model: Writer<Model> = {
  name: 'saveModel',
  good: { name: 'more', words: ['a', 'b'], counts: [1, 2], objective: 'x', label: 'l', note: 'n' },
  write: (folder, { name, words, counts, objective, label, note }) =>
    saveModel(join(folder, 'model'), {
      objective,
      tensors: { 'token.weight': zeros([words.length, 2]), [name]: zeros([1]) },
      vocabulary: words,
      counts,
      labels: [label],
      training: { note: note as string },
    }),
  read: (folder, { name, words, counts, objective, label, note }) => {
    const found = loadModel(join(folder, 'model'), { verify: true })
    const told = [
      found.objective,
      found.words,
      [...found.counts!],
      found.labels,
      found.description.training.note,
      found.tensors.has(name),
    ]
    if (JSON.stringify(told) !== JSON.stringify([objective, words, counts, [label], note, true]))
      throw new Error('another model')
  },
}

const checkpoint: Writer<string[]> = {
  name: 'a checkpoint',
  good: ['a', 'b'],
  write: async (folder, vocabulary) => {
    const texts = Array.from({ length: 30 }, (_, i) => vocabulary[i % vocabulary.length])
    await new Trainer({ pieces: pieces(texts) }, { objective: 'skip-gram', dim: 2, minCount: 1, seed: 1 }).run({
      steps: 1,
      checkpoint: { path: join(folder, 'run.safetensors') },
    })
  },
  read: async (folder, vocabulary) => {
    const texts = Array.from({ length: 30 }, (_, i) => vocabulary[i % vocabulary.length])
    await Trainer.resume(join(folder, 'run.safetensors'), { pieces: pieces(texts) })
    inspectSafetensors(join(folder, 'run.safetensors'))
  },
}
async function* pieces(texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield `${text} `
}

const ODD = [
  '',
  ' ',
  '\n',
  '\t',
  'a b',
  '\\',
  '\\n',
  '\\x20',
  '"',
  "'",
  '\0',
  '\u0001',
  '\u007f',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '鯨',
  '😀',
  '\ud800',
  '\udc00x',
  '__proto__',
  '__metadata__',
  'constructor',
  '</text>',
  '&',
  'x'.repeat(300),
]
const chained = <T>(lists: readonly (readonly T[])[]) => lists.flat()

test('names and metadata of safetensors can be read again or are refused', async (t) => {
  const values = ODD.flatMap((text) => [
    { tensors: Object.fromEntries([[text, zeros([1])]]), metadata: {} },
    { tensors: { x: zeros([1]) }, metadata: Object.fromEntries([[text, 'x']]) },
    { tensors: { x: zeros([1]) }, metadata: { x: text } },
  ])
  t.is(await tried(t, safetensors, values), 7, 'three of each half of a character, and the name that the format uses')
})

test('safetensors headers that no reader accepts are refused', async (t) => {
  const long = 'n'.repeat(100_000_000)
  const x = zeros([1])
  t.is(
    await tried(t, safetensors, [
      { tensors: { x }, metadata: { note: long } },
      { tensors: { [long]: x }, metadata: {} },
      { tensors: { x }, metadata: { note: long.slice(0, 99_999_000) } },
      // As JSON, each of these takes two bytes.
      { tensors: { x }, metadata: { note: '\n'.repeat(60_000_000) } },
      {
        tensors: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`${i}${long.slice(0, 1_000_000)}`, x])),
        metadata: {},
      },
    ]),
    4,
  )
  t.is(
    await tried(t, rows('.safetensors'), [
      { name: 'x', shape: [1], count: 1, metadata: { note: long } },
      { name: long, shape: [1], count: 1 },
      { name: 'x', shape: [1], count: 1, metadata: { note: long.slice(0, 99_999_000) } },
    ]),
    2,
  )
})

/** A tensor with more dimensions than can be passed at once. */
function deep(dimensions: number): Tensor {
  let found = zeros([1])
  while (found.shape.length < dimensions) found = found.reshape(...found.shape, 1)
  return found
}

test('shapes can be read again or are refused', async (t) => {
  const shapes = [
    [],
    [0],
    [1],
    [2, 0, 3],
    Array<number>(63).fill(1),
    Array<number>(64).fill(1),
    Array<number>(64).fill(0),
    [0, 2 ** 40],
    [2 ** 40, 0],
    [0, 2 ** 52],
    [2 ** 52, 0, 2 ** 10],
    [2 ** 40, 2 ** 40, 0],
    [0, 2 ** 40, 2 ** 40],
  ]
  const tensors = [...shapes.map((shape) => zeros(shape)), deep(65), deep(100)]
  t.is(await tried(t, npy, tensors), 5)
  t.is(await tried(t, npy, [zeros([2], { dtype: 'bfloat16' }), zeros([2], { dtype: 'bool' })]), 1)
  t.is(
    await tried(
      t,
      safetensors,
      tensors.map((x) => ({ tensors: { x }, metadata: {} })),
    ),
    1,
  )
  const counted = shapes.flatMap((shape) => [0, 1, 2].map((count) => ({ name: 'x', shape, count })))
  t.is(
    await tried(
      t,
      rows('.safetensors'),
      counted.filter(({ shape }) => shape.length < 64),
    ),
    3,
  )
  t.is(
    await tried(
      t,
      rows('.npy'),
      counted.filter(({ shape }) => shape.length < 64),
    ),
    9,
  )
  // Together with the rows the shape has one more dimension.
  t.throws(() => new TensorWriter(join(base, 'x.npy'), { x: { dtype: 'int8', shape: shapes[5] } }), {
    message: /65 dimensions: at most 64/,
  })
})

test('words of word2vec can be read again or are refused', async (t) => {
  const lists = chained([
    ODD.filter((word) => word !== 'a').map((word) => ['a', word]),
    [65_535, 65_536, 65_537, 100_000].map((length) => ['a', 'x'.repeat(length)]),
    [21_845, 21_846].map((length) => ['a', '鯨'.repeat(length)]),
    [16_384, 16_385].map((length) => ['a', ' '.repeat(length)]),
    [['a', 'a'], []],
  ])
  for (const binary of [false, true]) {
    // Empty words, white space, lone surrogates, four words that are too long, and a repeated one.
    t.is(
      await tried(
        t,
        words(binary),
        lists.map((words) => ({ words, dim: 2, escape: false })),
      ),
      1 + 4 + 2 + 3 + 2 + 1,
    )
    t.is(
      await tried(
        t,
        words(binary),
        lists.map((words) => ({ words, dim: 2, escape: true })),
      ),
      1 + 2 + 3 + 1 + 1,
    )
    t.is(
      await tried(
        t,
        words(binary),
        [2 ** 20, 2 ** 20 + 1].map((dim) => ({ words: ['a'], dim, escape: false })),
      ),
      1,
    )
  }
})

test('folders of models can be read again or are refused', async (t) => {
  const { good } = model
  const values = ODD.filter((text) => text !== 'a').flatMap((text) => [
    { ...good, name: text },
    { ...good, words: ['a', text] },
    { ...good, objective: text },
    { ...good, label: text },
    { ...good, note: text },
  ])
  // Refused are, as names: lone surrogates and the name that the format reserves. As words: lone surrogates and the
  // empty string. As an objective: the empty string.
  t.is(await tried(t, model, values), 3 + 3 + 1)
  let nested: unknown = 1
  const deepNotes = Array.from({ length: 80 }, () => ({ ...good, note: (nested = [nested]) }))
  t.is(await tried(t, model, deepNotes), 80 - 64)
  const counts = [0, 1, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e21, 1.5, -1, NaN, Infinity]
  t.is(
    await tried(
      t,
      model,
      counts.map((count) => ({ ...good, counts: [count, 1] })),
    ),
    6,
  )
  // All of them in one string would be longer than V8 allows.
  const half = 'x'.repeat(2 ** 28)
  t.is(await tried(t, model, [{ ...good, note: [half, half] }]), 1)
})

test('checkpoints can be read again, whatever their words are', async (t) => {
  const some = ODD.filter((word) => word.trim() !== '' && !/\p{Surrogate}/u.test(word))
  t.is(
    await tried(
      t,
      checkpoint,
      some.map((word) => ['a', word]),
    ),
    0,
  )
})

test('pictures are valid files, whatever their words are', async (t) => {
  const folder = mkdtempSync(join(base, 'p-'))
  const vocabulary = [...ODD.filter((word) => word !== '' && !/\p{Surrogate}/u.test(word)), 'a', 'b']
  const table = tensor(
    Float32Array.from({ length: vocabulary.length * 3 }, (_, i) => Math.sin(i * i)),
    { shape: [vocabulary.length, 3] },
  )
  saveModel(join(folder, 'model'), {
    objective: `a\u0001b\ufffe\u001b`,
    tensors: { 'token.weight': table },
    vocabulary,
  })
  for (const name of ['p.svg', 'p.html']) {
    await output(t, ['plot', 'model', '--out', name], { cwd: folder })
    const text = readFileSync(join(folder, name), 'utf8')
    t.notRegex(text, /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u, 'what no XML holds')
    t.notThrows(() =>
      new Resvg(text.slice(text.indexOf('<svg'), text.indexOf('</svg>') + 6), {
        font: { loadSystemFonts: false },
      }).render(),
    )
  }
})
