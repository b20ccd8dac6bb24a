import test from 'ava'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Embedding,
  EmbeddingBag,
  loadGGUF,
  loadSafetensors,
  quantize,
  QuantizedTable,
  scope,
  tensor,
  type Tensor,
  zeros,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = (name: string) => join(root, 'testdata/golden/gguf', name)
const kinds = loadGGUF(golden('kinds.gguf'))
const wanted = loadSafetensors(golden('kinds.safetensors'))
const BLOCKS = ['q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q2_k', 'q3_k', 'q4_k', 'q5_k', 'q6_k'] as const

const table = (name: string) => {
  const found = kinds.tensors.get(name)
  if (!(found instanceof QuantizedTable)) throw new Error(`${name} is no table`)
  return found
}

for (const kind of BLOCKS) {
  test(`blocks are decoded as by gguf: ${kind}`, (t) => {
    const original = wanted.get(kind)!
    const [rows, dim] = original.shape
    const blocks = table(kind)
    t.is(blocks.kind, kind)
    t.deepEqual(blocks.shape, [rows, dim])
    t.is(digest(blocks.dequantize()), digest(original))
    const copied = QuantizedTable.fromBytes(kind, [rows, dim], Uint8Array.from(blocks.bytes))
    t.is(digest(copied.dequantize()), digest(original))
    t.deepEqual(copied.error(original), { max: 0, mean: 0, rms: 0, worstRow: 0 })
  })

  test(`lookups and bags decode rows on the way: ${kind}`, (t) => {
    const original = wanted.get(kind)!
    const ids = [2, 0, 1, 2, 2]
    const offsets = [0, 1, 1, 4]
    const blocks = table(kind)
    const [ours, plain] = [Embedding.fromPretrained(blocks), Embedding.fromPretrained(original)]
    for (const dtype of ['float32', 'float16', 'bfloat16'] as const)
      t.is(digest(ours.forward(ids, { dtype })), digest(plain.forward(ids, { dtype })), dtype)
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const [of, from] = [blocks, original].map((weight) =>
        EmbeddingBag.fromPretrained(weight, { mode, paddingIdx: 1 }),
      )
      t.is(digest(of.forward(ids, offsets)), digest(from.forward(ids, offsets)), mode)
    }
    const perSampleWeights = tensor([0.5, -2, 3, 0, 1])
    const [of, from] = [blocks, original].map((weight) => EmbeddingBag.fromPretrained(weight, { mode: 'sum' }))
    t.is(
      digest(of.forward(ids, offsets, { perSampleWeights })),
      digest(from.forward(ids, offsets, { perSampleWeights })),
    )
  })

  test(`blocks are read and not made: ${kind}`, (t) => {
    // @ts-expect-error: the type has no such kind.
    refuses(t, () => quantize(zeros([1, 256]), kind), 'USAGE', kind, 'read and not made')
    refuses(t, () => QuantizedTable.fromBytes(kind, [1, 48], new Uint8Array(48)), 'SHAPE', 'no whole number of blocks')
    refuses(t, () => QuantizedTable.fromBytes(kind, [1, 256], new Uint8Array(48)), 'SHAPE', 'not 48')
    refuses(t, () => Embedding.fromPretrained(table(kind), { freeze: false }), 'USAGE', 'cannot require gradients')
  })
}

test('tensors of elements have their shapes and types', (t) => {
  for (const dtype of ['float32', 'float16', 'float64', 'int8', 'int32', 'int64'] as const) {
    const found = kinds.tensors.get(dtype) as Tensor
    t.is(found.dtype, dtype)
    t.deepEqual(found.shape, [2, 3])
    t.deepEqual([...(found.to('float32').data as Float32Array)], [-3, -2, -1, 0, 1, 2])
  }
  const halves = kinds.tensors.get('bfloat16') as Tensor
  t.is(halves.dtype, 'bfloat16')
  t.deepEqual(halves.shape, [2, 4])
  refuses(t, () => kinds.tensors.get('int16'), 'DTYPE', 'int16', 'I16')
  t.is(kinds.tensors.get('absent'), undefined)
  t.true(kinds.tensors.has('int16'))
})

test('dimensions before the last are rows of a table', (t) => {
  t.deepEqual(table('deep').shape, [4, 32])
  t.is(digest(table('deep').dequantize()), digest(wanted.get('deep')!.reshape(4, 32)))
})

test('a map is read anew each time, and keeps what it gave', (t) => {
  const first = kinds.tensors.get('float32') as Tensor
  t.not(kinds.tensors.get('float32'), first)
  const inside = scope(() => kinds.tensors.get('q8_0') as QuantizedTable)
  t.is(inside.kind, 'q8_0')
  first.dispose()
  t.is((kinds.tensors.get('float32') as Tensor).size, 6)
  t.deepEqual([...kinds.tensors.keys()].slice(0, 2), ['q4_0', 'q4_1'])
  t.is(kinds.tensors.size, 19)
  const { metadata } = loadGGUF(golden('values.gguf'))
  t.deepEqual(
    [...metadata.entries()],
    [...metadata.keys()].map((key) => [key, metadata.get(key)]),
  )
  const seen: string[] = []
  metadata.forEach((_, key) => seen.push(key))
  t.deepEqual(seen, [...metadata.keys()])
})

test('metadata of every type are what gguf wrote', (t) => {
  const { metadata } = loadGGUF(golden('values.gguf'))
  for (const [key, value] of Object.entries(readGolden<Record<string, unknown>>('gguf/values.json')))
    t.deepEqual(metadata.get(key), value, key)
  t.is(metadata.get('general.architecture'), 'test')
})

test('parts of a file open from any of them', (t) => {
  const whole = loadGGUF(golden('whole.gguf'))
  for (const number of [1, 2, 3]) {
    const parts = loadGGUF(golden(`parts-0000${number}-of-00003.gguf`))
    t.is(parts.metadata.get('general.name'), 'parts')
    for (const [name, value] of whole.tensors)
      t.is(digest(parts.tensors.get(name) as Tensor), digest(value as Tensor), name)
  }
  const folder = temporaryFolder()
  const path = join(folder, 'parts-00001-of-00003.gguf')
  copyFileSync(golden('parts-00001-of-00003.gguf'), path)
  const { path: missing } = refuses(t, () => loadGGUF(path), 'FILE', 'parts-00002-of-00003.gguf')
  t.is(missing, join(folder, 'parts-00002-of-00003.gguf'))
})

test('other files are named', (t) => {
  const { path, offset } = refuses(t, () => loadGGUF(golden('kinds.safetensors')), 'FORMAT', 'a safetensors file')
  t.is(path, golden('kinds.safetensors'))
  t.is(offset, 0)
  refuses(t, () => loadGGUF(golden('absent.gguf')), 'FILE', 'absent.gguf')
  refuses(t, () => loadSafetensors(golden('kinds.gguf')), 'FORMAT', 'loadGGUF reads it')
  t.true(readFileSync(golden('kinds.gguf')).length < 10_000)
})
