import test from 'ava'
import {
  Embedding,
  getNumThreads,
  manualSeed,
  randn,
  setNumThreads,
  ShawRelativePositions,
  sinusoidalPositions,
  tensor,
  TransformerXLPositions,
  zeros,
  type Tensor,
} from '../../../index.js'
import { digest } from '../../support/compare.js'
import { refuses } from '../../support/errors.js'
import { elements, readGolden, type Golden } from '../../support/golden.js'

interface Shaw {
  kind: 'relative_key' | 'relative_key_query'
  maxDistance: number
  headDim: number
  [name: string]: Golden | string | number
}
interface XL {
  model: string
  dim: number
  clampLength: number | null
  causal: boolean
  [name: string]: Golden | string | number | boolean | null
}
const { shaw, xl } = readGolden<{ shaw: Shaw[]; xl: XL[] }>('positions/relative.json')

/**
 * Tolerance relative to the largest element. Ours are sums of a few hundred float32 products at most, theirs are
 * float64.
 */
const SUMS = 2 ** -18

const values = (x: unknown) => (x as Tensor).data as Float32Array
/** A float64 golden whose values float32 can hold. */
const given = (golden: unknown) =>
  tensor(Float32Array.from(elements(golden as Golden) as Float64Array), { shape: (golden as Golden).s })

function isNear(found: unknown, golden: unknown, skip: (i: number) => boolean = () => false): string {
  const [ours, wanted] = [values(found), elements(golden as Golden) as Float64Array]
  if (ours.length !== wanted.length) return 'another size'
  const largest = wanted.reduce((max, v, i) => (skip(i) ? max : Math.max(max, Math.abs(v))), 0)
  const bad = ours.findIndex((v, i) => !skip(i) && !(Math.abs(v - wanted[i]) <= SUMS * largest))
  return bad < 0 ? 'near' : `${ours[bad]} is not ${wanted[bad]} at ${bad}`
}

for (const { kind, maxDistance, headDim, ...golden } of shaw) {
  test(`equals BERT: ${kind}, queries ${(golden.query as Golden).s}`, (t) => {
    const layer = new ShawRelativePositions({ maxDistance, headDim, kind })
    layer.weight.set(given(golden.weight))
    const [query, key] = [given(golden.query), given(golden.key)]
    query.requiresGrad = key.requiresGrad = true
    const found = layer.forward(query, key)
    t.deepEqual(found.shape, (golden.out as Golden).s)
    t.is(isNear(found, golden.out), 'near')
    found.backward(given(golden.gradOutput))
    t.is(isNear(query.grad, golden.queryGrad), 'near')
    t.is(isNear(layer.weight.grad, golden.weightGrad), 'near')
    if (kind === 'relative_key_query') t.is(isNear(key.grad, golden.keyGrad), 'near')
    else t.is(key.grad, null)
  })
}

for (const { model, dim, clampLength, causal, ...golden } of xl) {
  test(`equals ${model}: queries ${(golden.query as Golden).s}, keys ${(golden.key as Golden).s}, clamp ${clampLength}`, (t) => {
    const { s: shape } = golden.out as Golden
    const [, heads, queries, keys] = shape
    const layer = new TransformerXLPositions({
      heads,
      headDim: (golden.query as Golden).s[3],
      dim,
      clampLength: clampLength ?? undefined,
    })
    for (const name of ['u', 'v', 'weight'] as const) layer[name].set(given(golden[name]))
    const [query, key] = [given(golden.query), given(golden.key)]
    query.requiresGrad = key.requiresGrad = true
    const found = layer.forward(query, key)
    t.deepEqual(found.shape, shape)
    const isLater = (i: number) => causal && i % keys > (Math.floor(i / keys) % queries) + keys - queries
    t.is(isNear(found, golden.out, isLater), 'near')
    found.backward(given(golden.gradOutput))
    for (const [x, name] of [
      [query, 'query'],
      [key, 'key'],
      [layer.u, 'u'],
      [layer.v, 'v'],
      [layer.weight, 'weight'],
    ] as const) {
      t.is(isNear(x.grad, golden[`${name}Grad`]), 'near', name)
    }
  })
}

