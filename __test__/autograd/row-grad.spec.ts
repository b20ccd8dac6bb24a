import test from 'ava'
import {
  Embedding,
  EmbeddingBag,
  Generator,
  getNumThreads,
  memoryUsage,
  noGrad,
  randn,
  scope,
  setNumThreads,
  SparseGrad,
  tensor,
  TokenPositionEmbedding,
  UsageError,
  zeros,
  type Ids,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

const generator = (seed = 5) => new Generator(seed)
const draw = (shape: number[], seed = 6) => randn(shape, { generator: generator(seed) })
const dense = (x: Tensor) => x.grad as Tensor
const sparse = (x: Tensor) => x.grad as unknown as SparseGrad

/** Ids among which a few occur often. */
function zipf(count: number, rows: number): Int32Array {
  let state = 1
  const next = () => (state = (state * 48271) % 2147483647) / 2147483647
  return Int32Array.from({ length: count }, () => Math.min(rows - 1, Math.floor(rows ** next() - 1)))
}

/** Two layers with the same table, one of which has sparse gradients. */
function pair<L>(make: (sparse: boolean) => L): [L, L] {
  return [make(false), make(true)]
}

test('the gradient of a few rows of a large table is zero elsewhere, on any number of threads', (t) => {
  const before = getNumThreads()
  t.teardown(() => setNumThreads(before))
  for (const threads of [1, 2, 8]) {
    setNumThreads(threads)
    for (const [rows, dim, count] of [
      [3000, 7, 40],
      [20000, 65, 300],
      [50257, 64, 2],
    ]) {
      for (const dtype of ['float32', 'float16'] as const) {
        const ids = Int32Array.from({ length: count }, (_, i) => (i * i * 31) % rows)
        const [plain, other] = pair(
          (sparse) => new Embedding(rows, dim, { dtype, sparse, paddingIdx: 31, generator: generator() }),
        )
        for (const layer of [plain, other]) layer.forward(ids).backward(draw([count, dim]).to(dtype))
        const data = dense(plain.weight).data as Float32Array
        t.is(
          digest(dense(plain.weight)),
          digest(sparse(other.weight).toDense()),
          `${rows} x ${dim} ${dtype}, ${threads} threads`,
        )
        const named = new Set([...ids].filter((id) => id !== 31))
        for (let row = 0; row < rows; row += 1)
          if (!named.has(row) && data[row * dim] !== 0) return t.fail(`row ${row} is not zero`)
      }
    }
  }
})

test('the SparseGrad of a sparse layer has ascending, distinct ids and the bits of the dense gradient', (t) => {
  for (const [dim, count] of [
    [1, 5],
    [3, 40],
    [33, 300],
    [64, 700],
  ]) {
    for (const options of [{}, { paddingIdx: 0 }, { scaleGradByFreq: true }, { dtype: 'float16' as const }]) {
      const ids = zipf(count, 50)
      const [plain, rows] = pair((sparse) => new Embedding(50, dim, { ...options, sparse, generator: generator() }))
      for (const calls of [1, 2]) {
        for (const layer of [plain, rows]) {
          const out = layer.forward(ids)
          out.backward(draw([count, dim], calls).to(out.dtype))
        }
        const grad = sparse(rows.weight)
        t.true(grad instanceof SparseGrad)
        t.is(grad, sparse(rows.weight), 'the same each time')
        const wanted = [...new Set(ids)].filter((id) => !('paddingIdx' in options) || id !== 0).sort((a, b) => a - b)
        t.deepEqual(grad.ids.toArray(), wanted)
        t.is(grad.ids.dtype, 'int32')
        t.is(grad.rows.dtype, grad.dtype)
        t.deepEqual(grad.rows.shape, [wanted.length, dim])
        t.deepEqual(grad.shape, [50, dim])
        t.is(digest(grad.toDense()), digest(dense(plain.weight)), JSON.stringify(options))
      }
    }
  }
})

test('sparse and dense gradients of bags agree in every mode', (t) => {
  const ids = zipf(200, 30)
  const offsets = Int32Array.from({ length: 25 }, (_, b) => Math.min(200, b * b))
  for (const mode of ['sum', 'mean', 'max'] as const) {
    for (const paddingIdx of [undefined, 1]) {
      const [plain, rows] = pair(
        (sparse) =>
          new EmbeddingBag(30, 20, { mode, sparse, generator: generator(), ...(paddingIdx && { paddingIdx }) }),
      )
      for (const layer of [plain, rows]) layer.forward(ids, offsets).backward(draw([25, 20]))
      t.is(digest(sparse(rows.weight).toDense()), digest(dense(plain.weight)), mode)
    }
  }
})

test.serial('gradients have the same bits at 1, 2 and 8 threads', (t) => {
  const before = getNumThreads()
  const ids = zipf(4000, 900)
  const found = [1, 2, 8].map((threads) => {
    setNumThreads(threads)
    const layer = new TokenPositionEmbedding({
      vocabSize: 900,
      contextLength: 100,
      dim: 70,
      segments: 2,
      layerNorm: true,
      generator: generator(),
    })
    const bag = new EmbeddingBag(900, 70, { sparse: true, generator: generator() })
    const segments = ids.map((id) => id & 1)
    layer.forward(ids, { shape: [40, 100], segments }).backward(draw([40, 100, 70]))
    bag.forward(tensor(ids).reshape(80, 50)).backward(draw([80, 70]))
    return [...layer.parameters().map((x) => digest(dense(x))), digest(sparse(bag.weight).rows)]
  })
  setNumThreads(before)
  for (const digests of found) t.deepEqual(digests, found[0])
})

/** A loss in float64 as a function of tables. Gradients are compared with its central differences. */
function differences(values: Float64Array, loss: (values: Float64Array) => number): Float64Array {
  const step = 1e-5
  return values.map((_, i) => {
    const at = (by: number) => loss(values.map((x, j) => (i === j ? x + by : x)))
    return (at(step) - at(-step)) / (2 * step)
  })
}

test('gradients of weighted bags and of their weights agree with finite differences', (t) => {
  const [rows, dim] = [6, 3]
  const bags = [[1, 1, 4], [], [5, 0]]
  const layer = new EmbeddingBag(rows, dim, { mode: 'sum', generator: generator() })
  const weights = randn([5], { generator: generator(9), requiresGrad: true })
  const given = draw([3, dim])
  layer.forward(bags.flat(), [0, 3, 3], { perSampleWeights: weights }).backward(given)
  const loss = (table: ArrayLike<number>, weights: ArrayLike<number>) => {
    let [sum, k] = [0, 0]
    bags.forEach((ids, b) =>
      ids.forEach((id) => {
        for (let d = 0; d < dim; d++) sum += table[id * dim + d] * weights[k] * (given.data[b * dim + d] as number)
        k++
      }),
    )
    return sum
  }
  const [table, factors] = [layer.weight, weights].map((x) => Float64Array.from(x.data as Float32Array))
  const near = (ours: Tensor, wanted: Float64Array) => {
    const most = Math.max(...wanted.map(Math.abs))
    ;(ours.data as Float32Array).forEach((x, i) =>
      t.true(Math.abs(x - wanted[i]) <= 1e-5 * most, `${x} is not ${wanted[i]}`),
    )
  }
  near(
    dense(layer.weight),
    differences(table, (x) => loss(x, factors)),
  )
  near(
    dense(weights),
    differences(factors, (x) => loss(table, x)),
  )
})

test('every gradient of a normalized input layer agrees with finite differences', (t) => {
  const [rows, length, dim, eps] = [4, 3, 5, 1e-5]
  const ids = [1, 3, 1]
  const layer = new TokenPositionEmbedding({
    vocabSize: rows,
    contextLength: length,
    dim,
    segments: 2,
    layerNorm: { eps },
    scale: 2,
    generator: generator(),
  })
  layer.layerNorm!.weight.set(draw([dim], 1))
  layer.layerNorm!.bias.set(draw([dim], 2))
  const given = draw([length, dim], 3)
  layer.forward(ids, { segments: [0, 1, 1] }).backward(given)
  const loss = (parts: readonly Float64Array[]) => {
    const [token, position, segment, weight, bias] = parts
    let sum = 0
    ids.forEach((id, i) => {
      const x = Array.from(
        { length: dim },
        (_, d) => token[id * dim + d] * 2 + segment[Number(i > 0) * dim + d] + position[i * dim + d],
      )
      const mean = x.reduce((a, b) => a + b) / dim
      const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / dim
      x.forEach(
        (x, d) =>
          (sum +=
            (given.data[i * dim + d] as number) * (((x - mean) / Math.sqrt(variance + eps)) * weight[d] + bias[d])),
      )
    })
    return sum
  }
  const parameters = layer.parameters()
  const parts = parameters.map((x) => Float64Array.from(x.data as Float32Array))
  parameters.forEach((parameter, p) => {
    const wanted = differences(parts[p], (values) => loss(parts.map((part, q) => (q === p ? values : part))))
    const most = Math.max(...wanted.map(Math.abs))
    ;(dense(parameter).data as Float32Array).forEach((x, i) =>
      t.true(Math.abs(x - wanted[i]) <= 1e-4 * most, `part ${p}: ${x} is not ${wanted[i]}`),
    )
  })
})

const forms: [string, (ids: number[]) => Ids][] = [
  ['a typed array', (ids) => Int32Array.from(ids)],
  ['a wide one', (ids) => BigInt64Array.from(ids, BigInt)],
  ['a narrow one', (ids) => Uint8Array.from(ids)],
  ['a tensor', (ids) => tensor(Int32Array.from(ids))],
  ['a nested array', (ids) => ids],
]
for (const [name, make] of forms) {
  for (const length of [3, 2000]) {
    test(`backward uses the ids of forward, even if they change later: ${length} in ${name}`, (t) => {
      const layer = new Embedding(5, 2, { sparse: true, generator: generator() })
      const ids = make(Array.from({ length }, (_, i) => (i % 2) * 3))
      const out = layer.forward(ids)
      if (Array.isArray(ids)) ids[0] = 4
      else if (ids instanceof BigInt64Array) ids[0] = 4n
      else (ids as Int32Array | Tensor).set([4])
      out.backward(zeros(out.shape.slice()))
      t.deepEqual(sparse(layer.weight).ids.toArray(), [0, 3])
    })
  }
}

test('bad ids learn at the row that forward read, and padding does not learn', (t) => {
  const ones = (out: Tensor) => zeros(out.shape.slice()).add(1)
  const of = (options: object) => {
    const layer = new Embedding(3, 1, { generator: generator(), ...options })
    const out = layer.forward([-7, 0, 9, 9])
    out.backward(ones(out))
    return dense(layer.weight).toArray()
  }
  t.deepEqual(of({ onBadId: 'clamp' }), [[2], [0], [2]])
  t.deepEqual(of({ onBadId: 'padding', paddingIdx: 1 }), [[1], [0], [0]])
  t.deepEqual(of({ onBadId: 'clamp', paddingIdx: 0 }), [[0], [0], [2]])
})

test('the argument of backward may be changed afterwards', (t) => {
  const layer = new Embedding(4, 2, { generator: generator() })
  const given = tensor([
    [1, 2],
    [3, 4],
  ])
  layer.forward([1, 1]).backward(given)
  given.set([9, 9, 9, 9])
  layer.forward([2, 2]).backward(given)
  ;(given.data as Float32Array).fill(7)
  t.deepEqual(dense(layer.weight).toArray(), [
    [0, 0],
    [4, 6],
    [18, 18],
    [0, 0],
  ])
})

test("a gradient that was looked at stays the caller's; later gradients go into another tensor", (t) => {
  for (const sparse of [false, true]) {
    const layer = new Embedding(4, 1, { sparse, generator: generator() })
    const run = () => layer.forward([3, 0, 3]).backward(tensor([[1], [2], [3]]))
    run()
    const first = layer.weight.grad!
    const show = (grad: Tensor | SparseGrad) => (grad instanceof SparseGrad ? grad.toDense() : grad).toArray()
    run()
    t.deepEqual(show(first), [[2], [0], [0], [4]])
    t.deepEqual(show(layer.weight.grad!), [[4], [0], [0], [8]])
    layer.weight.grad = null
    t.deepEqual(show(first), [[2], [0], [0], [4]])
    t.is(layer.weight.grad, null)
    run()
    t.deepEqual(show(layer.weight.grad!), [[2], [0], [0], [4]])
  }
})

test('a SparseGrad may be assigned as the gradient of a weight', (t) => {
  const layer = new Embedding(4, 1, { sparse: true, generator: generator() })
  const run = () => layer.forward([3, 0, 3]).backward(tensor([[1], [2], [3]]))
  run()
  const grad = sparse(layer.weight)
  layer.weight.grad = null
  layer.weight.grad = grad
  t.is(sparse(layer.weight), grad)
  run()
  t.deepEqual(sparse(layer.weight).rows.toArray(), [[4], [8]])
  t.deepEqual(grad.rows.toArray(), [[2], [4]])
  refuses(t, () => (new Embedding(5, 1).weight.grad = grad), 'SHAPE', '[5, 1]')
  refuses(t, () => (layer.weight.grad = [[1]] as never), 'USAGE', 'SparseGrad')
  grad.dispose()
  t.is(String(grad), 'SparseGrad(disposed)')
})

test('a table that is also the output head collects both gradients in a dense one', (t) => {
  const layer = new Embedding(3, 2, { generator: generator() })
  const { weight } = layer
  const way = () =>
    layer.forward([2, 2]).mul(
      tensor([
        [1, 1],
        [1, 1],
      ]),
    )
  way().backward(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  )
  const rows = dense(weight).toArray()
  weight.grad = null
  weight.mul(2).backward(
    tensor([
      [1, 1],
      [1, 1],
      [1, 1],
    ]),
  )
  way().backward(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  )
  t.deepEqual(rows, [
    [0, 0],
    [0, 0],
    [4, 6],
  ])
  t.deepEqual(dense(weight).toArray(), [
    [2, 2],
    [2, 2],
    [6, 8],
  ])
  weight.grad = null
  way().backward(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  )
  weight.mul(2).backward(
    tensor([
      [1, 1],
      [1, 1],
      [1, 1],
    ]),
  )
  t.deepEqual(dense(weight).toArray(), [
    [2, 2],
    [2, 2],
    [6, 8],
  ])
})

test('nothing is recorded with frozen tables, under noGrad or with out', (t) => {
  const layer = new Embedding(3, 2, { generator: generator() })
  t.is(layer.forward([1]).gradFn, 'EmbeddingBackward')
  t.is(noGrad(() => layer.forward([1])).gradFn, null)
  t.is(Embedding.fromPretrained(layer.weight).forward([1]).gradFn, null)
  t.is(layer.forward([1], { out: zeros([1, 2]) }).gradFn, null)
  t.is(new EmbeddingBag(3, 2).forward([[1]]).gradFn, 'EmbeddingBagBackward')
  const input = new TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 2 })
  t.is(input.forward([1]).gradFn, 'TokenPositionEmbeddingBackward')
  refuses(t, () => noGrad(() => layer.forward([1])).backward(zeros([1, 2])), 'USAGE', 'requires gradients')
})

