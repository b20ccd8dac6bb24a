import test, { type ExecutionContext } from 'ava'
import {
  EmbeddingBag,
  manualSeed,
  ones,
  quantize,
  type QuantizedTable,
  randn,
  setNumThreads,
  tensor,
  zeros,
  type Ids,
  type Tensor,
} from '../../index.js'
import { digest, isGolden, withinUlp } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { elements, readGolden, type Golden } from '../support/golden.js'

interface Case {
  seed: number
  dim: number
  mode: 'sum' | 'mean' | 'max'
  ids: number[] | number[][]
  offsets: number[] | null
  includeLastOffset: boolean
  paddingIdx: number | null
  weighted: boolean
  maxNorm: number | null
  dtype: 'float32' | 'float16' | 'bfloat16'
  out: Golden
}
const goldens = readGolden<{ bags: Case[] }>('bag/bag.json').bags

/** Length of the longest bag in the goldens. */
const TERMS = 9
/**
 * The most that a sum of this many terms of at most this magnitude may differ (testkit's `reduction_f32`). On some
 * paths PyTorch rounds twice when it multiplies and adds weights, and it sums the norm of `maxNorm` in another order.
 */
const reduction = (magnitude: number) => 2 ** -23 * TERMS * TERMS * magnitude
/**
 * PyTorch rounds the sum to 16 bits before it divides, or sums bfloat16 in another order. Here everything is computed
 * in float32 and rounded once.
 */
const SIXTEEN_BITS = 2

for (const [i, golden] of goldens.entries()) {
  const { seed, dim, mode, ids, offsets, includeLastOffset, paddingIdx, weighted, maxNorm, dtype, out } = golden
  const name = `${dtype} x ${dim} ${mode}${offsets ? ' by offsets' : ''}${paddingIdx === null ? '' : ` without ${paddingIdx}`}`
  test(`equals PyTorch, ${i}: ${name}${weighted ? ' weighted' : ''}${maxNorm === null ? '' : ' maxNorm'}`, (t) => {
    manualSeed(seed)
    const options = {
      mode,
      includeLastOffset,
      dtype,
      ...(paddingIdx !== null && { paddingIdx }),
      ...(maxNorm !== null && { maxNorm }),
    }
    const layer = new EmbeddingBag(7, dim, options)
    const shape = offsets ? [ids.length] : [ids.length, (ids[0] as number[]).length]
    const perSampleWeights = weighted ? randn(shape) : undefined
    const ours = layer.forward(ids, offsets ?? undefined, { perSampleWeights })
    if (maxNorm !== null) within(t, ours, out, reduction(maxNorm), name)
    else if (weighted) within(t, ours, out, reduction(largest(layer.weight) * largest(perSampleWeights!)), name)
    else if (dtype !== 'float32' && mode !== 'max') withinUlp(t, ours, out, SIXTEEN_BITS, name)
    else isGolden(t, ours, out, name)
  })
}

const largest = (x: Tensor) => Math.max(...(x.data as Float32Array).map(Math.abs))

function within(t: ExecutionContext, ours: Tensor, golden: Golden, most: number, name: string): void {
  t.deepEqual(ours.shape, golden.s, name)
  const wanted = elements(golden) as Float32Array
  const bad = (ours.data as Float32Array).findIndex((x, i) => !(Math.abs(x - wanted[i]) <= most))
  t.is(bad, -1, `${name}: element ${bad} is ${ours.data[bad]}, and ${wanted[bad]} in PyTorch`)
}

const table = () =>
  tensor([
    [1, 2],
    [3, 4],
    [5, 60],
    [-7, 8],
  ])

