import test from 'ava'
import { Embedding, manualSeed, noGrad, tensor, zeros, type Ids, type Tensor } from '../../index.js'
import { resizable } from '../support/buffers.js'
import { digest, isGolden, withinUlp } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, type Golden } from '../support/golden.js'

interface Lookup {
  seed: number
  rows: number
  dim: number
  ids: number[]
  paddingIdx: number | null
  weight: Golden
  out: Golden
}
interface MaxNorm {
  maxNorm: number
  normType: number | 'Infinity'
  ids: number[][]
  before: Golden
  after: Golden
  out: Golden
}
const goldens = readGolden<{ lookup: Lookup[]; maxNorm: MaxNorm[] }>('embedding/embedding.json')
const float32 = (golden: Golden): Golden => ({ ...golden, t: 'float32' })

test('draws a table, looks up its rows and prints them', (t) => {
  manualSeed(123)
  const embedding = new Embedding(6, 3)
  t.is(
    String(embedding.weight),
    `tensor([[ 0.3374, -0.1778, -0.1690],
        [ 0.9178,  1.5810,  1.3010],
        [ 1.2753, -0.2010, -0.1606],
        [-0.4015,  0.9666, -1.1481],
        [-1.1589,  0.3255, -0.6315],
        [-2.8400, -0.7849, -1.4096]], requiresGrad=true)`,
  )
  t.is(String(embedding.forward([3])), 'tensor([[-0.4015,  0.9666, -1.1481]], gradFn=<EmbeddingBackward>)')
  t.is(
    String(embedding.forward([2, 3, 5, 1])),
    `tensor([[ 1.2753, -0.2010, -0.1606],
        [-0.4015,  0.9666, -1.1481],
        [-2.8400, -0.7849, -1.4096],
        [ 0.9178,  1.5810,  1.3010]], gradFn=<EmbeddingBackward>)`,
  )
})

for (const { seed, rows, dim, ids, paddingIdx, weight, out } of goldens.lookup) {
  test(`lookup equals PyTorch's: ids ${JSON.stringify(ids)} of ${rows} x ${dim}, paddingIdx ${paddingIdx}`, (t) => {
    manualSeed(seed)
    const embedding = new Embedding(rows, dim, paddingIdx === null ? {} : { paddingIdx })
    isGolden(t, embedding.weight, float32(weight), 'weight')
    isGolden(t, embedding.forward(ids), float32(out), 'forward')
  })
}

// The norm is summed in another order than PyTorch's, so its last bits, and those of the scale, may differ.
const RENORMALISED = 4

for (const { maxNorm, normType, ids, before, after, out } of goldens.maxNorm) {
  test(`maxNorm ${maxNorm} of the ${normType}-norm rescales as in PyTorch`, (t) => {
    manualSeed(5)
    const embedding = new Embedding(6, 5, { maxNorm, normType: Number(normType) })
    isGolden(t, embedding.weight, float32(before), 'before')
    withinUlp(t, embedding.forward(ids), float32(out), RENORMALISED, 'forward')
    withinUlp(t, embedding.weight, float32(after), RENORMALISED, 'after')
    const untouched = (x: Tensor) => digest(x.narrow(0, 4, 1))
    manualSeed(5)
    t.is(untouched(embedding.weight), untouched(new Embedding(6, 5).weight))
  })
}

const rows = (layer: Embedding, ids: number[]) => ids.map((id) => layer.weight.toArray()[id])

const KINDS: [string, (ids: number[]) => Ids][] = [
  ['an array', (ids) => ids],
  ['an Int8Array', (ids) => Int8Array.from(ids)],
  ['a Uint8Array', (ids) => Uint8Array.from(ids)],
  ['an Int16Array', (ids) => Int16Array.from(ids)],
  ['a Uint16Array', (ids) => Uint16Array.from(ids)],
  ['an Int32Array', (ids) => Int32Array.from(ids)],
  ['a Uint32Array', (ids) => Uint32Array.from(ids)],
  ['a BigInt64Array', (ids) => BigInt64Array.from(ids, BigInt)],
  ['a BigUint64Array', (ids) => BigUint64Array.from(ids, BigInt)],
  ['an array of bigints', (ids) => ids.map(BigInt) as never],
  ['an int32 tensor', (ids) => tensor(ids, { dtype: 'int32' })],
  ['an int64 tensor', (ids) => tensor(ids, { dtype: 'int64' })],
  ['an int8 tensor', (ids) => tensor(ids, { dtype: 'int8' })],
  ['a uint8 tensor', (ids) => tensor(ids, { dtype: 'uint8' })],
  ['a part of a tensor', (ids) => tensor([9, ...ids, 9], { dtype: 'int64' }).narrow(0, 1, ids.length)],
  ['a Buffer', (ids) => Buffer.from(ids)],
  ['an array within a buffer', (ids) => Int16Array.from([99, ...ids, 99]).subarray(1, ids.length + 1)],
  ['a SharedArrayBuffer', (ids) => shared(new Int32Array(new SharedArrayBuffer(ids.length * 4)), ids)],
  ['a Buffer on a SharedArrayBuffer', (ids) => shared(Buffer.from(new SharedArrayBuffer(ids.length)), ids)],
  ['a resizable buffer', (ids) => shared(new Int32Array(resizable(ids.length * 4)), ids)],
]

