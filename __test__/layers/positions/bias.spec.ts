import test from 'ava'
import {
  alibiBias,
  alibiSlopes,
  Embedding,
  full,
  Generator,
  manualSeed,
  T5RelativeBias,
  t5RelativeBuckets,
  zeros,
  type Tensor,
} from '../../../index.js'
import { digest, isGolden } from '../../support/compare.js'
import { refuses } from '../../support/errors.js'
import { elements, fromGolden, readGolden, type Golden } from '../../support/golden.js'

interface Alibi {
  heads: number
  length: number
  bloom: Golden
  mpt: Golden
}
interface T5 {
  bidirectional: boolean
  numBuckets: number
  maxDistance: number
  line: number[]
  bias: Golden
  past: Golden
  grad: Golden
  weightGrad: Golden
}
const { alibi, t5 } = readGolden<{ alibi: Alibi[]; t5: T5[] }>('positions/positions.json')

/** BLOOM raises a float32 base to powers up to the number of heads, and the rounding error grows with the power. */
const SLOPE = 2 ** -17

for (const { heads, length, bloom, mpt } of alibi) {
  test(`ALiBi equals BLOOM's and MPT's: ${heads} heads`, (t) => {
    const bias = alibiBias(heads, length, length)
    t.deepEqual(bias.shape, [heads, length, length])
    const [values, theirs, rows] = [bias.data, elements(mpt), elements(bloom)] as Float32Array[]
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < length; j++) {
        const last = values[(h * length + length - 1) * length + j]
        // MPT returns the row of the last query. BLOOM's differs from it by a constant, which softmax ignores.
        t.true(Math.abs(last - theirs[h * length + j]) <= SLOPE * Math.abs(last))
        const shifted = rows[h * length + j] - rows[h * length + length - 1]
        t.true(Math.abs(last - shifted) <= SLOPE * (1 + Math.abs(last)))
      }
    }
  })
}

test("slopes equal the paper's, for any number of heads", (t) => {
  t.deepEqual(
    [...alibiSlopes(8)],
    [1, 2, 3, 4, 5, 6, 7, 8].map((h) => 2 ** -h),
  )
  t.deepEqual([...alibiSlopes(1)], [2 ** -8])
  const [twelve, sixteen] = [alibiSlopes(12), alibiSlopes(16)]
  t.deepEqual([...twelve], [...alibiSlopes(8), ...[0, 2, 4, 6].map((i) => sixteen[i])])
  for (const heads of [0, -1, 1.5, '8']) refuses(t, () => alibiSlopes(heads as number), 'USAGE', 'heads')
})

test('ALiBi depends only on distance, and the queries are the last of the keys', (t) => {
  for (const symmetric of [false, true]) {
    const slopes = alibiSlopes(3)
    const whole = alibiBias(3, 7, 7, { symmetric }).toArray() as number[][][]
    whole.forEach((rows, h) =>
      rows.forEach((row, i) =>
        row.forEach((value, j) => t.is(value, Math.fround(slopes[h] * (symmetric ? -Math.abs(j - i) : j - i)) + 0)),
      ),
    )
    const last = alibiBias(3, 2, 7, { symmetric }).toArray()
    t.deepEqual(
      last,
      whole.map((rows) => rows.slice(5)),
    )
    t.deepEqual(
      alibiBias(3, 2, 7, { symmetric, offset: 1 }).toArray(),
      whole.map((rows) => rows.slice(1, 3)),
    )
  }
  const out = full([2, 3, 4], 9)
  t.is(alibiBias(2, 3, 4, { out }), out)
  t.is(digest(out), digest(alibiBias(2, 3, 4)))
  t.deepEqual(alibiBias(2, 0, 4).shape, [2, 0, 4])
  t.deepEqual(alibiBias(2, 4, 0).shape, [2, 4, 0])
  refuses(t, () => alibiBias(2, 3, -4), 'USAGE', 'keyLength')
  refuses(t, () => alibiBias(2, 3, 4, { symmetric: 1 as never }), 'USAGE', 'symmetric')
  refuses(t, () => alibiBias(2, 3, 4, { out: zeros([2, 3, 5]) }), 'SHAPE', '[2, 3, 5]')
})