test('the default mode is the mean, and an empty bag gives zeros', (t) => {
  const layer = EmbeddingBag.fromPretrained(table())
  t.is(layer.mode, 'mean')
  t.deepEqual(layer.forward([0, 1, 2, 3, 3], [0, 1, 1, 3]).toArray(), [
    [1, 2],
    [0, 0],
    [4, 32],
    [-7, 8],
  ])
  t.deepEqual(layer.forward([], [0, 0]).toArray(), [
    [0, 0],
    [0, 0],
  ])
  t.deepEqual(layer.forward([], []).shape, [0, 2])
  t.deepEqual(layer.forward([[], [], []]).toArray(), [
    [0, 0],
    [0, 0],
    [0, 0],
  ])
  t.deepEqual(layer.forward(new Int32Array(0), [0]).toArray(), [[0, 0]])
})

test('rows of 2-D ids, offsets with the end included, and a Ragged describe the same bags', (t) => {
  for (const mode of ['sum', 'mean', 'max'] as const) {
    const layer = EmbeddingBag.fromPretrained(table(), { mode })
    const withEnd = EmbeddingBag.fromPretrained(table(), { mode, includeLastOffset: true })
    const flat = [3, 0, 2, 1, 1, 1]
    const wanted = layer
      .forward([
        [3, 0, 2],
        [1, 1, 1],
      ])
      .toArray()
    t.deepEqual(layer.forward(flat, [0, 3]).toArray(), wanted)
    t.deepEqual(withEnd.forward(flat, [0, 3, 6]).toArray(), wanted)
    for (const any of [layer, withEnd]) t.deepEqual(any.forward({ values: flat, offsets: [0, 3, 6] }).toArray(), wanted)
    const kinds: Ids[] = [
      Int32Array.of(0, 3),
      Uint8Array.of(0, 3),
      BigInt64Array.of(0n, 3n),
      tensor([0, 3], { dtype: 'int64' }),
    ]
    for (const offsets of kinds) t.deepEqual(layer.forward(Uint32Array.from(flat), offsets).toArray(), wanted)
  }
})

test('paddingIdx is left out of the bag, and of the count of the mean', (t) => {
  const mean = EmbeddingBag.fromPretrained(table(), { paddingIdx: -3 })
  t.deepEqual(
    mean
      .forward([
        [0, 1],
        [1, 1],
        [2, 3],
      ])
      .toArray(),
    [
      [1, 2],
      [0, 0],
      [-1, 34],
    ],
  )
  const max = EmbeddingBag.fromPretrained(table(), { paddingIdx: 2, mode: 'max' })
  t.deepEqual(
    max
      .forward([
        [2, 3],
        [2, 2],
      ])
      .toArray(),
    [
      [-7, 8],
      [0, 0],
    ],
  )
  const drawn = new EmbeddingBag(4, 3, { paddingIdx: 1 })
  t.deepEqual(drawn.weight.toArray()[1], [0, 0, 0])
})

test('weights multiply the rows of a sum', (t) => {
  const layer = EmbeddingBag.fromPretrained(table(), { mode: 'sum' })
  const perSampleWeights = tensor([2, 0.5, -1, 0])
  t.deepEqual(layer.forward([0, 1, 2, 3], [0, 2], { perSampleWeights }).toArray(), [
    [3.5, 6],
    [-5, -60],
  ])
  const twoD = perSampleWeights.reshape(2, 2)
  t.deepEqual(
    layer
      .forward(
        [
          [0, 1],
          [2, 3],
        ],
        undefined,
        { perSampleWeights: twoD },
      )
      .toArray(),
    [
      [3.5, 6],
      [-5, -60],
    ],
  )
  refuses(t, () => layer.forward([0, 1, 2, 3], [0], { perSampleWeights: twoD }), 'SHAPE', '[2, 2]', '[4]')
  refuses(t, () => layer.forward([0], [0], { perSampleWeights: zeros([1], { dtype: 'float64' }) }), 'DTYPE', 'float64')
  refuses(t, () => layer.forward([0], [0], { perSampleWeights: [1] as never }), 'USAGE', 'tensor')
  for (const mode of ['mean', 'max'] as const) {
    const other = EmbeddingBag.fromPretrained(table(), { mode })
    refuses(t, () => other.forward([0], [0], { perSampleWeights: ones([1]) }), 'USAGE', "'sum'", `'${mode}'`)
  }
})