test('frozen parts get no gradient', (t) => {
  const layer = new TokenPositionEmbedding({
    vocabSize: 3,
    contextLength: 2,
    dim: 2,
    layerNorm: true,
    generator: generator(),
  })
  layer.token.weight.requiresGrad = layer.layerNorm!.bias.requiresGrad = false
  layer.forward([1, 2]).backward(draw([2, 2]))
  t.is(layer.token.weight.grad, null)
  t.is(layer.layerNorm!.bias.grad, null)
  t.not(layer.position.weight.grad, null)
  t.not(layer.layerNorm!.weight.grad, null)
})

test('a table changed in place breaks normalization and the gradient of weights, but not a plain lookup', (t) => {
  const table = new Embedding(3, 2, { generator: generator() })
  const out = table.forward([1])
  table.weight.set([5])
  out.backward(zeros([1, 2]))
  const layer = new TokenPositionEmbedding({ vocabSize: 3, contextLength: 2, dim: 2, layerNorm: true })
  const normalized = layer.forward([1])
  layer.position.weight.set([5])
  refuses(t, () => normalized.backward(zeros([1, 2])), 'USAGE', 'changed in place')
  const bag = new EmbeddingBag(3, 2, { mode: 'sum' })
  const summed = bag.forward([[1]], undefined, { perSampleWeights: randn([1, 1], { requiresGrad: true }) })
  bag.weight.set([5])
  refuses(t, () => summed.backward(zeros([1, 2])), 'USAGE', 'changed in place')
})

