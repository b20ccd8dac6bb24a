import test from 'ava'
import { Embedding, manualSeed, randn, tensor, TokenPositionEmbedding, zeros, type Tensor } from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'

test('fromPretrained shares the memory of the table', (t) => {
  const given = tensor([
    [1, 2],
    [3, 4],
  ])
  const embedding = Embedding.fromPretrained(given)
  given.data[0] = 10
  t.deepEqual(embedding.forward([0]).toArray(), [[10, 2]])
  embedding.weight.set([20], 1)
  t.is(given.data[1], 20)
  given.dispose()
  t.deepEqual(embedding.forward([1, 0]).toArray(), [
    [3, 4],
    [10, 20],
  ])
})

test('fromPretrained freezes by default, and leaves the given tensor as it is', (t) => {
  const learning = randn([3, 2], { requiresGrad: true })
  t.false(Embedding.fromPretrained(learning).weight.requiresGrad)
  t.true(learning.requiresGrad)
  t.true(Embedding.fromPretrained(tensor([[1]]), { freeze: false }).weight.requiresGrad)
  t.false(Embedding.fromPretrained(tensor([[1]]), { freeze: true }).forward([0]).requiresGrad)
})

test('fromPretrained accepts only a table of floats', (t) => {
  refuses(t, () => Embedding.fromPretrained(tensor([[1]], { dtype: 'float64' })), 'DTYPE', "to('float32')")
  refuses(t, () => Embedding.fromPretrained(tensor([1, 2])), 'SHAPE', '[2]')
  refuses(t, () => Embedding.fromPretrained(zeros([2, 0])), 'USAGE', 'column')
  refuses(t, () => Embedding.fromPretrained([[1]] as never), 'USAGE', 'tensor')
  refuses(t, () => Embedding.fromPretrained(tensor([[1]]), { frozen: true } as never), 'USAGE', '"frozen"')
  refuses(t, () => Embedding.fromPretrained(tensor([[1]]), { freeze: 1 } as never), 'USAGE', 'freeze')
  refuses(t, () => Embedding.fromPretrained(tensor([[1]]), { generator: 1 } as never), 'USAGE', 'Generator')
  const gone = tensor([[1]])
  gone.dispose()
  refuses(t, () => Embedding.fromPretrained(gone), 'USAGE', 'disposed')
})

test('fromPretrained does not draw', (t) => {
  manualSeed(3)
  const expected = digest(randn([4]))
  manualSeed(3)
  Embedding.fromPretrained(zeros([5, 5]))
  t.is(digest(randn([4])), expected)
})

test('a weight may be replaced by one of the same shape, which ties layers', (t) => {
  const [a, b] = [new Embedding(4, 3), new Embedding(4, 3)]
  b.weight = a.weight
  t.is(b.weight, a.weight)
  a.weight.data[0] = 5
  t.is(b.forward([0]).data[0], 5)
  refuses(t, () => (b.weight = zeros([3, 4])), 'SHAPE', '[3, 4]', '[4, 3]')
  refuses(t, () => (b.weight = zeros([4, 3], { dtype: 'float64' })), 'DTYPE', 'float64')
  refuses(t, () => (b.weight = 5 as never), 'USAGE', '5')
  t.is(b.weight, a.weight)
})

test('parameters and stateDict contain the tables themselves', (t) => {
  const embedding = new Embedding(4, 3)
  t.is(embedding.parameters()[0], embedding.weight)
  t.is(embedding.stateDict().weight, embedding.weight)
  const both = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  t.deepEqual(both.parameters(), [both.token.weight, both.position.weight])
  t.deepEqual(Object.keys(both.stateDict()), ['token.weight', 'position.weight'])
})

test('loadStateDict copies the values', (t) => {
  const [a, b] = [new Embedding(4, 3), new Embedding(4, 3)]
  const weight = b.weight
  t.is(b.loadStateDict(a.stateDict()), b)
  t.is(b.weight, weight)
  t.deepEqual(b.weight.data, a.weight.data)
  a.weight.data[0] = 9
  t.not(b.weight.data[0], 9)
  b.loadStateDict({
    weight: tensor(
      Int32Array.from({ length: 12 }, (_, i) => i),
      { shape: [4, 3] },
    ),
  })
  t.deepEqual(b.forward([1]).toArray(), [[3, 4, 5]])
})

test('loadStateDict changes nothing if any entry is wrong', (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  const before = layer.parameters().map(digest)
  const good = { 'token.weight': zeros([4, 3]), 'position.weight': zeros([2, 3]) }
  const gone = zeros([2, 3])
  gone.dispose()
  const bad: [Record<string, Tensor>, 'USAGE' | 'SHAPE', string][] = [
    [{ 'token.weight': good['token.weight'] }, 'USAGE', 'missing tensors: position.weight'],
    [{ ...good, more: zeros([1]) }, 'USAGE', 'unknown tensors: more'],
    [
      { ...good, 'position.weight': zeros([3, 3]) },
      'SHAPE',
      '"position.weight" must have the shape [2, 3], not [3, 3]',
    ],
    [{ ...good, 'position.weight': gone }, 'USAGE', 'disposed'],
    [{ ...good, 'position.weight': [1] as never }, 'USAGE', '"position.weight"'],
    [null as never, 'USAGE', 'null'],
    ['state' as never, 'USAGE', 'state'],
  ]
  for (const [state, code, part] of bad) {
    refuses(t, () => layer.loadStateDict(state), code, part)
    t.deepEqual(layer.parameters().map(digest), before)
  }
  layer.loadStateDict(good)
  t.true(
    layer.token.weight
      .toArray()
      .flat()
      .every((x: number) => x === 0),
  )
})

test("loadStateDict accepts the layer's own tables and those of a tied layer", (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  const before = layer.parameters().map(digest)
  layer.loadStateDict(layer.stateDict())
  t.deepEqual(layer.parameters().map(digest), before)
  layer.loadStateDict({ ...layer.stateDict(), 'token.weight': zeros([4, 3]) })
  t.deepEqual(layer.token.weight.toArray(), zeros([4, 3]).toArray())
  t.is(digest(layer.position.weight), before[1])
})

test('loadStateDict into a disposed table changes nothing', (t) => {
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  const before = digest(layer.token.weight)
  layer.position.weight.dispose()
  refuses(
    t,
    () => layer.loadStateDict({ 'token.weight': zeros([4, 3]), 'position.weight': zeros([2, 3]) }),
    'USAGE',
    'disposed',
  )
  t.is(digest(layer.token.weight), before)
})

test('rejects freeze and requiresGrad that contradict each other', (t) => {
  const weight = tensor([[1, 2]])
  refuses(t, () => Embedding.fromPretrained(weight, { freeze: true, requiresGrad: true }), 'USAGE', 'freeze')
  refuses(t, () => Embedding.fromPretrained(weight, { freeze: 'x' as never }), 'USAGE', 'freeze')
  t.true(Embedding.fromPretrained(weight, { freeze: false }).weight.requiresGrad)
})