test('bad offsets are errors with their place and value', (t) => {
  const layer = EmbeddingBag.fromPretrained(table())
  const withEnd = EmbeddingBag.fromPretrained(table(), { includeLastOffset: true })
  const ids = [0, 1, 2, 3]
  const shape = (run: () => unknown, ...parts: string[]) => refuses(t, run, 'SHAPE', ...parts)
  shape(() => layer.forward(ids, [1, 2]), 'offsets[0] is 1', 'must be 0')
  shape(() => layer.forward(ids, [-1, 2]), 'offsets[0] is -1')
  shape(() => layer.forward(ids, [0, 3, 2]), 'offsets[2] is 2', 'below the 3', 'must not decrease')
  shape(() => layer.forward(ids, [0, 5]), 'offsets[1] is 5', '4 ids')
  shape(() => layer.forward(ids, [0, 1, 2 ** 40]), 'offsets[2] is 1099511627776')
  shape(() => layer.forward(ids, []), '4 ids belong to no bag')
  shape(() => withEnd.forward(ids, []), 'one more element')
  shape(() => withEnd.forward(ids, [0, 3]), 'offsets[1] is 3', 'the number of ids, 4')
  shape(() => layer.forward({ values: ids, offsets: [0, 2] }), 'offsets[1] is 2', 'the number of ids, 4')
  shape(() => layer.forward(ids, [[0]]), 'offsets must be 1-D', '[1, 1]')
  shape(() => layer.forward({ values: [[0, 1]], offsets: [0, 2] }), '1-D', '[1, 2]')
  shape(() => layer.forward([[[0]]]), '[1, 1, 1]')
  refuses(t, () => layer.forward(ids), 'USAGE', 'offsets')
  refuses(t, () => layer.forward([[0]], [0]), 'USAGE', '2-D')
  refuses(t, () => layer.forward({ values: ids, offsets: [0, 4] }, [0]), 'USAGE', 'Ragged')
  refuses(t, () => layer.forward(ids, [0, 1.5]), 'USAGE', '1.5')
  refuses(t, () => layer.forward(ids, new Float32Array(1) as never), 'DTYPE', 'Float32Array')
})

test('bad ids are errors with their place, or replaced if the layer says so', (t) => {
  const layer = EmbeddingBag.fromPretrained(table(), { mode: 'sum' })
  const error = refuses(
    t,
    () =>
      layer.forward([
        [0, 1],
        [2, 9],
        [-1, 0],
      ]),
    'TOKEN_INDEX',
    'id 9 at [1, 1] is out of range for a table of 4 rows (1 more)',
  )
  t.deepEqual([error.position, error.value, error.size, error.count], [[1, 1], 9, 4, 2])
  refuses(t, () => layer.forward([0, 4], [0]), 'TOKEN_INDEX', 'id 4 at [1]')
  const clamp = EmbeddingBag.fromPretrained(table(), { mode: 'sum', onBadId: 'clamp' })
  t.deepEqual(clamp.forward([[-5, 99]]).toArray(), [[-6, 10]])
  const padding = EmbeddingBag.fromPretrained(table(), { onBadId: 'padding', paddingIdx: 3 })
  t.deepEqual(padding.forward([[0, 99]]).toArray(), [[1, 2]])
})