test('gradients of max bags use the maxima of forward, even if the table changed since', (t) => {
  const bag = EmbeddingBag.fromPretrained(
    tensor([
      [1, 8],
      [5, 2],
      [5, 3],
    ]),
    { mode: 'max', freeze: false },
  )
  const out = bag.forward([[1, 0, 2, 1]])
  bag.weight.set([100, 0, 0, 0, 0, 0])
  out.backward(tensor([[1, 2]]))
  // Among equal values, the first one gets the gradient.
  t.deepEqual(dense(bag.weight).toArray(), [
    [0, 2],
    [1, 0],
    [0, 0],
  ])
})

test('wrong gradients, disposed tables and missing graphs are rejected', (t) => {
  const layer = new Embedding(3, 2, { generator: generator() })
  refuses(t, () => layer.forward([1]).backward(zeros([2, 2])), 'SHAPE', '[2, 2]')
  refuses(t, () => layer.forward([1]).backward(zeros([1, 2], { dtype: 'float64' })), 'DTYPE', 'float64')
  refuses(t, () => layer.forward([1]).backward(), 'USAGE', 'gradOutput')
  const out = layer.forward([1])
  out.backward(zeros([1, 2]))
  refuses(t, () => out.backward(zeros([1, 2])), 'USAGE', 'freed')
  const gone = new Embedding(3, 2)
  const orphan = gone.forward([1])
  gone.weight.dispose()
  refuses(t, () => orphan.backward(zeros([1, 2])), 'USAGE', 'disposed')
  refuses(t, () => new Embedding(3, 2, { sparse: 1 as never }), 'USAGE', 'sparse')
  refuses(t, () => new Embedding(3, 2, { scaleGradByFreq: 'yes' as never }), 'USAGE', 'scaleGradByFreq')
  refuses(t, () => new EmbeddingBag(3, 2, { mode: 'max', scaleGradByFreq: true }), 'USAGE', 'max')
  t.throws(() => new (SparseGrad as unknown as new () => SparseGrad)(), { instanceOf: UsageError })
})

