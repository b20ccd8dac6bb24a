import test from 'ava'
import { createDataLoader, Embedding, scope, TokenPositionEmbedding, zeros, type Tensor } from '../../index.js'
import { refuses } from '../support/errors.js'

test('a scope disposes the tensors made inside, except those that it returns', (t) => {
  const outside = zeros([2])
  let inside: Tensor
  const kept = scope(() => {
    inside = outside.add(1)
    return inside.mul(3)
  })
  t.true(inside!.disposed)
  t.false(outside.disposed)
  t.deepEqual(kept.toArray(), [3, 3])
})

const RESULTS: [string, (x: Tensor) => unknown][] = [
  ['an array', (x) => [1, [x]]],
  ['an object', (x) => ({ a: { b: x } })],
  ['an object without a prototype', (x) => Object.assign(Object.create(null), { x })],
  ['a map', (x) => new Map([['x', x]])],
  ['the keys of a map', (x) => new Map([[x, 1]])],
  ['a set', (x) => new Set([x])],
  ['something that holds itself', (x) => holdsItself(x)],
  ['a layer over it', (x) => Embedding.fromPretrained(x)],
  ['a tensor that shares its memory', (x) => x.reshape(4)],
]

function holdsItself(x: Tensor): unknown {
  const result: { x: Tensor; self?: unknown } = { x }
  result.self = result
  return result
}

for (const [what, wrap] of RESULTS) {
  test(`a scope keeps returned tensors in ${what}`, (t) => {
    let inside: Tensor, other: Tensor
    const result = scope(() => {
      inside = zeros([2, 2]).add(1)
      other = zeros([3])
      return wrap(inside)
    })
    t.true(other!.disposed)
    if (result instanceof Embedding) return t.deepEqual(result.forward([0]).toArray(), [[1, 1]])
    const shared = what.includes('shares')
    t.is(inside!.disposed, shared)
    t.deepEqual((shared ? (result as Tensor) : inside!).toArray().flat(), [1, 1, 1, 1])
  })
}

test('a scope keeps returned layers and batches whole', (t) => {
  const { layer, batch } = scope(() => {
    const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
    layer.forward([1, 2])
    const [batch] = createDataLoader([0, 1, 2, 3], { maxLength: 2, stride: 1, batchSize: 1, shuffle: false })
    return { layer, batch }
  })
  t.deepEqual(layer.forward(batch.inputs).shape, [1, 2, 3])
  t.deepEqual(batch.targets.toArray(), [[1, 2]])
})

test('the result of an inner scope belongs to the outer one', (t) => {
  let inner: Tensor
  const kept = scope(() => {
    inner = scope(() => zeros([2]).add(5))
    t.false(inner.disposed)
    return inner.add(1)
  })
  t.true(inner!.disposed)
  t.deepEqual(kept.toArray(), [6, 6])
})

test('if the function throws, its tensors are disposed, and the outer scope goes on', (t) => {
  let inside: Tensor, after: Tensor
  const kept = scope(() => {
    const error = t.throws(() =>
      scope(() => {
        inside = zeros([2])
        throw new Error('mine')
      }),
    )
    t.is(error?.message, 'mine')
    after = zeros([1])
    return zeros([3])
  })
  t.true(inside!.disposed)
  t.true(after!.disposed)
  t.false(kept.disposed)
})

test('an async function is rejected, and its tensors are disposed', (t) => {
  let inside: Tensor
  refuses(
    t,
    () =>
      scope(async () => {
        inside = zeros([2])
      }),
    'USAGE',
    'scope',
    'promise',
  )
  t.true(inside!.disposed)
  t.false(zeros([2]).disposed)
})

test('a function may dispose tensors itself, or return nothing', (t) => {
  t.is(
    scope(() => {
      const x = zeros([2])
      x.dispose()
      return null
    }),
    null,
  )
  t.is(
    scope(() => 5),
    5,
  )
  t.is(
    scope(() => undefined),
    undefined,
  )
})

test('a scope forgets tensors that were disposed inside it', (t) => {
  const disposed = scope(() => {
    const first = zeros([2])
    first.dispose()
    const second = zeros([2])
    return [first, second]
  })
  t.deepEqual(
    disposed.map((tensor) => tensor.disposed),
    [true, false],
  )
})