function shared<T extends Int32Array | Buffer>(array: T, ids: number[]): T {
  array.set(ids)
  return array
}

for (const [name, make] of KINDS) {
  test(`accepts ids as ${name}`, (t) => {
    const embedding = new Embedding(10, 7)
    const ids = [3, 0, 9, 9, 1, 5]
    t.deepEqual(embedding.forward(make(ids)).toArray(), rows(embedding, ids))
    t.deepEqual(embedding.forward(make(ids), { shape: [2, 3] }).shape, [2, 3, 7])
    t.deepEqual(embedding.forward(make([]) as never).shape, [0, 7])
    refuses(t, () => embedding.forward(make(ids), { shape: [2, 2] }), 'SHAPE', '6 ids', '[2, 2]')
  })
}

test('a length-tracking array is read up to its length at the call', (t) => {
  const embedding = new Embedding(10, 2)
  const buffer = resizable(8)
  const ids = new Int32Array(buffer)
  t.deepEqual(embedding.forward(ids).shape, [2, 2])
  buffer.resize(16)
  t.deepEqual(embedding.forward(ids).shape, [4, 2])
  buffer.resize(0)
  t.deepEqual(embedding.forward(ids).shape, [0, 2])
})

test('accepts ids of any shape', (t) => {
  const embedding = new Embedding(10, 4)
  t.deepEqual(
    embedding.forward([
      [1, 2, 3],
      [4, 5, 6],
    ]).shape,
    [2, 3, 4],
  )
  t.deepEqual(embedding.forward([[[1], [2]]]).shape, [1, 2, 1, 4])
  t.deepEqual(embedding.forward(tensor(5, { dtype: 'int32' })).shape, [4])
  t.deepEqual(embedding.forward([]).shape, [0, 4])
  t.deepEqual(embedding.forward([[], []]).shape, [2, 0, 4])
  t.deepEqual(embedding.forward([[], []]).toArray(), [[], []])
  t.deepEqual(embedding.forward(new Int32Array(0), { shape: [3, 0] }).shape, [3, 0, 4])
  t.deepEqual(embedding.forward([1, 2, 3, 4], { shape: [1, 2, 2] }).shape, [1, 2, 2, 4])
})

for (const [count, dim] of [
  [7, 1],
  [11, 5],
  [8, 16],
  [33, 67],
]) {
  test(`a lookup equals a product with one-hot rows: ${count} x ${dim}`, (t) => {
    const embedding = new Embedding(count, dim)
    const ids = Array.from({ length: 3 * count }, (_, i) => (i * 7 + (i % 3)) % count)
    const oneHot = zeros([ids.length, count])
    ids.forEach((id, i) => oneHot.set([1], i * count + id))
    t.deepEqual(embedding.forward(ids).data, oneHot.matmul(embedding.weight).data)
  })
}

test('a table may have no rows, but its dim must not be 0', (t) => {
  const none = new Embedding(0, 3)
  t.deepEqual(none.weight.shape, [0, 3])
  t.deepEqual(none.forward([]).shape, [0, 3])
  refuses(t, () => none.forward([0]), 'TOKEN_INDEX', 'id 0 at [0] is out of range for a table of 0 rows')
  refuses(t, () => new Embedding(3, 0), 'USAGE', 'embeddingDim', 'at least 1')
})

test('paddingIdx zeroes the drawn row, but fromPretrained does not', (t) => {
  for (const [paddingIdx, row] of [
    [0, 0],
    [3, 3],
    [-1, 4],
    [-5, 0],
  ]) {
    const { weight } = new Embedding(5, 3, { paddingIdx })
    t.deepEqual(
      weight
        .toArray()
        .map((values: number[]) => values.every((x) => x === 0))
        .indexOf(true),
      row,
    )
  }
  const given = tensor([
    [1, 2],
    [3, 4],
  ])
  t.deepEqual(Embedding.fromPretrained(given, { paddingIdx: 0 }).weight.toArray(), [
    [1, 2],
    [3, 4],
  ])
  for (const paddingIdx of [5, -6])
    refuses(t, () => new Embedding(5, 3, { paddingIdx }), 'USAGE', `${paddingIdx}`, '5 rows')
  refuses(t, () => new Embedding(5, 3, { paddingIdx: 1.5 }), 'USAGE', '1.5')
})