test('a retained graph may be traversed twice, and its gradients outlive scopes', (t) => {
  const layer = new Embedding(3, 1, { sparse: true, generator: generator() })
  scope(() => {
    const out = layer.forward([2, 0])
    out.backward(tensor([[1], [2]]), { retainGraph: true })
    out.backward(tensor([[1], [2]]))
    return layer.weight.grad!.shape
  })
  t.deepEqual(sparse(layer.weight).rows.toArray(), [[4], [2]])
})

test('an asynchronous lookup learns like a synchronous one', async (t) => {
  const layer = new Embedding(5, 2, { generator: generator() })
  const ids = Int32Array.of(1, 4, 1)
  const promise = layer.forwardAsync(ids)
  ids[0] = 3
  const out = await promise
  t.is(out.gradFn, 'EmbeddingBackward')
  out.backward(
    tensor([
      [1, 1],
      [2, 2],
      [3, 3],
    ]),
  )
  t.deepEqual(dense(layer.weight).toArray(), [
    [0, 0],
    [4, 4],
    [0, 0],
    [0, 0],
    [2, 2],
  ])
  const bag = new EmbeddingBag(5, 1, { mode: 'max', sparse: true, generator: generator() })
  const summed = await bag.forwardAsync([[1, 1]])
  summed.backward(tensor([[2]]))
  t.deepEqual(sparse(bag.weight).rows.toArray(), [[2]])
})

