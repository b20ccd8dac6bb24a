import test from 'ava'
import {
  EmbeddingBag,
  EmbeddingBagCollection,
  getNumThreads,
  quantize,
  randn,
  RowWiseAdagrad,
  setNumThreads,
  tensor,
  zeros,
  type BagTable,
  type Tensor,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { elements, fromGolden, readGolden, type Golden } from '../support/golden.js'

interface Case {
  mode: 'sum' | 'mean'
  weights: Golden | null
  keys: string[]
  state: Record<string, Golden>
  out: Golden
  gradOutput: Golden
  grads: Record<string, Golden>
}
const golden = readGolden<{
  tables: BagTable[]
  keys: string[]
  lengths: number[]
  values: number[]
  cases: Case[]
}>('collection/collection.json')

/** The bags of a key as lists. */
function listsOf(key: string): number[][] {
  const bags = golden.lengths.length / golden.keys.length
  let at = 0
  const all = golden.lengths.map((length) => golden.values.slice(at, (at += length)))
  const first = golden.keys.indexOf(key) * bags
  return all.slice(first, first + bags)
}

const close = (t: { true(value: boolean, message?: string): unknown }, found: Tensor, wanted: Golden) => {
  const theirs = elements(wanted) as Float32Array
  t.true(found.data.every((v, i) => Math.abs(Number(v) - theirs[i]) <= 1e-6 * Math.max(1, Math.abs(theirs[i]))))
}

for (const { mode, weights, keys, state, out, gradOutput, grads } of golden.cases) {
  test(`equals PyTorch's layers: ${mode}, ${weights === null ? 'no weights' : 'weights'}`, (t) => {
    const make = () => {
      const made = new EmbeddingBagCollection(golden.tables.map((table) => ({ ...table, mode })))
      return made.loadStateDict(Object.fromEntries(Object.entries(state).map(([name, it]) => [name, fromGolden(it)])))
    }
    const keyed = { keys: golden.keys, values: golden.values, lengths: golden.lengths }
    const named = Object.fromEntries(golden.keys.map((key) => [key, listsOf(key)]))
    const offsets = [0]
    for (const length of golden.lengths) offsets.push(offsets.at(-1)! + length)
    const places = (key: string) => {
      const first = golden.keys.indexOf(key) * 3
      return fromGolden(weights!).data.subarray(offsets[first], offsets[first + 3])
    }
    const perSampleWeights =
      weights === null ? undefined : Object.fromEntries(golden.keys.map((key) => [key, tensor(places(key))]))
    for (const features of [keyed, { keys: golden.keys, values: golden.values, offsets }, named]) {
      const tables = make()
      t.deepEqual(tables.keys, keys)
      t.deepEqual(tables.dims, [5, 5, 2, 3])
      const result = tables.forward(features, { perSampleWeights })
      t.deepEqual(result.shape, out.s)
      close(t, result, out)
      result.backward(fromGolden(gradOutput))
      for (const [name, grad] of Object.entries(grads)) close(t, tables.tables[name].weight.grad as Tensor, grad)
    }
    t.pass()
  })
}

const SIZES: BagTable[] = [
  { name: 'a', numEmbeddings: 50, embeddingDim: 7, features: ['x', 'y'] },
  { name: 'b', numEmbeddings: 20, embeddingDim: 33, mode: 'mean', paddingIdx: 3 },
  { name: 'c', numEmbeddings: 9, embeddingDim: 1, mode: 'max' },
]
const bagsOf = (rows: number, bags: number, seed: number) =>
  Array.from({ length: bags }, (_, i) => Array.from({ length: (i * seed) % 5 }, (_, j) => (i * 31 + j * seed) % rows))

test('every feature has the bits of its own layer, with any number of threads', (t) => {
  const collection = new EmbeddingBagCollection(SIZES)
  const features = { x: bagsOf(50, 3000, 3), y: bagsOf(50, 3000, 7), b: bagsOf(20, 3000, 4), c: bagsOf(9, 3000, 2) }
  const { a, b, c } = collection.tables
  const threads = getNumThreads()
  const digests = [1, 2, 3].map((count) => {
    setNumThreads(count)
    const result = collection.forward(features)
    const parts = collection.split(result)
    for (const [key, bag] of Object.entries({ x: a, y: a, b, c }))
      t.is(digest(parts[key]), digest(bag.forward(features[key as 'x'])), key)
    return digest(result)
  })
  setNumThreads(threads)
  t.is(new Set(digests).size, 1)
})

test('gradients are those of the layers one by one', (t) => {
  const features = { x: bagsOf(50, 40, 3), y: bagsOf(50, 40, 7), b: bagsOf(20, 40, 4), c: bagsOf(9, 40, 2) }
  const collection = new EmbeddingBagCollection(SIZES)
  const { a, b, c } = collection.tables
  const upstream = randn([40, 48])
  const weights = randn([features.x.flat().length], { requiresGrad: true })
  collection.forward(features, { perSampleWeights: { x: weights } }).backward(upstream)
  const grads = [a, b, c].map(({ weight }) => digest(weight.grad as Tensor))
  const ofWeights = digest(weights.grad as Tensor)
  for (const one of [a.weight, b.weight, c.weight, weights]) one.grad = null
  const part = (at: number, dim: number) => upstream.narrow(1, at, dim)
  const ragged = (lists: number[][]) => {
    const offsets = [0]
    for (const list of lists) offsets.push(offsets.at(-1)! + list.length)
    return { values: lists.flat(), offsets }
  }
  a.forward(ragged(features.x), { perSampleWeights: weights }).backward(part(0, 7))
  a.forward(features.y).backward(part(7, 7))
  b.forward(features.b).backward(part(14, 33))
  c.forward(features.c).backward(part(47, 1))
  t.deepEqual(
    [a, b, c].map(({ weight }) => digest(weight.grad as Tensor)),
    grads,
  )
  t.is(digest(weights.grad as Tensor), ofWeights)
})

test('learns with an optimizer, and out takes results', (t) => {
  const collection = new EmbeddingBagCollection(SIZES)
  const features = { x: [[1, 2], [3]], y: [[4], []], b: [[1], [2]], c: [[0], [8]] } // prettier-ignore
  const before = digest(collection.tables.a.weight)
  const optimizer = new RowWiseAdagrad(collection.parameters())
  collection.forward(features).sum().backward()
  optimizer.step()
  t.not(digest(collection.tables.a.weight), before)
  const out = zeros([2, 48])
  t.is(collection.forward(features, { out }), out)
  t.is(digest(out), digest(collection.forward(features)))
  t.is(out.gradFn, null)
  t.is(collection.forward(features, { dtype: 'float16' }).dtype, 'float16')
  const none = zeros([0, 2], { dtype: 'int32' })
  t.deepEqual(collection.forward({ x: none, y: none, b: none, c: none }).shape, [0, 48])
})

test('takes tables that exist, quantized ones too', (t) => {
  const weight = randn([12, 8])
  const bag = EmbeddingBag.fromPretrained(quantize(weight, 'int8'), { mode: 'sum' })
  const half = EmbeddingBag.fromPretrained(randn([5, 3]).to('float16'), { mode: 'mean' })
  const collection = new EmbeddingBagCollection([
    { name: 'q', bag },
    { name: 'h', bag: half, features: ['h', 'q'] },
  ])
  t.deepEqual(collection.keys, ['q@q', 'h', 'q@h'])
  const q = [[1, 4], [3]]
  const result = collection.split(collection.forward({ q, h: [[0], [1, 2]] }))
  t.is(digest(result['q@q']), digest(bag.forward(q)))
  t.is(digest(result['q@h']), digest(half.forward(q, { dtype: 'float32' })))
  collection.dispose()
  t.true(half.weight.disposed)
  refuses(t, () => collection.forward({ q, h: q }), 'USAGE', 'disposed')
})

test('rejects tables and features that do not fit', (t) => {
  const make = (tables: unknown) => () => new EmbeddingBagCollection(tables as BagTable[])
  const table = { name: 'a', numEmbeddings: 4, embeddingDim: 2 }
  refuses(t, make([]), 'USAGE', 'list of tables')
  refuses(t, make({}), 'USAGE', 'list of tables')
  refuses(t, make([table, table]), 'USAGE', '"a"')
  refuses(t, make([{ ...table, name: '' }]), 'USAGE', 'name')
  refuses(t, make([{ ...table, features: [] }]), 'USAGE', 'features')
  refuses(t, make([{ ...table, features: ['x', 'x'] }]), 'USAGE', 'twice')
  refuses(t, make([{ ...table, rows: 3 }]), 'USAGE', '"rows"')
  refuses(t, make([{ ...table, bag: 3 }]), 'USAGE')
  refuses(t, make([{ name: 'a', bag: {} }]), 'USAGE', 'EmbeddingBag')
  refuses(t, make([{ ...table, mode: 'median' }]), 'USAGE', 'median')

  const collection = new EmbeddingBagCollection(SIZES)
  const good = { x: [[1]], y: [[2]], b: [[3]], c: [[4]] }
  const wrong = (features: object, options?: object) => () => collection.forward(features as never, options)
  t.notThrows(wrong(good))
  refuses(t, wrong([[1]]), 'USAGE', 'by feature')
  refuses(t, wrong({ ...good, z: [[1]] }), 'USAGE', '"z"', 'x, y, b, c')
  refuses(t, wrong({ x: [[1]], y: [[2]], b: [[3]] }), 'USAGE', '"c"', 'missing')
  refuses(t, wrong({ ...good, y: [[2], [3]] }), 'SHAPE', '"y" has 2 bags', '"x" has 1')
  const bad = t.throws(wrong({ ...good, b: [[3, 20]] }), { code: 'TOKEN_INDEX' })
  t.regex(bad?.message ?? '', /feature "b".*20/)
  refuses(t, wrong({ ...good, c: { values: [1, 2], offsets: [0, 3] } }), 'SHAPE', 'feature "c"', '3')
  refuses(t, wrong({ ...good, c: [[0.5]] }), 'USAGE', 'feature "c"', '0.5')
  refuses(t, wrong(good, { out: zeros([1, 47]) }), 'SHAPE', '[1, 48]')
  refuses(t, wrong(good, { perSampleWeights: { b: tensor([1]) } }), 'USAGE', 'feature "b"', 'mean')
  refuses(t, wrong(good, { perSampleWeights: { z: tensor([1]) } }), 'USAGE', '"z"')
  refuses(t, wrong(good, { perSampleWeights: tensor([1]) }), 'USAGE', 'by feature')
  const keys = ['x', 'y', 'b', 'c']
  refuses(t, wrong({ keys, values: [1, 2, 3, 4] }), 'USAGE', 'lengths or offsets')
  refuses(t, wrong({ keys, values: [1, 2, 3, 4], lengths: [1, 1, 1] }), 'SHAPE', '3', '4')
  refuses(t, wrong({ keys, values: [1, 2, 3, 4], lengths: [1, 1, 1, 1, 0] }), 'SHAPE', '5 bags', '4 keys')
  refuses(t, wrong({ keys, values: [1, 2], lengths: [1, -1, 1, 1] }), 'SHAPE', 'lengths[1]')
  refuses(t, wrong({ keys, values: [1, 2], offsets: [0, 2, 1, 2, 2] }), 'SHAPE', 'offsets[2]')
  refuses(t, wrong({ keys: ['x', 'x'], values: [1], lengths: [1, 0] }), 'USAGE', 'twice')
  refuses(t, () => collection.split(zeros([1, 47])), 'SHAPE', '48')
})