test('out is written and returned, and left as it was if the call fails', (t) => {
  const layer = EmbeddingBag.fromPretrained(table(), { freeze: false })
  const out = zeros([2, 2])
  t.is(layer.forward([[0], [1]], undefined, { out }), out)
  t.deepEqual(out.toArray(), [
    [1, 2],
    [3, 4],
  ])
  t.false(out.requiresGrad)
  t.true(layer.forward([[0]]).requiresGrad)
  refuses(t, () => layer.forward([[0]], undefined, { out }), 'SHAPE', '[2, 2]', '[1, 2]')
  refuses(t, () => layer.forward([[0], [7]], undefined, { out }), 'TOKEN_INDEX')
  refuses(
    t,
    () => layer.forward([[0], [1]], undefined, { out: layer.weight.narrow(0, 0, 2) }),
    'USAGE',
    'shares memory',
  )
  t.deepEqual(out.toArray(), [
    [1, 2],
    [3, 4],
  ])
  refuses(t, () => layer.forward([[0]], undefined, { dtype: 'float64' as never }), 'DTYPE', 'float64')
  refuses(t, () => layer.forward([[0], [1]], undefined, { out, dtype: 'float16' }), 'DTYPE', 'float16', 'float32')
})

test('a layer is made, replaced, saved and loaded like an Embedding', (t) => {
  manualSeed(3)
  const layer = new EmbeddingBag(5, 3, { mode: 'sum' })
  const other = new EmbeddingBag(5, 3, { mode: 'sum' })
  t.is(layer.parameters()[0], layer.weight)
  other.loadStateDict(layer.stateDict())
  t.deepEqual(other.forward([[1, 2]]).toArray(), layer.forward([[1, 2]]).toArray())
  other.weight = layer.weight
  t.is(other.weight, layer.weight)
  refuses(t, () => (other.weight = zeros([3, 5])), 'SHAPE', '[3, 5]')
  refuses(t, () => (other.weight = zeros([5, 3], { dtype: 'float16' })), 'DTYPE', 'float16')
  refuses(t, () => new EmbeddingBag(5, 3, { mode: 'median' as never }), 'USAGE', '"mean"', "'median'")
  refuses(t, () => new EmbeddingBag(5, 3, { includeLastOffset: 1 as never }), 'USAGE', 'includeLastOffset')
  refuses(t, () => new EmbeddingBag(5, 0), 'USAGE', 'embeddingDim')
  refuses(t, () => new EmbeddingBag(5, 3, { modes: 'sum' } as never), 'USAGE', '"modes"')
})

test('maxNorm rescales the rows in place', (t) => {
  const weight = tensor([
    [3, 4],
    [0.3, 0.4],
  ])
  const layer = EmbeddingBag.fromPretrained(weight, { maxNorm: 1, mode: 'sum' })
  layer.forward([[0, 1]])
  const [[a, b], kept] = weight.toArray()
  t.true(Math.abs(a - 0.6) < 1e-6 && Math.abs(b - 0.8) < 1e-6)
  t.deepEqual(kept, [Math.fround(0.3), Math.fround(0.4)])
  refuses(t, () => EmbeddingBag.fromPretrained(weight.to('float16'), { maxNorm: 1 }), 'USAGE', 'float16')
  refuses(t, () => EmbeddingBag.fromPretrained(quantize(weight, 'int8'), { maxNorm: 1 }), 'USAGE', 'int8')
})

test('bags have the same bits on any number of threads, for every kind of table', (t) => {
  manualSeed(9)
  const weight = randn([500, 96])
  const ids = Int32Array.from({ length: 60000 }, (_, i) => (i * 7919) % 500)
  const offsets = Int32Array.from({ length: 3000 }, (_, i) => 20 * i - (i % 3))
  const tables: (Tensor | QuantizedTable)[] = [
    weight,
    weight.to('bfloat16'),
    quantize(weight, 'int8'),
    quantize(weight, 'int4'),
    quantize(weight, 'int2'),
    quantize(weight, 'float8'),
  ]
  for (const table of tables) {
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const layer = EmbeddingBag.fromPretrained(table, { mode, paddingIdx: 7 })
      const digests = [1, 2, 5].map((threads) => {
        setNumThreads(threads)
        return digest(layer.forward(ids, offsets))
      })
      t.is(new Set(digests).size, 1)
    }
  }
})