for (const { line, bias, past, grad, weightGrad, ...options } of t5) {
  const { bidirectional, numBuckets, maxDistance } = options
  test(`T5 equals Transformers: ${bidirectional ? 'bidirectional' : 'causal'}, ${numBuckets} buckets to ${maxDistance}`, (t) => {
    const reach = (line.length - 1) / 2
    t.deepEqual([...t5RelativeBuckets(1, line.length, { ...options, offset: reach }).data].map(Number), line)
    manualSeed(4)
    const layer = new T5RelativeBias({ heads: 3, ...options })
    isGolden(t, layer.forward(5, 9), bias, 'the bias')
    isGolden(t, layer.forward(2, 9, { offset: 7 }), past, 'of later queries')
    layer.forward(5, 9).backward(fromGolden(grad))
    // Sums of up to 45 numbers below 4; ours are in float64.
    const [ours, theirs] = [(layer.weight.grad as Tensor).data, elements(weightGrad)] as Float32Array[]
    t.true(theirs.every((wanted, i) => Math.abs(wanted - ours[i]) <= 45 * 2 ** -23))
  })
}

test('T5 gives the same biases and buckets token by token as at once', (t) => {
  for (const bidirectional of [false, true]) {
    const layer = new T5RelativeBias({ heads: 2, bidirectional })
    const whole = layer.forward(40, 40).toArray() as number[][][]
    const buckets = t5RelativeBuckets(40, 40, { bidirectional }).toArray() as number[][]
    const weight = layer.weight.toArray() as number[][]
    whole.forEach((rows, h) =>
      rows.forEach((row, i) =>
        t.deepEqual(
          row,
          buckets[i].map((bucket) => weight[bucket][h]),
        ),
      ),
    )
    for (const i of [0, 1, 17, 39]) {
      t.deepEqual(
        layer.forward(1, 40, { offset: i }).toArray(),
        whole.map((rows) => [rows[i]]),
      )
    }
  }
})

test("the table of T5 is drawn, named, loaded and replaced like an Embedding's", (t) => {
  manualSeed(8)
  const table = new Embedding(32, 4)
  const layer = new T5RelativeBias({ heads: 4, bidirectional: true, generator: new Generator(8) })
  t.is(digest(layer.weight), digest(table.weight))
  t.deepEqual(layer.parameters(), [layer.weight])
  t.true(layer.weight.requiresGrad)
  const other = new T5RelativeBias({ heads: 4, bidirectional: true }).loadStateDict(layer.stateDict())
  t.is(digest(other.forward(3, 3)), digest(layer.forward(3, 3)))
  const out = full([4, 3, 3], 1)
  t.is(layer.forward(3, 3, { out }), out)
  t.false(out.requiresGrad)
  layer.weight = zeros([32, 4])
  t.deepEqual(layer.forward(1, 1).toArray(), [[[0]], [[0]], [[0]], [[0]]])
  refuses(t, () => (layer.weight = zeros([32, 5])), 'SHAPE', '[32, 5]')
  refuses(t, () => (layer.weight = zeros([32, 4], { dtype: 'float16' })), 'DTYPE', 'float16')
})

test('T5 rejects impossible buckets', (t) => {
  const make = (options: object) => () => new T5RelativeBias({ heads: 2, bidirectional: true, ...options })
  refuses(t, make({ numBuckets: 3 }), 'USAGE', 'numBuckets must be at least 4, not 3')
  refuses(t, make({ numBuckets: 32, maxDistance: 8 }), 'USAGE', 'maxDistance', '8')
  refuses(t, make({ bidirectional: undefined }), 'USAGE', 'bidirectional')
  refuses(t, make({ heads: 0 }), 'USAGE', 'heads')
  refuses(t, make({ buckets: 3 }), 'USAGE', '"buckets"')
  refuses(t, () => make({})().forward(-1, 2), 'USAGE', 'queryLength')
  refuses(t, () => make({})().forward(1, 2, { offset: -1 }), 'USAGE', 'offset')
  refuses(t, () => t5RelativeBuckets(1, 2, {} as never), 'USAGE', 'bidirectional')
})