test('onBadId throws, clamps or pads', (t) => {
  const options = { paddingIdx: 1 } as const
  const ids = [2, -1, 4, 0, 2 ** 40]
  const clamp = new Embedding(4, 3, { ...options, onBadId: 'clamp' })
  t.deepEqual(clamp.forward(ids).toArray(), rows(clamp, [2, 0, 3, 0, 3]))
  const padding = new Embedding(4, 3, { ...options, onBadId: 'padding' })
  t.deepEqual(padding.forward(ids).toArray(), rows(padding, [2, 1, 1, 0, 1]))
  t.deepEqual(padding.forward(BigUint64Array.of(2n ** 64n - 1n)).toArray(), [[0, 0, 0]])
  const thrower = new Embedding(4, 3, { ...options, onBadId: 'throw' })
  refuses(t, () => thrower.forward(ids), 'TOKEN_INDEX', 'id -1 at [1] is out of range for a table of 4 rows (2 more)')
  refuses(t, () => new Embedding(4, 3, { onBadId: 'padding' }), 'USAGE', 'paddingIdx')
  refuses(
    t,
    () => new Embedding(4, 3, { onBadId: 'ignore' as never }),
    'USAGE',
    '"throw", "clamp", "padding"',
    "'ignore'",
  )
  const empty = new Embedding(0, 3, { onBadId: 'clamp' })
  refuses(t, () => empty.forward([0]), 'TOKEN_INDEX', 'table of 0 rows')
})

test('requiresGrad follows the weight, except under noGrad and into out', (t) => {
  const learning = new Embedding(3, 2)
  t.true(learning.weight.requiresGrad)
  t.true(learning.forward([1]).requiresGrad)
  t.false(noGrad(() => learning.forward([1])).requiresGrad)
  t.false(noGrad(() => noGrad(() => learning.forward([1])) && learning.forward([1])).requiresGrad)
  t.true(learning.forward([1]).requiresGrad)
  t.throws(
    () =>
      noGrad(() => {
        throw new Error('mine')
      }),
    { message: 'mine' },
  )
  t.true(learning.forward([1]).requiresGrad)
  refuses(t, () => noGrad(async () => 1), 'USAGE', 'noGrad', 'promise')
  t.false(new Embedding(3, 2, { requiresGrad: false }).forward([1]).requiresGrad)
})

test('sizes must be integers that fit in memory', (t) => {
  for (const size of [-1, 1.5, NaN, Infinity, '3', null, undefined, 3n]) {
    refuses(t, () => new Embedding(size as never, 3), 'USAGE', 'numEmbeddings')
    refuses(t, () => new Embedding(3, size as never), 'USAGE', 'embeddingDim')
  }
  const before = process.memoryUsage().rss
  refuses(t, () => new Embedding(1e12, 1e6), 'USAGE', '1000000000000')
  refuses(t, () => new Embedding(1e9, 1e6), 'USAGE', '[1000000000, 1000000]', 'GiB')
  t.true(process.memoryUsage().rss - before < 2 ** 24)
})

test('checks options and names them in errors', (t) => {
  refuses(t, () => new Embedding(3, 2, { paddingIndex: 0 } as never), 'USAGE', '"paddingIndex"', 'paddingIdx, maxNorm')
  refuses(t, () => new Embedding(3, 2, null as never), 'USAGE', 'null')
  refuses(t, () => new Embedding(3, 2, 5 as never), 'USAGE', '5')
  refuses(t, () => new Embedding(3, 2, { maxNorm: -1 }), 'USAGE', 'maxNorm', '-1')
  refuses(t, () => new Embedding(3, 2, { maxNorm: '1' as never }), 'USAGE', 'maxNorm', "'1'")
  refuses(t, () => new Embedding(3, 2, { normType: NaN }), 'USAGE', 'normType')
  refuses(t, () => new Embedding(3, 2, { dtype: 'float64' as never }), 'DTYPE', 'float64')
  refuses(t, () => new Embedding(3, 2, { generator: {} as never }), 'USAGE', 'Generator')
  refuses(t, () => new Embedding(3, 2, { requiresGrad: 'yes' as never }), 'USAGE', 'requiresGrad')
  const embedding = new Embedding(3, 2)
  refuses(t, () => embedding.forward([1], { Out: zeros([1, 2]) } as never), 'USAGE', '"Out"', 'out, shape')
  refuses(t, () => embedding.forward([1], 5 as never), 'USAGE', '5')
  t.throws(() => (Embedding as never as (n: number, d: number) => void)(3, 2), { instanceOf: TypeError })
})