test('empty ids and empty bags give zero gradients', (t) => {
  const layer = new Embedding(3, 2, { sparse: true, generator: generator() })
  layer.forward(new Int32Array(0)).backward(zeros([0, 2]))
  t.deepEqual(sparse(layer.weight).ids.toArray(), [])
  t.deepEqual(sparse(layer.weight).toDense().toArray(), zeros([3, 2]).toArray())
  for (const mode of ['sum', 'mean', 'max'] as const) {
    const bag = new EmbeddingBag(3, 2, { mode, generator: generator() })
    bag.forward([], [0, 0]).backward(draw([2, 2]))
    t.deepEqual(dense(bag.weight).toArray(), zeros([3, 2]).toArray())
  }
})

test.serial('gradients return their memory to the pool', (t) => {
  const layer = new Embedding(50, 256, { generator: generator() })
  const ids = zipf(1000, 50)
  const run = () =>
    scope(() =>
      layer
        .forward(ids)
        .mul(1)
        .backward(draw([1000, 256])),
    )
  const pool = () => memoryUsage().pool
  for (const done of [() => void (layer.weight.grad = null), () => layer.weight.dispose()]) {
    run()
    const held = pool()
    done()
    // This counts at least the rows of the output.
    t.true(pool() - held >= 1000 * 256 * 4, `${pool() - held} bytes came back`)
  }
})
