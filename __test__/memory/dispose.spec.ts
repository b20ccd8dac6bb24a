import test from 'ava'
import { Embedding, memoryUsage, tensor, TokenPositionEmbedding, zeros, type Tensor } from '../../index.js'
import { refuses } from '../support/errors.js'

const MAKERS: [string, () => Tensor][] = [
  [
    'an activation',
    () =>
      tensor([
        [1, 2],
        [3, 4],
      ]),
  ],
  ['a large activation', () => zeros([256, 256])],
  ['a table', () => new Embedding(4, 3).weight],
  ['a result', () => new Embedding(4, 3).forward([1, 2])],
  ['a tensor of nothing', () => zeros([0, 3])],
]

for (const [what, make] of MAKERS) {
  test(`${what}: dispose empties its data`, (t) => {
    const x = make()
    const { data } = x
    x.dispose()
    t.is(data.length, 0)
    t.is(data.byteLength, 0)
    t.false(0 in data)
    t.true(x.disposed)
  })

  test(`${what}: every use after dispose is rejected, except a second dispose`, (t) => {
    const x = make()
    x.dispose()
    x.dispose()
    x[Symbol.dispose]()
    const uses: (() => unknown)[] = [
      () => x.data,
      () => x.set([]),
      () => x.toArray(),
      () => x.reshape(x.size),
      () => x.narrow(0, 0, 1),
      () => x.narrow(1, 0, 1),
      () => x.transpose(0, 1),
      () => x.to('int32'),
      () => x.to(x.dtype),
      () => x.clone(),
      () => x.detach(),
      () => x.add(1),
      () => zeros([...x.shape]).mul(x),
      () => zeros([x.shape[0], x.shape[0]]).matmul(x),
      () => x.sum(),
      () => x.gelu(),
      () => x.softmax(0),
      () => zeros([...x.shape]).set(x),
      () => Embedding.fromPretrained(x),
    ]
    // An empty tensor may have no parts.
    for (const use of uses)
      if (x.size > 0 || !String(use).includes('narrow(0')) refuses(t, use, 'USAGE', 'use of a disposed tensor')
    t.is(String(x), `tensor(disposed, shape=[${x.shape.join(', ')}])`)
  })
}

test('a layer with a disposed table throws, and works with another table', (t) => {
  const embedding = new Embedding(4, 3)
  const layer = new TokenPositionEmbedding({ vocabSize: 4, contextLength: 2, dim: 3 })
  embedding.weight.dispose()
  layer.position.weight.dispose()
  refuses(t, () => embedding.forward([1]), 'USAGE', 'disposed')
  refuses(t, () => layer.forward([1]), 'USAGE', 'disposed')
  embedding.weight = zeros([4, 3])
  t.deepEqual(embedding.forward([1]).toArray(), [[0, 0, 0]])
})

test('freed memory is reused, and old views never show it', (t) => {
  const x = zeros([300, 500]).add(1)
  const old = x.data
  const bytes = old.buffer.byteLength
  x.dispose()
  t.true(memoryUsage().pool >= bytes)
  const before = memoryUsage().pool
  const y = tensor(
    Float32Array.from({ length: 150_000 }, () => 7),
    { shape: [300, 500] },
  )
  t.is(memoryUsage().pool, before - bytes)
  t.is(old.length, 0)
  t.is(y.data.buffer.byteLength, bytes)
  t.true(y.data.every((value) => value === 7))
})

test('zeros are zero in reused memory', (t) => {
  const full = zeros([300, 500]).add(1)
  full.dispose()
  t.true(zeros([300, 500]).data.every((value) => value === 0))
})

test('using disposes at the end of a block', (t) => {
  let kept: Tensor
  {
    using x = zeros([4])
    kept = x
    t.false(x.disposed)
  }
  t.true(kept.disposed)
})

test('a tensor that shares memory keeps it alive', (t) => {
  const x = tensor([1, 2, 3, 4])
  const y = x.reshape(2, 2)
  const { data } = x
  x.dispose()
  t.is(data.length, 4)
  t.deepEqual(y.toArray(), [
    [1, 2],
    [3, 4],
  ])
  y.dispose()
  t.is(data.length, 0)
})