/**
 * The slopes of `sum(f(x) * grad)` by some elements of `x`. They are exact except for rounding, as f is linear in each.
 */
function differences(x: Tensor, f: () => Tensor, grad: Tensor): [number, number][] {
  const data = values(x)
  const sum = () => values(f()).reduce((sum, v, i) => sum + v * values(grad)[i], 0)
  return [0, 1, Math.floor(data.length / 2), data.length - 1].map((i) => {
    const before = data[i]
    data[i] = before + 1
    const above = sum()
    data[i] = before - 1
    const below = sum()
    data[i] = before
    return [i, (above - below) / 2]
  })
}

test('gradients agree with finite differences, with clipped distances and memory', (t) => {
  const [query, key] = [randn([2, 2, 5, 4], { requiresGrad: true }), randn([2, 2, 9, 4], { requiresGrad: true })]
  for (const maxDistance of [0, 2, 30]) {
    const shaw = new ShawRelativePositions({ maxDistance, headDim: 4, kind: 'relative_key_query' })
    const xl = new TransformerXLPositions({ heads: 2, headDim: 4, dim: 6, clampLength: maxDistance || undefined })
    for (const layer of [shaw, xl]) {
      const inputs = [query, key, ...layer.parameters()]
      const grad = randn([2, 2, 5, 9])
      for (const x of inputs) x.grad = null
      layer.forward(query, key).backward(grad)
      for (const x of inputs) {
        for (const [i, slope] of differences(x, () => layer.forward(query.detach(), key.detach()), grad)) {
          t.true(
            Math.abs(slope - values(x.grad)[i]) < 2e-4 * (1 + Math.abs(slope)),
            `${x.shape}: ${slope} is not ${values(x.grad)[i]}`,
          )
        }
      }
    }
  }
})

/** `x` from a given query on. */
const rows = (x: Tensor, dim: number, start: number, length: number) => x.narrow(dim, start, length)

test('scores token by token with cached keys equal those of the whole, exactly or nearly', (t) => {
  const [query, key] = [randn([1, 2, 6, 8]), randn([1, 2, 6, 8])]
  const shaw = new ShawRelativePositions({ maxDistance: 3, headDim: 8, kind: 'relative_key_query' })
  const xl = new TransformerXLPositions({ heads: 2, headDim: 8, dim: 16 })
  for (const layer of [shaw, xl]) {
    const whole = layer.forward(query, key)
    for (const i of [0, 3, 5]) {
      const one = layer.forward(rows(query, 2, i, 1), rows(key, 2, 0, i + 1))
      const wanted = values(rows(rows(whole, 2, i, 1), 3, 0, i + 1))
      t.true(values(one).every((v, k) => Math.abs(v - wanted[k]) < 1e-5))
    }
  }
})

test("Shaw's scores support shifted queries and keys, and clip far distances", (t) => {
  const layer = new ShawRelativePositions({ maxDistance: 2, headDim: 3 })
  const query = tensor([[Array.from({ length: 7 }, () => [1, -2, 0.5])]])
  const scores = layer.forward(query).toArray()[0][0] as number[][]
  const weight = layer.weight.toArray() as number[][]
  const of = (row: number[]) => row[0] - 2 * row[1] + 0.5 * row[2]
  scores.forEach((row, i) =>
    row.forEach((v, j) => t.true(Math.abs(v - of(weight[2 + Math.max(-2, Math.min(2, i - j))])) < 1e-5)),
  )
  manualSeed(6)
  const table = new Embedding(5, 3)
  manualSeed(6)
  t.is(digest(new ShawRelativePositions({ maxDistance: 2, headDim: 3 }).weight), digest(table.weight))
  t.deepEqual(Object.keys(layer.stateDict()), ['weight'])
})

test("Transformer-XL's scores equal the formula", (t) => {
  const layer = new TransformerXLPositions({ heads: 1, headDim: 2, dim: 4 })
  t.deepEqual(Object.keys(layer.stateDict()), ['u', 'v', 'weight'])
  const [query, key] = [randn([1, 1, 3, 2]), randn([1, 1, 5, 2])]
  const scores = layer.forward(query, key).toArray()[0][0] as number[][]
  const [u, v] = [values(layer.u), values(layer.v)]
  const [q, k, w] = [query.toArray()[0][0], key.toArray()[0][0], layer.weight.toArray()] as number[][][]
  scores.forEach((row, i) =>
    row.forEach((score, j) => {
      const distance = 2 + i - j
      const s = values(sinusoidalPositions(1, 4, { layout: 'half', offset: Math.abs(distance) }))
      const sinusoid = [...s].map((x, c) => (c < 2 && distance < 0 ? -x : x))
      const r = w.map((row) => row.reduce((sum, x, c) => sum + x * sinusoid[c], 0))
      const wanted = [0, 1].reduce((sum, d) => sum + (q[i][d] + u[d]) * k[j][d] + (q[i][d] + v[d]) * r[d], 0)
      t.true(Math.abs(score - wanted) < 1e-5)
    }),
  )
})

test('scores have the same bits on any number of threads', (t) => {
  const threads = getNumThreads()
  const [query, key] = [randn([2, 6, 33, 16], { requiresGrad: true }), randn([2, 6, 40, 16], { requiresGrad: true })]
  const layers = [
    new ShawRelativePositions({ maxDistance: 9, headDim: 16, kind: 'relative_key_query' }),
    new TransformerXLPositions({ heads: 6, headDim: 16, dim: 96 }),
  ]
  const grad = randn([2, 6, 33, 40])
  const run = (count: number) => {
    setNumThreads(count)
    return layers.flatMap((layer) => {
      const inputs = [query, key, ...layer.parameters()]
      for (const x of inputs) x.grad = null
      const scores = layer.forward(query, key)
      scores.backward(grad)
      return [digest(scores), ...inputs.map((x) => digest(x.grad as Tensor))]
    })
  }
  const alone = run(1)
  for (const count of [2, 3, 8]) t.deepEqual(run(count), alone)
  setNumThreads(threads)
})

test('rejects arguments that do not fit together', (t) => {
  const shaw = new ShawRelativePositions({ maxDistance: 2, headDim: 4 })
  const both = new ShawRelativePositions({ maxDistance: 2, headDim: 4, kind: 'relative_key_query' })
  const xl = new TransformerXLPositions({ heads: 2, headDim: 4, dim: 6 })
  const x = zeros([1, 2, 3, 4])
  refuses(t, () => both.forward(x), 'USAGE', 'forward(query, key)')
  for (const layer of [shaw, both, xl]) {
    refuses(t, () => layer.forward(x, zeros([1, 2, 2, 4])), 'SHAPE', '[1, 2, 2, 4]')
    refuses(t, () => layer.forward(x, zeros([1, 1, 3, 4])), 'SHAPE', '[1, 1, 3, 4]')
    refuses(t, () => layer.forward(zeros([1, 2, 3, 5]), zeros([1, 2, 3, 5])), 'SHAPE', '5')
    refuses(t, () => layer.forward(zeros([2, 3, 4]), x), 'SHAPE', '[2, 3, 4]')
    refuses(t, () => layer.forward(zeros([1, 2, 3, 4], { dtype: 'float16' }), x), 'DTYPE', "to('float32')")
    refuses(t, () => layer.forward(x, 3 as never), 'USAGE', 'key')
    t.deepEqual(layer.forward(zeros([0, 2, 3, 4]), zeros([0, 2, 3, 4])).shape, [0, 2, 3, 3])
    t.deepEqual(layer.forward(zeros([1, 2, 0, 4]), zeros([1, 2, 3, 4])).shape, [1, 2, 0, 3])
  }
  refuses(t, () => new ShawRelativePositions({ maxDistance: -1, headDim: 4 }), 'USAGE', 'maxDistance')
  refuses(
    t,
    () => new ShawRelativePositions({ maxDistance: 1, headDim: 4, kind: 'relative' as never }),
    'USAGE',
    'relative_key',
  )
  refuses(t, () => new TransformerXLPositions({ heads: 2, headDim: 4, dim: 7 }), 'USAGE', 'even', '7')
  refuses(t, () => new TransformerXLPositions({ heads: 2, headDim: 4, dim: 6, clampLength: 0 }), 'USAGE', 'clampLength')
})
